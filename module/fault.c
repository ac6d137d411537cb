// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults: what the core asks us when a program touches a mapping.
 *
 *   ->map_pages	no PTE, a read: map what is present around it, or nothing
 *   ->fault		no PTE: find or make the page
 *   ->page_mkwrite	a read-only PTE of a shared mapping becomes writable
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>

#include "compat.h"
#include "fault.h"
#include "stats.h"
#include "trace.h"
#include "write.h"

/* Limit of what ->map_pages maps, in windows of the core's fault-around. */
#define AROUND_GROWTH	16

/*
 * To name each counter takes fewer instructions than to compute it, as the
 * tracepoint does.
 */
static void fault_count(const struct vm_fault *vmf,
			struct mmapdemo_stats __percpu *stats)
{
	if (!(vmf->flags & FAULT_FLAG_WRITE))
		mmapdemo_stat_inc(stats, STAT_FAULT_READ);
	else if (vmf->vma->vm_flags & VM_SHARED)
		mmapdemo_stat_inc(stats, STAT_FAULT_WRITE);
	else
		mmapdemo_stat_inc(stats, STAT_FAULT_COW);
}

static vm_fault_t fault_sigbus(const struct vm_fault *vmf, enum mmapdemo_stat reason)
{
	mmapdemo_stat_inc(mmapdemo_vma_store(vmf->vma)->stats, reason);
	trace_mmapdemo_sigbus(vmf, reason);
	return reason == STAT_SIGBUS_POISON ? VM_FAULT_HWPOISON : VM_FAULT_SIGBUS;
}

/*
 * At the cap a fault raises SIGBUS. VM_FAULT_OOM, outside a memory cgroup's OOM,
 * would make the core run the instruction again, for ever (mm/oom_kill.c,
 * pagefault_out_of_memory()). It is right only if the page allocator failed,
 * after the OOM killer has made room.
 */
static vm_fault_t fault_error(const struct vm_fault *vmf, int err)
{
	switch (err) {
	case -ENOMEM:
		return VM_FAULT_OOM;
	case -ENOSPC:
		return fault_sigbus(vmf, STAT_SIGBUS_CAP);
	case -EIO:
		return fault_sigbus(vmf, STAT_SIGBUS_POISON);
	case -EINTR:
		/* Nobody will see it: the task has been killed. */
		return VM_FAULT_SIGBUS;
	default:
		return fault_sigbus(vmf, STAT_SIGBUS_SIZE);
	}
}

/**
 * mmapdemo_fault() - vm_operations_struct.fault: no PTE, find or make the page
 * @vmf: the fault
 *
 * Index by vmf->pgoff, never by address: a partial munmap or an mremap moves
 * the start of the VMA. Check the size here, not in ->mmap: mremap lets a
 * mapping grow without asking us.
 *
 * Returns the page locked. Otherwise a discard could remove the page and zap
 * its PTEs before the core has set ours, which would then stay.
 *
 * Context: process context, may sleep. Since 6.7 under the VMA lock, as there
 * is a ->map_pages (otherwise the core takes mmap_lock first); before that, and
 * for get_user_pages, under mmap_lock, shared.
 * Return: %VM_FAULT_LOCKED with the page in vmf->page; %VM_FAULT_SIGBUS: past
 * the end, or the pool is at its cap; %VM_FAULT_HWPOISON; %VM_FAULT_OOM;
 * %VM_FAULT_RETRY: see mmapdemo_fault_wait().
 */
vm_fault_t mmapdemo_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mmapdemo_store *store = mmapdemo_vma_store(vma);
	struct file *writer = NULL;
	struct folio *folio;
	vm_fault_t ret;

	/*
	 * A write to a private mapping changes a copy of the page. Without a
	 * dirty log the core itself updates the node's times.
	 */
	if (store->log && vmf->flags & FAULT_FLAG_WRITE && vma->vm_flags & VM_SHARED)
		writer = vma->vm_file;
	folio = mmapdemo_store_grab(store, vmf->pgoff, vma, writer, false);
	if (unlikely(folio == ERR_PTR(-EAGAIN))) {
		folio = mmapdemo_fault_wait(vmf, writer);
		/* Not counted: it comes again. */
		if (folio == ERR_PTR(-EAGAIN))
			return VM_FAULT_RETRY;
	}
	if (!IS_ERR(folio) && unlikely(folio_test_hwpoison(folio))) {
		folio_unlock(folio);
		folio_put(folio);
		folio = ERR_PTR(-EIO);
	}
	if (IS_ERR(folio)) {
		ret = fault_error(vmf, PTR_ERR(folio));
	} else {
		vmf->page = folio_page(folio, 0);
		ret = VM_FAULT_LOCKED;
	}
	fault_count(vmf, store->stats);
	trace_mmapdemo_fault(vmf, ret);
	return ret;
}

/**
 * struct around - where a reader is expected next
 * @vma: the mapping that it reads; compared, never followed
 * @next: the page after the last window
 * @nr_pages: length of the last window
 */
struct around {
	const struct vm_area_struct *vma;
	pgoff_t next;
	unsigned long nr_pages;
};

/*
 * Per CPU: readers of one file do not disturb each other, and no cache line
 * moves between CPUs. A reader that is moved to another CPU, or shares one,
 * starts with the core's window again. It is a hint, which needs no lock.
 */
static DEFINE_PER_CPU(struct around, around);

/*
 * Return: the last page to map, where the core would end the window at @end. A
 * reader that continues where the last window ended gets twice as much, up to
 * AROUND_GROWTH times the core's window, and with MADV_SEQUENTIAL at once: with
 * all pages present, the fault itself is most of the cost. With MADV_RANDOM it
 * gets the core's window. The window stays within the page table and the VMA.
 */
static pgoff_t around_last(const struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	struct vm_area_struct *vma = vmf->vma;
	struct around *last = raw_cpu_ptr(&around);
	unsigned long nr = end - start + 1;

	if (vma->vm_flags & VM_RAND_READ)
		return end;
	if (vma->vm_flags & VM_SEQ_READ)
		nr *= AROUND_GROWTH;
	else if (READ_ONCE(last->next) == start && READ_ONCE(last->vma) == vma)
		nr = clamp(2 * READ_ONCE(last->nr_pages), nr, AROUND_GROWTH * nr);
	end = min3(start + nr, vma->vm_pgoff + vma_pages(vma),
		   vmf->pgoff + PTRS_PER_PTE - pte_index(vmf->address)) - 1;
	WRITE_ONCE(last->vma, vma);
	WRITE_ONCE(last->nr_pages, nr);
	WRITE_ONCE(last->next, end + 1);
	return end;
}

/**
 * mmapdemo_map_pages() - vm_operations_struct.map_pages: fault-around
 * @vmf: the read fault
 * @start: first page of the window that the core proposes
 * @end: last page of it, inclusive
 *
 * Maps present pages, makes none, and takes none of our locks: see
 * remove_folio() and mmapdemo_pool_put() for why that is safe.
 *
 * Context: may not sleep: in an RCU read-side section since 6.4.
 * Return: %VM_FAULT_NOPAGE: the faulting page is mapped; 0: ->fault is next.
 */
vm_fault_t mmapdemo_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	vm_fault_t ret;

	end = around_last(vmf, start, end);
	ret = filemap_map_pages(vmf, start, end);
	trace_mmapdemo_map_pages(vmf, start, end, ret);
	if (ret & VM_FAULT_NOPAGE)
		mmapdemo_stat_inc(mmapdemo_vma_store(vmf->vma)->stats, STAT_MAP_PAGES);
	return ret;
}

/**
 * mmapdemo_page_mkwrite() - vm_operations_struct.page_mkwrite: a read-only PTE
 * of a shared mapping is about to become writable
 * @vmf: the fault, with the page in vmf->page
 *
 * Marks the page, and leaves it locked until the core has made the PTE
 * writable. Otherwise a sync could write-protect the PTEs and clear the mark in
 * between, which would leave a writable PTE to a clean page.
 *
 * The core does not let us drop its lock here, nor see whether the caller would
 * rather not wait (mm/memory.c, do_page_mkwrite(), replaces the flags).
 *
 * Context: process context, may sleep; locks as for mmapdemo_fault().
 * Return: %VM_FAULT_LOCKED; %VM_FAULT_NOPAGE: the page was discarded before we
 * locked it, and the access faults again; %VM_FAULT_HWPOISON; %VM_FAULT_SIGBUS:
 * killed. Never 0 without a folio->mapping: the core takes that for "retry",
 * and retries for ever.
 */
vm_fault_t mmapdemo_page_mkwrite(struct vm_fault *vmf)
{
	struct mmapdemo_store *store = mmapdemo_vma_store(vmf->vma);
	struct folio *folio = page_folio(vmf->page);
	vm_fault_t ret = VM_FAULT_LOCKED;
	int err;

	mmapdemo_stat_inc(store->stats, STAT_MKWRITE);
	/*
	 * A driver with this handler must update the time itself: once for all
	 * writes to a page between two syncs, as a filesystem does.
	 */
	if (!mmapdemo_marked(folio, MMAPDEMO_UNSYNCED))
		mmapdemo_touch(vmf->vma->vm_file);
	err = folio_lock_killable(folio);
	if (unlikely(err))
		return fault_error(vmf, err);

	err = mmapdemo_begin_write(store, folio);
	if (unlikely(err)) {
		folio_unlock(folio);
		ret = err == -ENOENT ? VM_FAULT_NOPAGE : fault_error(vmf, err);
	} else {
		mmapdemo_end_write(store, folio, MMAPDEMO_MARKS);
	}
	trace_mmapdemo_mkwrite(vmf, ret);
	return ret;
}
