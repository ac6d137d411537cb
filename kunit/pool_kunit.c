// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page pool: its cap, its caches, how it prepares a page for reuse, and
 * which pages it must not reuse.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/smp.h>

#include "helpers.h"

/* More than any batch or cache, so that pages are on every list. */
#define NR_PAGES	100

struct pool_test {
	struct mmapdemo_pool pool;
	struct folio *folios[NR_PAGES];
	unsigned long nr;
};

/* Gets a page that pool_test_exit() puts back if the test does not. */
static long take(struct pool_test *pt)
{
	struct folio *folio = mmapdemo_pool_get(&pt->pool);

	if (IS_ERR(folio))
		return PTR_ERR(folio);
	pt->folios[pt->nr++] = folio;
	return 0;
}

static void give(struct pool_test *pt)
{
	mmapdemo_pool_put(&pt->pool, pt->folios[--pt->nr]);
}

static long held(struct pool_test *pt)
{
	return atomic_long_read(&pt->pool.nr_held);
}

static int pool_test_init(struct kunit *test)
{
	struct pool_test *pt = kunit_kzalloc(test, sizeof(*pt), GFP_KERNEL);
	int err;

	if (!pt)
		return -ENOMEM;
	err = mmapdemo_pool_init(&pt->pool, NR_PAGES, &test_stats);
	if (!err)
		test->priv = pt;
	return err;
}

static void pool_test_exit(struct kunit *test)
{
	struct pool_test *pt = test->priv;

	/* Newer kernels call this after a failed init, too. */
	if (!pt)
		return;
	while (pt->nr)
		give(pt);
	/* WARNs, and so fails the run, if a page is missing. */
	mmapdemo_pool_fini(&pt->pool);
}

static void pool_get_gives_a_fresh_page(struct kunit *test)
{
	struct pool_test *pt = test->priv;
	struct folio *folio;

	KUNIT_ASSERT_EQ(test, take(pt), 0);
	folio = pt->folios[0];
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 1);
	KUNIT_EXPECT_FALSE(test, folio_test_locked(folio));
	KUNIT_EXPECT_FALSE(test, folio_test_dirty(folio));
	KUNIT_EXPECT_PTR_EQ(test, folio->mapping, NULL);
	KUNIT_EXPECT_TRUE(test, folio_is_filled(folio, 0));
}

static void pool_get_gives_each_page_once(struct kunit *test)
{
	struct pool_test *pt = test->priv;
	unsigned long i, shared = 0;

	while (pt->nr < NR_PAGES)
		KUNIT_ASSERT_EQ(test, take(pt), 0);
	for (i = 0; i < NR_PAGES; i++)
		folio_fill(pt->folios[i], i);
	for (i = 0; i < NR_PAGES; i++)
		shared += !folio_is_filled(pt->folios[i], i);
	KUNIT_EXPECT_EQ(test, shared, 0);
}

/* A spare page makes room, one that is in use does not. */
static void pool_adopts_up_to_the_cap(struct kunit *test)
{
	struct pool_test *pt = test->priv;
	struct page *page = alloc_page(MMAPDEMO_POOL_GFP);

	KUNIT_ASSERT_NOT_NULL(test, page);
	while (pt->nr < NR_PAGES)
		KUNIT_ASSERT_EQ(test, take(pt), 0);
	KUNIT_EXPECT_EQ(test, mmapdemo_pool_adopt(&pt->pool, page_folio(page)),
			-ENOSPC);
	KUNIT_EXPECT_EQ(test, held(pt), NR_PAGES);
	give(pt);
	KUNIT_ASSERT_EQ(test, mmapdemo_pool_adopt(&pt->pool, page_folio(page)), 0);
	KUNIT_EXPECT_EQ(test, held(pt), NR_PAGES);
	KUNIT_EXPECT_EQ(test, mmapdemo_pool_count(&pt->pool), 0);
	pt->folios[pt->nr++] = page_folio(page);
}

struct cap_param {
	const char *description;
	unsigned long cap;
};

static const struct cap_param cap_params[] = {
	{ "one page", 1 },
	{ "one less than a batch", 15 },
	{ "a batch", 16 },
	{ "one more than a batch", 17 },
	{ "more than a cache holds", 33 },
	{ "several batches and a rest", NR_PAGES - 1 },
};

static void cap_describe(const struct cap_param *param, char *desc)
{
	strscpy(desc, param->description, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(cap, cap_params, cap_describe);

static void pool_cap_is_exact(struct kunit *test)
{
	const struct cap_param *param = test->param_value;
	struct pool_test *pt = test->priv;

	pt->pool.cap = param->cap;
	while (pt->nr < param->cap)
		KUNIT_ASSERT_EQ(test, take(pt), 0);
	KUNIT_EXPECT_EQ(test, take(pt), -ENOSPC);
	KUNIT_EXPECT_EQ(test, held(pt), param->cap);

	give(pt);
	KUNIT_EXPECT_EQ(test, take(pt), 0);
	KUNIT_EXPECT_EQ(test, take(pt), -ENOSPC);
}

static void pool_zeroes_what_it_recycles(struct kunit *test)
{
	struct pool_test *pt = test->priv;
	unsigned long i, stale = 0;

	while (pt->nr < NR_PAGES)
		KUNIT_ASSERT_EQ(test, take(pt), 0);
	for (i = 0; i < NR_PAGES; i++)
		folio_fill(pt->folios[i], 0xa5);
	while (pt->nr)
		give(pt);
	/* The cap equals the number of spare pages: each must be recycled. */
	while (pt->nr < NR_PAGES)
		KUNIT_ASSERT_EQ(test, take(pt), 0);
	for (i = 0; i < NR_PAGES; i++)
		stale += !folio_is_filled(pt->folios[i], 0);
	KUNIT_EXPECT_EQ(test, stale, 0);
}

static void pool_clears_flags_of_what_it_recycles(struct kunit *test)
{
	struct pool_test *pt = test->priv;

	pt->pool.cap = 1;
	KUNIT_ASSERT_EQ(test, take(pt), 0);
	/* As zapping a dirty, young PTE leaves it. */
	folio_mark_dirty(pt->folios[0]);
	folio_set_referenced(pt->folios[0]);
	give(pt);
	KUNIT_ASSERT_EQ(test, take(pt), 0);
	KUNIT_EXPECT_FALSE(test, folio_test_dirty(pt->folios[0]));
	KUNIT_EXPECT_FALSE(test, folio_test_referenced(pt->folios[0]));
}

/* Puts the last page back while it is held: by the caller. */
static struct folio *lend(struct pool_test *pt)
{
	struct folio *folio = pt->folios[pt->nr - 1];

	folio_get(folio);
	give(pt);
	return folio;
}

static void pool_lends_what_others_use(struct kunit *test)
{
	struct pool_test *pt = test->priv;
	struct folio *pinned;

	pt->pool.cap = 2;
	KUNIT_ASSERT_EQ(test, take(pt), 0);
	folio_fill(pt->folios[0], 0x5a);
	pinned = lend(pt);
	/* It counts against the cap, and nobody gets it. */
	KUNIT_EXPECT_EQ(test, held(pt), 2);
	KUNIT_EXPECT_EQ(test, pt->pool.nr_lent, 1);
	KUNIT_EXPECT_EQ(test, folio_ref_count(pinned), 2);
	KUNIT_EXPECT_EQ(test, take(pt), 0);
	KUNIT_EXPECT_PTR_NE(test, pt->folios[0], pinned);
	KUNIT_EXPECT_EQ(test, take(pt), -ENOSPC);
	KUNIT_EXPECT_TRUE(test, folio_is_filled(pinned, 0x5a));

	/* At the cap the pool looks whether it is its own again. */
	folio_put(pinned);
	KUNIT_EXPECT_EQ(test, take(pt), 0);
	KUNIT_EXPECT_PTR_EQ(test, pt->folios[1], pinned);
	KUNIT_EXPECT_TRUE(test, folio_is_filled(pinned, 0));
	KUNIT_EXPECT_EQ(test, pt->pool.nr_lent, 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pt->pool.nr_forgotten), 0);
}

/* Under memory pressure, too; and it leaves the rest to who has it. */
static void pool_shrink_takes_lent_pages_back(struct kunit *test)
{
	struct pool_test *pt = test->priv;
	struct folio *back, *lent;

	KUNIT_ASSERT_EQ(test, take(pt), 0);
	KUNIT_ASSERT_EQ(test, take(pt), 0);
	back = lend(pt);
	lent = lend(pt);
	KUNIT_EXPECT_EQ(test, pt->pool.nr_lent, 2);
	folio_put(back);
	mmapdemo_pool_shrink(&pt->pool, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, pt->pool.nr_lent, 1);
	KUNIT_EXPECT_EQ(test, held(pt), 1);
	KUNIT_EXPECT_EQ(test, folio_ref_count(lent), 2);
	folio_put(lent);
}

/* Memory pressure: the shrinker must ask for a scan, or nobody would look. */
static void pool_shrinker_counts_lent_pages(struct kunit *test)
{
	struct pool_test *pt = test->priv;
	struct shrinker *shrinker = pt->pool.shrinker;
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL, .nr_to_scan = 10 };
	struct folio *lent;

	KUNIT_EXPECT_EQ(test, shrinker->count_objects(shrinker, &sc), SHRINK_EMPTY);
	pt->pool.cap = 1;
	KUNIT_ASSERT_EQ(test, take(pt), 0);
	KUNIT_EXPECT_EQ(test, shrinker->count_objects(shrinker, &sc), SHRINK_EMPTY);
	lent = lend(pt);
	KUNIT_EXPECT_EQ(test, shrinker->count_objects(shrinker, &sc), 1);
	KUNIT_EXPECT_EQ(test, shrinker->scan_objects(shrinker, &sc), SHRINK_STOP);
	folio_put(lent);
	KUNIT_EXPECT_EQ(test, shrinker->scan_objects(shrinker, &sc), 1);
	KUNIT_EXPECT_EQ(test, shrinker->count_objects(shrinker, &sc), SHRINK_EMPTY);
	KUNIT_EXPECT_EQ(test, held(pt), 0);
}

/* Who reads the counts wants them exact; what others still hold stays lent. */
static void pool_takes_back_what_nobody_holds(struct kunit *test)
{
	struct pool_test *pt = test->priv;
	struct folio *back, *lent;

	pt->pool.cap = 2;
	KUNIT_ASSERT_EQ(test, take(pt), 0);
	KUNIT_ASSERT_EQ(test, take(pt), 0);
	back = lend(pt);
	lent = lend(pt);
	folio_mark_dirty(back);
	folio_put(back);
	KUNIT_EXPECT_EQ(test, mmapdemo_pool_count(&pt->pool), 0);
	mmapdemo_pool_take_back(&pt->pool);
	KUNIT_EXPECT_EQ(test, mmapdemo_pool_count(&pt->pool), 1);
	KUNIT_EXPECT_EQ(test, pt->pool.nr_lent, 1);
	KUNIT_EXPECT_EQ(test, held(pt), 2);
	KUNIT_EXPECT_EQ(test, folio_ref_count(lent), 2);
	/* It is as if it had come back at once. */
	KUNIT_ASSERT_EQ(test, take(pt), 0);
	KUNIT_EXPECT_PTR_EQ(test, pt->folios[0], back);
	KUNIT_EXPECT_FALSE(test, folio_test_dirty(back));
	folio_put(lent);
}

/* Whoever has a page may have it for longer than the module is loaded. */
static void pool_fini_leaves_lent_pages_to_their_holders(struct kunit *test)
{
	struct pool_test *pt = test->priv;
	struct folio *lent;

	KUNIT_ASSERT_EQ(test, take(pt), 0);
	folio_fill(pt->folios[0], 0x5a);
	lent = lend(pt);
	KUNIT_EXPECT_EQ(test, mmapdemo_pool_fini(&pt->pool), 0);
	KUNIT_EXPECT_EQ(test, held(pt), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pt->pool.nr_forgotten), 1);
	KUNIT_EXPECT_EQ(test, folio_ref_count(lent), 1);
	KUNIT_EXPECT_TRUE(test, folio_is_filled(lent, 0x5a));
	folio_put(lent);
	/* For pool_test_exit(). */
	KUNIT_ASSERT_EQ(test, mmapdemo_pool_init(&pt->pool, NR_PAGES, &test_stats), 0);
}

static void pool_skips_a_spare_page_that_is_poisoned(struct kunit *test)
{
#ifdef CONFIG_MEMORY_FAILURE
	struct pool_test *pt = test->priv;
	struct folio *bad;

	pt->pool.cap = 1;
	KUNIT_ASSERT_EQ(test, take(pt), 0);
	bad = pt->folios[0];
	give(pt);
	/* What memory_failure() leaves on a page. */
	folio_get(bad);
	SetPageHWPoison(folio_page(bad, 0));

	KUNIT_EXPECT_EQ(test, take(pt), 0);
	KUNIT_EXPECT_PTR_NE(test, pt->folios[0], bad);
	ClearPageHWPoison(folio_page(bad, 0));
	folio_put(bad);
#else
	kunit_skip(test, "needs CONFIG_MEMORY_FAILURE");
#endif
}

/* memory_failure() sets the flag before it takes a reference. */
static void pool_forgets_a_page_just_poisoned(struct kunit *test)
{
#ifdef CONFIG_MEMORY_FAILURE
	struct pool_test *pt = test->priv;
	struct folio *bad;

	pt->pool.cap = 1;
	KUNIT_ASSERT_EQ(test, take(pt), 0);
	bad = pt->folios[0];
	SetPageHWPoison(folio_page(bad, 0));
	give(pt);
	KUNIT_EXPECT_EQ(test, held(pt), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pt->pool.nr_forgotten), 1);

	ClearPageHWPoison(folio_page(bad, 0));
	/* The allocator has refused the poisoned page: take it back. */
	KUNIT_ASSERT_EQ(test, folio_ref_count(bad), 0);
	init_page_count(folio_page(bad, 0));
	folio_put(bad);
#else
	kunit_skip(test, "needs CONFIG_MEMORY_FAILURE");
#endif
}

/* The flag may outlive the mapping, and only the allocator clears it. */
static void pool_forgets_an_mlocked_page(struct kunit *test)
{
	struct pool_test *pt = test->priv;
	struct folio *folio;

	pt->pool.cap = 1;
	KUNIT_ASSERT_EQ(test, take(pt), 0);
	folio = pt->folios[0];
	folio_set_mlocked(folio);
	mod_zone_page_state(folio_zone(folio), NR_MLOCK, 1);
	give(pt);
	KUNIT_EXPECT_EQ(test, held(pt), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pt->pool.nr_forgotten), 1);
	KUNIT_ASSERT_EQ(test, take(pt), 0);
	KUNIT_EXPECT_FALSE(test, folio_test_mlocked(pt->folios[0]));
}

/* While it is lent: it would never be the pool's alone again. */
static void pool_forgets_a_lent_page_that_is_poisoned(struct kunit *test)
{
#ifdef CONFIG_MEMORY_FAILURE
	struct pool_test *pt = test->priv;
	struct folio *bad;

	pt->pool.cap = 1;
	KUNIT_ASSERT_EQ(test, take(pt), 0);
	bad = lend(pt);
	SetPageHWPoison(folio_page(bad, 0));
	KUNIT_EXPECT_EQ(test, take(pt), 0);
	KUNIT_EXPECT_EQ(test, pt->pool.nr_lent, 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pt->pool.nr_forgotten), 1);
	KUNIT_EXPECT_EQ(test, folio_ref_count(bad), 1);
	ClearPageHWPoison(folio_page(bad, 0));
	folio_put(bad);
#else
	kunit_skip(test, "needs CONFIG_MEMORY_FAILURE");
#endif
}

/* The same flag, seen later. */
static void pool_forgets_a_lent_page_that_is_mlocked(struct kunit *test)
{
	struct pool_test *pt = test->priv;
	struct folio *folio;

	pt->pool.cap = 1;
	KUNIT_ASSERT_EQ(test, take(pt), 0);
	folio = lend(pt);
	folio_set_mlocked(folio);
	mod_zone_page_state(folio_zone(folio), NR_MLOCK, 1);
	KUNIT_EXPECT_EQ(test, take(pt), 0);
	KUNIT_EXPECT_EQ(test, pt->pool.nr_lent, 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&pt->pool.nr_forgotten), 1);
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 1);
	/* The allocator takes the flag off, and counts. */
	folio_put(folio);
}

static void pool_shrink_gives_back_what_is_spare(struct kunit *test)
{
	struct pool_test *pt = test->priv;

	while (pt->nr < NR_PAGES)
		KUNIT_ASSERT_EQ(test, take(pt), 0);
	KUNIT_EXPECT_EQ(test, mmapdemo_pool_shrink(&pt->pool, NR_PAGES), 0);

	while (pt->nr > NR_PAGES / 2)
		give(pt);
	KUNIT_EXPECT_EQ(test, mmapdemo_pool_count(&pt->pool), NR_PAGES / 2);
	KUNIT_EXPECT_EQ(test, mmapdemo_pool_shrink(&pt->pool, 7), 7);
	KUNIT_EXPECT_EQ(test, mmapdemo_pool_count(&pt->pool), NR_PAGES / 2 - 7);
	KUNIT_EXPECT_EQ(test, held(pt), NR_PAGES - 7);
	KUNIT_EXPECT_EQ(test, mmapdemo_pool_shrink(&pt->pool, NR_PAGES),
			NR_PAGES / 2 - 7);
	KUNIT_EXPECT_EQ(test, held(pt), NR_PAGES / 2);
}

static int give_all(void *data)
{
	struct pool_test *pt = data;

	while (pt->nr)
		give(pt);
	return 0;
}

static void pool_finds_spare_pages_of_another_cpu(struct kunit *test)
{
	struct pool_test *pt = test->priv;
	int cpu = cpumask_any_but(cpu_online_mask, raw_smp_processor_id());

	if (cpu >= nr_cpu_ids)
		kunit_skip(test, "needs two CPUs");
	/* Few enough to stay in one CPU's cache. */
	pt->pool.cap = 8;
	while (pt->nr < 8)
		KUNIT_ASSERT_EQ(test, take(pt), 0);
	KUNIT_ASSERT_EQ(test, smp_call_on_cpu(cpu, give_all, pt, false), 0);
	while (pt->nr < 8)
		KUNIT_ASSERT_EQ(test, take(pt), 0);
	KUNIT_EXPECT_EQ(test, take(pt), -ENOSPC);
}

struct churn {
	struct mmapdemo_pool *pool;
	struct completion done;
	unsigned long stale;
	int err;
};

static int churn_thread(void *data)
{
	struct churn *churn = data;
	struct folio *folios[8];
	int round, i, nr;

	for (round = 0; round < 200 && !churn->err; round++) {
		for (nr = 0; nr < ARRAY_SIZE(folios); nr++) {
			folios[nr] = mmapdemo_pool_get(churn->pool);
			if (IS_ERR(folios[nr])) {
				churn->err = PTR_ERR(folios[nr]);
				break;
			}
			churn->stale += !folio_is_filled(folios[nr], 0);
			folio_fill(folios[nr], round | 1);
		}
		for (i = 0; i < nr; i++) {
			churn->stale += !folio_is_filled(folios[i], round | 1);
			mmapdemo_pool_put(churn->pool, folios[i]);
		}
		cond_resched();
	}
	complete(&churn->done);
	return 0;
}

static void pool_serves_several_threads(struct kunit *test)
{
	struct pool_test *pt = test->priv;
	struct churn churn[3];
	struct task_struct *task;
	int i, started = 0;

	for (i = 0; i < ARRAY_SIZE(churn); i++) {
		churn[i] = (struct churn){ .pool = &pt->pool };
		init_completion(&churn[i].done);
		task = kthread_run(churn_thread, &churn[i], "pool-churn/%d", i);
		if (IS_ERR(task))
			break;
		started++;
	}
	for (i = 0; i < started; i++) {
		wait_for_completion(&churn[i].done);
		KUNIT_EXPECT_EQ(test, churn[i].err, 0);
		KUNIT_EXPECT_EQ(test, churn[i].stale, 0);
	}
	KUNIT_EXPECT_EQ(test, started, ARRAY_SIZE(churn));
	KUNIT_EXPECT_EQ(test, held(pt), mmapdemo_pool_count(&pt->pool));
}

/* Random steps against a model: counts that the calls alone determine. */
static void pool_follows_its_model(struct kunit *test)
{
	struct pool_test *pt = test->priv;
	unsigned long spare = 0, step, nr;
	struct folio *lent = NULL;
	struct rnd_state rnd;
	u64 seed = get_random_u64();

	kunit_info(test, "seed %llu", seed);
	prandom_seed_state(&rnd, seed);
	for (step = 0; step < 5000; step++) {
		switch (prandom_u32_state(&rnd) % 9) {
		case 0 ... 3:
			nr = pt->nr + !!lent;
			if (nr == NR_PAGES) {
				KUNIT_EXPECT_EQ(test, take(pt), -ENOSPC);
				break;
			}
			KUNIT_EXPECT_EQ(test, take(pt), 0);
			break;
		case 4 ... 6:
			if (pt->nr)
				give(pt);
			break;
		case 7:
			nr = prandom_u32_state(&rnd) % 8;
			spare = mmapdemo_pool_count(&pt->pool);
			KUNIT_EXPECT_EQ(test, min(spare, nr),
					mmapdemo_pool_shrink(&pt->pool, nr));
			break;
		case 8:
			if (lent) {
				folio_put(lent);
				mmapdemo_pool_take_back(&pt->pool);
				lent = NULL;
			} else if (pt->nr) {
				lent = lend(pt);
			}
			break;
		}
		spare = mmapdemo_pool_count(&pt->pool);
		if (pt->pool.nr_lent != !!lent || held(pt) > NR_PAGES ||
		    held(pt) != pt->nr + spare + !!lent)
			break;
	}
	KUNIT_EXPECT_EQ(test, step, 5000);
	KUNIT_EXPECT_EQ(test, pt->pool.nr_lent, !!lent);
	KUNIT_EXPECT_EQ(test, held(pt), pt->nr + spare + !!lent);
	KUNIT_EXPECT_LE(test, held(pt), NR_PAGES);
	if (lent)
		folio_put(lent);
}

static struct kunit_case pool_cases[] = {
	KUNIT_CASE(pool_get_gives_a_fresh_page),
	KUNIT_CASE(pool_get_gives_each_page_once),
	KUNIT_CASE(pool_adopts_up_to_the_cap),
	KUNIT_CASE_PARAM(pool_cap_is_exact, cap_gen_params),
	KUNIT_CASE(pool_zeroes_what_it_recycles),
	KUNIT_CASE(pool_clears_flags_of_what_it_recycles),
	KUNIT_CASE(pool_lends_what_others_use),
	KUNIT_CASE(pool_shrink_takes_lent_pages_back),
	KUNIT_CASE(pool_shrinker_counts_lent_pages),
	KUNIT_CASE(pool_takes_back_what_nobody_holds),
	KUNIT_CASE(pool_fini_leaves_lent_pages_to_their_holders),
	KUNIT_CASE(pool_skips_a_spare_page_that_is_poisoned),
	KUNIT_CASE(pool_forgets_a_page_just_poisoned),
	KUNIT_CASE(pool_forgets_an_mlocked_page),
	KUNIT_CASE(pool_forgets_a_lent_page_that_is_poisoned),
	KUNIT_CASE(pool_forgets_a_lent_page_that_is_mlocked),
	KUNIT_CASE(pool_shrink_gives_back_what_is_spare),
	KUNIT_CASE(pool_finds_spare_pages_of_another_cpu),
	KUNIT_CASE(pool_serves_several_threads),
	KUNIT_CASE(pool_follows_its_model),
	{ }
};

static struct kunit_suite pool_suite = {
	.name = "mmapdemo_pool",
	.init = pool_test_init,
	.exit = pool_test_exit,
	.test_cases = pool_cases,
};

kunit_test_suite(pool_suite);

MODULE_DESCRIPTION("KUnit tests for mmapdemo");
MODULE_LICENSE("GPL");
MODULE_IMPORT_KUNIT_NS;
