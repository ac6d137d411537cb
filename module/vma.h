/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handlers of a mapping, for the two ways to make one: vma.c, prepare.c.
 */
#ifndef _MMAPDEMO_VMA_H
#define _MMAPDEMO_VMA_H

#include <linux/mm.h>

#include "compat.h"
#include "fault.h"

void mmapdemo_vma_open(struct vm_area_struct *vma);
void mmapdemo_vma_close(struct vm_area_struct *vma);

#if MMAPDEMO_HAVE_UFFD_OPS	/* uffd.c */
extern const struct vm_uffd_ops mmapdemo_uffd_ops;
#define MMAPDEMO_UFFD_OPS	.uffd_ops = &mmapdemo_uffd_ops,
#else
#define MMAPDEMO_UFFD_OPS
#endif

#define MMAPDEMO_VM_OPS							\
	MMAPDEMO_UFFD_OPS						\
	.open		= mmapdemo_vma_open,				\
	.close		= mmapdemo_vma_close,				\
	.fault		= mmapdemo_fault,				\
	.map_pages	= mmapdemo_map_pages

#define MMAPDEMO_VM_OPS_INSERT						\
	.open		= mmapdemo_vma_open,				\
	.close		= mmapdemo_vma_close,				\
	.fault		= mmapdemo_fault_insert

/*
 * With a dirty log the core asks before a PTE turns writable. Without, it makes
 * those of a shared mapping writable at once, so that a first write after a read
 * does not fault, and lets them be pinned for long.
 */
#define MMAPDEMO_VM_OPS_LOG						\
	.page_mkwrite	= mmapdemo_page_mkwrite

#endif /* _MMAPDEMO_VMA_H */
