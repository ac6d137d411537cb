// SPDX-License-Identifier: GPL-2.0-only
/* The dirty log without mappings: what a harvest returns, takes and puts back. */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/random.h>

#include "store_helpers.h"

#define NR_RUNS		64

/* Of all slots; @clear and the rest are 0. */
static struct mmapdemo_harvest *new_harvest(struct kunit *test)
{
	struct mmapdemo_harvest *h = kunit_kzalloc(test, sizeof(*h), GFP_KERNEL);

	if (!h)
		return NULL;
	h->runs = kunit_kcalloc(test, NR_RUNS, sizeof(*h->runs), GFP_KERNEL);
	h->last = NR_SLOTS - 1;
	return h->runs ? h : NULL;
}

static void harvest(struct kunit *test, struct mmapdemo_harvest *h, unsigned int max)
{
	struct store_test *st = test->priv;

	h->max = max;
	KUNIT_EXPECT_EQ(test, mmapdemo_log_harvest(&st->store, h), 0);
}

/* Slots 2 and 3, 5, and 40 to 79: three runs, one of many batches. */
static struct mmapdemo_harvest *three_runs(struct kunit *test)
{
	struct store_test *st = test->priv;
	pgoff_t pgoff;

	for (pgoff = 0; pgoff < 80; pgoff++) {
		bool dirty = pgoff == 2 || pgoff == 3 || pgoff == 5 ||
			     pgoff >= 40;

		if (IS_ERR(touch(st, pgoff, dirty)))
			return NULL;
	}
	return new_harvest(test);
}

static void expect_run(struct kunit *test, const struct mmapdemo_harvest *h,
		       unsigned int i, pgoff_t start, unsigned long nr_pages)
{
	KUNIT_EXPECT_EQ(test, h->runs[i].start, start);
	KUNIT_EXPECT_EQ(test, h->runs[i].nr_pages, nr_pages);
}

static void log_harvest_merges_neighbours(struct kunit *test)
{
	struct mmapdemo_harvest *h = three_runs(test);
	struct store_test *st = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, h);
	harvest(test, h, NR_RUNS);
	KUNIT_ASSERT_EQ(test, h->nr, 3);
	expect_run(test, h, 0, 2, 2);
	expect_run(test, h, 1, 5, 1);
	expect_run(test, h, 2, 40, 40);
	KUNIT_EXPECT_EQ(test, h->next, NR_SLOTS);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 43);
}

static void log_harvest_goes_on_where_it_stopped(struct kunit *test)
{
	struct mmapdemo_harvest *h = three_runs(test);
	struct store_test *st = test->priv;
	static const pgoff_t starts[] = { 2, 5, 40 };
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, h);
	h->clear = true;
	for (i = 0; i < ARRAY_SIZE(starts); i++) {
		h->nr = 0;
		harvest(test, h, 1);
		KUNIT_ASSERT_EQ(test, h->nr, 1);
		KUNIT_EXPECT_EQ(test, h->runs[0].start, starts[i]);
	}
	KUNIT_EXPECT_EQ(test, h->next, NR_SLOTS);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 0);
}

static void log_harvest_clears_its_range_only(struct kunit *test)
{
	struct mmapdemo_harvest *h = three_runs(test);
	struct store_test *st = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, h);
	h->next = 3;
	h->last = 40;
	h->clear = true;
	harvest(test, h, NR_RUNS);
	KUNIT_ASSERT_EQ(test, h->nr, 3);
	expect_run(test, h, 0, 3, 1);
	expect_run(test, h, 1, 5, 1);
	expect_run(test, h, 2, 40, 1);
	KUNIT_EXPECT_TRUE(test, is_dirty(st, 2));
	KUNIT_EXPECT_FALSE(test, is_dirty(st, 3));
	KUNIT_EXPECT_FALSE(test, is_dirty(st, 40));
	KUNIT_EXPECT_TRUE(test, is_dirty(st, 41));
}

/* The walk goes by the slots' marks; another harvest takes the page first. */
static void log_harvest_skips_what_another_takes(struct kunit *test)
{
	struct mmapdemo_harvest *h = three_runs(test);
	struct store_test *st = test->priv;
	struct folio *lone = touch(st, 5, false);
	struct folio *second = touch(st, 41, false);
	int clear;

	KUNIT_ASSERT_NOT_NULL(test, h);
	for (clear = 0; clear < 2; clear++) {
		h->next = 0;
		h->nr = 0;
		h->clear = clear;
		lone->private = NULL;
		second->private = NULL;
		harvest(test, h, NR_RUNS);
		lone->private = (void *)MMAPDEMO_MARKS;
		second->private = (void *)MMAPDEMO_MARKS;

		KUNIT_ASSERT_EQ(test, h->nr, 3);
		expect_run(test, h, 0, 2, 2);
		expect_run(test, h, 1, 40, 1);
		expect_run(test, h, 2, 42, 38);
	}
	/* Of 43, only the two that the other harvest has. */
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 2);
}

static void log_restore_undoes_a_harvest(struct kunit *test)
{
	struct mmapdemo_harvest *h = three_runs(test);
	struct store_test *st = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, h);
	h->clear = true;
	harvest(test, h, NR_RUNS);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 0);
	/* One of the pages is gone by then. */
	KUNIT_EXPECT_EQ(test, store_discard(&st->store, 5, 6), 1);
	mmapdemo_log_restore(&st->store, h, 0);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 42);
	KUNIT_EXPECT_TRUE(test, is_dirty(st, 2));
	KUNIT_EXPECT_TRUE(test, is_hole(st, 5));
}

static void log_restore_adds_nothing_that_was_not_cleared(struct kunit *test)
{
	struct mmapdemo_harvest *h = three_runs(test);
	struct store_test *st = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, h);
	harvest(test, h, NR_RUNS);
	KUNIT_EXPECT_EQ(test, h->nr, 3);
	/* Someone else takes them out, which restore must not undo. */
	h->clear = true;
	h->next = 0;
	h->nr = 0;
	harvest(test, h, NR_RUNS);
	h->clear = false;
	mmapdemo_log_restore(&st->store, h, 0);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 0);
}

/* The rest of it: what was delivered stays out of the log. */
static void log_restore_starts_where_delivery_failed(struct kunit *test)
{
	struct mmapdemo_harvest *h = three_runs(test);
	struct store_test *st = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, h);
	h->clear = true;
	harvest(test, h, NR_RUNS);
	mmapdemo_log_restore(&st->store, h, 2);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 40);
	KUNIT_EXPECT_FALSE(test, is_dirty(st, 2));
	KUNIT_EXPECT_FALSE(test, is_dirty(st, 5));
	KUNIT_EXPECT_TRUE(test, is_dirty(st, 40));
}

/* Killed as it waits for a page; what it took before can be put back. */
static void log_harvest_ends_when_killed(struct kunit *test)
{
	struct mmapdemo_harvest *h = three_runs(test);
	struct store_test *st = test->priv;
	struct folio *folio = touch(st, 40, true);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, h);
	h->clear = true;
	h->max = NR_RUNS;
	folio_lock(folio);
	set_killed(true);
	err = mmapdemo_log_harvest(&st->store, h);
	set_killed(false);
	folio_unlock(folio);
	KUNIT_EXPECT_EQ(test, err, -EINTR);
	KUNIT_EXPECT_EQ(test, h->nr, 2);
	KUNIT_EXPECT_EQ(test, h->next, 6);
	mmapdemo_log_restore(&st->store, h, 0);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 43);
}

/* Between two batches; it need not have waited for anything. */
static void log_harvest_ends_when_killed_at_work(struct kunit *test)
{
	struct mmapdemo_harvest *h = three_runs(test);
	struct store_test *st = test->priv;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, h);
	h->max = NR_RUNS;
	set_killed(true);
	err = mmapdemo_log_harvest(&st->store, h);
	set_killed(false);
	KUNIT_EXPECT_EQ(test, err, -EINTR);
	KUNIT_EXPECT_LT(test, h->next, 80);
}

/* What a caller may have to put back is bounded, whatever the room for runs. */
static void log_harvest_ends_after_many_pages(struct kunit *test)
{
	struct mmapdemo_harvest *h = new_harvest(test);
	const unsigned long nr = MMAPDEMO_HARVEST_PAGES + 20;
	struct store_test *st = test->priv;
	pgoff_t pgoff;

	KUNIT_ASSERT_NOT_NULL(test, h);
	if (si_mem_available() < 2 * nr)
		kunit_skip(test, "needs %lu MiB of free memory",
			   2 * nr >> (20 - PAGE_SHIFT));
	st->pool.cap = nr;
	resize(st, nr);
	for (pgoff = 0; pgoff < nr; pgoff++)
		KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, pgoff, true)));
	h->next = 10;
	h->last = nr - 1;
	h->clear = true;
	harvest(test, h, NR_RUNS);
	KUNIT_ASSERT_EQ(test, h->nr, 1);
	expect_run(test, h, 0, 10, MMAPDEMO_HARVEST_PAGES);
	KUNIT_EXPECT_EQ(test, h->next, 10 + MMAPDEMO_HARVEST_PAGES);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 20);
	h->nr = 0;
	harvest(test, h, NR_RUNS);
	KUNIT_ASSERT_EQ(test, h->nr, 1);
	expect_run(test, h, 0, 10 + MMAPDEMO_HARVEST_PAGES, 10);
	KUNIT_EXPECT_EQ(test, h->next, nr);
}

/* Sync and log are two things, in both directions. */
static void log_is_not_concerned_by_syncs(struct kunit *test)
{
	struct mmapdemo_harvest *h = three_runs(test);
	struct store_test *st = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, h);
	KUNIT_EXPECT_EQ(test, mmapdemo_sync(&st->store, 0, 9), 0);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 43);
	KUNIT_EXPECT_FALSE(test, is_unsynced(st, 2));
	h->clear = true;
	harvest(test, h, NR_RUNS);
	KUNIT_EXPECT_EQ(test, h->nr, 3);
	mmapdemo_log_restore(&st->store, h, 0);
	/* What is put back was written before the sync. */
	KUNIT_EXPECT_FALSE(test, is_unsynced(st, 2));
	KUNIT_EXPECT_TRUE(test, is_unsynced(st, 40));
}

/* Harvests @dirty[] as mmapdemo_log_harvest() should harvest the log. */
static void model_harvest(bool *dirty, struct mmapdemo_harvest *h)
{
	bool follows = false;

	for (; h->next <= h->last; h->next++) {
		if (!dirty[h->next]) {
			follows = false;
			continue;
		}
		if (!follows && h->nr == h->max)
			return;
		if (!follows) {
			h->runs[h->nr].start = h->next;
			h->runs[h->nr++].nr_pages = 0;
		}
		h->runs[h->nr - 1].nr_pages++;
		follows = true;
		dirty[h->next] &= !h->clear;
	}
}

static bool harvests_agree(const struct mmapdemo_harvest *a,
			   const struct mmapdemo_harvest *b)
{
	return a->nr == b->nr &&
	       !memcmp(a->runs, b->runs, a->nr * sizeof(*a->runs));
}

/* Harvests a random range of log and model. Return: whether they agree. */
static bool harvest_step(struct kunit *test, bool *dirty,
			 struct mmapdemo_harvest *h, struct mmapdemo_harvest *model,
			 struct rnd_state *rnd)
{
	h->nr = 0;
	h->next = prandom_u32_state(rnd) % NR_SLOTS;
	h->last = h->next + prandom_u32_state(rnd) % (NR_SLOTS - h->next);
	h->clear = prandom_u32_state(rnd) % 2;
	h->max = prandom_u32_state(rnd) % NR_RUNS + 1;
	*model = (struct mmapdemo_harvest){
		.next = h->next, .last = h->last, .clear = h->clear,
		.runs = model->runs, .max = h->max,
	};
	harvest(test, h, h->max);
	model_harvest(dirty, model);
	return harvests_agree(h, model);
}

/* Random steps against a model: an array that says which slots are dirty. */
static void log_follows_its_model(struct kunit *test)
{
	struct mmapdemo_harvest *h = new_harvest(test), *model = new_harvest(test);
	struct store_test *st = test->priv;
	unsigned long step, wrong = 0;
	bool dirty[NR_SLOTS] = { };
	u64 seed = get_random_u64();
	struct rnd_state rnd;
	pgoff_t pgoff;

	KUNIT_ASSERT_NOT_NULL(test, h);
	KUNIT_ASSERT_NOT_NULL(test, model);
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
			wrong += !harvest_step(test, dirty, h, model, &rnd);
		}
	}
	for (pgoff = 0; pgoff < NR_SLOTS; pgoff++)
		wrong += is_dirty(st, pgoff) != dirty[pgoff];
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static struct kunit_case log_cases[] = {
	KUNIT_CASE(log_harvest_merges_neighbours),
	KUNIT_CASE(log_harvest_goes_on_where_it_stopped),
	KUNIT_CASE(log_harvest_clears_its_range_only),
	KUNIT_CASE(log_harvest_skips_what_another_takes),
	KUNIT_CASE(log_restore_undoes_a_harvest),
	KUNIT_CASE(log_restore_adds_nothing_that_was_not_cleared),
	KUNIT_CASE(log_restore_starts_where_delivery_failed),
	KUNIT_CASE(log_harvest_ends_when_killed),
	KUNIT_CASE(log_harvest_ends_when_killed_at_work),
	KUNIT_CASE(log_harvest_ends_after_many_pages),
	KUNIT_CASE(log_is_not_concerned_by_syncs),
	KUNIT_CASE(log_follows_its_model),
	{ }
};

static struct kunit_suite log_suite = {
	.name = "mmapdemo_log",
	.init = store_test_init,
	.exit = store_test_exit,
	.test_cases = log_cases,
};

kunit_test_suite(log_suite);
