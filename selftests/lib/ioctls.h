/* SPDX-License-Identifier: GPL-2.0-only */
/* The ioctls as several selftests call them, and what goes with that. */
#ifndef MMAPDEMO_IOCTLS_H
#define MMAPDEMO_IOCTLS_H

#include "mmapdemo_test.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

static inline struct mmapdemo_info device_info(int fd)
{
	struct mmapdemo_info info = { 0 };

	if (ioctl(fd, MMAPDEMO_IOC_INFO, &info))
		perror("MMAPDEMO_IOC_INFO");
	return info;
}

/* How much of the device log_bits() shows, and how its bits are written. */
#define LOG_PAGES	64
static inline __u64 PAGES(unsigned int first, unsigned int nr)
{
	return nr < 64 ? ((1ULL << nr) - 1) << first : ~0ULL;
}

/*
 * The dirty log of the device's first pages, a bit for each. What breaks the
 * ioctl's promises about extents ends the test here.
 */
static inline __u64 log_bits(int fd, __u32 flags)
{
	struct mmapdemo_extent extents[LOG_PAGES];
	struct mmapdemo_dirty_log arg = {
		.len = LOG_PAGES * page_size,
		.extents = (uintptr_t)extents,
		.nr_extents = LOG_PAGES,
		.flags = flags,
	};
	__u64 bits = 0, last = 0;
	__u32 i;

	if (ioctl(fd, MMAPDEMO_IOC_DIRTY_LOG, &arg) || arg.len ||
	    arg.start != LOG_PAGES * page_size) {
		fprintf(stderr, "MMAPDEMO_IOC_DIRTY_LOG: %s\n",
			strerror(errno));
		abort();
	}
	for (i = 0; i < arg.nr_extents; i++) {
		__u64 start = extents[i].start, len = extents[i].len;

		/* Were they next to each other, they would be one. */
		if (start % page_size || len % page_size || !len ||
		    (i && start <= last) || start + len > arg.start) {
			fprintf(stderr, "bad extent %u: %llu+%llu\n", i,
				(unsigned long long)start,
				(unsigned long long)len);
			abort();
		}
		last = start + len;
		bits |= PAGES(start / page_size, len / page_size);
	}
	return bits;
}

/* Opens the device through a node of the test's own; negative: no. */
static inline int open_second_node(int fd)
{
	const char *node = DEVICE "-test";
	struct stat st;

	unlink(node);
	if (fstat(fd, &st) || mknod(node, S_IFCHR | 0600, st.st_rdev))
		return -1;
	fd = open(node, O_RDWR);
	unlink(node);
	return fd;
}

#endif /* MMAPDEMO_IOCTLS_H */
