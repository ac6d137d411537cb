// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory shared by unrelated programs, with a mutex in it that survives a program
 * which dies while holding it.
 *
 * Usage: mutex add N	adds 1 to the sum, N times
 *        mutex die	dies half-way through an addition
 *        mutex show	prints the sum
 *
 * In two shells, or with "&", start two that add. The sum stays in the device's
 * first page until the module is unloaded.
 *
 * Exit status: 0; 1 with a line on stderr. "die" kills itself with SIGKILL.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEVICE	"/dev/mmapdemo"

/* A device that nobody has written to reads as zeros. */
struct shared {
	unsigned long long ready;	/* sizeof(struct shared), once the mutex is set up */
	pthread_mutex_t mutex;		/* protects what follows */
	unsigned long long sum;
	unsigned long long copy;	/* equals sum whenever the mutex is free */
};

static void check(int error, const char *what)
{
	if (error) {
		errno = error;
		err(1, "%s", what);
	}
}

static void make_mutex(struct shared *shared)
{
	pthread_mutexattr_t attr;

	check(pthread_mutexattr_init(&attr), "pthread_mutexattr_init");
	/* Or an unlock would wake up waiters of its own process only. */
	check(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), "setpshared");
	/* The kernel marks it if a process dies while holding it. */
	check(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), "setrobust");
	check(pthread_mutex_init(&shared->mutex, &attr), "pthread_mutex_init");
	pthread_mutexattr_destroy(&attr);
	/* Last: if we die before this, the next program starts over. */
	shared->ready = sizeof(*shared);
}

static struct shared *map_shared(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	struct shared *shared;

	if (fd < 0)
		err(1, "open %s", DEVICE);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		err(1, "mmap");

	/* If two programs start at the same time, one of them sets up the mutex. */
	if (flock(fd, LOCK_EX))
		err(1, "flock");
	if (!shared->ready)
		make_mutex(shared);
	/* The layout of a mutex differs between 32-bit and 64-bit programs. */
	if (shared->ready != sizeof(*shared))
		errx(1, "the first page of %s holds something else", DEVICE);
	/* close() is not enough: the mapping keeps the file open, and locked. */
	if (flock(fd, LOCK_UN))
		err(1, "flock");
	close(fd);
	return shared;
}

static void lock(struct shared *shared)
{
	int error = pthread_mutex_lock(&shared->mutex);

	if (error == EOWNERDEAD) {
		/*
		 * We hold the mutex, and what it protects may be half done.
		 * Repair that before marking it consistent: if we die in
		 * between, the next owner gets EOWNERDEAD again.
		 */
		fprintf(stderr, "the owner of the mutex died: undoing its half-done addition\n");
		shared->sum = shared->copy;
		error = pthread_mutex_consistent(&shared->mutex);
	}
	check(error, "pthread_mutex_lock");
}

static void unlock(struct shared *shared)
{
	check(pthread_mutex_unlock(&shared->mutex), "pthread_mutex_unlock");
}

static void add(struct shared *shared, unsigned long n)
{
	while (n--) {
		lock(shared);
		shared->sum++;
		shared->copy++;
		unlock(shared);
	}
}

static void die(struct shared *shared)
{
	lock(shared);
	shared->sum++;
	raise(SIGKILL);
}

static void show(struct shared *shared)
{
	unsigned long long sum, copy;

	lock(shared);
	sum = shared->sum;
	copy = shared->copy;
	unlock(shared);
	if (printf("%llu\n", sum) < 0 || fflush(stdout))
		err(1, "stdout");
	if (sum != copy)
		errx(1, "its copy is %llu", copy);
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || end == text || *end)
		errx(1, "not a count: %s", text);
	return n;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (argc == 3 && !strcmp(command, "add"))
		add(map_shared(), number(argv[2]));
	else if (argc == 2 && !strcmp(command, "die"))
		die(map_shared());
	else if (argc == 2 && !strcmp(command, "show"))
		show(map_shared());
	else
		errx(1, "usage: mutex add N | die | show");
	return 0;
}
