/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls of ->fault as the core makes them, for each kind of mapping and access:
 * the parameter of the cases.
 */
#ifndef _MMAPDEMO_KUNIT_FAULT_H
#define _MMAPDEMO_KUNIT_FAULT_H

#include <kunit/test.h>
#include <linux/sched/mm.h>

#include "vma_helpers.h"

/* For sparse: KUnit's macros lose vm_fault_t, which is a type of its own. */
#define EXPECT_FAULT(test, ret, expected)				\
	KUNIT_EXPECT_EQ(test, (__force unsigned int)(ret),		\
			(__force unsigned int)(expected))

/**
 * struct fault_param - a mapping, and an access to it
 * @description: describes both
 * @mode: fault_mode of the mapping
 * @map_flags: for mmap
 * @fault_flags: in vm_fault
 */
struct fault_param {
	const char *description;
	const char *mode;
	unsigned long map_flags;
	unsigned int fault_flags;
};

static const struct fault_param fault_params[] = {
	{ "map_pages, a read", "map_pages", MAP_SHARED, 0 },
	{ "map_pages, a write", "map_pages", MAP_SHARED, FAULT_FLAG_WRITE },
	{ "map_pages, a private write", "map_pages", MAP_PRIVATE, FAULT_FLAG_WRITE },
	{ "insert, a read", "insert", MAP_SHARED, 0 },
	{ "insert, a write", "insert", MAP_SHARED, FAULT_FLAG_WRITE },
	{ "insert, a private write", "insert", MAP_PRIVATE, FAULT_FLAG_WRITE },
};

static void fault_describe(const struct fault_param *param, char *desc)
{
	strscpy(desc, param->description, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fault, fault_params, fault_describe);

static inline bool is_insert_read(const struct fault_param *param)
{
	return !strcmp(param->mode, "insert") && !param->fault_flags;
}

/* Return: the VMA of a new mapping, unlocked: only this thread uses it. */
static inline struct vm_area_struct *map_vma(struct kunit *test)
{
	const struct fault_param *param = test->param_value;
	unsigned long addr = map_from(test, param->mode, param->map_flags, 0,
				      VMA_PAGES);
	struct vm_area_struct *vma;

	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, addr);
	mmap_read_unlock(current->mm);
	KUNIT_ASSERT_NOT_NULL(test, vma);
	return vma;
}

/**
 * struct fault_result - the result of ->fault
 * @ret: its return value
 * @dropped: whether it has dropped mmap_lock
 * @page: its page, or NULL; the rest is about this page
 * @locked: whether it is locked
 * @ref_count: its references, including the caller's
 * @index: its slot
 */
struct fault_result {
	vm_fault_t ret;
	bool dropped;
	struct page *page;
	bool locked;
	int ref_count;
	pgoff_t index;
};

/* Releases the page as the core does, so that the store can be emptied. */
static inline void result_release(struct fault_result *result)
{
	struct folio *folio = page_folio(result->page);

	result->locked = folio_test_locked(folio);
	result->ref_count = folio_ref_count(folio);
	result->index = folio->index;
	if (result->locked)
		folio_unlock(folio);
	folio_put(folio);
}

static inline struct fault_result call_fault_with(struct kunit *test,
						  struct vm_area_struct *vma,
						  pgoff_t pgoff, unsigned int flags)
{
	const struct fault_param *param = test->param_value;
	struct mm_struct *mm = current->mm;
	struct fault_result result = { };
	struct vm_fault vmf = {
		.vma		= vma,
		.pgoff		= pgoff,
		.address	= vma->vm_start + pgoff * PAGE_SIZE,
		.gfp_mask	= GFP_KERNEL,
		.flags		= param->fault_flags | flags,
	};

	mmap_read_lock(mm);
	result.ret = vma->vm_ops->fault(&vmf);
	/* Nobody else takes this lock. */
	result.dropped = !rwsem_is_locked(&mm->mmap_lock);
	if (!result.dropped)
		mmap_read_unlock(mm);
	result.page = vmf.page;
	if (result.page)
		result_release(&result);
	return result;
}

static inline struct fault_result call_fault(struct kunit *test,
					     struct vm_area_struct *vma,
					     pgoff_t pgoff)
{
	return call_fault_with(test, vma, pgoff, 0);
}

#endif /* _MMAPDEMO_KUNIT_FAULT_H */
