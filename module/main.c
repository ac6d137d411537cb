// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device: set up when the module is loaded, and torn down, in reverse
 * order, when it is unloaded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/miscdevice.h>
#include <linux/module.h>

#include "device.h"
#include "file.h"
#include "params.h"
#include "stats.h"

static struct mmapdemo_device mmapdemo = {
	.misc = {
		.minor	= MISC_DYNAMIC_MINOR,
		.name	= "mmapdemo",
		.mode	= 0600,
	},
};

static int __init mmapdemo_init(void)
{
	u64 size = mmapdemo_param_size();
	u64 pool_size = mmapdemo_param_pool_size();
	int err;

	err = mmapdemo_store_module_init();
	if (err)
		return err;
	err = mmapdemo_pool_init(&mmapdemo.pool, pool_size >> PAGE_SHIFT);
	if (err)
		goto err_store_module;
	err = mmapdemo_store_init(&mmapdemo.store, &mmapdemo.pool, size,
				  mmapdemo_param_dirty_log());
	if (err)
		goto err_pool;
	mmapdemo_stats_create(&mmapdemo);
	mmapdemo.misc.fops = mmapdemo_fops_with(mmapdemo_param_mmap_hook());

	/* Last: from here on anybody may open it. */
	err = misc_register(&mmapdemo.misc);
	if (err)
		goto err_stats;
	pr_info("loaded: /dev/mmapdemo, size %llu, pool_size %llu bytes\n",
		size, pool_size);
	return 0;

err_stats:
	mmapdemo_stats_destroy(&mmapdemo);
	mmapdemo_store_fini(&mmapdemo.store);
err_pool:
	mmapdemo_pool_fini(&mmapdemo.pool);
err_store_module:
	mmapdemo_store_module_exit();
	return err;
}

/*
 * No file is open now: each holds a reference to the module, and so does each
 * VMA through its file. Pages may still be pinned, or sit in a pipe: they are
 * left to whoever holds them, and need nothing of ours any more.
 */
static void __exit mmapdemo_exit(void)
{
	misc_deregister(&mmapdemo.misc);
	mmapdemo_stats_destroy(&mmapdemo);
	mmapdemo_store_fini(&mmapdemo.store);
	if (!mmapdemo_pool_fini(&mmapdemo.pool))
		pr_info("unloaded: %lu pages were allocated, all are back\n",
			mmapdemo_stat_read(STAT_POOL_ALLOCATED));
	mmapdemo_store_module_exit();
}

module_init(mmapdemo_init);
module_exit(mmapdemo_exit);

MODULE_DESCRIPTION("A character device that shows how to serve mmap(2)");
MODULE_LICENSE("GPL");
MODULE_VERSION(MMAPDEMO_VERSION);
