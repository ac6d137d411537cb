// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that what processes wait with works in a mapping of the device:
 * condition variables, robust mutexes, semaphores and bare futexes, each side
 * through a mapping of its own; also while other pages come and go. The plain
 * mutex is in sharing.c. Each test runs in both fault modes.
 *
 * All of these find each other by the page's mapping and index (M11).
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"

#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>

#define PAGE	3		/* of the device; its neighbours come and go */
#define ROUNDS	100

FIXTURE(sync) {
	struct device dev;
	int fd;
	struct shared *shared;
	pid_t child;
};

FAULT_MODES(sync);

struct shared {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	sem_t ping, pong;
	int turn;		/* whose: 0 the parent's, 1 the child's */
	int futex;
	int count;
};

static void shared_init(struct shared *shared)
{
	pthread_mutexattr_t mutex;
	pthread_condattr_t cond;

	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&shared->mutex, &mutex);
	pthread_condattr_init(&cond);
	pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&shared->cond, &cond);
	sem_init(&shared->ping, 1, 0);
	sem_init(&shared->pong, 1, 0);
}

static struct shared *map_again(void)
{
	return mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    open(DEVICE, O_RDWR), PAGE * page_size);
}

FIXTURE_SETUP(sync)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->shared = (void *)map_shared(_metadata, self->fd, PAGE, 1);
	shared_init(self->shared);
}

FIXTURE_TEARDOWN(sync)
{
	device_teardown(_metadata, &self->dev);
}

/* Starts @fn in a child with a mapping of its own. */
static pid_t start(int (*fn)(struct shared *))
{
	pid_t pid = fork();

	if (!pid)
		_exit(fn(map_again()));
	return pid;
}

static int status_of(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

/* Return: whether all ROUNDS went well, waiting for the turn in each. */
static bool take_turns(struct shared *shared, int mine)
{
	int i, err = 0;

	for (i = 0; i < ROUNDS && !err; i++) {
		err = pthread_mutex_lock(&shared->mutex);
		while (!err && shared->turn != mine)
			err = pthread_cond_wait(&shared->cond, &shared->mutex);
		shared->turn = !mine;
		shared->count++;
		pthread_cond_signal(&shared->cond);
		pthread_mutex_unlock(&shared->mutex);
	}
	return !err;
}

static int child_takes_turns(struct shared *shared)
{
	return !take_turns(shared, 1);
}

TEST_F(sync, condition_variable)
{
	pid_t pid = start(child_takes_turns);

	EXPECT_TRUE(take_turns(self->shared, 0));
	EXPECT_EQ(0, status_of(pid));
	EXPECT_EQ(2 * ROUNDS, self->shared->count);
}

/* Other pages are no business of who waits in this one. */
TEST_F(sync, condition_variable_while_others_go)
{
	pid_t turns = start(child_takes_turns), pid = fork();

	if (!pid) {
		for (;;) {
			fill(self->fd, 0, PAGE, 0);
			fill(self->fd, PAGE + 1, 4, 0);
			discard(self->fd, 0, PAGE);
			discard(self->fd, PAGE + 1, 4);
		}
	}
	EXPECT_TRUE(take_turns(self->shared, 0));
	EXPECT_EQ(0, status_of(turns));
	kill(pid, SIGKILL);
	EXPECT_EQ(SIGKILL, status_of(pid));
	EXPECT_EQ(2 * ROUNDS, self->shared->count);
}

static __noreturn int child_dies_with_lock(struct shared *shared)
{
	pthread_mutex_lock(&shared->mutex);
	sem_post(&shared->ping);
	for (;;)
		pause();
}

/* The kernel finds the dead owner's lock in the mapping, and says so. */
TEST_F(sync, robust_mutex)
{
	pid_t pid = start(child_dies_with_lock);

	ASSERT_EQ(0, sem_wait(&self->shared->ping));
	EXPECT_EQ(EBUSY, pthread_mutex_trylock(&self->shared->mutex));
	kill(pid, SIGKILL);
	EXPECT_EQ(EOWNERDEAD, pthread_mutex_lock(&self->shared->mutex));
	EXPECT_EQ(SIGKILL, status_of(pid));
	EXPECT_EQ(0, pthread_mutex_consistent(&self->shared->mutex));
	EXPECT_EQ(0, pthread_mutex_unlock(&self->shared->mutex));
	EXPECT_EQ(0, pthread_mutex_lock(&self->shared->mutex));
	EXPECT_EQ(0, pthread_mutex_unlock(&self->shared->mutex));
}

static int child_answers(struct shared *shared)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if (sem_wait(&shared->ping))
			return 1;
		shared->count++;
		sem_post(&shared->pong);
	}
	return 0;
}

TEST_F(sync, semaphore)
{
	pid_t pid = start(child_answers);
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, sem_post(&self->shared->ping));
		ASSERT_EQ(0, sem_wait(&self->shared->pong));
		ASSERT_EQ(i + 1, self->shared->count);
	}
	EXPECT_EQ(0, status_of(pid));
}

static long futex(int *word, int op, int value)
{
	return syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

static int child_waits(struct shared *shared)
{
	return futex(&shared->futex, FUTEX_WAIT, 0) ? errno : 0;
}

/* Wakes one, as soon as somebody waits. */
static void wake(int *word)
{
	while (futex(word, FUTEX_WAKE, 1) == 0)
		usleep(1000);
}

TEST_F(sync, bare_futex)
{
	pid_t pid = start(child_waits);

	wake(&self->shared->futex);
	EXPECT_EQ(0, status_of(pid));
	EXPECT_EQ(-1, futex(&self->shared->futex, FUTEX_WAIT, 1));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, futex(&self->shared->futex, FUTEX_WAKE, 1));
}

static bool is_asleep(pid_t pid)
{
	char path[64], state[64];

	snprintf(path, sizeof(path), "/proc/%d/wchan", pid);
	return !read_file(path, state, sizeof(state)) &&
	       strstr(state, "futex");
}

/*
 * Who waits is found by the place, not by the page: as in a file, a
 * discard under them does not part the two sides.
 */
TEST_F(sync, futex_outlives_its_page)
{
	pid_t pid = start(child_waits);
	int tries;

	for (tries = 0; tries < 5000 && !is_asleep(pid); tries++)
		usleep(1000);
	ASSERT_EQ(0, discard(self->fd, PAGE, 1));
	wake(&self->shared->futex);
	EXPECT_EQ(0, status_of(pid));
}

/* What is private is the process's own, found by its address. */
TEST_F(sync, private_futex)
{
	EXPECT_EQ(0, futex(&self->shared->futex, FUTEX_WAKE_PRIVATE, 1));
	EXPECT_EQ(-1, futex(&self->shared->futex, FUTEX_WAIT_PRIVATE, 1));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_HARNESS_MAIN
