// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a new page lies on the NUMA node that the program has asked for, with
 * set_mempolicy(2) for itself or mbind(2) for a mapping, whatever spare pages the
 * pool has elsewhere; and that the pool's cap holds all the same. Each test runs in
 * both fault modes.
 *
 * Loads the module anew with a small pool, and in the end as it was.
 * Needs: see reload.h; two NUMA nodes, which the guests of Debian's own kernels have
 * with APPEND=numa=fake=2 only.
 */
#include "mmapdemo_test.h"
#include "reload.h"

#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>

#define CAP		64	/* pages that the pool may hold, ... */
#define NR_PAGES	512	/* ... and of the device */
#define NR		32

FIXTURE(numa) {
	struct device dev;
	int fd;
	char *p;		/* the device, shared */
	char old[sizeof(old_parameters)];
};

FAULT_MODES(numa);

/* Nodes 0 and 1, as bits. Return: 0, or as set_mempolicy(2). */
static int set_policy(int mode, unsigned long nodes)
{
	return syscall(SYS_set_mempolicy, mode, nodes ? &nodes : NULL, 64);
}

static int bind_to(void *p, size_t nr, int mode, unsigned long nodes)
{
	return syscall(SYS_mbind, p, nr * page_size, mode, &nodes, 64, 0);
}

/* How many of @nr pages that are mapped at @p lie on @node. */
static size_t on_node(char *p, size_t nr, int node)
{
	size_t i, count = 0;
	int where;

	for (i = 0; i < nr; i++, p += page_size)
		if (!syscall(SYS_get_mempolicy, &where, NULL, 0UL, p,
			     MPOL_F_NODE | MPOL_F_ADDR))
			count += where == node;
	return count;
}

static bool has_two_nodes(void)
{
	bool two = !set_policy(MPOL_BIND, 2);

	set_policy(MPOL_DEFAULT, 0);
	return two;
}

FIXTURE_SETUP(numa)
{
	if (!has_two_nodes())
		SKIP_TEST("needs two NUMA nodes (numa=fake=2)");
	reload_sized(_metadata, self->old, NR_PAGES, CAP);
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->p = map_shared(_metadata, self->fd, 0, NR_PAGES);
}

FIXTURE_TEARDOWN_PARENT(numa)
{
	device_reopen(_metadata, &self->dev);
	device_teardown(_metadata, &self->dev);
	reload_teardown(_metadata, self->old);
}

/* Leaves spare pages in the pool, which lie on @node. */
static void leave_spare(struct __test_metadata *_metadata,
			FIXTURE_DATA(numa) *self, int node, size_t nr)
{
	ASSERT_EQ(0, set_policy(MPOL_BIND, 1UL << node));
	write_pages(self->p, nr, 1);
	ASSERT_EQ(nr, on_node(self->p, nr, node));
	ASSERT_EQ(0, set_policy(MPOL_DEFAULT, 0));
	ASSERT_EQ(0, discard(self->fd, 0, nr));
	ASSERT_LE((long)nr, pool_read("cached"));
}

TEST_F(numa, policy_of_the_task)
{
	int node;

	for (node = 0; node < 2; node++) {
		leave_spare(_metadata, self, !node, NR / 2);
		ASSERT_EQ(0, set_policy(MPOL_BIND, 1UL << node));
		write_pages(self->p, NR / 2, 1);
		read_pages(self->p + NR / 2 * page_size, NR / 2);
		EXPECT_EQ(NR, on_node(self->p, NR, node));
		ASSERT_EQ(0, discard(self->fd, 0, NR));
		/* What write(2) makes, too. */
		ASSERT_TRUE(fill(self->fd, 0, NR, 0));
		EXPECT_EQ(NR, on_node(self->p, NR, node));
		ASSERT_EQ(0, set_policy(MPOL_DEFAULT, 0));
		ASSERT_EQ(0, discard(self->fd, 0, NR));
	}
}

TEST_F(numa, interleaved)
{
	ASSERT_EQ(0, set_policy(MPOL_INTERLEAVE, 3));
	write_pages(self->p, NR, 1);
	EXPECT_EQ(NR / 2, on_node(self->p, NR, 0));
	EXPECT_EQ(NR / 2, on_node(self->p, NR, 1));
}

/* It comes before the task's, and does not concern what is elsewhere. */
TEST_F(numa, policy_of_a_mapping)
{
	char *other = self->p + NR * page_size;

	leave_spare(_metadata, self, 0, NR);
	ASSERT_EQ(0, bind_to(self->p, NR, MPOL_BIND, 2));
	write_pages(self->p, NR, 1);
	EXPECT_EQ(NR, on_node(self->p, NR, 1));
	ASSERT_EQ(0, set_policy(MPOL_BIND, 1));
	write_pages(other, NR / 2, 1);
	EXPECT_EQ(NR / 2, on_node(other, NR / 2, 0));
	ASSERT_EQ(0, discard(self->fd, 0, NR));
	write_pages(self->p, NR, 2);
	EXPECT_EQ(NR, on_node(self->p, NR, 1));
}

/* By the offset in the mapping, as for other memory, in whatever order. */
TEST_F(numa, interleaved_mapping)
{
	size_t i;

	ASSERT_EQ(0, bind_to(self->p, NR, MPOL_INTERLEAVE, 3));
	for (i = NR; i--;)
		write_byte(self->p + i * page_size, 1);
	for (i = 0; i < NR; i++)
		EXPECT_EQ(1, on_node(self->p + i * page_size, 1, i % 2) ^
			     on_node(self->p, 1, 1));
}

/* Spare pages make room for those that are to lie elsewhere; stored ones do not. */
TEST_F(numa, up_to_the_cap)
{
	char *last = self->p + CAP * page_size;

	leave_spare(_metadata, self, 0, CAP);
	ASSERT_EQ(0, set_policy(MPOL_BIND, 2));
	write_pages(self->p, CAP, 1);
	EXPECT_EQ(CAP, on_node(self->p, CAP, 1));
	EXPECT_TRAP(last, 1, SIGBUS, BUS_ADRERR, last);
	EXPECT_ERRNO(ENOSPC, pwrite(self->fd, "x", 1, CAP * page_size));
	EXPECT_EQ(CAP, pool_read("held"));
	EXPECT_EQ(CAP, pool_read("stored"));
	ASSERT_EQ(0, discard(self->fd, 0, 1));
	EXPECT_EQ(0, touch(last, 1).sig);
	EXPECT_EQ(1, on_node(last, 1, 1));
}

/* Without one, what is spare is used first. */
TEST_F(numa, no_policy)
{
	struct counters seen;
	cpu_set_t cpu;

	/* What a CPU has cached, it alone has. */
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(cpu), &cpu));
	leave_spare(_metadata, self, 1, NR);
	counters_start(&seen);
	write_pages(self->p, NR, 1);
	EXPECT_COUNTED(&seen, { "pool_allocated", 0 }, { "pool_recycled", NR });
	EXPECT_EQ(NR, on_node(self->p, NR, 1));
}

TEST_HARNESS_MAIN
