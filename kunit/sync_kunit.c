// SPDX-License-Identifier: GPL-2.0-only
/* Sync without mappings: what it cleans, and what it leaves alone. */
#include <kunit/test.h>

#include "store_helpers.h"

/* Return: how many pages a sync has cleaned; a negative errno if it failed. */
static long sync(struct store_test *st, pgoff_t start, pgoff_t last)
{
	unsigned long before = mmapdemo_stat_read(&test_stats, STAT_CLEANED);

	return mmapdemo_sync(&st->store, start, last) ?:
	       (long)(mmapdemo_stat_read(&test_stats, STAT_CLEANED) - before);
}

struct sync_param {
	const char *description;
	pgoff_t start, last;
	long cleaned;
};

/* Slots 10 to 49 are written, more than one batch of a lookup. */
static const struct sync_param sync_params[] = {
	{ "a hole", 50, NR_SLOTS, 0 },
	{ "one page", 20, 20, 1 },
	{ "across the front", 0, 14, 5 },
	{ "across the back", 45, 59, 5 },
	{ "a part of it", 11, 48, 38 },
	{ "all of it", 10, 49, 40 },
	{ "everything there could be", 0, ULONG_MAX, 40 },
};

static void sync_describe(const struct sync_param *param, char *desc)
{
	strscpy(desc, param->description, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(sync, sync_params, sync_describe);

static void sync_cleans_a_range(struct kunit *test)
{
	const struct sync_param *param = test->param_value;
	struct store_test *st = test->priv;
	unsigned long wrong = 0;
	pgoff_t pgoff;

	for (pgoff = 10; pgoff < 50; pgoff++)
		KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, pgoff, true)));
	KUNIT_EXPECT_EQ(test, param->cleaned, sync(st, param->start, param->last));
	KUNIT_EXPECT_EQ(test, stored(st), 40);
	/* The log is its reader's. */
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 40);
	for (pgoff = 10; pgoff < 50; pgoff++)
		wrong += is_unsynced(st, pgoff) ==
			 (pgoff >= param->start && pgoff <= param->last);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void sync_passes_over_a_discarded_page(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio = touch(st, 3, true);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	/*
	 * As the walk finds a page that was discarded while it waited for the
	 * lock, and then marked by someone who had it pinned.
	 */
	folio->mapping = NULL;
	KUNIT_EXPECT_EQ(test, sync(st, 0, 9), 0);
	KUNIT_EXPECT_FALSE(test, folio_test_locked(folio));
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 1);
	folio->mapping = mmapdemo_store_mapping(&st->store);
	KUNIT_EXPECT_TRUE(test, is_unsynced(st, 3));
	KUNIT_EXPECT_EQ(test, sync(st, 0, 9), 1);
}

/* What a harvest write-protects, and what write(2) writes, has no PTE to say. */
static void sync_finds_what_is_not_writable(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio = touch(st, 3, false);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	mmapdemo_end_write(&st->store, folio, MMAPDEMO_WRITTEN);
	KUNIT_EXPECT_EQ(test, sync(st, 0, 9), 1);

	folio = mmapdemo_store_grab(&st->store, 4, NULL, NULL, true);
	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	mmapdemo_end_write(&st->store, folio, MMAPDEMO_MARKS);
	KUNIT_EXPECT_TRUE(test, mmapdemo_clear_mark(&st->store, folio,
						    MMAPDEMO_LOGGED));
	folio_unlock(folio);
	folio_put(folio);
	KUNIT_EXPECT_EQ(test, sync(st, 0, 9), 1);
	KUNIT_EXPECT_EQ(test, sync(st, 0, 9), 0);
}

static void sync_ends_when_killed(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio = touch(st, 3, true);
	long err;

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	folio_lock(folio);
	set_killed(true);
	err = sync(st, 0, 9);
	set_killed(false);
	folio_unlock(folio);
	KUNIT_EXPECT_EQ(test, err, -EINTR);
	KUNIT_EXPECT_TRUE(test, is_unsynced(st, 3));
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 1);
}

/* Between two batches; it need not have waited for anything. */
static void sync_ends_when_killed_at_work(struct kunit *test)
{
	struct store_test *st = test->priv;
	pgoff_t pgoff;
	long err;

	for (pgoff = 0; pgoff < NR_SLOTS; pgoff++)
		KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, pgoff, true)));
	set_killed(true);
	err = sync(st, 0, NR_SLOTS);
	set_killed(false);
	KUNIT_EXPECT_EQ(test, err, -EINTR);
	KUNIT_EXPECT_TRUE(test, is_unsynced(st, NR_SLOTS - 1));
}

static struct kunit_case sync_cases[] = {
	KUNIT_CASE_PARAM(sync_cleans_a_range, sync_gen_params),
	KUNIT_CASE(sync_passes_over_a_discarded_page),
	KUNIT_CASE(sync_finds_what_is_not_writable),
	KUNIT_CASE(sync_ends_when_killed),
	KUNIT_CASE(sync_ends_when_killed_at_work),
	{ }
};

static struct kunit_suite sync_suite = {
	.name = "mmapdemo_sync",
	.init = store_test_init,
	.exit = store_test_exit,
	.test_cases = sync_cases,
};

kunit_test_suite(sync_suite);
