// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves who sees whose writes: other mappings, other processes, children and
 * the device itself; and that locks between processes work in a mapping.
 * Each test runs in both fault modes; where the contract differs for
 * fault_mode=insert, the test says how.
 *
 * The ids (G01, S02, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"

#include <pthread.h>

DEVICE_FIXTURE(sharing)

static int child_answers(void *arg)
{
	char *p = arg;

	if (strcmp(p, "question"))
		return 1;
	write_text(p, "answer");
	return 0;
}

static int child_opens_and_answers(void *arg)
{
	int fd = open(DEVICE, O_RDWR);
	char *p = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       *(size_t *)arg * page_size);

	return p == MAP_FAILED ? 2 : child_answers(p);
}

TEST_F(sharing, shared_by_two_mappings)
{
	char *a = map_shared(_metadata, self->fd, 0, 4);
	char *b = map_shared(_metadata, self->fd, 3, 1);

	a[3 * page_size] = 1;
	EXPECT_EQ(1, b[0]);
	b[page_size - 1] = 2;
	EXPECT_EQ(2, a[4 * page_size - 1]);
	EXPECT_EQ(1, pool_read("stored"));
}

TEST_F(sharing, shared_by_two_processes)
{
	size_t pgoff = 9;
	char *p = map_shared(_metadata, self->fd, pgoff, 1);

	write_text(p, "question");
	EXPECT_EQ(0, in_child(child_opens_and_answers, &pgoff));
	EXPECT_STREQ("answer", p);
}

static int child_counts_mapped(void *arg)
{
	return count_mapped(arg, 8);
}

/*
 * S01, S02: a child has the mapping as well. The core copies no PTEs of a
 * plain shared one, which the child faults in again, but those of a special
 * one.
 */
TEST_F(sharing, shared_over_fork)
{
	char *p = map_shared(_metadata, self->fd, 0, 8);

	write_pages(p, 8, 1);
	EXPECT_EQ(variant->insert ? 8 : 0, in_child(child_counts_mapped, p));
	write_text(p, "question");
	EXPECT_EQ(0, in_child(child_answers, p));
	EXPECT_STREQ("answer", p);
}

/* S03: a child shares the private copies, until either side writes. */
TEST_F(sharing, private_over_fork)
{
	char *p = map_private(_metadata, self->fd, 0, 1);

	ASSERT_TRUE(fill(self->fd, 0, 1, 0));
	write_text(p, "question");
	EXPECT_EQ(0, in_child(child_answers, p));
	EXPECT_STREQ("question", p);
	EXPECT_EQ(-1, bad_read(self->fd, 0, 1, 0));
}

/* G01, G02: the first write to a page copies it, whether or not it was read. */
TEST_F(sharing, private_writes_stay_private)
{
	char *shared = map_shared(_metadata, self->fd, 0, 8);
	char *private = map_private(_metadata, self->fd, 0, 8);
	long cow = stat_read("fault_cow");

	ASSERT_TRUE(fill(self->fd, 0, 8, 0));
	write_pages(private, 2, 1);
	EXPECT_EQ(cow + 2, stat_read("fault_cow"));
	EXPECT_EQ(-1, bad_page(private + 2 * page_size, 2, 6, 0));
	write_pages(private + 2 * page_size, 6, 1);
	EXPECT_EQ(cow + 2, stat_read("fault_cow"));

	EXPECT_EQ(-1, bad_page(shared, 0, 8, 0));
	EXPECT_EQ(-1, bad_read(self->fd, 0, 8, 0));
	EXPECT_EQ(1, private[7 * page_size]);
}

/* Up to its first own write a private mapping shows the device. */
TEST_F(sharing, private_reads_are_shared)
{
	char *private = map_private(_metadata, self->fd, 0, 2);

	ASSERT_TRUE(fill(self->fd, 0, 2, 0));
	EXPECT_EQ(-1, bad_page(private, 0, 2, 0));
	ASSERT_TRUE(fill(self->fd, 0, 2, 1));
	EXPECT_EQ(-1, bad_page(private, 0, 2, 1));
}

/* G08: with its copies dropped, a private mapping shows the device again. */
TEST_F(sharing, private_copies_dropped)
{
	char *p = map_private(_metadata, self->fd, 0, 2);

	ASSERT_TRUE(fill(self->fd, 0, 2, 0));
	write_pages(p, 2, 1);
	ASSERT_EQ(0, madvise(p, 2 * page_size, MADV_DONTNEED));
	EXPECT_EQ(-1, bad_page(p, 0, 2, 0));
}

#define LOCK_ROUNDS	500

struct shared_counter {
	pthread_mutex_t mutex;
	long count;
};

static int child_counts(void *arg)
{
	struct shared_counter *counter = arg;
	int i;

	for (i = 0; i < LOCK_ROUNDS; i++) {
		if (pthread_mutex_lock(&counter->mutex))
			return 1;
		counter->count++;
		/* So that the other side finds it locked, and waits. */
		if (i % 8 == 0)
			sched_yield();
		if (pthread_mutex_unlock(&counter->mutex))
			return 1;
	}
	return 0;
}

/* Both sides through mappings of their own, the child's in the other mode. */
static int child_counts_in_other_mode(void *arg)
{
	const bool *insert = arg;
	int fd = open(DEVICE, O_RDWR);

	if (write_file(FAULT_MODE, *insert ? "map_pages" : "insert"))
		return 2;
	return child_counts(mmap(NULL, page_size, PROT_READ | PROT_WRITE,
				 MAP_SHARED, fd, 0));
}

/*
 * M11: a futex is found by the page's mapping and index, which the store sets
 * in either mode; with pages that have none it would be EFAULT.
 */
TEST_F(sharing, process_shared_mutex)
{
	struct shared_counter *counter =
		(void *)map_shared(_metadata, self->fd, 0, 1);
	bool insert = variant->insert;
	pthread_mutexattr_t attr;
	int status;
	pid_t pid;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&counter->mutex, &attr);
	pid = fork();
	if (!pid)
		_exit(child_counts_in_other_mode(&insert));
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, child_counts(counter));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(2 * LOCK_ROUNDS, counter->count);
}

TEST_HARNESS_MAIN
