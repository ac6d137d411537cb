// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log: which pages were written since they were last cleaned.
 *
 * A page is in the log when PG_dirty is set; its slot in the store then has
 * PAGECACHE_TAG_DIRTY. The flag makes it cheap to test one page; the mark lets
 * a sync visit dirty pages only, however large the device. Both change
 * together, under the xa_lock.
 *
 * Why no write is missed: a PTE of a shared mapping is writable only while its
 * page is in the log. ->page_mkwrite adds the page before the PTE becomes
 * writable; cleaning write-protects all PTEs before it removes the page. Both
 * hold the folio lock across their two steps, so the steps cannot interleave.
 * Writers without a PTE (write(2), or a device that got the page from
 * get_user_pages) add the page after the last byte is written, not before: a
 * page that is cleaned in between enters the log again.
 */
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/sched.h>

#include "compat.h"
#include "dirty.h"
#include "stats.h"
#include "store.h"
#include "trace.h"

/**
 * mmapdemo_dirty_set_locked() - add a page of the store to the log
 * @store: the store
 * @folio: the page
 * @xas: positioned at its slot
 *
 * Context: the xa_lock of the store is held.
 */
void mmapdemo_dirty_set_locked(struct mmapdemo_store *store,
			       struct folio *folio, struct xa_state *xas)
{
	lockdep_assert_held(&xas->xa->xa_lock);
	if (folio_test_set_dirty(folio))
		return;
	trace_mmapdemo_dirty(folio->index);
	xas_set_mark(xas, PAGECACHE_TAG_DIRTY);
	WRITE_ONCE(store->nr_dirty, store->nr_dirty + 1);
	mmapdemo_stat_inc(STAT_DIRTIED);
}

/**
 * mmapdemo_dirty_drop_locked() - remove a page from the log
 * @store: the store
 * @folio: the page
 *
 * Context: the folio is locked and the xa_lock of the store is held.
 */
void mmapdemo_dirty_drop_locked(struct mmapdemo_store *store,
				struct folio *folio)
{
	struct xarray *pages = &mmapdemo_store_mapping(store)->i_pages;

	lockdep_assert_held(&pages->xa_lock);
	/* Fully ordered: pairs with the barrier in mmapdemo_dirty_folio(). */
	if (!folio_test_clear_dirty(folio))
		return;
	__xa_clear_mark(pages, folio->index, PAGECACHE_TAG_DIRTY);
	WRITE_ONCE(store->nr_dirty, store->nr_dirty - 1);
}

/*
 * Out of line, as it is seldom reached: munmap calls mmapdemo_dirty_folio() for
 * every dirty PTE.
 */
static noinline bool dirty_enter(struct address_space *mapping,
				 struct folio *folio)
{
	XA_STATE(xas, &mapping->i_pages, folio->index);
	unsigned long flags;
	bool newly;

	xas_lock_irqsave(&xas, flags);
	newly = folio->mapping == mapping && !folio_test_dirty(folio);
	if (newly) {
		xas_load(&xas);
		mmapdemo_dirty_set_locked(mapping->host->i_private, folio,
					  &xas);
	}
	xas_unlock_irqrestore(&xas, flags);
	return newly;
}

/**
 * mmapdemo_dirty_folio() - the store's address_space_operations.dirty_folio
 * @mapping: the store's address_space
 * @folio: a page that was written
 *
 * Called by our ->page_mkwrite and write(2); by the core for every dirty PTE
 * that it zaps (mm/memory.c, zap_pte_range()); and by whoever unpins a page
 * that a device wrote to (mm/gup.c, unpin_user_pages_dirty_lock()).
 *
 * Context: any; a page-table lock may be held. The page may be leaving the
 * store: then its data is gone, and there is nothing to log.
 * Return: whether this call added the page to the log.
 */
bool mmapdemo_dirty_folio(struct address_space *mapping, struct folio *folio)
{
	/*
	 * The caller wrote to the page, and we read the flag; a cleaner clears
	 * the flag, and then reads the page. Without a barrier on each side,
	 * both could miss the write.
	 */
	smp_mb();
	return !folio_test_dirty(folio) && dirty_enter(mapping, folio);
}

static bool dirty_clean_folio(struct mmapdemo_store *store, struct folio *folio)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	bool clean = false;

	folio_lock(folio);
	/* It may have been discarded, or cleaned, before we locked it. */
	if (folio->mapping == mapping && folio_test_dirty(folio)) {
		/* Write-protect first: see the head of this file. */
		folio_mkclean(folio);
		xa_lock_irq(&mapping->i_pages);
		mmapdemo_dirty_drop_locked(store, folio);
		trace_mmapdemo_clean(folio->index);
		xa_unlock_irq(&mapping->i_pages);
		clean = true;
	}
	folio_unlock(folio);
	return clean;
}

/**
 * mmapdemo_dirty_clean() - write-protect and clean dirty pages
 * @store: the store
 * @start: first page of the range
 * @last: last page of the range, inclusive
 *
 * The next write to each, through any mapping, calls ->page_mkwrite again.
 * Pages that become dirty behind the walk stay dirty.
 *
 * Context: process context, may sleep; takes folio locks.
 * Return: the number of pages cleaned.
 */
unsigned long mmapdemo_dirty_clean(struct mmapdemo_store *store,
				   pgoff_t start, pgoff_t last)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	struct folio_batch fbatch;
	unsigned long cleaned = 0;
	unsigned int i;

	folio_batch_init(&fbatch);
	while (filemap_get_folios_tag(mapping, &start, last,
				      PAGECACHE_TAG_DIRTY, &fbatch)) {
		for (i = 0; i < folio_batch_count(&fbatch); i++)
			cleaned += dirty_clean_folio(store, fbatch.folios[i]);
		folio_batch_release(&fbatch);
		cond_resched();
	}
	mmapdemo_stat_add(STAT_CLEANED, cleaned);
	return cleaned;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_dirty_clean);

/* Extends the last extent or starts a new one. Return: false if it is full. */
static bool harvest_add(struct mmapdemo_harvest *h, pgoff_t pgoff,
			unsigned int max)
{
	if (h->nr && pgoff == h->start[h->nr - 1] + h->nr_pages[h->nr - 1]) {
		h->nr_pages[h->nr - 1]++;
		return true;
	}
	if (h->nr == max)
		return false;
	h->start[h->nr] = pgoff;
	h->nr_pages[h->nr++] = 1;
	return true;
}

/* Return: false if the harvest is full, and the page is not in it. */
static bool harvest_folio(struct mmapdemo_store *store,
			  struct mmapdemo_harvest *h, struct folio *folio,
			  unsigned int max)
{
	pgoff_t pgoff = folio->index;

	/*
	 * Make room first: a page that is cleaned must be reported. Undo that
	 * if another harvest, or a discard, was faster.
	 */
	if (!harvest_add(h, pgoff, max))
		return false;
	if (h->clear ? !dirty_clean_folio(store, folio) :
		       !folio_test_dirty(folio)) {
		if (!--h->nr_pages[h->nr - 1])
			h->nr--;
	}
	h->next = pgoff + 1;
	return true;
}

/**
 * mmapdemo_dirty_harvest() - collect dirty pages as extents
 * @store: the store
 * @harvest: where to start, and what is found; no extents on entry
 * @max: limit on the extents, from 1 to %MMAPDEMO_HARVEST_MAX
 *
 * Visits dirty pages only: the cost does not depend on the size of the range.
 * With @harvest->clear each page is write-protected and cleaned as it is found,
 * in one step under its lock: every write is in this harvest or in a later one.
 *
 * Context: process context, may sleep; takes folio locks.
 */
void mmapdemo_dirty_harvest(struct mmapdemo_store *store,
			    struct mmapdemo_harvest *harvest, unsigned int max)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	pgoff_t index = harvest->next;
	struct folio_batch fbatch;
	bool room = true;
	unsigned int i;

	folio_batch_init(&fbatch);
	while (room && filemap_get_folios_tag(mapping, &index, harvest->last,
					      PAGECACHE_TAG_DIRTY, &fbatch)) {
		for (i = 0; room && i < folio_batch_count(&fbatch); i++)
			room = harvest_folio(store, harvest, fbatch.folios[i],
					     max);
		folio_batch_release(&fbatch);
		cond_resched();
	}
	if (room)
		harvest->next = harvest->last + 1;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_dirty_harvest);

/**
 * mmapdemo_dirty_restore() - put harvested pages back into the log
 * @store: the store
 * @harvest: the harvest
 * @first: first extent that could not be delivered
 *
 * Context: process context, may sleep.
 */
void mmapdemo_dirty_restore(struct mmapdemo_store *store,
			    const struct mmapdemo_harvest *harvest,
			    unsigned int first)
{
	unsigned int i;
	pgoff_t n;

	for (i = first; harvest->clear && i < harvest->nr; i++) {
		for (n = 0; n < harvest->nr_pages[i]; n++) {
			struct folio *folio =
				mmapdemo_store_get(store, harvest->start[i] + n);

			if (!folio)
				continue;
			mmapdemo_dirty_folio(mmapdemo_store_mapping(store),
					     folio);
			folio_put(folio);
		}
	}
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_dirty_restore);
