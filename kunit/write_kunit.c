// SPDX-License-Identifier: GPL-2.0-only
/*
 * The door for writes without mappings: what marks a page, and what clears which
 * of its marks.
 */
#include <kunit/test.h>
#include <linux/fs.h>
#include <linux/prandom.h>
#include <linux/random.h>

#include "store_helpers.h"

static void write_marks_a_page_once(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio = touch(st, 9, false);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	KUNIT_EXPECT_FALSE(test, is_dirty(st, 9));
	/* What the core calls for a dirty PTE. */
	KUNIT_EXPECT_TRUE(test, folio_mark_dirty(folio));
	KUNIT_EXPECT_FALSE(test, folio_mark_dirty(folio));
	KUNIT_EXPECT_TRUE(test, is_dirty(st, 9));
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 1);

	KUNIT_EXPECT_TRUE(test, is_unsynced(st, 9));
	/* Only a PTE that turns writable says more. */
	KUNIT_EXPECT_EQ(test, store_marks(&st->store, 9), MMAPDEMO_WRITTEN);
}

static void write_marks_nothing_without_a_log(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio;

	st->store.log = false;
	folio = touch(st, 9, false);
	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	KUNIT_EXPECT_FALSE(test, folio_mark_dirty(folio));
	KUNIT_EXPECT_FALSE(test, mmapdemo_end_write(&st->store, folio, MMAPDEMO_MARKS));
	KUNIT_EXPECT_EQ(test, store_marks(&st->store, 9), 0);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 0);
	KUNIT_EXPECT_EQ(test, mmapdemo_sync(&st->store, 0, NR_SLOTS - 1), 0);
}

/* Locks the page of a slot and clears one of its marks. */
static bool clear_mark(struct store_test *st, pgoff_t pgoff, unsigned long mark)
{
	struct folio *folio = mmapdemo_store_grab(&st->store, pgoff, NULL, NULL, true);
	bool cleared = mmapdemo_clear_mark(&st->store, folio, mark);

	folio_unlock(folio);
	folio_put(folio);
	return cleared;
}

static void write_clears_one_mark(struct kunit *test)
{
	struct store_test *st = test->priv;

	KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, 9, true)));
	KUNIT_EXPECT_EQ(test, store_marks(&st->store, 9), MMAPDEMO_MARKS);
	/* Whichever it is, no PTE can be written afterwards. */
	KUNIT_EXPECT_TRUE(test, clear_mark(st, 9, MMAPDEMO_LOGGED));
	KUNIT_EXPECT_EQ(test, store_marks(&st->store, 9), MMAPDEMO_UNSYNCED);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 0);
	KUNIT_EXPECT_FALSE(test, clear_mark(st, 9, MMAPDEMO_LOGGED));
	KUNIT_EXPECT_TRUE(test, clear_mark(st, 9, MMAPDEMO_UNSYNCED));
	KUNIT_EXPECT_EQ(test, store_marks(&st->store, 9), 0);

	touch(st, 9, true);
	KUNIT_EXPECT_TRUE(test, clear_mark(st, 9, MMAPDEMO_UNSYNCED));
	KUNIT_EXPECT_EQ(test, store_marks(&st->store, 9), MMAPDEMO_LOGGED);
	KUNIT_EXPECT_FALSE(test, clear_mark(st, 9, MMAPDEMO_UNSYNCED));
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 1);
}

/* For who looks at the flag before they tell of a write: mm/gup.c. */
static void write_sets_the_flag_with_both_marks_only(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio = touch(st, 9, true);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	KUNIT_EXPECT_TRUE(test, folio_test_dirty(folio));
	clear_mark(st, 9, MMAPDEMO_LOGGED);
	KUNIT_EXPECT_FALSE(test, folio_test_dirty(folio));
	folio_mark_dirty(folio);
	KUNIT_EXPECT_TRUE(test, folio_test_dirty(folio));
	clear_mark(st, 9, MMAPDEMO_UNSYNCED);
	KUNIT_EXPECT_FALSE(test, folio_test_dirty(folio));
	mmapdemo_end_write(&st->store, folio, MMAPDEMO_LOGGED);
	KUNIT_EXPECT_FALSE(test, folio_test_dirty(folio));
}

/* KVM sets the flag by itself: neither is a write missed, nor counted twice. */
static void write_goes_by_the_marks_not_by_the_flag(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio = touch(st, 9, false);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	folio_set_dirty(folio);
	KUNIT_EXPECT_TRUE(test, folio_mark_dirty(folio));
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 1);
	clear_mark(st, 9, MMAPDEMO_LOGGED);
	clear_mark(st, 9, MMAPDEMO_UNSYNCED);
	folio_set_dirty(folio);
	KUNIT_EXPECT_EQ(test, store_discard(&st->store, 9, 10), 1);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 0);
}

/* Who has a page pinned may write to it at any time, and needs no fault. */
static void write_keeps_a_pinned_page_unsynced(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio = touch(st, 9, true);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	folio_ref_add(folio, GUP_PIN_COUNTING_BIAS);
	KUNIT_EXPECT_FALSE(test, clear_mark(st, 9, MMAPDEMO_UNSYNCED));
	KUNIT_EXPECT_EQ(test, store_marks(&st->store, 9), MMAPDEMO_MARKS);
	KUNIT_EXPECT_TRUE(test, clear_mark(st, 9, MMAPDEMO_LOGGED));
	KUNIT_EXPECT_EQ(test, store_marks(&st->store, 9),
			MMAPDEMO_UNSYNCED | MMAPDEMO_WRITABLE);
	folio_ref_sub(folio, GUP_PIN_COUNTING_BIAS);
	KUNIT_EXPECT_TRUE(test, clear_mark(st, 9, MMAPDEMO_UNSYNCED));
	KUNIT_EXPECT_EQ(test, store_marks(&st->store, 9), 0);
}

static void write_begins_in_the_store_only(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio = touch(st, 9, false);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	KUNIT_EXPECT_EQ(test, mmapdemo_begin_write(&st->store, folio), 0);
	folio->mapping = NULL;
	KUNIT_EXPECT_EQ(test, mmapdemo_begin_write(&st->store, folio), -ENOENT);
	folio->mapping = mmapdemo_store_mapping(&st->store);
#ifdef CONFIG_MEMORY_FAILURE
	SetPageHWPoison(folio_page(folio, 0));
	KUNIT_EXPECT_EQ(test, mmapdemo_begin_write(&st->store, folio), -EIO);
	ClearPageHWPoison(folio_page(folio, 0));
#endif
}

/*
 * Nothing of a page's time in the store is left when it goes: no mark, and not
 * the flag by which the core asks before it evicts a page.
 */
static void write_leaves_no_mark_on_a_page_that_goes(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio = touch(st, 9, true);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	KUNIT_EXPECT_TRUE(test, folio_test_private(folio));
	folio_get(folio);
	KUNIT_EXPECT_EQ(test, store_discard(&st->store, 9, 10), 1);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 0);
	KUNIT_EXPECT_NULL(test, folio->private);
	KUNIT_EXPECT_FALSE(test, folio_test_private(folio));
	KUNIT_EXPECT_FALSE(test, folio_test_dirty(folio));
	folio_put(folio);
	KUNIT_EXPECT_EQ(test, store_marks(&st->store, 9), 0);
}

/* As the core does for a page that it found poisoned after ->fault. */
static void write_lets_nobody_evict_a_page(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio = mmapdemo_store_grab(&st->store, 9, NULL, NULL, true);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	KUNIT_EXPECT_FALSE(test, filemap_release_folio(folio, GFP_KERNEL));
	KUNIT_EXPECT_TRUE(test, folio_test_private(folio));
	folio_unlock(folio);
	folio_put(folio);
	KUNIT_EXPECT_FALSE(test, is_hole(st, 9));
}

static void write_marks_nothing_of_a_discarded_page(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *pinned;

	KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, 3, false)));
	pinned = mmapdemo_store_get(&st->store, 3);
	KUNIT_ASSERT_NOT_NULL(test, pinned);
	KUNIT_EXPECT_EQ(test, store_discard(&st->store, 3, 4), 1);
	/* As a device does that pinned the page and wrote to it. */
	folio_mark_dirty(pinned);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 0);
	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, 3, false)));
	KUNIT_EXPECT_FALSE(test, is_dirty(st, 3));
	folio_put(pinned);
}

static void write_marks_nothing_of_a_mapping_that_is_gone(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct address_space *mapping = mmapdemo_store_mapping(&st->store);
	struct folio *pinned;

	KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, 3, false)));
	pinned = mmapdemo_store_get(&st->store, 3);
	KUNIT_ASSERT_NOT_NULL(test, pinned);
	KUNIT_EXPECT_EQ(test, store_discard(&st->store, 3, 4), 1);
	/* As a caller does that read folio->mapping before the discard. */
	KUNIT_EXPECT_FALSE(test, mapping->a_ops->dirty_folio(mapping, pinned));
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 0);
	KUNIT_EXPECT_FALSE(test, folio_test_dirty(pinned));
	folio_put(pinned);
}

/* Slots at the edges of the nodes of a tree of three levels. */
#define NR_FAR		27

static pgoff_t far_slot(unsigned int i)
{
	static const pgoff_t edges[] = { 0, 1, XA_CHUNK_SIZE - 1 };

	return (edges[i / 9] * XA_CHUNK_SIZE + edges[i / 3 % 3]) * XA_CHUNK_SIZE +
	       edges[i % 3];
}

/* Return: whether a harvest takes as many pages as are in the log. */
static bool walk_takes_logged(struct kunit *test, unsigned long *marks)
{
	struct store_test *st = test->priv;
	struct mmapdemo_run runs[NR_FAR];
	struct mmapdemo_harvest h = {
		.last	= ULONG_MAX,
		.clear	= true,
		.runs	= runs,
		.max	= NR_FAR,
	};
	unsigned long nr = 0, expected = 0;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, mmapdemo_log_harvest(&st->store, &h), 0);
	for (i = 0; i < h.nr; i++)
		nr += runs[i].nr_pages;
	for (i = 0; i < NR_FAR; i++) {
		expected += !!(marks[i] & MMAPDEMO_LOGGED);
		if (marks[i] & MMAPDEMO_LOGGED)
			marks[i] &= MMAPDEMO_UNSYNCED;
	}
	return nr == expected;
}

/* Return: whether a sync cleans as many pages as are unsynced. */
static bool walk_syncs_unsynced(struct kunit *test, unsigned long *marks)
{
	struct store_test *st = test->priv;
	unsigned long before = mmapdemo_stat_read(&test_stats, STAT_CLEANED), expected = 0;
	unsigned int i;

	mmapdemo_sync(&st->store, 0, ULONG_MAX);
	for (i = 0; i < NR_FAR; i++) {
		expected += !!(marks[i] & MMAPDEMO_UNSYNCED);
		if (marks[i] & MMAPDEMO_UNSYNCED)
			marks[i] &= MMAPDEMO_LOGGED;
	}
	return mmapdemo_stat_read(&test_stats, STAT_CLEANED) - before == expected;
}

/* Does a random step on the store and its model, the marks of the far slots. */
static bool walk_step(struct kunit *test, unsigned long *marks,
		      struct rnd_state *rnd)
{
	struct store_test *st = test->priv;
	unsigned int i = prandom_u32_state(rnd) % NR_FAR;

	switch (prandom_u32_state(rnd) % 16) {
	case 0:
		return walk_takes_logged(test, marks);
	case 1:
		return walk_syncs_unsynced(test, marks);
	case 2 ... 5:
		mmapdemo_store_discard(&st->store, far_slot(i), far_slot(i) + 1);
		marks[i] = 0;
		return true;
	case 6 ... 8:
		return !IS_ERR(touch(st, far_slot(i), false));
	case 9 ... 11:
		marks[i] |= MMAPDEMO_WRITTEN;
		folio_mark_dirty(touch(st, far_slot(i), false));
		return true;
	default:
		marks[i] |= MMAPDEMO_MARKS;
		return !IS_ERR(touch(st, far_slot(i), true));
	}
}

/*
 * A walk finds a page by marks in each node above it, as the tree grows and
 * shrinks, and pages come and go around it.
 */
static void write_leaves_marks_that_a_walk_finds(struct kunit *test)
{
	struct store_test *st = test->priv;
	unsigned long marks[NR_FAR] = { };
	unsigned long step, wrong = 0;
	u64 seed = get_random_u64();
	struct rnd_state rnd;
	unsigned int i;

	kunit_info(test, "seed %llu", seed);
	prandom_seed_state(&rnd, seed);
	resize(st, far_slot(NR_FAR - 1) + 1);
	for (step = 0; step < 3000; step++)
		wrong += !walk_step(test, marks, &rnd);
	for (i = 0; i < NR_FAR; i++)
		wrong += store_marks(&st->store, far_slot(i)) != marks[i];
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static struct kunit_case write_cases[] = {
	KUNIT_CASE(write_marks_a_page_once),
	KUNIT_CASE(write_marks_nothing_without_a_log),
	KUNIT_CASE(write_clears_one_mark),
	KUNIT_CASE(write_sets_the_flag_with_both_marks_only),
	KUNIT_CASE(write_goes_by_the_marks_not_by_the_flag),
	KUNIT_CASE(write_keeps_a_pinned_page_unsynced),
	KUNIT_CASE(write_begins_in_the_store_only),
	KUNIT_CASE(write_leaves_no_mark_on_a_page_that_goes),
	KUNIT_CASE(write_lets_nobody_evict_a_page),
	KUNIT_CASE(write_marks_nothing_of_a_discarded_page),
	KUNIT_CASE(write_marks_nothing_of_a_mapping_that_is_gone),
	KUNIT_CASE(write_leaves_marks_that_a_walk_finds),
	{ }
};

static struct kunit_suite write_suite = {
	.name = "mmapdemo_write",
	.init = store_test_init,
	.exit = store_test_exit,
	.test_cases = write_cases,
};

kunit_test_suite(write_suite);
