/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dirty log: see log.c.
 */
#ifndef _MMAPDEMO_LOG_H
#define _MMAPDEMO_LOG_H

#include <linux/types.h>

struct mmapdemo_store;

/* Limits of one harvest: what a caller may have to hold, or to put back. */
#define MMAPDEMO_HARVEST_EXTENTS	4096
#define MMAPDEMO_HARVEST_PAGES		65536

/**
 * struct mmapdemo_run - consecutive pages
 * @start: the first one
 * @nr_pages: how many
 */
struct mmapdemo_run {
	pgoff_t start;
	unsigned long nr_pages;
};

/**
 * struct mmapdemo_harvest - a walk over the dirty log
 * @next: first page that was not visited yet; advances
 * @last: last page of the range, inclusive
 * @clear: take each page that is returned out of the log
 * @runs: receives what is found
 * @max: length of @runs
 * @nr: how many of @runs are in use
 */
struct mmapdemo_harvest {
	pgoff_t next;
	pgoff_t last;
	bool clear;
	struct mmapdemo_run *runs;
	unsigned int max;
	unsigned int nr;
};

int mmapdemo_log_harvest(struct mmapdemo_store *store,
			 struct mmapdemo_harvest *harvest);
void mmapdemo_log_restore(struct mmapdemo_store *store,
			  const struct mmapdemo_harvest *harvest,
			  unsigned int first);

#endif /* _MMAPDEMO_LOG_H */
