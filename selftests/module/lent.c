// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that pages which a pipe still holds when they are discarded count against
 * the pool's cap: splicing and discarding in a loop takes no memory beyond it. And
 * that their room comes back by itself when the pipe lets them go, in which they
 * stay as they were, also when the module goes.
 *
 * Reloads the module with a small pool, and in the end as it was. Each test runs
 * in both fault modes.
 * Needs: see reload.h.
 */
#include "mmapdemo_test.h"
#include "reload.h"

#include <pthread.h>
#include <sys/uio.h>

/* Pages that the pool may hold, and pages of the device. */
#define CAP		64
#define NR_PAGES	(16 * CAP)

FIXTURE(lent) {
	struct device dev;
	int fd;
	char *p;		/* the whole device, shared */
	int pipe[2];		/* has room for more than the cap */
	char old[sizeof(old_parameters)];
};

FAULT_MODES(lent);

FIXTURE_SETUP(lent)
{
	reload_sized(_metadata, self->old, NR_PAGES, CAP);
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->p = map_shared(_metadata, self->fd, 0, NR_PAGES);
	ASSERT_EQ(0, pipe(self->pipe));
	ASSERT_LE((int)(4 * CAP * page_size),
		  fcntl(self->pipe[1], F_SETPIPE_SZ, 4 * CAP * page_size));
}

FIXTURE_TEARDOWN_PARENT(lent)
{
	device_reopen(_metadata, &self->dev);
	device_teardown(_metadata, &self->dev);
	EXPECT_EQ(0, pool_read("lent"));
	EXPECT_EQ(pool_read("cached"), pool_read("held"));
	reload_teardown(_metadata, self->old);
}

static void close_pipe(FIXTURE_DATA(lent) *self)
{
	close(self->pipe[0]);
	close(self->pipe[1]);
}

/*
 * Writes page @pgoff, gives it to the pipe, and discards it. Return: whether there
 * was a page for it.
 */
static bool lend(FIXTURE_DATA(lent) *self, size_t pgoff)
{
	char *p = self->p + pgoff * page_size;
	struct iovec iov = { p, page_size };

	if (touch(p, 0).sig)
		return false;
	make_page(p, pgoff, 1);
	if (vmsplice(self->pipe[1], &iov, 1, 0) != (ssize_t)page_size ||
	    discard(self->fd, pgoff, 1))
		abort();
	return true;
}

/* Return: how many pages went that way, of more than the pool may hold. */
static size_t lend_all(FIXTURE_DATA(lent) *self)
{
	size_t nr = 0;

	while (nr < 3 * CAP && lend(self, nr))
		nr++;
	return nr;
}

/* Whether the next page in the pipe is what page @pgoff was; it is gone then. */
static bool take_from_pipe(FIXTURE_DATA(lent) *self, size_t pgoff)
{
	char *page = malloc(page_size);
	bool ok = read(self->pipe[0], page, page_size) == (ssize_t)page_size &&
		  bad_page(page, pgoff, 1, 1) == -1;

	free(page);
	return ok;
}

TEST_F(lent, at_most_the_cap)
{
	char *next = self->p + 4 * CAP * page_size;
	long forgotten = pool_read("forgotten");
	struct counters seen;
	size_t i;

	ASSERT_EQ(CAP, lend_all(self));
	EXPECT_EQ(CAP, pool_read("lent"));
	EXPECT_EQ(CAP, pool_read("held"));
	EXPECT_EQ(0, pool_read("cached"));
	EXPECT_EQ(0, pool_read("stored"));
	EXPECT_EQ(forgotten, pool_read("forgotten"));
	EXPECT_EQ(CAP, stat_read("pool_allocated") - stat_read("pool_freed"));

	/* As when they are stored. */
	counters_start(&seen);
	EXPECT_TRAP(next, 1, SIGBUS, BUS_ADRERR, next);
	EXPECT_TRAP(next, -1, SIGBUS, BUS_ADRERR, next);
	EXPECT_COUNTED(&seen, { "sigbus_cap", 2 });
	EXPECT_ERRNO(ENOSPC, pwrite(self->fd, "x", 1, 0));
	EXPECT_ERRNO(EFAULT, madvise(next, page_size, MADV_POPULATE_WRITE));
	for (i = 0; i < CAP; i++)
		ASSERT_TRUE(take_from_pipe(self, i));
	EXPECT_EQ(0, pool_read("lent"));
	EXPECT_EQ(CAP, pool_read("cached"));
	close_pipe(self);
}

/* Also what is removed by a new size, and what is stored counts with it. */
TEST_F(lent, stored_and_truncated)
{
	size_t half = CAP / 2;
	struct iovec iov = { self->p + page_size, half * page_size };

	ASSERT_TRUE(fill(self->fd, 0, 1 + half, 1));
	ASSERT_EQ((ssize_t)iov.iov_len, vmsplice(self->pipe[1], &iov, 1, 0));
	ASSERT_EQ(0, resize(self->fd, 1));
	ASSERT_EQ(0, resize(self->fd, NR_PAGES));
	EXPECT_EQ(half, pool_read("lent"));
	EXPECT_EQ(1, pool_read("stored"));
	/* Up to the cap, and none further. */
	EXPECT_FALSE(fill(self->fd, 1, CAP, 2));
	EXPECT_EQ(CAP - half, pool_read("stored"));
	EXPECT_EQ(half, pool_read("lent"));
	EXPECT_EQ(CAP, pool_read("held"));
	EXPECT_EQ(-1, bad_read(self->fd, 1, CAP - half - 1, 2));
	EXPECT_TRUE(take_from_pipe(self, 1));
	EXPECT_TRUE(fill(self->fd, CAP - half, 1, 2));
	EXPECT_FALSE(fill(self->fd, CAP - half + 1, 1, 2));
	close_pipe(self);
}

/*
 * Nobody tells the pool: whoever needs a page finds out. Nor does this test ask
 * for what is lent, as that would be a look, too.
 */
TEST_F(lent, room_comes_back_by_itself)
{
	char *p = self->p + 4 * CAP * page_size;
	size_t i;

	ASSERT_EQ(CAP, lend_all(self));
	for (i = 0; i < 4; i++, p += page_size) {
		EXPECT_TRUE(take_from_pipe(self, i));
		EXPECT_EQ(0, touch(p, i % 2 ? 1 : -1).sig);
		/* Nothing of what it was. */
		EXPECT_EQ(-1, nonzero(p + 1, page_size - 1));
		EXPECT_EQ(SIGBUS, touch(p + page_size, 1).sig);
	}
	EXPECT_TRUE(take_from_pipe(self, i));
	EXPECT_EQ(1, pwrite(self->fd, "x", 1, 0));
	EXPECT_ERRNO(ENOSPC, pwrite(self->fd, "x", 1, page_size));
	EXPECT_EQ(5, stat_read("pool_recycled"));
	/* All of it, with the pipe. */
	close_pipe(self);
	touch_pages(p, CAP, 1);
	EXPECT_EQ(CAP - 5, trap_count);
	EXPECT_EQ(CAP, stat_read("pool_recycled"));
	EXPECT_EQ(CAP, stat_read("pool_allocated"));
	EXPECT_EQ(CAP, pool_read("stored"));
}

/* And the system gets it, if that is in need. */
TEST_F(lent, memory_pressure)
{
	ASSERT_EQ(CAP, lend_all(self));
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "2"));
	EXPECT_EQ(0, stat_read("pool_freed"));
	close_pipe(self);
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "2"));
	EXPECT_EQ(CAP, stat_read("pool_freed"));
	EXPECT_EQ(0, pool_read("held"));
}

static void *keep_reading(void *arg)
{
	FIXTURE_DATA(lent) *self = arg;
	size_t i;

	for (i = 0; i < NR_PAGES; i++)
		if (!take_from_pipe(self, i))
			return "a page was not as it had been";
	return NULL;
}

/* With a pipe that is read, and smaller than the cap, there is always room. */
TEST_F(lent, as_much_as_the_pipe_holds)
{
	void *failed = NULL;
	pthread_t thread;
	size_t i;

	ASSERT_LE(0, fcntl(self->pipe[1], F_SETPIPE_SZ, CAP / 2 * page_size));
	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_reading, self));
	for (i = 0; i < NR_PAGES; i++)
		ASSERT_TRUE(lend(self, i))
			TH_LOG("page %zu", i);
	ASSERT_EQ(0, pthread_join(thread, &failed));
	EXPECT_EQ(NULL, failed);
	EXPECT_EQ(0, pool_read("lent"));
	close_pipe(self);
}

/* They are the pipe's own from then on, whatever the next module does. */
TEST_F(lent, module_is_unloaded)
{
	size_t i;
	int fd;

	ASSERT_EQ(CAP, lend_all(self));
	ASSERT_EQ(0, munmap(self->p, NR_PAGES * page_size));
	close(self->fd);
	ASSERT_EQ(0, unload())
		TH_LOG("rmmod mmapdemo: %s", strerror(errno));
	ASSERT_EQ(0, load(""));
	fd = open(DEVICE, O_RDWR);
	EXPECT_TRUE(fill(fd, 0, 2 * CAP, 2));
	EXPECT_EQ(0, pool_read("lent"));
	for (i = 0; i < CAP; i++)
		ASSERT_TRUE(take_from_pipe(self, i));
	EXPECT_EQ(-1, bad_read(fd, 0, 2 * CAP, 2));
	close_pipe(self);
	close(fd);
}

TEST_HARNESS_MAIN
