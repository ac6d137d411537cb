/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The counters, and the debugfs files that show them: see stats.c.
 */
#ifndef _MMAPDEMO_STATS_H
#define _MMAPDEMO_STATS_H

#include <linux/percpu.h>

struct mmapdemo_device;

/* The counters; stats.c has the names that debugfs shows. */
enum mmapdemo_stat {
	STAT_MMAP,		/* mappings made by mmap(2) */
	STAT_VMA_OPEN,		/* VMAs copied: fork, split, mremap */
	STAT_VMA_CLOSE,		/* VMAs closed */
	STAT_FAULT_READ,	/* ->fault for a read */
	STAT_FAULT_WRITE,	/* ->fault for a shared write */
	STAT_FAULT_COW,		/* ->fault for a private write */
	STAT_MAP_PAGES,		/* read faults served by ->map_pages alone */
	STAT_INSERTED,		/* PTEs set by fault_mode=insert */
	STAT_MKWRITE,		/* ->page_mkwrite */
	STAT_SIGBUS_SIZE,	/* faults past the end */
	STAT_SIGBUS_CAP,	/* faults with the pool at its cap */
	STAT_SIGBUS_POISON,	/* faults on a poisoned page */
	STAT_DIRTIED,		/* pages that entered the dirty log */
	STAT_CLEARED,		/* pages that a harvest took out of it */
	STAT_CLEANED,		/* pages that a sync cleaned */
	STAT_DISCARDED,		/* pages removed by discard or resize */
	STAT_POOL_ALLOCATED,	/* pages allocated */
	STAT_POOL_FREED,	/* pages freed, or left to others */
	STAT_POOL_RECYCLED,	/* used pages zeroed and handed out again */
	MMAPDEMO_NR_STATS
};

struct mmapdemo_stats {
	unsigned long count[MMAPDEMO_NR_STATS];
};

/* Two instructions, on a cache line of the local CPU: nothing bounces. */
static inline void mmapdemo_stat_add(struct mmapdemo_stats __percpu *stats,
				     enum mmapdemo_stat stat, unsigned long n)
{
	this_cpu_add(stats->count[stat], n);
}

static inline void mmapdemo_stat_inc(struct mmapdemo_stats __percpu *stats,
				     enum mmapdemo_stat stat)
{
	mmapdemo_stat_add(stats, stat, 1);
}

unsigned long mmapdemo_stat_read(struct mmapdemo_stats __percpu *stats,
				 enum mmapdemo_stat stat);
void mmapdemo_stats_create(struct mmapdemo_device *dev);
void mmapdemo_stats_destroy(struct mmapdemo_device *dev);

#endif /* _MMAPDEMO_STATS_H */
