/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mmapdemo - how a driver serves mmap(2)
 *
 * /dev/mmapdemo is a sparse array of pages in memory. A mapping of it behaves
 * as a mapping of a tmpfs file of the same size does: pages come into being,
 * zero-filled, on first touch; every process sees the same ones; the first
 * write to each after it was cleaned is recorded in the dirty log.
 *
 * The objects, and who owns whom:
 *
 *   struct mmapdemo_device      one; lives as long as the module
 *    |-- struct mmapdemo_store  pgoff -> page; owns an inode of its own, whose
 *    |    `-- struct inode      address_space holds the pages (->i_pages) and
 *    |                          knows every VMA that maps them (->i_mmap)
 *    `-- struct mmapdemo_pool   where pages come from and go back to; a cap,
 *         `-- per-CPU caches    a cache per CPU, a shrinker
 *
 * A page belongs to the pool, to the store, or - between a pool_get and the
 * store's taking it, or a removal and the pool's taking it back - to the code
 * that moves it: each hands over its one reference. Page tables, pinners and
 * pipes hold references of their own on top, and may outlive ours.
 *
 * A first store instruction to a fresh page of a shared mapping:
 *
 *   user          core (mm/memory.c)        vma.c          store.c    pool.c
 *    | store ------>|
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
 *    |              |                         | lock, still ours?
 *    |              |                         | already dirty: nothing to do
 *    |              |<--- locked page --------|
 *    |              | finish_fault: PTE writable
 *    |<-------------| unlock
 *
 * Lock order, outermost first:
 *
 *   inode_lock                write(2) and discard, against each other
 *    mmap_lock or VMA lock    the core, around ->mmap, ->fault, ->page_mkwrite
 *     invalidate_lock         shared: a page enters the store;
 *                             exclusive: pages leave it, or the cap is hit
 *      folio lock             the page stays where it is, and stays as clean
 *                             or as dirty as it is
 *       i_mmap_rwsem, PTL     the core, in zap and in rmap walks
 *        i_pages.xa_lock      irq-safe: slots, marks and counts of the store
 *      cache.lock             a CPU's spare pages
 *       pool.lock             everybody's spare pages
 *
 * No lock that ->fault takes is ever held while user memory is accessed: the
 * user's buffer may lie in a mapping of this very device.
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
 * @cap: the most pages that the pool may hold, those in the store included
 * @nr_held: pages taken from the system and not given back to it
 * @nr_forgotten: pages given up because somebody else still used them
 * @lock: protects @free and @nr_free
 * @free: pages that no CPU caches, linked by folio->lru
 * @nr_free: length of @free; changes under @lock, by WRITE_ONCE() for those who
 *	     count without it
 * @caches: per-CPU lists in front of @free
 * @shrinker: gives @free and @caches back under memory pressure
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
 * @inode: its address_space is the store, its i_size the size of the device
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

/* The first pgoff past the end; may change at once unless locked. */
static inline pgoff_t mmapdemo_store_end(const struct mmapdemo_store *store)
{
	return i_size_read(store->inode) >> PAGE_SHIFT;
}

/* The dirty log: marks in the store, one per page. */
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
 * @next: first page that was not looked at yet; moves
 * @last: last page of the range, inclusive
 * @clear: clean each page that is returned
 * @start: of the extents: first page
 * @nr_pages: of the extents: how many pages follow each other
 * @nr: extents found
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
 * struct mmapdemo_device - what /dev/mmapdemo is made of
 * @misc: its registration; file->private_data of every open file leads here
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
 * The largest device: all of it can be mapped. A 64-bit kernel allows what it
 * allows of files; of a character device a 32-bit one maps no more than an
 * unsigned long of bytes (mm/mmap.c, file_mmap_ok()).
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
	STAT_VMA_CLOSE,		/* VMAs that went away */
	STAT_FAULT_READ,	/* ->fault for a read */
	STAT_FAULT_WRITE,	/* ->fault for a shared write */
	STAT_FAULT_COW,		/* ->fault for a private write */
	STAT_MAP_PAGES,		/* read faults served by ->map_pages alone */
	STAT_INSERTED,		/* PTEs that fault_mode=insert put in */
	STAT_MKWRITE,		/* ->page_mkwrite */
	STAT_SIGBUS_SIZE,	/* faults past the end */
	STAT_SIGBUS_CAP,	/* faults with the pool at its cap */
	STAT_SIGBUS_POISON,	/* faults on a poisoned page */
	STAT_DIRTIED,		/* pages that entered the dirty log */
	STAT_CLEANED,		/* pages that a sync took out of it */
	STAT_DISCARDED,		/* pages that a discard removed */
	STAT_POOL_ALLOCATED,	/* pages taken from the system */
	STAT_POOL_FREED,	/* pages given back to the system */
	STAT_POOL_RECYCLED,	/* pages used again */
	STAT_POOL_ZEROED,	/* recycled pages zeroed for it */
	MMAPDEMO_NR_STATS
};

struct mmapdemo_stats {
	unsigned long count[MMAPDEMO_NR_STATS];
};

DECLARE_PER_CPU(struct mmapdemo_stats, mmapdemo_stats);

/* One instruction on the local CPU's line: nothing bounces between CPUs. */
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
