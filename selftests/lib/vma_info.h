/* SPDX-License-Identifier: GPL-2.0-only */
/* What /proc says of the caller's VMAs, and which kernel says it. */
#ifndef MMAPDEMO_VMA_INFO_H
#define MMAPDEMO_VMA_INFO_H

#include <sys/utsname.h>

/* Whether the running kernel is older than @version.@patchlevel. */
static inline bool kernel_before(int version, int patchlevel)
{
	struct utsname name;
	int v = 0, p = 0;

	if (uname(&name) || sscanf(name.release, "%d.%d", &v, &p) != 2)
		abort();
	return v < version || (v == version && p < patchlevel);
}

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

/* Whether its VmFlags have @flag, two letters as in proc(5). */
static inline bool vma_has_flag(const void *p, const char *flag)
{
	char text[512], word[8];

	snprintf(word, sizeof(word), " %s ", flag);
	return smaps_line(p, "VmFlags", text, sizeof(text)) &&
	       strstr(text, word);
}

#endif /* MMAPDEMO_VMA_INFO_H */
