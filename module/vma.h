/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handlers of a mapping, for the two ways to make one: vma.c, prepare.c.
 */
#ifndef _MMAPDEMO_VMA_H
#define _MMAPDEMO_VMA_H

#include <linux/mm.h>

#include "fault.h"

void mmapdemo_vma_open(struct vm_area_struct *vma);
void mmapdemo_vma_close(struct vm_area_struct *vma);

#define MMAPDEMO_VM_OPS							\
	.open		= mmapdemo_vma_open,				\
	.close		= mmapdemo_vma_close,				\
	.fault		= mmapdemo_fault,				\
	.map_pages	= mmapdemo_map_pages,				\
	.page_mkwrite	= mmapdemo_page_mkwrite

#define MMAPDEMO_VM_OPS_INSERT						\
	.open		= mmapdemo_vma_open,				\
	.close		= mmapdemo_vma_close,				\
	.fault		= mmapdemo_fault_insert,			\
	.page_mkwrite	= mmapdemo_page_mkwrite

#endif /* _MMAPDEMO_VMA_H */
