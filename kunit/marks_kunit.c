// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the marks of a page say of its PTEs: which accesses set which, and that
 * a PTE is writable only while the page has all three.
 */
#include <kunit/test.h>
#include <linux/mm.h>

#include "mode_helpers.h"
#include "vma_helpers.h"

static unsigned long marks_of(struct kunit *test, pgoff_t pgoff)
{
	return store_marks(store_of(test), pgoff);
}

static void sync_all(struct kunit *test)
{
	struct vma_test *vt = test->priv;

	KUNIT_EXPECT_EQ(test, vfs_fsync(vt->file, 0), 0);
}

static void harvest_all(struct kunit *test)
{
	struct mmapdemo_run runs[VMA_SLOTS];
	struct mmapdemo_harvest h = {
		.last	= VMA_SLOTS - 1,
		.clear	= true,
		.runs	= runs,
		.max	= VMA_SLOTS,
	};

	KUNIT_EXPECT_EQ(test, mmapdemo_log_harvest(store_of(test), &h), 0);
}

/* Writes to a page. Return: how often ->page_mkwrite was called for it. */
static unsigned long mkwrites(struct kunit *test, unsigned long addr,
			      unsigned long page, u8 byte)
{
	unsigned long before = mmapdemo_stat_read(&test_stats, STAT_MKWRITE);

	KUNIT_EXPECT_EQ(test, poke(addr, page, byte), 0);
	return mmapdemo_stat_read(&test_stats, STAT_MKWRITE) - before;
}

static void marks_are_not_set_by_a_read(struct kunit *test)
{
	unsigned long private = map_from(test, mode_of(test), MAP_PRIVATE, 0,
					 VMA_PAGES);
	unsigned long shared = map_shared(test, mode_of(test));

	KUNIT_EXPECT_EQ(test, peek(shared, 3), 0);
	KUNIT_EXPECT_EQ(test, peek(private, 4), 0);
	/* This one reads the page, and writes to a copy. */
	KUNIT_EXPECT_EQ(test, mkwrites(test, private, 5, 1), 0);
	KUNIT_EXPECT_EQ(test, store_count(store_of(test)), 3);
	KUNIT_EXPECT_EQ(test, marks_of(test, 3), 0);
	KUNIT_EXPECT_EQ(test, marks_of(test, 4), 0);
	KUNIT_EXPECT_EQ(test, marks_of(test, 5), 0);
}

static void marks_are_all_set_by_the_first_write(struct kunit *test)
{
	unsigned long addr = map_shared(test, mode_of(test));

	/* To a hole, to a page that was read, and to one that was not. */
	KUNIT_EXPECT_EQ(test, peek(addr, 4), 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(store_touch(store_of(test), 5, false)));
	KUNIT_EXPECT_EQ(test, mkwrites(test, addr, 3, 1), 1);
	KUNIT_EXPECT_EQ(test, mkwrites(test, addr, 4, 1), 1);
	KUNIT_EXPECT_EQ(test, mkwrites(test, addr, 5, 1), 1);
	KUNIT_EXPECT_EQ(test, marks_of(test, 3), MMAPDEMO_MARKS);
	KUNIT_EXPECT_EQ(test, marks_of(test, 4), MMAPDEMO_MARKS);
	KUNIT_EXPECT_EQ(test, marks_of(test, 5), MMAPDEMO_MARKS);
	/* The next one takes no fault. */
	KUNIT_EXPECT_EQ(test, mkwrites(test, addr, 3, 2), 0);
	KUNIT_EXPECT_EQ(test, mkwrites(test, addr, 4, 2), 0);
	KUNIT_EXPECT_EQ(test, mkwrites(test, addr, 5, 2), 0);
}

/* write(2) makes no PTE writable: a sync need not look for one. */
static void marks_of_a_write_without_a_mapping(struct kunit *test)
{
	unsigned long addr = map_shared(test, mode_of(test));
	struct vma_test *vt = test->priv;
	loff_t pos = 3 * PAGE_SIZE;
	u8 byte = 0x33;

	KUNIT_EXPECT_EQ(test, kernel_write(vt->file, &byte, 1, &pos), 1);
	KUNIT_EXPECT_EQ(test, marks_of(test, 3), MMAPDEMO_WRITTEN);
	KUNIT_EXPECT_EQ(test, peek(addr, 3), 0x33);
	KUNIT_EXPECT_EQ(test, marks_of(test, 3), MMAPDEMO_WRITTEN);
	KUNIT_EXPECT_EQ(test, mkwrites(test, addr, 3, 0x34), 1);
	KUNIT_EXPECT_EQ(test, marks_of(test, 3), MMAPDEMO_MARKS);
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_DIRTIED), 1);
}

/*
 * Writes to a page, and has @clear leave it @left of its marks, three times.
 * Through each mapping: all of the page's PTEs are write-protected.
 */
static void come_back(struct kunit *test, void (*clear)(struct kunit *test),
		      unsigned long left, enum mmapdemo_stat stat)
{
	unsigned long one = map_shared(test, mode_of(test));
	unsigned long two = map_from(test, mode_of(test), MAP_SHARED, 2, 10);
	int round;

	for (round = 1; round <= 3; round++) {
		KUNIT_EXPECT_EQ(test, mkwrites(test, one, 3, round), 1);
		KUNIT_EXPECT_EQ(test, mkwrites(test, two, 1, round), 1);
		KUNIT_EXPECT_EQ(test, marks_of(test, 3), MMAPDEMO_MARKS);
		clear(test);
		KUNIT_EXPECT_EQ(test, marks_of(test, 3), left);
		KUNIT_EXPECT_EQ(test, peek(one, 3), round);
		KUNIT_EXPECT_EQ(test, counted(test->priv, stat), round);
		/* What has stayed in the log does not enter it again. */
		KUNIT_EXPECT_EQ(test, counted(test->priv, STAT_DIRTIED),
				left & MMAPDEMO_LOGGED ? 1 : round);
	}
}

static void marks_come_back_after_each_sync(struct kunit *test)
{
	come_back(test, sync_all, MMAPDEMO_LOGGED, STAT_CLEANED);
	KUNIT_EXPECT_EQ(test, counted(test->priv, STAT_CLEARED), 0);
}

static void marks_come_back_after_each_harvest(struct kunit *test)
{
	come_back(test, harvest_all, MMAPDEMO_UNSYNCED, STAT_CLEARED);
	KUNIT_EXPECT_EQ(test, counted(test->priv, STAT_CLEANED), 0);
}

/* The PTEs that are left have nothing to say: their writes were noticed. */
static void marks_stay_cleared_when_a_mapping_goes(struct kunit *test)
{
	unsigned long addr = map_shared(test, mode_of(test));

	KUNIT_EXPECT_EQ(test, poke(addr, 3, 1), 0);
	sync_all(test);
	KUNIT_EXPECT_EQ(test, poke(addr, 4, 1), 0);
	harvest_all(test);
	KUNIT_EXPECT_EQ(test, poke(addr, 5, 1), 0);
	KUNIT_EXPECT_EQ(test, vm_munmap(addr, VMA_PAGES * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, marks_of(test, 3), 0);
	KUNIT_EXPECT_EQ(test, marks_of(test, 4), MMAPDEMO_UNSYNCED);
	KUNIT_EXPECT_EQ(test, marks_of(test, 5), MMAPDEMO_MARKS);
}

static void marks_go_with_a_discarded_page(struct kunit *test)
{
	unsigned long addr = map_shared(test, mode_of(test));

	KUNIT_EXPECT_EQ(test, poke(addr, 3, 1), 0);
	KUNIT_EXPECT_EQ(test, store_discard(store_of(test), 3, 4), 1);
	KUNIT_EXPECT_EQ(test, store_of(test)->nr_dirty, 0);
	KUNIT_EXPECT_EQ(test, peek(addr, 3), 0);
	KUNIT_EXPECT_EQ(test, marks_of(test, 3), 0);
	KUNIT_EXPECT_EQ(test, mkwrites(test, addr, 3, 2), 1);
	KUNIT_EXPECT_EQ(test, marks_of(test, 3), MMAPDEMO_MARKS);
}

/* As a device does that is told to write to a buffer. */
static struct page *pin(struct kunit *test, unsigned long addr)
{
	struct page *page = NULL;

	KUNIT_EXPECT_EQ(test, pin_user_pages_fast(addr, 1, FOLL_WRITE, &page), 1);
	return page;
}

/*
 * The device needs no PTE: the page stays writable, and is unsynced however
 * often it is synced. The programs' PTEs are write-protected all the same.
 */
static void marks_of_a_pinned_page_stay(struct kunit *test)
{
	unsigned long addr = map_shared(test, mode_of(test));
	struct vma_test *vt = test->priv;
	struct page *page = pin(test, addr + 3 * PAGE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, marks_of(test, 3), MMAPDEMO_MARKS);
	sync_all(test);
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_CLEANED), 0);
	KUNIT_EXPECT_EQ(test, marks_of(test, 3), MMAPDEMO_MARKS);
	KUNIT_EXPECT_EQ(test, mkwrites(test, addr, 3, 1), 1);
	harvest_all(test);
	KUNIT_EXPECT_EQ(test, marks_of(test, 3),
			MMAPDEMO_UNSYNCED | MMAPDEMO_WRITABLE);
	KUNIT_EXPECT_EQ(test, mkwrites(test, addr, 3, 2), 1);
	unpin_user_page(page);
	sync_all(test);
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_CLEANED), 1);
	KUNIT_EXPECT_EQ(test, marks_of(test, 3), MMAPDEMO_LOGGED);
}

/* What it wrote meanwhile it tells us when it is done. */
static void marks_come_back_with_what_was_pinned(struct kunit *test)
{
	unsigned long addr = map_shared(test, mode_of(test));
	struct page *page = pin(test, addr + 3 * PAGE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, page);
	harvest_all(test);
	unpin_user_pages_dirty_lock(&page, 1, true);
	KUNIT_EXPECT_EQ(test, marks_of(test, 3), MMAPDEMO_MARKS);

	page = pin(test, addr + 3 * PAGE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, page);
	sync_all(test);
	harvest_all(test);
	unpin_user_pages_dirty_lock(&page, 1, true);
	KUNIT_EXPECT_EQ(test, marks_of(test, 3), MMAPDEMO_MARKS);
}

static struct kunit_case marks_cases[] = {
	KUNIT_CASE_PARAM(marks_are_not_set_by_a_read, mode_gen_params),
	KUNIT_CASE_PARAM(marks_are_all_set_by_the_first_write, mode_gen_params),
	KUNIT_CASE_PARAM(marks_of_a_write_without_a_mapping, mode_gen_params),
	KUNIT_CASE_PARAM(marks_come_back_after_each_sync, mode_gen_params),
	KUNIT_CASE_PARAM(marks_come_back_after_each_harvest, mode_gen_params),
	KUNIT_CASE_PARAM(marks_stay_cleared_when_a_mapping_goes, mode_gen_params),
	KUNIT_CASE_PARAM(marks_go_with_a_discarded_page, mode_gen_params),
	KUNIT_CASE_PARAM(marks_of_a_pinned_page_stay, mode_gen_params),
	KUNIT_CASE_PARAM(marks_come_back_with_what_was_pinned, mode_gen_params),
	{ }
};

static struct kunit_suite marks_suite = {
	.name = "mmapdemo_marks",
	.init = vma_test_init,
	.exit = vma_test_exit,
	.test_cases = marks_cases,
};

kunit_test_suite(marks_suite);
