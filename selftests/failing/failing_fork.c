// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that fork(2) of a process that maps the device survives the failure of
 * any one of its allocations: it succeeds, and the child has what the parent
 * has, or it fails with ENOMEM, and the VMAs of the half-made child are closed.
 * It runs in both fault modes, and is a program of its own for the time that it
 * takes: fork allocates for each VMA of the process.
 *
 * The ids (S05, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; a kernel with CONFIG_FAULT_INJECTION.
 */
#include "mmapdemo_test.h"
#include "failing_util.h"
#include "race.h"

FAILING_FIXTURE(failing_fork)

/* A private mapping as well, with copies of some of its pages. */
static char *copies;

static void prepare_fork(struct stage *s)
{
	prepare_touched(s);
	copies = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE, s->fd, 0);
	if (copies == MAP_FAILED)
		abort();
	write_pages(copies, 2, 'c');
	read_pages(copies + 2 * page_size, 2);
	s->count = stat_read("vma_open");
}

static void undo_fork(struct stage *s)
{
	(void)s;
	munmap(copies, NR * page_size);
}

static long run_fork(struct stage *s)
{
	pid_t pid = fork();

	if (pid)
		return pid < 0 ? -errno : pid;
	_exit(shows_device(s, 0, NR) && copies[0] == 'c' &&
	      copies[page_size] == 'c' && copies[1] == s->model[1] &&
	      !memcmp(copies + 2 * page_size, s->model + 2 * page_size,
		      (NR - 2) * page_size) ? 0 : 1);
}

static const char *check_fork(struct stage *s)
{
	int status;

	if (s->ret < 0 && stat_read("vma_open") > s->count)
		s->seen++;
	if (s->ret > 0 && (waitpid(s->ret, &status, 0) != s->ret || status))
		return "the child does not have it all";
	if (copies[0] != 'c' || copies[page_size] != 'c')
		return "the parent's copies have changed";
	return shows_device(s, 0, NR) ? NULL : "shows something else";
}

/* The child's VMAs that were there already when it failed are closed. */
TEST_F_TIMEOUT(failing_fork, S05_fork, RACE_TIMEOUT)
{
	struct tally tally = fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_fork, .run = run_fork, .check = check_fork,
		.undo = undo_fork,
	});

	EXPECT_LT(0, self->stage.seen);
	EXPECT_LT(self->stage.seen, tally.denied);
}

TEST_HARNESS_MAIN
