// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that claims all that a userfaultfd can ask for, and does what a module
 * can do for it. How far it gets, selftests/hooks/hooks_uffd.c proves.
 */
#include <linux/pagemap.h>
#include <linux/userfaultfd_k.h>

#include "hooks.h"

#if MMAPDEMO_HAVE_UFFD_OPS
static bool hooks_can_userfault(struct vm_area_struct *vma, vm_flags_t vm_flags)
{
	return true;
}

static struct folio *hooks_alloc_folio(struct vm_area_struct *vma,
				       unsigned long addr)
{
	hooks_inc(hooks_file(vma->vm_file), COUNT_UFFD_ALLOC);
	return folio_alloc(GFP_HIGHUSER, 0);
}

static int hooks_filemap_add(struct folio *folio, struct vm_area_struct *vma,
			     unsigned long addr)
{
	struct hooks_file *hf = hooks_file(vma->vm_file);

	hooks_inc(hf, COUNT_UFFD_ADD);
	__folio_set_locked(folio);
	folio->mapping = hf->inode->i_mapping;
	folio->index = linear_page_index(vma, addr);
	return 0;
}

static void hooks_filemap_remove(struct folio *folio, struct vm_area_struct *vma)
{
	hooks_inc(hooks_file(vma->vm_file), COUNT_UFFD_REMOVE);
	folio->mapping = NULL;
	folio_unlock(folio);
}

const struct vm_uffd_ops hooks_uffd_ops = {
	.can_userfault	= hooks_can_userfault,
	.alloc_folio	= hooks_alloc_folio,
	.filemap_add	= hooks_filemap_add,
	.filemap_remove	= hooks_filemap_remove,
};
#endif /* MMAPDEMO_HAVE_UFFD_OPS */
