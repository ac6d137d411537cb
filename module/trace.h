/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tracepoints: /sys/kernel/tracing/events/mmapdemo, for trace-cmd, perf,
 * bpftrace and scripts/measure/trace.sh.
 *
 * Each event says of which device it is: 0 is /dev/mmapdemo, 1 /dev/mmapdemo1, ...
 * Pages are identified by pgoff, as in the store: an address means something in
 * one process only. VMA and fault events come from the task that maps or
 * accesses; store events from whoever makes, marks or removes a page. An event
 * comes after what it reports, and one that reports a page's state under the
 * lock that protects it, so that their order is the order of the changes.
 *
 * A disabled event costs one no-op instruction (a static key): what is computed
 * for it is computed in TP_fast_assign.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mmapdemo

#if !defined(_MMAPDEMO_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _MMAPDEMO_TRACE_H

#include <linux/mm.h>
#include <linux/tracepoint.h>

#include "fault.h"
#include "stats.h"
#include "store.h"

#ifndef _MMAPDEMO_TRACE_ONCE
#define _MMAPDEMO_TRACE_ONCE

/* What ->fault, ->map_pages or ->page_mkwrite returned. */
enum mmapdemo_outcome {
	OUTCOME_NONE,		/* no page: ->map_pages leaves it to ->fault */
	OUTCOME_PAGE,		/* a page, locked */
	OUTCOME_MAPPED,		/* mapped; or discarded, and faults again */
	OUTCOME_SIGBUS,
	OUTCOME_HWPOISON,
	OUTCOME_OOM,
};

/* As the counters distinguish them. */
static inline enum mmapdemo_stat mmapdemo_fault_kind(const struct vm_fault *vmf)
{
	if (!(vmf->flags & FAULT_FLAG_WRITE))
		return STAT_FAULT_READ;
	return vmf->vma->vm_flags & VM_SHARED ? STAT_FAULT_WRITE : STAT_FAULT_COW;
}

static inline enum mmapdemo_outcome mmapdemo_outcome(vm_fault_t ret)
{
	if (ret & VM_FAULT_LOCKED)
		return OUTCOME_PAGE;
	if (ret & VM_FAULT_NOPAGE)
		return OUTCOME_MAPPED;
	if (ret & VM_FAULT_SIGBUS)
		return OUTCOME_SIGBUS;
	if (ret & VM_FAULT_HWPOISON)
		return OUTCOME_HWPOISON;
	return ret & VM_FAULT_OOM ? OUTCOME_OOM : OUTCOME_NONE;
}

#endif /* _MMAPDEMO_TRACE_ONCE */

/* In the format file, turns these names into numbers for its parsers. */
TRACE_DEFINE_ENUM(OUTCOME_NONE);
TRACE_DEFINE_ENUM(OUTCOME_PAGE);
TRACE_DEFINE_ENUM(OUTCOME_MAPPED);
TRACE_DEFINE_ENUM(OUTCOME_SIGBUS);
TRACE_DEFINE_ENUM(OUTCOME_HWPOISON);
TRACE_DEFINE_ENUM(OUTCOME_OOM);
TRACE_DEFINE_ENUM(STAT_FAULT_READ);
TRACE_DEFINE_ENUM(STAT_FAULT_WRITE);
TRACE_DEFINE_ENUM(STAT_FAULT_COW);
TRACE_DEFINE_ENUM(STAT_SIGBUS_SIZE);
TRACE_DEFINE_ENUM(STAT_SIGBUS_CAP);
TRACE_DEFINE_ENUM(STAT_SIGBUS_POISON);

#define show_outcome(outcome)						\
	__print_symbolic(outcome,					\
			 { OUTCOME_NONE,	"none" },		\
			 { OUTCOME_PAGE,	"page" },		\
			 { OUTCOME_MAPPED,	"mapped" },		\
			 { OUTCOME_SIGBUS,	"sigbus" },		\
			 { OUTCOME_HWPOISON,	"hwpoison" },		\
			 { OUTCOME_OOM,		"oom" })

#define show_kind(kind)							\
	__print_symbolic(kind,						\
			 { STAT_FAULT_READ,	"read" },		\
			 { STAT_FAULT_WRITE,	"write" },		\
			 { STAT_FAULT_COW,	"cow" })

#define show_reason(reason)						\
	__print_symbolic(reason,					\
			 { STAT_SIGBUS_SIZE,	"size" },		\
			 { STAT_SIGBUS_CAP,	"cap" },		\
			 { STAT_SIGBUS_POISON,	"poison" })

DECLARE_EVENT_CLASS(mmapdemo_vma,
	TP_PROTO(const struct mmapdemo_store *store, unsigned long start,
		 unsigned long end, pgoff_t pgoff),

	TP_ARGS(store, start, end, pgoff),

	TP_STRUCT__entry(
		__field(unsigned int, device)
		__field(unsigned long, start)
		__field(unsigned long, end)
		__field(unsigned long, pgoff)
		__field(unsigned long, nr_pages)
	),

	TP_fast_assign(
		__entry->device = store->device;
		__entry->start = start;
		__entry->end = end;
		__entry->pgoff = pgoff;
		__entry->nr_pages = (end - start) >> PAGE_SHIFT;
	),

	TP_printk("device=%u start=0x%lx end=0x%lx pgoff=%lu nr_pages=%lu",
		  __entry->device, __entry->start, __entry->end, __entry->pgoff,
		  __entry->nr_pages)
);

/* mmap(2) made a VMA; there is no event if it only grew a neighbour. */
DEFINE_EVENT(mmapdemo_vma, mmapdemo_mmap,
	TP_PROTO(const struct mmapdemo_store *store, unsigned long start,
		 unsigned long end, pgoff_t pgoff),
	TP_ARGS(store, start, end, pgoff)
);

/* The core copied a VMA: fork, a split, mremap. */
DEFINE_EVENT(mmapdemo_vma, mmapdemo_vma_open,
	TP_PROTO(const struct mmapdemo_store *store, unsigned long start,
		 unsigned long end, pgoff_t pgoff),
	TP_ARGS(store, start, end, pgoff)
);

/* A VMA is closed. */
DEFINE_EVENT(mmapdemo_vma, mmapdemo_vma_close,
	TP_PROTO(const struct mmapdemo_store *store, unsigned long start,
		 unsigned long end, pgoff_t pgoff),
	TP_ARGS(store, start, end, pgoff)
);

/*
 * ->fault found or made the page, which is locked, for the core to map or copy.
 * Or it failed.
 */
TRACE_EVENT(mmapdemo_fault,
	TP_PROTO(const struct vm_fault *vmf, vm_fault_t ret),

	TP_ARGS(vmf, ret),

	TP_STRUCT__entry(
		__field(unsigned int, device)
		__field(unsigned long, address)
		__field(unsigned long, pgoff)
		__field(unsigned int, kind)
		__field(unsigned int, outcome)
	),

	TP_fast_assign(
		__entry->device = mmapdemo_vma_store(vmf->vma)->device;
		__entry->address = vmf->address;
		__entry->pgoff = vmf->pgoff;
		__entry->kind = mmapdemo_fault_kind(vmf);
		__entry->outcome = mmapdemo_outcome(ret);
	),

	TP_printk("device=%u address=0x%lx pgoff=%lu kind=%s outcome=%s",
		  __entry->device, __entry->address, __entry->pgoff, show_kind(__entry->kind),
		  show_outcome(__entry->outcome))
);

/*
 * fault_mode=insert: for a read at pgoff ->fault set PTEs itself, for the pages
 * from first on that were present and had none: their number, or a negative
 * errno.
 */
TRACE_EVENT(mmapdemo_insert,
	TP_PROTO(const struct vm_fault *vmf, pgoff_t first, long inserted),

	TP_ARGS(vmf, first, inserted),

	TP_STRUCT__entry(
		__field(unsigned int, device)
		__field(unsigned long, address)
		__field(unsigned long, pgoff)
		__field(unsigned long, first)
		__field(long, inserted)
	),

	TP_fast_assign(
		__entry->device = mmapdemo_vma_store(vmf->vma)->device;
		__entry->address = vmf->address;
		__entry->pgoff = vmf->pgoff;
		__entry->first = first;
		__entry->inserted = inserted;
	),

	TP_printk("device=%u address=0x%lx pgoff=%lu first=%lu inserted=%ld",
		  __entry->device, __entry->address, __entry->pgoff, __entry->first,
		  __entry->inserted)
);

/*
 * ->map_pages mapped the present pages of a window, for a read fault at pgoff.
 * Outcome "none": the page of the fault itself was not present, and ->fault
 * follows.
 */
TRACE_EVENT(mmapdemo_map_pages,
	TP_PROTO(const struct vm_fault *vmf, pgoff_t first, pgoff_t last,
		 vm_fault_t ret),

	TP_ARGS(vmf, first, last, ret),

	TP_STRUCT__entry(
		__field(unsigned int, device)
		__field(unsigned long, address)
		__field(unsigned long, pgoff)
		__field(unsigned long, first)
		__field(unsigned long, nr_pages)
		__field(unsigned int, outcome)
	),

	TP_fast_assign(
		__entry->device = mmapdemo_vma_store(vmf->vma)->device;
		__entry->address = vmf->address;
		__entry->pgoff = vmf->pgoff;
		__entry->first = first;
		__entry->nr_pages = last - first + 1;
		__entry->outcome = mmapdemo_outcome(ret);
	),

	TP_printk("device=%u address=0x%lx pgoff=%lu first=%lu nr_pages=%lu outcome=%s",
		  __entry->device, __entry->address, __entry->pgoff, __entry->first,
		  __entry->nr_pages, show_outcome(__entry->outcome))
);

/*
 * ->page_mkwrite returned. Outcome "page": the PTE becomes writable; "mapped":
 * the page was discarded meanwhile, and the access faults again.
 */
TRACE_EVENT(mmapdemo_mkwrite,
	TP_PROTO(const struct vm_fault *vmf, vm_fault_t ret),

	TP_ARGS(vmf, ret),

	TP_STRUCT__entry(
		__field(unsigned int, device)
		__field(unsigned long, address)
		__field(unsigned long, pgoff)
		__field(unsigned int, outcome)
	),

	TP_fast_assign(
		__entry->device = mmapdemo_vma_store(vmf->vma)->device;
		__entry->address = vmf->address;
		__entry->pgoff = vmf->pgoff;
		__entry->outcome = mmapdemo_outcome(ret);
	),

	TP_printk("device=%u address=0x%lx pgoff=%lu outcome=%s",
		  __entry->device, __entry->address,
		  __entry->pgoff, show_outcome(__entry->outcome))
);

/* A fault is about to end in SIGBUS, or get_user_pages in an error. */
TRACE_EVENT(mmapdemo_sigbus,
	TP_PROTO(const struct vm_fault *vmf, unsigned int reason),

	TP_ARGS(vmf, reason),

	TP_STRUCT__entry(
		__field(unsigned int, device)
		__field(unsigned long, address)
		__field(unsigned long, pgoff)
		__field(unsigned int, reason)
	),

	TP_fast_assign(
		__entry->device = mmapdemo_vma_store(vmf->vma)->device;
		__entry->address = vmf->address;
		__entry->pgoff = vmf->pgoff;
		__entry->reason = reason;
	),

	TP_printk("device=%u address=0x%lx pgoff=%lu reason=%s",
		  __entry->device, __entry->address,
		  __entry->pgoff, show_reason(__entry->reason))
);

DECLARE_EVENT_CLASS(mmapdemo_page,
	TP_PROTO(const struct mmapdemo_store *store, pgoff_t pgoff),

	TP_ARGS(store, pgoff),

	TP_STRUCT__entry(
		__field(unsigned int, device)
		__field(unsigned long, pgoff)
	),

	TP_fast_assign(
		__entry->device = store->device;
		__entry->pgoff = pgoff;
	),

	TP_printk("device=%u pgoff=%lu",
		  __entry->device, __entry->pgoff)
);

/* A page was made for a hole. */
DEFINE_EVENT(mmapdemo_page, mmapdemo_make,
	TP_PROTO(const struct mmapdemo_store *store, pgoff_t pgoff),
	TP_ARGS(store, pgoff)
);

/* A page entered the dirty log. */
DEFINE_EVENT(mmapdemo_page, mmapdemo_dirty,
	TP_PROTO(const struct mmapdemo_store *store, pgoff_t pgoff),
	TP_ARGS(store, pgoff)
);

/* A page left the dirty log, and was write-protected, by a harvest. */
DEFINE_EVENT(mmapdemo_page, mmapdemo_clear,
	TP_PROTO(const struct mmapdemo_store *store, pgoff_t pgoff),
	TP_ARGS(store, pgoff)
);

/* A page was write-protected and cleaned by a sync. */
DEFINE_EVENT(mmapdemo_page, mmapdemo_clean,
	TP_PROTO(const struct mmapdemo_store *store, pgoff_t pgoff),
	TP_ARGS(store, pgoff)
);

/* A range was discarded, with the pages in it; removed: how many there were. */
TRACE_EVENT(mmapdemo_discard,
	TP_PROTO(const struct mmapdemo_store *store, pgoff_t start, pgoff_t end,
		 unsigned long removed),

	TP_ARGS(store, start, end, removed),

	TP_STRUCT__entry(
		__field(unsigned int, device)
		__field(unsigned long, pgoff)
		__field(unsigned long, nr_pages)
		__field(unsigned long, removed)
	),

	TP_fast_assign(
		__entry->device = store->device;
		__entry->pgoff = start;
		__entry->nr_pages = end - start;
		__entry->removed = removed;
	),

	TP_printk("device=%u pgoff=%lu nr_pages=%lu removed=%lu",
		  __entry->device, __entry->pgoff,
		  __entry->nr_pages, __entry->removed)
);

/* The size changed, in pages; removed: the pages past the new end. */
TRACE_EVENT(mmapdemo_resize,
	TP_PROTO(const struct mmapdemo_store *store, loff_t from, loff_t to,
		 unsigned long removed),

	TP_ARGS(store, from, to, removed),

	TP_STRUCT__entry(
		__field(unsigned int, device)
		__field(unsigned long, from)
		__field(unsigned long, to)
		__field(unsigned long, removed)
	),

	TP_fast_assign(
		__entry->device = store->device;
		__entry->from = from >> PAGE_SHIFT;
		__entry->to = to >> PAGE_SHIFT;
		__entry->removed = removed;
	),

	TP_printk("device=%u from=%lu to=%lu removed=%lu",
		  __entry->device, __entry->from, __entry->to,
		  __entry->removed)
);

#endif /* _MMAPDEMO_TRACE_H */

/* Outside of the guard: define_trace.h includes this file several times. */
#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
