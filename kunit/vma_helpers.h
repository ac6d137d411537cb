/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device for the test alone, an open file of it, and mappings of that file in
 * the address space of the thread that runs the case. There is no node:
 * built-in suites run before there is user space, or a filesystem.
 */
#ifndef _MMAPDEMO_KUNIT_VMA_H
#define _MMAPDEMO_KUNIT_VMA_H

#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "helpers.h"

/* Pages of the device; a mapping reaches past them. */
#define VMA_SLOTS	64
#define VMA_PAGES	(VMA_SLOTS + 16)
/* Aligned like the windows of fault-around. */
#define VMA_ADDR	SZ_256M

/**
 * struct vma_test - the state of a case
 * @dev: the device, of VMA_SLOTS pages
 * @file: open for reading and writing
 * @counted: the counters when count_from_now() was last called
 */
struct vma_test {
	struct mmapdemo_device dev;
	struct file *file;
	unsigned long counted[MMAPDEMO_NR_STATS];
};

static inline struct mmapdemo_store *store_of(struct kunit *test)
{
	struct vma_test *vt = test->priv;

	return &vt->dev.store;
}

static inline void count_from_now(struct vma_test *vt)
{
	int i;

	for (i = 0; i < MMAPDEMO_NR_STATS; i++)
		vt->counted[i] = mmapdemo_stat_read(&test_stats, i);
}

static inline unsigned long counted(struct vma_test *vt, enum mmapdemo_stat stat)
{
	return mmapdemo_stat_read(&test_stats, stat) - vt->counted[stat];
}

static inline struct file *vma_test_open(struct vma_test *vt, int flags)
{
	/* As misc_open() sets it for the driver's ->open. */
	struct file *file = anon_inode_getfile("mmapdemo", &mmapdemo_fops,
					       &vt->dev.misc, flags);

	if (!IS_ERR(file))
		file->f_op->open(file_inode(file), file);
	return file;
}

/* @size: size of the struct that starts with a struct vma_test. */
static inline int vma_test_create(struct kunit *test, size_t size)
{
	struct vma_test *vt = kunit_kzalloc(test, size, GFP_KERNEL);
	int err;

	if (!vt)
		return -ENOMEM;
	err = mmapdemo_pool_init(&vt->dev.pool, VMA_SLOTS, &test_stats);
	if (err)
		return err;
	err = mmapdemo_store_init(&vt->dev.store, &vt->dev.pool, 0,
				  VMA_SLOTS * PAGE_SIZE, true);
	if (err)
		goto err_pool;
	vt->file = vma_test_open(vt, O_RDWR);
	if (IS_ERR(vt->file)) {
		err = PTR_ERR(vt->file);
		goto err_store;
	}
	count_from_now(vt);
	test->priv = vt;
	return 0;

err_store:
	mmapdemo_store_fini(&vt->dev.store);
err_pool:
	mmapdemo_pool_fini(&vt->dev.pool);
	return err;
}

static inline int vma_test_init(struct kunit *test)
{
	return vma_test_create(test, sizeof(struct vma_test));
}

static inline void vma_test_exit(struct kunit *test)
{
	struct vma_test *vt = test->priv;
	int tries;

	/* Newer kernels call this after a failed init, too. */
	if (!vt)
		return;
	/*
	 * The mappings go with the thread that ran the case, which may still be
	 * exiting. Until then each holds a reference to the file.
	 */
	for (tries = 0; tries < 500 && file_count(vt->file) > 1; tries++)
		msleep(20);
	if (file_count(vt->file) > 1) {
		KUNIT_FAIL(test, "a mapping stays; so does the device");
		return;
	}
	fput(vt->file);
	/* In a kernel thread, fput() leaves the rest to a work item. */
	flush_delayed_fput();
	mmapdemo_store_fini(&vt->dev.store);
	mmapdemo_pool_fini(&vt->dev.pool);
}

/* mmap(2), through kunit_vm_mmap(); skips the case if the kernel has none. */
static inline unsigned long test_mmap(struct kunit *test, struct file *file,
				      unsigned long addr, unsigned long size,
				      unsigned long flags, unsigned long offset)
{
#ifdef MMAPDEMO_HAVE_KUNIT_VM_MMAP
	return kunit_vm_mmap(test, file, addr, size, PROT_READ | PROT_WRITE,
			     flags, offset);
#else
	return 0;
#endif
}

static inline void need_mmap(struct kunit *test)
{
#ifndef MMAPDEMO_HAVE_KUNIT_VM_MMAP
	kunit_skip(test, "needs kunit_vm_mmap(), which came with Linux 6.11");
#endif
}

/* Sets the parameter, which ->mmap reads. Return: the old value. */
static inline const char *fault_mode_swap(const char *mode)
{
	bool insert = mmapdemo_param_fault_mode(0) == MMAPDEMO_FAULT_INSERT;

	mmapdemo_fault_mode_set(mode);
	return insert ? "insert" : "map_pages";
}

/* Return: the address of a mapping of @nr_pages from @pgoff. */
static inline unsigned long map_file(struct kunit *test, struct file *file,
				     const char *mode, unsigned long flags,
				     pgoff_t pgoff, unsigned long nr_pages)
{
	unsigned long addr;
	const char *old;

	need_mmap(test);
	old = fault_mode_swap(mode);
	addr = test_mmap(test, file, VMA_ADDR, nr_pages * PAGE_SIZE, flags,
			 pgoff * PAGE_SIZE);
	fault_mode_swap(old);
	KUNIT_ASSERT_NE(test, addr, 0);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR_VALUE(addr), "errno %ld", (long)addr);
	return addr;
}

static inline unsigned long map_from(struct kunit *test, const char *mode,
				     unsigned long flags, pgoff_t pgoff,
				     unsigned long nr_pages)
{
	struct vma_test *vt = test->priv;

	return map_file(test, vt->file, mode, flags, pgoff, nr_pages);
}

static inline unsigned long map_shared(struct kunit *test, const char *mode)
{
	return map_from(test, mode, MAP_SHARED, 0, VMA_PAGES);
}

static inline u8 __user *user_byte(unsigned long addr, unsigned long page)
{
	return (u8 __user *)(addr + page * PAGE_SIZE);
}

/* Return: the first byte of a page, or -EFAULT. */
static inline int peek(unsigned long addr, unsigned long page)
{
	u8 byte;

	return get_user(byte, user_byte(addr, page)) ?: byte;
}

/* Writes the first byte of a page. Return: 0, or -EFAULT. */
static inline int poke(unsigned long addr, unsigned long page, u8 byte)
{
	return put_user(byte, user_byte(addr, page));
}

#endif /* _MMAPDEMO_KUNIT_VMA_H */
