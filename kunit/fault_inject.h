/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes allocations of the current thread fail, through CONFIG_FAULT_INJECTION.
 * Its only interface for kernel code is this: fields of task_struct, and the
 * variables behind its debugfs files.
 */
#ifndef _MMAPDEMO_KUNIT_FAULT_INJECT_H
#define _MMAPDEMO_KUNIT_FAULT_INJECT_H

#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/minmax.h>
#include <linux/sched.h>

/* Settings of failslab and fail_page_alloc: what fails and is reported. */
struct fault_attrs {
	bool slab_ignores_wait;
	bool pages_ignore_wait;
	bool pages_ignore_highmem;
	u32 pages_min_order;
	unsigned long slab_verbose;
	unsigned long pages_verbose;
};

/* Settings of one of them: in which threads allocations fail, and how often. */
struct fault_odds {
	bool task_filter;
	unsigned long probability;
	atomic_t times;
};

#ifdef CONFIG_FAULT_INJECTION
static inline void fail_nth(unsigned int n)
{
	WRITE_ONCE(current->fail_nth, n);
}

/* Return: whether the allocation was reached. Later ones do not fail. */
static inline bool fail_end(void)
{
	bool injected = !READ_ONCE(current->fail_nth);

	WRITE_ONCE(current->fail_nth, 0);
	return injected;
}

static inline void fail_all(bool fail)
{
	current->make_it_fail = fail;
}
#else
static inline void fail_nth(unsigned int n)
{
}

static inline void fail_all(bool fail)
{
}

static inline bool fail_end(void)
{
	return false;
}
#endif

/* Return: the variable behind a debugfs file (needs no mount); or NULL. */
static inline void *attr_data(const char *dir, const char *name)
{
	struct dentry *parent = debugfs_lookup(dir, NULL);
	struct dentry *dentry;
	void *data;

	if (!parent)
		return NULL;
	dentry = debugfs_lookup(name, parent);
	dput(parent);
	if (!dentry)
		return NULL;
	data = d_inode(dentry)->i_private;
	dput(dentry);
	return data;
}

/* Swaps @attrs with the kernel's. Return: 0; -ENOENT: one is missing. */
static inline int attrs_swap(struct fault_attrs *attrs)
{
	bool *slab_wait = attr_data("failslab", "ignore-gfp-wait");
	bool *pages_wait = attr_data("fail_page_alloc", "ignore-gfp-wait");
	bool *highmem = attr_data("fail_page_alloc", "ignore-gfp-highmem");
	u32 *min_order = attr_data("fail_page_alloc", "min-order");
	unsigned long *slab_verbose = attr_data("failslab", "verbose");
	unsigned long *pages_verbose = attr_data("fail_page_alloc", "verbose");

	if (!slab_wait || !pages_wait || !highmem || !min_order ||
	    !slab_verbose || !pages_verbose)
		return -ENOENT;
	swap(*slab_wait, attrs->slab_ignores_wait);
	swap(*pages_wait, attrs->pages_ignore_wait);
	swap(*highmem, attrs->pages_ignore_highmem);
	swap(*min_order, attrs->pages_min_order);
	swap(*slab_verbose, attrs->slab_verbose);
	swap(*pages_verbose, attrs->pages_verbose);
	return 0;
}

/* Swaps @odds with those of @dir; attrs_swap() has found its files. */
static inline void odds_swap(const char *dir, struct fault_odds *odds)
{
	bool *task_filter = attr_data(dir, "task-filter");
	unsigned long *probability = attr_data(dir, "probability");
	atomic_t *times = attr_data(dir, "times");

	swap(*task_filter, odds->task_filter);
	swap(*probability, odds->probability);
	swap(*times, odds->times);
}

#endif /* _MMAPDEMO_KUNIT_FAULT_INJECT_H */
