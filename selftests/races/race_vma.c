// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that no write is lost while the mapping that it goes through is taken
 * away, replaced, emptied or write-protected by another thread: it is in the
 * device at once, and in the dirty log until somebody has read that. Each test
 * runs in both fault modes, against the clock (MMAPDEMO_SECONDS, see
 * race.h).
 *
 * The ids (X05, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; two CPUs to be worth its time.
 */
#include "mmapdemo_test.h"
#include "race.h"

#include <pthread.h>

#define NR	8

RACE_FIXTURE(race_vma)

struct writer {
	char *p;		/* the mapping that changes */
	char *witness;		/* another one, that does not */
	unsigned long repeated;
	int rounds, stop, lost;
	pthread_t thread;
};

/*
 * The only one that writes. A signal says that the mapping is not there, or
 * cannot be written, just now: the write has not happened and is tried again.
 */
static void *keep_writing(void *arg)
{
	struct writer *w = arg;
	size_t page;
	int byte;

	for (byte = 1; !stopped(&w->stop); byte = byte % 127 + 1) {
		for (page = 0; page < NR; page++) {
			size_t offset = page * page_size;

			while (!stopped(&w->stop) &&
			       touch(w->p + offset, byte).sig == SIGSEGV)
				w->repeated++;
			if (!stopped(&w->stop) && w->witness[offset] != byte)
				w->lost++;
		}
		__atomic_fetch_add(&w->rounds, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void start_writing(struct __test_metadata *_metadata,
			  struct writer *w, int fd)
{
	w->p = map_shared(_metadata, fd, 0, NR);
	w->witness = map(_metadata, fd, PROT_READ, MAP_SHARED, 0, NR);
	ASSERT_EQ(0, pthread_create(&w->thread, NULL, keep_writing, w));
}

/* Time is not over before it has written each page. */
static bool still_on(const struct writer *w, double end)
{
	return seconds() < end ||
	       !__atomic_load_n(&w->rounds, __ATOMIC_ACQUIRE);
}

static void stop_writing(struct __test_metadata *_metadata, struct writer *w)
{
	stop_now(&w->stop);
	ASSERT_EQ(0, pthread_join(w->thread, NULL));
	EXPECT_EQ(0, w->lost);
	TH_LOG("%d rounds, %lu writes repeated", w->rounds, w->repeated);
	EXPECT_EQ(NR, pool_read("stored"));
}

static void drop_pages(struct writer *w, int fd, size_t first, size_t nr)
{
	(void)fd;
	madvise(w->p + first * page_size, nr * page_size, MADV_DONTNEED);
}

static void unmap_and_map(struct writer *w, int fd, size_t first, size_t nr)
{
	char *p = w->p + first * page_size;

	munmap(p, nr * page_size);
	mmap(p, nr * page_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
	     fd, first * page_size);
}

static void map_over(struct writer *w, int fd, size_t first, size_t nr)
{
	mmap(w->p + first * page_size, nr * page_size, PROT_READ | PROT_WRITE,
	     MAP_SHARED | MAP_FIXED, fd, first * page_size);
}

static void (*const changes[])(struct writer *w, int fd, size_t first,
			       size_t nr) = {
	drop_pages, unmap_and_map, map_over,
};

/* On ranges that change, so that page-table entries go from both ends. */
TEST_F_TIMEOUT(race_vma, X05_unmap_against_fault, RACE_TIMEOUT)
{
	struct writer w = { 0 };
	double end = race_end();
	size_t i;

	start_writing(_metadata, &w, self->fd);
	for (i = 0; still_on(&w, end); i++)
		changes[i % ARRAY_SIZE(changes)](&w, self->fd, i % NR,
						 1 + i / NR % (NR - i % NR));
	stop_writing(_metadata, &w);
}

/* Copies into @replica what the dirty log says has been written. */
static int replicate(int fd, char *replica)
{
	struct mmapdemo_extent extents[NR];
	int i, nr = harvest(fd, NR, extents, NR);

	for (i = 0; i < nr; i++)
		if (pread(fd, replica + extents[i].start, extents[i].len,
			  extents[i].start) != (ssize_t)extents[i].len)
			return -1;
	return nr;
}

/*
 * A page that turns read-only and writable again may keep a page-table entry
 * that is dirty, and with it the right to write without asking: not beyond a
 * harvest, or the replica would miss what is written then.
 */
TEST_F_TIMEOUT(race_vma, X05_X02_mprotect_against_write, RACE_TIMEOUT)
{
	char replica[NR * page_size], device[NR * page_size];
	struct writer w = { 0 };
	double end = race_end();
	size_t i;

	memset(replica, 0, sizeof(replica));
	start_writing(_metadata, &w, self->fd);
	for (i = 0; still_on(&w, end); i++) {
		size_t page = i % NR, len = (1 + i % (NR - page)) * page_size;
		char *p = w.p + page * page_size;

		ASSERT_EQ(0, mprotect(p, len, PROT_READ));
		if (i % 3 == 0)
			ASSERT_LE(0, replicate(self->fd, replica));
		ASSERT_EQ(0, mprotect(p, len, PROT_READ | PROT_WRITE));
		if (i % 3 == 1)
			ASSERT_LE(0, replicate(self->fd, replica));
	}
	stop_writing(_metadata, &w);
	ASSERT_LE(0, replicate(self->fd, replica));
	ASSERT_EQ((ssize_t)sizeof(device),
		  pread(self->fd, device, sizeof(device), 0));
	for (i = 0; i < NR; i++)
		EXPECT_EQ(device[i * page_size], replica[i * page_size]);
}

TEST_HARNESS_MAIN
