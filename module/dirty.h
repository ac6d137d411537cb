/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dirty log: see dirty.c.
 */
#ifndef _MMAPDEMO_DIRTY_H
#define _MMAPDEMO_DIRTY_H

#include <linux/fs.h>
#include <linux/xarray.h>

struct mmapdemo_store;

/* The dirty log: a mark on each written page of the store. */
bool mmapdemo_dirty_folio(struct address_space *mapping, struct folio *folio);
void mmapdemo_dirty_set_locked(struct mmapdemo_store *store,
			       struct folio *folio, struct xa_state *xas);
void mmapdemo_dirty_drop_locked(struct mmapdemo_store *store,
				struct folio *folio);
unsigned long mmapdemo_dirty_clean(struct mmapdemo_store *store,
				   pgoff_t start, pgoff_t last);

#define MMAPDEMO_HARVEST_MAX	64

/**
 * struct mmapdemo_harvest - a walk over the dirty log
 * @next: first page that was not visited yet; advances
 * @last: last page of the range, inclusive
 * @clear: clean each page that is returned
 * @start: first page of each extent
 * @nr_pages: length of each extent
 * @nr: number of extents
 */
struct mmapdemo_harvest {
	pgoff_t next;
	pgoff_t last;
	bool clear;
	pgoff_t start[MMAPDEMO_HARVEST_MAX];
	unsigned long nr_pages[MMAPDEMO_HARVEST_MAX];
	unsigned int nr;
};

void mmapdemo_dirty_harvest(struct mmapdemo_store *store,
			    struct mmapdemo_harvest *harvest, unsigned int max);
void mmapdemo_dirty_restore(struct mmapdemo_store *store,
			    const struct mmapdemo_harvest *harvest,
			    unsigned int first);

#endif /* _MMAPDEMO_DIRTY_H */
