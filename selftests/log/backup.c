// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a backup kept with DIRTY_LOG alone misses no write: two writers
 * against a copier that clears the log first and copies then. Each test runs in
 * both fault modes, against the clock.
 *
 * Needs: see mmapdemo_test.h; two CPUs to be worth its time.
 */
#include "mmapdemo_test.h"

#include <pthread.h>
#include <time.h>

#define NR	32
#define BURST	64

DEVICE_FIXTURE(backup)

struct backup {
	int fd;
	char *live;			/* NR pages of the device */
	unsigned long copy[NR];		/* what the backup has of each */
	unsigned long delivered;	/* pages, for the log */
	int stop, quit;
	pthread_barrier_t barrier;	/* around each burst */
};

static unsigned long *live_word(struct backup *backup, size_t page)
{
	return (unsigned long *)(backup->live + page * page_size);
}

static void copy_dirty(struct backup *backup)
{
	__u64 dirty = log_bits(backup->fd, MMAPDEMO_DIRTY_LOG_CLEAR);
	size_t page;

	for (page = 0; page < NR; page++) {
		if (!(dirty & PAGES(page, 1)))
			continue;
		backup->copy[page] = __atomic_load_n(live_word(backup, page),
						     __ATOMIC_RELAXED);
		backup->delivered++;
	}
}

static void *keep_backup(void *arg)
{
	struct backup *backup = arg;

	for (;;) {
		pthread_barrier_wait(&backup->barrier);
		if (backup->quit)
			return NULL;
		do {
			copy_dirty(backup);
		} while (!__atomic_load_n(&backup->stop, __ATOMIC_ACQUIRE));
		pthread_barrier_wait(&backup->barrier);
	}
}

/* Writes @number and up to pages at random; by store and by write(2). */
static void write_burst(struct backup *backup, unsigned long number,
			unsigned int *seed)
{
	unsigned long end = number + BURST;
	size_t page;

	for (; number < end; number++) {
		page = rand_r(seed) % NR;
		if (rand_r(seed) % 4)
			__atomic_store_n(live_word(backup, page), number,
					 __ATOMIC_RELAXED);
		else if (pwrite(backup->fd, &number, sizeof(number),
				page * page_size) != sizeof(number))
			abort();
	}
}

/* Pages that are clean, and of which the backup has not the last number. */
static unsigned int stale_pages(struct backup *backup)
{
	__u64 dirty = log_bits(backup->fd, 0);
	unsigned int stale = 0;
	size_t page;

	for (page = 0; page < NR; page++)
		stale += !(dirty & PAGES(page, 1)) &&
			 backup->copy[page] != *live_word(backup, page);
	return stale;
}

static void run_bursts(struct __test_metadata *_metadata,
		       struct backup *backup)
{
	unsigned int seed = time(NULL);
	unsigned long number = 1, rounds;
	double end = seconds() + 0.7;

	TH_LOG("seed %u", seed);
	for (rounds = 0; seconds() < end; rounds++) {
		backup->stop = 0;
		pthread_barrier_wait(&backup->barrier);
		write_burst(backup, number, &seed);
		number += BURST;
		__atomic_store_n(&backup->stop, 1, __ATOMIC_RELEASE);
		pthread_barrier_wait(&backup->barrier);
		ASSERT_EQ(0, stale_pages(backup))
			TH_LOG("round %lu", rounds);
	}
	TH_LOG("%lu rounds, %lu pages delivered", rounds, backup->delivered);
}

TEST_F(backup, no_write_is_missed)
{
	struct backup backup = {
		.fd = self->fd,
		.live = map_shared(_metadata, self->fd, 0, NR),
	};
	pthread_t thread;

	pthread_barrier_init(&backup.barrier, NULL, 2);
	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_backup, &backup));
	run_bursts(_metadata, &backup);
	backup.quit = 1;
	pthread_barrier_wait(&backup.barrier);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	/* One last time, with nobody writing: then all of it is right. */
	copy_dirty(&backup);
	EXPECT_EQ(0, log_bits(self->fd, 0));
	EXPECT_EQ(0, stale_pages(&backup));
}

TEST_HARNESS_MAIN
