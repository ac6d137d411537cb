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
 * mmapdemo_meminfo_add() - count pages, or count them no longer
 * @pages: the pages
 * @nr: how many
 * @used: 1: as used; -1: no longer; 0: as before
 * @spare: the same as spare
 *
 * Context: any.
 */
void mmapdemo_meminfo_add(struct folio **pages, unsigned int nr, long used, long spare)
{
	unsigned int first = 0, i;

	/* In one go for all that follow each other on a node. */
	for (i = 1; i <= nr; i++) {
		if (i < nr && folio_pgdat(pages[i]) == folio_pgdat(pages[first]))
			continue;
		add_to_node(folio_pgdat(pages[first]), (i - first) * used,
			    (i - first) * spare);
		first = i;
	}
}
