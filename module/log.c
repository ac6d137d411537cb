// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log: which pages were written since the log was last cleared.
 *
 * A write puts a page in (write.c), its reader takes it out, and nobody else: a
 * sync by any other program leaves the log as it is. A page that leaves the
 * store leaves the log as well.
 */
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "log.h"
#include "stats.h"
#include "store.h"
#include "write.h"

/* Extends the last run or starts a new one. Return: false if there is no room. */
static bool harvest_add(struct mmapdemo_harvest *h, pgoff_t pgoff)
{
	struct mmapdemo_run *run = &h->runs[h->nr];

	if (h->nr && pgoff == run[-1].start + run[-1].nr_pages) {
		run[-1].nr_pages++;
		return true;
	}
	if (h->nr == h->max)
		return false;
	run->start = pgoff;
	run->nr_pages = 1;
	h->nr++;
	return true;
}

static void harvest_undo(struct mmapdemo_harvest *h)
{
	if (!--h->runs[h->nr - 1].nr_pages)
		h->nr--;
}

/* Return: 1 if the page is in the log, out of which it is taken; 0; -EINTR. */
static int harvest_take(struct mmapdemo_store *store, struct folio *folio)
{
	int err = folio_lock_killable(folio);
	bool taken;

	if (err)
		return err;
	taken = mmapdemo_clear_mark(store, folio, MMAPDEMO_LOGGED);
	folio_unlock(folio);
	if (taken)
		mmapdemo_stat_inc(store->stats, STAT_CLEARED);
	return taken;
}

/* Return: 0; -ENOSPC: there was no room, and the page is in the log; -EINTR. */
static int harvest_folio(struct mmapdemo_store *store,
			 struct mmapdemo_harvest *h, struct folio *folio)
{
	pgoff_t pgoff = folio->index;
	int ret;

	/*
	 * Make room first: a page that is taken out must be reported. Undo that
	 * if another harvest, or a discard, was faster.
	 */
	if (!harvest_add(h, pgoff))
		return -ENOSPC;
	ret = h->clear ? harvest_take(store, folio) :
			 mmapdemo_marked(folio, MMAPDEMO_LOGGED);
	if (ret <= 0)
		harvest_undo(h);
	if (ret >= 0)
		h->next = pgoff + 1;
	return min(ret, 0);
}

/**
 * mmapdemo_log_harvest() - collect the pages of the log
 * @store: the store
 * @harvest: where to start, and what is found; no runs on entry
 *
 * Visits logged pages only: the cost does not depend on the size of the range.
 * With @harvest->clear each page is write-protected and taken out as it is
 * found, in one step under its lock: every write is in this harvest or in a
 * later one. Ends when @harvest->runs is full, or after
 * %MMAPDEMO_HARVEST_PAGES pages, with @harvest->next at the first page that was
 * not visited.
 *
 * Context: process context, may sleep; takes folio locks.
 * Return: 0; -EINTR: killed; what is in @harvest was taken out.
 */
int mmapdemo_log_harvest(struct mmapdemo_store *store,
			 struct mmapdemo_harvest *harvest)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	unsigned long left = MMAPDEMO_HARVEST_PAGES;
	pgoff_t index = harvest->next;
	struct folio_batch fbatch;
	unsigned int i;
	int err = 0;

	folio_batch_init(&fbatch);
	while (filemap_get_folios_tag(mapping, &index, harvest->last,
				      PAGECACHE_TAG_TOWRITE, &fbatch)) {
		for (i = 0; !err && i < folio_batch_count(&fbatch); i++) {
			err = left ? harvest_folio(store, harvest, fbatch.folios[i]) :
				     -ENOSPC;
			left--;
		}
		folio_batch_release(&fbatch);
		cond_resched();
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		if (err)
			return err == -ENOSPC ? 0 : err;
	}
	harvest->next = harvest->last + 1;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_log_harvest);

/**
 * mmapdemo_log_restore() - put harvested pages back into the log
 * @store: the store
 * @harvest: the harvest
 * @first: first run that could not be delivered
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
		const struct mmapdemo_run *run = &harvest->runs[i];

		for (n = 0; n < run->nr_pages; n++) {
			struct folio *folio = mmapdemo_store_get(store, run->start + n);

			if (!folio)
				continue;
			mmapdemo_end_write(store, folio, MMAPDEMO_LOGGED);
			folio_put(folio);
		}
		cond_resched();
	}
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_log_restore);
