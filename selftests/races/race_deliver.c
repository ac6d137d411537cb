// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a DIRTY_LOG whose struct comes and goes loses no page: a replica
 * that copies what the calls that succeeded have reported, and nothing else, is
 * the same as the device in the end. That each step of such a call may fail is
 * proven in log/deliver.c; here it is left to chance. Each test runs in both
 * fault modes, for MMAPDEMO_SECONDS (see race.h).
 *
 * Needs: see mmapdemo_test.h; two CPUs to be worth its time.
 */
#include "mmapdemo_test.h"
#include "race.h"

#include <pthread.h>
#include <sys/uio.h>

/* How much longer to wait for calls of both kinds, in seconds. */
#define PATIENCE	30

/* Pages that are written; the one behind them is for the struct. */
#define NR		16

RACE_FIXTURE(race_deliver)

struct replica {
	int fd;
	char *live;				/* NR pages */
	struct mmapdemo_dirty_log *log;		/* in a page that comes and goes */
	void (*take)(struct replica *r);		/* makes it go, and ... */
	void (*give)(struct replica *r);		/* ... come again */
	unsigned long copy[NR];
	unsigned long delivered, refused;	/* calls */
	int stop;
};

static void make_readonly(struct replica *r)
{
	if (mprotect(r->log, page_size, PROT_READ))
		abort();
}

static void make_writable(struct replica *r)
{
	if (mprotect(r->log, page_size, PROT_READ | PROT_WRITE))
		abort();
}

static void shrink(struct replica *r)
{
	if (resize(r->fd, NR))
		abort();
}

static void grow(struct replica *r)
{
	if (resize(r->fd, NR + 1))
		abort();
}

static void *keep_taking(void *arg)
{
	struct replica *r = arg;

	while (!stopped(&r->stop)) {
		r->take(r);
		r->give(r);
	}
	return NULL;
}

static unsigned long *number_of(struct replica *r, size_t page)
{
	return (unsigned long *)(r->live + page * page_size);
}

/*
 * Goes by the array, which stays: what the call wrote to the struct may be gone
 * before it has returned.
 */
static void replicate(struct replica *r, struct mmapdemo_dirty_log *to)
{
	struct mmapdemo_extent extent[NR] = { };
	struct mmapdemo_dirty_log log = {
		.len = NR * page_size,
		.extents = (uintptr_t)extent,
		.nr_extents = NR,
		.flags = MMAPDEMO_DIRTY_LOG_CLEAR,
	};
	struct iovec local = { &log, sizeof(log) }, remote = { to, sizeof(log) };
	size_t i, page, end;

	/* As a store, without a signal if there is nothing to store to. */
	if (process_vm_writev(getpid(), &local, 1, &remote, 1, 0) < 0)
		return;
	if (ioctl(r->fd, MMAPDEMO_IOC_DIRTY_LOG, to)) {
		/* EINVAL: it was zeros, in a page that had gone and come. */
		if (errno != EFAULT && errno != EINVAL)
			abort();
		r->refused++;
		return;
	}
	r->delivered++;
	for (i = 0; i < NR && extent[i].len; i++) {
		page = extent[i].start / page_size;
		end = page + extent[i].len / page_size;
		for (; page < end; page++)
			r->copy[page] = __atomic_load_n(number_of(r, page),
							__ATOMIC_RELAXED);
	}
}

static void *keep_replica(void *arg)
{
	struct replica *r = arg;

	while (!stopped(&r->stop))
		replicate(r, r->log);
	return NULL;
}

/* Page after page, by stores and by write(2). */
static void write_number(struct replica *r, unsigned long number)
{
	size_t page = number % NR;

	if (number / NR % 2)
		__atomic_store_n(number_of(r, page), number, __ATOMIC_RELAXED);
	else if (pwrite(r->fd, &number, sizeof(number), page * page_size) < 0)
		abort();
}

/* Return: the last number written. */
static unsigned long run_round(struct __test_metadata *_metadata,
			       struct replica *r, unsigned long number)
{
	pthread_t harvester, taker;
	size_t i;

	go_on(&r->stop);
	ASSERT_EQ(0, pthread_create(&harvester, NULL, keep_replica, r));
	ASSERT_EQ(0, pthread_create(&taker, NULL, keep_taking, r));
	for (i = 0; i < 20 * NR; i++)
		write_number(r, ++number);
	stop_now(&r->stop);
	ASSERT_EQ(0, pthread_join(harvester, NULL));
	ASSERT_EQ(0, pthread_join(taker, NULL));
	return number;
}

static void run_rounds(struct __test_metadata *_metadata, struct replica *r)
{
	double now, end = race_end();
	unsigned long number = 0, rounds = 0;
	struct mmapdemo_dirty_log last;
	size_t i;

	/* Each round ends with a call that succeeds. */
	do {
		number = run_round(_metadata, r, number);
		replicate(r, &last);
		ASSERT_EQ(0, log_bits(r->fd, 0) & PAGES(0, NR));
		for (i = 0; i < NR; i++)
			ASSERT_EQ(r->copy[i], *number_of(r, i));
		rounds++;
		now = seconds();
	} while (now < end || (now < end + PATIENCE &&
			       !(r->delivered > rounds && r->refused)));
	TH_LOG("%lu rounds, %lu calls succeeded, %lu failed", rounds,
	       r->delivered, r->refused);
}

TEST_F_TIMEOUT(race_deliver, struct_is_made_readonly, RACE_TIMEOUT)
{
	struct replica r = {
		.fd = self->fd,
		.live = map_shared(_metadata, self->fd, 0, NR),
		.log = (void *)map(_metadata, -1, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, 0, 1),
		.take = make_readonly, .give = make_writable,
	};

	run_rounds(_metadata, &r);
}

/* It is in the device itself, whose end moves over it. */
TEST_F_TIMEOUT(race_deliver, struct_is_truncated, RACE_TIMEOUT)
{
	struct replica r = {
		.fd = self->fd,
		.live = map_shared(_metadata, self->fd, 0, NR),
		.log = (void *)map_shared(_metadata, self->fd, NR, 1),
		.take = shrink, .give = grow,
	};

	run_rounds(_metadata, &r);
}

TEST_HARNESS_MAIN
