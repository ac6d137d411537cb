// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap(2), and what the core calls for a mapping afterwards.
 *
 * Two ways to fill page tables, side by side. fault_mode=map_pages is the one
 * to copy: plain VMAs over an address_space, one page per ->fault, and the
 * core's own fault-around for those that are present. fault_mode=insert is for
 * a driver whose pages are in no address_space: the fault handler puts a window
 * of them in by itself, which needs VM_MIXEDMAP, and with it come the limits of
 * a special mapping (no merging, mlock that does not count, ...).
 *
 * Nothing is kept per VMA. The core may call ->close for a VMA that it merged
 * away without a matching ->open, and merge an mmap(2) into the neighbour
 * without asking us at all: counts of VMAs never balance for sure,
 * and must not hold anything. What must live as long as a mapping hangs on
 * vma->vm_file, which the core counts for us; it pins the module as well.
 */
#include <linux/fs.h>
#include <linux/mm.h>

#include "mmapdemo.h"
#include "trace.h"

/* Pages that go into page tables at a time; an array of this is on the stack. */
#define INSERT_BATCH	16
/* How many windows of the core's fault-around ->map_pages may map at a time. */
#define AROUND_GROWTH	16

static struct mmapdemo_store *vma_store(const struct vm_area_struct *vma)
{
	return &mmapdemo_device(vma->vm_file)->store;
}

/*
 * Return: whether it is a write to a shared mapping. Each counter by its name:
 * to work out which one, as the tracepoint does, takes more instructions.
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
 * The cap is a SIGBUS, not VM_FAULT_OOM: outside a memory cgroup's OOM the
 * core answers the latter by running the instruction again, for ever
 * (mm/oom_kill.c, pagefault_out_of_memory()). It is right only where the page
 * allocator itself failed, after the OOM killer has made room.
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
 * The page of a fault, locked; if it is made, in the dirty log or not.
 *
 * By vmf->pgoff, never by address: after a partial munmap or an mremap the
 * start of the VMA is not where it was. And the size is checked here, not in
 * ->mmap: mremap lets a mapping grow without asking.
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
		 * A page that starts in the dirty log has been written to as
		 * far as ->page_mkwrite can tell.
		 */
		if (dirty)
			file_update_time(vmf->vma->vm_file);
		folio = mmapdemo_store_make(store, vmf->pgoff, dirty);
	} while (folio == ERR_PTR(-EEXIST));
	return folio;
}

/* The same; or NULL and what ->fault returns in *@ret. */
static struct folio *fault_grab(struct vm_fault *vmf, vm_fault_t *ret)
{
	struct folio *folio = fault_find_or_make(vmf, fault_count(vmf));

	if (IS_ERR(folio)) {
		*ret = fault_error(vmf, PTR_ERR(folio));
		trace_mmapdemo_fault(vmf, *ret);
		return NULL;
	}
	/*
	 * The core would test for poison, too, but then takes page->mapping
	 * for granted and evicts the page as if it came from the page cache
	 * (mm/memory.c, __do_fault()).
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
 * @vmf: what the core knows of the fault
 *
 * The page goes back locked. Unlocked, a discard could remove it and zap its
 * PTEs before the core has made ours, which would then stay.
 *
 * Context: process context, may sleep; under the VMA lock since 6.7 (as these
 * operations have a ->map_pages; else the core takes mmap_lock first), under
 * mmap_lock, shared, before that and for accesses by get_user_pages.
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
 * The last page to map, of a window that the core would end at @end. Whoever
 * reads on where the last window ended gets twice as much, up to AROUND_GROWTH
 * times the core's: where all pages are present, the fault itself is most of what
 * a page costs. Not beyond the page table, nor the VMA. What is remembered is a
 * guess about the file's readers, kept where a page cache keeps its own, and
 * changed without a lock.
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
 * @vmf: the read fault in the middle
 * @start: first page of the window that the core would like to map
 * @end: last page of it, inclusive
 *
 * Maps what is present and takes neither our locks nor our pages: see
 * store_remove() and mmapdemo_pool_put() for what that asks of the store.
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
 * Puts the page into the dirty log. It stays locked until the core has made
 * the PTE writable, so that a sync cannot write-protect the PTEs and clean the
 * page in between, which would leave a writable PTE to a clean page.
 *
 * Context: process context, may sleep; locks as for mmapdemo_fault().
 * Return: %VM_FAULT_LOCKED; %VM_FAULT_NOPAGE: the page was discarded while we
 * waited for its lock, the core shall look again. Never 0 with the page's
 * mapping gone: the core takes that for "retry", and retries for ever.
 */
static vm_fault_t mmapdemo_page_mkwrite(struct vm_fault *vmf)
{
	struct folio *folio = page_folio(vmf->page);
	struct file *file = vmf->vma->vm_file;

	mmapdemo_stat_inc(STAT_MKWRITE);
	folio_lock(folio);
	if (!folio_test_dirty(folio)) {
		/*
		 * The core leaves it to drivers that have this handler. Not
		 * under our lock: the node's file system may have to wait for
		 * something. What is in the log has its time already.
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
	 * The core marks the page as well when it gets it back
	 * (fault_dirty_shared_page()), which reaches our log because the log
	 * is our ->dirty_folio. A driver that keeps another has this place.
	 */
	mmapdemo_dirty_folio(folio->mapping, folio);
	trace_mmapdemo_mkwrite(vmf, VM_FAULT_LOCKED);
	return VM_FAULT_LOCKED;
}

/* Collects up to @max pages that follow each other. Return: how many. */
static unsigned long insert_collect(struct mmapdemo_store *store, pgoff_t pgoff,
				    struct page **pages, unsigned long max)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	XA_STATE(xas, &mapping->i_pages, pgoff);
	struct folio *folio;
	unsigned long nr = 0;

	/*
	 * Under this lock no page leaves the store, and none needs a reference
	 * here. RCU is for the tree's nodes.
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
 * Puts the present pages of [@start, @end) into the page table. Return: how
 * many; -ENOMEM, or what else vm_insert_pages() finds wrong.
 *
 * A PTE that is already there is left alone (-EBUSY): another thread, or an
 * earlier window, was first.
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
		/* A hole, or an occupied PTE: step over it. */
		start += nr - left + (left || nr < max);
	}
	return inserted;
}

/**
 * mmapdemo_fault_insert() - vm_operations_struct.fault of fault_mode=insert
 * @vmf: what the core knows of the fault
 *
 * A read fault maps the aligned window around it, as far as pages are present.
 * Writes go one page at a time: each must be noticed by ->page_mkwrite, or be
 * copied, and the core does both with the page that a fault returns.
 *
 * The window goes in under the invalidate_lock, which a discard takes
 * exclusively around removal and zap: no PTE appears behind its back.
 *
 * Context: process context, may sleep; under mmap_lock shared.
 * Return: as mmapdemo_fault(), and %VM_FAULT_NOPAGE: it is in the page table,
 * or the page was discarded meanwhile and the access faults again.
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

/* For a VMA that the core copied: fork, a split, mremap. Not for mmap(2). */
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
 * @vma: the mapping to be; offset, length and protection are the core's to
 *	 check (mm/mmap.c, do_mmap()), and a mapping may reach past the end of
 *	 the device, as it may with a file
 *
 * The VMA exists, though nobody can reach it yet. It was not possible to merge
 * it into a neighbour: else the core would have grown that one and not called
 * us (mm/vma.c, __mmap_region()).
 *
 * Context: process context under mmap_lock, exclusively.
 * Return: 0.
 */
int mmapdemo_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (mmapdemo_param_fault_mode() == MMAPDEMO_FAULT_INSERT) {
		/* Here or never: vm_insert_pages in a fault BUGs else. */
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
 * @end: the address behind it
 * @pgoff: of its first page
 * @file: an open /dev/mmapdemo
 * @private_data: its vm_private_data, of which we have none
 *
 * Like ->mmap it is not called where a mapping only grows a neighbour. What is
 * done once per VMA, and could fail or must be undone in ->close, goes here.
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

/* ->mapped is for these alone: ->mmap must leave it NULL. */
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
 * @desc: what the VMA would be, and what it is to be
 *
 * There is no VMA yet, and may never be one: afterwards the core tries to merge
 * what is described here into a neighbour, or fails. So this only describes,
 * and keeps nothing that would have to be undone. In return the core knows all
 * flags before it looks for a neighbour; with ->mmap it looked first, and had
 * to trust the driver with a half-made VMA.
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
