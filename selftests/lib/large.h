/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device so large that a call which works through all of it takes a while: the
 * module with parameters of the test's own, and in the end as it was. Needs what
 * reload.h does.
 */
#ifndef MMAPDEMO_LARGE_H
#define MMAPDEMO_LARGE_H

#include "mmapdemo_test.h"
#include "reload.h"

#define LARGE		32768UL	/* pages */
#define LARGE_SEED	9

/* What FIXTUREs embed. */
struct large {
	struct device dev;
	int fd;
	char *p;		/* all of it, shared */
	char old[sizeof(old_parameters)];
};

static inline void large_setup(struct __test_metadata *_metadata,
			       struct large *large)
{
	long kib = LARGE * (page_size = sysconf(_SC_PAGESIZE)) / 1024;
	char parameters[64];

	/* Its pages, the core's tables, and all others. */
	if (read_figure("/proc/meminfo", "MemAvailable") < 2 * kib)
		SKIP_TEST("needs %ld MiB of memory", 2 * kib / 1024);
	reload_setup(_metadata);
	memcpy(large->old, old_parameters, sizeof(large->old));
	snprintf(parameters, sizeof(parameters), "size=%ldK pool_size=%ldK",
		 kib, kib);
	ASSERT_EQ(0, unload())
		TH_LOG("rmmod mmapdemo: %s", strerror(errno));
	ASSERT_EQ(0, load(parameters))
		TH_LOG("insmod mmapdemo %s: %s", parameters, strerror(errno));
	device_setup(_metadata, &large->dev, false);
	large->fd = large->dev.fd;
	large->p = map_shared(_metadata, large->fd, 0, LARGE);
}

/* In the parent. */
static inline void large_teardown(struct __test_metadata *_metadata,
				  struct large *large)
{
	device_reopen(_metadata, &large->dev);
	device_teardown(_metadata, &large->dev);
	reload_teardown(_metadata, large->old);
}

/* Makes @nr pages from @pgoff on, as fill() does, and in a page table of ours. */
static inline void large_fill(struct __test_metadata *_metadata,
			      struct large *large, size_t pgoff, size_t nr)
{
	size_t i;

	for (i = pgoff; i < pgoff + nr; i++)
		make_page(large->p + i * page_size, i, LARGE_SEED);
	ASSERT_LE(nr, pool_read("stored"));
}

#endif /* MMAPDEMO_LARGE_H */
