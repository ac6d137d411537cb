// SPDX-License-Identifier: GPL-2.0-only
/*
 * The backing store without mappings: which page is in which slot, who holds
 * references, and what a lookup waits for.
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/random.h>

#include "holder.h"
#include "store_helpers.h"

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
	struct folio *folio = mmapdemo_store_grab(&st->store, 5, NULL, NULL, false);

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

static void store_grab_refuses_a_page_that_a_truncate_removes(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio = touch(st, 5, false);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	/* Between the two halves of mmapdemo_store_resize(). */
	i_size_write(st->store.inode, 5 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(touch(st, 5, false)), -ERANGE);
	KUNIT_EXPECT_FALSE(test, folio_test_locked(folio));
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 1);
}

static void store_grab_stops_at_the_cap(struct kunit *test)
{
	struct store_test *st = test->priv;

	st->pool.cap = 2;
	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, 0, false)));
	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, 1, false)));
	KUNIT_EXPECT_EQ(test, PTR_ERR(touch(st, 2, false)), -ENOSPC);
	KUNIT_EXPECT_TRUE(test, is_hole(st, 2));
	/* Stored pages stay accessible, and a discard makes room. */
	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, 1, false)));
	KUNIT_EXPECT_EQ(test, store_discard(&st->store, 0, 1), 1);
	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, 2, false)));
}

/* Return: what a grab of slot @pgoff, a hole, gives meanwhile. */
static long grab_while_held(struct store_test *st, bool exclusive, pgoff_t pgoff,
			    bool wait)
{
	struct holder holder;
	long ret;

	holder_start(&holder, &mmapdemo_store_mapping(&st->store)->invalidate_lock,
		     exclusive);
	/* Killed, if it may wait: or it would for ever. */
	set_killed(wait);
	ret = PTR_ERR(mmapdemo_store_grab(&st->store, pgoff, NULL, NULL, wait));
	set_killed(false);
	holder_end(&holder);
	return ret;
}

/* What a grab finds locked: the page, and the store for either way to a new one. */
static void store_grab_waits_for_nothing_if_told_so(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio;
	long locked;

	st->pool.cap = 1;
	folio = touch(st, 5, false);
	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	folio_lock(folio);
	locked = PTR_ERR(mmapdemo_store_grab(&st->store, 5, NULL, NULL, false));
	folio_unlock(folio);
	KUNIT_EXPECT_EQ(test, locked, -EAGAIN);
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 1);
	KUNIT_EXPECT_EQ(test, grab_while_held(st, true, 6, false), -EAGAIN);
	/* At the cap another fault may be about to put a page back. */
	KUNIT_EXPECT_EQ(test, grab_while_held(st, false, 6, false), -EAGAIN);
	KUNIT_EXPECT_EQ(test, PTR_ERR(touch(st, 6, false)), -ENOSPC);
	KUNIT_EXPECT_EQ(test, stored(st), 1);
}

static void store_grab_ends_when_killed(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio;
	long locked;

	st->pool.cap = 1;
	folio = touch(st, 5, false);
	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	set_killed(true);
	folio_lock(folio);
	locked = PTR_ERR(mmapdemo_store_grab(&st->store, 5, NULL, NULL, true));
	folio_unlock(folio);
	set_killed(false);
	KUNIT_EXPECT_EQ(test, locked, -EINTR);
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 1);
	KUNIT_EXPECT_EQ(test, grab_while_held(st, true, 6, true), -EINTR);
	KUNIT_EXPECT_EQ(test, grab_while_held(st, false, 6, true), -EINTR);
	KUNIT_EXPECT_EQ(test, stored(st), 1);
}

struct seek_param {
	const char *description;
	int whence;
	loff_t pos, found;
};

/* Slots 0, 1 and 10 to 49 are filled. */
static const struct seek_param seek_params[] = {
	{ "data, in data", SEEK_DATA, 5, 5 },
	{ "data, in a hole", SEEK_DATA, 2 * PAGE_SIZE + 1, 10 * PAGE_SIZE },
	{ "no data behind", SEEK_DATA, 50 * PAGE_SIZE, -ENXIO },
	{ "data, at the end", SEEK_DATA, NR_SLOTS * PAGE_SIZE, -ENXIO },
	{ "data, negative", SEEK_DATA, -1, -ENXIO },
	{ "data, past 2^32 pages", SEEK_DATA, PAGE_SIZE * (1ll << 32), -ENXIO },
	{ "hole, from the start", SEEK_HOLE, 0, 2 * PAGE_SIZE },
	{ "hole, in a hole", SEEK_HOLE, 5 * PAGE_SIZE + 7, 5 * PAGE_SIZE + 7 },
	{ "hole, in data", SEEK_HOLE, 11 * PAGE_SIZE, 50 * PAGE_SIZE },
	{ "hole, at the end", SEEK_HOLE, NR_SLOTS * PAGE_SIZE, -ENXIO },
};

static void seek_describe(const struct seek_param *param, char *desc)
{
	strscpy(desc, param->description, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(seek, seek_params, seek_describe);

static void store_seek_finds(struct kunit *test)
{
	const struct seek_param *param = test->param_value;
	struct store_test *st = test->priv;
	pgoff_t pgoff;

	for (pgoff = 0; pgoff < 50; pgoff++)
		if (pgoff < 2 || pgoff >= 10)
			KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, pgoff, false)));
	KUNIT_EXPECT_EQ(test, param->found,
			mmapdemo_store_seek(&st->store, param->pos,
					    param->whence));
}

/* The walk looks up every XA_CHECK_SCHED slots whether it may go on. */
static void store_seek_goes_on_after_a_break(struct kunit *test)
{
	struct store_test *st = test->priv;
	pgoff_t pgoff, nr = XA_CHECK_SCHED + 4;

	st->pool.cap = nr;
	resize(st, nr + 1);
	for (pgoff = 0; pgoff < nr; pgoff++)
		KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, pgoff, false)));
	KUNIT_EXPECT_EQ(test, nr * PAGE_SIZE,
			mmapdemo_store_seek(&st->store, 0, SEEK_HOLE));
}

static void store_seek_ends_when_killed(struct kunit *test)
{
	struct store_test *st = test->priv;
	pgoff_t pgoff, nr = XA_CHECK_SCHED + 4;
	loff_t found;

	st->pool.cap = nr;
	resize(st, nr);
	for (pgoff = 0; pgoff < nr; pgoff++)
		KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, pgoff, false)));
	set_killed(true);
	found = mmapdemo_store_seek(&st->store, 0, SEEK_HOLE);
	set_killed(false);
	KUNIT_EXPECT_EQ(test, found, -EINTR);
}

/* What a store of NR_SLOTS pages should hold. */
struct model {
	u8 byte[NR_SLOTS];
	bool filled[NR_SLOTS];
	bool dirty[NR_SLOTS];
	bool unsynced[NR_SLOTS];
};

static void model_write(struct store_test *st, struct model *model,
			pgoff_t pgoff, u8 byte)
{
	struct folio *folio = mmapdemo_store_grab(&st->store, pgoff, NULL, NULL, true);

	if (IS_ERR(folio))
		return;
	folio_fill(folio, byte);
	folio_unlock(folio);
	folio_mark_dirty(folio);
	folio_put(folio);
	model->byte[pgoff] = byte;
	model->filled[pgoff] = true;
	model->dirty[pgoff] = true;
	model->unsynced[pgoff] = true;
}

/* Does a random step on the store and its model. */
static void model_step(struct store_test *st, struct model *model,
		       struct rnd_state *rnd)
{
	pgoff_t pgoff = prandom_u32_state(rnd) % NR_SLOTS;
	pgoff_t nr = prandom_u32_state(rnd) % min(16ul, NR_SLOTS - pgoff) + 1;

	switch (prandom_u32_state(rnd) % 8) {
	case 0 ... 2:
		touch(st, pgoff, false);
		model->filled[pgoff] = true;
		break;
	case 3 ... 5:
		model_write(st, model, pgoff, prandom_u32_state(rnd));
		break;
	case 6:
		mmapdemo_store_discard(&st->store, pgoff, pgoff + nr);
		memset(model->byte + pgoff, 0, nr);
		memset(model->filled + pgoff, 0, nr);
		memset(model->dirty + pgoff, 0, nr);
		memset(model->unsynced + pgoff, 0, nr);
		break;
	case 7:
		mmapdemo_sync(&st->store, pgoff, pgoff + nr - 1);
		memset(model->unsynced + pgoff, 0, nr);
		break;
	}
}

static bool model_agrees(struct store_test *st, const struct model *model,
			 pgoff_t pgoff)
{
	struct folio *folio = mmapdemo_store_get(&st->store, pgoff);
	bool agrees = !!folio == model->filled[pgoff];

	if (folio) {
		agrees = agrees && folio_is_filled(folio, model->byte[pgoff]);
		folio_put(folio);
	}
	return agrees && is_dirty(st, pgoff) == model->dirty[pgoff] &&
	       is_unsynced(st, pgoff) == model->unsynced[pgoff];
}

/* Random steps against a model: arrays of slot contents and marks. */
static void store_follows_its_model(struct kunit *test)
{
	struct store_test *st = test->priv;
	u64 seed = get_random_u64();
	unsigned long step, wrong = 0;
	struct model model = { };
	struct rnd_state rnd;
	pgoff_t pgoff;

	kunit_info(test, "seed %llu", seed);
	prandom_seed_state(&rnd, seed);
	for (step = 0; step < 3000; step++) {
		model_step(st, &model, &rnd);
		wrong += !model_agrees(st, &model,
				       prandom_u32_state(&rnd) % NR_SLOTS);
	}
	for (pgoff = 0; pgoff < NR_SLOTS; pgoff++)
		wrong += !model_agrees(st, &model, pgoff);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static struct kunit_case store_cases[] = {
	KUNIT_CASE(store_starts_empty),
	KUNIT_CASE(store_grab_makes_a_page),
	KUNIT_CASE(store_grab_finds_the_same_page),
	KUNIT_CASE(store_grab_stops_at_the_end),
	KUNIT_CASE(store_grab_refuses_a_page_that_a_truncate_removes),
	KUNIT_CASE(store_grab_stops_at_the_cap),
	KUNIT_CASE(store_grab_waits_for_nothing_if_told_so),
	KUNIT_CASE(store_grab_ends_when_killed),
	KUNIT_CASE_PARAM(store_seek_finds, seek_gen_params),
	KUNIT_CASE(store_seek_goes_on_after_a_break),
	KUNIT_CASE(store_seek_ends_when_killed),
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
