/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device, or a memfd in its place, with a mapping that a userfaultfd watches:
 * what a test expects of the one it expects of the other.
 */
#ifndef MMAPDEMO_UFFD_UTIL_H
#define MMAPDEMO_UFFD_UTIL_H

#include "mmapdemo_test.h"
#include "uffd.h"

#include <pthread.h>
#include <stdatomic.h>

#define NR	8	/* pages of the file, and of the mapping */
#define WRITTEN	4	/* the first of them hold data, the others are holes */

#define SHARED_FIXTURE(fixture)						\
	FIXTURE(fixture) {						\
		struct watched w;					\
	};								\
	FIXTURE_VARIANT(fixture) {					\
		bool memfd;						\
	};								\
	FIXTURE_VARIANT_ADD(fixture, device) {				\
		.memfd = false,						\
	};								\
	FIXTURE_VARIANT_ADD(fixture, memfd) {				\
		.memfd = true,						\
	};								\
	FIXTURE_SETUP(fixture)						\
	{								\
		watched_setup(_metadata, &self->w, variant->memfd);	\
	}								\
	FIXTURE_TEARDOWN(fixture)					\
	{								\
		watched_teardown(_metadata, &self->w);			\
	}

struct watched {
	struct device dev;
	bool memfd;
	int fd, uffd;
	char *p;
};

/* Nothing is watched yet. */
static inline void watched_setup(struct __test_metadata *_metadata,
				 struct watched *w, bool memfd)
{
	if (kernel_before(7, 3))
		SKIP_TEST("needs vm_uffd_ops, which is in Linux 7.3");
	device_setup(_metadata, &w->dev, false);
	w->memfd = memfd;
	w->uffd = open_uffd(UFFD_FEATURE_WP_HUGETLBFS_SHMEM);
	if (missing(w->uffd))
		DEVICE_SKIP(&w->dev, "needs %s", missing(w->uffd));
	ASSERT_LE(0, w->uffd);
	w->fd = memfd ? memfd_create("watched", 0) : w->dev.fd;
	ASSERT_LE(0, w->fd);
	ASSERT_EQ(0, memfd ? ftruncate(w->fd, NR * page_size) :
			     resize(w->fd, NR));
	ASSERT_TRUE(fill(w->fd, 0, WRITTEN, 0));
	w->p = map_shared(_metadata, w->fd, 0, NR);
}

static inline void watched_teardown(struct __test_metadata *_metadata,
				    struct watched *w)
{
	close(w->uffd);
	munmap(w->p, NR * page_size);
	if (w->memfd)
		close(w->fd);
	device_teardown(_metadata, &w->dev);
}

/* Forgets what was written so far; nothing is there to be forgotten of a memfd. */
static inline int watched_clean(const struct watched *w)
{
	return w->memfd ? 0 : clean_all(w->fd);
}

/* Whether the device's log has these pages and no others. */
static inline bool watched_log_is(const struct watched *w, __u64 bits)
{
	return w->memfd || log_bits(w->fd, 0) == bits;
}

static inline int watched_punch(const struct watched *w, size_t pgoff, size_t nr)
{
	return w->memfd ? fallocate(w->fd, FALLOC_FL_PUNCH_HOLE |
				    FALLOC_FL_KEEP_SIZE, pgoff * page_size,
				    nr * page_size) :
			  discard(w->fd, pgoff, nr);
}

static inline int watched_resize(const struct watched *w, size_t nr)
{
	return w->memfd ? ftruncate(w->fd, nr * page_size) : resize(w->fd, nr);
}

/* The byte of the file at the start of a page, as read(2) has it. */
static inline int watched_byte(const struct watched *w, size_t pgoff)
{
	char byte;

	return pread(w->fd, &byte, 1, pgoff * page_size) == 1 ? byte : -1;
}

/* A thread that reads a byte, or writes one, and may have to wait. */
struct accessor {
	pthread_t thread;
	char *p;
	int value;	/* as for touch() */
	struct trap trap;
	atomic_bool done;
};

static void *accessor_run(void *arg)
{
	struct accessor *a = arg;

	a->trap = touch(a->p, a->value);
	a->done = true;
	return NULL;
}

static inline void start_access(struct accessor *a, char *p, int value)
{
	*a = (struct accessor){ .p = p, .value = value };
	if (pthread_create(&a->thread, NULL, accessor_run, a))
		abort();
}

/* Return: the signal that it got; 0: it got through. */
static inline int end_access(struct accessor *a)
{
	pthread_join(a->thread, NULL);
	return a->trap.sig;
}

#define WRITE_WAITS	(UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE)

/* A write that waits now, of @value to @p. Return: whether it does. */
static inline bool start_waiting_write(const struct watched *w,
				       struct accessor *a, char *p, int value)
{
	start_access(a, p, value);
	return uffd_waits_at(w->uffd, p, WRITE_WAITS) && !a->done;
}

#endif /* MMAPDEMO_UFFD_UTIL_H */
