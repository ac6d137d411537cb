// SPDX-License-Identifier: GPL-2.0-only
/*
 * fault_mode=insert: for a driver whose pages are in no address_space, the fault
 * handler itself inserts a window of pages.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "compat.h"
#include "fault.h"
#include "params.h"
#include "stats.h"
#include "trace.h"

/* Pages inserted at a time; the size of an array on the stack. */
#define INSERT_BATCH	16

/* Collects up to @max consecutive pages. Return: how many. */
static unsigned long insert_collect(struct mmapdemo_store *store, pgoff_t pgoff,
				    struct page **pages, unsigned long max)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	XA_STATE(xas, &mapping->i_pages, pgoff);
	struct folio *folio;
	unsigned long nr = 0;

	/*
	 * No page leaves the store under this lock, so none needs a reference.
	 * RCU protects the tree's nodes.
	 */
	lockdep_assert_held(&mapping->invalidate_lock);
	rcu_read_lock();
	for (folio = xas_load(&xas); nr < max; folio = xas_next(&xas)) {
		if (xas_retry(&xas, folio))
			continue;
		if (!folio || folio_test_hwpoison(folio))
			break;
		pages[nr++] = folio_page(folio, 0);
	}
	rcu_read_unlock();
	return nr;
}

/*
 * Inserts the present pages of [@start, @end) into the page table. An existing
 * PTE stays (-EBUSY): another thread, or an earlier window, was first. Return:
 * the number of pages inserted, or an error of vm_insert_pages().
 */
static long insert_window(struct vm_area_struct *vma, pgoff_t start, pgoff_t end)
{
	struct mmapdemo_store *store = mmapdemo_vma_store(vma);
	struct page *pages[INSERT_BATCH];
	long inserted = 0;

	while (start < end) {
		unsigned long max = min_t(pgoff_t, end - start, INSERT_BATCH);
		unsigned long nr = insert_collect(store, start, pages, max);
		unsigned long left = nr;
		int err = 0;

		if (nr)
			err = vm_insert_pages(vma, vma->vm_start +
					      ((start - vma->vm_pgoff) << PAGE_SHIFT),
					      pages, &left);
		if (err && err != -EBUSY)
			return err;
		mmapdemo_stat_add(store->stats, STAT_INSERTED, nr - left);
		inserted += nr - left;
		/* Step over a hole or an existing PTE. */
		start += nr - left + (left || nr < max);
	}
	return inserted;
}

/**
 * mmapdemo_fault_insert() - vm_operations_struct.fault of fault_mode=insert
 * @vmf: the fault
 *
 * A read fault maps the present pages of the aligned window around it. A write
 * fault maps one page: it needs ->page_mkwrite or a copy, and the core does
 * either with the page that ->fault returns.
 *
 * The window is inserted under the invalidate_lock, which a discard holds
 * exclusively around removal and zap: no PTE appears after the zap. While one
 * is at it, this maps one page as well.
 *
 * Context: process context, may sleep; under mmap_lock shared.
 * Return: as mmapdemo_fault(); %VM_FAULT_NOPAGE: the page is mapped, or was
 * discarded meanwhile and the access faults again.
 */
vm_fault_t mmapdemo_fault_insert(struct vm_fault *vmf)
{
	vm_fault_t ret = mmapdemo_fault(vmf);
	struct vm_area_struct *vma = vmf->vma;
	struct mmapdemo_store *store;
	struct address_space *mapping;
	pgoff_t start, end, window;
	long inserted;

	/* With VM_FAULT_RETRY the VMA may be gone. */
	if (vmf->flags & FAULT_FLAG_WRITE || !(ret & VM_FAULT_LOCKED))
		return ret;
	store = mmapdemo_vma_store(vma);
	mapping = mmapdemo_store_mapping(store);
	if (!filemap_invalidate_trylock_shared(mapping))
		return ret;
	unlock_page(vmf->page);
	put_page(vmf->page);
	vmf->page = NULL;

	window = mmapdemo_param_fault_around(store->device) >> PAGE_SHIFT;
	start = round_down(vmf->pgoff, window);
	end = min3(start + window, mmapdemo_store_end(store),
		   vma->vm_pgoff + vma_pages(vma));
	start = max(start, vma->vm_pgoff);
	inserted = insert_window(vma, start, end);
	trace_mmapdemo_insert(vmf, start, inserted);
	filemap_invalidate_unlock_shared(mapping);
	return inserted < 0 ? vmf_error(inserted) : VM_FAULT_NOPAGE;
}
