/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mmapdemo - how a driver serves mmap(2)
 *
 * /dev/mmapdemo is a sparse array of pages in memory. A mapping of it behaves
 * like a mapping of a tmpfs file of the same size: pages are allocated,
 * zero-filled, on first touch, and shared by all processes. The dirty log
 * records the first write to each page after it was last cleaned.
 *
 * The objects and their owners:
 *
 *   struct mmapdemo_device      one; lives as long as the module
 *    |-- struct mmapdemo_store  pgoff -> page; owns an inode of its own, whose
 *    |    `-- struct inode      address_space holds the pages (->i_pages) and
 *    |                          knows every VMA that maps them (->i_mmap)
 *    `-- struct mmapdemo_pool   supplies pages and takes them back; has a cap,
 *         `-- per-CPU caches    a cache per CPU, and a shrinker
 *
 * One reference to each page is ours; whoever holds it owns the page: the
 * pool, the store, or the code that moves the page from one to the other. Page
 * tables, pins and pipes hold further references, which may outlive ours.
 *
 * The first write to a hole through a shared mapping:
 *
 *   user          core (mm/memory.c)        vma.c          store.c    pool.c
 *    | write ------>|
 *    |              | do_shared_fault
 *    |              |---- ->fault ----------->|
 *    |              |                         |-- make --->|
 *    |              |                         |            |- get ----->|
 *    |              |                         |            |<- zeroed --|
 *    |              |                         |            | insert into
 *    |              |                         |            | i_pages, dirty
 *    |              |<--- locked page --------|<- locked --|
 *    |              | unlock
 *    |              |---- ->page_mkwrite ---->|
 *    |              |                         | lock, still in the store?
 *    |              |                         | in the log already
 *    |              |<--- locked page --------|
 *    |              | finish_fault: PTE writable
 *    |<-------------| unlock
 *
 * Lock order, outermost first:
 *
 *   inode_lock                serialises write(2), discard and resize
 *    mmap_lock or VMA lock    the core, around ->mmap, ->fault, ->page_mkwrite
 *     invalidate_lock         shared: a page enters the store;
 *                             exclusive: pages leave it, or the cap is hit
 *      folio lock             the page stays in its slot, and is not cleaned
 *       i_mmap_rwsem, PTL     the core, in zap and in rmap walks
 *        i_pages.xa_lock      irq-safe: slots, marks and counts of the store
 *      cache.lock             the spare pages of one CPU
 *       pool.lock             the spare pages that no CPU caches
 *
 * Never access user memory under a lock that ->fault takes: the user's buffer
 * may be a mapping of this very device.
 */
#ifndef _MMAPDEMO_H
#define _MMAPDEMO_H

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>

#include "compat.h"

#define MMAPDEMO_VERSION	"0.1.0"

struct dentry;
struct shrinker;

/**
 * struct mmapdemo_pool - a bounded supply of zeroed pages
 * @cap: limit on @nr_held
 * @nr_held: pages allocated and not yet freed, those in the store included
 * @nr_forgotten: pages given up: in use by others, poisoned or mlocked
 * @lock: protects @free and @nr_free
 * @free: pages that no CPU caches, linked by folio->lru
 * @nr_free: length of @free; written under @lock, with WRITE_ONCE() for
 *	     lockless readers
 * @caches: per-CPU lists in front of @free
 * @shrinker: frees spare pages under memory pressure
 */
struct mmapdemo_pool {
	unsigned long cap;
	atomic_long_t nr_held;
	atomic_long_t nr_forgotten;
	/* protects free and nr_free */
	spinlock_t lock;
	struct list_head free;
	unsigned long nr_free;
	struct mmapdemo_cache __percpu *caches;
	struct shrinker *shrinker;
};

int mmapdemo_pool_init(struct mmapdemo_pool *pool, unsigned long cap);
long mmapdemo_pool_fini(struct mmapdemo_pool *pool);
struct folio *mmapdemo_pool_get(struct mmapdemo_pool *pool);
void mmapdemo_pool_put(struct mmapdemo_pool *pool, struct folio *folio);
unsigned long mmapdemo_pool_count(struct mmapdemo_pool *pool);
unsigned long mmapdemo_pool_shrink(struct mmapdemo_pool *pool,
				   unsigned long nr_pages);

/**
 * struct mmapdemo_store - the backing store: a page for each touched pgoff
 * @pool: where its pages come from
 * @inode: its address_space holds the pages, its i_size is the device's size
 * @nr_dirty: pages in the dirty log; protected by the xa_lock of i_pages
 */
struct mmapdemo_store {
	struct mmapdemo_pool *pool;
	struct inode *inode;
	unsigned long nr_dirty;
};

int mmapdemo_store_init(struct mmapdemo_store *store,
			struct mmapdemo_pool *pool, loff_t size);
void mmapdemo_store_fini(struct mmapdemo_store *store);
struct folio *mmapdemo_store_get(struct mmapdemo_store *store, pgoff_t pgoff);
unsigned int mmapdemo_store_get_run(struct mmapdemo_store *store, pgoff_t pgoff,
				    struct folio **folios, unsigned int max);
struct folio *mmapdemo_store_find(struct mmapdemo_store *store, pgoff_t pgoff);
struct folio *mmapdemo_store_make(struct mmapdemo_store *store, pgoff_t pgoff,
				  bool dirty);
struct folio *mmapdemo_store_grab(struct mmapdemo_store *store, pgoff_t pgoff,
				  bool dirty);
unsigned long mmapdemo_store_discard(struct mmapdemo_store *store,
				     pgoff_t start, pgoff_t end);
void mmapdemo_store_resize(struct mmapdemo_store *store, loff_t size);
loff_t mmapdemo_store_seek(struct mmapdemo_store *store, loff_t pos,
			   int whence);
int mmapdemo_store_module_init(void);
void mmapdemo_store_module_exit(void);

static inline struct address_space *
mmapdemo_store_mapping(const struct mmapdemo_store *store)
{
	return store->inode->i_mapping;
}

/* The first pgoff past the end; stable under inode_lock or invalidate_lock. */
static inline pgoff_t mmapdemo_store_end(const struct mmapdemo_store *store)
{
	return i_size_read(store->inode) >> PAGE_SHIFT;
}

/* The dirty log: a mark on each written page of the store. */
bool mmapdemo_dirty_folio(struct address_space *mapping, struct folio *folio);
void mmapdemo_dirty_set_locked(struct mmapdemo_store *store,
			       struct folio *folio, struct xa_state *xas);
void mmapdemo_dirty_drop_locked(struct mmapdemo_store *store,
				struct folio *folio);
unsigned long mmapdemo_dirty_clean(struct mmapdemo_store *store,
				   pgoff_t start, pgoff_t last);

#define MMAPDEMO_HARVEST_MAX	64

/**
 * struct mmapdemo_harvest - a walk over the dirty log
 * @next: first page that was not visited yet; advances
 * @last: last page of the range, inclusive
 * @clear: clean each page that is returned
 * @start: first page of each extent
 * @nr_pages: length of each extent
 * @nr: number of extents
 */
struct mmapdemo_harvest {
	pgoff_t next;
	pgoff_t last;
	bool clear;
	pgoff_t start[MMAPDEMO_HARVEST_MAX];
	unsigned long nr_pages[MMAPDEMO_HARVEST_MAX];
	unsigned int nr;
};

void mmapdemo_dirty_harvest(struct mmapdemo_store *store,
			    struct mmapdemo_harvest *harvest, unsigned int max);
void mmapdemo_dirty_restore(struct mmapdemo_store *store,
			    const struct mmapdemo_harvest *harvest,
			    unsigned int first);

/**
 * struct mmapdemo_device - the state of /dev/mmapdemo
 * @misc: its registration
 * @pool: its pages
 * @store: its contents
 * @debugfs: directory of its statistics
 */
struct mmapdemo_device {
	struct miscdevice misc;
	struct mmapdemo_pool pool;
	struct mmapdemo_store store;
	struct dentry *debugfs;
};

static inline struct mmapdemo_device *mmapdemo_device(const struct file *file)
{
	return file->private_data;
}

enum mmapdemo_mmap_hook {
	MMAPDEMO_HOOK_MMAP,
	MMAPDEMO_HOOK_MMAP_PREPARE,
};

extern const struct file_operations mmapdemo_fops;
const struct file_operations *mmapdemo_fops_with(enum mmapdemo_mmap_hook hook);
long mmapdemo_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
int mmapdemo_mmap(struct file *file, struct vm_area_struct *vma);
#if MMAPDEMO_HAVE_MMAP_PREPARE
int mmapdemo_mmap_prepare(struct vm_area_desc *desc);
#endif

enum mmapdemo_fault_mode {
	MMAPDEMO_FAULT_MAP_PAGES,
	MMAPDEMO_FAULT_INSERT,
};

enum mmapdemo_mmap_hook mmapdemo_param_mmap_hook(void);
enum mmapdemo_fault_mode mmapdemo_param_fault_mode(void);
unsigned long mmapdemo_param_fault_around(void);
/*
 * The largest device that can be mapped as a whole. A 64-bit kernel has the
 * same limit as for files; a 32-bit kernel maps a character device up to
 * ULONG_MAX (mm/mmap.c, file_mmap_ok()).
 */
#define MMAPDEMO_SIZE_MAX \
	round_down((u64)(BITS_PER_LONG == 64 ? MAX_LFS_FILESIZE : ULONG_MAX), PAGE_SIZE)

u64 mmapdemo_param_size(void);
u64 mmapdemo_param_pool_size(void);
int mmapdemo_parse_size(const char *str, u64 *size);
#if IS_ENABLED(CONFIG_KUNIT)
int mmapdemo_fault_mode_set(const char *val);
#endif

/* The counters; stats.c has the names that debugfs shows. */
enum mmapdemo_stat {
	STAT_MMAP,		/* mappings made by mmap(2) */
	STAT_VMA_OPEN,		/* VMAs copied: fork, split, mremap */
	STAT_VMA_CLOSE,		/* VMAs closed */
	STAT_FAULT_READ,	/* ->fault for a read */
	STAT_FAULT_WRITE,	/* ->fault for a shared write */
	STAT_FAULT_COW,		/* ->fault for a private write */
	STAT_MAP_PAGES,		/* read faults served by ->map_pages alone */
	STAT_INSERTED,		/* PTEs set by fault_mode=insert */
	STAT_MKWRITE,		/* ->page_mkwrite */
	STAT_SIGBUS_SIZE,	/* faults past the end */
	STAT_SIGBUS_CAP,	/* faults with the pool at its cap */
	STAT_SIGBUS_POISON,	/* faults on a poisoned page */
	STAT_DIRTIED,		/* pages that entered the dirty log */
	STAT_CLEANED,		/* pages that a sync took out of it */
	STAT_DISCARDED,		/* pages removed by discard or resize */
	STAT_POOL_ALLOCATED,	/* pages allocated */
	STAT_POOL_FREED,	/* pages freed, or left to others */
	STAT_POOL_RECYCLED,	/* used pages handed out again */
	STAT_POOL_ZEROED,	/* recycled pages that were zeroed */
	MMAPDEMO_NR_STATS
};

struct mmapdemo_stats {
	unsigned long count[MMAPDEMO_NR_STATS];
};

DECLARE_PER_CPU(struct mmapdemo_stats, mmapdemo_stats);

/* One instruction, on a cache line of the local CPU: nothing bounces. */
static inline void mmapdemo_stat_add(enum mmapdemo_stat stat, unsigned long n)
{
	this_cpu_add(mmapdemo_stats.count[stat], n);
}

static inline void mmapdemo_stat_inc(enum mmapdemo_stat stat)
{
	mmapdemo_stat_add(stat, 1);
}

unsigned long mmapdemo_stat_read(enum mmapdemo_stat stat);
void mmapdemo_stats_create(struct mmapdemo_device *dev);
void mmapdemo_stats_destroy(struct mmapdemo_device *dev);

#endif /* _MMAPDEMO_H */
