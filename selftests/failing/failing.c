// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that whoever maps the device, or changes a mapping of it, survives the
 * failure of any one allocation on the way: the call succeeds or fails with
 * ENOMEM, an access is repeated and succeeds, nothing else changes, and the
 * device counts as many ends of VMAs as beginnings. Each test runs in both
 * fault modes. failing_calls.c has the calls on the file.
 *
 * The ids (C19, E18, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; a kernel with CONFIG_FAULT_INJECTION.
 */
#include "mmapdemo_test.h"
#include "failing_util.h"
#include "proc.h"
#include "race.h"

FAILING_FIXTURE(failing)

static long run_mmap(struct stage *s)
{
	s->p = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    s->fd, 0);
	s->nr_mapped = NR;
	if (s->p != MAP_FAILED)
		return 0;
	s->p = NULL;
	return -errno;
}

static const char *check_mmap(struct stage *s)
{
	return !s->ret && !shows_device(s, 0, NR) ? "shows something else" :
	       NULL;
}

/* The VMA, or a node of the tree that has it. */
TEST_F_TIMEOUT(failing, C19_mmap, RACE_TIMEOUT)
{
	struct tally tally = fail_each(_metadata, &self->stage, &(struct call){
		.run = run_mmap, .check = check_mmap,
	});

	EXPECT_LE(2, tally.denied);
}

/* Where the new mapping goes, and what of the device it shows: a hole. */
#define FIRST	4
#define NR_OVER	8

static long run_mmap_over(struct stage *s)
{
	return mmap(s->p + FIRST * page_size, NR_OVER * page_size, PROT_READ,
		    MAP_SHARED | MAP_FIXED, s->fd, NR_STORED * page_size) ==
	       MAP_FAILED ? -errno : 0;
}

static const char *check_mmap_over(struct stage *s)
{
	size_t last = FIRST + NR_OVER;

	if (!shows_device(s, 0, FIRST) || !shows_device(s, last, NR - last))
		return "what is next to it has changed";
	if (!s->ret)
		return nonzero(s->p + FIRST * page_size, NR_OVER * page_size) <
		       0 ? NULL : "shows something else";
	if (touch(s->p + FIRST * page_size, -1).sig)
		return is_gone(s, FIRST, NR_OVER) ? NULL : "is half gone";
	s->seen++;
	return shows_device(s, FIRST, NR_OVER) ? NULL : "is half new";
}

/*
 * With no memory for the split, all is as before. The mapping itself comes
 * after the old one has gone, and what then fails leaves a hole
 * (mm/mmap.c, __mmap_region(), vms_abort_munmap_vmas()).
 */
TEST_F_TIMEOUT(failing, C13_mmap_over_the_middle, RACE_TIMEOUT)
{
	struct tally tally = fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_touched, .run = run_mmap_over,
		.check = check_mmap_over,
	});

	EXPECT_LT(0, self->stage.seen);
	EXPECT_LT(self->stage.seen, tally.denied);
}

static void prepare_private(struct stage *s)
{
	stage_map(s, MAP_PRIVATE, NR);
}

static long run_read(struct stage *s)
{
	return touch(s->p, -1).sig;
}

static long run_write(struct stage *s)
{
	return touch(s->p + HOLE * page_size, 'w').sig;
}

/* No signal, ever: the access is repeated, and there is memory then. */
static const char *check_read(struct stage *s)
{
	if (s->ret)
		return "a signal";
	return shows_device(s, 0, 1) ? NULL : "reads something else";
}

static const char *check_shared_write(struct stage *s)
{
	s->model[HOLE * page_size] = 'w';
	if (s->ret)
		return "a signal";
	if (pool_read("stored") != NR_STORED + 1 || pool_read("dirty") != 1)
		return "one more page, and it dirty, is what there should be";
	return shows_device(s, HOLE, 1) ? NULL : "reads something else";
}

static const char *check_private_write(struct stage *s)
{
	if (s->ret)
		return "a signal";
	if (s->p[HOLE * page_size] != 'w')
		return "the copy does not have it";
	return pool_read("dirty") ? "a private write makes a page dirty" : NULL;
}

TEST_F_TIMEOUT(failing, E18_first_read, RACE_TIMEOUT)
{
	EXPECT_LE(TABLES, fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_shared, .run = run_read,
		.check = check_read,
	}).points);
}

/* The same, the device's page, and its slot. */
TEST_F_TIMEOUT(failing, E18_first_shared_write, RACE_TIMEOUT)
{
	EXPECT_LE(TABLES + 2, fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_shared, .run = run_write,
		.check = check_shared_write, .drain = true,
	}).points);
}

/* The same, the copy, and what it takes to find the copy again. */
TEST_F_TIMEOUT(failing, G05_first_private_write, RACE_TIMEOUT)
{
	EXPECT_LE(TABLES + 5, fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_private, .run = run_write,
		.check = check_private_write, .drain = true,
	}).points);
}

static void prepare_read_hole(struct stage *s)
{
	prepare_shared(s);
	read_pages(s->p + HOLE * page_size, 1);
}

static void prepare_private_read(struct stage *s)
{
	prepare_private(s);
	read_pages(s->p + HOLE * page_size, 1);
}

/* ->page_mkwrite has no need of memory, nor has the core around it. */
TEST_F_TIMEOUT(failing, first_write_after_a_read, RACE_TIMEOUT)
{
	EXPECT_EQ(0, fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_read_hole, .run = run_write,
		.check = check_shared_write,
	}).denied);
}

TEST_F_TIMEOUT(failing, G05_copy_after_a_read, RACE_TIMEOUT)
{
	EXPECT_LE(3, fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_private_read, .run = run_write,
		.check = check_private_write,
	}).points);
}

static void prepare_shared_count(struct stage *s)
{
	prepare_shared(s);
	s->count = faults_seen();
}

static void prepare_private_count(struct stage *s)
{
	prepare_private(s);
	s->count = faults_seen();
}

static long populate(struct stage *s, size_t page, size_t nr, int advice)
{
	return madvise(s->p + page * page_size, nr * page_size, advice) ?
	       -errno : 0;
}

static long run_populate_stored(struct stage *s)
{
	return populate(s, 0, 1, MADV_POPULATE_READ);
}

static const char *check_populate_stored(struct stage *s)
{
	/* Of those that failed: the device was asked, or it was not. */
	if (s->ret && (faults_seen() > s->count) == s->insert)
		s->seen++;
	if (s->ret && is_mapped(s->p))
		return "fails, and has mapped it";
	if (!s->ret && !is_mapped(s->p))
		return "succeeds, and has not mapped it";
	return shows_device(s, 0, 1) ? NULL : "reads something else";
}

/*
 * A populating system call does not repeat the access that VM_FAULT_OOM ends,
 * but tells. With the page in the store, it is memory for page tables that was
 * missing: before the device is asked, or where fault_mode=insert puts
 * the page in.
 */
TEST_F_TIMEOUT(failing, E18_L04_no_page_table, RACE_TIMEOUT)
{
	struct tally tally = fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_shared_count, .run = run_populate_stored,
		.check = check_populate_stored,
	});

	EXPECT_LE(1, self->stage.seen);
	EXPECT_LE(TABLES, tally.denied);
}

#define NR_HOLE	4

static long run_populate_read(struct stage *s)
{
	return populate(s, HOLE - NR_HOLE, NR_HOLE, MADV_POPULATE_READ);
}

static long run_populate_write(struct stage *s)
{
	return populate(s, HOLE - NR_HOLE, NR_HOLE, MADV_POPULATE_WRITE);
}

/* What came before the failure is there, and stays. */
static const char *check_populate(struct stage *s)
{
	long mapped = count_mapped(s->p + (HOLE - NR_HOLE) * page_size,
				   NR_HOLE);
	long made = pool_read("stored") - NR_STORED;

	/* A page may have been made, and not been mapped. */
	if (s->ret ? mapped == NR_HOLE : mapped != NR_HOLE)
		return "not as many pages as it says are mapped";
	if (made < mapped || made > mapped + 1)
		return "more pages than were mapped are stored";
	return shows_device(s, 0, NR) ? NULL : "reads something else";
}

TEST_F_TIMEOUT(failing, populate_read, RACE_TIMEOUT)
{
	fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_shared, .run = run_populate_read,
		.check = check_populate, .drain = true,
		.least = TABLES,
	});
}

static const char *check_populate_write(struct stage *s)
{
	if (!s->ret && pool_read("dirty") != NR_HOLE)
		return "not all are dirty";
	return check_populate(s);
}

TEST_F_TIMEOUT(failing, populate_write, RACE_TIMEOUT)
{
	fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_shared, .run = run_populate_write,
		.check = check_populate_write, .drain = true,
		.least = TABLES,
	});
}

static const char *check_populate_private(struct stage *s)
{
	long copies = smaps_kib(s->p, "Anonymous") * 1024 / page_size;

	if (s->ret && faults_seen() == s->count)
		s->seen++;
	if (s->ret ? copies == NR_HOLE : copies != NR_HOLE)
		return "not as many copies as it says were made";
	return check_populate(s);
}

/*
 * The copy, and the anon_vma that keeps track of copies, come before the
 * device's page (mm/memory.c, do_cow_fault()).
 */
TEST_F_TIMEOUT(failing, G05_populate_private, RACE_TIMEOUT)
{
	struct tally tally = fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_private_count, .run = run_populate_write,
		.check = check_populate_private, .drain = true,
	});

	EXPECT_LE(TABLES + 3, tally.denied);
	EXPECT_LE(3, self->stage.seen);
}

TEST_HARNESS_MAIN
