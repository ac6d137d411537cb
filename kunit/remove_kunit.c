// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removal without mappings: what a discard and a resize remove or keep, in which
 * steps, and what is left if they are killed.
 */
#include <kunit/test.h>
#include <linux/delay.h>

#include "holder.h"
#include "store_helpers.h"

/* Makes the pages of slots [@start, @end), all of them written. */
static void fill(struct kunit *test, pgoff_t start, pgoff_t end)
{
	struct store_test *st = test->priv;

	for (; start < end; start++)
		KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, start, true)));
}

struct range_param {
	const char *description;
	pgoff_t start, end;
	long removed;
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

static void discard_removes_a_range(struct kunit *test)
{
	const struct range_param *param = test->param_value;
	struct store_test *st = test->priv;
	unsigned long wrong = 0;
	pgoff_t pgoff;

	fill(test, 10, 50);
	KUNIT_EXPECT_EQ(test, param->removed,
			store_discard(&st->store, param->start, param->end));
	KUNIT_EXPECT_EQ(test, stored(st), 40 - param->removed);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 40 - param->removed);
	for (pgoff = 10; pgoff < 50; pgoff++)
		wrong += is_hole(st, pgoff) != in_param_range(param, pgoff);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void discard_of_no_range_removes_nothing(struct kunit *test)
{
	struct store_test *st = test->priv;

	KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, 20, false)));
	KUNIT_EXPECT_EQ(test, store_discard(&st->store, 20, 20), 0);
	KUNIT_EXPECT_EQ(test, store_discard(&st->store, 30, 10), 0);
	KUNIT_EXPECT_EQ(test, stored(st), 1);
}

static void discard_leaves_a_pinned_page_alone(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *pinned;

	KUNIT_ASSERT_FALSE(test, IS_ERR(touch(st, 3, false)));
	pinned = mmapdemo_store_get(&st->store, 3);
	KUNIT_ASSERT_NOT_NULL(test, pinned);
	folio_fill(pinned, 0x33);

	KUNIT_EXPECT_EQ(test, store_discard(&st->store, 0, 10), 1);
	KUNIT_EXPECT_PTR_EQ(test, pinned->mapping, NULL);
	KUNIT_EXPECT_EQ(test, folio_ref_count(pinned), 2);
	KUNIT_EXPECT_EQ(test, st->pool.nr_lent, 1);
	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, 3, false)));
	KUNIT_EXPECT_TRUE(test, folio_is_filled(pinned, 0x33));
	folio_put(pinned);
}

struct resize_param {
	const char *description;
	pgoff_t nr_slots;
	unsigned long left;
};

/* Slots 10 to 49 are filled. */
static const struct resize_param resize_params[] = {
	{ "to the same size", NR_SLOTS, 40 },
	{ "behind the last page", 50, 40 },
	{ "to the last page", 49, 39 },
	{ "in the middle", 30, 20 },
	{ "before the first page", 10, 0 },
	{ "to one page", 1, 0 },
};

static void resize_describe(const struct resize_param *param, char *desc)
{
	strscpy(desc, param->description, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(resize, resize_params, resize_describe);

static void resize_removes_what_is_behind(struct kunit *test)
{
	const struct resize_param *param = test->param_value;
	struct store_test *st = test->priv;
	unsigned long wrong = 0;
	pgoff_t pgoff;

	fill(test, 10, 50);
	resize(st, param->nr_slots);
	KUNIT_EXPECT_EQ(test, stored(st), param->left);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, param->left);
	for (pgoff = 10; pgoff < 50; pgoff++)
		wrong += is_hole(st, pgoff) != (pgoff >= param->nr_slots);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, -ERANGE,
			PTR_ERR(touch(st, param->nr_slots, false)));
}

static void resize_grows(struct kunit *test)
{
	struct store_test *st = test->priv;

	resize(st, 1);
	KUNIT_EXPECT_EQ(test, PTR_ERR(touch(st, 1, false)), -ERANGE);
	resize(st, 2 * NR_SLOTS);
	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, 1, false)));
	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, 2 * NR_SLOTS - 1, false)));
	KUNIT_EXPECT_EQ(test, PTR_ERR(touch(st, 2 * NR_SLOTS, false)), -ERANGE);
}

/* More than one step of a removal. */
#define NR_MANY		5000

static void fill_many(struct kunit *test)
{
	struct store_test *st = test->priv;

	st->pool.cap = NR_MANY;
	resize(st, NR_MANY);
	fill(test, 0, NR_MANY);
}

static void discard_removes_many(struct kunit *test)
{
	struct store_test *st = test->priv;

	fill_many(test);
	KUNIT_EXPECT_EQ(test, store_discard(&st->store, 1, NR_MANY - 1), NR_MANY - 2);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 2);
}

/**
 * struct other - another thread, at the same store
 * @work: runs it
 * @store: the store
 * @left: how many pages it saw
 */
struct other {
	struct work_struct work;
	struct mmapdemo_store *store;
	unsigned long left;
};

static void other_discards(struct work_struct *work)
{
	struct other *other = container_of(work, struct other, work);

	mmapdemo_store_discard(other->store, 0, NR_MANY);
}

/* As a fault on a hole. */
static void other_looks(struct work_struct *work)
{
	struct other *other = container_of(work, struct other, work);
	struct address_space *mapping = mmapdemo_store_mapping(other->store);

	down_read(&mapping->invalidate_lock);
	other->left = store_count(other->store);
	up_read(&mapping->invalidate_lock);
}

static void other_start(struct other *other, struct store_test *st, work_func_t func)
{
	other->store = &st->store;
	INIT_WORK_ONSTACK(&other->work, func);
	schedule_work(&other->work);
}

static void other_end(struct other *other)
{
	flush_work(&other->work);
	destroy_work_on_stack(&other->work);
}

/* Who came first to wait for the lock has it before the next step. */
static void discard_lets_others_in_between_its_steps(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct rw_semaphore *sem =
		&mmapdemo_store_mapping(&st->store)->invalidate_lock;
	struct other discarder, looker;
	struct folio *folio;

	fill_many(test);
	/* Keeps the discard in its first step until the other one waits. */
	folio = touch(st, 0, false);
	folio_lock(folio);
	other_start(&discarder, st, other_discards);
	while (!rwsem_is_locked(sem))
		msleep(20);
	other_start(&looker, st, other_looks);
	while (!rwsem_is_contended(sem))
		msleep(20);
	folio_unlock(folio);
	other_end(&looker);
	other_end(&discarder);
	KUNIT_EXPECT_LT(test, looker.left, NR_MANY);
	KUNIT_EXPECT_GT(test, looker.left, 0);
	KUNIT_EXPECT_EQ(test, stored(st), 0);
}

/* Between two steps: what it did, it did from the start. */
static void discard_ends_when_killed(struct kunit *test)
{
	struct store_test *st = test->priv;
	long err;

	fill_many(test);
	set_killed(true);
	err = store_discard(&st->store, 0, NR_MANY);
	set_killed(false);
	KUNIT_EXPECT_EQ(test, err, -EINTR);
	KUNIT_EXPECT_LT(test, stored(st), NR_MANY);
	KUNIT_EXPECT_GT(test, stored(st), 0);
	KUNIT_EXPECT_TRUE(test, is_hole(st, 0));
	KUNIT_EXPECT_FALSE(test, is_hole(st, NR_MANY - 1));
	KUNIT_EXPECT_GT(test, store_discard(&st->store, 0, NR_MANY), 0);
	KUNIT_EXPECT_EQ(test, stored(st), 0);
}

/* Within a step, as it waits for a page: that one stays as it was. */
static void discard_ends_when_killed_at_a_page(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct folio *folio;
	long err;

	fill(test, 10, 50);
	folio = touch(st, 20, false);
	folio_lock(folio);
	set_killed(true);
	err = store_discard(&st->store, 0, NR_SLOTS);
	set_killed(false);
	folio_unlock(folio);
	KUNIT_EXPECT_EQ(test, err, -EINTR);
	KUNIT_EXPECT_EQ(test, stored(st), 30);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 30);
	KUNIT_EXPECT_TRUE(test, is_hole(st, 19));
	KUNIT_EXPECT_EQ(test, store_marks(&st->store, 20), MMAPDEMO_MARKS);
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 1);
	/* Nobody holds what was removed, nor what was not. */
	KUNIT_EXPECT_EQ(test, st->pool.nr_lent, 0);
	KUNIT_EXPECT_EQ(test, store_discard(&st->store, 0, NR_SLOTS), 30);
	KUNIT_EXPECT_EQ(test, st->pool.nr_lent, 0);
}

/* The caller holds the inode's lock. */
static int killed_resize_locked(struct store_test *st, pgoff_t nr_slots)
{
	int err;

	set_killed(true);
	err = mmapdemo_store_resize(&st->store, (loff_t)nr_slots << PAGE_SHIFT);
	set_killed(false);
	return err;
}

/* As they wait for the invalidate_lock: nothing has changed. */
static void removal_ends_when_killed_before_it_begins(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct holder holder;
	int err_resize;
	long err;

	fill(test, 10, 50);
	inode_lock(st->store.inode);
	holder_start(&holder, &mmapdemo_store_mapping(&st->store)->invalidate_lock,
		     false);
	err_resize = killed_resize_locked(st, 1);
	set_killed(true);
	err = store_discard(&st->store, 0, NR_SLOTS);
	set_killed(false);
	holder_end(&holder);
	inode_unlock(st->store.inode);
	KUNIT_EXPECT_EQ(test, err_resize, -EINTR);
	KUNIT_EXPECT_EQ(test, err, -EINTR);
	KUNIT_EXPECT_EQ(test, mmapdemo_store_end(&st->store), NR_SLOTS);
	KUNIT_EXPECT_TRUE(test, st->store.trimmed);
	KUNIT_EXPECT_EQ(test, stored(st), 40);
}

/* It has set the size; a worker does the rest, which nobody can reach. */
static void resize_is_finished_when_killed(struct kunit *test)
{
	struct store_test *st = test->priv;

	fill_many(test);
	inode_lock(st->store.inode);
	KUNIT_EXPECT_EQ(test, killed_resize_locked(st, 1), -EINTR);
	KUNIT_EXPECT_EQ(test, mmapdemo_store_end(&st->store), 1);
	KUNIT_EXPECT_FALSE(test, st->store.trimmed);
	KUNIT_EXPECT_FALSE(test, is_hole(st, NR_MANY - 1));
	KUNIT_EXPECT_EQ(test, PTR_ERR(touch(st, NR_MANY - 1, false)), -ERANGE);
	inode_unlock(st->store.inode);
	flush_work(&st->store.trim);
	KUNIT_EXPECT_EQ(test, stored(st), 1);
	KUNIT_EXPECT_EQ(test, st->store.nr_dirty, 1);
	KUNIT_EXPECT_TRUE(test, st->store.trimmed);
}

/* If the store grows before the worker gets to it: growing comes second. */
static void resize_brings_nothing_back(struct kunit *test)
{
	struct store_test *st = test->priv;
	int shrunk, killed, grown;
	struct folio *folio;
	pgoff_t end;

	fill(test, 10, 50);
	folio = touch(st, 20, false);
	/* Keeps the worker out. */
	inode_lock(st->store.inode);
	folio_lock(folio);
	shrunk = killed_resize_locked(st, 5);
	killed = killed_resize_locked(st, NR_SLOTS);
	end = mmapdemo_store_end(&st->store);
	folio_unlock(folio);
	grown = mmapdemo_store_resize(&st->store, NR_SLOTS * PAGE_SIZE);
	inode_unlock(st->store.inode);
	KUNIT_EXPECT_EQ(test, shrunk, -EINTR);
	KUNIT_EXPECT_EQ(test, killed, -EINTR);
	KUNIT_EXPECT_EQ(test, end, 5);
	KUNIT_EXPECT_EQ(test, grown, 0);
	KUNIT_EXPECT_EQ(test, mmapdemo_store_end(&st->store), NR_SLOTS);
	KUNIT_EXPECT_EQ(test, stored(st), 0);
	/* There is nothing left to do for the worker. */
	KUNIT_EXPECT_FALSE(test, IS_ERR(touch(st, 20, false)));
	flush_work(&st->store.trim);
	KUNIT_EXPECT_EQ(test, stored(st), 1);
}

/* An rmmod may have been killed, and must not leave a page all the same. */
static void fini_removes_all_even_if_killed(struct kunit *test)
{
	struct store_test *st = test->priv;
	struct mmapdemo_store *other = kunit_kzalloc(test, sizeof(*other), GFP_KERNEL);
	pgoff_t pgoff;

	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_ASSERT_EQ(test, 0, mmapdemo_store_init(other, &st->pool, 0,
						     NR_MANY * PAGE_SIZE, true));
	st->pool.cap = NR_MANY;
	for (pgoff = 0; pgoff < NR_MANY; pgoff++)
		store_touch(other, pgoff, true);
	KUNIT_EXPECT_EQ(test, store_count(other), NR_MANY);
	set_killed(true);
	mmapdemo_store_fini(other);
	set_killed(false);
	KUNIT_EXPECT_EQ(test, mmapdemo_pool_count(&st->pool), NR_MANY);
}

static struct kunit_case remove_cases[] = {
	KUNIT_CASE_PARAM(discard_removes_a_range, range_gen_params),
	KUNIT_CASE(discard_of_no_range_removes_nothing),
	KUNIT_CASE(discard_leaves_a_pinned_page_alone),
	KUNIT_CASE_PARAM(resize_removes_what_is_behind, resize_gen_params),
	KUNIT_CASE(resize_grows),
	KUNIT_CASE(discard_removes_many),
	KUNIT_CASE(discard_lets_others_in_between_its_steps),
	KUNIT_CASE(discard_ends_when_killed),
	KUNIT_CASE(discard_ends_when_killed_at_a_page),
	KUNIT_CASE(removal_ends_when_killed_before_it_begins),
	KUNIT_CASE(resize_is_finished_when_killed),
	KUNIT_CASE(resize_brings_nothing_back),
	KUNIT_CASE(fini_removes_all_even_if_killed),
	{ }
};

static struct kunit_suite remove_suite = {
	.name = "mmapdemo_remove",
	.init = store_test_init,
	.exit = store_test_exit,
	.test_cases = remove_cases,
};

kunit_test_suite(remove_suite);
