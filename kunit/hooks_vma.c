// SPDX-License-Identifier: GPL-2.0-only
/*
 * vm_operations that answer what they were asked to, and count.
 *
 * Above each hook stands when a driver has a use for it. What the core makes
 * of each answer is what selftests/hooks/hooks_*.c prove.
 */
#include <linux/mempolicy.h>
#include <linux/pagemap.h>

#include "hooks.h"

static struct hooks_file *vma_hooks(const struct vm_area_struct *vma)
{
	return hooks_file(vma->vm_file);
}

/* A reference on what a VMA stands for, where its file will not do. */
static void hooks_open(struct vm_area_struct *vma)
{
	hooks_inc(vma_hooks(vma), COUNT_OPEN);
}

/* The end of that reference; a flush of what was written to the VMA. */
static void hooks_close(struct vm_area_struct *vma)
{
	hooks_inc(vma_hooks(vma), COUNT_CLOSE);
}

/* Memory that comes in units larger than a page: hugetlbfs, device DAX. */
static int hooks_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	struct hooks_file *hf = vma_hooks(vma);

	hooks_inc(hf, COUNT_MAY_SPLIT);
	hooks_note(hf, COUNT_SPLIT_AT, addr);
	return hooks_get(hf, SET_MAY_SPLIT);
}

/* State that is bound to an address: the vDSO, an aio ring, SGX enclaves. */
static int hooks_mremap(struct vm_area_struct *vma)
{
	struct hooks_file *hf = vma_hooks(vma);

	hooks_inc(hf, COUNT_MREMAP);
	hooks_note(hf, COUNT_MREMAP_TO, vma->vm_start);
	return hooks_get(hf, SET_MREMAP);
}

/* Permissions beyond those of the open file: SGX has some per page. */
static int hooks_mprotect(struct vm_area_struct *vma, unsigned long start,
			  unsigned long end, unsigned long newflags)
{
	struct hooks_file *hf = vma_hooks(vma);

	hooks_inc(hf, COUNT_MPROTECT);
	return hooks_get(hf, SET_MPROTECT);
}

/*
 * What a fault handler answers: the setting, as many times as "times" says,
 * then @usual. So an answer that makes the core retry ends by itself.
 */
static enum hooks_fault hooks_answer(struct hooks_file *hf,
				     enum hooks_setting setting,
				     enum hooks_fault usual)
{
	enum hooks_fault how = hooks_get(hf, setting);

	if (how == usual || how == FAULT_USUAL)
		return usual;
	if (hooks_get(hf, SET_TIMES) >= 0 &&
	    atomic_long_dec_if_positive(&hf->times) < 0)
		return usual;
	return how;
}

/*
 * VM_FAULT_RETRY may be returned on the first try only, after dropping the lock
 * that the fault holds. That is mmap_lock, not the VMA's lock: as there is no
 * ->map_pages, the core has changed to it before ->fault.
 */
static vm_fault_t hooks_retry(struct vm_fault *vmf)
{
	if (!(vmf->flags & FAULT_FLAG_ALLOW_RETRY) ||
	    vmf->flags & FAULT_FLAG_TRIED)
		return VM_FAULT_SIGBUS;
	/* With RETRY_NOWAIT the lock stays held. */
	if (!(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		mmap_read_unlock(vmf->vma->vm_mm);
	return VM_FAULT_RETRY;
}

/* Refused where the core would BUG: see vm_insert_page(), vmf_insert_pfn(). */
static vm_fault_t hooks_insert(struct vm_fault *vmf, struct page *page,
			       enum hooks_fault how)
{
	struct vm_area_struct *vma = vmf->vma;
	int err;

	if (how == FAULT_PFN) {
		if (!(vma->vm_flags & VM_PFNMAP))
			return VM_FAULT_SIGBUS;
		return vmf_insert_pfn(vma, vmf->address, page_to_pfn(page));
	}
	if (!(vma->vm_flags & VM_MIXEDMAP))
		return VM_FAULT_SIGBUS;
	err = vm_insert_page(vma, vmf->address, page);
	return err && err != -EBUSY ? vmf_error(err) : VM_FAULT_NOPAGE;
}

/* Hands the page of a fault to the core. */
static vm_fault_t hooks_give(struct vm_fault *vmf, struct page *page,
			     enum hooks_fault how)
{
	get_page(page);
	vmf->page = page;
	if (how == FAULT_LOCKED) {
		lock_page(page);
		return VM_FAULT_LOCKED;
	}
	return how == FAULT_MAJOR ? VM_FAULT_MAJOR : 0;
}

static vm_fault_t hooks_error(struct vm_fault *vmf, enum hooks_fault how)
{
	switch (how) {
	case FAULT_NOPAGE:
		return VM_FAULT_NOPAGE;
	case FAULT_SIGSEGV:
		return VM_FAULT_SIGSEGV;
	case FAULT_HWPOISON:
		return VM_FAULT_HWPOISON;
	case FAULT_OOM:
		return VM_FAULT_OOM;
	case FAULT_RETRY:
		return hooks_retry(vmf);
	case FAULT_FALLBACK:
		return VM_FAULT_FALLBACK;
	default:
		return VM_FAULT_SIGBUS;
	}
}

/* For pages that are found or made on touch, one at a time. */
static vm_fault_t hooks_fault(struct vm_fault *vmf)
{
	struct hooks_file *hf = vma_hooks(vmf->vma);
	struct page *page = hooks_page(hf, vmf->pgoff);
	enum hooks_fault how;
	bool pfnmap;

	hooks_inc(hf, COUNT_FAULT);
	if (vmf->flags & FAULT_FLAG_TRIED)
		hooks_inc(hf, COUNT_FAULT_TRIED);
	if (!page)
		return VM_FAULT_SIGBUS;
	pfnmap = vmf->vma->vm_flags & VM_PFNMAP;
	how = hooks_answer(hf, SET_FAULT, pfnmap ? FAULT_PFN : FAULT_PAGE);
	switch (how) {
	case FAULT_PAGE:
	case FAULT_LOCKED:
	case FAULT_MAJOR:
		/* Refcounted pages must not be in such a mapping. */
		return pfnmap ? VM_FAULT_SIGBUS : hooks_give(vmf, page, how);
	case FAULT_INSERT:
	case FAULT_PFN:
		return hooks_insert(vmf, page, how);
	default:
		return hooks_error(vmf, how);
	}
}

/* For physically contiguous memory: one entry for the range of a PMD. */
static vm_fault_t hooks_huge_fault(struct vm_fault *vmf,
				   MMAPDEMO_FAULT_ORDER order)
{
	struct hooks_file *hf = vma_hooks(vmf->vma);

	hooks_inc(hf, COUNT_HUGE_FAULT);
	return hooks_error(vmf, hooks_get(hf, SET_HUGE_FAULT));
}

/*
 * For a driver that must know which pages are written: to send them somewhere
 * later (fb_defio), or to reserve space for them first (filesystems).
 */
static vm_fault_t hooks_page_mkwrite(struct vm_fault *vmf)
{
	struct hooks_file *hf = vma_hooks(vmf->vma);
	enum hooks_fault how;

	hooks_inc(hf, COUNT_PAGE_MKWRITE);
	how = hooks_answer(hf, SET_PAGE_MKWRITE, FAULT_LOCKED);
	if (how == FAULT_ZERO)
		return 0;
	/* Not a valid answer: the core takes it for 0. */
	if (how == FAULT_RETRY)
		return VM_FAULT_RETRY;
	if (how != FAULT_LOCKED)
		return hooks_error(vmf, how);
	lock_page(vmf->page);
	return VM_FAULT_LOCKED;
}

/* The same for memory without struct page. */
static vm_fault_t hooks_pfn_mkwrite(struct vm_fault *vmf)
{
	struct hooks_file *hf = vma_hooks(vmf->vma);
	enum hooks_fault how;

	hooks_inc(hf, COUNT_PFN_MKWRITE);
	how = hooks_answer(hf, SET_PFN_MKWRITE, FAULT_ZERO);
	return how == FAULT_ZERO ? 0 : hooks_error(vmf, how);
}

/* A debugger's way into memory that get_user_pages refuses: device memory. */
static int hooks_access(struct vm_area_struct *vma, unsigned long addr,
			void *buf, int len, int write)
{
	struct hooks_file *hf = vma_hooks(vma);
	pgoff_t pgoff = linear_page_index(vma, addr);
	unsigned int offset = offset_in_page(addr);
	struct page *page = hooks_page(hf, pgoff);

	hooks_inc(hf, COUNT_ACCESS);
	if (!page)
		return -EIO;
	len = min_t(int, len, PAGE_SIZE - offset);
	if (write)
		memcpy(page_address(page) + offset, buf, len);
	else
		memcpy(buf, page_address(page) + offset, len);
	return len;
}

/* For mappings without a file, like the vDSO; always in core dumps. */
static const char *hooks_name(struct vm_area_struct *vma)
{
	hooks_inc(vma_hooks(vma), COUNT_NAME);
	return "[mmapdemo_hooks]";
}

#ifdef CONFIG_NUMA
/* Memory that follows the file, not the process: shmem. */
static int hooks_set_policy(struct vm_area_struct *vma, struct mempolicy *new)
{
	struct hooks_file *hf = vma_hooks(vma);

	hooks_inc(hf, COUNT_SET_POLICY);
	return hooks_get(hf, SET_POLICY);
}
#endif

#if MMAPDEMO_HAVE_MMAP_PREPARE
/* The counterpart of ->open for a new VMA. */
static int hooks_mapped(unsigned long start, unsigned long end, pgoff_t pgoff,
			const struct file *file, void **vm_private_data)
{
	struct hooks_file *hf = hooks_file(file);

	hooks_inc(hf, COUNT_MAPPED);
	return hooks_get(hf, SET_MAPPED);
}

/* What the core is to do once there is a VMA, instead of us in .mmap. */
static int hooks_act(struct hooks_file *hf, struct vm_area_desc *desc)
{
	unsigned long nr = vma_desc_pages(desc);
	unsigned long pfn = page_to_pfn(hf->pages[0]);
	long action = hooks_get(hf, SET_ACTION);

	desc->action.error_override = hooks_get(hf, SET_ERROR_OVERRIDE);
	if (action == ACTION_NONE)
		return 0;
	/* The pages are not contiguous. */
	if (nr >= HOOKS_NR_PAGES || (nr > 1 && action >= ACTION_REMAP))
		return -EINVAL;
	if (action == ACTION_PAGES)
		mmap_action_map_kernel_pages_full(desc, hf->pages);
	else if (action == ACTION_PAGES_OUTSIDE)
		mmap_action_map_kernel_pages(desc, desc->start, hf->pages,
					     nr + 1);
	else if (action == ACTION_REMAP)
		mmap_action_remap_full(desc, pfn);
	else
		mmap_action_ioremap_full(desc, pfn);
	return 0;
}

/**
 * hooks_mmap_prepare() - file_operations.mmap_prepare: before there is a VMA
 * @desc: describes the future VMA
 *
 * Context: process context under mmap_lock, exclusively. The result may be
 * merged into a neighbour, so this keeps nothing that would have to be undone.
 * Return: the setting.
 */
int hooks_mmap_prepare(struct vm_area_desc *desc)
{
	struct hooks_file *hf = hooks_file(desc->file);
	int err;

	hooks_use(hf, COUNT_MMAP_PREPARE);
	desc->vm_ops = hf->ops;
	err = hooks_act(hf, desc);
	return err ?: hooks_get(hf, SET_MMAP);
}
#endif /* MMAPDEMO_HAVE_MMAP_PREPARE */

/* hooks_set.c copies hooks from here, one by one. */
const struct vm_operations_struct hooks_vm_ops = {
	.open		= hooks_open,
	.close		= hooks_close,
	.may_split	= hooks_may_split,
	.mremap		= hooks_mremap,
	.mprotect	= hooks_mprotect,
	.fault		= hooks_fault,
	.huge_fault	= hooks_huge_fault,
	.page_mkwrite	= hooks_page_mkwrite,
	.pfn_mkwrite	= hooks_pfn_mkwrite,
	.access		= hooks_access,
	.name		= hooks_name,
#ifdef CONFIG_NUMA
	.set_policy	= hooks_set_policy,
#endif
#if MMAPDEMO_HAVE_UFFD_OPS
	.uffd_ops	= &hooks_uffd_ops,
#endif
#if MMAPDEMO_HAVE_MMAP_PREPARE
	.mapped		= hooks_mapped,
#endif
};
