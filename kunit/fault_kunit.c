// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handlers of a mapping, called directly: what each returns to the core,
 * and in which state it leaves the page. This reaches states that the core
 * would reach only by a race.
 */
#include <kunit/test.h>
#include <linux/sched/mm.h>

#include "fault_helpers.h"

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

#ifdef CONFIG_MEMORY_FAILURE
static const struct vm_operations_struct *real_ops;

static vm_fault_t fault_and_poison(struct vm_fault *vmf)
{
	vm_fault_t ret = real_ops->fault(vmf);

	if (vmf->page)
		SetPageHWPoison(vmf->page);
	return ret;
}

/* Accesses slot 5 of a hole, whose page is poisoned as soon as it is there. */
static int access_and_poison(struct kunit *test)
{
	const struct fault_param *param = test->param_value;
	struct vm_area_struct *vma = map_vma(test);
	const struct vm_operations_struct ops = {
		.fault		= fault_and_poison,
		.map_pages	= vma->vm_ops->map_pages,
		.page_mkwrite	= vma->vm_ops->page_mkwrite,
	};
	int ret;

	real_ops = vma->vm_ops;
	vma->vm_ops = &ops;
	ret = param->fault_flags ? poke(vma->vm_start, 5, 1) :
				   peek(vma->vm_start, 5);
	vma->vm_ops = real_ops;
	return ret;
}
#endif

/*
 * The core looks for poison once more after ->fault, takes the page for one of
 * the page cache, and would drop it from the store with no word to its owner.
 */
static void fault_poisoned_afterwards_stays_in_the_store(struct kunit *test)
{
#ifdef CONFIG_MEMORY_FAILURE
	const struct fault_param *param = test->param_value;
	struct folio *bad;

	need_mmap(test);
	/* That one maps its page itself. */
	if (is_insert_read(param))
		return;
	KUNIT_EXPECT_EQ(test, access_and_poison(test), -EFAULT);
	KUNIT_EXPECT_EQ(test, store_count(store_of(test)), 1);
	bad = mmapdemo_store_get(store_of(test), 5);
	KUNIT_ASSERT_NOT_NULL(test, bad);
	KUNIT_EXPECT_TRUE(test, folio_test_hwpoison(bad));
	KUNIT_EXPECT_FALSE(test, folio_test_locked(bad));
	KUNIT_EXPECT_FALSE(test, folio_mapped(bad));
	KUNIT_EXPECT_EQ(test, folio_ref_count(bad), 2);
	ClearPageHWPoison(folio_page(bad, 0));
	folio_put(bad);
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

static struct kunit_case fault_cases[] = {
	KUNIT_CASE_PARAM(fault_gives_a_locked_page, fault_gen_params),
	KUNIT_CASE_PARAM(fault_is_sigbus_past_the_end, fault_gen_params),
	KUNIT_CASE_PARAM(fault_is_sigbus_at_the_cap, fault_gen_params),
	KUNIT_CASE_PARAM(fault_tells_of_a_poisoned_page, fault_gen_params),
	KUNIT_CASE_PARAM(fault_poisoned_afterwards_stays_in_the_store, fault_gen_params),
	KUNIT_CASE_PARAM(mkwrite_gives_a_locked_dirty_page, fault_gen_params),
	KUNIT_CASE_PARAM(mkwrite_has_the_core_look_again, fault_gen_params),
	KUNIT_CASE_PARAM(mkwrite_tells_of_a_poisoned_page, fault_gen_params),
	KUNIT_CASE_PARAM(mkwrite_ends_when_killed, fault_gen_params),
	{ }
};

static struct kunit_suite fault_suite = {
	.name = "mmapdemo_fault",
	.init = vma_test_init,
	.exit = vma_test_exit,
	.test_cases = fault_cases,
};

kunit_test_suite(fault_suite);
