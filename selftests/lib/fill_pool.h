/* SPDX-License-Identifier: GPL-2.0-only */
/* Brings the page pool to its cap, where what is a hole cannot be touched. */
#ifndef MMAPDEMO_FILL_POOL_H
#define MMAPDEMO_FILL_POOL_H

#include "mmapdemo_test.h"

/* Stores zeros from page @pgoff on, until the pool has room for @spare pages. */
static inline bool fill_pool(int fd, size_t pgoff, long spare)
{
	long left = pool_read("cap") - pool_read("stored") - spare;
	char *zeros = calloc(64, page_size);

	while (left > 0) {
		size_t nr = left < 64 ? left : 64;

		if (pwrite(fd, zeros, nr * page_size, pgoff * page_size) !=
		    (ssize_t)(nr * page_size))
			break;
		pgoff += nr;
		left -= nr;
	}
	free(zeros);
	return !left;
}

#endif /* MMAPDEMO_FILL_POOL_H */
