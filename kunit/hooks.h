/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mmapdemo_hooks - what the core does when a driver's hook returns X
 *
 * A module for tests only, never installed. Each hook that a driver may provide
 * for mmap(2) answers here as the test has set it: with errors that
 * /dev/mmapdemo never returns, flags that it never sets, hooks that it does not
 * have. hooks.c says how to set them.
 *
 *   struct hooks_file       one per open file; nothing is shared between them
 *    |-- set[]              what each hook does
 *    |-- count[]            what happened
 *    |-- ops                vm_operations, put together from hooks_vm_ops
 *    |-- folios[]           the mapped pages; page n is filled with
 *    |                      the letter 'a' + n
 *    `-- inode              its address_space is the file's f_mapping
 */
#ifndef _MMAPDEMO_HOOKS_H
#define _MMAPDEMO_HOOKS_H

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mutex.h>

#include "../module/compat.h"

/* The settings; the first ones install or remove a hook of vm_operations. */
enum hooks_setting {
	SET_OPEN,
	SET_CLOSE,
	SET_MAY_SPLIT,
	SET_MREMAP,
	SET_MPROTECT,
	SET_FAULT,
	SET_HUGE_FAULT,
	SET_PAGE_MKWRITE,
	SET_PFN_MKWRITE,
	SET_ACCESS,
	SET_NAME,
#ifdef CONFIG_NUMA
	SET_POLICY,
#endif
#if MMAPDEMO_HAVE_UFFD_OPS
	SET_UFFD_OPS,
#endif
#if MMAPDEMO_HAVE_MMAP_PREPARE
	SET_MAPPED,
	SET_ACTION,
	SET_ERROR_OVERRIDE,
#endif
	SET_MMAP,
	SET_GET_UNMAPPED_AREA,
	SET_FADVISE,
	SET_VM_FLAGS,
	SET_OPS,
	SET_TIMES,
	SET_CALL,
	SET_ORDER,
	SET_SIZE,
	SET_MAPPING,
	SET_DENY_WRITE,
	HOOKS_NR_SETTINGS
};

enum hooks_count {
	COUNT_MMAP,
	COUNT_MMAP_PREPARE,
	COUNT_MAPPED,
	COUNT_GET_UNMAPPED_AREA,
	COUNT_FADVISE,
	COUNT_OPEN,
	COUNT_CLOSE,
	COUNT_MAY_SPLIT,
	COUNT_SPLIT_AT,		/* the last address passed to may_split */
	COUNT_MREMAP,
	COUNT_MREMAP_TO,	/* vm_start of the VMA that mremap was given */
	COUNT_MPROTECT,
	COUNT_FAULT,
	COUNT_FAULT_TRIED,	/* those with FAULT_FLAG_TRIED */
	COUNT_HUGE_FAULT,
	COUNT_PAGE_MKWRITE,
	COUNT_PFN_MKWRITE,
	COUNT_ACCESS,
	COUNT_NAME,
	COUNT_SET_POLICY,
	COUNT_UFFD_ALLOC,
	COUNT_UFFD_ADD,
	COUNT_UFFD_REMOVE,
	COUNT_DIRTY_FOLIO,	/* calls of the address_space's dirty_folio */
	COUNT_CALLED,		/* what the helper returned, see hooks_call() */
	COUNT_LEFT,		/* pages that vm_insert_pages did not insert */
	HOOKS_NR_COUNTS
};

/* What a fault handler can be set to do, and what it then returns. */
enum hooks_fault {
	FAULT_USUAL,		/* what the VMA can take: a page, or a pfn */
	FAULT_PAGE,		/* 0, with the page */
	FAULT_LOCKED,		/* VM_FAULT_LOCKED, with the page */
	FAULT_MAJOR,
	FAULT_ZERO,		/* 0, without doing anything */
	FAULT_NOPAGE,		/* VM_FAULT_NOPAGE, without doing anything */
	FAULT_SIGBUS,
	FAULT_SIGSEGV,
	FAULT_HWPOISON,
	FAULT_OOM,
	FAULT_RETRY,
	FAULT_FALLBACK,
	FAULT_INSERT,		/* vm_insert_page() */
	FAULT_PFN,		/* vmf_insert_pfn() */
};

enum hooks_ops {
	OPS_SET,		/* those that were put together */
	OPS_DEFAULT,		/* left as .mmap finds them */
	OPS_NULL,
};

enum hooks_action {
	ACTION_NONE,
	ACTION_PAGES,
	ACTION_PAGES_OUTSIDE,
	ACTION_REMAP,
	ACTION_IOREMAP,
};

#define HOOKS_NR_PAGES	16

/**
 * struct hooks_file - the state of an open /dev/mmapdemo_hooks
 * @lock: protects the settings
 * @set: settings, by enum hooks_setting
 * @count: counters and results, by enum hooks_count
 * @ops: the vm_operations of VMAs; fixed once there has been a mapping
 * @times: how many times a fault handler still answers as set
 * @inode: owner of the address_space that f_mapping points to
 * @folios: the pages, with one reference each
 * @nr_folios: how many there are
 * @order: the order of each
 * @pages: the first pages of them, for helpers that take an array
 */
struct hooks_file {
	/* orders changes of settings, and the first use of what they set */
	struct mutex lock;
	long set[HOOKS_NR_SETTINGS];
	atomic_long_t count[HOOKS_NR_COUNTS];
	const struct vm_operations_struct *ops;
	atomic_long_t times;
	struct inode *inode;
	struct folio *folios[HOOKS_NR_PAGES];
	unsigned int nr_folios;
	unsigned int order;
	struct page *pages[HOOKS_NR_PAGES];
};

static inline struct hooks_file *hooks_file(const struct file *file)
{
	return file->private_data;
}

static inline void hooks_inc(struct hooks_file *hf, enum hooks_count count)
{
	atomic_long_inc(&hf->count[count]);
}

static inline void hooks_note(struct hooks_file *hf, enum hooks_count count,
			      long value)
{
	atomic_long_set(&hf->count[count], value);
}

/* A setting may change while a hook reads it, in another thread. */
static inline long hooks_get(const struct hooks_file *hf,
			     enum hooks_setting setting)
{
	return READ_ONCE(hf->set[setting]);
}

/* From now on pages and operations do not change. */
static inline void hooks_use(struct hooks_file *hf, enum hooks_count count)
{
	mutex_lock(&hf->lock);
	hooks_inc(hf, count);
	mutex_unlock(&hf->lock);
}

int hooks_parse_line(struct hooks_file *hf, char *line);
int hooks_set_default(struct hooks_file *hf);
int hooks_print(struct hooks_file *hf, char *text, size_t size);
void hooks_free_pages(struct hooks_file *hf);
struct page *hooks_page(const struct hooks_file *hf, pgoff_t pgoff);
long hooks_call(struct vm_area_struct *vma, long nr);
long hooks_call_find(const char *name);

extern const struct vm_operations_struct hooks_vm_ops;
#if MMAPDEMO_HAVE_UFFD_OPS
extern const struct vm_uffd_ops hooks_uffd_ops;
#endif
#if MMAPDEMO_HAVE_MMAP_PREPARE
int hooks_mmap_prepare(struct vm_area_desc *desc);
#endif

#endif /* _MMAPDEMO_HOOKS_H */
