/* SPDX-License-Identifier: GPL-2.0-only */
/* What /proc says of VMAs, and of the page behind an address; that takes root. */
#ifndef MMAPDEMO_PROC_H
#define MMAPDEMO_PROC_H

#include <linux/kernel-page-flags.h>

#include "device.h"
#include "newer_uapi.h"

#define KPAGEFLAGS	"/proc/kpageflags"

/* KPF_... as page_flags() has it. */
#define KPF_BIT(flag)	(1ULL << (flag))

/* How many VMAs of @what begin in the @nr pages at @p. */
static inline int count_vmas_of(const char *what, const char *p, size_t nr)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	void *start;
	int vmas = 0;

	while (fgets(line, sizeof(line), maps))
		if (strstr(line, what) && sscanf(line, "%p", &start) == 1 &&
		    (char *)start >= p && (char *)start < p + nr * page_size)
			vmas++;
	fclose(maps);
	return vmas;
}

/* The same for those of the device. */
static inline int count_vmas(const char *p, size_t nr)
{
	return count_vmas_of(DEVICE, p, nr);
}

/* Where in its file the VMA that has @p begins, in pages; -1: there is none. */
static inline long vma_pgoff(const void *p)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long long offset;
	long pgoff = -1;
	void *start, *end;
	char line[512];

	while (pgoff < 0 && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%p-%p %*s %llx", &start, &end, &offset) == 3 &&
		    p >= start && p < end)
			pgoff = offset / page_size;
	fclose(maps);
	return pgoff;
}

/*
 * The line "@key: ..." of /proc/self/smaps for the VMA that has @p, without
 * its key. Return: whether there is one.
 */
static inline bool smaps_line(const void *p, const char *key, char *text,
			      size_t size)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	size_t len = strlen(key);
	void *start, *end;
	bool here = false, found = false;
	char line[512];

	while (!found && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%p-%p", &start, &end) == 2)
			here = p >= start && p < end;
		found = here && !strncmp(line, key, len) && line[len] == ':';
	}
	fclose(smaps);
	if (found)
		snprintf(text, size, "%s", line + len + 1);
	return found;
}

/* A figure of it, in KiB ("Rss", "Locked", ...); -1: no such line. */
static inline long smaps_kib(const void *p, const char *key)
{
	char text[512];

	return smaps_line(p, key, text, sizeof(text)) ? atol(text) : -1;
}

/* A figure of this process, in KiB. */
static inline long status_kib(const char *name)
{
	return read_figure("/proc/self/status", name);
}

/* Whether its VmFlags have @flag, two letters as in proc(5). */
static inline bool vma_has_flag(const void *p, const char *flag)
{
	char text[512], word[8];

	snprintf(word, sizeof(word), " %s ", flag);
	return smaps_line(p, "VmFlags", text, sizeof(text)) &&
	       strstr(text, word);
}

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

#endif /* MMAPDEMO_PROC_H */
