// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what the kernel faults in ahead of the program's first access
 * (MAP_POPULATE, mlockall): which pages, with which question to the device, and
 * where it stops. Each test runs in both fault modes.
 *
 * The ids (M08, M09) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "resource_limits.h"
#include "proc.h"
#include "syscalls.h"

#define NR	8

DEVICE_FIXTURE(prefault)

/*
 * M08: a shared mapping is read, though it may be written; a private one is
 * written, as it would have to be copied anyway; what may not be accessed is
 * left alone.
 */
TEST_F(prefault, M08_what_populate_asks_for)
{
	const int rw = PROT_READ | PROT_WRITE;
	const struct {
		int prot, type;
		long mapped, reads, cow;
	} c[] = {
		{ rw, MAP_SHARED, NR, NR, 0 },
		{ PROT_WRITE, MAP_SHARED, NR, NR, 0 },
		{ PROT_READ, MAP_SHARED, NR, NR, 0 },
		{ rw, MAP_PRIVATE, NR, 0, NR },
		{ PROT_READ, MAP_PRIVATE, NR, NR, 0 },
		{ PROT_NONE, MAP_SHARED, 0, 0, 0 },
		{ PROT_NONE, MAP_PRIVATE, 0, 0, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(c); i++) {
		long mkwrite = stat_read("mkwrite");
		long reads = stat_read("fault_read");
		long cow = stat_read("fault_cow");
		char *p = map(_metadata, self->fd, c[i].prot,
			      c[i].type | MAP_POPULATE, 0, NR);

		EXPECT_EQ(c[i].mapped, count_mapped(p, NR))
			TH_LOG("case %zu", i);
		EXPECT_EQ(reads + c[i].reads, stat_read("fault_read"))
			TH_LOG("case %zu", i);
		EXPECT_EQ(cow + c[i].cow, stat_read("fault_cow"))
			TH_LOG("case %zu", i);
		EXPECT_EQ(c[i].mapped, pool_read("stored"));
		EXPECT_EQ(c[i].cow * (long)page_size / 1024,
			  smaps_kib(p, "Anonymous"));
		EXPECT_EQ(mkwrite, stat_read("mkwrite"));
		EXPECT_EQ(0, pool_read("dirty"));
		munmap(p, NR * page_size);
		ASSERT_EQ(0, discard(self->fd, 0, NR));
	}
}

/* More than what one fault may map around itself: 2M is the most. */
#define FAR	(2 * 1024 * 1024 / page_size)

struct populated {
	char *stops, *next;	/* one VMA with a SIGBUS in it; one without */
	int error;
	long near, far, other;	/* how much got mapped */
};

static int child_locks_all(void *arg)
{
	struct populated *r = arg;

	r->error = error_of(mlockall(MCL_CURRENT));
	r->near = count_mapped(r->stops, 1);
	r->far = count_mapped(r->stops + FAR * page_size, NR);
	r->other = count_mapped(r->next, NR);
	return 0;
}

/*
 * M09: the first page that cannot be had, here as the pool is at its cap, ends
 * the VMA's population, though there are good pages behind it; the next VMA
 * gets its turn (__mm_populate()), and the caller hears of nothing.
 */
TEST_F(prefault, M09_stops_for_the_vma)
{
	struct populated *r = results_alloc(sizeof(*r));
	long cap = pool_read("cap"), sigbus = stat_read("sigbus_cap");

	ASSERT_EQ(0, resize(self->fd, FAR + cap));
	ASSERT_TRUE(fill(self->fd, 0, 1, 0));
	ASSERT_TRUE(fill_pool(self->fd, FAR, 0));
	r->stops = map(_metadata, self->fd, PROT_READ,
		       MAP_SHARED | MAP_POPULATE, 0, FAR + NR);
	/* It counts what it has got so far, and asks again from there. */
	EXPECT_EQ(sigbus + 2, stat_read("sigbus_cap"));
	EXPECT_EQ(1, count_mapped(r->stops, FAR + NR));
	r->next = map(_metadata, self->fd, PROT_READ, MAP_SHARED, FAR, NR);
	EXPECT_EQ(0, in_child(child_locks_all, r));
	EXPECT_EQ(0, r->error);
	EXPECT_EQ(1, r->near);
	EXPECT_EQ(0, r->far);
	EXPECT_EQ(NR, r->other);
	/* They are good. */
	EXPECT_EQ(0, touch_pages(r->stops + FAR * page_size, NR, -1).sig);
	ASSERT_EQ(0, discard(self->fd, 0, FAR + cap));
	EXPECT_EQ(0, resize(self->fd, self->dev.nr_pages));
}

TEST_HARNESS_MAIN
