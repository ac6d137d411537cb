// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log without mappings: what enters it, what cleaning removes, and
 * what a harvest returns.
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/random.h>

#include "store_helpers.h"

static void dirty_logs_a_write_once(struct kunit *test)
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

	KUNIT_EXPECT_EQ(test, mmapdemo_dirty_clean(&st->store, 9, 9), 1);
	KUNIT_EXPECT_FALSE(test, is_dirty(st, 9));
	KUNIT_EXPECT_TRUE(test, folio_mark_dirty(folio));
	KUNIT_EXPECT_TRUE(test, is_dirty(st, 9));
}

static void dirty_logs_nothing_for_a_discarded_page(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *pinned;

	KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, 3, false)));
	pinned = mmapdemo_store_get(&st->store, 3);
	KUNIT_ASSERT_NOT_NULL(test, pinned);
	mmapdemo_store_discard(&st->store, 3, 4);
	/* As a device does that pinned the page and wrote to it. */
	folio_mark_dirty(pinned);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 0);
	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, 3, false)));
	KUNIT_EXPECT_FALSE(test, is_dirty(st, 3));
	folio_put(pinned);
}

static void dirty_logs_nothing_for_a_mapping_that_is_gone(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct address_space *mapping = mmapdemo_store_mapping(&st->store);
	struct folio *pinned;

	KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, 3, false)));
	pinned = mmapdemo_store_get(&st->store, 3);
	KUNIT_ASSERT_NOT_NULL(test, pinned);
	mmapdemo_store_discard(&st->store, 3, 4);
	/* As a caller does that read folio->mapping before the discard. */
	KUNIT_EXPECT_FALSE(test, mapping->a_ops->dirty_folio(mapping, pinned));
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 0);
	KUNIT_EXPECT_FALSE(test, folio_test_dirty(pinned));
	folio_put(pinned);
}

struct clean_param {
	const char *description;
	pgoff_t start, last;
	unsigned long cleaned;
};

/* Slots 10 to 49 are dirty, more than one batch of a lookup. */
static const struct clean_param clean_params[] = {
	{ "a hole", 50, NR_SLOTS, 0 },
	{ "one page", 20, 20, 1 },
	{ "across the front", 0, 14, 5 },
	{ "across the back", 45, 59, 5 },
	{ "a part of it", 11, 48, 38 },
	{ "all of it", 10, 49, 40 },
	{ "everything there could be", 0, ULONG_MAX, 40 },
};

static void clean_describe(const struct clean_param *param, char *desc)
{
	strscpy(desc, param->description, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(clean, clean_params, clean_describe);

static void dirty_clean_cleans_a_range(struct kunit *test)
{
	const struct clean_param *param = test->param_value;
	struct store_test *st = test->priv;
	unsigned long wrong = 0;
	pgoff_t pgoff;

	for (pgoff = 10; pgoff < 50; pgoff++)
		KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, pgoff, true)));
	KUNIT_EXPECT_EQ(test, param->cleaned,
			mmapdemo_dirty_clean(&st->store, param->start,
					     param->last));
	KUNIT_EXPECT_EQ(test, stored(st), 40);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 40 - param->cleaned);
	for (pgoff = 10; pgoff < 50; pgoff++)
		wrong += is_dirty(st, pgoff) ==
			 (pgoff >= param->start && pgoff <= param->last);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void dirty_clean_passes_over_a_discarded_page(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio = touch(st, 3, true);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	/*
	 * As the walk finds a page that was discarded while it waited for the
	 * lock, and then marked by someone who had it pinned.
	 */
	folio->mapping = NULL;
	KUNIT_EXPECT_EQ(test, mmapdemo_dirty_clean(&st->store, 0, 9), 0);
	KUNIT_EXPECT_FALSE(test, folio_test_locked(folio));
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 1);
	folio->mapping = mmapdemo_store_mapping(&st->store);
	KUNIT_EXPECT_TRUE(test, is_dirty(st, 3));
	KUNIT_EXPECT_EQ(test, mmapdemo_dirty_clean(&st->store, 0, 9), 1);
}

/* Slots 2 and 3, 5, and 40 to 79: three extents, one of many batches. */
static struct mmapdemo_harvest *dirty_three_extents(struct kunit *test)
{
	struct store_test *st = test->priv;
	pgoff_t pgoff;

	for (pgoff = 0; pgoff < 80; pgoff++) {
		bool dirty = pgoff == 2 || pgoff == 3 || pgoff == 5 ||
			     pgoff >= 40;

		if (IS_ERR(touch(st, pgoff, dirty)))
			return NULL;
	}
	return kunit_kzalloc(test, sizeof(struct mmapdemo_harvest), GFP_KERNEL);
}

static void expect_extent(struct kunit *test, const struct mmapdemo_harvest *h,
			  unsigned int i, pgoff_t start, unsigned long nr_pages)
{
	KUNIT_EXPECT_EQ(test, h->start[i], start);
	KUNIT_EXPECT_EQ(test, h->nr_pages[i], nr_pages);
}

static void dirty_harvest_merges_neighbours(struct kunit *test)
{
	struct mmapdemo_harvest *h = dirty_three_extents(test);
	struct store_test *st = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, h);
	h->last = NR_SLOTS - 1;
	mmapdemo_dirty_harvest(&st->store, h, MMAPDEMO_HARVEST_MAX);
	KUNIT_ASSERT_EQ(test, h->nr, 3);
	expect_extent(test, h, 0, 2, 2);
	expect_extent(test, h, 1, 5, 1);
	expect_extent(test, h, 2, 40, 40);
	KUNIT_EXPECT_EQ(test, h->next, NR_SLOTS);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 43);
}

static void dirty_harvest_goes_on_where_it_stopped(struct kunit *test)
{
	struct mmapdemo_harvest *h = dirty_three_extents(test);
	struct store_test *st = test->priv;
	static const pgoff_t starts[] = { 2, 5, 40 };
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, h);
	h->last = NR_SLOTS - 1;
	h->clear = true;
	for (i = 0; i < ARRAY_SIZE(starts); i++) {
		h->nr = 0;
		mmapdemo_dirty_harvest(&st->store, h, 1);
		KUNIT_ASSERT_EQ(test, h->nr, 1);
		KUNIT_EXPECT_EQ(test, h->start[0], starts[i]);
	}
	KUNIT_EXPECT_EQ(test, h->next, NR_SLOTS);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 0);
}

static void dirty_harvest_clears_its_range_only(struct kunit *test)
{
	struct mmapdemo_harvest *h = dirty_three_extents(test);
	struct store_test *st = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, h);
	h->next = 3;
	h->last = 40;
	h->clear = true;
	mmapdemo_dirty_harvest(&st->store, h, MMAPDEMO_HARVEST_MAX);
	KUNIT_ASSERT_EQ(test, h->nr, 3);
	expect_extent(test, h, 0, 3, 1);
	expect_extent(test, h, 1, 5, 1);
	expect_extent(test, h, 2, 40, 1);
	KUNIT_EXPECT_TRUE(test, is_dirty(st, 2));
	KUNIT_EXPECT_FALSE(test, is_dirty(st, 3));
	KUNIT_EXPECT_FALSE(test, is_dirty(st, 40));
	KUNIT_EXPECT_TRUE(test, is_dirty(st, 41));
}

/* The walk follows the marks; another cleaner clears the flag first. */
static void dirty_harvest_skips_what_another_cleans(struct kunit *test)
{
	struct mmapdemo_harvest *h = dirty_three_extents(test);
	struct store_test *st = test->priv;
	struct folio *lone = touch(st, 5, false);
	struct folio *second = touch(st, 41, false);
	int clear;

	KUNIT_ASSERT_NOT_NULL(test, h);
	h->last = NR_SLOTS - 1;
	for (clear = 0; clear < 2; clear++) {
		h->next = 0;
		h->nr = 0;
		h->clear = clear;
		folio_clear_dirty(lone);
		folio_clear_dirty(second);
		mmapdemo_dirty_harvest(&st->store, h, MMAPDEMO_HARVEST_MAX);
		folio_set_dirty(lone);
		folio_set_dirty(second);

		KUNIT_ASSERT_EQ(test, h->nr, 3);
		expect_extent(test, h, 0, 2, 2);
		expect_extent(test, h, 1, 40, 1);
		expect_extent(test, h, 2, 42, 38);
	}
	/* Of 43, only the two that the other cleaner has. */
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 2);
}

static void dirty_restore_undoes_a_harvest(struct kunit *test)
{
	struct mmapdemo_harvest *h = dirty_three_extents(test);
	struct store_test *st = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, h);
	h->last = NR_SLOTS - 1;
	h->clear = true;
	mmapdemo_dirty_harvest(&st->store, h, MMAPDEMO_HARVEST_MAX);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 0);
	/* One of the pages is gone by then. */
	mmapdemo_store_discard(&st->store, 5, 6);
	mmapdemo_dirty_restore(&st->store, h, 0);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 42);
	KUNIT_EXPECT_TRUE(test, is_dirty(st, 2));
	KUNIT_EXPECT_TRUE(test, is_hole(st, 5));
}

static void dirty_restore_adds_nothing_that_was_not_cleared(struct kunit *test)
{
	struct mmapdemo_harvest *h = dirty_three_extents(test);
	struct store_test *st = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, h);
	h->last = NR_SLOTS - 1;
	mmapdemo_dirty_harvest(&st->store, h, MMAPDEMO_HARVEST_MAX);
	KUNIT_EXPECT_EQ(test, h->nr, 3);
	/* Someone else cleans them, which restore must not undo. */
	mmapdemo_dirty_clean(&st->store, 0, NR_SLOTS);
	mmapdemo_dirty_restore(&st->store, h, 0);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 0);
}

/* Harvests @dirty[] as mmapdemo_dirty_harvest() should harvest the log. */
static void model_harvest(bool *dirty, struct mmapdemo_harvest *h,
			  unsigned int max)
{
	bool follows = false;

	for (; h->next <= h->last; h->next++) {
		if (!dirty[h->next]) {
			follows = false;
			continue;
		}
		if (!follows && h->nr == max)
			return;
		if (!follows) {
			h->start[h->nr] = h->next;
			h->nr_pages[h->nr++] = 0;
		}
		h->nr_pages[h->nr - 1]++;
		follows = true;
		dirty[h->next] &= !h->clear;
	}
}

static bool harvests_agree(const struct mmapdemo_harvest *a,
			   const struct mmapdemo_harvest *b)
{
	size_t len = a->nr * sizeof(a->start[0]);

	return a->nr == b->nr && !memcmp(a->start, b->start, len) &&
	       !memcmp(a->nr_pages, b->nr_pages, len);
}

/* Harvests a random range of log and model. Return: whether they agree. */
static bool harvest_step(struct store_test *st, bool *dirty,
			 struct mmapdemo_harvest h[2], struct rnd_state *rnd)
{
	unsigned int max = prandom_u32_state(rnd) % MMAPDEMO_HARVEST_MAX + 1;

	h[0].nr = 0;
	h[0].next = prandom_u32_state(rnd) % NR_SLOTS;
	h[0].last = h[0].next + prandom_u32_state(rnd) % (NR_SLOTS - h[0].next);
	h[0].clear = prandom_u32_state(rnd) % 2;
	h[1] = h[0];
	mmapdemo_dirty_harvest(&st->store, &h[0], max);
	model_harvest(dirty, &h[1], max);
	return harvests_agree(&h[0], &h[1]);
}

/* Random steps against a model: an array that says which slots are dirty. */
static void dirty_follows_its_model(struct kunit *test)
{
	struct mmapdemo_harvest *h = kunit_kzalloc(test, 2 * sizeof(*h),
						   GFP_KERNEL);
	struct store_test *st = test->priv;
	unsigned long step, wrong = 0;
	bool dirty[NR_SLOTS] = { };
	u64 seed = get_random_u64();
	struct rnd_state rnd;
	pgoff_t pgoff;

	KUNIT_ASSERT_NOT_NULL(test, h);
	for (pgoff = 0; pgoff < NR_SLOTS; pgoff++)
		KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, pgoff, false)));
	kunit_info(test, "seed %llu", seed);
	prandom_seed_state(&rnd, seed);
	for (step = 0; step < 3000; step++) {
		if (prandom_u32_state(&rnd) % 16) {
			pgoff = prandom_u32_state(&rnd) % NR_SLOTS;
			folio_mark_dirty(touch(st, pgoff, false));
			dirty[pgoff] = true;
		} else {
			wrong += !harvest_step(st, dirty, h, &rnd);
		}
	}
	for (pgoff = 0; pgoff < NR_SLOTS; pgoff++)
		wrong += is_dirty(st, pgoff) != dirty[pgoff];
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static struct kunit_case dirty_cases[] = {
	KUNIT_CASE(dirty_logs_a_write_once),
	KUNIT_CASE(dirty_logs_nothing_for_a_discarded_page),
	KUNIT_CASE(dirty_logs_nothing_for_a_mapping_that_is_gone),
	KUNIT_CASE_PARAM(dirty_clean_cleans_a_range, clean_gen_params),
	KUNIT_CASE(dirty_clean_passes_over_a_discarded_page),
	KUNIT_CASE(dirty_harvest_merges_neighbours),
	KUNIT_CASE(dirty_harvest_goes_on_where_it_stopped),
	KUNIT_CASE(dirty_harvest_clears_its_range_only),
	KUNIT_CASE(dirty_harvest_skips_what_another_cleans),
	KUNIT_CASE(dirty_restore_undoes_a_harvest),
	KUNIT_CASE(dirty_restore_adds_nothing_that_was_not_cleared),
	KUNIT_CASE(dirty_follows_its_model),
	{ }
};

static struct kunit_suite dirty_suite = {
	.name = "mmapdemo_dirty",
	.init = store_test_init,
	.exit = store_test_exit,
	.test_cases = dirty_cases,
};

kunit_test_suite(dirty_suite);
