/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mmapdemo - how a driver serves mmap(2)
 *
 * /dev/mmapdemo is a sparse array of pages in memory. A mapping of it behaves
 * like a mapping of a tmpfs file of the same size: pages are allocated,
 * zero-filled, on first touch, and shared by all processes. The dirty log
 * records the first write to each page after it was last cleared.
 *
 * The objects and their owners:
 *
 *   struct mmapdemo_device      one for each node; lives as long as the module
 *    |-- struct mmapdemo_store  pgoff -> page; owns an inode of its own, whose
 *    |    `-- struct inode      address_space holds the pages (->i_pages) and
 *    |                          knows every VMA that maps them (->i_mmap)
 *    `-- struct mmapdemo_pool   supplies pages and takes them back; has a cap,
 *         `-- per-CPU caches    a cache per CPU, and a shrinker
 *
 * One reference to each page is ours; whoever holds it owns the page: the
 * pool, the store, or the code that moves the page from one to the other. Page
 * tables, pins and pipes hold further references, which may outlive ours.
 *
 * The first write to a hole through a shared mapping:
 *
 *   user          core (mm/memory.c)        fault.c        store.c    pool.c
 *    | write ------>|
 *    |              | do_shared_fault
 *    |              |---- ->fault ----------->|
 *    |              |                         |-- grab --->|
 *    |              |                         |            |- get ----->|
 *    |              |                         |            |<- zeroed --|
 *    |              |                         |            | insert into
 *    |              |                         |            | i_pages, mark
 *    |              |<--- locked page --------|<- locked --|
 *    |              | unlock
 *    |              |---- ->page_mkwrite ---->|
 *    |              |                         | lock, still in the store?
 *    |              |                         | marked already
 *    |              |<--- locked page --------|
 *    |              | finish_fault: PTE writable
 *    |<-------------| unlock
 *
 * Lock order, outermost first:
 *
 *   inode_lock                serialises write(2), discard and resize
 *    mmap_lock or VMA lock    the core, around ->mmap, ->fault, ->page_mkwrite
 *     invalidate_lock         shared: a page enters the store;
 *                             exclusive: pages leave it, or the cap is hit
 *      folio lock             the page stays in its slot, and loses no mark
 *       i_mmap_rwsem, PTL     the core, in zap and in rmap walks
 *        i_pages.xa_lock      irq-safe: slots, marks and counts of the store
 *      cache.lock             the spare pages of one CPU
 *       pool.lock             the spare pages that no CPU caches
 *
 * Never access user memory under a lock that ->fault takes: the user's buffer
 * may be a mapping of this very device.
 */
#ifndef _MMAPDEMO_DEVICE_H
#define _MMAPDEMO_DEVICE_H

#include <linux/device.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>

#include "pool.h"
#include "store.h"

#define MMAPDEMO_VERSION	"0.1.0"

struct dentry;
struct mmapdemo_stats;

/**
 * struct mmapdemo_device - the state of /dev/mmapdemo, or /dev/mmapdemo1, ...
 * @misc: its registration
 * @name: of its node
 * @pool: its pages
 * @store: its contents
 * @stats: its counters
 * @debugfs: directory of its statistics
 *
 * Devices share nothing but code.
 */
struct mmapdemo_device {
	struct miscdevice misc;
	char name[24];
	struct mmapdemo_pool pool;
	struct mmapdemo_store store;
	struct mmapdemo_stats __percpu *stats;
	struct dentry *debugfs;
};

int mmapdemo_device_create(struct mmapdemo_device *dev, unsigned int number);
long mmapdemo_device_destroy(struct mmapdemo_device *dev, unsigned long *allocated);

static inline struct mmapdemo_device *mmapdemo_device(const struct file *file)
{
	return file->private_data;
}

/* The number of the device that is @misc in sysfs. */
static inline unsigned int mmapdemo_misc_number(struct device *misc)
{
	return container_of((struct miscdevice *)dev_get_drvdata(misc),
			    struct mmapdemo_device, misc)->store.device;
}

#endif /* _MMAPDEMO_DEVICE_H */
