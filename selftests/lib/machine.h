/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs from one machine to the next: which kernel it has, how many
 * addresses a process, and how large the device can be. The one that runs is
 * asked.
 */
#ifndef MMAPDEMO_MACHINE_H
#define MMAPDEMO_MACHINE_H

#include <sys/utsname.h>

#include "files.h"
#include "harness.h"
#include "pages.h"

/* Whether the running kernel is older than @version.@patchlevel. */
static inline bool kernel_before(int version, int patchlevel)
{
	struct utsname name;
	int v = 0, p = 0;

	if (uname(&name) || sscanf(name.release, "%d.%d", &v, &p) != 2)
		abort();
	return v < version || (v == version && p < patchlevel);
}

/* Whether the kernel's longs have 64 bits; a program's may have 32 there. */
static inline bool kernel_is_64bit(void)
{
	struct utsname name;

	uname(&name);
	return strstr(name.machine, "64");
}

/* Whether the kernel can count on where a long of this program wraps. */
static inline bool kernel_is_wider(void)
{
	return sizeof(long) < 8 && kernel_is_64bit();
}

static inline bool is_past_the_space(uintptr_t addr)
{
	void *p = mmap((void *)addr, page_size, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p != MAP_FAILED)
		munmap(p, page_size);
	/* EEXIST, or EPERM for the lowest ones: they could be used. */
	return p == MAP_FAILED && errno == ENOMEM;
}

/*
 * The first address behind those that a process may have. Asked for once: it
 * takes many calls, which a test may be counting, or failing.
 */
static inline uintptr_t task_size(void)
{
	static uintptr_t last;
	uintptr_t step;

	if (last)
		return last + page_size;
	for (step = UINTPTR_MAX / 2 + 1; step >= page_size; step /= 2)
		if (!is_past_the_space(last + step))
			last += step;
	return last + page_size;
}

/*
 * How many levels of page tables there are at least: each table is a page of
 * entries, of which none is shorter than a long.
 */
static inline unsigned int table_levels(void)
{
	uintptr_t last = task_size() / page_size - 1;
	unsigned int levels = 0;

	for (; last; last /= page_size / sizeof(long))
		levels++;
	return levels;
}

/*
 * Some sixteenths into the address space, far from everything else: no page
 * table of any level is there.
 */
static inline char *far_away(unsigned int sixteenths)
{
	const uintptr_t align = table_span();

	return (char *)((task_size() / 16 + align - 1) / align * align *
			sixteenths);
}

/* What one entry above the lowest page tables maps; 0: no huge pages. */
static inline size_t huge_page_size(void)
{
	char text[32] = "0";

	read_file("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", text,
		  sizeof(text));
	return strtoul(text, NULL, 10);
}

/* Files have none of more pages (linux/pagemap.h, MAX_PAGECACHE_ORDER). */
#define MAX_FILE_ORDER		11
#define NEEDS_HUGE_FILES	"needs huge pages of at most 2^11 pages"

/* The order of one of a file's; -1: there are none. */
static inline int huge_file_order(void)
{
	size_t nr = huge_page_size() / page_size;

	return nr && nr <= 1 << MAX_FILE_ORDER ? __builtin_ctzl(nr) : -1;
}

/*
 * The largest device, which can be mapped to its last page: of a character
 * device mmap(2) takes as many bytes as an unsigned long of the kernel counts,
 * of any file as many as a position does.
 */
static inline __u64 largest_size(void)
{
	return (kernel_is_64bit() ? INT64_MAX : UINT32_MAX) / page_size *
	       page_size;
}

/* The last page that mmap(2) can begin at: mmap2(2) counts by 4096 bytes. */
static inline off_t largest_offset(void)
{
	return sizeof(long) < 8 ? UINT32_MAX * 4096LL : INT64_MAX - page_size;
}

#endif /* MMAPDEMO_MACHINE_H */
