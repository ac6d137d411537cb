/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel's own tracer says of this process, for what no counter
 * tells. In an instance of its own, so that nobody else's tracing is disturbed.
 *
 *	if (!ftrace_event(...))	or ftrace_functions(...)
 *		SKIP, after ftrace_end()
 *	ftrace_on(); the probe; ftrace_off();
 *	... ftrace_count() ...
 *	ftrace_end();
 */
#ifndef MMAPDEMO_FTRACE_H
#define MMAPDEMO_FTRACE_H

#include <sys/stat.h>

#include "files.h"
#include "harness.h"

#define FTRACE	"/sys/kernel/tracing/instances/mmapdemo-test/"

static int ftrace_switch = -1;

/*
 * Return: whether the instance is there, switched off. Its clock is a counter:
 * events stand in the order in which they were, whichever CPU they were on.
 */
static inline bool ftrace_begin(const char *pid_file)
{
	char pid[32];

	rmdir(FTRACE);
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (mkdir(FTRACE, 0700) || write_file(FTRACE "tracing_on", "0") ||
	    write_file(FTRACE "trace_clock", "counter") ||
	    write_file(pid_file, pid))
		return false;
	ftrace_switch = open(FTRACE "tracing_on", O_WRONLY);
	return ftrace_switch >= 0;
}

/* Traces the event @path, "subsystem/name". */
static inline bool ftrace_event(const char *path)
{
	char file[128];

	snprintf(file, sizeof(file), FTRACE "events/%s/enable", path);
	return ftrace_begin(FTRACE "set_event_pid") && !write_file(file, "1");
}

/* Traces the calls of @functions, up to a NULL. */
static inline bool ftrace_functions(const char *const *functions)
{
	char name[64];

	if (!ftrace_begin(FTRACE "set_ftrace_pid"))
		return false;
	for (; *functions; functions++) {
		/* The space ends the name: that of no function is an error. */
		snprintf(name, sizeof(name), "%s ", *functions);
		if (write_file(FTRACE "set_ftrace_filter", name))
			return false;
	}
	return !write_file(FTRACE "current_tracer", "function");
}

/* From here on; what was traced before is forgotten. */
static inline void ftrace_on(void)
{
	close(open(FTRACE "trace", O_WRONLY | O_TRUNC));
	if (write(ftrace_switch, "1", 1) != 1)
		abort();
}

static inline void ftrace_off(void)
{
	if (write(ftrace_switch, "0", 1) != 1)
		abort();
}

/* Counts the lines with @text; *@last becomes the number of the last one. */
static inline long ftrace_find(const char *text, long *last)
{
	FILE *trace = fopen(FTRACE "trace", "r");
	long found = 0, nr = 0;
	char line[512];

	while (fgets(line, sizeof(line), trace)) {
		nr++;
		if (line[0] == '#' || !strstr(line, text))
			continue;
		found++;
		*last = nr;
	}
	fclose(trace);
	return found;
}

static inline long ftrace_count(const char *text)
{
	long last;

	return ftrace_find(text, &last);
}

/* Where the last line with @text stands; 0: nowhere. */
static inline long ftrace_line(const char *text)
{
	long last = 0;

	ftrace_find(text, &last);
	return last;
}

static inline void ftrace_end(void)
{
	close(ftrace_switch);
	ftrace_switch = -1;
	rmdir(FTRACE);
}

#endif /* MMAPDEMO_FTRACE_H */
