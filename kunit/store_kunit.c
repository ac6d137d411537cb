// SPDX-License-Identifier: GPL-2.0-only
/*
 * The backing store and the dirty log, as far as they go without a mapping:
 * what is in which slot, who holds a reference, what a discard and a clean
 * change and leave alone.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/prandom.h>
#include <linux/random.h>

#include "helpers.h"

#define NR_SLOTS	128

struct store_test {
	struct mmapdemo_pool pool;
	struct mmapdemo_store store;
};

static int store_test_init(struct kunit *test)
{
	struct store_test *st = kunit_kzalloc(test, sizeof(*st), GFP_KERNEL);
	int err;

	if (!st)
		return -ENOMEM;
	err = mmapdemo_pool_init(&st->pool, NR_SLOTS);
	if (err)
		return err;
	err = mmapdemo_store_init(&st->store, &st->pool,
				  NR_SLOTS * PAGE_SIZE);
	if (err) {
		mmapdemo_pool_fini(&st->pool);
		return err;
	}
	test->priv = st;
	return 0;
}

static void store_test_exit(struct kunit *test)
{
	struct store_test *st = test->priv;

	/* Newer kernels call this after a failed init, too. */
	if (!st)
		return;
	mmapdemo_store_fini(&st->store);
	mmapdemo_pool_fini(&st->pool);
}

/* Makes or finds the page of a slot, and keeps neither lock nor reference. */
static struct folio *touch(struct store_test *st, pgoff_t pgoff, bool dirty)
{
	struct folio *folio = mmapdemo_store_grab(&st->store, pgoff, dirty);

	if (!IS_ERR(folio)) {
		folio_unlock(folio);
		folio_put(folio);
	}
	return folio;
}

static bool is_hole(struct store_test *st, pgoff_t pgoff)
{
	struct folio *folio = mmapdemo_store_get(&st->store, pgoff);

	if (folio)
		folio_put(folio);
	return !folio;
}

static bool is_dirty(struct store_test *st, pgoff_t pgoff)
{
	struct folio *folio = mmapdemo_store_get(&st->store, pgoff);
	bool dirty = folio && folio_test_dirty(folio);
	bool marked = xa_get_mark(&mmapdemo_store_mapping(&st->store)->i_pages,
				  pgoff, PAGECACHE_TAG_DIRTY);

	if (folio)
		folio_put(folio);
	/* The two must agree at all times; a WARN fails the run. */
	WARN_ON(dirty != marked);
	return dirty;
}

static unsigned long stored(struct store_test *st)
{
	return mmapdemo_store_mapping(&st->store)->nrpages;
}

static void store_starts_empty(struct kunit *test)
{
	struct store_test *st = test->priv;

	KUNIT_EXPECT_TRUE(test, is_hole(st, 0));
	KUNIT_EXPECT_TRUE(test, is_hole(st, NR_SLOTS - 1));
	KUNIT_EXPECT_EQ(test, stored(st), 0);
	KUNIT_EXPECT_EQ(test, mmapdemo_store_end(&st->store), NR_SLOTS);
}

static void store_grab_makes_a_page(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio = mmapdemo_store_grab(&st->store, 5, false);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	KUNIT_EXPECT_TRUE(test, folio_test_locked(folio));
	KUNIT_EXPECT_TRUE(test, folio_test_uptodate(folio));
	KUNIT_EXPECT_TRUE(test, folio_is_filled(folio, 0));
	KUNIT_EXPECT_PTR_EQ(test, folio->mapping,
			    mmapdemo_store_mapping(&st->store));
	KUNIT_EXPECT_EQ(test, folio->index, 5);
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 2);
	folio_unlock(folio);
	folio_put(folio);
	KUNIT_EXPECT_EQ(test, stored(st), 1);
	KUNIT_EXPECT_TRUE(test, is_hole(st, 4));
	KUNIT_EXPECT_TRUE(test, is_hole(st, 6));
}

static void store_grab_finds_the_same_page(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio = touch(st, 7, false);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	folio_fill(folio, 0x77);
	KUNIT_EXPECT_PTR_EQ(test, touch(st, 7, false), folio);
	KUNIT_EXPECT_TRUE(test, folio_is_filled(folio, 0x77));
	KUNIT_EXPECT_EQ(test, stored(st), 1);
}

static void store_grab_stops_at_the_end(struct kunit *test)
{
	struct store_test *st = test->priv;

	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, NR_SLOTS - 1, false)));
	KUNIT_EXPECT_EQ(test, PTR_ERR(touch(st, NR_SLOTS, false)), -ERANGE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(touch(st, ULONG_MAX, false)), -ERANGE);
	KUNIT_EXPECT_EQ(test, stored(st), 1);
}

static void store_grab_stops_at_the_cap(struct kunit *test)
{
	struct store_test *st = test->priv;

	st->pool.cap = 2;
	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, 0, false)));
	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, 1, false)));
	KUNIT_EXPECT_EQ(test, PTR_ERR(touch(st, 2, false)), -ENOSPC);
	KUNIT_EXPECT_TRUE(test, is_hole(st, 2));
	/* What is there stays within reach, and room comes back. */
	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, 1, false)));
	KUNIT_EXPECT_EQ(test, mmapdemo_store_discard(&st->store, 0, 1), 1);
	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, 2, false)));
}

struct range_param {
	const char *description;
	pgoff_t start, end;
	unsigned long removed;
};

/* Slots 10 to 49 are filled, more than one batch of a lookup. */
static const struct range_param range_params[] = {
	{ "a hole", 50, NR_SLOTS, 0 },
	{ "one page", 20, 21, 1 },
	{ "across the front", 0, 15, 5 },
	{ "across the back", 45, 60, 5 },
	{ "a part of it", 11, 49, 38 },
	{ "all of it", 10, 50, 40 },
	{ "everything there could be", 0, ULONG_MAX, 40 },
};

static void range_describe(const struct range_param *param, char *desc)
{
	strscpy(desc, param->description, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(range, range_params, range_describe);

static bool in_param_range(const struct range_param *param, pgoff_t pgoff)
{
	return pgoff >= param->start && pgoff < param->end;
}

static void store_discard_removes_a_range(struct kunit *test)
{
	const struct range_param *param = test->param_value;
	struct store_test *st = test->priv;
	unsigned long wrong = 0;
	pgoff_t pgoff;

	for (pgoff = 10; pgoff < 50; pgoff++)
		KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, pgoff, true)));
	KUNIT_EXPECT_EQ(test, param->removed,
			mmapdemo_store_discard(&st->store, param->start,
					       param->end));
	KUNIT_EXPECT_EQ(test, stored(st), 40 - param->removed);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 40 - param->removed);
	for (pgoff = 10; pgoff < 50; pgoff++)
		wrong += is_hole(st, pgoff) != in_param_range(param, pgoff);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void store_discard_of_no_range_removes_nothing(struct kunit *test)
{
	struct store_test *st = test->priv;

	KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, 20, false)));
	KUNIT_EXPECT_EQ(test, mmapdemo_store_discard(&st->store, 20, 20), 0);
	KUNIT_EXPECT_EQ(test, mmapdemo_store_discard(&st->store, 30, 10), 0);
	KUNIT_EXPECT_EQ(test, stored(st), 1);
}

static void store_clean_cleans_a_range(struct kunit *test)
{
	const struct range_param *param = test->param_value;
	struct store_test *st = test->priv;
	unsigned long wrong = 0;
	pgoff_t pgoff;

	for (pgoff = 10; pgoff < 50; pgoff++)
		KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, pgoff, true)));
	KUNIT_EXPECT_EQ(test, param->removed,
			mmapdemo_dirty_clean(&st->store, param->start,
					     param->end - 1));
	KUNIT_EXPECT_EQ(test, stored(st), 40);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 40 - param->removed);
	for (pgoff = 10; pgoff < 50; pgoff++)
		wrong += is_dirty(st, pgoff) == in_param_range(param, pgoff);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void store_discard_leaves_a_pinned_page_alone(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *pinned;

	KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, 3, false)));
	pinned = mmapdemo_store_get(&st->store, 3);
	KUNIT_ASSERT_NOT_NULL(test, pinned);
	folio_fill(pinned, 0x33);

	KUNIT_EXPECT_EQ(test, mmapdemo_store_discard(&st->store, 0, 10), 1);
	KUNIT_EXPECT_PTR_EQ(test, pinned->mapping, NULL);
	KUNIT_EXPECT_EQ(test, folio_ref_count(pinned), 1);
	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, 3, false)));
	KUNIT_EXPECT_TRUE(test, folio_is_filled(pinned, 0x33));
	folio_put(pinned);
}

static void store_logs_a_write_once(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio = touch(st, 9, false);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	KUNIT_EXPECT_FALSE(test, is_dirty(st, 9));
	/* What the core calls when it finds a dirty PTE. */
	KUNIT_EXPECT_TRUE(test, folio_mark_dirty(folio));
	KUNIT_EXPECT_FALSE(test, folio_mark_dirty(folio));
	KUNIT_EXPECT_TRUE(test, is_dirty(st, 9));
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 1);

	KUNIT_EXPECT_EQ(test, mmapdemo_dirty_clean(&st->store, 9, 9), 1);
	KUNIT_EXPECT_FALSE(test, is_dirty(st, 9));
	KUNIT_EXPECT_TRUE(test, folio_mark_dirty(folio));
	KUNIT_EXPECT_TRUE(test, is_dirty(st, 9));
}

static void store_logs_nothing_for_a_discarded_page(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *pinned;

	KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, 3, false)));
	pinned = mmapdemo_store_get(&st->store, 3);
	KUNIT_ASSERT_NOT_NULL(test, pinned);
	mmapdemo_store_discard(&st->store, 3, 4);
	/* A device that had the page by GUP is done with it only now. */
	folio_mark_dirty(pinned);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 0);
	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, 3, false)));
	KUNIT_EXPECT_FALSE(test, is_dirty(st, 3));
	folio_put(pinned);
}

/* Random steps against two bitmaps: which slots are filled, which are dirty. */
static void store_follows_its_model(struct kunit *test)
{
	DECLARE_BITMAP(filled, NR_SLOTS) = { };
	DECLARE_BITMAP(dirty, NR_SLOTS) = { };
	struct store_test *st = test->priv;
	u64 seed = get_random_u64();
	unsigned long step, wrong = 0;
	struct rnd_state rnd;
	pgoff_t pgoff, nr;

	kunit_info(test, "seed %llu", seed);
	prandom_seed_state(&rnd, seed);
	for (step = 0; step < 3000; step++) {
		pgoff = prandom_u32_state(&rnd) % NR_SLOTS;
		nr = prandom_u32_state(&rnd) % min(16ul, NR_SLOTS - pgoff) + 1;
		switch (prandom_u32_state(&rnd) % 8) {
		case 0 ... 2:
			wrong += IS_ERR(touch(st, pgoff, false));
			__set_bit(pgoff, filled);
			break;
		case 3 ... 5:
			folio_mark_dirty(touch(st, pgoff, true));
			__set_bit(pgoff, filled);
			__set_bit(pgoff, dirty);
			break;
		case 6:
			mmapdemo_store_discard(&st->store, pgoff, pgoff + nr);
			bitmap_clear(filled, pgoff, nr);
			bitmap_clear(dirty, pgoff, nr);
			break;
		case 7:
			mmapdemo_dirty_clean(&st->store, pgoff, pgoff + nr - 1);
			bitmap_clear(dirty, pgoff, nr);
			break;
		}
		pgoff = prandom_u32_state(&rnd) % NR_SLOTS;
		wrong += is_hole(st, pgoff) == test_bit(pgoff, filled);
		wrong += is_dirty(st, pgoff) != test_bit(pgoff, dirty);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, stored(st), bitmap_weight(filled, NR_SLOTS));
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty,
			bitmap_weight(dirty, NR_SLOTS));
}

static struct kunit_case store_cases[] = {
	KUNIT_CASE(store_starts_empty),
	KUNIT_CASE(store_grab_makes_a_page),
	KUNIT_CASE(store_grab_finds_the_same_page),
	KUNIT_CASE(store_grab_stops_at_the_end),
	KUNIT_CASE(store_grab_stops_at_the_cap),
	KUNIT_CASE_PARAM(store_discard_removes_a_range, range_gen_params),
	KUNIT_CASE(store_discard_of_no_range_removes_nothing),
	KUNIT_CASE_PARAM(store_clean_cleans_a_range, range_gen_params),
	KUNIT_CASE(store_discard_leaves_a_pinned_page_alone),
	KUNIT_CASE(store_logs_a_write_once),
	KUNIT_CASE(store_logs_nothing_for_a_discarded_page),
	KUNIT_CASE(store_follows_its_model),
	{ }
};

static struct kunit_suite store_suite = {
	.name = "mmapdemo_store",
	.init = store_test_init,
	.exit = store_test_exit,
	.test_cases = store_cases,
};

kunit_test_suite(store_suite);
