/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place that knows kernel versions. The rest of the source is written
 * in the newest kernel's idiom; this file brings older kernels up to it, and
 * goes away in-tree.
 */
#ifndef _MMAPDEMO_COMPAT_H
#define _MMAPDEMO_COMPAT_H

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>

#include <kunit/visibility.h>

/*
 * folio_batch: in pagevec.h first, in folio_batch.h by 7.2; in between and since
 * then writeback.h includes whichever it is, for writeback_iter() of 6.9.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#include <linux/pagevec.h>
#else
#include <linux/writeback.h>
#endif

/* By 7.3 this is how an object is allocated, named by what points to it. */
#ifndef kmalloc_obj
#define kmalloc_obj(object)	kmalloc(sizeof(object), GFP_KERNEL)
#define kzalloc_obj(object)	kzalloc(sizeof(object), GFP_KERNEL)
#endif

/* 6.14 renamed it: "mm: alloc_pages_bulk: rename API". */
#ifndef alloc_pages_bulk
#define alloc_pages_bulk	alloc_pages_bulk_array
#endif

/* cdd30ebb1b9f ("module: Convert symbol namespace to string literal"), 6.13 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define MODULE_IMPORT_KUNIT_NS	MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING)
#else
#define MODULE_IMPORT_KUNIT_NS	MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING")
#endif

/* 33b3b041543e ("splice: Add a func to do a splice from an O_DIRECT file ..."), 6.5 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define copy_splice_read	generic_file_splice_read
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
/* 1c71222e5f23 ("mm: replace vma->vm_flags direct modifications ..."), 6.3 */
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

/* 1d024e7a8dab ("mm: remove enum page_entry_size"), 6.6 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define MMAPDEMO_FAULT_ORDER	enum page_entry_size
#else
#define MMAPDEMO_FAULT_ORDER	unsigned int
#endif

/*
 * c42d50aefd17 ("mm: shrinker: add infrastructure for dynamically allocating
 * shrinker"), 6.7, made shrinkers objects of their own, with private data.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
struct mmapdemo_shrinker {
	struct shrinker base;
	void *data;
};

static inline struct shrinker *
mmapdemo_shrinker_create(unsigned long (*count)(struct shrinker *, struct shrink_control *),
			 unsigned long (*scan)(struct shrinker *, struct shrink_control *),
			 void *data)
{
	struct mmapdemo_shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	s->base.count_objects = count;
	s->base.scan_objects = scan;
	s->base.seeks = DEFAULT_SEEKS;
	s->data = data;
	if (register_shrinker(&s->base, "mmapdemo-pool")) {
		kfree(s);
		return NULL;
	}
	return &s->base;
}

static inline void *mmapdemo_shrinker_data(struct shrinker *shrinker)
{
	return container_of(shrinker, struct mmapdemo_shrinker, base)->data;
}

static inline void mmapdemo_shrinker_destroy(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(container_of(shrinker, struct mmapdemo_shrinker, base));
}
#else
static inline struct shrinker *
mmapdemo_shrinker_create(unsigned long (*count)(struct shrinker *, struct shrink_control *),
			 unsigned long (*scan)(struct shrinker *, struct shrink_control *),
			 void *data)
{
	struct shrinker *shrinker = shrinker_alloc(0, "mmapdemo-pool");

	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->private_data = data;
	shrinker_register(shrinker);
	return shrinker;
}

static inline void *mmapdemo_shrinker_data(struct shrinker *shrinker)
{
	return shrinker->private_data;
}

static inline void mmapdemo_shrinker_destroy(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
}
#endif

/* 51104c19d857 ("kunit: test: Add vm_mmap() allocation resource manager"), 6.11 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define MMAPDEMO_HAVE_KUNIT_VM_MMAP
#endif

/*
 * 529ce23a764f ("mm: switch mm->get_unmapped_area() to a flag"), 6.10; the
 * first argument has gone by 7.3.
 */
static inline unsigned long
mmapdemo_get_unmapped_area(struct file *file, unsigned long addr,
			   unsigned long len, unsigned long pgoff,
			   unsigned long flags)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
	return current->mm->get_unmapped_area(file, addr, len, pgoff, flags);
#elif LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
	return mm_get_unmapped_area(current->mm, file, addr, len, pgoff, flags);
#else
	return mm_get_unmapped_area(file, addr, len, pgoff, flags);
#endif
}

/*
 * By 7.3 zap_vma_ptes has its new name, and .mmap_prepare, which came with
 * 6.16, its actions and vm_operations_struct.mapped.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
#define zap_special_vma_range	zap_vma_ptes
#else
#define MMAPDEMO_HAVE_MMAP_PREPARE
#endif

#endif /* _MMAPDEMO_COMPAT_H */
