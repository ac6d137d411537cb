// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that no write is missed, neither by fsync nor by a harvest of the dirty
 * log, whatever the other does meanwhile, nor by both at once. Each test runs in
 * both fault modes, for MMAPDEMO_SECONDS (see race.h).
 *
 * The ids (X02, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; two CPUs to be worth its time.
 */
#include "mmapdemo_test.h"
#include "race.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/uio.h>

RACE_FIXTURE(race_log)

#define BURST	8

struct backup {
	int fd;
	unsigned long *live;		/* the page that is written */
	unsigned long copy;		/* what the backup holds of it */
	int stop, quit;
	pthread_barrier_t barrier;	/* around each round */
};

/*
 * A backup that goes by what is synced: sync first, then copy. If a write fell
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
			backup->copy = __atomic_load_n(backup->live,
						       __ATOMIC_RELAXED);
		} while (!__atomic_load_n(&backup->stop, __ATOMIC_ACQUIRE));
		pthread_barrier_wait(&backup->barrier);
	}
}

static void write_number(struct backup *backup, unsigned long number, bool call)
{
	if (!call)
		__atomic_store_n(backup->live, number, __ATOMIC_RELAXED);
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
				 FIXTURE_DATA(race_log) *self, bool call)
{
	struct backup backup = {
		.fd = self->fd,
		.live = (void *)map_shared(_metadata, self->fd, 0, 1),
	};
	unsigned long number = 0, clean = 0, rounds;
	double end = race_end();
	pthread_t thread;

	write_number(&backup, ++number, false);
	pthread_barrier_init(&backup.barrier, NULL, 2);
	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_backup, &backup));
	for (rounds = 0; seconds() < end; rounds++) {
		number = write_burst(&backup, number, call);
		if (pool_read("unsynced"))
			continue;
		clean++;
		ASSERT_EQ(number, backup.copy);
		write_number(&backup, ++number, call);
		ASSERT_EQ(1, pool_read("unsynced"));
	}
	backup.quit = 1;
	pthread_barrier_wait(&backup.barrier);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	/* Else nothing was tested. */
	EXPECT_LT(0, clean);
	TH_LOG("%lu rounds, %lu of them ended clean", rounds, clean);
}

/* X02 */
TEST_F_TIMEOUT(race_log, no_store_is_lost, RACE_TIMEOUT)
{
	write_against_backup(_metadata, self, false);
}

/* The same for write(2), which must mark the page after it has written. */
TEST_F_TIMEOUT(race_log, no_write_call_is_lost, RACE_TIMEOUT)
{
	write_against_backup(_metadata, self, true);
}

#define LOGGED	16

struct replica {
	int fd;
	int ro;				/* the device, O_RDONLY */
	char *live;
	unsigned long copy[LOGGED];
	unsigned long harvests;
	int stop;
};

static unsigned long number_at(char *live, size_t page)
{
	return __atomic_load_n((unsigned long *)(live + page * page_size),
			       __ATOMIC_RELAXED);
}

/* Copies the pages that the log names, and no other. */
static void replicate(struct replica *replica)
{
	struct mmapdemo_extent extent[LOGGED];
	int i, nr = harvest(replica->fd, LOGGED, extent, LOGGED);
	size_t page, end;

	if (nr < 0)
		abort();
	for (i = 0; i < nr; i++) {
		page = extent[i].start / page_size;
		end = page + extent[i].len / page_size;
		for (; page < end; page++)
			replica->copy[page] = number_at(replica->live, page);
	}
	replica->harvests += !!nr;
}

static void *keep_replica(void *arg)
{
	struct replica *replica = arg;

	while (!stopped(&replica->stop))
		replicate(replica);
	return NULL;
}

/* Page after page: by stores, two kinds of write(2), the hand of the kernel. */
static void write_somehow(int fd, char *p, unsigned long number)
{
	size_t offset = number % LOGGED * page_size;
	struct iovec from = { &number, sizeof(number) };
	struct iovec to = { p + offset, sizeof(number) };
	ssize_t written = sizeof(number);

	switch (number / LOGGED % 5) {
	case 0:
		written = pwrite(fd, &number, sizeof(number), offset);
		break;
	case 1:
		written = process_vm_writev(getpid(), &from, 1, &to, 1, 0);
		break;
	case 2:
		written = pwritev2(fd, &from, 1, offset, RWF_DSYNC);
		break;
	default:
		__atomic_store_n((unsigned long *)(p + offset), number,
				 __ATOMIC_RELAXED);
	}
	if (written != sizeof(number))
		abort();
}

/* Write-protects the pages again and again, and must take none of them away. */
static void *keep_fsyncing(void *arg)
{
	struct replica *replica = arg;

	while (!stopped(&replica->stop))
		if (fsync(replica->ro))
			abort();
	return NULL;
}

static void *keep_msyncing(void *arg)
{
	struct replica *replica = arg;

	while (!stopped(&replica->stop))
		if (msync(replica->live, LOGGED * page_size, MS_SYNC))
			abort();
	return NULL;
}

typedef void *(*role_t)(void *replica);

/* Writes while @nr threads do what theirs is. Return: the last number written. */
static unsigned long write_against(struct __test_metadata *_metadata,
				   struct replica *replica, unsigned long number,
				   const role_t *role, size_t nr)
{
	pthread_t thread[4];
	size_t i;

	go_on(&replica->stop);
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, role[i], replica));
	for (i = 0; i < 20 * LOGGED; i++)
		write_somehow(replica->fd, replica->live, ++number);
	stop_now(&replica->stop);
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
	return number;
}

/* Once all come to rest, the replica is the same as the device. */
static void replicate_against(struct __test_metadata *_metadata,
			      FIXTURE_DATA(race_log) *self,
			      const role_t *role, size_t nr)
{
	struct replica replica = {
		.fd = self->fd,
		.ro = open(DEVICE, O_RDONLY),
		.live = map_shared(_metadata, self->fd, 0, LOGGED),
	};
	unsigned long number = 0, rounds;
	double end = race_end();
	size_t i;

	for (rounds = 0; seconds() < end; rounds++) {
		number = write_against(_metadata, &replica, number, role, nr);
		replicate(&replica);
		EXPECT_EQ(0, pool_read("dirty"));
		for (i = 0; i < LOGGED; i++) {
			ASSERT_EQ(replica.copy[i], *(unsigned long *)
				  (replica.live + i * page_size));
		}
	}
	EXPECT_LT(0, replica.harvests);
	TH_LOG("%lu rounds, %lu harvests", rounds, replica.harvests);
	close(replica.ro);
}

/* X02: it copies only what DIRTY_LOG names, clearing the log as it goes. */
TEST_F_TIMEOUT(race_log, no_write_escapes_the_log, RACE_TIMEOUT)
{
	const role_t roles[] = { keep_replica };

	replicate_against(_metadata, self, roles, ARRAY_SIZE(roles));
}

/* X02: nor with others who sync: two threads, and a process that only reads. */
TEST_F_TIMEOUT(race_log, no_sync_empties_the_log, RACE_TIMEOUT)
{
	const role_t roles[] = { keep_replica, keep_fsyncing, keep_msyncing };
	struct replica never_stopped = { };
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		never_stopped.ro = open(DEVICE, O_RDONLY);
		keep_fsyncing(&never_stopped);
	}
	replicate_against(_metadata, self, roles, ARRAY_SIZE(roles));
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST_HARNESS_MAIN
