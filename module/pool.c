// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page pool.
 *
 * A driver keeps a pool when its pages are special: limited in number, slow to
 * get, or owned by hardware. This pool is limited. It allocates pages in
 * batches, hands them out zeroed, one at a time, from a per-CPU cache, takes
 * them back, and frees spare ones under memory pressure.
 *
 * The cap limits all pages that are allocated and not yet freed, those in the
 * store and in the CPUs' caches included. So at the cap all caches are drained
 * before a get fails.
 *
 * A spare page has one reference, the pool's. If anyone else held one, they
 * could read what the next owner stores. A page that others still hold when it
 * is put back is lent to them: it counts against the cap until it is the pool's
 * alone again (mmapdemo_pool_put()).
 */
#include <linux/highmem.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/page_ref.h>
#include <linux/sched.h>
#include <linux/swap.h>

#include "compat.h"
#include "meminfo.h"
#include "pool.h"
#include "stats.h"

/* Pages to allocate, or to move between a cache and the free list, at a time. */
#define POOL_BATCH	16
/* Limit of a CPU's cache: a batch to take from, and one to put into. */
#define CACHE_MAX	(2 * POOL_BATCH)

/*
 * folio->private of a spare page tells whether it still holds its last user's
 * data. Fresh pages come zeroed from the allocator, which does so anyway with
 * init_on_alloc: no page is zeroed twice.
 */
#define POOL_STALE	((void *)1)

/**
 * struct mmapdemo_cache - spare pages of one CPU
 * @lock: protects the rest. A spinlock, not just preemption off, so that a CPU
 *	  at the cap can drain the others' caches.
 * @nr: how many of @pages there are; written under @lock, with WRITE_ONCE() for
 *	lockless readers
 * @pages: last in, first out, while still cache-hot
 */
struct mmapdemo_cache {
	/* protects pages and nr */
	spinlock_t lock;
	unsigned int nr;
	struct folio *pages[CACHE_MAX];
};

static struct folio *cache_take(struct mmapdemo_cache *cache)
{
	struct folio *folio = NULL;

	spin_lock(&cache->lock);
	if (cache->nr) {
		WRITE_ONCE(cache->nr, cache->nr - 1);
		folio = cache->pages[cache->nr];
	}
	spin_unlock(&cache->lock);
	return folio;
}

/* Moves @nr of @pages to the shared free list. */
static void pool_add(struct mmapdemo_pool *pool, struct folio **pages, unsigned int nr)
{
	LIST_HEAD(list);
	unsigned int i;

	for (i = 0; i < nr; i++)
		list_add(&pages[i]->lru, &list);
	mmapdemo_meminfo_add(pages, nr, -1, 1);
	spin_lock(&pool->lock);
	list_splice(&list, &pool->free);
	WRITE_ONCE(pool->nr_free, pool->nr_free + nr);
	spin_unlock(&pool->lock);
}

/* Moves up to @max pages from the free list to @pages. Return: how many. */
static unsigned int pool_remove_locked(struct mmapdemo_pool *pool,
				       struct folio **pages, unsigned long max)
{
	struct list_head *last = &pool->free;
	LIST_HEAD(removed);
	unsigned int nr;

	lockdep_assert_held(&pool->lock);
	for (nr = 0; nr < max && nr < pool->nr_free; nr++) {
		last = last->next;
		pages[nr] = list_entry(last, struct folio, lru);
	}
	list_cut_position(&removed, &pool->free, last);
	WRITE_ONCE(pool->nr_free, pool->nr_free - nr);
	return nr;
}

static unsigned int pool_remove(struct mmapdemo_pool *pool, struct folio **pages,
				unsigned long max)
{
	unsigned int nr;

	spin_lock(&pool->lock);
	nr = pool_remove_locked(pool, pages, max);
	spin_unlock(&pool->lock);
	mmapdemo_meminfo_add(pages, nr, 1, -1);
	return nr;
}

/*
 * Puts pages into the local cache, which gives its coldest ones to the free list
 * when it is full. If we migrate, they go to the cache of the previous CPU:
 * harmless, as its lock is held.
 */
static void cache_give(struct mmapdemo_pool *pool, struct folio **pages, unsigned int nr)
{
	struct mmapdemo_cache *cache = raw_cpu_ptr(pool->caches);
	unsigned int had;

	spin_lock(&cache->lock);
	had = cache->nr;
	if (had + nr > CACHE_MAX) {
		pool_add(pool, cache->pages, POOL_BATCH);
		had -= POOL_BATCH;
		memmove(cache->pages, cache->pages + POOL_BATCH,
			had * sizeof(*cache->pages));
	}
	memcpy(cache->pages + had, pages, nr * sizeof(*pages));
	WRITE_ONCE(cache->nr, had + nr);
	spin_unlock(&cache->lock);
}

/*
 * Moves the pages of all caches to the free list. Holds both locks, so that a
 * page is always in one of the two: otherwise two CPUs that drain at once could
 * both find nothing.
 */
static void pool_drain(struct mmapdemo_pool *pool)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct mmapdemo_cache *cache = per_cpu_ptr(pool->caches, cpu);

		spin_lock(&cache->lock);
		if (cache->nr)
			pool_add(pool, cache->pages, cache->nr);
		WRITE_ONCE(cache->nr, 0);
		spin_unlock(&cache->lock);
	}
}

/* Counts up to @nr more pages as held, as the cap allows. Return: how many. */
static unsigned long pool_reserve(struct mmapdemo_pool *pool, unsigned long nr)
{
	long held = atomic_long_read(&pool->nr_held);

	do {
		nr = min(nr, pool->cap - held);
		if (!nr)
			return 0;
	} while (!atomic_long_try_cmpxchg(&pool->nr_held, &held, held + nr));
	return nr;
}

/*
 * Allocates a batch as one block, and splits it: to find that costs little more than
 * to find a page. Only what is there: nothing is reclaimed or compacted for it.
 * Return: how many pages that were.
 */
static unsigned int alloc_block(struct page **pages)
{
	const gfp_t gfp = (MMAPDEMO_POOL_GFP & ~__GFP_RECLAIM) | __GFP_NOWARN |
			  __GFP_NOMEMALLOC;
	struct page *block = alloc_pages(gfp, ilog2(POOL_BATCH));
	unsigned int i;

	if (!block)
		return 0;
	split_page(block, ilog2(POOL_BATCH));
	for (i = 0; i < POOL_BATCH; i++)
		pages[i] = block + i;
	return POOL_BATCH;
}

/* Allocates up to a batch of pages. Return: how many; -ENOSPC; -ENOMEM. */
static int pool_grow(struct mmapdemo_pool *pool, struct folio **folios)
{
	struct page *pages[POOL_BATCH] = { };
	unsigned int reserved = pool_reserve(pool, POOL_BATCH);
	unsigned int nr = 0, i;

	if (!reserved)
		return -ENOSPC;

	if (reserved == POOL_BATCH)
		nr = alloc_block(pages);
	if (!nr)
		nr = alloc_pages_bulk(MMAPDEMO_POOL_GFP, reserved, pages);
	for (i = 0; i < nr; i++) {
		folios[i] = page_folio(pages[i]);
		folios[i]->private = NULL;
	}
	mmapdemo_meminfo_add(folios, nr, 1, 0);
	atomic_long_sub(reserved - nr, &pool->nr_held);
	mmapdemo_stat_add(pool->stats, STAT_POOL_ALLOCATED, nr);
	return nr ?: -ENOMEM;
}

/* Drops our reference: frees the page, or leaves it to its other holders. */
static void pool_release(struct mmapdemo_pool *pool, struct folio *folio)
{
	folio->private = NULL;
	mmapdemo_stat_inc(pool->stats, STAT_POOL_FREED);
	folio_put(folio);
}

static void pool_forget(struct mmapdemo_pool *pool, struct folio *folio)
{
	mmapdemo_meminfo_add(&folio, 1, -1, 0);
	atomic_long_dec(&pool->nr_held);
	atomic_long_inc(&pool->nr_forgotten);
	pool_release(pool, folio);
}

/*
 * Makes a page spare, if our reference is the last one. To find out, the
 * reference count is frozen: set from 1 to 0, where nobody can get a new one.
 * Return: whether it was.
 */
static bool pool_reclaim(struct folio *folio)
{
	if (!folio_ref_freeze(folio, 1))
		return false;
	/* Zapping dirty and young PTEs sets these. */
	folio_clear_dirty(folio);
	folio_clear_referenced(folio);
	folio->index = 0;
	folio->private = POOL_STALE;
	folio_ref_unfreeze(folio, 1);
	return true;
}

static struct folio *list_take(struct list_head *list)
{
	struct folio *folio = list_first_entry(list, struct folio, lru);

	list_del_init(&folio->lru);
	return folio;
}

/*
 * Whether a page can be of no more use: memory_failure() keeps a reference to a
 * poisoned one, and the allocator undoes mlock's accounting when it frees it.
 */
static bool pool_unfit(struct folio *folio)
{
	return folio_test_hwpoison(folio) || folio_test_mlocked(folio);
}

static void pool_lend(struct mmapdemo_pool *pool, struct folio *folio)
{
	spin_lock(&pool->lock);
	list_add_tail(&folio->lru, &pool->lent);
	WRITE_ONCE(pool->nr_lent, pool->nr_lent + 1);
	spin_unlock(&pool->lock);
}

/**
 * mmapdemo_pool_take_back() - look for lent pages that nobody else holds any more
 * @pool: the pool
 *
 * Nobody tells us when a reference goes, so this looks at each of them: at the
 * cap, when the system is short of memory, and when somebody wants to know.
 *
 * Context: any but hard interrupt.
 */
void mmapdemo_pool_take_back(struct mmapdemo_pool *pool)
{
	unsigned long back = 0, unfit = 0;
	struct folio *folio, *next;
	LIST_HEAD(forget);

	if (!READ_ONCE(pool->nr_lent))
		return;
	spin_lock(&pool->lock);
	list_for_each_entry_safe(folio, next, &pool->lent, lru) {
		if (unlikely(pool_unfit(folio))) {
			list_move(&folio->lru, &forget);
			unfit++;
		} else if (pool_reclaim(folio)) {
			list_move(&folio->lru, &pool->free);
			mmapdemo_meminfo_add(&folio, 1, -1, 1);
			back++;
		}
	}
	WRITE_ONCE(pool->nr_lent, pool->nr_lent - back - unfit);
	WRITE_ONCE(pool->nr_free, pool->nr_free + back);
	spin_unlock(&pool->lock);
	while (!list_empty(&forget))
		pool_forget(pool, list_take(&forget));
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_pool_take_back);

/*
 * Gets a page from the free list, else from the system, else from the caches of
 * other CPUs and from what was lent. The first two give a batch, whose rest goes
 * to the local cache.
 */
static struct folio *pool_refill(struct mmapdemo_pool *pool)
{
	struct folio *batch[POOL_BATCH];
	int nr;

	nr = pool_remove(pool, batch, POOL_BATCH) ?: pool_grow(pool, batch);
	if (nr == -ENOSPC) {
		pool_drain(pool);
		mmapdemo_pool_take_back(pool);
		/* If the shrinker was faster, there is room below the cap. */
		nr = pool_remove(pool, batch, 1) ?: pool_grow(pool, batch);
	}
	if (nr < 0)
		return ERR_PTR(nr);
	if (nr > 1)
		cache_give(pool, batch, nr - 1);
	return batch[nr - 1];
}

/**
 * mmapdemo_pool_get() - get a zeroed page
 * @pool: the pool
 *
 * Context: process context, may sleep and enter reclaim.
 * Return: an unlocked folio of one page, with one reference, the caller's;
 * -ENOSPC: the pool is at its cap, with no spare page (one may be about to be
 * put back: a caller that must be sure excludes the others and tries again);
 * -ENOMEM: the system is out of memory.
 */
struct folio *mmapdemo_pool_get(struct mmapdemo_pool *pool)
{
	struct folio *folio;

	for (;;) {
		folio = cache_take(raw_cpu_ptr(pool->caches)) ?:
			pool_refill(pool);
		if (IS_ERR(folio))
			return folio;
		/* It may have been poisoned while it was spare. */
		if (likely(!folio_test_hwpoison(folio)))
			break;
		pool_forget(pool, folio);
	}

	/* Do not leak the last user's data. */
	if (folio->private == POOL_STALE) {
		clear_highpage(folio_page(folio, 0));
		/* Or the old bytes might still be executed (arm64). */
		flush_dcache_folio(folio);
		folio->private = NULL;
		mmapdemo_stat_inc(pool->stats, STAT_POOL_RECYCLED);
	}
	return folio;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_pool_get);

/**
 * mmapdemo_pool_put() - put a page back
 * @pool: the pool that it came from
 * @folio: an unlocked, unmapped folio with no mapping; the caller's reference
 *	   goes to the pool
 *
 * The page is reused only if that reference is the last one. Others may hold
 * one: a GUP pin or a pipe, for any length of time, and an RCU lookup that found
 * the page in the store just before its removal, for a few instructions. The
 * latter matters as much: filemap_map_pages checks page->mapping under the page
 * lock, but not page->index. If it held a reference to a page that went through
 * here into another slot, it would map that page at the old offset.
 *
 * A page that others hold is lent to them, and still counts against the cap:
 * otherwise a program could take any amount of memory by splicing pages into
 * pipes and discarding them. A page that is poisoned or still marked as mlocked
 * is forgotten: it no longer counts as held.
 *
 * Context: any but hard interrupt.
 */
void mmapdemo_pool_put(struct mmapdemo_pool *pool, struct folio *folio)
{
	VM_WARN_ON_ONCE_FOLIO(folio->mapping, folio);

	if (unlikely(pool_unfit(folio)))
		pool_forget(pool, folio);
	else if (likely(pool_reclaim(folio)))
		cache_give(pool, &folio, 1);
	else
		pool_lend(pool, folio);
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_pool_put);

/**
 * mmapdemo_pool_count() - count the spare pages
 * @pool: the pool
 *
 * Context: any.
 * Return: pages on the free list and in all caches; may be out of date.
 */
unsigned long mmapdemo_pool_count(struct mmapdemo_pool *pool)
{
	unsigned long nr = READ_ONCE(pool->nr_free);
	int cpu;

	for_each_possible_cpu(cpu)
		nr += READ_ONCE(per_cpu_ptr(pool->caches, cpu)->nr);
	return nr;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_pool_count);

/**
 * mmapdemo_pool_shrink() - free spare pages
 * @pool: the pool
 * @nr_pages: the most to free
 *
 * Stored pages cannot be freed: there is no other copy of the user's data.
 *
 * Context: any but hard interrupt; called from reclaim, so allocates nothing.
 * Return: the number of pages freed.
 */
unsigned long mmapdemo_pool_shrink(struct mmapdemo_pool *pool,
				   unsigned long nr_pages)
{
	struct folio *batch[POOL_BATCH];
	unsigned long freed = 0;
	unsigned int nr, i;

	if (READ_ONCE(pool->nr_free) < nr_pages) {
		pool_drain(pool);
		mmapdemo_pool_take_back(pool);
	}
	do {
		/*
		 * Unlist the pages and make room below the cap in one step:
		 * otherwise a fault at the cap could find neither a page nor
		 * room for one.
		 */
		spin_lock(&pool->lock);
		nr = pool_remove_locked(pool, batch, min_t(unsigned long, POOL_BATCH,
							   nr_pages - freed));
		atomic_long_sub(nr, &pool->nr_held);
		spin_unlock(&pool->lock);
		mmapdemo_meminfo_add(batch, nr, 0, -1);
		for (i = 0; i < nr; i++)
			pool_release(pool, batch[i]);
		freed += nr;
	} while (nr && freed < nr_pages);
	return freed;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_pool_shrink);

/**
 * mmapdemo_pool_adopt() - take a page that the caller has allocated
 * @pool: the pool
 * @folio: a page of %MMAPDEMO_POOL_GFP; the caller keeps its reference, and puts
 *	   the page back like one of mmapdemo_pool_get()
 *
 * At the cap a spare page makes room for it.
 *
 * Context: process context.
 * Return: 0; -ENOSPC: as for mmapdemo_pool_get(); the page is the caller's.
 */
int mmapdemo_pool_adopt(struct mmapdemo_pool *pool, struct folio *folio)
{
	if (!pool_reserve(pool, 1) &&
	    !(mmapdemo_pool_shrink(pool, 1) && pool_reserve(pool, 1)))
		return -ENOSPC;
	folio->private = NULL;
	mmapdemo_meminfo_add(&folio, 1, 1, 0);
	mmapdemo_stat_inc(pool->stats, STAT_POOL_ALLOCATED);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_pool_adopt);

static unsigned long pool_shrinker_count(struct shrinker *shrinker,
					 struct shrink_control *sc)
{
	struct mmapdemo_pool *pool = SHRINKER_PRIVATE(shrinker);

	/* Lent pages may have come back: only a scan finds out. */
	return mmapdemo_pool_count(pool) + READ_ONCE(pool->nr_lent) ?:
	       SHRINK_EMPTY;
}

static unsigned long pool_shrinker_scan(struct shrinker *shrinker,
					struct shrink_control *sc)
{
	return mmapdemo_pool_shrink(SHRINKER_PRIVATE(shrinker),
				    sc->nr_to_scan) ?: SHRINK_STOP;
}

static int pool_shrinker_create(struct mmapdemo_pool *pool)
{
	struct shrinker *shrinker = shrinker_alloc(0, "mmapdemo-pool");

	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = pool_shrinker_count;
	shrinker->scan_objects = pool_shrinker_scan;
	SHRINKER_PRIVATE(shrinker) = pool;
	pool->shrinker = shrinker;
	/* Last: from here on it may be called. Before 6.7 this could fail. */
	if (mmapdemo_shrinker_register(shrinker)) {
		shrinker_free(shrinker);
		return -ENOMEM;
	}
	return 0;
}

/**
 * mmapdemo_pool_init() - make an empty pool
 * @pool: uninitialised memory, owned by the caller
 * @cap: the most pages that the pool may hold
 * @stats: where to count
 *
 * Context: process context, may sleep.
 * Return: 0, or -ENOMEM.
 */
int mmapdemo_pool_init(struct mmapdemo_pool *pool, unsigned long cap,
		       struct mmapdemo_stats __percpu *stats)
{
	int cpu;

	pool->cap = cap;
	pool->stats = stats;
	atomic_long_set(&pool->nr_held, 0);
	atomic_long_set(&pool->nr_forgotten, 0);
	spin_lock_init(&pool->lock);
	INIT_LIST_HEAD(&pool->free);
	pool->nr_free = 0;
	INIT_LIST_HEAD(&pool->lent);
	pool->nr_lent = 0;

	pool->caches = alloc_percpu(struct mmapdemo_cache);
	if (!pool->caches)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		struct mmapdemo_cache *cache = per_cpu_ptr(pool->caches, cpu);

		spin_lock_init(&cache->lock);
	}

	if (pool_shrinker_create(pool)) {
		free_percpu(pool->caches);
		return -ENOMEM;
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_pool_init);

/**
 * mmapdemo_pool_fini() - free all pages
 * @pool: the pool; all of its pages have been put back
 *
 * Frees the shrinker first, which waits for a running scan: after that the
 * lists are ours alone. Pages that are still lent are left to their holders.
 *
 * Context: process context, may sleep.
 * Return: 0, or the number of pages that were not put back: a leak, which is
 * also reported with WARN().
 */
long mmapdemo_pool_fini(struct mmapdemo_pool *pool)
{
	long missing;

	shrinker_free(pool->shrinker);
	while (mmapdemo_pool_shrink(pool, SWAP_CLUSTER_MAX))
		cond_resched();
	while (!list_empty(&pool->lent))
		pool_forget(pool, list_take(&pool->lent));
	free_percpu(pool->caches);
	missing = atomic_long_read(&pool->nr_held);
	WARN(missing, "%ld pages are missing\n", missing);
	return missing;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_pool_fini);
