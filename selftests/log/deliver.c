// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a DIRTY_LOG that finds the caller's memory all right, and no longer
 * so when it wants to say what it found, loses nothing: what it could not deliver
 * is in the log still. Each test runs in both fault modes.
 *
 * The array of extents is memory that userfaultfd keeps back: in the middle of
 * delivering, the call waits there for the test to take the struct away.
 *
 * Needs: CONFIG_USERFAULTFD; see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "withheld.h"

#include <pthread.h>

#define CLEAR	MMAPDEMO_DIRTY_LOG_CLEAR

/* Pages that are in the log, each an extent of its own. */
#define WRITTEN	(PAGES(1, 1) | PAGES(3, 1) | PAGES(5, 1) | PAGES(7, 2))
#define EXTENTS	4

/* The last page of the device: where the struct is, if it is in there. */
#define LAST	(LOG_PAGES - 1)

FIXTURE(deliver) {
	struct device dev;
	int fd;
	struct withheld array;
	struct mmapdemo_dirty_log *log;	/* in a page of its own */
	pthread_t thread;
	int error;			/* of the call, or 0 */
};

FAULT_MODES(deliver);

FIXTURE_SETUP(deliver)
{
	const char *missing;

	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	missing = withheld_make(&self->array, 2);
	if (missing)
		DEVICE_SKIP(&self->dev, "needs %s", missing);
	ASSERT_EQ(0, resize(self->fd, LOG_PAGES));
	ASSERT_TRUE(fill(self->fd, 1, 1, 0));
	ASSERT_TRUE(fill(self->fd, 3, 1, 0));
	ASSERT_TRUE(fill(self->fd, 5, 1, 0));
	ASSERT_TRUE(fill(self->fd, 7, 2, 0));
	ASSERT_EQ(WRITTEN, log_bits(self->fd, 0));
	self->log = (void *)map(_metadata, -1, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, 0, 1);
}

FIXTURE_TEARDOWN(deliver)
{
	withheld_free(&self->array);
	device_teardown(_metadata, &self->dev);
}

static void *call(void *arg)
{
	FIXTURE_DATA(deliver) *self = arg;

	self->error = ioctl(self->fd, MMAPDEMO_IOC_DIRTY_LOG, self->log) ?
		      errno : 0;
	return NULL;
}

static void prepare(FIXTURE_DATA(deliver) *self, void *extents)
{
	*self->log = (struct mmapdemo_dirty_log){
		.len = LOG_PAGES * page_size,
		.extents = (uintptr_t)extents,
		.nr_extents = LOG_PAGES,
		.flags = CLEAR,
	};
}

/* Returns when it is about to write to @extents, which are withheld. */
static void start(struct __test_metadata *_metadata,
		  FIXTURE_DATA(deliver) *self, void *extents)
{
	prepare(self, extents);
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, call, self));
	ASSERT_NE(NULL, withheld_wait(&self->array));
}

/* Lets it go on. */
static void finish(struct __test_metadata *_metadata,
		   FIXTURE_DATA(deliver) *self)
{
	ASSERT_TRUE(withheld_give(&self->array, self->array.p));
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
}

/* It failed, with all in the log; the next call that can deliver does. */
#define EXPECT_NOTHING_LOST() do {				\
	EXPECT_EQ(EFAULT, self->error);				\
	EXPECT_EQ(WRITTEN, log_bits(self->fd, 0));		\
	EXPECT_EQ(WRITTEN, log_bits(self->fd, CLEAR));		\
	EXPECT_EQ(0, log_bits(self->fd, 0));			\
} while (0)

TEST_F(deliver, struct_becomes_readonly)
{
	start(_metadata, self, self->array.p);
	EXPECT_EQ(0, mprotect(self->log, page_size, PROT_READ));
	finish(_metadata, self);
	EXPECT_NOTHING_LOST();
	/* As the caller left it. */
	EXPECT_EQ(0, self->log->start);
	EXPECT_EQ(LOG_PAGES, self->log->nr_extents);
}

TEST_F(deliver, struct_is_unmapped)
{
	start(_metadata, self, self->array.p);
	EXPECT_EQ(0, munmap(self->log, page_size));
	finish(_metadata, self);
	EXPECT_NOTHING_LOST();
}

/* The struct is in the device, whose end moves over it. */
TEST_F(deliver, struct_is_truncated)
{
	self->log = (void *)map_shared(_metadata, self->fd, LAST, 1);
	start(_metadata, self, self->array.p);
	EXPECT_EQ(0, resize(self->fd, LAST));
	finish(_metadata, self);
	EXPECT_EQ(0, resize(self->fd, LOG_PAGES));
	EXPECT_NOTHING_LOST();
}

/* Here there is a page again for whoever writes: the call can say it all. */
TEST_F(deliver, struct_is_discarded)
{
	const struct mmapdemo_extent *extents = (void *)self->array.p;

	self->log = (void *)map_shared(_metadata, self->fd, LAST, 1);
	start(_metadata, self, self->array.p);
	EXPECT_EQ(0, discard(self->fd, LAST, 1));
	finish(_metadata, self);
	EXPECT_EQ(0, self->error);
	/* With the struct's own page, which the caller wrote. */
	EXPECT_EQ(EXTENTS + 1, self->log->nr_extents);
	EXPECT_EQ(LOG_PAGES * page_size, self->log->start);
	EXPECT_EQ(7 * page_size, extents[EXTENTS - 1].start);
	EXPECT_EQ(2 * page_size, extents[EXTENTS - 1].len);
	EXPECT_EQ(PAGES(LAST, 1), log_bits(self->fd, 0));
}

/* Of the array the second half goes: the call ends before it. */
TEST_F(deliver, array_becomes_readonly)
{
	char *second = self->array.p + page_size;
	struct mmapdemo_extent *extents = (void *)second;

	extents -= 2;
	start(_metadata, self, extents);
	EXPECT_EQ(0, mprotect(second, page_size, PROT_READ));
	finish(_metadata, self);
	EXPECT_EQ(0, self->error);
	EXPECT_EQ(2, self->log->nr_extents);
	EXPECT_EQ(page_size, extents[0].start);
	EXPECT_EQ(3 * page_size, extents[1].start);
	/* What it says to go on at: nothing before that is left. */
	EXPECT_LT(3 * page_size, self->log->start);
	EXPECT_GE(5 * page_size, self->log->start);
	EXPECT_EQ(LOG_PAGES * page_size, self->log->start + self->log->len);
	EXPECT_EQ(PAGES(5, 1) | PAGES(7, 2), log_bits(self->fd, 0));
}

/* With the struct as well, there is no way to say what was delivered. */
TEST_F(deliver, array_and_struct_become_readonly)
{
	char *second = self->array.p + page_size;

	start(_metadata, self, second - 2 * sizeof(struct mmapdemo_extent));
	EXPECT_EQ(0, mprotect(second, page_size, PROT_READ));
	EXPECT_EQ(0, mprotect(self->log, page_size, PROT_READ));
	finish(_metadata, self);
	EXPECT_NOTHING_LOST();
}

/* Written by others while the call waits, and failed: it is in the log once. */
TEST_F(deliver, written_meanwhile)
{
	start(_metadata, self, self->array.p);
	ASSERT_TRUE(fill(self->fd, 3, 1, 1));
	ASSERT_TRUE(fill(self->fd, 20, 1, 1));
	EXPECT_EQ(0, discard(self->fd, 5, 1));
	EXPECT_EQ(0, mprotect(self->log, page_size, PROT_READ));
	finish(_metadata, self);
	EXPECT_EQ(EFAULT, self->error);
	EXPECT_EQ((WRITTEN & ~PAGES(5, 1)) | PAGES(20, 1),
		  log_bits(self->fd, 0));
	EXPECT_EQ(__builtin_popcountll(WRITTEN), pool_read("dirty"));
}

/* A process whose call waits, and says so. */
static int child_calls(FIXTURE_DATA(deliver) own, int ready)
{
	/* The parent's is not withheld from it. */
	if (withheld_make(&own.array, 1))
		return 1;
	prepare(&own, own.array.p);
	if (pthread_create(&own.thread, NULL, call, &own) ||
	    !withheld_wait(&own.array) || write(ready, "", 1) != 1)
		return 1;
	pthread_join(own.thread, NULL);
	return 0;
}

TEST_F(deliver, caller_is_killed)
{
	int ready[2], status;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	if (!pid)
		_exit(child_calls(*self, ready[1]));
	close(ready[1]);
	EXPECT_EQ(1, read(ready[0], &byte, 1));
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(WRITTEN, log_bits(self->fd, 0));
	close(ready[0]);
}

TEST_HARNESS_MAIN
