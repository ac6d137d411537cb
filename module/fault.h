/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handlers of a mapping's faults: see fault.c.
 */
#ifndef _MMAPDEMO_FAULT_H
#define _MMAPDEMO_FAULT_H

#include <linux/mm.h>

#include "device.h"

static inline struct mmapdemo_store *
mmapdemo_vma_store(const struct vm_area_struct *vma)
{
	return &mmapdemo_device(vma->vm_file)->store;
}

vm_fault_t mmapdemo_fault(struct vm_fault *vmf);
vm_fault_t mmapdemo_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end);
vm_fault_t mmapdemo_page_mkwrite(struct vm_fault *vmf);
/* insert.c */
vm_fault_t mmapdemo_fault_insert(struct vm_fault *vmf);
/* wait.c */
struct folio *mmapdemo_fault_wait(struct vm_fault *vmf, struct file *writer);

#endif /* _MMAPDEMO_FAULT_H */
