// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a mapping survives the failure of any one allocation by a call
 * that changes or walks it: the call succeeds or fails as its man page
 * says, the mapping shows what it showed, and the device counts as many ends of
 * VMAs as beginnings. Each test runs in both fault modes.
 *
 * The ids (D13, T05, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; a kernel with CONFIG_FAULT_INJECTION.
 */
#include "mmapdemo_test.h"
#include "failing_util.h"
#include "proc.h"
#include "race.h"

FAILING_FIXTURE(failing_vma)

/* The part in the middle that a call is about. */
#define FIRST	4
#define LAST	12

static char *middle(const struct stage *s)
{
	return s->p + FIRST * page_size;
}

#define MIDDLE	((LAST - FIRST) * page_size)

static const char *check_shown(struct stage *s)
{
	return shows_device(s, 0, NR) ? NULL : "shows something else";
}

static long run_munmap(struct stage *s)
{
	return munmap(middle(s), MIDDLE) ? -errno : 0;
}

static const char *check_munmap(struct stage *s)
{
	if (s->ret)
		return check_shown(s);
	if (!shows_device(s, 0, FIRST) || !shows_device(s, LAST, NR - LAST))
		return "what is next to it has changed";
	return is_gone(s, FIRST, LAST - FIRST) ? NULL : "is not gone";
}

/*
 * D13, T05: of two splits the first may stay; the VMA that could not be split
 * off is one that the device has not heard of, or has heard the end of.
 */
TEST_F_TIMEOUT(failing_vma, D13_T05_munmap_of_the_middle, RACE_TIMEOUT)
{
	fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_touched, .run = run_munmap,
		.check = check_munmap,
		.least = 4,
	});
}

static long run_mprotect(struct stage *s)
{
	return mprotect(middle(s), MIDDLE, PROT_READ) ? -errno : 0;
}

static const char *check_mprotect(struct stage *s)
{
	struct trap trap = touch(middle(s) + page_size,
				 middle(s)[page_size]);

	if (trap.sig != (s->ret ? 0 : SIGSEGV))
		return "can be written, or cannot, but should not";
	return check_shown(s);
}

TEST_F_TIMEOUT(failing_vma, D13_mprotect_of_the_middle, RACE_TIMEOUT)
{
	fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_touched, .run = run_mprotect,
		.check = check_mprotect,
		.least = 4,
	});
}

static long run_madvise(struct stage *s)
{
	return madvise(middle(s), MIDDLE, MADV_RANDOM) ? -errno : 0;
}

static const char *check_madvise(struct stage *s)
{
	if (s->ret == -ENOMEM)
		return "fails with ENOMEM";
	if (vma_has_flag(middle(s), "rr") == !!s->ret)
		return "the advice is not taken, or is although it failed";
	return check_shown(s);
}

/* D07: it is EAGAIN here, not to be taken for a hole in the range. */
TEST_F_TIMEOUT(failing_vma, D07_Q02_madvise_to_the_middle, RACE_TIMEOUT)
{
	fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_touched, .run = run_madvise,
		.check = check_madvise, .also = EAGAIN,
		.least = 4,
	});
}

/* No page table serves both this and the old one. */
#define NEW_PLACE	far_away(5)

static long run_mremap(struct stage *s)
{
	char *p = mremap(s->p, NR * page_size, 2 * NR * page_size,
			 MREMAP_MAYMOVE | MREMAP_FIXED, NEW_PLACE);

	return p == MAP_FAILED ? -errno : 0;
}

static const char *check_mremap(struct stage *s)
{
	char *old = s->p;
	long mapped;

	if (!s->ret) {
		s->p = NEW_PLACE;
		s->nr_mapped = 2 * NR;
	}
	mapped = count_mapped(s->p, NR_STORED);
	/* Nobody comes back for a page table entry of a private copy. */
	if (mapped != NR_STORED)
		return "page table entries are lost";
	if (count_vmas(s->ret ? NEW_PLACE : old, NR))
		return "is in both places";
	if (pool_read("dirty") != 4)
		return "the dirty log has changed";
	return check_shown(s);
}

static void undo_mremap(struct stage *s)
{
	munmap(NEW_PLACE, 2 * NR * page_size);
	if (s->p == NEW_PLACE)
		s->p = NULL;
}

/*
 * O13: what cannot be moved wholly is moved back; and a VMA that was opened
 * at its new place, and then found no place in the tree, is closed
 * (mm/vma.c, copy_vma()).
 */
TEST_F_TIMEOUT(failing_vma, D13_O13_mremap, RACE_TIMEOUT)
{
	fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_touched, .run = run_mremap,
		.check = check_mremap, .undo = undo_mremap,
		.least = TABLES + 2,
	});
}

static long run_msync(struct stage *s)
{
	return msync(s->p, NR * page_size, MS_SYNC) ? -errno : 0;
}

static const char *check_msync(struct stage *s)
{
	if (s->ret || pool_read("unsynced"))
		return "not all is clean";
	return check_shown(s);
}

/* Nothing to allocate: a sync that could fail for it would be a poor one. */
TEST_F_TIMEOUT(failing_vma, msync, RACE_TIMEOUT)
{
	EXPECT_EQ(0, fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_touched, .run = run_msync,
		.check = check_msync,
	}).denied);
}

TEST_HARNESS_MAIN
