// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults: what the core asks us when a program touches a mapping.
 *
 *   ->map_pages	no PTE, a read: map what is present around it, or nothing
 *   ->fault		no PTE: find or make the page
 *   ->page_mkwrite	a read-only PTE of a shared mapping becomes writable
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>

#include "compat.h"
#include "dirty.h"
#include "fault.h"
#include "stats.h"
#include "trace.h"

/* Limit of what ->map_pages maps, in windows of the core's fault-around. */
#define AROUND_GROWTH	16

/*
 * Counts a fault. Return: whether it is a write to a shared mapping. To name
 * each counter takes fewer instructions than to compute it, as the tracepoint
 * does.
 */
static bool fault_count(const struct vm_fault *vmf)
{
	if (!(vmf->flags & FAULT_FLAG_WRITE)) {
		mmapdemo_stat_inc(STAT_FAULT_READ);
		return false;
	}
	if (vmf->vma->vm_flags & VM_SHARED) {
		mmapdemo_stat_inc(STAT_FAULT_WRITE);
		return true;
	}
	mmapdemo_stat_inc(STAT_FAULT_COW);
	return false;
}

static void fault_sigbus(const struct vm_fault *vmf, enum mmapdemo_stat reason)
{
	mmapdemo_stat_inc(reason);
	trace_mmapdemo_sigbus(vmf, reason);
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
		fault_sigbus(vmf, STAT_SIGBUS_CAP);
		return VM_FAULT_SIGBUS;
	default:
		fault_sigbus(vmf, STAT_SIGBUS_SIZE);
		return VM_FAULT_SIGBUS;
	}
}

/*
 * Return: the page of a fault, locked. If it is new, @dirty tells whether it
 * starts in the dirty log.
 *
 * Index by vmf->pgoff, never by address: a partial munmap or an mremap moves
 * the start of the VMA. Check the size here, not in ->mmap: mremap lets a
 * mapping grow without asking us.
 */
static struct folio *fault_find_or_make(struct vm_fault *vmf, bool dirty)
{
	struct mmapdemo_store *store = mmapdemo_vma_store(vmf->vma);
	struct folio *folio;

	do {
		folio = mmapdemo_store_find(store, vmf->pgoff);
		if (folio)
			break;
		/*
		 * ->page_mkwrite does not update the time for a page that is
		 * in the dirty log already.
		 */
		if (dirty)
			file_update_time(vmf->vma->vm_file);
		folio = mmapdemo_store_make(store, vmf->pgoff, dirty);
	} while (folio == ERR_PTR(-EEXIST));
	return folio;
}

/* The same; or NULL, with ->fault's return value in *@ret. */
struct folio *mmapdemo_fault_grab(struct vm_fault *vmf, vm_fault_t *ret)
{
	struct folio *folio = fault_find_or_make(vmf, fault_count(vmf));

	if (IS_ERR(folio)) {
		*ret = fault_error(vmf, PTR_ERR(folio));
		trace_mmapdemo_fault(vmf, *ret);
		return NULL;
	}
	/*
	 * The core tests for poison, too, but then takes any page with a
	 * mapping for one of the page cache, and evicts it (mm/memory.c,
	 * __do_fault()).
	 */
	if (unlikely(folio_test_hwpoison(folio))) {
		folio_unlock(folio);
		folio_put(folio);
		fault_sigbus(vmf, STAT_SIGBUS_POISON);
		*ret = VM_FAULT_HWPOISON;
		trace_mmapdemo_fault(vmf, VM_FAULT_HWPOISON);
		return NULL;
	}
	trace_mmapdemo_fault(vmf, VM_FAULT_LOCKED);
	return folio;
}

/**
 * mmapdemo_fault() - vm_operations_struct.fault: no PTE, find or make the page
 * @vmf: the fault
 *
 * Returns the page locked. Otherwise a discard could remove the page and zap
 * its PTEs before the core has set ours, which would then stay.
 *
 * Context: process context, may sleep. Since 6.7 under the VMA lock, as there
 * is a ->map_pages (otherwise the core takes mmap_lock first); before that, and
 * for get_user_pages, under mmap_lock, shared.
 * Return: %VM_FAULT_LOCKED with the page in vmf->page; %VM_FAULT_SIGBUS: past
 * the end, or the pool is at its cap; %VM_FAULT_HWPOISON; %VM_FAULT_OOM.
 */
vm_fault_t mmapdemo_fault(struct vm_fault *vmf)
{
	vm_fault_t ret = VM_FAULT_LOCKED;
	struct folio *folio = mmapdemo_fault_grab(vmf, &ret);

	if (folio)
		vmf->page = folio_page(folio, 0);
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
 * store_remove() and mmapdemo_pool_put() for why that is safe.
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
		mmapdemo_stat_inc(STAT_MAP_PAGES);
	return ret;
}

/**
 * mmapdemo_page_mkwrite() - vm_operations_struct.page_mkwrite: a read-only PTE
 * of a shared mapping is about to become writable
 * @vmf: the fault, with the page in vmf->page
 *
 * Adds the page to the dirty log, and leaves it locked until the core has made
 * the PTE writable. Otherwise a sync could write-protect the PTEs and clean the
 * page in between, which would leave a writable PTE to a clean page.
 *
 * Context: process context, may sleep; locks as for mmapdemo_fault().
 * Return: %VM_FAULT_LOCKED; %VM_FAULT_NOPAGE: the page was discarded before we
 * locked it, and the access faults again. Never 0 without a folio->mapping: the
 * core takes that for "retry", and retries for ever.
 */
vm_fault_t mmapdemo_page_mkwrite(struct vm_fault *vmf)
{
	struct folio *folio = page_folio(vmf->page);
	struct file *file = vmf->vma->vm_file;

	mmapdemo_stat_inc(STAT_MKWRITE);
	folio_lock(folio);
	if (!folio_test_dirty(folio)) {
		/*
		 * A driver with this handler must update the time itself. Not
		 * under the page lock: the node's filesystem may block. For a
		 * page in the log it has been done.
		 */
		folio_unlock(folio);
		file_update_time(file);
		folio_lock(folio);
	}
	if (folio->mapping != file->f_mapping) {
		folio_unlock(folio);
		trace_mmapdemo_mkwrite(vmf, VM_FAULT_NOPAGE);
		return VM_FAULT_NOPAGE;
	}
	/*
	 * The core calls ->dirty_folio as well, once it has the page back
	 * (fault_dirty_shared_page()), and that is our log. A driver with a log
	 * of its own adds the page here.
	 */
	mmapdemo_dirty_folio(folio->mapping, folio);
	trace_mmapdemo_mkwrite(vmf, VM_FAULT_LOCKED);
	return VM_FAULT_LOCKED;
}
