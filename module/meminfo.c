// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /proc/meminfo, free(1) and their like show of the pool. Pages that hold data
 * count as those of tmpfs do, in Shmem and so in Cached; spare ones as memory that
 * can be reclaimed, in KReclaimable and so in MemAvailable.
 *
 * The spare pages that a CPU has cached count as used: they are few (CACHE_MAX),
 * and that way a fault has nothing to count. Lent pages count as used, too.
 */
#include <linux/mm.h>
#include <linux/vmstat.h>

#include "meminfo.h"

static void add_to_node(struct pglist_data *node, long used, long spare)
{
	if (used) {
		mod_node_page_state(node, NR_FILE_PAGES, used);
		mod_node_page_state(node, NR_SHMEM, used);
	}
	if (spare)
		mod_node_page_state(node, NR_KERNEL_MISC_RECLAIMABLE, spare);
}

/**
 * mmapdemo_meminfo_add_one() - count a page, or count it no longer
 * @folio: the page
 * @used: 1: as used; -1: no longer; 0: as before
 * @spare: the same as spare
 *
 * Context: any.
 */
void mmapdemo_meminfo_add_one(struct folio *folio, long used, long spare)
{
	add_to_node(folio_pgdat(folio), used, spare);
}

/**
 * mmapdemo_meminfo_add() - the same for a list of pages
 * @pages: linked by folio->lru; the caller's, or protected by its lock
 * @used: 1, -1 or 0, for each of them
 * @spare: likewise
 *
 * Context: any.
 */
void mmapdemo_meminfo_add(struct list_head *pages, long used, long spare)
{
	struct pglist_data *node = NULL;
	struct folio *folio;
	long nr = 0;

	/* In one go for all that follow each other on a node. */
	list_for_each_entry(folio, pages, lru) {
		if (folio_pgdat(folio) != node) {
			if (nr)
				add_to_node(node, nr * used, nr * spare);
			node = folio_pgdat(folio);
			nr = 0;
		}
		nr++;
	}
	if (nr)
		add_to_node(node, nr * used, nr * spare);
}
