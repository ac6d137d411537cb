/* SPDX-License-Identifier: GPL-2.0-only */
/* What /proc says of the page behind an address; it takes root. */
#ifndef MMAPDEMO_PAGE_INFO_H
#define MMAPDEMO_PAGE_INFO_H

#include <linux/kernel-page-flags.h>

/* The word for the page at @p in a file that has one for each page frame. */
static inline __u64 page_word(const char *path, const void *p)
{
	__u64 pfn = pagemap_entry(p) & ((1ULL << 55) - 1), word = 0;
	int fd = open(path, O_RDONLY);

	if (!pfn || pread(fd, &word, sizeof(word), pfn * sizeof(word)) !=
		    sizeof(word)) {
		fprintf(stderr, "%s: nothing for %p\n", path, p);
		abort();
	}
	close(fd);
	return word;
}

/* In how many places it is mapped. */
static inline long page_mapcount(const void *p)
{
	return page_word("/proc/kpagecount", p);
}

/* Whether it has the flag, KPF_... */
static inline bool page_has_flag(const void *p, int flag)
{
	return page_word("/proc/kpageflags", p) >> flag & 1;
}

#endif /* MMAPDEMO_PAGE_INFO_H */
