// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a discard or a shrink of a large range does not hold up, for all
 * the time that it takes, who touches a page elsewhere for the first time.
 *
 * Loads the module anew, and in the end as it was.
 * Needs: see reload.h; some memory; two CPUs.
 */
#include "large.h"
#include "race.h"

#include <pthread.h>
#include <sched.h>

/* Holes, to be touched meanwhile; what follows them is removed. */
#define FREE	4096UL
/* An odd number: the one in the middle counts, whatever the host did once. */
#define ROUNDS	7

FIXTURE(held_up) {
	struct large large;
	int fd;
	int stop;
	double longest;		/* that the toucher has waited, in seconds */
};

FIXTURE_SETUP(held_up)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP_TEST("needs two CPUs");
	large_setup(_metadata, &self->large);
	self->fd = self->large.fd;
}

FIXTURE_TEARDOWN_PARENT(held_up)
{
	large_teardown(_metadata, &self->large);
}

static void *touch_holes(void *arg)
{
	FIXTURE_DATA(held_up) *self = arg;
	size_t i;

	for (i = 0; i < FREE && !stopped(&self->stop); i++) {
		double start = seconds(), wait;

		write_byte(self->large.p + i * page_size, 1);
		wait = seconds() - start;
		if (wait > self->longest)
			self->longest = wait;
		usleep(200);
	}
	return NULL;
}

/* Return: the longest wait, as a part of the time that @act took. */
static double held_up(struct __test_metadata *_metadata,
		      FIXTURE_DATA(held_up) *self, int (*act)(int fd))
{
	pthread_t toucher;
	double time;

	ASSERT_EQ(0, resize(self->fd, LARGE));
	ASSERT_EQ(0, discard(self->fd, 0, FREE));
	large_fill(_metadata, &self->large, FREE, LARGE - FREE);
	self->longest = 0;
	go_on(&self->stop);
	ASSERT_EQ(0, pthread_create(&toucher, NULL, touch_holes, self));
	while (pool_read("stored") == LARGE - FREE)
		;
	time = seconds();
	ASSERT_EQ(0, act(self->fd));
	time = seconds() - time;
	stop_now(&self->stop);
	ASSERT_EQ(0, pthread_join(toucher, NULL));
	return self->longest / time;
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void expect_not_held_up(struct __test_metadata *_metadata,
			       FIXTURE_DATA(held_up) *self, int (*act)(int fd))
{
	double part[ROUNDS];
	int i;

	for (i = 0; i < ROUNDS; i++)
		part[i] = held_up(_metadata, self, act);
	qsort(part, ROUNDS, sizeof(*part), by_size);
	EXPECT_GT(0.5, part[ROUNDS / 2]);
	TH_LOG("held up for %.2f (%.2f to %.2f) of the time",
	       part[ROUNDS / 2], part[0], part[ROUNDS - 1]);
}

static int discard_rest(int fd)
{
	return discard(fd, FREE, LARGE - FREE);
}

TEST_F(held_up, discard)
{
	expect_not_held_up(_metadata, self, discard_rest);
}

static int shrink(int fd)
{
	return resize(fd, FREE);
}

TEST_F(held_up, shrink)
{
	expect_not_held_up(_metadata, self, shrink);
}

TEST_HARNESS_MAIN
