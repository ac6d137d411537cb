// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes each allocation of a call fail in turn, and then all of one kind: the
 * call must return ENOMEM, or do without, and leave nothing behind.
 *
 * This uses the kernel's fault injection, with no hook in the module: the
 * kernel counts a thread's allocations, from the slab and of pages, and fails
 * the one that task_struct.fail_nth names, or all of those of a thread with
 * make_it_fail. The count includes what the kernel itself, and its debugging
 * aids, allocate on the way to the module.
 */
#include <kunit/test.h>
#include <linux/mm.h>

#include "../module/uapi/mmapdemo.h"
#include "fault_inject.h"
#include "vma_helpers.h"

/* No call needs so many. */
#define MAX_POINTS	1000
/* A slot whose node in the store's tree does not exist yet. */
#define DEEP		(VMA_SLOTS - 1)

/**
 * struct failing_test - the state of a case
 * @vt: first, because vma_test_create() makes it
 * @attrs: the kernel's settings, to restore
 * @arg: user address of the argument of an ioctl
 * @addr: address of the mapping that the call uses
 * @other_pool: what a call initialises
 * @other_store: likewise
 */
struct failing_test {
	struct vma_test vt;
	struct fault_attrs attrs;
	unsigned long arg;
	unsigned long addr;
	struct mmapdemo_pool other_pool;
	struct mmapdemo_store other_store;
};

/**
 * struct failing_param - a call that allocates
 * @description: what it does
 * @mode: fault_mode of the mapping that it uses; NULL: it uses none
 * @map_flags: of that mapping
 * @run: the call, and nothing else: any allocation in it may fail
 * @undo: undoes a successful call; or NULL
 * @err: what it returns if memory is short
 * @least: number of allocations that it needs, and asks for once only
 * @slab: whether it cannot do without the slab
 * @pages: whether it cannot do without pages
 */
struct failing_param {
	const char *description;
	const char *mode;
	unsigned long map_flags;
	int (*run)(struct failing_test *ft);
	void (*undo)(struct failing_test *ft);
	int err;
	unsigned int least;
	bool slab;
	bool pages;
};

static int run_pool_init(struct failing_test *ft)
{
	return mmapdemo_pool_init(&ft->other_pool, VMA_SLOTS, &test_stats);
}

static void undo_pool_init(struct failing_test *ft)
{
	mmapdemo_pool_fini(&ft->other_pool);
}

static int run_store_init(struct failing_test *ft)
{
	return mmapdemo_store_init(&ft->other_store, &ft->vt.dev.pool, 0,
				   VMA_SLOTS * PAGE_SIZE, true);
}

static void undo_store_init(struct failing_test *ft)
{
	mmapdemo_store_fini(&ft->other_store);
}

static int run_pool_get(struct failing_test *ft)
{
	struct folio *folio = mmapdemo_pool_get(&ft->vt.dev.pool);

	if (IS_ERR(folio))
		return PTR_ERR(folio);
	mmapdemo_pool_put(&ft->vt.dev.pool, folio);
	return 0;
}

static int run_store_grab(struct failing_test *ft)
{
	return PTR_ERR_OR_ZERO(store_touch(&ft->vt.dev.store, DEEP, true));
}

static int run_read_fault(struct failing_test *ft)
{
	return peek(ft->addr, DEEP);
}

static int run_write_fault(struct failing_test *ft)
{
	return poke(ft->addr, DEEP, 1);
}

static int run_dirty_log(struct failing_test *ft)
{
	struct mmapdemo_dirty_log arg = {
		.len		= VMA_SLOTS * PAGE_SIZE,
		.extents	= ft->arg + PAGE_SIZE / 2,
		.nr_extents	= 1,
	};

	if (copy_to_user((void __user *)ft->arg, &arg, sizeof(arg)))
		return -EFAULT;
	return ft->vt.file->f_op->unlocked_ioctl(ft->vt.file,
						MMAPDEMO_IOC_DIRTY_LOG,
						ft->arg);
}

/* The pool does without a block of pages, or the store without its first node. */
static const struct failing_param failing_params[] = {
	{ "a pool", NULL, 0, run_pool_init,
	  undo_pool_init, -ENOMEM, 1, true, false },
	{ "a store", NULL, 0, run_store_init,
	  undo_store_init, -ENOMEM, 1, true, false },
	{ "a page", NULL, 0, run_pool_get,
	  NULL, -ENOMEM, 0, false, true },
	{ "a slot", NULL, 0, run_store_grab,
	  NULL, -ENOMEM, 0, true, true },
	{ "a read fault", "map_pages", MAP_SHARED, run_read_fault,
	  NULL, -EFAULT, 0, true, true },
	{ "a write fault", "map_pages", MAP_SHARED, run_write_fault,
	  NULL, -EFAULT, 0, true, true },
	{ "a private write", "map_pages", MAP_PRIVATE, run_write_fault,
	  NULL, -EFAULT, 3, true, true },
	{ "insert, a read fault", "insert", MAP_SHARED, run_read_fault,
	  NULL, -EFAULT, 0, true, true },
	{ "insert, a write fault", "insert", MAP_SHARED, run_write_fault,
	  NULL, -EFAULT, 0, true, true },
	{ "insert, a private write", "insert", MAP_PRIVATE, run_write_fault,
	  NULL, -EFAULT, 3, true, true },
	{ "the ioctl of the dirty log", "map_pages", MAP_SHARED, run_dirty_log,
	  NULL, -ENOMEM, 1, true, false },
};

static void failing_describe(const struct failing_param *param, char *desc)
{
	strscpy(desc, param->description, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(failing, failing_params, failing_describe);

static int failing_test_init(struct kunit *test)
{
	struct failing_test *ft;
	int err;

	err = vma_test_create(test, sizeof(*ft));
	if (err)
		return err;
	ft = test->priv;
	if (attrs_swap(&ft->attrs))
		kunit_skip(test,
			   "needs failslab and fail_page_alloc, with CONFIG_FAULT_INJECTION_DEBUG_FS");
	return 0;
}

static void failing_test_exit(struct kunit *test)
{
	struct failing_test *ft = test->priv;

	if (ft)
		attrs_swap(&ft->attrs);
	vma_test_exit(test);
}

/* Gives the thread user memory, and in it a page for the ioctl's argument. */
static void prepare_memory(struct kunit *test)
{
	struct failing_test *ft = test->priv;

	need_mmap(test);
	ft->arg = test_mmap(test, NULL, 0, PAGE_SIZE,
			    MAP_PRIVATE | MAP_ANONYMOUS, 0);
	KUNIT_ASSERT_FALSE(test, !ft->arg || IS_ERR_VALUE(ft->arg));
	KUNIT_ASSERT_EQ(test, 0, poke(ft->arg, 0, 1));
}

/* A mapping without page tables, and a store and a pool without a page. */
static void prepare(struct kunit *test)
{
	const struct failing_param *param = test->param_value;
	struct failing_test *ft = test->priv;
	const char *old;

	mmapdemo_store_discard(&ft->vt.dev.store, 0, VMA_SLOTS);
	mmapdemo_pool_shrink(&ft->vt.dev.pool, VMA_SLOTS);
	if (!param->mode)
		return;
	old = fault_mode_swap(param->mode);
	ft->addr = vm_mmap(ft->vt.file, 0, VMA_PAGES * PAGE_SIZE,
			   PROT_READ | PROT_WRITE, param->map_flags, 0);
	fault_mode_swap(old);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(ft->addr));
}

/* No page is lost, and a call that failed for lack of memory now succeeds. */
static void check(struct kunit *test, int ret)
{
	const struct failing_param *param = test->param_value;
	struct failing_test *ft = test->priv;
	struct mmapdemo_pool *pool = &ft->vt.dev.pool;

	KUNIT_EXPECT_EQ(test, atomic_long_read(&pool->nr_held),
			store_count(&ft->vt.dev.store) + mmapdemo_pool_count(pool));
	if (ret) {
		KUNIT_EXPECT_EQ(test, ret, param->err);
		ret = param->run(ft);
		KUNIT_EXPECT_EQ(test, ret, 0);
	}
	if (!ret && param->undo)
		param->undo(ft);
	if (param->mode)
		KUNIT_EXPECT_EQ(test, 0, vm_munmap(ft->addr,
						   VMA_PAGES * PAGE_SIZE));
}

/*
 * Fails the first allocation of a run, then the second of the next, and so on,
 * until a run has fewer.
 * Return: how many runs failed.
 */
static unsigned int fail_each(struct kunit *test)
{
	const struct failing_param *param = test->param_value;
	unsigned int n, denied = 0;
	bool injected = true;
	int ret = 0;

	for (n = 1; injected && n < MAX_POINTS; n++) {
		prepare(test);
		fail_nth(n);
		ret = param->run(test->priv);
		injected = fail_end();
		denied += ret != 0;
		check(test, ret);
	}
	KUNIT_EXPECT_FALSE(test, injected);
	KUNIT_EXPECT_EQ(test, ret, 0);
	kunit_info(test, "%u allocations failed, and %u calls for it", n - 2,
		   denied);
	return denied;
}

/*
 * Debugging aids allocate in some runs and not in others (mem_pool_alloc() in
 * mm/kmemleak.c, a new slab for its records, lib/stackdepot.c). That shifts the
 * count, so that an allocation of the call may be skipped and never fail:
 * repeat the sweep until enough of them have failed.
 */
static void failing_allocation_leaves_nothing_behind(struct kunit *test)
{
	const struct failing_param *param = test->param_value;
	unsigned int sweeps = 10, denied = 0;

	if (param->mode)
		prepare_memory(test);
	do {
		denied = max(denied, fail_each(test));
	} while (denied < param->least && --sweeps);
	KUNIT_EXPECT_GE(test, denied, param->least);
}

static void fail_kind(struct kunit *test, const char *dir, bool needed)
{
	struct fault_odds odds = {
		.task_filter	= true,
		.probability	= 100,
		.times		= ATOMIC_INIT(-1),
	};
	const struct failing_param *param = test->param_value;
	int ret;

	prepare(test);
	odds_swap(dir, &odds);
	fail_all(true);
	ret = param->run(test->priv);
	fail_all(false);
	odds_swap(dir, &odds);
	/* A call that needs no page may still fail, if the slab has to grow. */
	if (needed)
		KUNIT_EXPECT_EQ(test, ret, param->err);
	check(test, ret);
}

/* Fails the second, more urgent request of a call as well. */
static void failing_allocator_leaves_nothing_behind(struct kunit *test)
{
	const struct failing_param *param = test->param_value;

	if (param->mode)
		prepare_memory(test);
	fail_kind(test, "failslab", param->slab);
	fail_kind(test, "fail_page_alloc", param->pages);
}

static struct kunit_case failing_cases[] = {
	KUNIT_CASE_PARAM(failing_allocation_leaves_nothing_behind,
			 failing_gen_params),
	KUNIT_CASE_PARAM(failing_allocator_leaves_nothing_behind,
			 failing_gen_params),
	{ }
};

static struct kunit_suite failing_suite = {
	.name = "mmapdemo_failing",
	.init = failing_test_init,
	.exit = failing_test_exit,
	.test_cases = failing_cases,
};

kunit_test_suite(failing_suite);
