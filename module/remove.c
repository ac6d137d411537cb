// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removal: how pages leave the store, by a discard or a truncation.
 */
#include <linux/pagemap.h>
#include <linux/sched.h>

#include "compat.h"
#include "pool.h"
#include "stats.h"
#include "store.h"
#include "trace.h"
#include "write.h"

/*
 * Removes a page from its slot, and only then zaps its PTEs: no new ones can
 * appear, as mapping a page takes its lock, under which folio->mapping is NULL.
 */
static void remove_folio(struct mmapdemo_store *store, struct folio *folio)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	pgoff_t pgoff = folio->index;

	folio_lock(folio);
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

/* Removes the pages of [@start, @end). Return: how many. */
static unsigned long remove_range(struct mmapdemo_store *store,
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

			remove_folio(store, folio);
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
 * pinned page keeps its data, and is lent to whoever pinned it.
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
	removed = remove_range(store, start, end);
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
	 * which is removed next (mmapdemo_store_grab()).
	 */
	i_size_write(store->inode, size);
	unmap_mapping_pages(mapping, end, ULONG_MAX - end, true);
	removed = remove_range(store, end, ULONG_MAX);
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
