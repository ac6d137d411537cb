// SPDX-License-Identifier: GPL-2.0-only
/*
 * The backing store: the address_space of an inode of our own.
 *
 * Why an address_space, when an array could hold the pages: with folio->mapping
 * and folio->index set, mappings are plain VMAs, and all that the core does for
 * files works on them. It finds every PTE of a page (folio_mkclean,
 * unmap_mapping_range), keys shared futexes and maps the present pages around a
 * fault (filemap_map_pages); mlock, mremap and VMA merging work as for a file.
 *
 * Why not the device node's inode: each node made with mknod has an inode and
 * an address_space of its own, and unmap_mapping_range() on one would miss the
 * mappings of the others. mmapdemo_open() points every file at this one.
 *
 * The core must never reclaim these pages: there is no other copy of the data.
 * Four things prevent it: the pages are not on the LRU; the inode is on no list
 * that drop_caches walks (fs/libfs.c, alloc_anon_inode()); its backing_dev_info
 * is the no-op one, for which POSIX_FADV_DONTNEED does nothing (mm/fadvise.c,
 * generic_fadvise()); and no function that expects the page cache's references
 * gets to see the pages.
 *
 * A page stays in its slot while its folio lock, the invalidate_lock or the
 * xa_lock is held. A reference does not keep it there, but keeps the pool from
 * reusing it (mmapdemo_pool_put()).
 */
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/pseudo_fs.h>
#include <linux/sched.h>

#include "compat.h"
#include "dirty.h"
#include "pool.h"
#include "stats.h"
#include "store.h"
#include "trace.h"

static struct vfsmount *store_mnt;

static const struct address_space_operations store_aops = {
	.dirty_folio	= mmapdemo_dirty_folio,
};

static int store_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, 0x6d6d6170 /* "mmap" */) ? 0 : -ENOMEM;
}

/* No .owner: the mount below would pin the module for ever. */
static struct file_system_type store_fs_type = {
	.name			= "mmapdemo",
	.init_fs_context	= store_init_fs_context,
	.kill_sb		= kill_anon_super,
};

/*
 * Takes a reference to a page found under RCU, then reads the slot again: the
 * page may have gone back to the pool, and into another slot, in between (as in
 * mm/filemap.c, filemap_get_entry()). Return: false if the walk must start
 * over.
 */
static __always_inline bool store_try_get(struct xa_state *xas, struct folio *folio)
{
	if (unlikely(xas_retry(xas, folio) || !folio_try_get(folio)))
		return false;
	if (likely(folio == xas_reload(xas)))
		return true;
	folio_put(folio);
	return false;
}

/**
 * mmapdemo_store_get_run() - look up consecutive pages
 * @store: the store
 * @pgoff: slot of the first one
 * @folios: receives them
 * @max: length of @folios
 *
 * Walks the tree once for all of them.
 *
 * Context: any.
 * Return: the number of pages before the first hole, each with a reference for
 * the caller.
 */
unsigned int mmapdemo_store_get_run(struct mmapdemo_store *store, pgoff_t pgoff,
				    struct folio **folios, unsigned int max)
{
	XA_STATE(xas, &mmapdemo_store_mapping(store)->i_pages, pgoff);
	struct folio *folio;
	unsigned int nr = 0;

	rcu_read_lock();
	/* After a reset, as at first, xas_next() loads without advancing. */
	while (nr < max && (folio = xas_next(&xas))) {
		if (store_try_get(&xas, folio))
			folios[nr++] = folio;
		else
			xas_reset(&xas);
	}
	rcu_read_unlock();
	return nr;
}

/* Inline: this is most of our work in a fault on a present page. */
static __always_inline struct folio *store_get(struct mmapdemo_store *store,
					       pgoff_t pgoff)
{
	XA_STATE(xas, &mmapdemo_store_mapping(store)->i_pages, pgoff);
	struct folio *folio;

	rcu_read_lock();
	do {
		xas_reset(&xas);
		folio = xas_load(&xas);
	} while (folio && !store_try_get(&xas, folio));
	rcu_read_unlock();
	return folio;
}

/**
 * mmapdemo_store_get() - look up a page
 * @store: the store
 * @pgoff: its slot
 *
 * Context: any.
 * Return: the folio with a reference for the caller, or NULL for a hole.
 */
struct folio *mmapdemo_store_get(struct mmapdemo_store *store, pgoff_t pgoff)
{
	return store_get(store, pgoff);
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_store_get);

/*
 * Puts @folio into an empty slot; the caller's reference becomes the store's.
 * Return: 0; -EEXIST: the slot is taken; -ENOMEM.
 */
static int store_insert(struct mmapdemo_store *store, pgoff_t pgoff,
			struct folio *folio, bool dirty)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	XA_STATE(xas, &mapping->i_pages, pgoff);

	folio->mapping = mapping;
	folio->index = pgoff;
	do {
		xas_lock_irq(&xas);
		if (xas_load(&xas))
			xas_set_err(&xas, -EEXIST);
		xas_store(&xas, folio);
		if (!xas_error(&xas)) {
			mapping->nrpages++;
			trace_mmapdemo_make(pgoff);
			if (dirty)
				mmapdemo_dirty_set_locked(store, folio, &xas);
		}
		xas_unlock_irq(&xas);
	} while (xas_nomem(&xas, GFP_KERNEL));

	if (xas_error(&xas))
		folio->mapping = NULL;
	return xas_error(&xas);
}

/*
 * Fills a hole with a page from the pool. The caller holds the invalidate_lock:
 * no page enters a range while a discard or a truncation empties it, and the
 * size cannot change.
 */
static struct folio *store_create(struct mmapdemo_store *store, pgoff_t pgoff,
				  bool dirty)
{
	struct folio *folio;
	int err;

	if (pgoff >= mmapdemo_store_end(store))
		return ERR_PTR(-ERANGE);
	folio = mmapdemo_pool_get(store->pool);
	if (IS_ERR(folio))
		return folio;

	/*
	 * Anyone can find the page once it is in its slot. Before that it must
	 * be locked, by us, and uptodate, which includes the write barrier that
	 * makes the zeros visible first.
	 */
	__folio_set_locked(folio);
	__folio_mark_uptodate(folio);
	folio_get(folio);
	err = store_insert(store, pgoff, folio, dirty);
	if (err) {
		folio_unlock(folio);
		folio_put(folio);
		mmapdemo_pool_put(store->pool, folio);
		return ERR_PTR(err);
	}
	return folio;
}

static struct folio *store_create_alone(struct mmapdemo_store *store,
					pgoff_t pgoff, bool dirty)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	struct folio *folio;

	/*
	 * At the cap, "no spare page" may be transient: another CPU, which lost
	 * a race for a slot, may be about to put its page back. Any such CPU
	 * holds the lock shared: taking it exclusively waits for them all, and
	 * then the answer is final. Without this, two threads that touch
	 * exactly as many pages as the cap allows would now and then get a
	 * SIGBUS.
	 */
	filemap_invalidate_lock(mapping);
	/* One of them may have filled this very slot. */
	if (xa_load(&mapping->i_pages, pgoff))
		folio = ERR_PTR(-EEXIST);
	else
		folio = store_create(store, pgoff, dirty);
	filemap_invalidate_unlock(mapping);
	return folio;
}

/**
 * mmapdemo_store_make() - make a page for a hole, and lock it
 * @store: the store
 * @pgoff: its slot
 * @dirty: whether the page starts in the dirty log
 *
 * Context: process context, may sleep; takes the invalidate_lock.
 * Return: as mmapdemo_store_grab(); -EEXIST: the slot is not a hole.
 */
struct folio *mmapdemo_store_make(struct mmapdemo_store *store, pgoff_t pgoff,
				  bool dirty)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	struct folio *folio;

	filemap_invalidate_lock_shared(mapping);
	folio = store_create(store, pgoff, dirty);
	filemap_invalidate_unlock_shared(mapping);
	if (unlikely(folio == ERR_PTR(-ENOSPC)))
		folio = store_create_alone(store, pgoff, dirty);
	return folio;
}

/**
 * mmapdemo_store_find() - find the page of a slot, and lock it
 * @store: the store
 * @pgoff: its slot
 *
 * The page stays in the store while the caller keeps it locked. A fault handler
 * returns it like that, with %VM_FAULT_LOCKED, and the core unlocks it once the
 * PTE is in place. No PTE escapes a discard, which removes each page under its
 * lock and zaps afterwards.
 *
 * Context: process context, may sleep.
 * Return: the folio, locked, with a reference for the caller; NULL for a hole;
 * -ERANGE: @pgoff lies past the end of the device.
 */
struct folio *mmapdemo_store_find(struct mmapdemo_store *store, pgoff_t pgoff)
{
	struct folio *folio;

	while ((folio = store_get(store, pgoff))) {
		folio_lock(folio);
		/*
		 * A truncation sets the size first, and then removes pages
		 * under their locks: a page past the end is on its way out.
		 */
		if (unlikely(pgoff >= mmapdemo_store_end(store))) {
			folio_unlock(folio);
			folio_put(folio);
			return ERR_PTR(-ERANGE);
		}
		if (likely(folio->mapping))
			break;
		/* It was discarded before we locked it: look again. */
		folio_unlock(folio);
		folio_put(folio);
	}
	return folio;
}

/**
 * mmapdemo_store_grab() - find or make the page of a slot, and lock it
 * @store: the store
 * @pgoff: its slot
 * @dirty: whether a new page starts in the dirty log
 *
 * Context: process context, may sleep; takes the invalidate_lock.
 * Return: the folio, locked, with a reference for the caller;
 * -ERANGE: @pgoff lies past the end of the device; -ENOSPC: the pool is at its
 * cap; -ENOMEM: no memory.
 */
struct folio *mmapdemo_store_grab(struct mmapdemo_store *store, pgoff_t pgoff,
				  bool dirty)
{
	struct folio *folio;

	do {
		folio = mmapdemo_store_find(store, pgoff) ?:
			mmapdemo_store_make(store, pgoff, dirty);
	} while (folio == ERR_PTR(-EEXIST));
	return folio;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_store_grab);

/*
 * Removes a page from its slot, and only then zaps its PTEs: no new ones can
 * appear, as mapping a page takes its lock, under which folio->mapping is NULL.
 */
static void store_remove(struct mmapdemo_store *store, struct folio *folio)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	pgoff_t pgoff = folio->index;

	folio_lock(folio);
	xa_lock_irq(&mapping->i_pages);
	mmapdemo_dirty_drop_locked(store, folio);
	__xa_erase(&mapping->i_pages, pgoff);
	mapping->nrpages--;
	folio->mapping = NULL;
	xa_unlock_irq(&mapping->i_pages);
	folio_unlock(folio);

	/*
	 * filemap_map_pages takes no invalidate_lock and may have mapped the
	 * page since the range was zapped.
	 */
	if (folio_mapped(folio))
		unmap_mapping_pages(mapping, pgoff, 1, false);
}

/* Removes the pages of [@start, @end). Return: how many. */
static unsigned long store_remove_range(struct mmapdemo_store *store,
					pgoff_t start, pgoff_t end)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	struct folio_batch fbatch;
	unsigned long removed = 0;
	unsigned int i;

	lockdep_assert_held_write(&mapping->invalidate_lock);
	folio_batch_init(&fbatch);
	while (filemap_get_folios(mapping, &start, end - 1, &fbatch)) {
		for (i = 0; i < folio_batch_count(&fbatch); i++) {
			struct folio *folio = fbatch.folios[i];

			store_remove(store, folio);
			/* Drop the batch's reference, hand over the store's. */
			folio_put(folio);
			mmapdemo_pool_put(store->pool, folio);
			removed++;
		}
		folio_batch_init(&fbatch);
		cond_resched();
	}
	mmapdemo_stat_add(STAT_DISCARDED, removed);
	return removed;
}

/**
 * mmapdemo_store_discard() - remove the pages of a range
 * @store: the store
 * @start: first page of the range
 * @end: first page after it
 *
 * Afterwards every shared mapping reads zeros there; private copies stay. A
 * pinned page keeps its data, and is left to whoever pinned it.
 *
 * Context: process context, may sleep; takes the invalidate_lock and folio
 * locks. The caller holds no lock that a fault handler takes.
 * Return: the number of pages removed.
 */
unsigned long mmapdemo_store_discard(struct mmapdemo_store *store,
				     pgoff_t start, pgoff_t end)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	unsigned long removed;

	if (start >= end)
		return 0;

	filemap_invalidate_lock(mapping);
	/* Zap most PTEs in one walk over the VMAs, not one walk per page. */
	unmap_mapping_pages(mapping, start, end - start, false);
	removed = store_remove_range(store, start, end);
	trace_mmapdemo_discard(start, end, removed);
	filemap_invalidate_unlock(mapping);
	return removed;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_store_discard);

/**
 * mmapdemo_store_resize() - change the size
 * @store: the store
 * @size: the new size in bytes, a multiple of the page size
 *
 * Growing makes mappings that reach past the old end accessible there.
 * Truncating removes the pages past the new end, and all private copies of
 * them: an access raises SIGBUS, in every process.
 *
 * Context: process context, may sleep; the inode's lock is held, the
 * invalidate_lock and folio locks are taken. The caller holds no lock that a
 * fault handler takes.
 */
void mmapdemo_store_resize(struct mmapdemo_store *store, loff_t size)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	loff_t old_size = i_size_read(store->inode);
	pgoff_t end = size >> PAGE_SHIFT;
	unsigned long removed;

	filemap_invalidate_lock(mapping);
	/*
	 * Set the size first: a fault that has not locked its page yet sees
	 * it, and one that saw the old size still holds the lock of its page,
	 * which is removed next (mmapdemo_store_find()).
	 */
	i_size_write(store->inode, size);
	unmap_mapping_pages(mapping, end, ULONG_MAX - end, true);
	removed = store_remove_range(store, end, ULONG_MAX);
	/*
	 * Zap private copies again: one that was being made during the first
	 * pass was in no page table yet. With the pages gone, no more can be
	 * made (as in mm/truncate.c, truncate_pagecache()).
	 */
	unmap_mapping_pages(mapping, end, ULONG_MAX - end, true);
	trace_mmapdemo_resize(old_size, size, removed);
	filemap_invalidate_unlock(mapping);
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_store_resize);

/*
 * Return: the first empty slot of [@start, @end), or @end. Not by
 * page_cache_next_miss(): it never gets past slot 0, and what it returns if
 * there is no hole depends on the kernel.
 */
static pgoff_t store_next_hole(struct mmapdemo_store *store, pgoff_t start,
			       pgoff_t end)
{
	XA_STATE(xas, &mmapdemo_store_mapping(store)->i_pages, start);
	struct folio *folio;

	/* Protects the tree's nodes; the pages are not accessed. */
	rcu_read_lock();
	for (folio = xas_load(&xas); start < end; folio = xas_next(&xas)) {
		if (xas_retry(&xas, folio))
			continue;
		if (!folio)
			break;
		start++;
		/* There may be many GiB without a hole. */
		if (need_resched()) {
			xas_pause(&xas);
			rcu_read_unlock();
			cond_resched();
			rcu_read_lock();
		}
	}
	rcu_read_unlock();
	return start;
}

/**
 * mmapdemo_store_seek() - find the next data or hole
 * @store: the store
 * @pos: where to start, in bytes
 * @whence: SEEK_DATA or SEEK_HOLE
 *
 * Context: process context; the inode's lock is held.
 * Return: the position; -ENXIO: @pos is outside of the device, or no data
 * follows. The end of the device counts as a hole.
 */
loff_t mmapdemo_store_seek(struct mmapdemo_store *store, loff_t pos, int whence)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	pgoff_t end = mmapdemo_store_end(store);
	pgoff_t start = pos >> PAGE_SHIFT;
	pgoff_t found = start;

	/* Compare bytes: on a 32-bit kernel not every position has a pgoff. */
	if (pos < 0 || pos >= i_size_read(store->inode))
		return -ENXIO;

	if (whence == SEEK_DATA) {
		if (!xa_find(&mapping->i_pages, &found, end - 1, XA_PRESENT))
			return -ENXIO;
	} else {
		found = store_next_hole(store, start, end);
	}
	return found == start ? pos : (loff_t)found << PAGE_SHIFT;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_store_seek);

/**
 * mmapdemo_store_init() - make an empty store
 * @store: uninitialised memory, owned by the caller
 * @pool: supplies its pages; outlives the store
 * @size: size of the device in bytes, a multiple of the page size
 *
 * Context: process context, may sleep.
 * Return: 0, or -ENOMEM.
 */
int mmapdemo_store_init(struct mmapdemo_store *store,
			struct mmapdemo_pool *pool, loff_t size)
{
	struct inode *inode = alloc_anon_inode(store_mnt->mnt_sb);

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	inode->i_mapping->a_ops = &store_aops;
	inode->i_private = store;
	i_size_write(inode, size);

	store->pool = pool;
	store->inode = inode;
	store->nr_dirty = 0;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_store_init);

/**
 * mmapdemo_store_fini() - put all pages back and drop the inode
 * @store: the store; no file or VMA refers to it any more
 *
 * i_pages must be empty when the inode's last reference goes, or clear_inode()
 * BUGs.
 *
 * Context: process context, may sleep.
 */
void mmapdemo_store_fini(struct mmapdemo_store *store)
{
	mmapdemo_store_discard(store, 0, ULONG_MAX);
	WARN_ON(mmapdemo_store_mapping(store)->nrpages);
	iput(store->inode);
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_store_fini);

/**
 * mmapdemo_store_module_init() - mount the filesystem that the inodes live on
 *
 * Context: process context, may sleep.
 * Return: 0, or an errno of kern_mount().
 */
int mmapdemo_store_module_init(void)
{
	store_mnt = kern_mount(&store_fs_type);
	return PTR_ERR_OR_ZERO(store_mnt);
}

/**
 * mmapdemo_store_module_exit() - unmount it; no store is left
 *
 * Context: process context, may sleep.
 */
void mmapdemo_store_module_exit(void)
{
	kern_unmount(store_mnt);
}
