// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap(2), and the handlers that the core calls for a mapping afterwards.
 *
 * There are two ways to fill page tables. fault_mode=map_pages is the one to
 * copy: plain VMAs over an address_space, one page per ->fault, and the core's
 * own fault-around for present pages. fault_mode=insert is for a driver whose
 * pages are in no address_space: the fault handler itself inserts a window of
 * pages. That takes VM_MIXEDMAP, and has the limits of a special mapping (VMAs
 * are not merged, mlock does not count them, ...).
 *
 * We keep no state per VMA. The core may call ->close for a VMA that it merged
 * away, without a matching ->open, and may merge an mmap(2) into a neighbour
 * without calling us at all: counts of VMAs need not balance, and must not own
 * anything. What must live as long as a mapping belongs to vma->vm_file: the
 * VMA's reference to it also pins the module.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "compat.h"
#include "device.h"
#include "dirty.h"
#include "file.h"
#include "params.h"
#include "stats.h"
#include "trace.h"

/* Pages inserted at a time; the size of an array on the stack. */
#define INSERT_BATCH	16
/* Limit of what ->map_pages maps, in windows of the core's fault-around. */
#define AROUND_GROWTH	16

static struct mmapdemo_store *vma_store(const struct vm_area_struct *vma)
{
	return &mmapdemo_device(vma->vm_file)->store;
}

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
	struct mmapdemo_store *store = vma_store(vmf->vma);
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
static struct folio *fault_grab(struct vm_fault *vmf, vm_fault_t *ret)
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
static vm_fault_t mmapdemo_fault(struct vm_fault *vmf)
{
	vm_fault_t ret = VM_FAULT_LOCKED;
	struct folio *folio = fault_grab(vmf, &ret);

	if (folio)
		vmf->page = folio_page(folio, 0);
	return ret;
}

/*
 * Return: the last page to map, where the core would end the window at @end. A
 * reader that continues where the last window ended gets twice as much, up to
 * AROUND_GROWTH times the core's window: with all pages present, the fault
 * itself is most of the cost. The window stays within the page table and the
 * VMA. The last one is remembered in f_ra, where the page cache keeps its
 * read-ahead state: it is a hint, which needs no lock.
 */
static pgoff_t around_last(const struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	struct vm_area_struct *vma = vmf->vma;
	struct file_ra_state *ra = &vma->vm_file->f_ra;
	unsigned long nr = end - start + 1;

	if (READ_ONCE(ra->start) == start)
		nr = clamp(2UL * READ_ONCE(ra->size), nr, AROUND_GROWTH * nr);
	end = min3(start + nr, vma->vm_pgoff + vma_pages(vma),
		   vmf->pgoff + PTRS_PER_PTE - pte_index(vmf->address)) - 1;
	WRITE_ONCE(ra->size, nr);
	WRITE_ONCE(ra->start, end + 1);
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
static vm_fault_t mmapdemo_map_pages(struct vm_fault *vmf, pgoff_t start,
				     pgoff_t end)
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
static vm_fault_t mmapdemo_page_mkwrite(struct vm_fault *vmf)
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
	struct mmapdemo_store *store = vma_store(vma);
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
		mmapdemo_stat_add(STAT_INSERTED, nr - left);
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
 * exclusively around removal and zap: no PTE appears after the zap.
 *
 * Context: process context, may sleep; under mmap_lock shared.
 * Return: as mmapdemo_fault(); %VM_FAULT_NOPAGE: the page is mapped, or was
 * discarded meanwhile and the access faults again.
 */
static vm_fault_t mmapdemo_fault_insert(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mmapdemo_store *store = vma_store(vma);
	struct address_space *mapping = mmapdemo_store_mapping(store);
	pgoff_t window = mmapdemo_param_fault_around() >> PAGE_SHIFT;
	vm_fault_t ret = 0;
	struct folio *folio;
	pgoff_t start, end;
	long inserted;

	if (vmf->flags & FAULT_FLAG_WRITE)
		return mmapdemo_fault(vmf);
	folio = fault_grab(vmf, &ret);
	if (!folio)
		return ret;
	folio_unlock(folio);
	folio_put(folio);

	filemap_invalidate_lock_shared(mapping);
	start = round_down(vmf->pgoff, window);
	end = min3(start + window, mmapdemo_store_end(store),
		   vma->vm_pgoff + vma_pages(vma));
	start = max(start, vma->vm_pgoff);
	inserted = insert_window(vma, start, end);
	trace_mmapdemo_insert(vmf, start, inserted);
	filemap_invalidate_unlock_shared(mapping);
	return inserted < 0 ? vmf_error(inserted) : VM_FAULT_NOPAGE;
}

/* Called for a copy by fork, split or mremap; not for mmap(2). */
static void mmapdemo_vma_open(struct vm_area_struct *vma)
{
	mmapdemo_stat_inc(STAT_VMA_OPEN);
	trace_mmapdemo_vma_open(vma->vm_start, vma->vm_end, vma->vm_pgoff);
}

static void mmapdemo_vma_close(struct vm_area_struct *vma)
{
	mmapdemo_stat_inc(STAT_VMA_CLOSE);
	trace_mmapdemo_vma_close(vma->vm_start, vma->vm_end, vma->vm_pgoff);
}

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

static const struct vm_operations_struct mmapdemo_vm_ops = {
	MMAPDEMO_VM_OPS,
};

static const struct vm_operations_struct mmapdemo_vm_ops_insert = {
	MMAPDEMO_VM_OPS_INSERT,
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
	if (mmapdemo_param_fault_mode() == MMAPDEMO_FAULT_INSERT) {
		/* Now or never: vm_insert_pages() in a fault BUGs without it. */
		vm_flags_set(vma, VM_MIXEDMAP);
		vma->vm_ops = &mmapdemo_vm_ops_insert;
	} else {
		vma->vm_ops = &mmapdemo_vm_ops;
	}
	mmapdemo_stat_inc(STAT_MMAP);
	trace_mmapdemo_mmap(vma->vm_start, vma->vm_end, vma->vm_pgoff);
	return 0;
}

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
	mmapdemo_stat_inc(STAT_MMAP);
	trace_mmapdemo_mmap(start, end, pgoff);
	return 0;
}

/* Only ->mmap_prepare may set ->mapped. */
static const struct vm_operations_struct mmapdemo_vm_ops_prepare = {
	MMAPDEMO_VM_OPS,
	.mapped		= mmapdemo_vma_mapped,
};

static const struct vm_operations_struct mmapdemo_vm_ops_prepare_insert = {
	MMAPDEMO_VM_OPS_INSERT,
	.mapped		= mmapdemo_vma_mapped,
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
	if (mmapdemo_param_fault_mode() == MMAPDEMO_FAULT_INSERT) {
		vma_desc_set_flags(desc, VMA_MIXEDMAP_BIT);
		desc->vm_ops = &mmapdemo_vm_ops_prepare_insert;
	} else {
		desc->vm_ops = &mmapdemo_vm_ops_prepare;
	}
	return 0;
}
#endif /* MMAPDEMO_HAVE_MMAP_PREPARE */
