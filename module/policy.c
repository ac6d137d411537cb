// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory policy: on which NUMA node a page lies, if a program has said so, with
 * set_mempolicy(2) for itself, or with mbind(2) for a mapping.
 *
 * A VMA keeps its policy itself, as there is no ->set_policy: it holds for the
 * mapping, as it does for anonymous memory; of a tmpfs file it would hold for the
 * range of the file.
 */
#include <linux/gfp.h>
#include <linux/mm.h>

#include "policy.h"
#include "pool.h"

/**
 * mmapdemo_policy_get() - get a zeroed page where the policy wants it
 * @pool: the pool that it then belongs to
 * @vma: the mapping that it is made for, or NULL
 * @pgoff: its pgoff in @vma
 *
 * From the system: a spare page of the pool may lie on any node.
 *
 * Context: process context, may sleep and enter reclaim; @vma is locked.
 * Return: as mmapdemo_pool_get().
 */
struct folio *mmapdemo_policy_get(struct mmapdemo_pool *pool,
				  struct vm_area_struct *vma, pgoff_t pgoff)
{
	struct page *page;
	struct folio *folio;
	int err;

	if (vma)
		page = alloc_page_vma(MMAPDEMO_POOL_GFP, vma, vma->vm_start +
				      ((pgoff - vma->vm_pgoff) << PAGE_SHIFT));
	else
		page = alloc_page(MMAPDEMO_POOL_GFP);
	if (!page)
		return ERR_PTR(-ENOMEM);
	folio = page_folio(page);
	err = mmapdemo_pool_adopt(pool, folio);
	if (err) {
		folio_put(folio);
		return ERR_PTR(err);
	}
	return folio;
}
