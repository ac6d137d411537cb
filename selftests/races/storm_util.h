/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a worker of storm.c does: each function one thing, to a range of its
 * mappings or of the device. Whether it succeeds is nobody's concern, as the
 * others do the same at the same time; but what it reads must make sense.
 */
#ifndef MMAPDEMO_STORM_UTIL_H
#define MMAPDEMO_STORM_UTIL_H

#include <sys/prctl.h>
#include <sys/uio.h>

#include "mmapdemo_test.h"
#include "race.h"

#define NR	24		/* pages that the storm is over */
#define SHORT	8		/* the device never has less */
#define NODE	DEVICE_FILE("/dev/shm/%s-node")

struct worker {
	int fd;
	char *shared, *private;
	int pipe[2];
	char *buffer;
	unsigned int seed;
	int wrong;		/* bytes that were neither 0 nor the tag */
};

/* The range that an operation works on. */
struct range {
	size_t page, nr;
	size_t offset, len;
};

static inline char tag(size_t page)
{
	return page + 1;
}

static inline unsigned int draw(struct worker *w, unsigned int below)
{
	return rand_r(&w->seed) % below;
}

static inline void check_byte(struct worker *w, size_t page, char byte)
{
	w->wrong += byte && byte != tag(page);
}

/* Return: the byte at @p; 0 where touching it raises a signal. */
static inline char peek(const char *p)
{
	trap_armed = 1;
	if (!sigsetjmp(trap_env, 1)) {
		char byte = read_byte(p);

		trap_armed = 0;
		return byte;
	}
	trap_armed = 0;
	return 0;
}

static inline void do_read(struct worker *w, struct range r)
{
	size_t i;

	for (i = r.page; i < r.page + r.nr; i++) {
		check_byte(w, i, peek(w->shared + i * page_size));
		check_byte(w, i, peek(w->private + i * page_size + 1));
	}
}

static inline void do_write(struct worker *w, struct range r)
{
	size_t i;

	for (i = r.page; i < r.page + r.nr; i++)
		touch(w->shared + i * page_size + draw(w, 4), tag(i));
}

static inline void do_copy(struct worker *w, struct range r)
{
	touch(w->private + r.offset, tag(r.page));
	if (draw(w, 2))
		madvise(w->private + r.offset, r.len, MADV_DONTNEED);
}

static inline void do_dontneed(struct worker *w, struct range r)
{
	madvise(w->shared + r.offset, r.len, MADV_DONTNEED);
}

static inline void do_populate(struct worker *w, struct range r)
{
	madvise(w->shared + r.offset, r.len, MADV_POPULATE_WRITE);
}

static inline void do_lock(struct worker *w, struct range r)
{
	mlock(w->shared + r.offset, r.len);
	munlock(w->shared + r.offset, r.len);
}

static inline void do_protect(struct worker *w, struct range r)
{
	mprotect(w->shared + r.offset, r.len, PROT_READ);
	check_byte(w, r.page, peek(w->shared + r.offset));
	mprotect(w->shared + r.offset, r.len, PROT_READ | PROT_WRITE);
}

/* A hole in the mapping, and the mapping again. */
static inline void do_unmap(struct worker *w, struct range r)
{
	munmap(w->shared + r.offset, r.len);
	mmap(w->shared + r.offset, r.len, PROT_READ | PROT_WRITE,
	     MAP_SHARED | MAP_FIXED, w->fd, r.offset);
}

/* To another place; fails while it is in several VMAs. */
static inline void do_move(struct worker *w, struct range r)
{
	char *to = mmap(NULL, NR * page_size, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (to == MAP_FAILED)
		return;
	if (mremap(w->shared, NR * page_size, NR * page_size,
		   MREMAP_MAYMOVE | MREMAP_FIXED, to) == to)
		w->shared = to;
	else
		munmap(to, NR * page_size);
	check_byte(w, r.page, peek(w->shared + r.offset));
}

/* A second mapping of the range; longer, past the end and away. */
static inline void do_grow(struct worker *w, struct range r)
{
	char *p = mmap(NULL, r.len, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd,
		       r.offset);
	char *q = MAP_FAILED;

	if (p == MAP_FAILED)
		return;
	touch(p, tag(r.page));
	q = mremap(p, r.len, 2 * NR * page_size, MREMAP_MAYMOVE);
	if (q == MAP_FAILED) {
		munmap(p, r.len);
		return;
	}
	check_byte(w, r.page, peek(q));
	check_byte(w, r.page + NR, peek(q + NR * page_size));
	munmap(q, 2 * NR * page_size);
}

static inline void do_open(struct worker *w, struct range r)
{
	int fd = open(w->seed % 2 ? DEVICE : NODE, O_RDWR);
	char *p = mmap(NULL, r.len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       r.offset);

	close(fd);
	if (p == MAP_FAILED)
		return;
	touch(p, tag(r.page));
	check_byte(w, r.page, peek(p));
	munmap(p, r.len);
}

/*
 * The child is gone when this returns, although signals interrupt the wait, and
 * dies with its parent: who looks for stale pages later must be alone.
 */
static inline void do_fork(struct worker *w, struct range r)
{
	pid_t parent = getpid(), pid = fork();
	int status = 0;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		do_read(w, r);
		do_write(w, r);
		do_copy(w, r);
		_exit(w->wrong != 0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) != pid)
		;
	w->wrong += status != 0;
}

static inline void do_discard(struct worker *w, struct range r)
{
	discard(w->fd, r.page, r.nr);
}

static inline void do_resize(struct worker *w, struct range r)
{
	resize(w->fd, SHORT + (r.page + r.nr) % (NR - SHORT + 1));
}

static inline void do_sync(struct worker *w, struct range r)
{
	struct mmapdemo_extent extent[4];

	if (draw(w, 2))
		msync(w->shared + r.offset, r.len, MS_SYNC);
	else
		harvest(w->fd, r.page + r.nr, extent, 4);
}

static inline void do_seek(struct worker *w, struct range r)
{
	lseek(w->fd, lseek(w->fd, r.offset, SEEK_DATA), SEEK_HOLE);
}

/* W06: the device's own mapping as the buffer, of the very same pages. */
static inline void do_write_call(struct worker *w, struct range r)
{
	char byte = tag(r.page);

	if (pwrite(w->fd, &byte, 1, r.offset + draw(w, 4)) < 0)
		return;
	if (pwrite(w->fd, w->shared + r.offset, r.len, r.offset) < 0)
		return;
}

static inline void do_read_call(struct worker *w, struct range r)
{
	ssize_t i, len = pread(w->fd, w->buffer, r.len, r.offset);

	for (i = 0; i < len; i += page_size / 2)
		check_byte(w, r.page + i / page_size, w->buffer[i]);
	if (pread(w->fd, draw(w, 2) ? w->shared + r.offset :
		  w->private + r.offset, r.len, r.offset) < 0)
		return;
}

/* X06: pages in a pipe are nobody's any more, and keep what they show. */
static inline void do_pipe(struct worker *w, struct range r)
{
	char byte[2] = { tag(r.page), 0 };
	struct iovec part = { w->shared + r.offset, 1 };

	if (vmsplice(w->pipe[1], &part, 1, SPLICE_F_NONBLOCK) != 1)
		return;
	discard(w->fd, r.page, 1);
	if (read(w->pipe[0], byte + 1, 1) == 1)
		check_byte(w, r.page, byte[1]);
}

#endif /* MMAPDEMO_STORM_UTIL_H */
