/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel's KCOV says of the module's code, for libFuzzer, and what its
 * log says of mistakes. The module is the only code that was built for KCOV
 * (scripts/run/fuzz.sh), so each address is one of its own.
 */
#ifndef MMAPDEMO_FUZZ_KCOV_H
#define MMAPDEMO_FUZZ_KCOV_H

#include "mmapdemo_test.h"

#include <linux/kcov.h>

#define KCOV_FILE	"/sys/kernel/debug/kcov"
#define KCOV_SIZE	(64 << 10)	/* addresses */
#define TEXT_SIZE	(64 << 10)	/* of the module, at most; a power of two */

/* How often each address was met: libFuzzer finds this by the section's name. */
#ifdef __clang__
#pragma clang section bss = "__libfuzzer_extra_counters"
#endif
static __u8 counters[TEXT_SIZE];
#ifdef __clang__
#pragma clang section bss = ""
#endif

/* One for the fuzzer itself, one for the other thread, or a child. */
struct kcov {
	int fd;
	unsigned long *area;
};

static struct kcov kcovs[2];
static unsigned long text_start;
static bool was_met[TEXT_SIZE];
static unsigned int nr_met;
static FILE *coverage_log;
static double coverage_start;

/* Return: whether there is a KCOV, and a module that was built for it. */
static inline bool kcov_setup(const char *log)
{
	char text[32] = "";
	size_t i;

	if (read_file("/sys/module/mmapdemo/sections/.text", text, sizeof(text)))
		return false;
	text_start = strtoul(text, NULL, 0);
	for (i = 0; i < ARRAY_SIZE(kcovs); i++) {
		kcovs[i].fd = open(KCOV_FILE, O_RDWR);
		if (ioctl(kcovs[i].fd, KCOV_INIT_TRACE, KCOV_SIZE))
			return false;
		kcovs[i].area = mmap(NULL, KCOV_SIZE * sizeof(long),
				     PROT_READ | PROT_WRITE, MAP_SHARED,
				     kcovs[i].fd, 0);
		if (kcovs[i].area == MAP_FAILED)
			return false;
	}
	coverage_start = seconds();
	coverage_log = fopen(log, "w");
	return coverage_log;
}

/* The calling thread's calls count from now on. */
static inline void kcov_begin(int i)
{
	if (!kcovs[i].area)
		return;
	__atomic_store_n(kcovs[i].area, 0, __ATOMIC_RELAXED);
	/* While a child of the other thread has it, nothing is lost but that. */
	ioctl(kcovs[i].fd, KCOV_ENABLE, KCOV_TRACE_PC);
}

static inline void kcov_end(int i)
{
	if (kcovs[i].area)
		ioctl(kcovs[i].fd, KCOV_DISABLE, 0);
}

/* Hands on what was met, and notes what never was before, with the time. */
static inline void kcov_collect(int i)
{
	unsigned long n, nr, at;

	if (!kcovs[i].area)
		return;
	nr = __atomic_load_n(kcovs[i].area, __ATOMIC_RELAXED);
	for (n = 1; n <= nr; n++) {
		at = (kcovs[i].area[n] - text_start) % TEXT_SIZE;
		if (counters[at] != 255)
			counters[at]++;
		if (was_met[at])
			continue;
		was_met[at] = true;
		nr_met++;
		fprintf(coverage_log, "%.0f %lx\n", seconds() - coverage_start,
			at);
	}
	__atomic_store_n(kcovs[i].area, 0, __ATOMIC_RELAXED);
}

/* --- The kernel's log --------------------------------------------------- */

static int kmsg = -1;

static inline void kmsg_setup(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	lseek(kmsg, 0, SEEK_END);
}

/* The beginning of what scripts/lib/common.sh finds in a whole log (log_reports()). */
static inline bool is_report(const char *line)
{
	static const char *const marks[] = {
		"BUG: ", "WARNING: ", "KASAN: ", "UBSAN: ", "Oops: ",
		"general protection", "page_table_check", "possible ",
		"inconsistent lock state", "suspicious RCU", "bad unlock",
		"held lock freed", "still has locks held", "soft lockup",
		"blocked for more than", "refcount_t: ", "corruption",
		"Bad page", "Bad rss-counter", "scheduling while atomic",
		"leaked out",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(marks); i++)
		if (strstr(line, marks[i]))
			return true;
	return false;
}

/* Return: whether the kernel has reported something since the last call. */
static inline bool kmsg_has_report(void)
{
	char line[2048], *text;
	bool found = false;
	ssize_t len;

	/* -EPIPE: older ones were overwritten. */
	while ((len = read(kmsg, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		if (len <= 0)
			continue;
		line[len] = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (!is_report(line))
			continue;
		/* Behind its level, number and time. */
		text = strchr(line, ';');
		fprintf(stderr, "# REPORT: %s\n", text ? text + 1 : line);
		found = true;
	}
	return found;
}

#endif /* MMAPDEMO_FUZZ_KCOV_H */
