// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removal: how pages leave the store, by a discard or a truncation.
 *
 * A range may hold many GiB. It is removed in steps, and between two of them
 * the locks are let go, so that a fault elsewhere waits for one step and not
 * for all of them, and a process that is killed dies.
 */
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "pool.h"
#include "stats.h"
#include "store.h"
#include "trace.h"
#include "write.h"

/* Pages in a step: a millisecond or so. */
#define REMOVE_STEP	4096

/*
 * Removes a page from its slot, and only then zaps its PTEs: no new ones can
 * appear, as mapping a page takes its lock, under which folio->mapping is NULL.
 */
static void remove_folio(struct mmapdemo_store *store, struct folio *folio)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	pgoff_t pgoff = folio->index;

	xa_lock_irq(&mapping->i_pages);
	mmapdemo_drop_marks_locked(store, folio);
	__xa_erase(&mapping->i_pages, pgoff);
	mapping->nrpages--;
	folio->mapping = NULL;
	xa_unlock_irq(&mapping->i_pages);
	folio_clear_private(folio);
	folio_unlock(folio);

	/*
	 * filemap_map_pages takes no invalidate_lock and may have mapped the
	 * page since the range was zapped.
	 */
	if (folio_mapped(folio))
		unmap_mapping_pages(mapping, pgoff, 1, false);
}

/* Return: the first slot after REMOVE_STEP pages from @start on, or @end. */
static pgoff_t step_end(struct address_space *mapping, pgoff_t start, pgoff_t end)
{
	XA_STATE(xas, &mapping->i_pages, start);
	unsigned int nr = 0;
	struct folio *folio;

	rcu_read_lock();
	xas_for_each(&xas, folio, end - 1) {
		if (!xas_retry(&xas, folio) && ++nr == REMOVE_STEP) {
			end = xas.xa_index + 1;
			break;
		}
	}
	rcu_read_unlock();
	return end;
}

/*
 * Removes the pages of [@start, @end). Return: 0; -EINTR: killed while it waited
 * for a page's lock.
 */
static int remove_step(struct mmapdemo_store *store, pgoff_t start, pgoff_t end,
		       unsigned long *removed)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	struct folio_batch fbatch;
	unsigned int i;
	int err = 0;

	lockdep_assert_held_write(&mapping->invalidate_lock);
	/* Zap most PTEs in one walk over the VMAs, not one walk per page. */
	unmap_mapping_pages(mapping, start, end - start, false);
	folio_batch_init(&fbatch);
	while (!err && filemap_get_folios(mapping, &start, end - 1, &fbatch)) {
		for (i = 0; i < folio_batch_count(&fbatch); i++) {
			struct folio *folio = fbatch.folios[i];

			if (!err)
				err = folio_lock_killable(folio);
			if (!err)
				remove_folio(store, folio);
			/* Drop the batch's reference, hand over the store's. */
			folio_put(folio);
			if (!err) {
				mmapdemo_pool_put(store->pool, folio);
				(*removed)++;
			}
		}
		folio_batch_init(&fbatch);
		cond_resched();
	}
	return err;
}

/* Return: 0; -EINTR: killed before all of [@start, @end) was removed. */
static int remove_range(struct mmapdemo_store *store, pgoff_t start, pgoff_t end,
			unsigned long *removed)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	unsigned long before = *removed;
	int err = 0;

	while (!err && start < end) {
		pgoff_t to = step_end(mapping, start, end);

		err = down_write_killable(&mapping->invalidate_lock);
		if (err)
			break;
		err = remove_step(store, start, to, removed);
		up_write(&mapping->invalidate_lock);
		start = to;
		if (!err && start < end && fatal_signal_pending(current))
			err = -EINTR;
	}
	mmapdemo_stat_add(store->stats, STAT_DISCARDED, *removed - before);
	return err;
}

/**
 * mmapdemo_store_discard() - remove the pages of a range
 * @store: the store
 * @start: first page of the range
 * @end: first page after it
 *
 * Afterwards every shared mapping reads zeros there; private copies stay. A
 * pinned page keeps its data, and is lent to whoever pinned it.
 *
 * Context: process context, may sleep; the inode's lock is held, unless nobody
 * else can reach the store; takes the invalidate_lock and folio locks. The
 * caller holds no lock that a fault handler takes.
 * Return: 0; -EINTR: killed; the first part of the range is removed.
 */
int mmapdemo_store_discard(struct mmapdemo_store *store, pgoff_t start,
			   pgoff_t end)
{
	unsigned long removed = 0;
	int err = remove_range(store, start, end, &removed);

	if (start < end)
		trace_mmapdemo_discard(store, start, end, removed);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_store_discard);

/* Removes what lies past the end. The inode's lock is held. */
static int trim(struct mmapdemo_store *store, unsigned long *removed)
{
	pgoff_t end = mmapdemo_store_end(store);
	int err = remove_range(store, end, ULONG_MAX, removed);

	if (err)
		return err;
	/*
	 * Zap private copies as well. Not before: with the pages gone, no more
	 * can be made; one that is being made holds the lock of its page, or
	 * finds the PTE of its source zapped.
	 */
	unmap_mapping_pages(mmapdemo_store_mapping(store), end, ULONG_MAX - end,
			    true);
	store->trimmed = true;
	return 0;
}

/**
 * mmapdemo_store_trim() - finish a shrink that was killed
 * @work: store->trim
 *
 * Context: a worker; takes the inode's lock.
 */
void mmapdemo_store_trim(struct work_struct *work)
{
	struct mmapdemo_store *store =
		container_of(work, struct mmapdemo_store, trim);
	unsigned long removed = 0;

	inode_lock(store->inode);
	if (!store->trimmed)
		trim(store, &removed);
	inode_unlock(store->inode);
}

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
 * Return: 0; -EINTR: killed, and either nothing was changed, or the size was
 * and a worker removes the rest of what lies past it.
 */
int mmapdemo_store_resize(struct mmapdemo_store *store, loff_t size)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	loff_t old_size = i_size_read(store->inode);
	unsigned long removed = 0;
	int err = 0;

	/* What an earlier one left past the end must not come back. */
	if (!store->trimmed)
		err = trim(store, &removed);
	if (!err)
		err = down_write_killable(&mapping->invalidate_lock);
	if (err)
		return err;
	/*
	 * Set the size first: a fault that has not locked its page yet sees
	 * it, and one that saw the old size still holds the lock of its page,
	 * which is removed next (mmapdemo_store_grab()).
	 */
	i_size_write(store->inode, size);
	up_write(&mapping->invalidate_lock);

	if (size < old_size) {
		store->trimmed = false;
		err = trim(store, &removed);
		if (err)
			schedule_work(&store->trim);
	}
	trace_mmapdemo_resize(store, old_size, size, removed);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_store_resize);
