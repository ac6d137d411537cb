// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters, and the debugfs files that show them. A counter only grows, is kept
 * per CPU and summed when read: counting costs two instructions, and a reader
 * gets a value that was right at some moment.
 */
#include <linux/debugfs.h>
#include <linux/pagemap.h>
#include <linux/seq_file.h>

#include "compat.h"
#include "device.h"
#include "stats.h"
#include "write.h"

static const char * const stat_names[] = {
	[STAT_MMAP]		= "mmap",
	[STAT_VMA_OPEN]		= "vma_open",
	[STAT_VMA_CLOSE]	= "vma_close",
	[STAT_FAULT_READ]	= "fault_read",
	[STAT_FAULT_WRITE]	= "fault_write",
	[STAT_FAULT_COW]	= "fault_cow",
	[STAT_MAP_PAGES]	= "map_pages",
	[STAT_INSERTED]		= "inserted",
	[STAT_MKWRITE]		= "mkwrite",
	[STAT_SIGBUS_SIZE]	= "sigbus_size",
	[STAT_SIGBUS_CAP]	= "sigbus_cap",
	[STAT_SIGBUS_POISON]	= "sigbus_poison",
	[STAT_DIRTIED]		= "dirtied",
	[STAT_CLEARED]		= "cleared",
	[STAT_CLEANED]		= "cleaned",
	[STAT_DISCARDED]	= "discarded",
	[STAT_POOL_ALLOCATED]	= "pool_allocated",
	[STAT_POOL_FREED]	= "pool_freed",
	[STAT_POOL_RECYCLED]	= "pool_recycled",
};

static_assert(ARRAY_SIZE(stat_names) == MMAPDEMO_NR_STATS);

/**
 * mmapdemo_stat_read() - sum one counter over all CPUs
 * @stats: the counters of a device
 * @stat: the counter
 *
 * Context: any. May miss what other CPUs count meanwhile.
 * Return: the sum, modulo ULONG_MAX + 1.
 */
unsigned long mmapdemo_stat_read(struct mmapdemo_stats __percpu *stats,
				 enum mmapdemo_stat stat)
{
	unsigned long sum = 0;
	int cpu;

	/* Possible, not online: CPUs that are offline now have counted, too. */
	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(stats, cpu)->count[stat]);
	return sum;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_stat_read);

static int stats_show(struct seq_file *m, void *unused)
{
	struct mmapdemo_device *dev = m->private;
	int i;

	for (i = 0; i < MMAPDEMO_NR_STATS; i++)
		seq_printf(m, "%s %lu\n", stat_names[i],
			   mmapdemo_stat_read(dev->stats, i));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/* Counts as it goes: nothing that writes has to keep a count of it. */
static unsigned long count_unsynced(struct mmapdemo_store *store)
{
	struct xarray *pages = &mmapdemo_store_mapping(store)->i_pages;
	struct folio *folio;
	unsigned long index, nr = 0;

	xa_for_each_marked(pages, index, folio, PAGECACHE_TAG_WRITEBACK)
		nr++;
	xa_for_each_marked(pages, index, folio, PAGECACHE_TAG_DIRTY)
		nr += !mmapdemo_marked(folio, MMAPDEMO_WRITABLE);
	return nr;
}

/* In pages; they are not read at the same instant. */
static int pool_show(struct seq_file *m, void *unused)
{
	struct mmapdemo_device *dev = m->private;
	struct mmapdemo_pool *pool = &dev->pool;
	struct address_space *mapping = mmapdemo_store_mapping(&dev->store);

	mmapdemo_pool_take_back(pool);
	seq_printf(m, "cap %lu\n", pool->cap);
	seq_printf(m, "held %ld\n", atomic_long_read(&pool->nr_held));
	seq_printf(m, "cached %lu\n", mmapdemo_pool_count(pool));
	seq_printf(m, "stored %lu\n", READ_ONCE(mapping->nrpages));
	seq_printf(m, "dirty %lu\n", READ_ONCE(dev->store.nr_dirty));
	seq_printf(m, "unsynced %lu\n", count_unsynced(&dev->store));
	seq_printf(m, "lent %lu\n", READ_ONCE(pool->nr_lent));
	seq_printf(m, "forgotten %ld\n", atomic_long_read(&pool->nr_forgotten));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pool);

/**
 * mmapdemo_stats_create() - create the debugfs directory, named like the node
 * @dev: the device that the files describe
 *
 * Errors need no check: without debugfs there are no files, and nothing else
 * changes (fs/debugfs/inode.c, debugfs_create_file()).
 *
 * Context: process context, may sleep.
 */
void mmapdemo_stats_create(struct mmapdemo_device *dev)
{
	dev->debugfs = debugfs_create_dir(dev->misc.name, NULL);
	debugfs_create_file("stats", 0444, dev->debugfs, dev, &stats_fops);
	debugfs_create_file("pool", 0444, dev->debugfs, dev, &pool_fops);
}

/**
 * mmapdemo_stats_destroy() - remove the debugfs directory
 * @dev: the device
 *
 * Context: process context, may sleep: waits for readers of the files.
 */
void mmapdemo_stats_destroy(struct mmapdemo_device *dev)
{
	debugfs_remove_recursive(dev->debugfs);
}
