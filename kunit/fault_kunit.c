// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handlers of a mapping, called directly: what each returns to the core,
 * and in which state it leaves the page. This reaches states that the core
 * would reach only by a race.
 */
#include <kunit/test.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>

#include "vma_helpers.h"

/* For sparse: KUnit's macros lose vm_fault_t, which is a type of its own. */
#define EXPECT_FAULT(test, ret, expected)				\
	KUNIT_EXPECT_EQ(test, (__force unsigned int)(ret),		\
			(__force unsigned int)(expected))

/**
 * struct fault_param - a mapping, and an access to it
 * @description: describes both
 * @mode: fault_mode of the mapping
 * @map_flags: for mmap
 * @fault_flags: in vm_fault
 */
struct fault_param {
	const char *description;
	const char *mode;
	unsigned long map_flags;
	unsigned int fault_flags;
};

static const struct fault_param fault_params[] = {
	{ "map_pages, a read", "map_pages", MAP_SHARED, 0 },
	{ "map_pages, a write", "map_pages", MAP_SHARED, FAULT_FLAG_WRITE },
	{ "map_pages, a private write", "map_pages", MAP_PRIVATE, FAULT_FLAG_WRITE },
	{ "insert, a read", "insert", MAP_SHARED, 0 },
	{ "insert, a write", "insert", MAP_SHARED, FAULT_FLAG_WRITE },
	{ "insert, a private write", "insert", MAP_PRIVATE, FAULT_FLAG_WRITE },
};

static void fault_describe(const struct fault_param *param, char *desc)
{
	strscpy(desc, param->description, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fault, fault_params, fault_describe);

static bool is_insert_read(const struct fault_param *param)
{
	return !strcmp(param->mode, "insert") && !param->fault_flags;
}

/* Return: the VMA of a new mapping, unlocked: only this thread uses it. */
static struct vm_area_struct *map_vma(struct kunit *test)
{
	const struct fault_param *param = test->param_value;
	unsigned long addr = map_from(test, param->mode, param->map_flags, 0,
				      VMA_PAGES);
	struct vm_area_struct *vma;

	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, addr);
	mmap_read_unlock(current->mm);
	KUNIT_ASSERT_NOT_NULL(test, vma);
	return vma;
}

/**
 * struct fault_result - the result of ->fault
 * @ret: its return value
 * @dropped: whether it has dropped mmap_lock
 * @page: its page, or NULL; the rest is about this page
 * @locked: whether it is locked
 * @ref_count: its references, including the caller's
 * @index: its slot
 */
struct fault_result {
	vm_fault_t ret;
	bool dropped;
	struct page *page;
	bool locked;
	int ref_count;
	pgoff_t index;
};

/* Releases the page as the core does, so that the store can be emptied. */
static void result_release(struct fault_result *result)
{
	struct folio *folio = page_folio(result->page);

	result->locked = folio_test_locked(folio);
	result->ref_count = folio_ref_count(folio);
	result->index = folio->index;
	if (result->locked)
		folio_unlock(folio);
	folio_put(folio);
}

static struct fault_result call_fault_with(struct kunit *test,
					   struct vm_area_struct *vma,
					   pgoff_t pgoff, unsigned int flags)
{
	const struct fault_param *param = test->param_value;
	struct mm_struct *mm = current->mm;
	struct fault_result result = { };
	struct vm_fault vmf = {
		.vma		= vma,
		.pgoff		= pgoff,
		.address	= vma->vm_start + pgoff * PAGE_SIZE,
		.gfp_mask	= GFP_KERNEL,
		.flags		= param->fault_flags | flags,
	};

	mmap_read_lock(mm);
	result.ret = vma->vm_ops->fault(&vmf);
	/* Nobody else takes this lock. */
	result.dropped = !rwsem_is_locked(&mm->mmap_lock);
	if (!result.dropped)
		mmap_read_unlock(mm);
	result.page = vmf.page;
	if (result.page)
		result_release(&result);
	return result;
}

static struct fault_result call_fault(struct kunit *test,
				      struct vm_area_struct *vma, pgoff_t pgoff)
{
	return call_fault_with(test, vma, pgoff, 0);
}

static vm_fault_t call_mkwrite(struct vm_area_struct *vma, struct folio *folio)
{
	struct vm_fault vmf = {
		.vma	= vma,
		.page	= folio_page(folio, 0),
		.flags	= FAULT_FLAG_WRITE,
	};
	vm_fault_t ret;

	mmap_read_lock(current->mm);
	ret = vma->vm_ops->page_mkwrite(&vmf);
	mmap_read_unlock(current->mm);
	return ret;
}

static void fault_gives_a_locked_page(struct kunit *test)
{
	const struct fault_param *param = test->param_value;
	struct vm_area_struct *vma = map_vma(test);
	struct fault_result result = call_fault(test, vma, 5);

	KUNIT_EXPECT_EQ(test, store_count(store_of(test)), 1);
	KUNIT_EXPECT_FALSE(test, store_is_hole(store_of(test), 5));
	KUNIT_EXPECT_EQ(test, store_is_dirty(store_of(test), 5),
			param->map_flags == MAP_SHARED && param->fault_flags);
	if (is_insert_read(param)) {
		EXPECT_FAULT(test, result.ret, VM_FAULT_NOPAGE);
		KUNIT_EXPECT_PTR_EQ(test, result.page, NULL);
		KUNIT_EXPECT_EQ(test, peek(vma->vm_start, 5), 0);
		return;
	}
	EXPECT_FAULT(test, result.ret, VM_FAULT_LOCKED);
	KUNIT_ASSERT_NOT_NULL(test, result.page);
	KUNIT_EXPECT_TRUE(test, result.locked);
	KUNIT_EXPECT_EQ(test, result.ref_count, 2);
	KUNIT_EXPECT_EQ(test, result.index, 5);
}

static void expect_failure(struct kunit *test, const struct fault_result *result,
			   vm_fault_t ret, enum mmapdemo_stat stat)
{
	EXPECT_FAULT(test, result->ret, ret);
	KUNIT_EXPECT_PTR_EQ(test, result->page, NULL);
	KUNIT_EXPECT_EQ(test, counted(test->priv, stat), 1);
}

static void fault_is_sigbus_past_the_end(struct kunit *test)
{
	struct vm_area_struct *vma = map_vma(test);
	struct fault_result result = call_fault(test, vma, VMA_SLOTS);

	expect_failure(test, &result, VM_FAULT_SIGBUS, STAT_SIGBUS_SIZE);
	KUNIT_EXPECT_EQ(test, store_count(store_of(test)), 0);
}

/* With VM_FAULT_OOM the core would retry for ever. */
static void fault_is_sigbus_at_the_cap(struct kunit *test)
{
	struct vm_area_struct *vma = map_vma(test);
	struct vma_test *vt = test->priv;
	struct fault_result result;

	vt->dev.pool.cap = 0;
	result = call_fault(test, vma, 5);
	expect_failure(test, &result, VM_FAULT_SIGBUS, STAT_SIGBUS_CAP);
	KUNIT_EXPECT_TRUE(test, store_is_hole(store_of(test), 5));
}

static void fault_tells_of_a_poisoned_page(struct kunit *test)
{
#ifdef CONFIG_MEMORY_FAILURE
	struct vm_area_struct *vma = map_vma(test);
	struct fault_result result;
	struct folio *bad;

	bad = store_touch(store_of(test), 5, false);
	KUNIT_ASSERT_FALSE(test, IS_ERR(bad));
	SetPageHWPoison(folio_page(bad, 0));
	result = call_fault(test, vma, 5);
	expect_failure(test, &result, VM_FAULT_HWPOISON, STAT_SIGBUS_POISON);
	KUNIT_EXPECT_FALSE(test, folio_test_locked(bad));
	KUNIT_EXPECT_EQ(test, folio_ref_count(bad), 1);
	ClearPageHWPoison(folio_page(bad, 0));
#else
	kunit_skip(test, "needs CONFIG_MEMORY_FAILURE");
#endif
}

/* Also unlocks the page, so that the store can be emptied. */
static void expect_locked(struct kunit *test, struct folio *folio, bool expected)
{
	bool locked = folio_test_locked(folio);

	KUNIT_EXPECT_EQ(test, locked, expected);
	if (locked)
		folio_unlock(folio);
}

/* The page stays locked until the PTE is writable: it keeps a sync out. */
static void mkwrite_gives_a_locked_dirty_page(struct kunit *test)
{
	struct vm_area_struct *vma = map_vma(test);
	struct folio *folio = store_touch(store_of(test), 5, false);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	EXPECT_FAULT(test, call_mkwrite(vma, folio), VM_FAULT_LOCKED);
	KUNIT_EXPECT_TRUE(test, store_is_dirty(store_of(test), 5));
	expect_locked(test, folio, true);
}

/* The page was discarded while ->page_mkwrite waited for its lock. */
static void mkwrite_has_the_core_look_again(struct kunit *test)
{
	struct vm_area_struct *vma = map_vma(test);
	struct vma_test *vt = test->priv;
	struct folio *pinned;

	KUNIT_ASSERT_FALSE(test, IS_ERR(store_touch(store_of(test), 5, false)));
	pinned = mmapdemo_store_get(store_of(test), 5);
	KUNIT_ASSERT_NOT_NULL(test, pinned);
	mmapdemo_store_discard(store_of(test), 5, 6);
	EXPECT_FAULT(test, call_mkwrite(vma, pinned), VM_FAULT_NOPAGE);
	expect_locked(test, pinned, false);
	KUNIT_EXPECT_FALSE(test, folio_test_dirty(pinned));
	KUNIT_EXPECT_EQ(test, vt->dev.store.nr_dirty, 0);
	folio_put(pinned);
}

/* The page was poisoned after ->fault had looked at it. */
static void mkwrite_tells_of_a_poisoned_page(struct kunit *test)
{
#ifdef CONFIG_MEMORY_FAILURE
	struct vm_area_struct *vma = map_vma(test);
	struct folio *bad = store_touch(store_of(test), 5, false);

	KUNIT_ASSERT_FALSE(test, IS_ERR(bad));
	SetPageHWPoison(folio_page(bad, 0));
	EXPECT_FAULT(test, call_mkwrite(vma, bad), VM_FAULT_HWPOISON);
	ClearPageHWPoison(folio_page(bad, 0));
	expect_locked(test, bad, false);
	KUNIT_EXPECT_EQ(test, store_marks(store_of(test), 5), 0);
#else
	kunit_skip(test, "needs CONFIG_MEMORY_FAILURE");
#endif
}

static void mkwrite_ends_when_killed(struct kunit *test)
{
	struct vm_area_struct *vma = map_vma(test);
	struct folio *folio = store_touch(store_of(test), 5, false);
	vm_fault_t ret;

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	folio_lock(folio);
	set_killed(true);
	ret = call_mkwrite(vma, folio);
	set_killed(false);
	folio_unlock(folio);
	EXPECT_FAULT(test, ret, VM_FAULT_SIGBUS);
	KUNIT_EXPECT_EQ(test, store_marks(store_of(test), 5), 0);
}

static unsigned long faults_counted(struct kunit *test)
{
	return counted(test->priv, STAT_FAULT_READ) +
	       counted(test->priv, STAT_FAULT_WRITE) +
	       counted(test->priv, STAT_FAULT_COW);
}

/* FOLL_NOWAIT: io_uring and KVM would rather come again. */
static void fault_does_not_wait_if_told_so(struct kunit *test)
{
	const unsigned int nowait = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT;
	struct vm_area_struct *vma = map_vma(test);
	struct folio *folio = store_touch(store_of(test), 5, false);
	struct fault_result result;

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	folio_lock(folio);
	result = call_fault_with(test, vma, 5, nowait);
	folio_unlock(folio);
	EXPECT_FAULT(test, result.ret, VM_FAULT_RETRY);
	KUNIT_EXPECT_FALSE(test, result.dropped);
	KUNIT_EXPECT_PTR_EQ(test, result.page, NULL);

	down_write(&vma->vm_file->f_mapping->invalidate_lock);
	result = call_fault_with(test, vma, 6, nowait);
	up_write(&vma->vm_file->f_mapping->invalidate_lock);
	EXPECT_FAULT(test, result.ret, VM_FAULT_RETRY);
	KUNIT_EXPECT_FALSE(test, result.dropped);
	KUNIT_EXPECT_TRUE(test, store_is_hole(store_of(test), 6));
	/* It will come again, and be counted then. */
	KUNIT_EXPECT_EQ(test, faults_counted(test), 0);
}

/* A page that somebody unlocks in a moment. */
struct unlocker {
	struct delayed_work work;
	struct folio *folio;
};

static void unlock_later(struct work_struct *work)
{
	struct unlocker *unlocker =
		container_of(work, struct unlocker, work.work);

	folio_unlock(unlocker->folio);
}

static struct fault_result fault_on_locked_page(struct kunit *test,
						struct vm_area_struct *vma,
						unsigned int flags)
{
	struct unlocker unlocker = {
		.folio = store_touch(store_of(test), 5, false),
	};
	struct fault_result result;

	INIT_DELAYED_WORK_ONSTACK(&unlocker.work, unlock_later);
	folio_lock(unlocker.folio);
	schedule_delayed_work(&unlocker.work, HZ / 10);
	result = call_fault_with(test, vma, 5, flags);
	/* If the handler has not waited, it is still locked: by us. */
	flush_delayed_work(&unlocker.work);
	destroy_delayed_work_on_stack(&unlocker.work);
	return result;
}

/* So that mmap(2) and munmap(2) of the process do not wait with it. */
static void fault_drops_the_lock_to_wait(struct kunit *test)
{
	struct vm_area_struct *vma = map_vma(test);
	struct fault_result result =
		fault_on_locked_page(test, vma, FAULT_FLAG_ALLOW_RETRY);

	EXPECT_FAULT(test, result.ret, VM_FAULT_RETRY);
	KUNIT_EXPECT_TRUE(test, result.dropped);
	KUNIT_EXPECT_PTR_EQ(test, result.page, NULL);
	KUNIT_EXPECT_EQ(test, faults_counted(test), 0);
}

/* The second time it keeps it: otherwise it might never end. */
static void fault_waits_the_second_time(struct kunit *test)
{
	const struct fault_param *param = test->param_value;
	struct vm_area_struct *vma = map_vma(test);
	struct fault_result result =
		fault_on_locked_page(test, vma, FAULT_FLAG_ALLOW_RETRY |
				     FAULT_FLAG_TRIED);

	EXPECT_FAULT(test, result.ret,
		     is_insert_read(param) ? VM_FAULT_NOPAGE : VM_FAULT_LOCKED);
	KUNIT_EXPECT_FALSE(test, result.dropped);
	KUNIT_EXPECT_EQ(test, faults_counted(test), 1);
}

/* The core sees the signal; what it is told does not matter any more. */
static void fault_ends_when_killed(struct kunit *test)
{
	struct vm_area_struct *vma = map_vma(test);
	struct folio *folio = store_touch(store_of(test), 5, false);
	struct fault_result first, second;

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	folio_lock(folio);
	set_killed(true);
	first = call_fault_with(test, vma, 5, FAULT_FLAG_ALLOW_RETRY);
	second = call_fault(test, vma, 5);
	set_killed(false);
	folio_unlock(folio);
	EXPECT_FAULT(test, first.ret, VM_FAULT_RETRY);
	EXPECT_FAULT(test, second.ret, VM_FAULT_SIGBUS);
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 1);
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE_PARAM(fault_gives_a_locked_page, fault_gen_params),
	KUNIT_CASE_PARAM(fault_is_sigbus_past_the_end, fault_gen_params),
	KUNIT_CASE_PARAM(fault_is_sigbus_at_the_cap, fault_gen_params),
	KUNIT_CASE_PARAM(fault_tells_of_a_poisoned_page, fault_gen_params),
	KUNIT_CASE_PARAM(mkwrite_gives_a_locked_dirty_page, fault_gen_params),
	KUNIT_CASE_PARAM(mkwrite_has_the_core_look_again, fault_gen_params),
	KUNIT_CASE_PARAM(mkwrite_tells_of_a_poisoned_page, fault_gen_params),
	KUNIT_CASE_PARAM(mkwrite_ends_when_killed, fault_gen_params),
	KUNIT_CASE_PARAM(fault_does_not_wait_if_told_so, fault_gen_params),
	KUNIT_CASE_PARAM(fault_drops_the_lock_to_wait, fault_gen_params),
	KUNIT_CASE_PARAM(fault_waits_the_second_time, fault_gen_params),
	KUNIT_CASE_PARAM(fault_ends_when_killed, fault_gen_params),
	{ }
};

static struct kunit_suite fault_suite = {
	.name = "mmapdemo_fault",
	.init = vma_test_init,
	.exit = vma_test_exit,
	.test_cases = fault_cases,
};

kunit_test_suite(fault_suite);
