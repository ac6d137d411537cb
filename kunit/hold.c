// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmapdemo_hold - the locks of a file's mapping, held for as long as a test says
 *
 * A module for tests only, never installed. Whoever needs such a lock waits, and
 * a test can see how: whether it can be killed, and whether it waits at all
 * where it was asked not to. Needs nothing of mmapdemo: any file will do.
 *
 * A lock is held by a thread of ours. The caller of an ioctl could not take one
 * along to user space, and when it dies, the file's release gives it back.
 */
#include <linux/capability.h>
#include <linux/completion.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "../module/compat.h"
#include "hold.h"

/**
 * struct hold - the state of an open /dev/mmapdemo_hold
 * @lock: protects the rest
 * @thread: holds the lock; NULL: there is none
 * @held: it has got it, or an error
 * @err: that one
 * @arg: which lock
 * @file: the file that it is about
 * @folio: the page that is locked
 */
struct hold {
	/* protects the rest */
	struct mutex lock;
	struct task_struct *thread;
	struct completion held;
	int err;
	struct hold_lock arg;
	struct file *file;
	struct folio *folio;
};

static int hold_take(struct hold *hold)
{
	struct address_space *mapping = hold->file->f_mapping;

	switch (hold->arg.what) {
	case HOLD_PAGE:
		hold->folio = filemap_lock_folio(mapping, hold->arg.pgoff);
		return IS_ERR_OR_NULL(hold->folio) ? -ENOENT : 0;
	case HOLD_INVALIDATE:
		filemap_invalidate_lock(mapping);
		return 0;
	case HOLD_INVALIDATE_SHARED:
		filemap_invalidate_lock_shared(mapping);
		return 0;
	case HOLD_INODE:
		inode_lock(mapping->host);
		return 0;
	default:
		return -EINVAL;
	}
}

static void hold_drop(struct hold *hold)
{
	struct address_space *mapping = hold->file->f_mapping;

	switch (hold->arg.what) {
	case HOLD_PAGE:
		folio_unlock(hold->folio);
		folio_put(hold->folio);
		break;
	case HOLD_INVALIDATE:
		filemap_invalidate_unlock(mapping);
		break;
	case HOLD_INVALIDATE_SHARED:
		filemap_invalidate_unlock_shared(mapping);
		break;
	case HOLD_INODE:
		inode_unlock(mapping->host);
		break;
	}
}

static int hold_thread(void *arg)
{
	struct hold *hold = arg;

	hold->err = hold_take(hold);
	complete(&hold->held);
	for (;;) {
		set_current_state(TASK_IDLE);
		if (kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	if (!hold->err)
		hold_drop(hold);
	return 0;
}

static void hold_unlock(struct hold *hold)
{
	kthread_stop(hold->thread);
	hold->thread = NULL;
	fput(hold->file);
}

static int hold_start(struct hold *hold)
{
	struct task_struct *thread;

	hold->file = fget(hold->arg.fd);
	if (!hold->file)
		return -EBADF;
	init_completion(&hold->held);
	thread = kthread_run(hold_thread, hold, "mmapdemo_hold");
	if (IS_ERR(thread)) {
		fput(hold->file);
		return PTR_ERR(thread);
	}
	hold->thread = thread;
	wait_for_completion(&hold->held);
	return hold->err;
}

static long hold_ioctl_lock(struct hold *hold, const void __user *argp)
{
	int err;

	if (hold->thread)
		return -EBUSY;
	if (copy_from_user(&hold->arg, argp, sizeof(hold->arg)))
		return -EFAULT;
	err = hold_start(hold);
	if (err && hold->thread)
		hold_unlock(hold);
	return err;
}

static long hold_ioctl_unlock(struct hold *hold)
{
	if (!hold->thread)
		return -EINVAL;
	hold_unlock(hold);
	return 0;
}

/* As a caller does who has a thread for what takes time: KVM is one. */
static long hold_nowait(const void __user *argp)
{
	struct hold_pin arg;
	struct page *page;
	long nr;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	nr = get_user_pages_unlocked(arg.addr, 1, &page,
				     FOLL_NOWAIT | (arg.write ? FOLL_WRITE : 0));
	if (nr == 1)
		put_page(page);
	return nr;
}

static long hold_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct hold *hold = file->private_data;
	void __user *argp = (void __user *)arg;
	long ret = -ENOTTY;

	if (cmd == HOLD_IOC_NOWAIT)
		return hold_nowait(argp);
	mutex_lock(&hold->lock);
	if (cmd == HOLD_IOC_LOCK)
		ret = hold_ioctl_lock(hold, argp);
	else if (cmd == HOLD_IOC_UNLOCK)
		ret = hold_ioctl_unlock(hold);
	mutex_unlock(&hold->lock);
	return ret;
}

/* Root only: who holds a lock can hang everybody else. */
static int hold_open(struct inode *inode, struct file *file)
{
	struct hold *hold;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	hold = kzalloc_obj(*hold);
	if (!hold)
		return -ENOMEM;
	mutex_init(&hold->lock);
	file->private_data = hold;
	return 0;
}

static int hold_release(struct inode *inode, struct file *file)
{
	struct hold *hold = file->private_data;

	if (hold->thread)
		hold_unlock(hold);
	kfree(hold);
	return 0;
}

static const struct file_operations hold_fops = {
	.owner		= THIS_MODULE,
	.open		= hold_open,
	.release	= hold_release,
	.unlocked_ioctl	= hold_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice hold_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.mode	= 0600,
	.name	= "mmapdemo_hold",
	.fops	= &hold_fops,
};

module_misc_device(hold_misc);

MODULE_DESCRIPTION("Holds the locks of a file's mapping, for tests");
MODULE_LICENSE("GPL");
