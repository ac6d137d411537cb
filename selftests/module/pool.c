// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves the page pool: a cap that is reached exactly and harms nothing, room
 * that comes back, and pages that never show what their last user wrote.
 *
 * Reloads the module with a pool smaller than the device, and in the end as it
 * was. The ids (E04, ...) name the branches of mmap that a test proves.
 * Needs: mmapdemo.ko in the environment variable MMAPDEMO_KO, the right to load
 * it, and a device that nobody has open; else see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "reload.h"

#include <pthread.h>

/* Pages that the pool may hold, and pages of the device. */
#define CAP		256
#define NR_PAGES	(16 * CAP)

FIXTURE(pool) {
	struct device dev;
	int fd;
	size_t cap;		/* in pages */
	char *p;		/* the whole device, shared */
	char old[sizeof(old_parameters)];
};

FAULT_MODES(pool);

FIXTURE_SETUP(pool)
{
	reload_sized(_metadata, self->old, NR_PAGES, CAP);
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->cap = CAP;
	self->p = map_shared(_metadata, self->fd, 0, self->dev.nr_pages);
	ASSERT_EQ((long)self->cap, pool_read("cap"));
}

FIXTURE_TEARDOWN_PARENT(pool)
{
	device_reopen(_metadata, &self->dev);
	device_teardown(_metadata, &self->dev);
	EXPECT_EQ(pool_read("cached"), pool_read("held"));
	reload_teardown(_metadata, self->old);
}

/* Return: how many of @nr pages can be written before the first signal. */
static size_t pages_before_signal(char *p, size_t nr)
{
	touch_pages(p, nr, 'x');
	return trap_count;
}

/* E04: a page at a time, up to the cap and not one further. */
TEST_F(pool, touch_up_to_cap)
{
	char *first = self->p + self->cap * page_size;
	long count = stat_read("sigbus_cap");

	ASSERT_EQ(self->cap, pages_before_signal(self->p, self->cap));
	EXPECT_TRAP(first, 1, SIGBUS, BUS_ADRERR, first);
	EXPECT_TRAP(first, -1, SIGBUS, BUS_ADRERR, first);
	EXPECT_EQ(count + 2, stat_read("sigbus_cap"));
	EXPECT_EQ((long)self->cap, pool_read("stored"));
	/* Stored pages are as they were, and can be written. */
	EXPECT_EQ('x', self->p[(self->cap - 1) * page_size]);
	ASSERT_EQ(0, madvise(self->p, CAP * page_size, MADV_DONTNEED));
	EXPECT_EQ(self->cap, pages_before_signal(self->p, self->cap));
}

/* Q13 */
TEST_F(pool, populate_up_to_cap)
{
	size_t len = (self->cap + 16) * page_size;

	EXPECT_EQ(-1, madvise(self->p, len, MADV_POPULATE_WRITE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ((long)self->cap, pool_read("stored"));
	EXPECT_EQ(-1, nonzero(self->p, self->cap * page_size));
}

/* Short where the cap is, ENOSPC behind it, and all that went in is there. */
TEST_F(pool, write_up_to_cap)
{
	size_t len = (self->cap + 4) * page_size, cap = self->cap * page_size;
	char *data = malloc(len);
	size_t i;

	for (i = 0; i < self->cap + 4; i++)
		make_page(data + i * page_size, i, 0);
	EXPECT_EQ((ssize_t)cap, write(self->fd, data, len));
	EXPECT_EQ((off_t)cap, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(-1, write(self->fd, data, 1));
	EXPECT_EQ(ENOSPC, errno);
	EXPECT_EQ(-1, bad_page(self->p, 0, self->cap, 0));
	/* What needs no new page works as ever. */
	EXPECT_TRUE(fill(self->fd, 0, self->cap, 1));
	EXPECT_EQ(-1, bad_read(self->fd, 0, self->cap, 1));
	free(data);
}

TEST_F(pool, holes_read_at_cap)
{
	char byte = 1;

	ASSERT_TRUE(fill(self->fd, 0, self->cap, 0));
	EXPECT_EQ(1, pread(self->fd, &byte, 1, self->cap * page_size));
	EXPECT_EQ(0, byte);
	EXPECT_EQ(-1, bad_read(self->fd, 0, self->cap, 0));
}

TEST_F(pool, discard_makes_room)
{
	size_t behind = self->cap;

	ASSERT_TRUE(fill(self->fd, 0, self->cap, 0));
	EXPECT_FALSE(fill(self->fd, behind, 1, 1));
	ASSERT_EQ(0, discard(self->fd, 3, 5));
	EXPECT_TRUE(fill(self->fd, behind, 2, 1));
	EXPECT_EQ(3, pages_before_signal(self->p + (behind + 2) * page_size, 4));
	EXPECT_EQ(-1, bad_page(self->p, 0, 3, 0));
	EXPECT_EQ(-1, bad_page(self->p + 8 * page_size, 8, behind - 8, 0));
	EXPECT_EQ(-1, bad_page(self->p + behind * page_size, behind, 2, 1));
}

/* Zeroed by a mapping's fault, and by a write(2) of one byte. */
TEST_F(pool, recycled_pages_are_zero)
{
	size_t half = self->cap / 2 * page_size, offset;
	long recycled = stat_read("pool_recycled");
	char *page = malloc(page_size);

	memset(self->p, 0xa5, self->cap * page_size);
	ASSERT_EQ(0, discard(self->fd, 0, self->dev.nr_pages));
	EXPECT_EQ(-1, nonzero(self->p + half, half));
	for (offset = 0; offset < half; offset += page_size) {
		ASSERT_EQ(1, pwrite(self->fd, "", 1, offset));
		ASSERT_EQ((ssize_t)page_size,
			  pread(self->fd, page, page_size, offset));
		ASSERT_EQ(-1, nonzero(page, page_size));
	}
	EXPECT_EQ(recycled + (long)self->cap, stat_read("pool_recycled"));
	free(page);
}

TEST_F(pool, pages_come_back)
{
	ASSERT_EQ(self->cap, pages_before_signal(self->p, self->cap));
	EXPECT_EQ((long)self->cap, pool_read("held"));
	EXPECT_EQ(0, pool_read("cached"));
	ASSERT_EQ(0, discard(self->fd, 0, self->dev.nr_pages));
	EXPECT_EQ((long)self->cap, pool_read("held"));
	EXPECT_EQ((long)self->cap, pool_read("cached"));
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "2"));
	EXPECT_EQ(0, pool_read("held"));
	EXPECT_EQ(0, pool_read("cached"));
	EXPECT_EQ(stat_read("pool_allocated"), stat_read("pool_freed"));
}

#define ROUNDS	40

struct toucher {
	char *p;
	size_t nr;
	size_t touched;		/* in all rounds */
	pthread_barrier_t *barrier;
};

static void *touch_and_wait(void *arg)
{
	struct toucher *toucher = arg;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(toucher->barrier);
		toucher->touched += pages_before_signal(toucher->p, toucher->nr);
		/* The device is emptied between the two. */
		pthread_barrier_wait(toucher->barrier);
	}
	return NULL;
}

/*
 * Two threads touch the cap's pages on two CPUs, again and again: each a half
 * of its own, or both all of them.
 */
static void touch_cap_from_two_threads(struct __test_metadata *_metadata,
				       FIXTURE_DATA(pool) *self, bool same)
{
	size_t nr = same ? self->cap : self->cap / 2;
	struct toucher toucher[2];
	pthread_barrier_t barrier;
	pthread_t thread[2];
	int i;

	pthread_barrier_init(&barrier, NULL, 3);
	for (i = 0; i < 2; i++) {
		toucher[i] = (struct toucher){
			.p = self->p + (same ? 0 : i * nr * page_size),
			.nr = nr, .barrier = &barrier,
		};
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, touch_and_wait,
					    &toucher[i]));
	}
	for (i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		EXPECT_EQ(0, discard(self->fd, 0, self->cap));
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		EXPECT_EQ(ROUNDS * nr, toucher[i].touched);
	}
}

/* Pages in the other CPU's cache, or in its hands, are not "none left". */
TEST_F(pool, whole_cap_from_two_threads)
{
	touch_cap_from_two_threads(_metadata, self, false);
}

/*
 * K01: whoever comes second to a page needs none. In the moment in which the
 * first has taken the last one, it must not be told that there is none left.
 */
TEST_F(pool, same_pages_from_two_threads)
{
	touch_cap_from_two_threads(_metadata, self, true);
}

static void *keep_shrinking(void *arg)
{
	int *stop = arg;

	while (!__atomic_load_n(stop, __ATOMIC_RELAXED))
		write_file("/proc/sys/vm/drop_caches", "2");
	return NULL;
}

/* X06: nor are pages that the shrinker is giving back. */
TEST_F(pool, whole_cap_under_memory_pressure)
{
	pthread_t thread;
	int stop = 0;

	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_shrinking, &stop));
	touch_cap_from_two_threads(_metadata, self, false);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

TEST_HARNESS_MAIN
