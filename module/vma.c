// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap(2): what a mapping gets when it is made. Its faults are in fault.c; how
 * the newest kernels make it without a VMA is in prepare.c.
 *
 * There are two ways to fill page tables. fault_mode=map_pages is the one to
 * copy: plain VMAs over an address_space, one page per ->fault, and the core's
 * own fault-around for present pages. fault_mode=insert is for a driver whose
 * pages are in no address_space (insert.c). That takes VM_MIXEDMAP, and has the
 * limits of a special mapping (VMAs are not merged, mlock does not count them,
 * ...).
 *
 * We keep no state per VMA. The core may call ->close for a VMA that it merged
 * away, without a matching ->open, and may merge an mmap(2) into a neighbour
 * without calling us at all: counts of VMAs need not balance, and must not own
 * anything. What must live as long as a mapping belongs to vma->vm_file: the
 * VMA's reference to it also pins the module.
 */
#include <linux/fs.h>
#include <linux/mm.h>

#include "compat.h"
#include "file.h"
#include "params.h"
#include "stats.h"
#include "trace.h"
#include "vma.h"

/* Called for a copy by fork, split or mremap; not for mmap(2). */
void mmapdemo_vma_open(struct vm_area_struct *vma)
{
	struct mmapdemo_store *store = mmapdemo_vma_store(vma);

	mmapdemo_stat_inc(store->stats, STAT_VMA_OPEN);
	trace_mmapdemo_vma_open(store, vma->vm_start, vma->vm_end, vma->vm_pgoff);
}

void mmapdemo_vma_close(struct vm_area_struct *vma)
{
	struct mmapdemo_store *store = mmapdemo_vma_store(vma);

	mmapdemo_stat_inc(store->stats, STAT_VMA_CLOSE);
	trace_mmapdemo_vma_close(store, vma->vm_start, vma->vm_end, vma->vm_pgoff);
}

/* By whether the store keeps a dirty log. */
static const struct vm_operations_struct mmapdemo_vm_ops[] = {
	[false]	= { MMAPDEMO_VM_OPS },
	[true]	= { MMAPDEMO_VM_OPS, MMAPDEMO_VM_OPS_LOG },
};

static const struct vm_operations_struct mmapdemo_vm_ops_insert[] = {
	[false]	= { MMAPDEMO_VM_OPS_INSERT },
	[true]	= { MMAPDEMO_VM_OPS_INSERT, MMAPDEMO_VM_OPS_LOG },
};

/**
 * mmapdemo_mmap() - file_operations.mmap
 * @file: an open /dev/mmapdemo
 * @vma: the new mapping; the core has checked offset, length and protection
 *	 (mm/mmap.c, do_mmap()); it may reach past the end of the device, as it
 *	 may with a file
 *
 * The VMA exists, but nobody can reach it yet. It could not be merged:
 * otherwise the core would have grown a neighbour and not called us (mm/vma.c,
 * __mmap_region()).
 *
 * Context: process context under mmap_lock, exclusively.
 * Return: 0.
 */
int mmapdemo_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct mmapdemo_store *store = &mmapdemo_device(file)->store;

	if (mmapdemo_param_fault_mode(store->device) == MMAPDEMO_FAULT_INSERT) {
		/* Now or never: vm_insert_pages() in a fault BUGs without it. */
		vm_flags_set(vma, VM_MIXEDMAP);
		vma->vm_ops = &mmapdemo_vm_ops_insert[store->log];
	} else {
		vma->vm_ops = &mmapdemo_vm_ops[store->log];
	}
	mmapdemo_stat_inc(store->stats, STAT_MMAP);
	trace_mmapdemo_mmap(store, vma->vm_start, vma->vm_end, vma->vm_pgoff);
	return 0;
}
