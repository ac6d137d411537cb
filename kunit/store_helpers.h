/* SPDX-License-Identifier: GPL-2.0-only */
/* A store with a pool of its own, for the suites that need one. */
#ifndef _MMAPDEMO_KUNIT_STORE_H
#define _MMAPDEMO_KUNIT_STORE_H

#include <kunit/test.h>

#include "helpers.h"

#define NR_SLOTS	128

struct store_test {
	struct mmapdemo_pool pool;
	struct mmapdemo_store store;
};

static inline int store_test_init(struct kunit *test)
{
	struct store_test *st = kunit_kzalloc(test, sizeof(*st), GFP_KERNEL);
	int err;

	if (!st)
		return -ENOMEM;
	err = mmapdemo_pool_init(&st->pool, NR_SLOTS, &test_stats);
	if (err)
		return err;
	err = mmapdemo_store_init(&st->store, &st->pool, 0,
				  NR_SLOTS * PAGE_SIZE, true);
	if (err) {
		mmapdemo_pool_fini(&st->pool);
		return err;
	}
	test->priv = st;
	return 0;
}

static inline void store_test_exit(struct kunit *test)
{
	struct store_test *st = test->priv;

	/* Newer kernels call this after a failed init, too. */
	if (!st)
		return;
	mmapdemo_store_fini(&st->store);
	mmapdemo_pool_fini(&st->pool);
}

static inline struct folio *touch(struct store_test *st, pgoff_t pgoff, bool dirty)
{
	return store_touch(&st->store, pgoff, dirty);
}

static inline bool is_hole(struct store_test *st, pgoff_t pgoff)
{
	return store_is_hole(&st->store, pgoff);
}

static inline bool is_dirty(struct store_test *st, pgoff_t pgoff)
{
	return store_is_dirty(&st->store, pgoff);
}

static inline bool is_unsynced(struct store_test *st, pgoff_t pgoff)
{
	return store_is_unsynced(&st->store, pgoff);
}

static inline unsigned long stored(struct store_test *st)
{
	return store_count(&st->store);
}

static inline void resize(struct store_test *st, pgoff_t nr_slots)
{
	inode_lock(st->store.inode);
	mmapdemo_store_resize(&st->store, (loff_t)nr_slots << PAGE_SHIFT);
	inode_unlock(st->store.inode);
}

#endif /* _MMAPDEMO_KUNIT_STORE_H */
