// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that faults which race lose nothing: no page against each other, no
 * write and no page-table entry against a discard or a resize. Each test runs
 * in both fault modes, against the clock where chance decides
 * (MMAPDEMO_SECONDS, see race.h).
 *
 * The ids (X01, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; two CPUs to be worth its time.
 */
#include "mmapdemo_test.h"
#include "race.h"

#include <pthread.h>
#include <sched.h>

RACE_FIXTURE(race)

#define FRESH	64
#define RACERS	4

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
static void touch_fresh_pages(struct __test_metadata *_metadata,
			      char *p[RACERS])
{
	pthread_t thread[RACERS];
	struct racer racer[RACERS];
	pthread_barrier_t barrier;
	int i;

	pthread_barrier_init(&barrier, NULL, RACERS);
	for (i = 0; i < RACERS; i++) {
		racer[i] = (struct racer){ p[i], &barrier };
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, race_to_touch,
					    &racer[i]));
	}
	for (i = 0; i < RACERS; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL))
			TH_LOG("thread %d", i);
	}
	for (i = 0; i < FRESH; i++) {
		EXPECT_EQ(RACERS, *(int *)(p[0] + i * page_size))
			TH_LOG("page %d", i);
	}
	EXPECT_EQ(FRESH, pool_read("stored"));
}

/* K01: the core puts one PTE in, and drops the others' references. */
TEST_F(race, first_touch_of_one_mapping)
{
	char *p = map_shared(_metadata, self->fd, 0, FRESH);
	char *same[RACERS] = { p, p, p, p };

	touch_fresh_pages(_metadata, same);
}

/* X04: here the device decides who made the page. */
TEST_F(race, first_touch_of_several_mappings)
{
	char *p[RACERS];
	int i;

	for (i = 0; i < RACERS; i++)
		p[i] = map_shared(_metadata, self->fd, 0, FRESH);
	touch_fresh_pages(_metadata, p);
}

#define PAGES	64

struct toucher {
	char *shared, *readonly;	/* PAGES pages */
	size_t page;			/* the one that is being discarded */
	int pause, paused, stop;
};

/* Faults of all kinds: first reads, first writes, writes after reads. */
static void *keep_touching(void *arg)
{
	struct toucher *toucher = arg;
	unsigned int i;

	for (i = 0; !stopped(&toucher->stop); i++) {
		size_t offset = __atomic_load_n(&toucher->page,
						__ATOMIC_RELAXED) * page_size;

		if (stopped(&toucher->pause)) {
			stop_now(&toucher->paused);
			while (stopped(&toucher->pause))
				sched_yield();
			go_on(&toucher->paused);
		}
		read_pages(toucher->readonly + offset, 1);
		if (i % 2)
			read_pages(toucher->shared + offset, 1);
		write_pages(toucher->shared + offset, 1, i);
	}
	return NULL;
}

/* Return: the first page where not all see what is written now; -1: none. */
static long find_stale(int fd, const struct toucher *toucher)
{
	char pages[PAGES * page_size];
	long i;

	memset(pages, 'N', sizeof(pages));
	if (pwrite(fd, pages, sizeof(pages), 0) != (ssize_t)sizeof(pages))
		return 0;
	for (i = 0; i < PAGES; i++)
		if (toucher->shared[i * page_size] != 'N' ||
		    toucher->readonly[i * page_size] != 'N')
			return i;
	return -1;
}

/*
 * X01: a PTE that is made behind a discard's back shows a page that is
 * no longer the device's: what is written there, read(2) does not see. Each
 * page is discarded under the toucher's hands and then left, as one more discard
 * would zap such a PTE; when all have had their turn, the toucher pauses for the
 * look.
 */
TEST_F_TIMEOUT(race, fault_against_discard, RACE_TIMEOUT)
{
	struct toucher toucher = {
		.shared = map_shared(_metadata, self->fd, 0, PAGES),
		.readonly = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 0,
				PAGES),
	};
	double end = race_end();
	unsigned long rounds;
	pthread_t thread;
	size_t i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_touching, &toucher));
	for (rounds = 0; seconds() < end; rounds++) {
		for (i = 0; i < PAGES; i++) {
			__atomic_store_n(&toucher.page, i, __ATOMIC_RELAXED);
			ASSERT_EQ(0, discard(self->fd, i, 1));
			ASSERT_EQ(0, discard(self->fd, i, 1));
		}
		stop_now(&toucher.pause);
		while (!stopped(&toucher.paused))
			sched_yield();
		ASSERT_EQ(-1, find_stale(self->fd, &toucher));
		go_on(&toucher.pause);
		while (stopped(&toucher.paused))
			sched_yield();
	}
	stop_now(&toucher.stop);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	TH_LOG("%lu rounds", rounds);
}

#define NR	8
#define SHORT	4

struct resized {
	char *shared, *private;
	unsigned long rounds;
	int stop, lost;
};

/*
 * Touches what may be gone, as a reader, a writer and a copier; and below
 * SHORT, where a byte that was written stays whatever the size does.
 */
static void *keep_using(void *arg)
{
	struct resized *resized = arg;
	size_t page;
	int byte;

	for (byte = 0; !stopped(&resized->stop); byte = (byte + 1) % 128) {
		for (page = 0; page < NR; page++) {
			char *p = resized->shared + page * page_size;

			if (page < SHORT && resized->rounds &&
			    p[0] != (byte + 127) % 128)
				resized->lost++;
			if (touch(p, -1).sig || touch(p, byte).sig)
				resized->lost += page < SHORT;
			touch(resized->private + page * page_size, byte);
		}
		resized->rounds++;
	}
	return NULL;
}

/* Behind the end nothing can be touched, and nothing is stored. */
static void expect_short(struct __test_metadata *_metadata,
			 FIXTURE_DATA(race) *self, struct resized *resized)
{
	size_t page, offset;

	for (page = SHORT; page < NR; page++) {
		offset = page * page_size;
		ASSERT_EQ(SIGBUS, touch(resized->shared + offset, -1).sig);
		ASSERT_EQ(SIGBUS, touch(resized->private + offset, -1).sig);
	}
	ASSERT_GE(SHORT, count_data(self->fd));
	ASSERT_GE(SHORT, pool_read("stored"));
}

/* What is behind the old end is zero, then what is written stays. */
static void expect_long(struct __test_metadata *_metadata,
			FIXTURE_DATA(race) *self, struct resized *resized)
{
	size_t page, offset;
	char byte;

	for (page = SHORT; page < NR; page++) {
		offset = page * page_size + 1;
		ASSERT_EQ(0, resized->shared[offset]);
		ASSERT_EQ(1, pwrite(self->fd, "N", 1, offset));
		ASSERT_EQ('N', resized->shared[offset]);
		resized->shared[offset] = 'M';
		ASSERT_EQ(1, pread(self->fd, &byte, 1, offset));
		ASSERT_EQ('M', byte);
	}
}

/* X01: grow and shrink against faults of all kinds. */
TEST_F_TIMEOUT(race, fault_against_resize, RACE_TIMEOUT)
{
	struct resized resized = {
		.shared = map_shared(_metadata, self->fd, 0, NR),
		.private = map_private(_metadata, self->fd, 0, NR),
	};
	double end = race_end();
	unsigned long rounds;
	pthread_t thread;

	ASSERT_EQ(0, resize(self->fd, NR));
	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_using, &resized));
	for (rounds = 0; seconds() < end; rounds++) {
		ASSERT_EQ(0, resize(self->fd, SHORT));
		expect_short(_metadata, self, &resized);
		ASSERT_EQ(0, resize(self->fd, NR));
		expect_long(_metadata, self, &resized);
	}
	stop_now(&resized.stop);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, resized.lost);
	TH_LOG("%lu rounds, against %lu of the other side", rounds,
	       resized.rounds);
}

TEST_HARNESS_MAIN
