// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module: makes the devices when it is loaded, and destroys them when it is
 * unloaded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/module.h>

#include "device.h"
#include "params.h"

static struct mmapdemo_device *devices;
static unsigned int nr_devices;

/* In reverse order. Return: how many pages are missing. */
static long destroy_devices(unsigned long *allocated)
{
	long missing = 0;

	while (nr_devices)
		missing += mmapdemo_device_destroy(&devices[--nr_devices], allocated);
	kvfree(devices);
	return missing;
}

static int __init mmapdemo_init(void)
{
	int nr = mmapdemo_params_init();
	unsigned long allocated = 0;
	int err;

	if (nr < 0)
		return nr;
	err = mmapdemo_store_module_init();
	if (err)
		return err;
	devices = kvcalloc(nr, sizeof(*devices), GFP_KERNEL);
	if (!devices)
		err = -ENOMEM;
	while (!err && nr_devices < nr) {
		err = mmapdemo_device_create(&devices[nr_devices], nr_devices);
		nr_devices += !err;
	}
	if (err) {
		destroy_devices(&allocated);
		mmapdemo_store_module_exit();
	}
	return err;
}

static void __exit mmapdemo_exit(void)
{
	unsigned long allocated = 0;

	if (!destroy_devices(&allocated))
		pr_info("unloaded: %lu pages were allocated, all are back\n",
			allocated);
	mmapdemo_store_module_exit();
}

module_init(mmapdemo_init);
module_exit(mmapdemo_exit);

MODULE_DESCRIPTION("A character device that shows how to serve mmap(2)");
MODULE_LICENSE("GPL");
MODULE_VERSION(MMAPDEMO_VERSION);
