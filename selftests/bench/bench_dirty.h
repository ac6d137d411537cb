/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What it costs to find the pages that were written, and to clean them, in 1 GiB
 * that is all mapped: by the device's dirty log, and for a memfd by the kernel's
 * soft-dirty bits and by PAGEMAP_SCAN.
 */
#ifndef BENCH_DIRTY_H
#define BENCH_DIRTY_H

#include "bench_pages.h"
#include "newer_uapi.h"

#include <sys/syscall.h>

#define DIRTY_LEN	GIB
#define SOFT_DIRTY	_BITULL(55)

static int pagemap;

/* Return: how many dirty pages there were; they are clean now. */
static size_t harvest_log(struct object *obj, char *p)
{
	(void)p;
	return object_harvest(obj);
}

static size_t harvest_soft_dirty(struct object *obj, char *p)
{
	static __u64 entries[65536];
	off_t pos = (uintptr_t)p / page_size * sizeof(*entries);
	size_t left = obj->nr_pages, found = 0;

	while (left) {
		size_t i, nr = left < ARRAY_SIZE(entries) ?
			       left : ARRAY_SIZE(entries);

		must("pagemap", pread(pagemap, entries, nr * sizeof(*entries),
				      pos));
		for (i = 0; i < nr; i++)
			found += !!(entries[i] & SOFT_DIRTY);
		pos += nr * sizeof(*entries);
		left -= nr;
	}
	object_clean(obj);
	return found;
}

static size_t harvest_scan(struct object *obj, char *p)
{
	static struct page_region regions[MAX_EXTENTS];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.start = (uintptr_t)p, .end = (uintptr_t)p + object_len(obj),
		.vec = (uintptr_t)regions, .vec_len = MAX_EXTENTS,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};
	size_t found = 0;
	long i, nr;

	while (arg.start < arg.end) {
		nr = must("PAGEMAP_SCAN", ioctl(pagemap, PAGEMAP_SCAN, &arg));
		for (i = 0; i < nr; i++)
			found += (regions[i].end - regions[i].start) / page_size;
		arg.start = arg.walk_end;
	}
	return found;
}

/*
 * Lets the kernel write-protect pages and lift that again without asking us.
 * Return: whether it can do that, as Linux can from 6.7 on.
 */
static bool track_by_uffd(struct object *obj, char *p)
{
	struct uffdio_api api = {
		.api = UFFD_API, .features = UFFD_FEATURE_WP_ASYNC,
	};
	struct uffdio_register arg = {
		.range.start = (uintptr_t)p, .range.len = object_len(obj),
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	int fd = must("userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC));

	return !ioctl(fd, UFFDIO_API, &api) &&
	       !ioctl(fd, UFFDIO_REGISTER, &arg);
}

static const struct dirty_subject {
	const char *name;
	const char *object;
	/* Called once, where there is something to be set up. */
	bool (*track)(struct object *obj, char *p);
	size_t (*harvest)(struct object *obj, char *p);
} dirty_subjects[] = {
	{ "device", "device", NULL, harvest_log },
	{ "memfd", "memfd", NULL, harvest_soft_dirty },
	{ "PAGEMAP_SCAN", "memfd", track_by_uffd, harvest_scan },
};

/* One page in so many is dirty; the figure is per dirty page. */
static const struct density {
	const char *name;
	size_t each;
} densities[] = {
	{ "harvest + clean, 0.1 % dirty", 1000 },
	{ "harvest + clean, 1 % dirty", 100 },
	{ "harvest + clean, 10 % dirty", 10 },
};

static void time_harvest(const struct dirty_subject *subject,
			 struct object *obj, char *p, size_t each)
{
	size_t i, nr, found;
	double time;
	int n;

	/* This write-protects what was written before. */
	subject->harvest(obj, p);
	for (n = -1; n < REPETITIONS; n++) {
		for (i = 0, nr = 0; i < obj->nr_pages; i += each, nr++)
			write_byte(p + i * page_size, 1);
		start();
		found = subject->harvest(obj, p);
		time = stop();
		if (found != nr) {
			errno = 0;
			give_up("the harvest is not what was written");
		}
		if (n >= 0)
			result(n, time / nr, "instructions per dirty page");
	}
}

static void bench_dirty(const struct dirty_subject *subject)
{
	bool tracked = true;
	struct object obj;
	size_t i;
	char *p;

	subject_name = subject->name;
	object_create(&obj, subject_by_name(subject->object),
		      DIRTY_LEN / page_size);
	p = object_map(&obj, 0);
	if (subject->track)
		tracked = subject->track(&obj, p);
	write_pages(&obj, p);
	for (i = 0; i < ARRAY_SIZE(densities); i++) {
		operation = densities[i].name;
		if (tracked)
			time_harvest(subject, &obj, p, densities[i].each);
		else
			no_result("needs WP_ASYNC, which is in Linux 6.7");
	}
	object_unmap(&obj, p);
	object_destroy(&obj);
}

static void bench_all_dirty(void)
{
	size_t i;

	group = "dirty";
	pagemap = must("pagemap", open("/proc/self/pagemap", O_RDONLY));
	for (i = 0; i < ARRAY_SIZE(dirty_subjects); i++)
		bench_dirty(dirty_subjects + i);
	close(pagemap);
}

#endif /* BENCH_DIRTY_H */
