/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory policy: see policy.c.
 */
#ifndef _MMAPDEMO_POLICY_H
#define _MMAPDEMO_POLICY_H

#include <linux/mm_types.h>
#include <linux/nodemask.h>
#include <linux/sched.h>

struct mmapdemo_pool;

/**
 * mmapdemo_policy_given() - does a policy say where a new page is to lie?
 * @vma: the mapping that it is made for, or NULL
 *
 * Context: process context; @vma is locked.
 * Return: whether there is more than one node, and a policy of @vma or the task.
 */
static inline bool mmapdemo_policy_given(const struct vm_area_struct *vma)
{
#ifdef CONFIG_NUMA
	return nr_online_nodes > 1 &&
	       (current->mempolicy || (vma && vma->vm_policy));
#else
	return false;
#endif
}

struct folio *mmapdemo_policy_get(struct mmapdemo_pool *pool,
				  struct vm_area_struct *vma, pgoff_t pgoff);

#endif /* _MMAPDEMO_POLICY_H */
