/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tour is told with: steps, figures, checks, and the counters of the
 * device. Kept apart so that tour.c is about mappings alone.
 */
#ifndef TOUR_UTIL_H
#define TOUR_UTIL_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "../../module/uapi/mmapdemo.h"

#define DEVICE		"/dev/mmapdemo"
#define PARAMETERS	"/sys/module/mmapdemo/parameters/"
#define DEBUGFS		"/sys/kernel/debug/mmapdemo/"

static int fd;			/* the open device */
static size_t page;		/* bytes in a page */
static size_t device_pages;	/* pages in the device */

static bool colour;
static int nr_steps, nr_checks, nr_wrong;

/* The start and the end of something shown in a colour; or nothing. */
#define BOLD	(colour ? "\033[1m" : "")
#define GREEN	(colour ? "\033[32m" : "")
#define RED	(colour ? "\033[1;31m" : "")
#define PLAIN	(colour ? "\033[m" : "")

#define give_up(...) do {			\
	fflush(stdout);				\
	fprintf(stderr, __VA_ARGS__);		\
	exit(2);				\
} while (0)

static void step(const char *title, const char *text)
{
	printf("\n%s%2d. %s%s\n%s\n", BOLD, ++nr_steps, title, PLAIN, text);
}

static void verdict(bool right)
{
	nr_checks++;
	nr_wrong += !right;
	printf("  %s%s%s", right ? GREEN : RED, right ? "ok" : "WRONG", PLAIN);
}

/* Shows a figure and what it has to be. */
static void check(const char *what, long seen, long expected)
{
	printf("      %-54s %8ld", what, seen);
	verdict(seen == expected);
	if (seen != expected)
		printf(", not %ld", expected);
	putchar('\n');
}

/* The same for text of up to 24 characters. */
static void check_text(const char *what, const char *seen, const char *expected)
{
	char quoted[32];

	snprintf(quoted, sizeof(quoted), "\"%.24s\"", seen);
	printf("      %-36s %26s", what, quoted);
	verdict(!strcmp(seen, expected));
	if (strcmp(seen, expected))
		printf(", not \"%s\"", expected);
	putchar('\n');
}

/* The number that a file in /sys holds. */
static long read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	long number = -1;

	if (f) {
		if (fscanf(f, "%ld", &number) != 1)
			number = -1;
		fclose(f);
	}
	return number;
}

static bool insert_mode(void)
{
	FILE *f = fopen(PARAMETERS "fault_mode", "r");
	int c = f ? fgetc(f) : 'm';

	if (f)
		fclose(f);
	return c == 'i';
}

/* The counters that the tour shows, and what they count. */
static const struct counter {
	const char *name;
	const char *what;
} counters[] = {
	{ "mmap",		"mappings made by mmap(2)" },
	{ "vma_open",		"mappings copied or split (open handler)" },
	{ "vma_close",		"mappings that ended (close handler)" },
	{ "fault_read",		"faults: a read of a page not mapped" },
	{ "fault_write",	"faults: a write, shared" },
	{ "fault_cow",		"faults: a write, private" },
	{ "map_pages",		"faults met by fault-around alone" },
	{ "inserted",		"pages mapped by fault_mode=insert" },
	{ "mkwrite",		"first writes noticed (page_mkwrite)" },
	{ "dirtied",		"pages that entered the dirty log" },
	{ "cleaned",		"pages cleaned by msync or fsync" },
	{ "sigbus_size",	"faults past the end (SIGBUS)" },
	{ "discarded",		"pages discarded" },
	{ "pool_allocated",	"pages taken from the system" },
	{ "pool_recycled",	"pages used again" },
};

#define NR_COUNTERS	(sizeof(counters) / sizeof(*counters))

struct counts {
	long count[NR_COUNTERS];
	long minor_faults;	/* of this process, as getrusage(2) has it */
};

static struct counts tour_start, before, after;

/* Reads the lines "name number" of a debugfs file. */
static long read_figure(const char *file, const char *name)
{
	char path[64], key[32];
	long number = 0;
	FILE *f;

	snprintf(path, sizeof(path), DEBUGFS "%s", file);
	f = fopen(path, "r");
	if (!f)
		give_up("tour: %s: %s\n", path, strerror(errno));
	while (fscanf(f, "%31s %ld", key, &number) == 2 && strcmp(key, name))
		number = 0;
	fclose(f);
	return number;
}

static long pool(const char *name)
{
	return read_figure("pool", name);
}

static long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

static void count(struct counts *counts)
{
	size_t i;

	for (i = 0; i < NR_COUNTERS; i++)
		counts->count[i] = read_figure("stats", counters[i].name);
}

/* What happens between these two is what growth() tells of. */
static void begin(void)
{
	count(&before);
	before.minor_faults = minor_faults();
}

static void end(void)
{
	after.minor_faults = minor_faults();
	count(&after);
}

static size_t counter_index(const char *name)
{
	size_t i = 0;

	while (strcmp(counters[i].name, name))
		i++;
	return i;
}

static long growth(const char *name)
{
	size_t i = counter_index(name);

	return after.count[i] - before.count[i];
}

/* Shows how much a counter grew between begin() and end(). */
static void check_growth(const char *name, long expected)
{
	check(counters[counter_index(name)].what, growth(name), expected);
}

static void print_summary(void)
{
	struct counts now;
	size_t i;

	count(&now);
	printf("\n%s%-44s%10s%10s%10s%s\n", BOLD, "The device's counters",
	       "before", "after", "growth", PLAIN);
	for (i = 0; i < NR_COUNTERS; i++)
		printf("  %-42s%10ld%10ld%+10ld\n", counters[i].what,
		       tour_start.count[i], now.count[i],
		       now.count[i] - tour_start.count[i]);
}

/* A line of /proc/self/smaps, in KiB, for the mapping that starts at @p. */
static long smaps_kib(const void *p, const char *key)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	unsigned long start, stop;
	bool ours = false;
	long kib = -1;

	while (f && kib < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &stop) == 2)
			ours = start == (unsigned long)p;
		else if (ours && !strncmp(line, key, strlen(key)))
			kib = atol(line + strlen(key) + 1);
	}
	if (f)
		fclose(f);
	return kib;
}

/* How many of @nr pages at @p this process has in its page table. */
static long count_mapped(const void *p, size_t nr)
{
	FILE *f = fopen("/proc/self/pagemap", "r");
	__u64 entry;
	long mapped = 0;

	if (!f || fseek(f, (uintptr_t)p / page * sizeof(entry), SEEK_SET))
		return -1;
	while (nr-- && fread(&entry, sizeof(entry), 1, f) == 1)
		mapped += entry >> 63;
	fclose(f);
	return mapped;
}

/* How many of @nr pages at @p are there to be mapped, whether they are or not. */
static long count_stored(void *p, size_t nr)
{
	unsigned char *core = calloc(nr, 1);
	long stored = 0;

	if (mincore(p, nr * page, core))
		give_up("tour: mincore: %s\n", strerror(errno));
	while (nr--)
		stored += core[nr] & 1;
	free(core);
	return stored;
}

/* What the kernel says of an access that it refuses. */
struct trap {
	int sig;
	int code;
	void *addr;
};

static sigjmp_buf trap_env;
static struct trap trap;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	trap = (struct trap){ sig, info->si_code, info->si_addr };
	siglongjmp(trap_env, 1);
}

/* Reads the byte at @p; where that gets a signal, catches it. */
static struct trap try_read(const char *p)
{
	struct sigaction act = {
		.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO,
	};

	sigaction(SIGBUS, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
	trap = (struct trap){ 0 };
	if (!sigsetjmp(trap_env, 1))
		read_byte(p);
	signal(SIGBUS, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	return trap;
}

/* Runs @fn in a child process and waits for its end. */
static void in_child(void (*fn)(void *), void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		fn(arg);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		give_up("tour: fork: %s\n", strerror(errno));
	check("exit status of the child", status, 0);
}

static char *map(size_t pgoff, size_t nr, int flags)
{
	char *p = mmap(NULL, nr * page, PROT_READ | PROT_WRITE, flags, fd,
		       pgoff * page);

	if (p == MAP_FAILED)
		give_up("tour: mmap: %s\n", strerror(errno));
	return p;
}

static char *map_shared(size_t pgoff, size_t nr)
{
	return map(pgoff, nr, MAP_SHARED);
}

#endif /* TOUR_UTIL_H */
