/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sealing a mapping, as the tests of it do. Nothing lifts a seal but the end of
 * the process: it is always a child's.
 */
#ifndef MMAPDEMO_MSEAL_UTIL_H
#define MMAPDEMO_MSEAL_UTIL_H

#include "mmapdemo_test.h"
#include "proc.h"
#include "syscalls.h"

#define NR	8

/* A child's own pages, with one of no file before and one behind them. */
struct sealed {
	int fd;
	size_t end;		/* of the device, in pages */
	char *p;		/* NR pages of it */
};

static inline bool is_sealed(const void *p)
{
	return vma_has_flag(p, "sl");
}

static inline void sealed_map(struct sealed *s, size_t pgoff)
{
	s->p = mmap(NULL, (NR + 2) * page_size, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	s->p = mmap(s->p + page_size, NR * page_size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, s->fd, pgoff * page_size);
	if (s->p == MAP_FAILED)
		abort();
}

/* What a child says of a mismatch, and exits with. */
static inline int complain(const char *what, int result)
{
	fprintf(stderr, "# %s: %s\n", what, strerror(result));
	return 1;
}

static inline int do_munmap(struct sealed *s)
{
	return munmap(s->p, NR * page_size) ? errno : 0;
}

#endif /* MMAPDEMO_MSEAL_UTIL_H */
