/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dirty log: see log.c.
 */
#ifndef _MMAPDEMO_LOG_H
#define _MMAPDEMO_LOG_H

#include <linux/types.h>

struct mmapdemo_store;

#define MMAPDEMO_HARVEST_MAX	64

/**
 * struct mmapdemo_harvest - a walk over the dirty log
 * @next: first page that was not visited yet; advances
 * @last: last page of the range, inclusive
 * @clear: take each page that is returned out of the log
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

void mmapdemo_log_harvest(struct mmapdemo_store *store,
			    struct mmapdemo_harvest *harvest, unsigned int max);
void mmapdemo_log_restore(struct mmapdemo_store *store,
			    const struct mmapdemo_harvest *harvest,
			    unsigned int first);

#endif /* _MMAPDEMO_LOG_H */
