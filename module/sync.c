// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sync: what fsync(2) and msync(2) do to the pages written since the last one.
 *
 * There is nothing behind these pages to write them to. But a driver that has
 * something does its I/O where this write-protects and cleans, and programs can
 * rely on what they see of it: the next write faults, and is noticed again. The
 * dirty log is not concerned: it belongs to its reader.
 */
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "stats.h"
#include "store.h"
#include "sync.h"
#include "write.h"

/* Syncs the pages of a range that have @tag. Return: 0; -EINTR: killed. */
static int sync_tagged(struct mmapdemo_store *store, pgoff_t start, pgoff_t last,
		       xa_mark_t tag)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	struct folio_batch fbatch;
	unsigned int i;
	int err = 0;

	folio_batch_init(&fbatch);
	while (!err && filemap_get_folios_tag(mapping, &start, last, tag, &fbatch)) {
		for (i = 0; i < folio_batch_count(&fbatch); i++) {
			struct folio *folio = fbatch.folios[i];

			err = folio_lock_killable(folio);
			if (err)
				break;
			if (mmapdemo_clear_mark(store, folio, MMAPDEMO_UNSYNCED))
				mmapdemo_stat_inc(store->stats, STAT_CLEANED);
			folio_unlock(folio);
		}
		folio_batch_release(&fbatch);
		cond_resched();
		if (fatal_signal_pending(current))
			err = -EINTR;
	}
	return err;
}

/**
 * mmapdemo_sync() - write-protect and clean what was written since the last sync
 * @store: the store
 * @start: first page of the range
 * @last: last page of the range, inclusive
 *
 * Pages that are written behind the walk are left to the next sync.
 *
 * Context: process context, may sleep; takes folio locks.
 * Return: 0; -EINTR: killed.
 */
int mmapdemo_sync(struct mmapdemo_store *store, pgoff_t start, pgoff_t last)
{
	/*
	 * The writable ones first: a harvest that write-protects one meanwhile
	 * moves it to the others.
	 */
	return sync_tagged(store, start, last, PAGECACHE_TAG_WRITEBACK) ?:
	       sync_tagged(store, start, last, PAGECACHE_TAG_DIRTY);
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_sync);
