// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls. Each checks its argument and leaves the work to the store or the
 * dirty log. None accesses user memory under a lock that ->fault takes: the
 * argument may be in a mapping of this device.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "device.h"
#include "file.h"
#include "log.h"
#include "params.h"
#include "write.h"
#include "uapi/mmapdemo.h"

static int ioctl_info(struct mmapdemo_device *dev, void __user *argp)
{
	struct mmapdemo_store *store = &dev->store;
	struct mmapdemo_info info = {
		.size		= i_size_read(store->inode),
		.pool_size	= (u64)dev->pool.cap << PAGE_SHIFT,
		.page_size	= PAGE_SIZE,
		.stored		= (u64)READ_ONCE(mmapdemo_store_mapping(store)->nrpages)
				  << PAGE_SHIFT,
		.dirty		= (u64)READ_ONCE(store->nr_dirty) << PAGE_SHIFT,
		.features	= MMAPDEMO_FEATURE_RESIZE |
				  MMAPDEMO_FEATURE_DISCARD,
	};

	if (store->log)
		info.features |= MMAPDEMO_FEATURE_DIRTY_LOG;
	return copy_to_user(argp, &info, sizeof(info)) ? -EFAULT : 0;
}

static int ioctl_resize(struct file *file, void __user *argp)
{
	struct mmapdemo_store *store = &mmapdemo_device(file)->store;
	struct mmapdemo_resize arg;
	int err;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.flags || arg.pad || !arg.size || !PAGE_ALIGNED(arg.size) ||
	    arg.size > MMAPDEMO_SIZE_MAX)
		return -EINVAL;

	/* Exclude write(2), which checks the size once per page. */
	err = mmapdemo_store_lock(store);
	if (err)
		return err;
	err = inode_newsize_ok(store->inode, arg.size);
	if (!err) {
		mmapdemo_touch(file);
		err = mmapdemo_store_resize(store, arg.size);
	}
	mmapdemo_store_unlock(store);
	return err;
}

static int ioctl_discard(struct file *file, void __user *argp)
{
	struct mmapdemo_store *store = &mmapdemo_device(file)->store;
	struct mmapdemo_discard arg;
	u64 end;
	int err;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.flags || arg.pad || !arg.len || !PAGE_ALIGNED(arg.start) ||
	    !PAGE_ALIGNED(arg.len) ||
	    check_add_overflow(arg.start, arg.len, &end))
		return -EINVAL;

	/* Exclude write(2) and resize, as for a file. */
	err = mmapdemo_store_lock(store);
	if (err)
		return err;
	if (end > i_size_read(store->inode)) {
		err = -EINVAL;
	} else {
		mmapdemo_touch(file);
		err = mmapdemo_store_discard(store, arg.start >> PAGE_SHIFT,
					     end >> PAGE_SHIFT);
	}
	mmapdemo_store_unlock(store);
	return err;
}

/* Return: the number of runs that could be written. */
static unsigned int runs_to_user(const struct mmapdemo_harvest *harvest,
				 struct mmapdemo_extent __user *to)
{
	unsigned int i;

	for (i = 0; i < harvest->nr; i++) {
		struct mmapdemo_extent extent = {
			.start	= (u64)harvest->runs[i].start << PAGE_SHIFT,
			.len	= (u64)harvest->runs[i].nr_pages << PAGE_SHIFT,
		};

		if (copy_to_user(&to[i], &extent, sizeof(extent)))
			break;
	}
	return i;
}

/*
 * Writes a harvest of [@arg->start, @end) to the user: the extents, and last the
 * struct that says how many there are. No page may leave the log unreported:
 * what cannot be delivered goes back. If others could be, they are reported
 * instead of the error.
 */
static int deliver(struct mmapdemo_store *store, struct mmapdemo_harvest *harvest,
		   struct mmapdemo_dirty_log *arg, u64 end, void __user *argp)
{
	unsigned int nr = runs_to_user(harvest, u64_to_user_ptr(arg->extents));
	pgoff_t next = nr < harvest->nr ? harvest->runs[nr].start : harvest->next;

	arg->start = (u64)next << PAGE_SHIFT;
	arg->len = end - arg->start;
	arg->nr_extents = nr;
	if ((!nr && harvest->nr) || copy_to_user(argp, arg, sizeof(*arg))) {
		mmapdemo_log_restore(store, harvest, 0);
		return -EFAULT;
	}
	mmapdemo_log_restore(store, harvest, nr);
	return 0;
}

static int ioctl_dirty_log(struct mmapdemo_device *dev, void __user *argp,
			   bool writable)
{
	struct mmapdemo_harvest harvest = { };
	struct mmapdemo_dirty_log arg;
	u64 end;
	int err;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.flags & ~MMAPDEMO_DIRTY_LOG_CLEAR || !arg.nr_extents ||
	    !arg.len || !PAGE_ALIGNED(arg.start) || !PAGE_ALIGNED(arg.len) ||
	    check_add_overflow(arg.start, arg.len, &end) ||
	    end > MMAPDEMO_SIZE_MAX)
		return -EINVAL;
	if (arg.flags & MMAPDEMO_DIRTY_LOG_CLEAR && !writable)
		return -EBADF;
	/* A 32-bit kernel would take the lower half for the address. */
	if (arg.extents != (unsigned long)arg.extents)
		return -EFAULT;

	harvest.next = arg.start >> PAGE_SHIFT;
	harvest.last = (end - 1) >> PAGE_SHIFT;
	harvest.clear = arg.flags & MMAPDEMO_DIRTY_LOG_CLEAR;
	harvest.max = min_t(u32, arg.nr_extents, MMAPDEMO_HARVEST_EXTENTS);
	harvest.runs = kvmalloc_array(harvest.max, sizeof(*harvest.runs), GFP_KERNEL);
	if (!harvest.runs)
		return -ENOMEM;
	err = mmapdemo_log_harvest(&dev->store, &harvest);
	if (err)
		mmapdemo_log_restore(&dev->store, &harvest, 0);
	else
		err = deliver(&dev->store, &harvest, &arg, end, argp);
	kvfree(harvest.runs);
	return err;
}

/**
 * mmapdemo_ioctl() - file_operations.unlocked_ioctl, and .compat_ioctl: no
 * struct differs
 * @file: an open /dev/mmapdemo
 * @cmd: see uapi/mmapdemo.h
 * @arg: user pointer to the command's struct
 *
 * Context: process context, may sleep and fault.
 * Return: 0; -ENOTTY: unknown command; others: see uapi/mmapdemo.h.
 */
long mmapdemo_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct mmapdemo_device *dev = mmapdemo_device(file);
	bool writable = file->f_mode & FMODE_WRITE;
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case MMAPDEMO_IOC_INFO:
		return ioctl_info(dev, argp);
	case MMAPDEMO_IOC_RESIZE:
		return writable ? ioctl_resize(file, argp) : -EBADF;
	case MMAPDEMO_IOC_DISCARD:
		return writable ? ioctl_discard(file, argp) : -EBADF;
	case MMAPDEMO_IOC_DIRTY_LOG:
		return dev->store.log ? ioctl_dirty_log(dev, argp, writable) :
					-EOPNOTSUPP;
	default:
		return -ENOTTY;
	}
}
