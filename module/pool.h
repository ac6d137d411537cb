/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page pool: see pool.c.
 */
#ifndef _MMAPDEMO_POOL_H
#define _MMAPDEMO_POOL_H

#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/spinlock.h>

struct mmapdemo_stats;
struct shrinker;

/*
 * Pages of the pool cannot be migrated, as they are not on the LRU, so they must
 * not come from ZONE_MOVABLE or CMA, out of which a long-term pin would try to
 * migrate them: GFP_HIGHUSER, not GFP_HIGHUSER_MOVABLE.
 */
#define MMAPDEMO_POOL_GFP	(GFP_HIGHUSER | __GFP_ZERO)

/**
 * struct mmapdemo_pool - a bounded supply of zeroed pages
 * @cap: limit on @nr_held
 * @nr_held: pages allocated and not yet freed, those in the store included
 * @nr_forgotten: pages given up: poisoned, or still marked as mlocked
 * @lock: protects the two lists and their lengths
 * @free: pages that no CPU caches, linked by folio->lru
 * @nr_free: length of @free; written under @lock, with WRITE_ONCE() for
 *	     lockless readers
 * @lent: pages that were put back while others still held them, linked by
 *	  folio->lru; they count as held
 * @nr_lent: length of @lent; written like @nr_free
 * @caches: per-CPU lists in front of @free
 * @shrinker: frees spare pages under memory pressure
 * @stats: where it counts; the device's
 */
struct mmapdemo_pool {
	unsigned long cap;
	atomic_long_t nr_held;
	atomic_long_t nr_forgotten;
	/* protects the lists and their lengths */
	spinlock_t lock;
	struct list_head free;
	unsigned long nr_free;
	struct list_head lent;
	unsigned long nr_lent;
	struct mmapdemo_cache __percpu *caches;
	struct shrinker *shrinker;
	struct mmapdemo_stats __percpu *stats;
};

int mmapdemo_pool_init(struct mmapdemo_pool *pool, unsigned long cap,
		       struct mmapdemo_stats __percpu *stats);
long mmapdemo_pool_fini(struct mmapdemo_pool *pool);
struct folio *mmapdemo_pool_get(struct mmapdemo_pool *pool);
int mmapdemo_pool_adopt(struct mmapdemo_pool *pool, struct folio *folio);
void mmapdemo_pool_put(struct mmapdemo_pool *pool, struct folio *folio);
void mmapdemo_pool_take_back(struct mmapdemo_pool *pool);
unsigned long mmapdemo_pool_count(struct mmapdemo_pool *pool);
unsigned long mmapdemo_pool_shrink(struct mmapdemo_pool *pool,
				   unsigned long nr_pages);

#endif /* _MMAPDEMO_POOL_H */
