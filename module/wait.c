// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults that have to wait: for the lock of a page that a sync or a removal has
 * at that moment, or for the invalidate_lock.
 *
 * The core holds mmap_lock or a VMA lock around a fault. Whoever waits with it
 * keeps every mmap(2) and munmap(2) of the process waiting, too. So the first
 * time we drop it, wait, and have the core try again, as the page cache does
 * (mm/filemap.c, lock_folio_maybe_drop_mmap()).
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "compat.h"
#include "fault.h"

/**
 * mmapdemo_fault_wait() - find or make the page of a fault that must wait for it
 * @vmf: the fault
 * @writer: as for mmapdemo_store_grab()
 *
 * Context: as for mmapdemo_fault(); may drop the core's lock.
 * Return: as mmapdemo_store_grab(); -EAGAIN: the fault must return
 * %VM_FAULT_RETRY, and touch neither @vmf nor its VMA any more: the lock was
 * dropped, or, with %FAULT_FLAG_RETRY_NOWAIT, was not, and we did not wait.
 */
struct folio *mmapdemo_fault_wait(struct vm_fault *vmf, struct file *writer)
{
	struct mmapdemo_store *store = mmapdemo_vma_store(vmf->vma);
	pgoff_t pgoff = vmf->pgoff;
	struct folio *folio;
	struct file *file;

	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return ERR_PTR(-EAGAIN);
	if (!fault_flag_allow_retry_first(vmf->flags))
		return mmapdemo_store_grab(store, pgoff, vmf->vma, writer, true);

	/*
	 * Without the lock the VMA may go, and with it the last open file. A page
	 * that is made then lies where the task's policy wants it.
	 */
	file = get_file(vmf->vma->vm_file);
	release_fault_lock(vmf);
	folio = mmapdemo_store_grab(store, pgoff, NULL, writer, true);
	/* An error comes again, when the core tries again. */
	if (!IS_ERR(folio)) {
		folio_unlock(folio);
		folio_put(folio);
	}
	fput(file);
	return ERR_PTR(-EAGAIN);
}
