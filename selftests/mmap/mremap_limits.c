// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves where mremap(2) meets what a process may not have more of (locked
 * pages, addresses, memory, VMAs) or has sealed: the refusal's errno, and that
 * the mapping is what it was. Each test runs in both fault modes; where the
 * contract differs for fault_mode=insert, the test says how.
 *
 * The ids (O12, O17, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h. Changes vm.max_map_count and, where it is 1 or 2,
 * vm.overcommit_memory for the length of a call.
 */
#include "mmapdemo_test.h"
#include "resource_limits.h"
#include "proc.h"
#include "syscalls.h"

#include <sys/resource.h>

#define NR	8
#define LEN	(NR * page_size)
#define FIXED	(MREMAP_MAYMOVE | MREMAP_FIXED)
#define RW	(PROT_READ | PROT_WRITE)
#define NOBODY	65534

FIXTURE(mremap_limits) {
	struct device dev;
	int fd;
	/*
	 * The device's first NR pages, as made; with no room behind them, as in
	 * either mode only a move lets them grow (mapping.grow_by_move).
	 */
	char *p;
};

FAULT_MODES(mremap_limits);

FIXTURE_SETUP(mremap_limits)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	self->p = reserve(_metadata, NR + 1);
	ASSERT_EQ(self->p, mmap(self->p, LEN, RW, MAP_SHARED | MAP_FIXED,
				self->fd, 0));
}

FIXTURE_TEARDOWN(mremap_limits)
{
	device_teardown(_metadata, &self->dev);
}

/* What a child is to grow, and what came of it. */
struct growth {
	int fd;
	char *p;
	size_t nr;		/* pages that it grows to */
	int error, other;	/* errnos: of growing it; of something else */
	bool kept;		/* whether the refused one is as it was */
};

static int grow(char *p, size_t nr)
{
	return error_of((long)mremap(p, LEN, nr * page_size, MREMAP_MAYMOVE));
}

/* Without the capability to lock what it likes; the limit is what it has. */
static int child_grows_locked(void *arg)
{
	struct rlimit limit = { LEN, LEN };
	struct growth *g = arg;

	if (mlock(g->p, LEN) || setrlimit(RLIMIT_MEMLOCK, &limit) ||
	    seteuid(NOBODY))
		return 1;
	g->error = grow(g->p, NR + 1);
	g->kept = g->error && bad_page(g->p, 0, NR, 0) < 0;
	/* A move locks no more than there was. */
	g->other = error_of((long)mremap(g->p, LEN, LEN,
					 MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
					 NULL));
	return 0;
}

/*
 * O12: locked pages count where they will be. Special mappings are not locked
 * for all that mlock says (R03), and so they grow.
 */
TEST_F(mremap_limits, O12_locked_pages)
{
	struct growth *g = results_alloc(sizeof(*g));

	g->p = self->p;
	EXPECT_EQ(0, in_child(child_grows_locked, g));
	EXPECT_EQ(variant->insert ? 0 : EAGAIN, g->error);
	EXPECT_EQ(!variant->insert, g->kept);
	EXPECT_EQ(variant->insert ? EFAULT : 0, g->other);
}

static int child_grows_beyond_limit(void *arg)
{
	struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit limit = { page_size, RLIM_INFINITY };
	struct growth *g = arg;

	/* Below what it has: neither its heap nor its stack may grow, either. */
	if (setrlimit(RLIMIT_AS, &limit))
		return 1;
	g->error = grow(g->p, NR + 1);
	g->other = error_of((long)mremap(g->p, LEN, LEN - page_size, 0));
	if (setrlimit(RLIMIT_AS, &none))
		return 1;
	g->kept = bad_page(g->p, 0, NR - 1, 0) < 0;
	return 0;
}

/* O12: no growing beyond the limit; shrinking, always. */
TEST_F(mremap_limits, O12_address_space)
{
	struct growth *g = results_alloc(sizeof(*g));

	g->p = self->p;
	EXPECT_EQ(0, in_child(child_grows_beyond_limit, g));
	EXPECT_EQ(ENOMEM, g->error);
	EXPECT_TRUE(g->kept);
	EXPECT_EQ(0, g->other);
}

static int grow_private_and_shared(void *arg)
{
	struct growth *g = arg;
	char *p = mmap(NULL, LEN, RW, MAP_PRIVATE, g->fd, 0);

	g->error = grow(p, g->nr);
	g->kept = bad_page(p, 0, NR, 0) < 0 && can_write(p, 1);
	g->other = grow(g->p, g->nr);
	return 0;
}

static int child_commits(void *arg)
{
	return with_overcommit_guess(grow_private_and_shared, arg);
}

/* O12: private pages may all come to be; shared ones are the device's. */
TEST_F(mremap_limits, O12_commit)
{
	struct growth *g = results_alloc(sizeof(*g));
	char old[16] = "0";

	g->fd = self->fd;
	g->p = self->p;
	g->nr = pages_beyond_memory();
	read_file(OVERCOMMIT, old, sizeof(old));
	EXPECT_EQ(0, in_child(child_commits, g));
	write_file(OVERCOMMIT, old);
	EXPECT_EQ(ENOMEM, g->error);
	EXPECT_TRUE(g->kept);
	EXPECT_EQ(0, g->other);
}

/* Room for VMAs, below which mremap refuses; more than there is: never. */
struct room {
	int fixed, moved, in_place;
};

struct moves {
	int fd;
	char *to;		/* an address for NR pages */
	struct room least;	/* with which each went well */
	bool kept;		/* whether the refused ones are as they were */
};

static char *moving, *moving_to;

static int move_fixed(void *arg)
{
	(void)arg;
	return error_of(syscall(SYS_mremap, moving, LEN, LEN, FIXED,
				moving_to));
}

static int move_anywhere(void *arg)
{
	(void)arg;
	/* A second mapping always is elsewhere. */
	return error_of((long)mremap(moving, 0, LEN, MREMAP_MAYMOVE));
}

static int stay(void *arg)
{
	(void)arg;
	return error_of((long)mremap(moving, LEN, LEN, 0));
}

/* Return: the least room with which @call goes well; -1: another errno. */
static int least_room(int (*call)(void *), bool *kept)
{
	int room, error = ENOMEM;

	for (room = 0; error && room < 10; room++) {
		error = at_map_limit(room, call, NULL);
		if (error && error != ENOMEM)
			return -1;
		*kept &= !error || (count_vmas(moving, NR) == 1 &&
				    bad_page(moving, 0, NR, 0) < 0);
	}
	return room - 1;
}

static int child_moves_at_limit(void *arg)
{
	struct moves *m = arg;

	if (!make_many_maps())
		return 1;
	m->kept = true;
	moving_to = m->to;
	m->least.in_place = least_room(stay, &m->kept);
	m->least.moved = least_room(move_anywhere, &m->kept);
	m->least.fixed = least_room(move_fixed, &m->kept);
	return 0;
}

/*
 * O17: a move makes a VMA, and splits one, before it removes any; the limit is
 * asked for all that this can take at worst. 7.3 asks for four more of every
 * mremap, if it moves or not (check_map_count_against_split_early()).
 */
TEST_F(mremap_limits, O17_map_limit)
{
	struct moves *m = results_alloc(sizeof(*m));

	m->to = reserve(_metadata, NR);
	moving = self->p;
	EXPECT_EQ(0, in_child_with_map_limit(child_moves_at_limit, m));
	EXPECT_EQ(kernel_before(7, 3) ? 0 : 4, m->least.in_place);
	EXPECT_EQ(4, m->least.moved);
	EXPECT_EQ(kernel_before(7, 3) ? 6 : 4, m->least.fixed);
	EXPECT_TRUE(m->kept);
}

#define NR_ATTEMPTS	6

struct sealed {
	int fd;
	char *p, *q, *free;	/* to seal; to move there; nothing is there */
	int set;
	int error[NR_ATTEMPTS];
	bool kept;
};

static int child_remaps_sealed(void *arg)
{
	struct sealed *s = arg;
	int *error = s->error;

	s->set = seal(s->p, LEN, 0);
	if (s->set)
		return 0;
	*error++ = error_of((long)mremap(s->p, LEN, LEN, 0));
	*error++ = error_of((long)mremap(s->p, LEN, LEN - page_size, 0));
	*error++ = error_of((long)mremap(s->p, LEN, 2 * LEN, MREMAP_MAYMOVE));
	*error++ = error_of((long)mremap(s->p, LEN, LEN, FIXED, s->free));
	*error++ = error_of((long)mremap(s->p, 0, LEN, MREMAP_MAYMOVE));
	*error++ = error_of((long)mremap(s->q, LEN, LEN, FIXED, s->p));
	s->kept = count_vmas(s->p, NR) == 1 && bad_page(s->p, 0, NR, 0) < 0 &&
		  count_vmas(s->q, NR) == 1 && can_write(s->q, 1);
	return 0;
}

/* O20: neither from nor to where a seal is, nor a second one. */
TEST_F(mremap_limits, O20_sealed)
{
	struct sealed *s = results_alloc(sizeof(*s));
	int i;

	s->p = self->p;
	s->q = map_shared(_metadata, self->fd, NR, NR);
	s->free = reserve(_metadata, NR);
	EXPECT_EQ(0, in_child(child_remaps_sealed, s));
	EXPECT_EQ(no_seal(), s->set);
	if (s->set)
		return;
	for (i = 0; i < NR_ATTEMPTS; i++) {
		EXPECT_EQ(EPERM, s->error[i])
			TH_LOG("attempt %d", i);
	}
	EXPECT_TRUE(s->kept);
}

TEST_HARNESS_MAIN
