// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that two threads at once lose nothing: no page, no write, no entry of
 * the dirty log, and no page-table entry that a discard should have removed.
 * Each test runs in both fault modes, against the clock where chance decides.
 *
 * The ids (X01, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; two CPUs to be worth its time.
 */
#include "mmapdemo_test.h"

#include <pthread.h>
#include <time.h>

FIXTURE(race) {
	struct device dev;
	int fd;
};

FIXTURE_VARIANT(race) {
	bool insert;
};

FIXTURE_VARIANT_ADD(race, map_pages) {
	.insert = false,
};

FIXTURE_VARIANT_ADD(race, insert) {
	.insert = true,
};

FIXTURE_SETUP(race)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
}

FIXTURE_TEARDOWN(race)
{
	device_teardown(_metadata, &self->dev);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

#define FRESH	64

struct racer {
	char *p;
	pthread_barrier_t *barrier;
};

static void *race_to_touch(void *arg)
{
	struct racer *racer = arg;
	int i;

	for (i = 0; i < FRESH; i++) {
		pthread_barrier_wait(racer->barrier);
		__atomic_fetch_add((int *)(racer->p + i * page_size), 1,
				   __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Were two pages made of one, an increment would be lost with the other. */
static void touch_fresh_pages(struct __test_metadata *_metadata, char *p,
			      char *q)
{
	pthread_barrier_t barrier;
	struct racer racer[2] = { { p, &barrier }, { q, &barrier } };
	pthread_t thread;
	int i;

	pthread_barrier_init(&barrier, NULL, 2);
	ASSERT_EQ(0, pthread_create(&thread, NULL, race_to_touch, &racer[1]));
	race_to_touch(&racer[0]);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	for (i = 0; i < FRESH; i++) {
		EXPECT_EQ(2, *(int *)(p + i * page_size));
	}
	EXPECT_EQ(FRESH, pool_read("stored"));
}

/* K01: the core puts one PTE in, and drops the other one's reference. */
TEST_F(race, first_touch_of_one_mapping)
{
	char *p = map_shared(_metadata, self->fd, 0, FRESH);

	touch_fresh_pages(_metadata, p, p);
}

/* X04: here the device decides who made the page. */
TEST_F(race, first_touch_of_two_mappings)
{
	touch_fresh_pages(_metadata,
			  map_shared(_metadata, self->fd, 0, FRESH),
			  map_shared(_metadata, self->fd, 0, FRESH));
}

#define BURST	8

struct backup {
	int fd;
	volatile unsigned long *live;	/* the page that is written */
	unsigned long copy;		/* what the backup holds of it */
	int stop, quit;
	pthread_barrier_t barrier;	/* around each round */
};

/*
 * A backup as the log's users make it: clean first, then copy. If a write fell
 * between the two unnoticed, the page would be clean with the copy out of date.
 */
static void *keep_backup(void *arg)
{
	struct backup *backup = arg;

	for (;;) {
		pthread_barrier_wait(&backup->barrier);
		if (backup->quit)
			return NULL;
		do {
			fsync(backup->fd);
			backup->copy = *backup->live;
		} while (!__atomic_load_n(&backup->stop, __ATOMIC_ACQUIRE));
		pthread_barrier_wait(&backup->barrier);
	}
}

static void write_number(struct backup *backup, unsigned long number, bool call)
{
	if (!call)
		*backup->live = number;
	else if (pwrite(backup->fd, &number, sizeof(number), 0) < 0)
		abort();
}

/* Writes against the backup, stops both. Return: the last number written. */
static unsigned long write_burst(struct backup *backup, unsigned long number,
				 bool call)
{
	unsigned long end = number + BURST;

	backup->stop = 0;
	pthread_barrier_wait(&backup->barrier);
	while (number < end)
		write_number(backup, ++number, call);
	__atomic_store_n(&backup->stop, 1, __ATOMIC_RELEASE);
	pthread_barrier_wait(&backup->barrier);
	return number;
}

/* A page that is clean is a page whose copy is right. */
static void write_against_backup(struct __test_metadata *_metadata,
				 FIXTURE_DATA(race) *self, bool call)
{
	struct backup backup = {
		.fd = self->fd,
		.live = (void *)map_shared(_metadata, self->fd, 0, 1),
	};
	unsigned long number = 0, clean = 0, rounds;
	double end = seconds() + 1;
	pthread_t thread;

	write_number(&backup, ++number, false);
	pthread_barrier_init(&backup.barrier, NULL, 2);
	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_backup, &backup));
	for (rounds = 0; seconds() < end; rounds++) {
		number = write_burst(&backup, number, call);
		if (pool_read("dirty"))
			continue;
		clean++;
		ASSERT_EQ(number, backup.copy);
		write_number(&backup, ++number, call);
		ASSERT_EQ(1, pool_read("dirty"));
	}
	backup.quit = 1;
	pthread_barrier_wait(&backup.barrier);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	/* Else nothing was tested. */
	EXPECT_LT(0, clean);
	TH_LOG("%lu rounds, %lu of them ended clean", rounds, clean);
}

/* X02 */
TEST_F(race, no_store_is_lost)
{
	write_against_backup(_metadata, self, false);
}

/* The same for write(2), which must mark the page after it has written. */
TEST_F(race, no_write_call_is_lost)
{
	write_against_backup(_metadata, self, true);
}

#define NR	8

struct toucher {
	char *shared;
	char *readonly;
	int stop;
};

/* Faults of all kinds: first reads, first writes, writes after reads. */
static void *keep_touching(void *arg)
{
	struct toucher *toucher = arg;
	unsigned int i;

	for (i = 0; !__atomic_load_n(&toucher->stop, __ATOMIC_RELAXED); i++) {
		read_pages(toucher->readonly, NR);
		if (i % 2)
			read_pages(toucher->shared, NR);
		write_pages(toucher->shared, NR, i);
	}
	return NULL;
}

/*
 * X01: a PTE that is made behind a discard's back shows a page that is
 * no longer the device's: what is written there, read(2) does not see.
 */
TEST_F(race, fault_against_discard)
{
	struct toucher toucher = {
		.shared = map_shared(_metadata, self->fd, 0, NR),
		.readonly = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 0,
				NR),
	};
	double end = seconds() + 1;
	unsigned long rounds;
	pthread_t thread;
	size_t i;

	for (rounds = 0; seconds() < end; rounds++) {
		toucher.stop = 0;
		ASSERT_EQ(0, pthread_create(&thread, NULL, keep_touching,
					    &toucher));
		for (i = 0; i < 20; i++) {
			ASSERT_EQ(0, discard(self->fd, 0, NR));
		}
		__atomic_store_n(&toucher.stop, 1, __ATOMIC_RELAXED);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		for (i = 0; i < NR; i++) {
			ASSERT_EQ(1, pwrite(self->fd, "N", 1, i * page_size));
			ASSERT_EQ('N', toucher.shared[i * page_size]);
			ASSERT_EQ('N', toucher.readonly[i * page_size]);
		}
		ASSERT_EQ(NR, pool_read("stored"));
	}
	TH_LOG("%lu rounds", rounds);
}

TEST_HARNESS_MAIN
