// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what a read of a page that has no PTE does: which handler of the
 * driver answers, what it may and may not map, and that who reads a page of
 * somebody else's gets the same one. Each test runs in both fault modes; where
 * they differ, the test says how.
 *
 * The ids (F01, ...) name the branches of mmap that a test proves.
 * Needs: CONFIG_PROC_PAGE_MONITOR, debugfs' fault_around_bytes where a test says
 * so; see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "proc.h"

#define NR		8

FIXTURE(read_fault) {
	struct device dev;
	int fd;
	struct counters before;
};

FAULT_MODES(read_fault);

FIXTURE_SETUP(read_fault)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	counters_start(&self->before);
}

FIXTURE_TEARDOWN(read_fault)
{
	device_teardown(_metadata, &self->dev);
}

/*
 * How often ->fault, told of a read, and ->map_pages answered since the test
 * began. None was told of a write.
 */
#define EXPECT_READS(read, around)					\
	EXPECT_COUNTED(&self->before,					\
		       { "fault_read", read }, { "map_pages", around },	\
		       { "fault_write", 0 }, { "fault_cow", 0 })

/*
 * F01: ->fault is told of a read, in a mapping that may write as well; the PTE
 * is read-only then, or the write that follows would not be noticed.
 */
TEST_F(read_fault, F01_hole)
{
	char *shared = map_shared(_metadata, self->fd, 0, 2);
	char *private = map_private(_metadata, self->fd, 2, 1);

	EXPECT_EQ(-1, nonzero(shared, page_size));
	EXPECT_READS(1, 0);
	EXPECT_TRUE(is_mapped(shared));
	EXPECT_FALSE(is_mapped(shared + page_size));
	EXPECT_EQ(1, pool_read("stored"));
	EXPECT_EQ(0, pool_read("dirty"));
	shared[0] = 1;
	EXPECT_READS(1, 0);
	EXPECT_EQ(1, counted(&self->before, "mkwrite"));
	EXPECT_EQ(1, pool_read("dirty"));

	EXPECT_EQ(-1, nonzero(private, page_size));
	EXPECT_READS(2, 0);
	EXPECT_EQ(2, pool_read("stored"));
	EXPECT_EQ(0L, smaps_kib(private, "Anonymous"));
}

/*
 * F02: ->fault gives the page to the core locked (map_pages) or maps it and
 * unlocks it (insert): the core leaves it unlocked, or whoever comes next would
 * wait for ever.
 */
TEST_F(read_fault, F02_page_is_unlocked_afterwards)
{
	char *shared = map_shared(_metadata, self->fd, 0, 1);
	char *private = map_private(_metadata, self->fd, 1, 1);

	read_pages(shared, 1);
	read_pages(private, 1);
	EXPECT_READS(2, 0);
	EXPECT_FALSE(page_has_flag(shared, KPF_LOCKED));
	EXPECT_FALSE(page_has_flag(private, KPF_LOCKED));
	/* Both take each page's lock. */
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(0, discard(self->fd, 0, 2));
	EXPECT_EQ(0, pool_read("stored"));
}

/*
 * F04: ->map_pages is asked first; for a page that is stored it is enough, for
 * a hole ->fault is next. Operations without it have ->fault alone.
 */
TEST_F(read_fault, F04_map_pages_comes_first)
{
	char *p = map_aligned(_metadata, self->fd, PROT_READ, MAP_SHARED, 0,
			      NR);
	bool insert = variant->insert;

	ASSERT_TRUE(fill(self->fd, 0, 2, 0));
	EXPECT_EQ(-1, bad_page(p, 0, 1, 0));
	EXPECT_READS(insert, !insert);
	EXPECT_TRUE(is_mapped(p + page_size));
	/* Not a page that is not there. */
	EXPECT_FALSE(is_mapped(p + 2 * page_size));
	EXPECT_EQ(2, pool_read("stored"));
	EXPECT_EQ(-1, nonzero(p + 2 * page_size, page_size));
	EXPECT_READS(insert + 1, !insert);
	EXPECT_EQ(-1, bad_page(p + page_size, 1, 1, 0));
	EXPECT_READS(insert + 1, !insert);
}

/* Reads @p with fault-around of @nr pages. Return: whether that could be set. */
static bool read_with_fault_around(const char *p, size_t nr)
{
	struct setting around;
	char bytes[32];

	snprintf(bytes, sizeof(bytes), "%zu", nr * page_size);
	if (!setting_change(&around, FAULT_AROUND, bytes))
		return false;
	read_pages(p, 1);
	return setting_restore(&around);
}

/*
 * F05: with a single page to map there is no "around", and ->map_pages is not
 * called (mm/memory.c, should_fault_around()). fault_mode=insert has a window
 * of its own, which that does not concern.
 */
TEST_F(read_fault, F05_fault_around_off)
{
	char *p = map_aligned(_metadata, self->fd, PROT_READ, MAP_SHARED, 0,
			      NR);

	if (access(FAULT_AROUND, W_OK))
		SKIP(return, "needs " FAULT_AROUND);
	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	EXPECT_TRUE(read_with_fault_around(p, 1));
	EXPECT_READS(1, 0);
	EXPECT_EQ(variant->insert ? NR : 1, count_mapped(p, NR));
	EXPECT_EQ(-1, bad_page(p, 0, 1, 0));

	ASSERT_EQ(0, madvise(p, NR * page_size, MADV_DONTNEED));
	EXPECT_TRUE(read_with_fault_around(p, WINDOW));
	EXPECT_READS(1 + variant->insert, !variant->insert);
	EXPECT_EQ(NR, count_mapped(p, NR));
}

static int child_reads(void *arg)
{
	char *p = mmap(NULL, page_size, PROT_READ, MAP_SHARED, *(int *)arg, 0);

	if (p == MAP_FAILED || bad_page(p, 0, 1, 0) >= 0)
		return 0;
	return page_mapcount(p);
}

/* F06: every reader has the page that the first one has. */
TEST_F(read_fault, F06_second_reader)
{
	char *first = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 0, 1);
	char *second = map_private(_metadata, self->fd, 0, 1);
	long allocated;
	__u64 pfn;

	ASSERT_TRUE(fill(self->fd, 0, 1, 0));
	allocated = stat_read("pool_allocated") + stat_read("pool_recycled");
	EXPECT_EQ(-1, bad_page(first, 0, 1, 0));
	EXPECT_EQ(1, page_mapcount(first));
	EXPECT_EQ(-1, bad_page(second, 0, 1, 0));
	EXPECT_EQ(2, page_mapcount(first));
	pfn = pagemap_entry(first) << 9;
	EXPECT_EQ(pfn, pagemap_entry(second) << 9);
	/* Two of ours and one of its own; a fork copies special PTEs as well. */
	EXPECT_EQ(variant->insert ? 5 : 3, in_child(child_reads, &self->fd));
	EXPECT_EQ(1, pool_read("stored"));
	EXPECT_EQ(allocated, stat_read("pool_allocated") +
			     stat_read("pool_recycled"));
	ASSERT_EQ(0, munmap(first, page_size));
	EXPECT_EQ(1, page_mapcount(second));
}

TEST_HARNESS_MAIN
