// SPDX-License-Identifier: GPL-2.0-only
/*
 * The backing store: the address_space of an inode of our own (inode.c).
 *
 * Why an address_space, when an array could hold the pages: with folio->mapping
 * and folio->index set, mappings are plain VMAs, and all that the core does for
 * files works on them. It finds every PTE of a page (folio_mkclean,
 * unmap_mapping_range), keys shared futexes and maps the present pages around a
 * fault (filemap_map_pages); mlock, mremap and VMA merging work as for a file.
 *
 * A page stays in its slot while its folio lock, the invalidate_lock or the
 * xa_lock is held. A reference does not keep it there, but keeps the pool from
 * reusing it (mmapdemo_pool_put()).
 */
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "policy.h"
#include "pool.h"
#include "store.h"
#include "trace.h"
#include "write.h"

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
			struct folio *folio, bool written)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	XA_STATE(xas, &mapping->i_pages, pgoff);

	folio->mapping = mapping;
	folio->index = pgoff;
	folio_set_private(folio);
	do {
		xas_lock_irq(&xas);
		if (xas_load(&xas))
			xas_set_err(&xas, -EEXIST);
		xas_store(&xas, folio);
		if (!xas_error(&xas)) {
			mapping->nrpages++;
			trace_mmapdemo_make(store, pgoff);
			if (written)
				mmapdemo_mark_new_locked(store, folio, &xas);
		}
		xas_unlock_irq(&xas);
		/* Most often there is neither an error nor a node to be freed. */
	} while (unlikely(xas_error(&xas) || xas.xa_alloc) && xas_nomem(&xas, GFP_KERNEL));

	if (xas_error(&xas)) {
		folio_clear_private(folio);
		folio->mapping = NULL;
	}
	return xas_error(&xas);
}

/*
 * Fills a hole with a page from the pool. The caller holds the invalidate_lock:
 * no page enters a range while a discard or a truncation empties it, and the
 * size cannot change.
 */
static struct folio *store_create(struct mmapdemo_store *store, pgoff_t pgoff,
				  struct vm_area_struct *vma, bool written)
{
	struct folio *folio;
	int err;

	if (pgoff >= mmapdemo_store_end(store))
		return ERR_PTR(-ERANGE);
	if (unlikely(mmapdemo_policy_given(vma)))
		folio = mmapdemo_policy_get(store->pool, vma, pgoff);
	else
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
	err = store_insert(store, pgoff, folio, written);
	if (err) {
		folio_unlock(folio);
		folio_put(folio);
		mmapdemo_pool_put(store->pool, folio);
		return ERR_PTR(err);
	}
	return folio;
}

/*
 * At the cap, "no spare page" may be transient: another CPU, which lost a race
 * for a slot, may be about to put its page back. Any such CPU holds the
 * invalidate_lock shared: taking it exclusively waits for them all, and then the
 * answer is final. Without this, two threads that touch exactly as many pages
 * as the cap allows would now and then get a SIGBUS.
 */
static struct folio *store_create_alone(struct mmapdemo_store *store,
					pgoff_t pgoff, struct vm_area_struct *vma,
					bool written, bool wait)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	struct folio *folio;

	if (!down_write_trylock(&mapping->invalidate_lock)) {
		if (!wait)
			return ERR_PTR(-EAGAIN);
		if (down_write_killable(&mapping->invalidate_lock))
			return ERR_PTR(-EINTR);
	}
	/* One of them may have filled this very slot. */
	if (xa_load(&mapping->i_pages, pgoff))
		folio = ERR_PTR(-EEXIST);
	else
		folio = store_create(store, pgoff, vma, written);
	up_write(&mapping->invalidate_lock);
	return folio;
}

/* Return: as mmapdemo_store_grab(); -EEXIST: the slot is not a hole. */
static struct folio *store_make(struct mmapdemo_store *store, pgoff_t pgoff,
				struct vm_area_struct *vma, struct file *writer,
				bool wait)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	struct folio *folio;

	if (writer)
		mmapdemo_touch(writer);
	if (!down_read_trylock(&mapping->invalidate_lock)) {
		if (!wait)
			return ERR_PTR(-EAGAIN);
		if (down_read_killable(&mapping->invalidate_lock))
			return ERR_PTR(-EINTR);
	}
	/* If it is written, ->page_mkwrite follows, with nothing left to do. */
	folio = store_create(store, pgoff, vma, writer);
	up_read(&mapping->invalidate_lock);
	if (unlikely(folio == ERR_PTR(-ENOSPC)))
		folio = store_create_alone(store, pgoff, vma, writer, wait);
	return folio;
}

/**
 * mmapdemo_store_grab() - find or make the page of a slot, and lock it
 * @store: the store
 * @pgoff: its slot
 * @vma: the mapping that is accessed, whose memory policy holds; or NULL
 * @writer: the file, if a shared mapping of it is written and the store keeps a
 *	    dirty log: a page that is made has all marks then; or NULL
 * @wait: whether to wait for locks
 *
 * The page stays in the store while the caller keeps it locked. A fault handler
 * returns it like that, with %VM_FAULT_LOCKED, and the core unlocks it once the
 * PTE is in place. No PTE escapes a discard, which removes each page under its
 * lock and zaps afterwards.
 *
 * Context: process context, may sleep; takes the invalidate_lock.
 * Return: the folio, locked, with a reference for the caller;
 * -ERANGE: @pgoff lies past the end of the device; -ENOSPC: the pool is at its
 * cap; -ENOMEM: no memory; -EAGAIN: without @wait, a lock is taken; -EINTR:
 * killed while it waited.
 */
struct folio *mmapdemo_store_grab(struct mmapdemo_store *store, pgoff_t pgoff,
				  struct vm_area_struct *vma,
				  struct file *writer, bool wait)
{
	struct folio *folio;
	int err = 0;

	do {
		folio = store_get(store, pgoff);
		if (!folio) {
			folio = store_make(store, pgoff, vma, writer, wait);
			continue;
		}
		if (!folio_trylock(folio)) {
			err = wait ? folio_lock_killable(folio) : -EAGAIN;
			if (err) {
				folio_put(folio);
				return ERR_PTR(err);
			}
		}
		/*
		 * A truncation sets the size first, and then removes pages
		 * under their locks: a page past the end is on its way out.
		 */
		if (unlikely(pgoff >= mmapdemo_store_end(store)))
			err = -ERANGE;
		/* It may have been discarded before we locked it. */
		else if (unlikely(!folio->mapping))
			err = -EEXIST;
		if (unlikely(err)) {
			folio_unlock(folio);
			folio_put(folio);
			folio = ERR_PTR(err);
			err = 0;
		}
	} while (folio == ERR_PTR(-EEXIST));
	return folio;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_store_grab);

/*
 * Return: the first empty slot of [@start, @end), or @end; less if killed. Not by
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
		if (!(start % XA_CHECK_SCHED)) {
			if (fatal_signal_pending(current))
				break;
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
 * follows; -EINTR: killed. The end of the device counts as a hole.
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
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return found == start ? pos : (loff_t)found << PAGE_SHIFT;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_store_seek);
