// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults that have to wait, for the lock of a page or for the invalidate_lock:
 * which do, and what becomes of mmap_lock meanwhile.
 */
#include <kunit/test.h>
#include <linux/workqueue.h>

#include "fault_helpers.h"
#include "holder.h"

/* What the core sets for get_user_pages with FOLL_NOWAIT: io_uring and KVM do. */
#define NOWAIT	(FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT)

static struct rw_semaphore *invalidate_lock(struct kunit *test)
{
	return &mmapdemo_store_mapping(store_of(test))->invalidate_lock;
}

static unsigned long faults_counted(struct kunit *test)
{
	return counted(test->priv, STAT_FAULT_READ) +
	       counted(test->priv, STAT_FAULT_WRITE) +
	       counted(test->priv, STAT_FAULT_COW) +
	       counted(test->priv, STAT_SIGBUS_SIZE) +
	       counted(test->priv, STAT_SIGBUS_CAP);
}

/* It comes again, and will be counted then. */
static void expect_retry(struct kunit *test, const struct fault_result *result,
			 bool dropped)
{
	EXPECT_FAULT(test, result->ret, VM_FAULT_RETRY);
	KUNIT_EXPECT_EQ(test, result->dropped, dropped);
	KUNIT_EXPECT_PTR_EQ(test, result->page, NULL);
	KUNIT_EXPECT_EQ(test, faults_counted(test), 0);
}

static void fault_does_not_wait_for_a_page(struct kunit *test)
{
	struct vm_area_struct *vma = map_vma(test);
	struct folio *folio = store_touch(store_of(test), 5, false);
	struct fault_result result;

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	folio_lock(folio);
	result = call_fault_with(test, vma, 5, NOWAIT);
	folio_unlock(folio);
	expect_retry(test, &result, false);
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 1);
}

static void fault_does_not_wait_for_a_discard(struct kunit *test)
{
	struct vm_area_struct *vma = map_vma(test);
	struct fault_result result;
	struct holder holder;

	holder_start(&holder, invalidate_lock(test), true);
	result = call_fault_with(test, vma, 5, NOWAIT);
	holder_end(&holder);
	expect_retry(test, &result, false);
	KUNIT_EXPECT_TRUE(test, store_is_hole(store_of(test), 5));
}

/* Another fault may be about to put a page back: no SIGBUS yet. */
static void fault_does_not_wait_at_the_cap(struct kunit *test)
{
	struct vm_area_struct *vma = map_vma(test);
	struct vma_test *vt = test->priv;
	struct fault_result result;
	struct holder holder;

	vt->dev.pool.cap = 0;
	holder_start(&holder, invalidate_lock(test), false);
	result = call_fault_with(test, vma, 5, NOWAIT);
	holder_end(&holder);
	expect_retry(test, &result, false);
}

/**
 * struct opener - who has what the fault needs, until the fault waits for it
 * @work: the thread
 * @folio: the page that is locked; or NULL
 * @holder: holds the invalidate_lock
 * @waited: whether the fault has waited
 */
struct opener {
	struct work_struct work;
	struct folio *folio;
	struct holder holder;
	bool waited;
};

static bool is_waited_for(struct opener *opener)
{
	return opener->folio ? folio_test_waiters(opener->folio) :
			       rwsem_is_contended(opener->holder.sem);
}

static void opener_work(struct work_struct *work)
{
	struct opener *opener = container_of(work, struct opener, work);
	int tries;

	for (tries = 0; tries < 150 && !opener->waited; tries++) {
		msleep(20);
		opener->waited = is_waited_for(opener);
	}
	if (opener->folio)
		folio_unlock(opener->folio);
	else
		complete(&opener->holder.release);
}

/*
 * Calls ->fault of slot 5 while @folio, its page, is locked, or, without one,
 * while a discard is at work; until it waits for that.
 */
static struct fault_result fault_that_waits(struct kunit *test, struct folio *folio,
					    unsigned int flags)
{
	struct vm_area_struct *vma = map_vma(test);
	struct opener opener = { .folio = folio };
	struct fault_result result;

	if (folio)
		folio_lock(folio);
	else
		holder_start(&opener.holder, invalidate_lock(test), true);
	INIT_WORK_ONSTACK(&opener.work, opener_work);
	schedule_work(&opener.work);
	result = call_fault_with(test, vma, 5, flags);
	flush_work(&opener.work);
	destroy_work_on_stack(&opener.work);
	if (!folio)
		holder_end(&opener.holder);
	KUNIT_EXPECT_TRUE(test, opener.waited);
	return result;
}

/* So that mmap(2) and munmap(2) of the process do not wait with it. */
static void fault_drops_the_lock_to_wait_for_a_page(struct kunit *test)
{
	struct folio *folio = store_touch(store_of(test), 5, false);
	struct fault_result result;

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	result = fault_that_waits(test, folio, FAULT_FLAG_ALLOW_RETRY);
	expect_retry(test, &result, true);
	KUNIT_EXPECT_FALSE(test, folio_test_locked(folio));
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 1);
}

/* What it waited for, it has made by then: the next try finds it. */
static void fault_drops_the_lock_to_wait_for_a_discard(struct kunit *test)
{
	struct fault_result result =
		fault_that_waits(test, NULL, FAULT_FLAG_ALLOW_RETRY);
	struct folio *folio;

	expect_retry(test, &result, true);
	folio = mmapdemo_store_get(store_of(test), 5);
	KUNIT_ASSERT_NOT_NULL(test, folio);
	KUNIT_EXPECT_FALSE(test, folio_test_locked(folio));
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 2);
	folio_put(folio);
}

static void expect_served(struct kunit *test, const struct fault_result *result)
{
	const struct fault_param *param = test->param_value;

	EXPECT_FAULT(test, result->ret,
		     is_insert_read(param) ? VM_FAULT_NOPAGE : VM_FAULT_LOCKED);
	KUNIT_EXPECT_FALSE(test, result->dropped);
	KUNIT_EXPECT_EQ(test, faults_counted(test), 1);
}

/* The second time it keeps the lock: otherwise it might never end. */
static void fault_waits_for_a_page_the_second_time(struct kunit *test)
{
	struct folio *folio = store_touch(store_of(test), 5, false);
	struct fault_result result;

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	result = fault_that_waits(test, folio,
				  FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_TRIED);
	expect_served(test, &result);
}

static void fault_waits_for_a_discard_the_second_time(struct kunit *test)
{
	struct fault_result result =
		fault_that_waits(test, NULL,
				 FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_TRIED);

	expect_served(test, &result);
}

/* Some callers cannot try again at all: get_user_pages without a pointer. */
static void fault_waits_if_it_may_not_retry(struct kunit *test)
{
	struct fault_result result = fault_that_waits(test, NULL, 0);

	expect_served(test, &result);
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
	KUNIT_EXPECT_TRUE(test, first.dropped);
	EXPECT_FAULT(test, second.ret, VM_FAULT_SIGBUS);
	KUNIT_EXPECT_FALSE(test, second.dropped);
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 1);
}

static struct kunit_case wait_cases[] = {
	KUNIT_CASE_PARAM(fault_does_not_wait_for_a_page, fault_gen_params),
	KUNIT_CASE_PARAM(fault_does_not_wait_for_a_discard, fault_gen_params),
	KUNIT_CASE_PARAM(fault_does_not_wait_at_the_cap, fault_gen_params),
	KUNIT_CASE_PARAM(fault_drops_the_lock_to_wait_for_a_page, fault_gen_params),
	KUNIT_CASE_PARAM(fault_drops_the_lock_to_wait_for_a_discard, fault_gen_params),
	KUNIT_CASE_PARAM(fault_waits_for_a_page_the_second_time, fault_gen_params),
	KUNIT_CASE_PARAM(fault_waits_for_a_discard_the_second_time, fault_gen_params),
	KUNIT_CASE_PARAM(fault_waits_if_it_may_not_retry, fault_gen_params),
	KUNIT_CASE_PARAM(fault_ends_when_killed, fault_gen_params),
	{ }
};

static struct kunit_suite wait_suite = {
	.name = "mmapdemo_wait",
	.init = vma_test_init,
	.exit = vma_test_exit,
	.test_cases = wait_cases,
};

kunit_test_suite(wait_suite);
