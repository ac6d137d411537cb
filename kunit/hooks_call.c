// SPDX-License-Identifier: GPL-2.0-only
/*
 * The helpers that insert pages into page tables, called with arguments that
 * they must refuse. The test reads what they return.
 *
 * All are called from .mmap, and none where it would BUG instead of returning:
 * see the flags of each.
 */
#include <linux/page_ref.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "hooks.h"

static long insert_at(struct vm_area_struct *vma, struct hooks_file *hf,
		      unsigned long index, pgoff_t pgoff)
{
	return vm_insert_page(vma, vma->vm_start + index * PAGE_SIZE,
			      hf->pages[pgoff]);
}

static long call_insert(struct vm_area_struct *vma, struct hooks_file *hf)
{
	return insert_at(vma, hf, 0, 0);
}

static long call_insert_behind(struct vm_area_struct *vma,
			       struct hooks_file *hf)
{
	return insert_at(vma, hf, vma_pages(vma), 0);
}

static long call_insert_before(struct vm_area_struct *vma,
			       struct hooks_file *hf)
{
	return vm_insert_page(vma, vma->vm_start - PAGE_SIZE,
			      hf->pages[0]);
}

/* A slot is filled once; the first page stays. */
static long call_insert_twice(struct vm_area_struct *vma, struct hooks_file *hf)
{
	return insert_at(vma, hf, 0, 0) ?: insert_at(vma, hf, 0, 1);
}

/* A page without an owner, like one that was freed already. */
static long call_insert_free(struct vm_area_struct *vma, struct hooks_file *hf)
{
	struct page *page = alloc_page(GFP_KERNEL);
	long ret;

	if (!page)
		return -ENOMEM;
	if (page_ref_freeze(page, 1)) {
		ret = vm_insert_page(vma, vma->vm_start, page);
		page_ref_unfreeze(page, 1);
	} else {
		ret = -EAGAIN;
	}
	__free_page(page);
	return ret;
}

/* kmalloc() memory: its pages have no reference counts for mappings. */
static long call_insert_slab(struct vm_area_struct *vma, struct hooks_file *hf)
{
	void *object = kmalloc(64, GFP_KERNEL);
	long ret;

	if (!object)
		return -ENOMEM;
	ret = vm_insert_page(vma, vma->vm_start, virt_to_head_page(object));
	kfree(object);
	return ret;
}

/* An anonymous page: the caller's stack has one. */
static long call_insert_anon(struct vm_area_struct *vma, struct hooks_file *hf)
{
	struct page *page;
	long ret;

	/* We hold mmap_lock: only the variant that takes no lock will do. */
	if (get_user_pages_fast_only(current->mm->start_stack, 1, 0, &page) != 1)
		return -EAGAIN;
	ret = vm_insert_page(vma, vma->vm_start, page);
	put_page(page);
	return ret;
}

static long call_insert_zero(struct vm_area_struct *vma, struct hooks_file *hf)
{
	return vm_insert_page(vma, vma->vm_start, ZERO_PAGE(0));
}

static long insert_pages(struct vm_area_struct *vma, struct hooks_file *hf,
			 unsigned long addr, unsigned long nr)
{
	unsigned long left = nr;
	long ret;

	ret = vm_insert_pages(vma, addr, hf->pages, &left);
	hooks_note(hf, COUNT_LEFT, left);
	return ret;
}

static long call_insert_pages(struct vm_area_struct *vma, struct hooks_file *hf)
{
	return insert_pages(vma, hf, vma->vm_start, 4);
}

static long call_insert_pages_behind(struct vm_area_struct *vma,
				     struct hooks_file *hf)
{
	return insert_pages(vma, hf, vma->vm_end - PAGE_SIZE, 2);
}

/* The third of four places is taken. */
static long call_insert_pages_taken(struct vm_area_struct *vma,
				    struct hooks_file *hf)
{
	return insert_at(vma, hf, 2, 9) ?: call_insert_pages(vma, hf);
}

/* The pages of a buffer from vm_pgoff on, to the length of the VMA. */
static long call_map_pages(struct vm_area_struct *vma, struct hooks_file *hf)
{
	return vm_map_pages(vma, hf->pages, HOOKS_NR_PAGES);
}

static long pfn_at(struct vm_area_struct *vma, struct hooks_file *hf,
		   unsigned long index, pgoff_t pgoff)
{
	/* The test compares its bits, as a number. */
	return (__force long)vmf_insert_pfn(vma, vma->vm_start + index * PAGE_SIZE,
					    page_to_pfn(hf->pages[pgoff]));
}

static long call_pfn(struct vm_area_struct *vma, struct hooks_file *hf)
{
	return pfn_at(vma, hf, 0, 0);
}

static long call_pfn_behind(struct vm_area_struct *vma, struct hooks_file *hf)
{
	return pfn_at(vma, hf, vma_pages(vma), 0);
}

static long call_pfn_twice(struct vm_area_struct *vma, struct hooks_file *hf)
{
	pfn_at(vma, hf, 0, 0);
	return pfn_at(vma, hf, 0, 1);
}

/* What a driver does to revoke its memory, here a page of it. */
static long call_pfn_zap(struct vm_area_struct *vma, struct hooks_file *hf)
{
	pfn_at(vma, hf, 0, 0);
	pfn_at(vma, hf, 1, 1);
	zap_special_vma_range(vma, vma->vm_start, PAGE_SIZE);
	return 0;
}

static const struct {
	const char *name;
	long (*fn)(struct vm_area_struct *vma, struct hooks_file *hf);
	vm_flags_t needs;	/* VM_PFNMAP, or it BUGs */
} hooks_calls[] = {
	{ "none", NULL, 0 },
	{ "insert", call_insert, 0 },
	{ "insert_behind", call_insert_behind, 0 },
	{ "insert_before", call_insert_before, 0 },
	{ "insert_twice", call_insert_twice, 0 },
	{ "insert_free", call_insert_free, 0 },
	{ "insert_slab", call_insert_slab, 0 },
	{ "insert_anon", call_insert_anon, 0 },
	{ "insert_zero", call_insert_zero, 0 },
	{ "insert_pages", call_insert_pages, 0 },
	{ "insert_pages_behind", call_insert_pages_behind, 0 },
	{ "insert_pages_taken", call_insert_pages_taken, 0 },
	{ "map_pages", call_map_pages, 0 },
	{ "pfn", call_pfn, VM_PFNMAP },
	{ "pfn_behind", call_pfn_behind, VM_PFNMAP },
	{ "pfn_twice", call_pfn_twice, VM_PFNMAP },
	{ "pfn_zap", call_pfn_zap, VM_PFNMAP },
};

/**
 * hooks_call_find() - look up a call
 * @name: its name in the table above
 *
 * Return: its number, or -EINVAL.
 */
long hooks_call_find(const char *name)
{
	long i;

	for (i = 0; i < ARRAY_SIZE(hooks_calls); i++)
		if (!strcmp(hooks_calls[i].name, name))
			return i;
	return -EINVAL;
}

/**
 * hooks_call() - call a helper
 * @vma: the VMA of .mmap
 * @nr: its number from hooks_call_find()
 *
 * Context: in .mmap, under mmap_lock, exclusively.
 * Return: what the helper returned; -EPERM: it would BUG on such a VMA.
 */
long hooks_call(struct vm_area_struct *vma, long nr)
{
	struct hooks_file *hf = hooks_file(vma->vm_file);

	if (!hooks_calls[nr].fn)
		return 0;
	if ((vma->vm_flags & VM_PFNMAP) != hooks_calls[nr].needs)
		return -EPERM;
	return hooks_calls[nr].fn(vma, hf);
}
