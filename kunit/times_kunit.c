// SPDX-License-Identifier: GPL-2.0-only
/*
 * The times of a node: what changes them, and that nothing waits for the node's
 * filesystem if that is frozen.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/percpu-rwsem.h>
#include <linux/stat.h>
#include <linux/uio.h>

#include "../module/uapi/mmapdemo.h"
#include "vma_helpers.h"

/**
 * struct times_test - the state of a case
 * @vt: first, because vma_test_create() makes it
 * @addr: a shared mapping
 * @arg: user address of the argument of an ioctl
 */
struct times_test {
	struct vma_test vt;
	unsigned long addr;
	unsigned long arg;
};

/**
 * struct times_param - an access
 * @description: what it does
 * @run: does it; returns 0 if that worked
 * @changes: whether it changes what the device holds
 */
struct times_param {
	const char *description;
	int (*run)(struct times_test *tt);
	bool changes;
};

static int run_read_fault(struct times_test *tt)
{
	return peek(tt->addr, 3) < 0;
}

static int run_write_fault(struct times_test *tt)
{
	return poke(tt->addr, 3, 1);
}

/* Of a page that is there. */
static int run_mkwrite(struct times_test *tt)
{
	return poke(tt->addr, 5, 1);
}

static int run_private_write(struct times_test *tt)
{
	unsigned long addr = vm_mmap(tt->vt.file, 0, PAGE_SIZE,
				     PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);

	return IS_ERR_VALUE(addr) ? -ENOMEM : poke(addr, 0, 1);
}

/* Not kernel_write(): that one waits for a frozen filesystem itself. */
static int run_write(struct times_test *tt)
{
	struct kvec vec = { .iov_base = "x", .iov_len = 1 };
	struct iov_iter iter;
	struct kiocb iocb;

	init_sync_kiocb(&iocb, tt->vt.file);
	iov_iter_kvec(&iter, WRITE, &vec, 1, 1);
	return tt->vt.file->f_op->write_iter(&iocb, &iter) != 1;
}

static int run_ioctl(struct times_test *tt, unsigned int cmd, const void *arg,
		     size_t size)
{
	if (copy_to_user((void __user *)tt->arg, arg, size))
		return -EFAULT;
	return tt->vt.file->f_op->unlocked_ioctl(tt->vt.file, cmd, tt->arg);
}

static int run_discard(struct times_test *tt)
{
	struct mmapdemo_discard arg = { .len = PAGE_SIZE };

	return run_ioctl(tt, MMAPDEMO_IOC_DISCARD, &arg, sizeof(arg));
}

static int run_resize(struct times_test *tt)
{
	struct mmapdemo_resize arg = { .size = PAGE_SIZE };

	return run_ioctl(tt, MMAPDEMO_IOC_RESIZE, &arg, sizeof(arg));
}

static int run_sync(struct times_test *tt)
{
	return vfs_fsync(tt->vt.file, 0);
}

static int run_dirty_log(struct times_test *tt)
{
	struct mmapdemo_dirty_log arg = {
		.len		= VMA_SLOTS * PAGE_SIZE,
		.extents	= tt->arg + PAGE_SIZE / 2,
		.nr_extents	= 1,
		.flags		= MMAPDEMO_DIRTY_LOG_CLEAR,
	};

	return run_ioctl(tt, MMAPDEMO_IOC_DIRTY_LOG, &arg, sizeof(arg));
}

static const struct times_param times_params[] = {
	{ "a read fault", run_read_fault, false },
	{ "a write fault", run_write_fault, true },
	{ "a first write", run_mkwrite, true },
	{ "a private write", run_private_write, false },
	{ "write(2)", run_write, true },
	{ "a discard", run_discard, true },
	{ "a resize", run_resize, true },
	{ "a sync", run_sync, false },
	{ "a harvest", run_dirty_log, false },
};

static void times_describe(const struct times_param *param, char *desc)
{
	strscpy(desc, param->description, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(times, times_params, times_describe);

static int times_test_init(struct kunit *test)
{
	return vma_test_create(test, sizeof(struct times_test));
}

/* Maps the device, whose page 5 was read. */
static struct times_test *prepare(struct kunit *test)
{
	struct times_test *tt = test->priv;

	tt->addr = map_shared(test, "map_pages");
	tt->arg = test_mmap(test, NULL, 0, PAGE_SIZE,
			    MAP_PRIVATE | MAP_ANONYMOUS, 0);
	KUNIT_ASSERT_FALSE(test, !tt->arg || IS_ERR_VALUE(tt->arg));
	KUNIT_ASSERT_EQ(test, peek(tt->addr, 5), 0);
	return tt;
}

/* Return: the node's time of last modification. */
static s64 mtime(struct times_test *tt)
{
	struct kstat stat = { };

	if (vfs_getattr_nosec(&tt->vt.file->f_path, &stat, STATX_MTIME, 0))
		return 0;
	return timespec64_to_ns(&stat.mtime);
}

/* Waits until the clock by which nodes go shows another time. */
static void wait_for_tick(void)
{
	msleep(2 * MSEC_PER_SEC / HZ + 1);
}

static bool changes_mtime(struct kunit *test, int (*run)(struct times_test *tt))
{
	struct times_test *tt = test->priv;
	s64 before = mtime(tt);

	wait_for_tick();
	KUNIT_EXPECT_EQ(test, run(tt), 0);
	return mtime(tt) != before;
}

static void times_change_with_the_content(struct kunit *test)
{
	const struct times_param *param = test->param_value;

	prepare(test);
	KUNIT_EXPECT_EQ(test, changes_mtime(test, param->run), param->changes);
}

/* As freeze_super() keeps new writers out. */
static void times_of_a_frozen_node_stay(struct kunit *test)
{
	const struct times_param *param = test->param_value;
	struct times_test *tt = prepare(test);
	struct super_block *sb = file_inode(tt->vt.file)->i_sb;
	struct percpu_rw_semaphore *writers =
		&sb->s_writers.rw_sem[SB_FREEZE_WRITE - 1];

	percpu_down_write(writers);
	KUNIT_EXPECT_FALSE(test, changes_mtime(test, param->run));
	percpu_up_write(writers);
}

/* By a mapping, that is: once for all writes to a page, as a file's do. */
static void times_change_once_between_two_syncs(struct kunit *test)
{
	prepare(test);
	KUNIT_EXPECT_TRUE(test, changes_mtime(test, run_mkwrite));
	KUNIT_EXPECT_FALSE(test, changes_mtime(test, run_mkwrite));
	KUNIT_EXPECT_FALSE(test, changes_mtime(test, run_dirty_log));
	KUNIT_EXPECT_FALSE(test, changes_mtime(test, run_mkwrite));
	KUNIT_EXPECT_EQ(test, counted(test->priv, STAT_MKWRITE), 2);
	KUNIT_EXPECT_FALSE(test, changes_mtime(test, run_sync));
	KUNIT_EXPECT_TRUE(test, changes_mtime(test, run_mkwrite));
}

static struct kunit_case times_cases[] = {
	KUNIT_CASE_PARAM(times_change_with_the_content, times_gen_params),
	KUNIT_CASE_PARAM(times_of_a_frozen_node_stay, times_gen_params),
	KUNIT_CASE(times_change_once_between_two_syncs),
	{ }
};

static struct kunit_suite times_suite = {
	.name = "mmapdemo_times",
	.init = times_test_init,
	.exit = vma_test_exit,
	.test_cases = times_cases,
};

kunit_test_suite(times_suite);
