/* SPDX-License-Identifier: GPL-2.0-only */
/* What all parts of the benchmark use: a clock, results, and how to give up. */
#ifndef BENCH_UTIL_H
#define BENCH_UTIL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "../../module/uapi/mmapdemo.h"

#define REPETITIONS	5

#define MIB		(1024 * 1024UL)
#define GIB		(1024 * MIB)

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof(*(array)))

static size_t page_size;

/* What is measured now, for results and for messages. */
static const char *group, *operation, *subject_name;

static void give_up(const char *what)
{
	fflush(stdout);
	fprintf(stderr, "bench: %s, %s: %s: %s\n", operation, subject_name,
		what, strerror(errno));
	exit(1);
}

/* For calls that return a negative number when they fail. */
static long must(const char *what, long ret)
{
	if (ret < 0)
		give_up(what);
	return ret;
}

static void *must_map(void *p)
{
	if (p == MAP_FAILED)
		give_up("mmap");
	return p;
}

static void write_file(const char *path, const char *text)
{
	int fd = must(path, open(path, O_WRONLY));

	must(path, write(fd, text, strlen(text)));
	close(fd);
}

static double nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

/*
 * What was done before may have left work to others: pages to free after an
 * RCU grace period, output for the terminal. Let them do it now, on our CPU.
 */
static void settle(void)
{
	fflush(stdout);
	usleep(20000);
}

/*
 * Where a measurement starts and stops, for scripts/measure/profile-plugin.c: it knows
 * the instruction. To everybody else it is a move that does nothing.
 */
static inline void mark_start(void)
{
#ifdef __x86_64__
	asm volatile("movl $0x6d6d6101, %%eax" : : : "eax", "memory");
#endif
}

static inline void mark_stop(void)
{
#ifdef __x86_64__
	asm volatile("movl $0x6d6d6102, %%eax" : : : "eax", "memory");
#endif
}

/* One line per figure, its fields divided by tabs. */
static void result(int repetition, double value, const char *unit)
{
	printf("%s\t%s\t%s\t%d\t%.4f\t%s\n", group, operation, subject_name,
	       repetition, value, unit);
}

/* And one where there is none. */
static void no_result(const char *reason)
{
	printf("%s\t%s\t%s\t-\t-\t%s\n", group, operation, subject_name,
	       reason);
}

/* For whoever waits: it takes minutes. */
static void progress(const char *what)
{
	fflush(stdout);
	fprintf(stderr, "measured: %s\n", what);
}

#endif /* BENCH_UTIL_H */
