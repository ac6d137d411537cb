// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures what a mapping of /dev/mmapdemo costs, next to other memory that can
 * be mapped. scripts/measure/bench.sh runs it in a guest, scripts/measure/bench.py makes tables
 * of what it prints: a line per figure, with the fields group, operation,
 * subject, repetition, value and unit, divided by tabs. Where a subject cannot
 * do an operation, repetition and value are "-" and the last field says why.
 *
 * "count" measures the work of one CPU, for a guest whose clock counts
 * instructions; "scale" what a second CPU adds, for one with two of them;
 * "profile" the named operations on the named subjects, for scripts/measure/profile.sh;
 * "list" prints their operations' names, anywhere.
 *
 * Needs the module with pool_size=1G, root, and a guest of its own: it empties
 * the device. Exit status: 0; 1 something is missing or failed; 2 bad usage.
 */
#include "bench_dirty.h"
#include "bench_growth.h"
#include "bench_pages.h"
#include "bench_scaling.h"

#include <sys/prctl.h>

static void bench_pages(void)
{
	size_t i, k;

	group = "pages";
	for (i = 0; i < ARRAY_SIZE(page_operations); i++) {
		for (k = 0; k < ARRAY_SIZE(subjects); k++)
			page_operation(page_operations + i, subjects + k);
		progress(page_operations[i].name);
	}
}

static void bench_count(void)
{
	bench_pages();
	bench_growth();
	progress("growth");
	bench_memory();
	progress("memory");
	bench_all_dirty();
	progress("dirty pages");
}

/* Of names, by turns an operation's and a subject's. */
static void bench_named(char **name)
{
	size_t i;

	group = "pages";
	for (; name[0] && name[1]; name += 2)
		for (i = 0; i < ARRAY_SIZE(page_operations); i++)
			if (!strcmp(page_operations[i].name, name[0]))
				page_operation(page_operations + i,
					       subject_by_name(name[1]));
}

static void list_operations(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(page_operations); i++)
		puts(page_operations[i].name);
}

int main(int argc, char **argv)
{
	page_size = sysconf(_SC_PAGESIZE);
	/* All are to be measured by pages of one size. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (argc == 2 && !strcmp(argv[1], "count")) {
		bench_count();
	} else if (argc == 2 && !strcmp(argv[1], "scale")) {
		bench_scaling();
	} else if (argc > 3 && !strcmp(argv[1], "profile")) {
		bench_named(argv + 2);
	} else if (argc == 2 && !strcmp(argv[1], "list")) {
		list_operations();
	} else {
		fprintf(stderr, "Usage: bench count|scale|list|profile OPERATION SUBJECT...\n");
		return 2;
	}
	return 0;
}
