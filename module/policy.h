/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory policy: see policy.c.
 */
#ifndef _MMAPDEMO_POLICY_H
#define _MMAPDEMO_POLICY_H

#include <linux/mm_types.h>

struct mmapdemo_pool;

bool mmapdemo_policy_given(const struct vm_area_struct *vma);
struct folio *mmapdemo_policy_get(struct mmapdemo_pool *pool,
				  struct vm_area_struct *vma, pgoff_t pgoff);

#endif /* _MMAPDEMO_POLICY_H */
