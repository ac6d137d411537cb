// SPDX-License-Identifier: GPL-2.0-only
/*
 * The backing store: the address_space of an inode of our own.
 *
 * Why an address_space, where an array would hold the pages as well: with
 * folio->mapping and folio->index set, mappings stay plain VMAs and everything
 * that the core offers for files works on them. It finds every PTE of a page
 * (folio_mkclean, unmap_mapping_range), keys shared futexes, maps
 * present pages around a fault by itself (filemap_map_pages), and lets mlock,
 * mremap and merging behave as they do for a file.
 *
 * Why the inode is not the device node's: every node made with mknod has an
 * inode and an address_space of its own, and unmap_mapping_range() on one
 * misses the mappings of the others. Each open file is pointed here.
 *
 * What the core must never do is reclaim these pages, as there is no copy of
 * them anywhere. Four things see to that: they are not on the LRU; the inode
 * is on no list that drop_caches walks (alloc_anon_inode() links it to no
 * superblock list, fs/libfs.c); its backing_dev_info is the no-op one, so that
 * POSIX_FADV_DONTNEED does nothing (mm/fadvise.c, generic_fadvise()); and the
 * pages are never handed to a function that expects page-cache references.
 *
 * A page stays in its slot while its folio lock, the invalidate_lock or the
 * xa_lock is held. It can leave with a reference held, but is not used again
 * before that is dropped (mmapdemo_pool_put()).
 */
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/sched.h>

#include "mmapdemo.h"
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
 * References a page that was found under RCU. The slot is looked at once more
 * afterwards: only then the page cannot be on its way back to the pool, and from
 * there into another slot (as mm/filemap.c, filemap_get_entry()). Return: false:
 * the walk has to start over.
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
 * mmapdemo_store_get_run() - look up pages that follow each other
 * @store: the store
 * @pgoff: slot of the first one
 * @folios: where they go
 * @max: the most to look up
 *
 * One walk over the tree for all of them.
 *
 * Context: any.
 * Return: how many pages there are before the first hole, each with a reference
 * for the caller.
 */
unsigned int mmapdemo_store_get_run(struct mmapdemo_store *store, pgoff_t pgoff,
				    struct folio **folios, unsigned int max)
{
	XA_STATE(xas, &mmapdemo_store_mapping(store)->i_pages, pgoff);
	struct folio *folio;
	unsigned int nr = 0;

	rcu_read_lock();
	/* At first, and after a reset, xas_next() does not move on. */
	while (nr < max && (folio = xas_next(&xas))) {
		if (store_try_get(&xas, folio))
			folios[nr++] = folio;
		else
			xas_reset(&xas);
	}
	rcu_read_unlock();
	return nr;
}

/* Inline: it is most of what a fault on a present page does here. */
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
 * mmapdemo_store_get() - look a page up
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
 * Return: 0; -EEXIST: somebody else was first; -ENOMEM.
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
 * Makes a page for a hole, if the pool has one. The invalidate_lock is held, so
 * that no page enters a range while a discard or a truncate removes what is
 * there, and the size stays what it is.
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
	 * Once in its slot the page can be found by anyone, so what must be
	 * true of it must be true before: locked, by us; zeroed, which
	 * uptodate announces with a write barrier.
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
	 * At the cap, "no page is spare" may be a matter of timing: another
	 * CPU may have one in its hands that it is about to put back, having
	 * lost a race for a slot. Whoever has, holds the lock shared: taking
	 * it exclusively waits for them all, and then the answer is final.
	 * Without it, a program that touches exactly as many pages as the cap
	 * allows, from two threads, would now and then get a SIGBUS.
	 */
	filemap_invalidate_lock(mapping);
	/* Whoever had it may have put it into this very slot. */
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
 * Return: as mmapdemo_store_grab(), or -EEXIST: it is no hole.
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
 * The page is in the store for as long as the caller keeps it locked. This is
 * what a fault handler returns with %VM_FAULT_LOCKED: the core unlocks it once
 * the PTE is in place, so that a discard, which locks each page to remove it
 * and zaps afterwards, finds either no PTE or one to zap.
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
		 * A truncate sets the size first and then removes, for which
		 * it needs this page's lock: a page past the end is on its way
		 * out.
		 */
		if (unlikely(pgoff >= mmapdemo_store_end(store))) {
			folio_unlock(folio);
			folio_put(folio);
			return ERR_PTR(-ERANGE);
		}
		if (likely(folio->mapping))
			break;
		/* It was discarded before we had its lock. */
		folio_unlock(folio);
		folio_put(folio);
	}
	return folio;
}

/**
 * mmapdemo_store_grab() - find or make the page of a slot, and lock it
 * @store: the store
 * @pgoff: its slot
 * @dirty: whether a page that is made starts in the dirty log
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
 * Takes a page out of its slot. Afterwards nobody can map it any more: whoever
 * finds it through a stale reference sees, under the page lock that they need
 * to map it, that folio->mapping is gone. Only then are its PTEs zapped.
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
	 * page since the whole range was zapped.
	 */
	if (folio_mapped(folio))
		unmap_mapping_pages(mapping, pgoff, 1, false);
}

/* Removes the pages of [@start, @end). */
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
			/* The batch's reference; then the store's. */
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
 * @end: first page behind it
 *
 * Every shared mapping reads zeros there afterwards; private copies stay. A
 * page that somebody has pinned stays theirs, with the data that it has.
 *
 * Context: process context, may sleep; takes the invalidate_lock and folio
 * locks. The caller holds no lock that a fault handler takes.
 * Return: how many pages were removed.
 */
unsigned long mmapdemo_store_discard(struct mmapdemo_store *store,
				     pgoff_t start, pgoff_t end)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	unsigned long removed;

	if (start >= end)
		return 0;

	filemap_invalidate_lock(mapping);
	/* Most PTEs go here, in one walk over the VMAs, not one per page. */
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
 * Growing lets mappings that reach past the old end go on there. Truncating
 * takes the pages behind the new end away, and private copies of them, too:
 * an access raises SIGBUS, in every process.
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
	 * The size first: a fault that has yet to lock its page sees it, and
	 * one that has seen the old size still holds the page that is removed
	 * next (mmapdemo_store_grab()).
	 */
	i_size_write(store->inode, size);
	unmap_mapping_pages(mapping, end, ULONG_MAX - end, true);
	removed = store_remove_range(store, end, ULONG_MAX);
	/*
	 * Once more for private copies: one that was being made of a page
	 * during the first pass was in no page table yet. With the page gone
	 * there can be no further ones (as mm/truncate.c, truncate_pagecache()).
	 */
	unmap_mapping_pages(mapping, end, ULONG_MAX - end, true);
	trace_mmapdemo_resize(old_size, size, removed);
	filemap_invalidate_unlock(mapping);
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_store_resize);

/*
 * Return: the first empty slot of [@start, @end), or @end. Not
 * page_cache_next_miss(): from slot 0 it does not get any further, and when
 * there is no hole, what it returns differs from kernel to kernel.
 */
static pgoff_t store_next_hole(struct mmapdemo_store *store, pgoff_t start,
			       pgoff_t end)
{
	XA_STATE(xas, &mmapdemo_store_mapping(store)->i_pages, start);
	struct folio *folio;

	/* For the tree's nodes; the pages are not looked at. */
	rcu_read_lock();
	for (folio = xas_load(&xas); start < end; folio = xas_next(&xas)) {
		if (xas_retry(&xas, folio))
			continue;
		if (!folio)
			break;
		start++;
		/* A device may be of many GiB and have no hole. */
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
 * mmapdemo_store_seek() - find where data, or a hole, begins
 * @store: the store
 * @pos: where to start, in bytes
 * @whence: SEEK_DATA or SEEK_HOLE
 *
 * Context: process context; the inode's lock is held.
 * Return: the position; -ENXIO: @pos is past the end, or there is no data
 * behind it. A hole begins at the end at the latest.
 */
loff_t mmapdemo_store_seek(struct mmapdemo_store *store, loff_t pos, int whence)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	pgoff_t end = mmapdemo_store_end(store);
	pgoff_t start = pos >> PAGE_SHIFT;
	pgoff_t found = start;

	/* In bytes: on a 32-bit kernel there are positions with no pgoff. */
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
 * @pool: where its pages come from; outlives the store
 * @size: of the device in bytes, a multiple of the page size
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
 * @store: the store, which no file and no VMA refers to any more
 *
 * The inode's last reference must find i_pages empty, or clear_inode() BUGs.
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
 * mmapdemo_store_module_exit() - unmount it, with no store left
 *
 * Context: process context, may sleep.
 */
void mmapdemo_store_module_exit(void)
{
	kern_unmount(store_mnt);
}
