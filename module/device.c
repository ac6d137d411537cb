// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device: made when the module is loaded, and taken apart, in reverse order, when
 * it is unloaded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/miscdevice.h>
#include <linux/percpu.h>

#include "device.h"
#include "file.h"
#include "params.h"
#include "stats.h"

/**
 * mmapdemo_device_create() - make a device, and register it
 * @dev: zeroed memory, owned by the caller
 * @number: 0 for /dev/mmapdemo, 1 for /dev/mmapdemo1, ...
 *
 * Context: process context, may sleep.
 * Return: 0; -ENOMEM; or an errno of misc_register().
 */
int mmapdemo_device_create(struct mmapdemo_device *dev, unsigned int number)
{
	u64 size = mmapdemo_param_size(number);
	u64 pool_size = mmapdemo_param_pool_size(number);
	int err;

	if (number)
		snprintf(dev->name, sizeof(dev->name), "mmapdemo%u", number);
	else
		strscpy(dev->name, "mmapdemo", sizeof(dev->name));
	dev->misc.minor = MISC_DYNAMIC_MINOR;
	dev->misc.name = dev->name;
	dev->misc.mode = 0600;
	dev->misc.groups = mmapdemo_param_groups();
	dev->misc.fops = mmapdemo_fops_with(mmapdemo_param_mmap_hook(number));

	dev->stats = alloc_percpu(struct mmapdemo_stats);
	if (!dev->stats)
		return -ENOMEM;
	err = mmapdemo_pool_init(&dev->pool, pool_size >> PAGE_SHIFT, dev->stats);
	if (err)
		goto err_stats;
	err = mmapdemo_store_init(&dev->store, &dev->pool, number, size,
				  mmapdemo_param_dirty_log(number));
	if (err)
		goto err_pool;
	mmapdemo_stats_create(dev);

	/* Last: from here on anybody may open it. */
	err = misc_register(&dev->misc);
	if (err)
		goto err_store;
	pr_info("loaded: /dev/%s, size %llu, pool_size %llu bytes\n", dev->name,
		size, pool_size);
	return 0;

err_store:
	mmapdemo_stats_destroy(dev);
	mmapdemo_store_fini(&dev->store);
err_pool:
	mmapdemo_pool_fini(&dev->pool);
err_stats:
	free_percpu(dev->stats);
	return err;
}

/**
 * mmapdemo_device_destroy() - unregister a device, and free all that it holds
 * @dev: the device
 * @allocated: the number of pages that it allocated is added to this
 *
 * No file is open now: each holds a reference to the module, and so does each
 * VMA through its file. Pages may still be pinned, or sit in a pipe: they are
 * left to whoever holds them, and need nothing of ours any more.
 *
 * Context: process context, may sleep.
 * Return: the number of pages that are missing, which was logged: 0.
 */
long mmapdemo_device_destroy(struct mmapdemo_device *dev, unsigned long *allocated)
{
	long missing;

	misc_deregister(&dev->misc);
	mmapdemo_stats_destroy(dev);
	mmapdemo_store_fini(&dev->store);
	missing = mmapdemo_pool_fini(&dev->pool);
	*allocated += mmapdemo_stat_read(dev->stats, STAT_POOL_ALLOCATED);
	free_percpu(dev->stats);
	return missing;
}
