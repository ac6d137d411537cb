// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what differs between the two file operations that serve mmap(2), .mmap
 * and .mmap_prepare: when the core asks the driver, before or after it looks for
 * a neighbour to grow. All other tests pass with either; the module's parameter
 * mmap_hook says which one it is.
 *
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "proc.h"

FIXTURE(mmap_hook) {
	struct device dev;
	bool prepare;
	char *p;		/* room for two mappings of two pages */
};

FIXTURE_SETUP(mmap_hook)
{
	const char *hook = device_parameter("mmap_hook");

	device_setup(_metadata, &self->dev, false);
	ASSERT_NE(NULL, hook);
	self->prepare = !strcmp(hook, "mmap_prepare");
	self->p = reserve(_metadata, 4);
}

FIXTURE_TEARDOWN(mmap_hook)
{
	device_teardown(_metadata, &self->dev);
}

/* Maps the device's pages 2 * @i and the next one, at that place. */
static void map_two(struct __test_metadata *_metadata,
		    FIXTURE_DATA(mmap_hook) *self, size_t i)
{
	size_t at = 2 * i * page_size;

	ASSERT_EQ(self->p + at, mmap(self->p + at, 2 * page_size,
				     PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_FIXED, self->dev.fd, at));
}

/*
 * What grows a neighbour is no new VMA: neither .mmap nor .mapped hears of it.
 * Before 6.12 the core did not do that where a VMA has a ->close.
 */
TEST_F(mmap_hook, neighbour_grows)
{
	int vmas = kernel_before(6, 12) ? 2 : 1;
	long count = stat_read("mmap");

	map_two(_metadata, self, 0);
	map_two(_metadata, self, 1);
	EXPECT_EQ(vmas, count_vmas(self->p, 4));
	EXPECT_EQ(count + vmas, stat_read("mmap"));
}

/*
 * With .mmap the core compares the neighbour with what the program asked for,
 * and does not know yet that the driver is going to add a flag. It grows the
 * neighbour, and the driver is not asked: the second mapping is of the old mode.
 * With .mmap_prepare the driver has had its say by then.
 */
TEST_F(mmap_hook, driver_changes_its_mind)
{
	int vmas = self->prepare || kernel_before(6, 12) ? 2 : 1;
	long count = stat_read("mmap");

	map_two(_metadata, self, 0);
	ASSERT_EQ(0, write_file(FAULT_MODE, "insert"));
	map_two(_metadata, self, 1);
	EXPECT_EQ(vmas, count_vmas(self->p, 4));
	EXPECT_EQ(count + vmas, stat_read("mmap"));
	EXPECT_FALSE(vma_has_flag(self->p, "mm"));
	EXPECT_EQ(vmas == 2, vma_has_flag(self->p + 2 * page_size, "mm"));
	/* Either way they show the device. */
	ASSERT_TRUE(fill(self->dev.fd, 0, 4, 1));
	EXPECT_EQ(-1, bad_page(self->p, 0, 4, 1));
}

TEST_HARNESS_MAIN
