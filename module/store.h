/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The backing store: store.c finds and makes pages, remove.c removes them,
 * inode.c has the inode that they live in.
 */
#ifndef _MMAPDEMO_STORE_H
#define _MMAPDEMO_STORE_H

#include <linux/fs.h>
#include <linux/mm_types.h>
#include <linux/workqueue.h>

struct mmapdemo_pool;
struct mmapdemo_stats;

/**
 * struct mmapdemo_store - the backing store: a page for each touched pgoff
 * @pool: where its pages come from
 * @inode: its address_space holds the pages, its i_size is the device's size
 * @device: number of the device, for its parameters and tracepoints
 * @log: whether it keeps a dirty log; if not, its pages have no marks
 * @stats: where it counts; the pool's
 * @nr_dirty: pages in the dirty log; protected by the xa_lock of i_pages
 * @trimmed: whether no page is left past the end; protected by the inode's lock
 * @trim: makes it so after a shrink that was killed
 */
struct mmapdemo_store {
	struct mmapdemo_pool *pool;
	struct inode *inode;
	unsigned int device;
	bool log;
	struct mmapdemo_stats __percpu *stats;
	unsigned long nr_dirty;
	bool trimmed;
	struct work_struct trim;
};

int mmapdemo_store_init(struct mmapdemo_store *store,
			struct mmapdemo_pool *pool, unsigned int device,
			loff_t size, bool log);
void mmapdemo_store_fini(struct mmapdemo_store *store);
int mmapdemo_store_module_init(void);
void mmapdemo_store_module_exit(void);

struct folio *mmapdemo_store_get(struct mmapdemo_store *store, pgoff_t pgoff);
unsigned int mmapdemo_store_get_run(struct mmapdemo_store *store, pgoff_t pgoff,
				    struct folio **folios, unsigned int max);
struct folio *mmapdemo_store_grab(struct mmapdemo_store *store, pgoff_t pgoff,
				  struct vm_area_struct *vma,
				  struct file *writer, bool wait);
loff_t mmapdemo_store_seek(struct mmapdemo_store *store, loff_t pos,
			   int whence);

int mmapdemo_store_discard(struct mmapdemo_store *store, pgoff_t start,
			   pgoff_t end);
int mmapdemo_store_resize(struct mmapdemo_store *store, loff_t size);
void mmapdemo_store_trim(struct work_struct *work);

static inline struct address_space *
mmapdemo_store_mapping(const struct mmapdemo_store *store)
{
	return store->inode->i_mapping;
}

/* A page that cannot leave the store, or NULL: the caller holds the inode's lock. */
static inline struct folio *mmapdemo_store_peek(struct mmapdemo_store *store,
						pgoff_t pgoff)
{
	return xa_load(&mmapdemo_store_mapping(store)->i_pages, pgoff);
}

/* The first pgoff past the end; stable under inode_lock or invalidate_lock. */
static inline pgoff_t mmapdemo_store_end(const struct mmapdemo_store *store)
{
	return i_size_read(store->inode) >> PAGE_SHIFT;
}

/* Keeps write(2), discard and resize out. Return: 0; -EINTR: killed. */
static inline int mmapdemo_store_lock(struct mmapdemo_store *store)
{
	return down_write_killable(&store->inode->i_rwsem);
}

static inline void mmapdemo_store_unlock(struct mmapdemo_store *store)
{
	up_write(&store->inode->i_rwsem);
}

#endif /* _MMAPDEMO_STORE_H */
