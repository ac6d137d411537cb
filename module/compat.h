/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only file that knows kernel versions. The rest of the source is written
 * for the newest kernel; this file adapts older ones to it, and is not needed
 * in-tree. Sorted by the release that changed what it adapts.
 */
#ifndef _MMAPDEMO_COMPAT_H
#define _MMAPDEMO_COMPAT_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>

#include <kunit/visibility.h>

#define KERNEL_BEFORE(major, minor)	(LINUX_VERSION_CODE < KERNEL_VERSION(major, minor, 0))

#if KERNEL_BEFORE(6, 3)		/* 1c71222e5f23 */
#define vm_flags_set(vma, flags)	((vma)->vm_flags |= (flags))
#endif

#if KERNEL_BEFORE(6, 5)		/* 33b3b041543e */
#define copy_splice_read		generic_file_splice_read
#endif

#if KERNEL_BEFORE(6, 6)		/* 1d024e7a8dab */
#define MMAPDEMO_FAULT_ORDER		enum page_entry_size
/* No fault of ours runs under a VMA lock there. */
#define release_fault_lock(vmf)		mmap_read_unlock((vmf)->vma->vm_mm)
#else
#define MMAPDEMO_FAULT_ORDER		unsigned int
#endif

#if KERNEL_BEFORE(6, 6)		/* 9b6304c1d537 */
#define inode_get_ctime(inode)	((inode)->i_ctime)
#endif

#if KERNEL_BEFORE(6, 7)		/* 12cd44023651 */
#define inode_get_mtime(inode)	((inode)->i_mtime)
#endif

#if KERNEL_BEFORE(6, 7)		/* c42d50aefd17: shrinkers are allocated by the core */
struct mmapdemo_shrinker {
	struct shrinker base;
	void *private_data;
};

#define SHRINKER_PRIVATE(shrinker) \
	(container_of(shrinker, struct mmapdemo_shrinker, base)->private_data)

static inline struct shrinker *shrinker_alloc(unsigned int flags, const char *name)
{
	struct mmapdemo_shrinker *shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);

	return shrinker ? &shrinker->base : NULL;
}

static inline int mmapdemo_shrinker_register(struct shrinker *shrinker)
{
	shrinker->seeks = DEFAULT_SEEKS;
	return register_shrinker(shrinker, "mmapdemo-pool");
}

static inline void shrinker_free(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(container_of(shrinker, struct mmapdemo_shrinker, base));
}
#else
#define SHRINKER_PRIVATE(shrinker)	((shrinker)->private_data)
#define mmapdemo_shrinker_register(shrinker)	(shrinker_register(shrinker), 0)
#endif

#if KERNEL_BEFORE(6, 10)	/* 529ce23a764f */
#define mm_get_unmapped_area(...)	(current->mm->get_unmapped_area(__VA_ARGS__))
#elif KERNEL_BEFORE(7, 3)
#define mm_get_unmapped_area(...)	mm_get_unmapped_area(current->mm, __VA_ARGS__)
#endif

#if !KERNEL_BEFORE(6, 11)	/* 51104c19d857 */
#define MMAPDEMO_HAVE_KUNIT_VM_MMAP
#endif

#if KERNEL_BEFORE(6, 12)	/* folio_batch, which writeback.h includes since */
#include <linux/pagevec.h>
#else
#include <linux/writeback.h>
#endif

#if KERNEL_BEFORE(6, 13)	/* cdd30ebb1b9f */
#define MODULE_IMPORT_KUNIT_NS		MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING)
#else
#define MODULE_IMPORT_KUNIT_NS		MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING")
#endif

#if KERNEL_BEFORE(6, 13)	/* 4e40eff0b573 */
static inline bool is_mgtime(const struct inode *inode)
{
	return false;
}
#endif

#ifndef alloc_pages_bulk	/* 6.14 */
#define alloc_pages_bulk		alloc_pages_bulk_array
#endif

#ifndef kmalloc_obj		/* by 7.3 */
#define kmalloc_obj(object)		kmalloc(sizeof(object), GFP_KERNEL)
#define kzalloc_obj(object)		kzalloc(sizeof(object), GFP_KERNEL)
#endif

/* 6.16 has .mmap_prepare, but not the vm_ops->mapped that we need with it. */
#define MMAPDEMO_HAVE_MMAP_PREPARE	(!KERNEL_BEFORE(7, 3))
#if KERNEL_BEFORE(7, 3)
#define zap_special_vma_range		zap_vma_ptes
#endif

/* Without userfaultfd there is no struct vm_uffd_ops. */
#define MMAPDEMO_HAVE_UFFD_OPS	(!KERNEL_BEFORE(7, 3) && IS_ENABLED(CONFIG_USERFAULTFD))

#endif /* _MMAPDEMO_COMPAT_H */
