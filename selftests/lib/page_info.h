/* SPDX-License-Identifier: GPL-2.0-only */
/* What /proc says of the page behind an address; it takes root. */
#ifndef MMAPDEMO_PAGE_INFO_H
#define MMAPDEMO_PAGE_INFO_H

#include <linux/kernel-page-flags.h>

/* An architecture's own, and not in every kernel's header. */
#ifndef KPF_ARCH
#define KPF_ARCH	38
#endif

#define KPAGEFLAGS	"/proc/kpageflags"

/* KPF_... as page_flags() has it. */
#define KPF_BIT(flag)	(1ULL << (flag))

/* The page frame that process @pid has at @p; 0: none, or not in memory. */
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

/* The word for a page frame in a file that has one for each. */
static inline __u64 page_word(const char *path, __u64 pfn)
{
	int fd = open(path, O_RDONLY);
	__u64 word = 0;

	if (!pfn || pread(fd, &word, sizeof(word), pfn * sizeof(word)) !=
		    sizeof(word)) {
		fprintf(stderr, "%s: nothing for page frame %llu\n", path,
			(unsigned long long)pfn);
		abort();
	}
	close(fd);
	return word;
}

/* KPF_BIT()s of a page frame. */
static inline __u64 page_flags(__u64 pfn)
{
	return page_word(KPAGEFLAGS, pfn);
}

/* Whether the page at @p has the flag, KPF_... */
static inline bool page_has_flag(const void *p, int flag)
{
	return page_flags(pfn_of(p)) & KPF_BIT(flag);
}

/* In how many places it is mapped. */
static inline long page_mapcount(const void *p)
{
	return page_word("/proc/kpagecount", pfn_of(p));
}

#endif /* MMAPDEMO_PAGE_INFO_H */
