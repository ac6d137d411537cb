// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls. Each checks its argument and leaves the work to the store or the
 * dirty log. None accesses user memory under a lock that ->fault takes: the
 * argument may be in a mapping of this device.
 */
#include <linux/fs.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
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
				  MMAPDEMO_FEATURE_DISCARD |
				  MMAPDEMO_FEATURE_DIRTY_LOG,
	};

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
	inode_lock(store->inode);
	err = inode_newsize_ok(store->inode, arg.size);
	if (!err) {
		mmapdemo_touch(file);
		mmapdemo_store_resize(store, arg.size);
	}
	inode_unlock(store->inode);
	return err;
}

static int ioctl_discard(struct file *file, void __user *argp)
{
	struct mmapdemo_store *store = &mmapdemo_device(file)->store;
	struct mmapdemo_discard arg;
	int err = -EINVAL;
	u64 end;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.flags || arg.pad || !arg.len || !PAGE_ALIGNED(arg.start) ||
	    !PAGE_ALIGNED(arg.len) ||
	    check_add_overflow(arg.start, arg.len, &end))
		return -EINVAL;

	/* Exclude write(2) and resize, as for a file. */
	inode_lock(store->inode);
	if (end <= i_size_read(store->inode)) {
		mmapdemo_touch(file);
		mmapdemo_store_discard(store, arg.start >> PAGE_SHIFT,
				       end >> PAGE_SHIFT);
		err = 0;
	}
	inode_unlock(store->inode);
	return err;
}

/* Return: the number of extents that could be written. */
static unsigned int extents_to_user(const struct mmapdemo_harvest *harvest,
				    struct mmapdemo_extent __user *to)
{
	unsigned int i;

	for (i = 0; i < harvest->nr; i++) {
		struct mmapdemo_extent extent = {
			.start	= (u64)harvest->start[i] << PAGE_SHIFT,
			.len	= (u64)harvest->nr_pages[i] << PAGE_SHIFT,
		};

		if (copy_to_user(&to[i], &extent, sizeof(extent)))
			break;
	}
	return i;
}

/*
 * Harvests [@arg->start, @end) into the user's array, in batches, and advances
 * @arg. No page may leave the log unreported: pages that were cleaned and
 * cannot be delivered go back, and if others have been delivered before, those
 * are reported instead of the error.
 */
static int dirty_log_harvest(struct mmapdemo_store *store,
			     struct mmapdemo_harvest *harvest,
			     struct mmapdemo_dirty_log *arg, u64 end)
{
	struct mmapdemo_extent __user *to = u64_to_user_ptr(arg->extents);
	unsigned int nr;
	u32 done = 0;

	harvest->last = (end - 1) >> PAGE_SHIFT;
	harvest->clear = arg->flags & MMAPDEMO_DIRTY_LOG_CLEAR;
	do {
		harvest->next = arg->start >> PAGE_SHIFT;
		harvest->nr = 0;
		mmapdemo_log_harvest(store, harvest,
				     min_t(u32, arg->nr_extents - done,
					     MMAPDEMO_HARVEST_MAX));
		nr = extents_to_user(harvest, to + done);
		done += nr;
		if (nr < harvest->nr) {
			mmapdemo_log_restore(store, harvest, nr);
			harvest->next = harvest->start[nr];
		}
		arg->start = (u64)harvest->next << PAGE_SHIFT;
		if (nr < harvest->nr && !done)
			return -EFAULT;
	} while (nr == harvest->nr && done < arg->nr_extents &&
		 arg->start < end && !fatal_signal_pending(current));

	arg->nr_extents = done;
	arg->len = end - arg->start;
	return 0;
}

static int ioctl_dirty_log(struct mmapdemo_device *dev, void __user *argp,
			   bool writable)
{
	struct mmapdemo_harvest *harvest;
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

	/* Make sure that @argp is writable before a page is cleaned. */
	if (copy_to_user(argp, &arg, sizeof(arg)))
		return -EFAULT;

	harvest = kmalloc_obj(*harvest);
	if (!harvest)
		return -ENOMEM;
	err = dirty_log_harvest(&dev->store, harvest, &arg, end);
	if (!err && copy_to_user(argp, &arg, sizeof(arg)))
		err = -EFAULT;
	kfree(harvest);
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
		return ioctl_dirty_log(dev, argp, writable);
	default:
		return -ENOTTY;
	}
}
