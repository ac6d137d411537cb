// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves when pages come into being and when they get into a page table: on
 * touch, around a fault, in advance, and locked.
 * Each test runs in both fault modes; where the contract differs for
 * fault_mode=insert, the test says how.
 *
 * The ids (F01, Q13, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"

DEVICE_FIXTURE(populate)

TEST_F(populate, fresh_pages_are_zero)
{
	char *p = map_shared(_metadata, self->fd, 0, 16);

	EXPECT_EQ(-1, nonzero(p, 16 * page_size));
	EXPECT_EQ(16, pool_read("stored"));
}

/* Mapping costs nothing, and touching one page costs one page. */
TEST_F(populate, pages_come_on_touch)
{
	char *p = map_shared(_metadata, self->fd, 0, self->dev.nr_pages);

	EXPECT_EQ(0, pool_read("stored"));
	p[5 * page_size] = 1;
	EXPECT_EQ(1, pool_read("stored"));
	EXPECT_EQ(1, count_mapped(p, 16));
}

/* Q04: dropping a shared mapping's pages drops page-table entries only. */
TEST_F(populate, shared_dontneed_keeps_data)
{
	char *p = map_shared(_metadata, self->fd, 0, 4);
	int i;

	for (i = 0; i < 4; i++)
		make_page(p + i * page_size, i, 0);
	ASSERT_EQ(0, madvise(p, 4 * page_size, MADV_DONTNEED));
	EXPECT_EQ(0, count_mapped(p, 4));
	EXPECT_EQ(-1, bad_page(p, 0, 4, 0));
	EXPECT_EQ(4, pool_read("stored"));
}

/* How many pages one read fault maps at most. */
static size_t window_pages(bool insert)
{
	char text[32] = "0";

	read_file(insert ? FAULT_WINDOW : FAULT_AROUND, text,
		  sizeof(text));
	return strtoul(text, NULL, 10) / page_size;
}

/*
 * F01, F02: one read fault maps the present pages of its window, and makes
 * none of the holes in it.
 */
TEST_F(populate, fault_around_maps_present_pages)
{
	size_t i, window = window_pages(variant->insert), present = 0;
	char *p = reserve(_metadata, 2 * window);
	long maps, faults;

	if (window < 4 || 2 * window > self->dev.nr_pages)
		SKIP(return, "fault-around of %zu pages", window);
	for (i = 0; i < 2 * window; i += 4) {
		ASSERT_TRUE(fill(self->fd, i, 3, 0))
			TH_LOG("page %zu", i);
	}
	ASSERT_EQ(p, mmap(p, 2 * window * page_size, PROT_READ,
			  MAP_SHARED | MAP_FIXED, self->fd, 0));
	maps = stat_read(variant->insert ? "inserted" : "map_pages");
	faults = stat_read("fault_read");
	read_byte(p + page_size);
	for (i = 0; i < 2 * window; i++) {
		bool expected = i < window && i % 4 != 3;

		EXPECT_EQ(expected, is_mapped(p + i * page_size));
		present += expected;
	}
	/* ->map_pages maps by itself; ->fault is what inserts. */
	EXPECT_EQ(maps + (long)(variant->insert ? present : 1),
		  stat_read(variant->insert ? "inserted" : "map_pages"));
	EXPECT_EQ(faults + variant->insert, stat_read("fault_read"));
	EXPECT_EQ(2 * window - window / 2, pool_read("stored"));
}

static long read_faults(void)
{
	return stat_read("fault_read") + stat_read("map_pages");
}

/*
 * Who reads on where the last window ended gets more with each fault, from one
 * page table into the next; who reads backwards does not. The window of
 * fault_mode=insert stays as it is.
 */
TEST_F(populate, sequence_maps_more)
{
	size_t window = window_pages(variant->insert), nr = 64 * window, i;
	char *p = reserve(_metadata, nr);
	long faults;

	if (window < 2 || nr > self->dev.nr_pages)
		SKIP(return, "fault-around of %zu pages", window);
	ASSERT_TRUE(fill(self->fd, 0, nr, 0));
	ASSERT_EQ(p, mmap(p, nr * page_size, PROT_READ, MAP_SHARED | MAP_FIXED,
			  self->fd, 0));
	faults = read_faults();
	EXPECT_EQ(-1, bad_page(p, 0, nr, 0));
	EXPECT_GE(faults + (variant->insert ? 64 : 16), read_faults());

	ASSERT_EQ(0, madvise(p, nr * page_size, MADV_DONTNEED));
	faults = read_faults();
	for (i = nr; i > 0; i--)
		read_byte(p + (i - 1) * page_size);
	EXPECT_EQ(faults + 64, read_faults());
}

/* V01: as for any file, what is stored is in core, mapped or not. */
TEST_F(populate, mincore_tells_stored_pages)
{
	char *p = map_shared(_metadata, self->fd, 0, 4);
	unsigned char core[4];

	ASSERT_TRUE(fill(self->fd, 1, 2, 0));
	ASSERT_EQ(0, mincore(p, 4 * page_size, core));
	EXPECT_EQ(0, core[0]);
	EXPECT_EQ(1, core[1]);
	EXPECT_EQ(1, core[2]);
	EXPECT_EQ(0, core[3]);
	EXPECT_EQ(0, count_mapped(p, 4));
	EXPECT_EQ(2, pool_read("stored"));
}

/* M08: populating a shared mapping reads; nothing enters the dirty log. */
TEST_F(populate, populate_shared)
{
	long mkwrite = stat_read("mkwrite");
	char *p = map(_metadata, self->fd, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_POPULATE, 0, 24);

	EXPECT_EQ(24, count_mapped(p, 24));
	EXPECT_EQ(24, pool_read("stored"));
	EXPECT_EQ(0, pool_read("dirty"));
	EXPECT_EQ(mkwrite, stat_read("mkwrite"));
}

TEST_F(populate, populate_private)
{
	char *p = map(_metadata, self->fd, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_POPULATE, 0, 8);

	EXPECT_EQ(8, count_mapped(p, 8));
	ASSERT_TRUE(fill(self->fd, 0, 8, 0));
	EXPECT_EQ(-1, nonzero(p, 8 * page_size));
}

/* Q13 */
TEST_F(populate, populate_by_madvise)
{
	char *p = map_shared(_metadata, self->fd, 0, 8);
	long mkwrite = stat_read("mkwrite");

	ASSERT_EQ(0, madvise(p, 8 * page_size, MADV_POPULATE_READ));
	EXPECT_EQ(8, count_mapped(p, 8));
	EXPECT_EQ(0, pool_read("dirty"));
	ASSERT_EQ(0, madvise(p, 8 * page_size, MADV_POPULATE_WRITE));
	EXPECT_EQ(8, pool_read("dirty"));
	EXPECT_EQ(mkwrite + 8, stat_read("mkwrite"));
	write_pages(p, 8, 1);
	EXPECT_EQ(mkwrite + 8, stat_read("mkwrite"));
}

/* R02, R03: mlock counts a plain mapping; a special one it only populates. */
TEST_F(populate, mlock_counts)
{
	char *p = map_shared(_metadata, self->fd, 0, 8);
	long locked = read_figure("/proc/self/status", "VmLck");
	long kib = variant->insert ? 0 : 8 * page_size / 1024;

	ASSERT_EQ(0, mlock(p, 8 * page_size));
	EXPECT_EQ(locked + kib, read_figure("/proc/self/status", "VmLck"));
	EXPECT_EQ(8, count_mapped(p, 8));
	ASSERT_EQ(0, munlock(p, 8 * page_size));
	EXPECT_EQ(locked, read_figure("/proc/self/status", "VmLck"));
}

TEST_HARNESS_MAIN
