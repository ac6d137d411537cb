/* SPDX-License-Identifier: GPL-2.0-only */
/* How cost and memory grow with the size of a mapping, and of what it holds. */
#ifndef BENCH_GROWTH_H
#define BENCH_GROWTH_H

#include "bench_pages.h"

#include <glob.h>

/*
 * Of a mapping that is larger than this, only so much is touched, in runs of
 * pages that share a page table, evenly over its length.
 */
#define TOUCHED		(64 * MIB)
#define RUN		(2 * MIB)
/* And what is smaller than this is done several times over. */
#define ENOUGH		(8 * MIB)

#define HOLES_LEN	(64 * GIB)
#define STORED_LEN	(512 * MIB)

static double write_runs(struct object *obj, char *p)
{
	size_t len = object_len(obj), run = len < RUN ? len : RUN;
	size_t nr = (len < TOUCHED ? len : TOUCHED) / run, i, offset;
	double time;

	start();
	for (i = 0; i < nr; i++) {
		for (offset = 0; offset < run; offset += page_size)
			write_byte(p + len / nr * i + offset, 1);
	}
	time = stop();
	return time / (nr * run / page_size);
}

static double map_and_write(const struct subject *subject, size_t len)
{
	struct object obj;
	double cost;
	char *p;

	object_create(&obj, subject, len / page_size);
	p = object_map(&obj, 0);
	cost = write_runs(&obj, p);
	object_unmap(&obj, p);
	object_destroy(&obj);
	return cost;
}

static void growth(const struct subject *subject, size_t len)
{
	int i, k, times = len < ENOUGH ? ENOUGH / len : 1;
	static char name[32];

	snprintf(name, sizeof(name), "mapping of %zu MiB", len / MIB);
	operation = name;
	subject_name = subject->name;
	for (i = -1; i < REPETITIONS; i++) {
		double cost = 0;

		for (k = 0; k < times; k++)
			cost += map_and_write(subject, len) / times;
		if (i >= 0)
			result(i, cost, PER_PAGE);
	}
}

static void bench_growth(void)
{
	static const char * const names[] = { "device", "memfd", "private" };
	size_t i, len;

	group = "growth";
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		for (len = MIB; len <= 4 * GIB; len *= 8)
			growth(subject_by_name(names[i]), len);
	}
}

/* Slabs that are empty were of use before, and would be again. */
static void shrink_slabs(void)
{
	glob_t caches;
	size_t i;

	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &caches))
		return;
	for (i = 0; i < caches.gl_pathc; i++)
		write_file(caches.gl_pathv[i], "1");
	globfree(&caches);
}

/* What the kernel takes for itself, in bytes. */
static double kernel_memory(void)
{
	static const char * const keys[] = {
		"Slab:", "PageTables:", "VmallocUsed:", "Percpu:",
	};
	char line[128];
	double sum = 0;
	size_t i;
	FILE *f;

	settle();
	shrink_slabs();
	f = fopen("/proc/meminfo", "r");
	while (f && fgets(line, sizeof(line), f)) {
		for (i = 0; i < ARRAY_SIZE(keys); i++) {
			if (!strncmp(line, keys[i], strlen(keys[i])))
				sum += atol(line + strlen(keys[i])) * 1024.0;
		}
	}
	if (f)
		fclose(f);
	return sum;
}

/* Stored by write(2), so that no page table is among it. */
static double memory_stored(struct object *obj)
{
	static char buffer[MIB];
	double before = kernel_memory();
	size_t pos;

	for (pos = 0; pos < object_len(obj); pos += sizeof(buffer))
		must("write", pwrite(obj->fd, buffer, sizeof(buffer), pos));
	return (kernel_memory() - before) / obj->nr_pages;
}

/* All of it mapped, and some of it read: it stays a hole. */
static double memory_hole(struct object *obj)
{
	static char buffer[MIB];
	double before = kernel_memory();
	char *p = object_map(obj, 0);
	size_t pos;
	double cost;

	for (pos = 0; pos < object_len(obj); pos += object_len(obj) / 256)
		must("read", pread(obj->fd, buffer, sizeof(buffer), pos));
	cost = (kernel_memory() - before) / obj->nr_pages;
	object_unmap(obj, p);
	return cost;
}

static void memory(const char *what, double (*measure)(struct object *obj),
		   const struct subject *subject, size_t len)
{
	struct object obj;
	int i;

	operation = what;
	subject_name = subject->name;
	for (i = -1; i < REPETITIONS; i++) {
		double bytes;

		object_create(&obj, subject, len / page_size);
		bytes = measure(&obj);
		object_destroy(&obj);
		if (i >= 0)
			result(i, bytes, "bytes");
	}
}

static void bench_memory(void)
{
	static const char * const names[] = { "device", "memfd" };
	size_t i;

	group = "memory";
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		const struct subject *subject = subject_by_name(names[i]);

		memory("metadata per stored page", memory_stored, subject,
		       STORED_LEN);
		memory("metadata per hole", memory_hole, subject, HOLES_LEN);
	}
}

#endif /* BENCH_GROWTH_H */
