// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap_hook=mmap_prepare: how the newest kernels want mmap(2) served, with a
 * description of the VMA in place of the VMA.
 */
#include <linux/fs.h>
#include <linux/mm.h>

#include "compat.h"
#include "file.h"
#include "params.h"
#include "stats.h"
#include "trace.h"
#include "vma.h"

#if MMAPDEMO_HAVE_MMAP_PREPARE
/**
 * mmapdemo_vma_mapped() - vm_operations_struct.mapped: the VMA is in the tree
 * @start: its first address
 * @end: the address after it
 * @pgoff: pgoff of its first page
 * @file: an open /dev/mmapdemo
 * @private_data: its vm_private_data, which we do not use
 *
 * Like ->mmap, not called if the mapping only grows a neighbour. What is done
 * once per VMA, and may fail or must be undone in ->close, belongs here.
 *
 * Context: process context under mmap_lock, exclusively.
 * Return: 0; an errno would unmap it again.
 */
static int mmapdemo_vma_mapped(unsigned long start, unsigned long end,
			       pgoff_t pgoff, const struct file *file,
			       void **private_data)
{
	const struct mmapdemo_store *store = &mmapdemo_device(file)->store;

	mmapdemo_stat_inc(store->stats, STAT_MMAP);
	trace_mmapdemo_mmap(store, start, end, pgoff);
	return 0;
}

/* Only ->mmap_prepare may set ->mapped. */
#define MMAPDEMO_VM_OPS_MAPPED						\
	.mapped		= mmapdemo_vma_mapped

/* By whether the store keeps a dirty log. */
static const struct vm_operations_struct mmapdemo_vm_ops_prepare[] = {
	[false]	= { MMAPDEMO_VM_OPS, MMAPDEMO_VM_OPS_MAPPED },
	[true]	= { MMAPDEMO_VM_OPS, MMAPDEMO_VM_OPS_MAPPED, MMAPDEMO_VM_OPS_LOG },
};

static const struct vm_operations_struct mmapdemo_vm_ops_prepare_insert[] = {
	[false]	= { MMAPDEMO_VM_OPS_INSERT, MMAPDEMO_VM_OPS_MAPPED },
	[true]	= { MMAPDEMO_VM_OPS_INSERT, MMAPDEMO_VM_OPS_MAPPED,
		    MMAPDEMO_VM_OPS_LOG },
};

/**
 * mmapdemo_mmap_prepare() - file_operations.mmap_prepare
 * @desc: describes the future VMA; we fill in the rest
 *
 * There is no VMA yet, and there may never be one: next, the core tries to
 * merge the description into a neighbour, or fails. So this function changes
 * @desc alone, and nothing that would have to be undone. In return the core
 * knows all flags before it looks for a neighbour; with ->mmap it looks first,
 * and trusts the driver with a half-made VMA.
 *
 * Context: process context under mmap_lock, exclusively.
 * Return: 0.
 */
int mmapdemo_mmap_prepare(struct vm_area_desc *desc)
{
	const struct mmapdemo_store *store = &mmapdemo_device(desc->file)->store;

	if (mmapdemo_param_fault_mode(store->device) == MMAPDEMO_FAULT_INSERT) {
		vma_desc_set_flags(desc, VMA_MIXEDMAP_BIT);
		desc->vm_ops = &mmapdemo_vm_ops_prepare_insert[store->log];
	} else {
		desc->vm_ops = &mmapdemo_vm_ops_prepare[store->log];
	}
	return 0;
}
#endif /* MMAPDEMO_HAVE_MMAP_PREPARE */
