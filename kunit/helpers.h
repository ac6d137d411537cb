/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MMAPDEMO_KUNIT_HELPERS_H
#define _MMAPDEMO_KUNIT_HELPERS_H

#include <linux/highmem.h>
#include <linux/string.h>

#include "../module/compat.h"
#include "../module/device.h"
#include "../module/dirty.h"
#include "../module/params.h"
#include "../module/stats.h"

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

/* Finds or makes the page of a slot; keeps neither its lock nor a reference. */
static inline struct folio *store_touch(struct mmapdemo_store *store,
					pgoff_t pgoff, bool dirty)
{
	struct folio *folio = mmapdemo_store_grab(store, pgoff, dirty);

	if (!IS_ERR(folio)) {
		folio_unlock(folio);
		folio_put(folio);
	}
	return folio;
}

static inline bool store_is_hole(struct mmapdemo_store *store, pgoff_t pgoff)
{
	struct folio *folio = mmapdemo_store_get(store, pgoff);

	if (folio)
		folio_put(folio);
	return !folio;
}

static inline bool store_is_dirty(struct mmapdemo_store *store, pgoff_t pgoff)
{
	struct folio *folio = mmapdemo_store_get(store, pgoff);
	bool dirty = folio && folio_test_dirty(folio);
	bool marked = xa_get_mark(&mmapdemo_store_mapping(store)->i_pages,
				  pgoff, PAGECACHE_TAG_DIRTY);

	if (folio)
		folio_put(folio);
	/* The two must always agree; a WARN fails the run. */
	WARN_ON(dirty != marked);
	return dirty;
}

static inline unsigned long store_count(struct mmapdemo_store *store)
{
	return mmapdemo_store_mapping(store)->nrpages;
}

#endif /* _MMAPDEMO_KUNIT_HELPERS_H */
