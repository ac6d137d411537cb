/* SPDX-License-Identifier: GPL-2.0-only */
/* Mappings, what is in their pages, and which of them are in the page tables. */
#ifndef MMAPDEMO_PAGES_H
#define MMAPDEMO_PAGES_H

#include "access.h"
#include "harness.h"

/* Mappings of @nr pages from page @pgoff on; fail the test if they fail. */
static inline char *map(struct __test_metadata *_metadata, int fd, int prot,
			int flags, size_t pgoff, size_t nr)
{
	char *p = mmap(NULL, nr * page_size, prot, flags, fd,
		       pgoff * page_size);

	ASSERT_NE(MAP_FAILED, p);
	return p;
}

static inline char *map_shared(struct __test_metadata *_metadata, int fd,
			       size_t pgoff, size_t nr)
{
	return map(_metadata, fd, PROT_READ | PROT_WRITE, MAP_SHARED, pgoff,
		   nr);
}

static inline char *map_private(struct __test_metadata *_metadata, int fd,
				size_t pgoff, size_t nr)
{
	return map(_metadata, fd, PROT_READ | PROT_WRITE, MAP_PRIVATE, pgoff,
		   nr);
}

/* A file on tmpfs, for a test that shows where the device is another. */
static inline int memfd_of(size_t nr)
{
	int fd = memfd_create("like", MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, nr * page_size))
		abort();
	return fd;
}

/* What one page table maps, or more: no entry in it is shorter than a long. */
static inline size_t table_span(void)
{
	return page_size / sizeof(long) * page_size;
}

/* Addresses with nothing behind them, on a boundary of page tables. */
static inline char *reserve(struct __test_metadata *_metadata, size_t nr)
{
	size_t align = table_span(), len = nr * page_size + align;
	char *p = mmap(NULL, len, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *start = (char *)(((uintptr_t)p + align - 1) & -align);

	ASSERT_NE(MAP_FAILED, p);
	return start;
}

/* A mapping there: no window of fault-around begins in its middle. */
static inline char *map_aligned(struct __test_metadata *_metadata, int fd,
				int prot, int flags, size_t pgoff, size_t nr)
{
	char *p = reserve(_metadata, nr);

	ASSERT_EQ(p, mmap(p, nr * page_size, prot, flags | MAP_FIXED, fd,
			  pgoff * page_size));
	return p;
}

/*
 * A page's contents, different for each page and @seed and in each word: a
 * page at the wrong place, or a shifted one, is noticed.
 */
static inline void make_page(void *page, size_t pgoff, unsigned int seed)
{
	__u64 *word = page, first = (__u64)(seed + 1) << 56 | pgoff << 20;
	size_t i;

	for (i = 0; i < page_size / sizeof(*word); i++)
		word[i] = first | i;
}

/* Writes @nr made pages with write(2). Return: whether all went in. */
static inline bool fill(int fd, size_t pgoff, size_t nr, unsigned int seed)
{
	char *page = calloc(1, page_size);
	bool ok = true;

	for (; ok && nr; nr--, pgoff++) {
		make_page(page, pgoff, seed);
		ok = pwrite(fd, page, page_size, pgoff * page_size) ==
		     (ssize_t)page_size;
	}
	free(page);
	return ok;
}

/* Return: which of @nr pages at @p is not as made; -1: each is. */
static inline long bad_page(const char *p, size_t pgoff, size_t nr,
			    unsigned int seed)
{
	char *page = calloc(1, page_size);
	long bad = -1;
	size_t i;

	for (i = 0; i < nr && bad < 0; i++) {
		make_page(page, pgoff + i, seed);
		if (memcmp(p + i * page_size, page, page_size))
			bad = i;
	}
	free(page);
	return bad;
}

/* The same for what read(2) sees. */
static inline long bad_read(int fd, size_t pgoff, size_t nr, unsigned int seed)
{
	char *pages = malloc(nr * page_size);
	long bad = -2;

	if (pread(fd, pages, nr * page_size, pgoff * page_size) ==
	    (ssize_t)(nr * page_size))
		bad = bad_page(pages, pgoff, nr, seed);
	free(pages);
	return bad;
}

/* Return: the offset of the first byte that is not zero; -1: all are. */
static inline long nonzero(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i])
			return i;
	return -1;
}

/* What /proc/self/pagemap says of the page at @p. */
static inline __u64 pagemap_entry(const void *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	__u64 entry = 0;

	if (pread(fd, &entry, sizeof(entry),
		  (uintptr_t)p / page_size * sizeof(entry)) != sizeof(entry))
		abort();
	close(fd);
	return entry;
}

/* Whether this process has a page-table entry for @p. */
static inline bool is_mapped(const void *p)
{
	return pagemap_entry(p) >> 63;
}

static inline long count_mapped(const char *p, size_t nr)
{
	long mapped = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		mapped += is_mapped(p + i * page_size);
	return mapped;
}

/* Reads one byte of each of @nr pages. */
static inline void read_pages(const char *p, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		read_byte(p + i * page_size);
}

/* Writes one byte of each of @nr pages. */
static inline void write_pages(char *p, size_t nr, char value)
{
	size_t i;

	for (i = 0; i < nr; i++)
		write_byte(p + i * page_size, value);
}

#endif /* MMAPDEMO_PAGES_H */
