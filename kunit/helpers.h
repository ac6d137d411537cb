/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MMAPDEMO_KUNIT_HELPERS_H
#define _MMAPDEMO_KUNIT_HELPERS_H

#include <linux/highmem.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include "../module/compat.h"
#include "../module/device.h"
#include "../module/file.h"
#include "../module/log.h"
#include "../module/params.h"
#include "../module/stats.h"
#include "../module/sync.h"
#include "../module/write.h"

/* The counters of what a suite makes. */
static DEFINE_PER_CPU(struct mmapdemo_stats, test_stats);

/* Fills a page with @byte. */
static inline void folio_fill(struct folio *folio, u8 byte)
{
	void *addr = kmap_local_folio(folio, 0);

	memset(addr, byte, PAGE_SIZE);
	kunmap_local(addr);
}

/* Return: whether each byte of the page is @byte. */
static inline bool folio_is_filled(struct folio *folio, u8 byte)
{
	void *addr = kmap_local_folio(folio, 0);
	bool filled = !memchr_inv(addr, byte, PAGE_SIZE);

	kunmap_local(addr);
	return filled;
}

/*
 * Finds or makes the page of a slot, and marks it as a store through a mapping
 * would if @dirty; keeps neither its lock nor a reference.
 */
static inline struct folio *store_touch(struct mmapdemo_store *store,
					pgoff_t pgoff, bool dirty)
{
	struct folio *folio = mmapdemo_store_grab(store, pgoff, NULL, NULL, true);

	if (IS_ERR(folio))
		return folio;
	if (dirty)
		mmapdemo_end_write(store, folio, MMAPDEMO_MARKS);
	folio_unlock(folio);
	folio_put(folio);
	return folio;
}

static inline bool store_is_hole(struct mmapdemo_store *store, pgoff_t pgoff)
{
	struct folio *folio = mmapdemo_store_get(store, pgoff);

	if (folio)
		folio_put(folio);
	return !folio;
}

static inline bool slot_has_mark(struct mmapdemo_store *store, pgoff_t pgoff,
				 xa_mark_t mark)
{
	return xa_get_mark(&mmapdemo_store_mapping(store)->i_pages, pgoff, mark);
}

/* Return: the marks of a slot's page; 0 for a hole. */
static inline unsigned long store_marks(struct mmapdemo_store *store, pgoff_t pgoff)
{
	struct folio *folio = mmapdemo_store_get(store, pgoff);
	bool dirty = slot_has_mark(store, pgoff, PAGECACHE_TAG_DIRTY);
	bool writable = slot_has_mark(store, pgoff, PAGECACHE_TAG_WRITEBACK);
	unsigned long marks = 0;

	if (folio) {
		marks = (unsigned long)folio->private;
		folio_put(folio);
	}
	/* A walk by the slots' marks must find it; one WARN fails the run. */
	WARN_ON_ONCE(!!(marks & MMAPDEMO_LOGGED) !=
		     slot_has_mark(store, pgoff, PAGECACHE_TAG_TOWRITE));
	WARN_ON_ONCE(!!(marks & MMAPDEMO_WRITABLE) != writable);
	WARN_ON_ONCE(!!(marks & MMAPDEMO_UNSYNCED) != (dirty || writable));
	return marks;
}

static inline bool store_is_dirty(struct mmapdemo_store *store, pgoff_t pgoff)
{
	return store_marks(store, pgoff) & MMAPDEMO_LOGGED;
}

static inline bool store_is_unsynced(struct mmapdemo_store *store, pgoff_t pgoff)
{
	return store_marks(store, pgoff) & MMAPDEMO_UNSYNCED;
}

/* Makes this thread one that has been killed, and one that has not. */
static inline void set_killed(bool killed)
{
	if (killed) {
		sigaddset(&current->pending.signal, SIGKILL);
		set_tsk_thread_flag(current, TIF_SIGPENDING);
	} else {
		sigdelset(&current->pending.signal, SIGKILL);
		clear_tsk_thread_flag(current, TIF_SIGPENDING);
	}
}

static inline unsigned long store_count(struct mmapdemo_store *store)
{
	return mmapdemo_store_mapping(store)->nrpages;
}

/* Return: how many pages a discard removed; a negative errno if it failed. */
static inline long store_discard(struct mmapdemo_store *store, pgoff_t start,
				 pgoff_t end)
{
	unsigned long before = store_count(store);

	return mmapdemo_store_discard(store, start, end) ?:
	       (long)(before - store_count(store));
}

#endif /* _MMAPDEMO_KUNIT_HELPERS_H */
