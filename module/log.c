// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log: which pages were written since the log was last cleared.
 *
 * A write puts a page in (write.c), its reader takes it out, and nobody else: a
 * sync by any other program leaves the log as it is. A page that leaves the
 * store leaves the log as well.
 */
#include <linux/pagemap.h>
#include <linux/sched.h>

#include "compat.h"
#include "log.h"
#include "stats.h"
#include "store.h"
#include "write.h"

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

/* Return: whether the page was in the log, out of which it is taken. */
static bool harvest_take(struct mmapdemo_store *store, struct folio *folio)
{
	bool taken;

	folio_lock(folio);
	taken = mmapdemo_clear_mark(store, folio, MMAPDEMO_LOGGED);
	folio_unlock(folio);
	if (taken)
		mmapdemo_stat_inc(STAT_CLEARED);
	return taken;
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
	if (h->clear ? !harvest_take(store, folio) :
		       !mmapdemo_marked(folio, MMAPDEMO_LOGGED)) {
		if (!--h->nr_pages[h->nr - 1])
			h->nr--;
	}
	h->next = pgoff + 1;
	return true;
}

/**
 * mmapdemo_log_harvest() - collect the pages of the log as extents
 * @store: the store
 * @harvest: where to start, and what is found; no extents on entry
 * @max: limit on the extents, from 1 to %MMAPDEMO_HARVEST_MAX
 *
 * Visits logged pages only: the cost does not depend on the size of the range.
 * With @harvest->clear each page is write-protected and taken out as it is
 * found, in one step under its lock: every write is in this harvest or in a later one.
 *
 * Context: process context, may sleep; takes folio locks.
 */
void mmapdemo_log_harvest(struct mmapdemo_store *store,
			    struct mmapdemo_harvest *harvest, unsigned int max)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	pgoff_t index = harvest->next;
	struct folio_batch fbatch;
	bool room = true;
	unsigned int i;

	folio_batch_init(&fbatch);
	while (room && filemap_get_folios_tag(mapping, &index, harvest->last,
					      PAGECACHE_TAG_TOWRITE, &fbatch)) {
		for (i = 0; room && i < folio_batch_count(&fbatch); i++)
			room = harvest_folio(store, harvest, fbatch.folios[i],
					     max);
		folio_batch_release(&fbatch);
		cond_resched();
	}
	if (room)
		harvest->next = harvest->last + 1;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_log_harvest);

/**
 * mmapdemo_log_restore() - put harvested pages back into the log
 * @store: the store
 * @harvest: the harvest
 * @first: first extent that could not be delivered
 *
 * Context: process context, may sleep.
 */
void mmapdemo_log_restore(struct mmapdemo_store *store,
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
			mmapdemo_end_write(store, folio, MMAPDEMO_LOGGED);
			folio_put(folio);
		}
	}
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_log_restore);
