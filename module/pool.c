// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page pool.
 *
 * A driver keeps a pool when its pages are special: bounded in number, slow to
 * come by, or owned by hardware. This one is bounded. It takes pages from the
 * system in batches, hands them out zeroed one at a time from a cache of the
 * local CPU, takes them back, and returns what it does not need when the
 * system is short of memory.
 *
 * The cap counts every page that the pool has taken and not given back, those
 * in the store included. Pages that sit in another CPU's cache count as well,
 * so at the cap all caches are drained before the answer is "no".
 *
 * Pages on the pool's lists have a reference count of 1, the pool's. Nobody
 * else may hold one, or the next owner's data would be open to a stranger:
 * see mmapdemo_pool_put().
 */
#include <linux/highmem.h>
#include <linux/list.h>
#include <linux/page_ref.h>
#include <linux/sched.h>
#include <linux/swap.h>

#include "mmapdemo.h"

/* Pages per trip to the system, and the most that move between two lists. */
#define POOL_BATCH	16
/* A CPU keeps up to this many: a batch to take from, and one to put into. */
#define CACHE_MAX	(2 * POOL_BATCH)

/*
 * While a page is the pool's, folio->private says whether it still holds what
 * its last user wrote. Fresh pages come zeroed from the allocator, which on a
 * kernel with init_on_alloc does so anyway: nothing is ever zeroed twice.
 */
#define POOL_STALE	((void *)1)

/**
 * struct mmapdemo_cache - spare pages of one CPU
 * @lock: protects the rest. A spinlock, not just preemption off, so that a
 *	  CPU that finds the pool at its cap can take what others cache.
 * @pages: linked by folio->lru, the last one put first, while its lines are
 *	   still in the CPU's own caches
 * @nr: length of @pages; changes under @lock, by WRITE_ONCE() for those who
 *	count without it
 */
struct mmapdemo_cache {
	/* protects pages and nr */
	spinlock_t lock;
	struct list_head pages;
	unsigned int nr;
};

static struct folio *list_take(struct list_head *list)
{
	struct folio *folio = list_first_entry(list, struct folio, lru);

	list_del_init(&folio->lru);
	return folio;
}

static struct folio *cache_take(struct mmapdemo_cache *cache)
{
	struct folio *folio = NULL;

	spin_lock(&cache->lock);
	if (cache->nr) {
		folio = list_take(&cache->pages);
		WRITE_ONCE(cache->nr, cache->nr - 1);
	}
	spin_unlock(&cache->lock);
	return folio;
}

/* Moves everything from @list, of length @nr, to the shared free list. */
static void pool_splice(struct mmapdemo_pool *pool, struct list_head *list,
			unsigned long nr)
{
	spin_lock(&pool->lock);
	list_splice_init(list, &pool->free);
	WRITE_ONCE(pool->nr_free, pool->nr_free + nr);
	spin_unlock(&pool->lock);
}

/* Takes up to @max pages off the free list. Return: how many. */
static unsigned long pool_unsplice_locked(struct mmapdemo_pool *pool,
					  struct list_head *list,
					  unsigned long max)
{
	unsigned long nr, i;
	struct list_head *last = &pool->free;

	lockdep_assert_held(&pool->lock);
	nr = min(max, pool->nr_free);
	for (i = 0; i < nr; i++)
		last = last->next;
	list_cut_position(list, &pool->free, last);
	WRITE_ONCE(pool->nr_free, pool->nr_free - nr);
	return nr;
}

static unsigned long pool_unsplice(struct mmapdemo_pool *pool,
				   struct list_head *list, unsigned long max)
{
	unsigned long nr;

	spin_lock(&pool->lock);
	nr = pool_unsplice_locked(pool, list, max);
	spin_unlock(&pool->lock);
	return nr;
}

/*
 * Puts a page into the local cache, and what that overflows into the free
 * list. The CPU may change under us: then the page lands in the cache of the
 * CPU that we were on, which the lock makes safe and nobody minds.
 */
static void cache_give(struct mmapdemo_pool *pool, struct folio *folio)
{
	struct mmapdemo_cache *cache = raw_cpu_ptr(pool->caches);
	LIST_HEAD(surplus);
	unsigned int nr, i;

	spin_lock(&cache->lock);
	list_add(&folio->lru, &cache->pages);
	nr = cache->nr + 1;
	if (nr > CACHE_MAX) {
		/* The tail has been there longest: it is the coldest. */
		for (i = 0; i < POOL_BATCH; i++)
			list_move(cache->pages.prev, &surplus);
		pool_splice(pool, &surplus, POOL_BATCH);
		nr -= POOL_BATCH;
	}
	WRITE_ONCE(cache->nr, nr);
	spin_unlock(&cache->lock);
}

/*
 * Empties every CPU's cache into the free list. Under both locks, so that a
 * page is always on one list or the other for whoever looks at them in the same
 * order: two that drain at once must not both come away with nothing.
 */
static void pool_drain(struct mmapdemo_pool *pool)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct mmapdemo_cache *cache = per_cpu_ptr(pool->caches, cpu);

		spin_lock(&cache->lock);
		if (cache->nr)
			pool_splice(pool, &cache->pages, cache->nr);
		WRITE_ONCE(cache->nr, 0);
		spin_unlock(&cache->lock);
	}
}

/* Return: how many of @nr more pages fit under the cap; they are now held. */
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
 * Takes up to a batch of new pages from the system. Pages of a pool cannot
 * move (the core would not know whom to tell), so they must not come from
 * ZONE_MOVABLE or CMA, where a long-term pin would try to migrate them:
 * GFP_HIGHUSER, not GFP_HIGHUSER_MOVABLE.
 */
static long pool_grow(struct mmapdemo_pool *pool, struct list_head *list)
{
	struct page *pages[POOL_BATCH] = { };
	unsigned long reserved = pool_reserve(pool, POOL_BATCH);
	unsigned long i, nr;

	if (!reserved)
		return -ENOSPC;

	nr = alloc_pages_bulk(GFP_HIGHUSER | __GFP_ZERO, reserved, pages);
	for (i = 0; i < nr; i++) {
		struct folio *folio = page_folio(pages[i]);

		folio->private = NULL;
		list_add_tail(&folio->lru, list);
	}
	atomic_long_sub(reserved - nr, &pool->nr_held);
	mmapdemo_stat_add(STAT_POOL_ALLOCATED, nr);
	return nr ?: -ENOMEM;
}

/*
 * Gets a batch from the free list, else from the system, else from the caches
 * of other CPUs; keeps the rest of it in the local cache.
 */
static struct folio *pool_refill(struct mmapdemo_pool *pool)
{
	struct folio *folio;
	LIST_HEAD(batch);
	long nr;

	nr = pool_unsplice(pool, &batch, POOL_BATCH);
	if (!nr)
		nr = pool_grow(pool, &batch);
	if (nr == -ENOSPC) {
		pool_drain(pool);
		/* The shrinker may have got there first: then there is room. */
		nr = pool_unsplice(pool, &batch, 1) ?: pool_grow(pool, &batch);
	}
	if (nr < 0)
		return ERR_PTR(nr);

	folio = list_take(&batch);
	if (nr > 1) {
		struct mmapdemo_cache *cache = raw_cpu_ptr(pool->caches);

		spin_lock(&cache->lock);
		list_splice(&batch, &cache->pages);
		WRITE_ONCE(cache->nr, cache->nr + nr - 1);
		spin_unlock(&cache->lock);
	}
	return folio;
}

/* Gives a page back to the system, or to whoever else still refers to it. */
static void pool_release(struct folio *folio)
{
	folio->private = NULL;
	mmapdemo_stat_inc(STAT_POOL_FREED);
	folio_put(folio);
}

static void pool_forget(struct mmapdemo_pool *pool, struct folio *folio)
{
	atomic_long_dec(&pool->nr_held);
	atomic_long_inc(&pool->nr_forgotten);
	pool_release(folio);
}

/**
 * mmapdemo_pool_get() - get a zeroed page
 * @pool: the pool
 *
 * Context: process context, may sleep and enter reclaim.
 * Return: an unlocked folio of one page with one reference, which is the
 * caller's; -ENOSPC: the pool holds as many pages as its cap allows, and none
 * is spare (one may be on its way back: a caller that must know for sure
 * keeps the others out and asks again); -ENOMEM: the system has none.
 */
struct folio *mmapdemo_pool_get(struct mmapdemo_pool *pool)
{
	struct folio *folio;

	for (;;) {
		folio = cache_take(raw_cpu_ptr(pool->caches)) ?:
			pool_refill(pool);
		if (IS_ERR(folio))
			return folio;
		/* The hardware gave up on it while it was spare. */
		if (likely(!folio_test_hwpoison(folio)))
			break;
		pool_forget(pool, folio);
	}

	/* Nobody may see what the page's last user left in it. */
	if (folio->private == POOL_STALE) {
		clear_highpage(folio_page(folio, 0));
		/* Or who executes it might still execute that (arm64). */
		flush_dcache_folio(folio);
		folio->private = NULL;
		mmapdemo_stat_inc(STAT_POOL_RECYCLED);
		mmapdemo_stat_inc(STAT_POOL_ZEROED);
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
 * The page is used again only if that reference is the last one, and it is
 * frozen (taken to 0, where nobody can get a new one) while that is found out.
 * Who else may have one: a GUP pin or a pipe, for as long as they like; a
 * lookup under RCU that found the page in the store just before it was removed,
 * for some instructions. The latter matters as much: filemap_map_pages checks
 * page->mapping under the page lock, but not page->index. If it held a reference
 * on a page that went through here and into another slot, it would map that page
 * at the old place.
 *
 * What somebody else still uses is left to them, as is a page that is poisoned
 * or still marked as mlocked: it is forgotten, and counts as held no more.
 *
 * Context: any but hard interrupt.
 */
void mmapdemo_pool_put(struct mmapdemo_pool *pool, struct folio *folio)
{
	VM_WARN_ON_ONCE_FOLIO(folio->mapping, folio);

	if (!folio_ref_freeze(folio, 1)) {
		pool_forget(pool, folio);
		return;
	}
	/* A zap of dirty and young PTEs leaves these behind. */
	folio_clear_dirty(folio);
	folio_clear_referenced(folio);
	folio->index = 0;
	folio->private = POOL_STALE;
	folio_ref_unfreeze(folio, 1);

	/* mlock's accounting is undone where the allocator frees the page. */
	if (folio_test_hwpoison(folio) || folio_test_mlocked(folio))
		pool_forget(pool, folio);
	else
		cache_give(pool, folio);
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_pool_put);

/**
 * mmapdemo_pool_count() - count the spare pages
 * @pool: the pool
 *
 * Context: any.
 * Return: pages on the free list and in all caches, a moment ago.
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
 * mmapdemo_pool_shrink() - give spare pages back to the system
 * @pool: the pool
 * @nr_pages: give back up to this many
 *
 * Only what is spare can go: what is stored is the user's data, and has no
 * other copy.
 *
 * Context: any but hard interrupt; called from reclaim, so allocates nothing.
 * Return: pages given back.
 */
unsigned long mmapdemo_pool_shrink(struct mmapdemo_pool *pool,
				   unsigned long nr_pages)
{
	LIST_HEAD(pages);
	unsigned long nr;

	if (READ_ONCE(pool->nr_free) < nr_pages)
		pool_drain(pool);
	/*
	 * Off the list and below the cap in one step: else a fault at the cap
	 * would find neither a page nor room for one.
	 */
	spin_lock(&pool->lock);
	nr = pool_unsplice_locked(pool, &pages, nr_pages);
	atomic_long_sub(nr, &pool->nr_held);
	spin_unlock(&pool->lock);
	while (!list_empty(&pages))
		pool_release(list_take(&pages));
	return nr;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_pool_shrink);

static unsigned long pool_shrinker_count(struct shrinker *shrinker,
					 struct shrink_control *sc)
{
	return mmapdemo_pool_count(SHRINKER_PRIVATE(shrinker)) ?:
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
 *
 * Context: process context, may sleep.
 * Return: 0, or -ENOMEM.
 */
int mmapdemo_pool_init(struct mmapdemo_pool *pool, unsigned long cap)
{
	int cpu;

	pool->cap = cap;
	atomic_long_set(&pool->nr_held, 0);
	atomic_long_set(&pool->nr_forgotten, 0);
	spin_lock_init(&pool->lock);
	INIT_LIST_HEAD(&pool->free);
	pool->nr_free = 0;

	pool->caches = alloc_percpu(struct mmapdemo_cache);
	if (!pool->caches)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		struct mmapdemo_cache *cache = per_cpu_ptr(pool->caches, cpu);

		spin_lock_init(&cache->lock);
		INIT_LIST_HEAD(&cache->pages);
	}

	if (pool_shrinker_create(pool)) {
		free_percpu(pool->caches);
		return -ENOMEM;
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_pool_init);

/**
 * mmapdemo_pool_fini() - give everything back
 * @pool: the pool, all of whose pages have been put back
 *
 * The shrinker goes first: unregistering it waits for a scan that is running,
 * after which the lists are ours alone.
 *
 * Context: process context, may sleep.
 * Return: pages that were taken from the system and are not back: a leak, which
 * is also reported with WARN(), or else 0.
 */
long mmapdemo_pool_fini(struct mmapdemo_pool *pool)
{
	long missing;

	shrinker_free(pool->shrinker);
	while (mmapdemo_pool_shrink(pool, SWAP_CLUSTER_MAX))
		cond_resched();
	free_percpu(pool->caches);
	missing = atomic_long_read(&pool->nr_held);
	WARN(missing, "%ld pages are missing\n", missing);
	return missing;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_pool_fini);
