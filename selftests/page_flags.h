/* SPDX-License-Identifier: GPL-2.0-only */
/* Which page is behind an address, and what the kernel has marked it with. */
#ifndef MMAPDEMO_PAGE_FLAGS_H
#define MMAPDEMO_PAGE_FLAGS_H

#include "mmapdemo_test.h"

#include <linux/kernel-page-flags.h>

#define KPAGEFLAGS	"/proc/kpageflags"

/* KPF_... as page_flags() has it. */
#define KPF_BIT(flag)	(1ULL << (flag))

/* The page that process @pid has at @p; 0: none, or not in memory. */
static inline __u64 pfn_in(pid_t pid, const void *p)
{
	char path[64];
	__u64 entry = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY);
	if (pread(fd, &entry, sizeof(entry),
		  (uintptr_t)p / page_size * sizeof(entry)) != sizeof(entry))
		abort();
	close(fd);
	return entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
}

static inline __u64 pfn_of(const void *p)
{
	return pfn_in(getpid(), p);
}

/* KPF_BIT()s of a page. */
static inline __u64 page_flags(__u64 pfn)
{
	int fd = open(KPAGEFLAGS, O_RDONLY);
	__u64 flags;

	if (pread(fd, &flags, sizeof(flags), pfn * sizeof(flags)) !=
	    sizeof(flags))
		abort();
	close(fd);
	return flags;
}

#endif /* MMAPDEMO_PAGE_FLAGS_H */
