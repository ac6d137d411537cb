/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls that are expected to fail, in a child where they need a limit, a
 * credential or a seal that the test itself must not get stuck with.
 */
#ifndef MMAPDEMO_ATTEMPT_H
#define MMAPDEMO_ATTEMPT_H

#include "mmapdemo_test.h"
#include "limit_util.h"
#include "seal.h"

#include <sys/sysinfo.h>

/* The errno of a call that returned @ret; 0: it went well. */
static inline int error_of(long ret)
{
	return ret == -1 ? errno : 0;
}

/* Whether a store to @p gets through; @value is what it stores. */
static inline bool can_write(char *p, int value)
{
	return !touch(p, value).sig;
}

/* Zeroed memory in which a child leaves its results for its parent. */
static inline void *results_alloc(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* More pages than any machine of this one's memory can promise, yet not many. */
static inline size_t pages_beyond_memory(void)
{
	struct sysinfo info;

	if (sysinfo(&info))
		abort();
	return ((__u64)info.totalram + info.totalswap) * info.mem_unit / 4 * 5 /
	       page_size;
}

/*
 * Runs @call with the kernel's default of overcommit: what is obviously too
 * much is refused. Return: what @call returned.
 */
static inline int with_overcommit_guess(int (*call)(void *), void *arg)
{
	char old[16] = "0";
	int ret;

	read_file(OVERCOMMIT, old, sizeof(old));
	write_file(OVERCOMMIT, "0");
	ret = call(arg);
	write_file(OVERCOMMIT, old);
	return ret;
}

#endif /* MMAPDEMO_ATTEMPT_H */
