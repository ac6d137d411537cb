// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves where mprotect(2) meets what a process has been forbidden, or may
 * not have more of: executable memory, seals, data, memory in all, VMAs. The
 * refusal's errno, and what it leaves behind. Each test runs in both fault
 * modes.
 *
 * The ids (N05, N08, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h. Changes vm.max_map_count and, where it is 1 or 2,
 * vm.overcommit_memory for the length of a call.
 */
#include "mmapdemo_test.h"
#include "resource_limits.h"
#include "proc.h"
#include "syscalls.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE	65
#endif
#define REFUSE_EXEC_GAIN	1

#define NR	8
#define RW	(PROT_READ | PROT_WRITE)
#define RX	(PROT_READ | PROT_EXEC)

DEVICE_FIXTURE(mprotect_limits)

struct refusal {
	int fd;
	int set;		/* errno of what brings the refusal about */
	int denied, allowed, noop;	/* errnos of mprotect */
	bool before, middle, after;	/* which parts got writable */
};

static int child_gains_exec(void *arg)
{
	struct refusal *r = arg;
	char *p = mmap(NULL, NR * page_size, PROT_READ, MAP_SHARED, r->fd, 0);
	char *x = mmap(NULL, NR * page_size, RX, MAP_SHARED, r->fd, 0);

	r->set = error_of(prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0));
	r->denied = error_of(mprotect(p, page_size, RX));
	r->allowed = error_of(mprotect(p, page_size, RW));
	r->noop = error_of(mprotect(x, page_size, PROT_EXEC));
	return 0;
}

/* N05: with MDWE, what is not executable stays so. 6.1 has no MDWE. */
TEST_F(mprotect_limits, N05_refuse_exec_gain)
{
	struct refusal *r = results_alloc(sizeof(*r));
	bool none = kernel_before(6, 3);

	r->fd = open_on_mount(0);
	ASSERT_LE(0, r->fd);
	EXPECT_EQ(0, in_child(child_gains_exec, r));
	EXPECT_EQ(none ? EINVAL : 0, r->set);
	EXPECT_EQ(none ? 0 : EACCES, r->denied);
	EXPECT_EQ(0, r->allowed);
	EXPECT_EQ(0, r->noop);
	close(r->fd);
}

static int child_seals_the_middle(void *arg)
{
	struct refusal *r = arg;
	char *p = mmap(NULL, 3 * page_size, PROT_READ, MAP_SHARED, r->fd, 0);

	r->set = seal(p + page_size, page_size, 0);
	r->denied = error_of(mprotect(p, 3 * page_size, RW));
	r->before = can_write(p, 1);
	r->after = can_write(p + 2 * page_size, 1);
	r->noop = error_of(mprotect(p + page_size, page_size, PROT_READ));
	r->allowed = error_of(mprotect(p + 2 * page_size, page_size, RW));
	r->middle = can_write(p + page_size, 1);
	return 0;
}

/*
 * N06: not even to what it is already. The seal is found on the way
 * (mprotect_fixup()): what comes before it has changed.
 */
TEST_F(mprotect_limits, N06_sealed)
{
	struct refusal *r = results_alloc(sizeof(*r));
	int none = no_seal();

	r->fd = self->fd;
	EXPECT_EQ(0, in_child(child_seals_the_middle, r));
	EXPECT_EQ(none, r->set);
	EXPECT_EQ(none ? 0 : EPERM, r->denied);
	EXPECT_EQ(none ? 0 : EPERM, r->noop);
	EXPECT_EQ(0, r->allowed);
	EXPECT_TRUE(r->before);
	EXPECT_FALSE(r->middle);
	EXPECT_EQ(none != 0, r->after);
}

struct writable {
	int fd;
	size_t nr;
	int shared, private, noreserve;	/* errnos of making it so */
	bool changed;		/* a private one that was refused */
};

static int read_to_write(struct writable *w, int flags, bool *changed)
{
	char *p = mmap(NULL, w->nr * page_size, PROT_READ, flags, w->fd, 0);
	int error = error_of(mprotect(p, w->nr * page_size, RW));

	if (changed)
		*changed = can_write(p, 1);
	munmap(p, w->nr * page_size);
	return error;
}

static int make_writable(void *arg)
{
	struct writable *w = arg;

	w->shared = read_to_write(w, MAP_SHARED, NULL);
	w->private = read_to_write(w, MAP_PRIVATE, &w->changed);
	w->noreserve = read_to_write(w, MAP_PRIVATE | MAP_NORESERVE, NULL);
	return 0;
}

static int child_has_data_limit(void *arg)
{
	/* Not 0, which the kernel excuses (may_expand_vm()). */
	struct rlimit limit = { page_size, page_size };

	if (setrlimit(RLIMIT_DATA, &limit))
		return 1;
	return make_writable(arg);
}

/* N08: made writable, a private mapping is data, and shared ones are not. */
TEST_F(mprotect_limits, N08_data_limit)
{
	struct writable *w = results_alloc(sizeof(*w));

	w->fd = self->fd;
	w->nr = NR;
	EXPECT_EQ(0, in_child(child_has_data_limit, w));
	EXPECT_EQ(ENOMEM, w->private);
	EXPECT_FALSE(w->changed);
	EXPECT_EQ(0, w->shared);
	/* Not accounted, but data all the same. */
	EXPECT_EQ(ENOMEM, w->noreserve);
}

static int child_commits(void *arg)
{
	return with_overcommit_guess(make_writable, arg);
}

/* N08: made writable, a private mapping may come to need all its memory. */
TEST_F(mprotect_limits, N08_commit)
{
	struct writable *w = results_alloc(sizeof(*w));
	char old[16] = "0";

	w->fd = self->fd;
	w->nr = pages_beyond_memory();
	read_file(OVERCOMMIT, old, sizeof(old));
	EXPECT_EQ(0, in_child(child_commits, w));
	write_file(OVERCOMMIT, old);
	EXPECT_EQ(ENOMEM, w->private);
	EXPECT_FALSE(w->changed);
	EXPECT_EQ(0, w->shared);
	EXPECT_EQ(0, w->noreserve);
}

struct split {
	char *p;		/* to split, of NR pages */
	int error;		/* errno of doing so */
	int vmas;		/* afterwards */
	bool readonly;		/* whether it got so */
};

static int protect_middle(void *arg)
{
	char *p = arg;

	return error_of(mprotect(p + page_size, page_size, PROT_READ));
}

static int child_splits_at_limit(void *arg)
{
	struct split *s = arg;
	int room;

	if (!make_many_maps())
		return 1;
	for (room = 0; room < 3; room++, s++) {
		s->error = at_map_limit(room, protect_middle, s->p);
		s->vmas = count_vmas(s->p, NR);
		s->readonly = !can_write(s->p + page_size, 1);
	}
	return 0;
}

/*
 * N09: a VMA is split at either end of the range, which takes room for two
 * more. Where there is room for one, that split remains, and no harm is done.
 */
TEST_F(mprotect_limits, N09_split_at_map_limit)
{
	struct split *s = results_alloc(3 * sizeof(*s));
	int i;

	for (i = 0; i < 3; i++)
		s[i].p = map_shared(_metadata, self->fd, 0, NR);
	EXPECT_EQ(0, in_child_with_map_limit(child_splits_at_limit, s));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(i < 2 ? ENOMEM : 0, s[i].error);
		EXPECT_EQ(i + 1, s[i].vmas);
		EXPECT_EQ(i == 2, s[i].readonly);
	}
}

TEST_HARNESS_MAIN
