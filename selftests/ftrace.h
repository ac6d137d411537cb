/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which functions of the module ran, in their order: what no counter tells.
 * In an instance of the function tracer that is nobody else's.
 */
#ifndef MMAPDEMO_FTRACE_H
#define MMAPDEMO_FTRACE_H

#include <sys/stat.h>

#define TRACE		"/sys/kernel/tracing/instances/mmapdemo-test"

/* Return: whether the kernel has the tracer, and now traces both functions. */
static inline bool trace_start(const char *function, const char *other)
{
	/* One at a time: it takes no more per write(2). */
	return (!mkdir(TRACE, 0700) || errno == EEXIST) &&
	       !write_file(TRACE "/set_ftrace_filter", function) &&
	       !write_file(TRACE "/set_ftrace_filter", other) &&
	       !write_file(TRACE "/current_tracer", "function");
}

/* Stops. Return: for free(): the functions that this process called, " a b". */
static inline char *trace_stop(void)
{
	char line[512], name[64], *called = calloc(1, 1), *at;
	FILE *trace;
	int pid;

	write_file(TRACE "/tracing_on", "0");
	trace = fopen(TRACE "/trace", "r");
	while (trace && fgets(line, sizeof(line), trace)) {
		/* "  program-PID   [CPU] flags  time: function <-caller" */
		at = strstr(line, " [");
		while (at && at > line && at[-1] == ' ')
			at--;
		while (at && at > line && at[-1] != '-')
			at--;
		if (line[0] == '#' || !at || sscanf(at, "%d", &pid) != 1 ||
		    pid != getpid() || !strstr(at, ": ") ||
		    sscanf(strstr(at, ": "), ": %63s", name) != 1)
			continue;
		called = realloc(called, strlen(called) + strlen(name) + 2);
		strcat(strcat(called, " "), name);
	}
	if (trace)
		fclose(trace);
	write_file(TRACE "/current_tracer", "nop");
	rmdir(TRACE);
	return called;
}

#endif /* MMAPDEMO_FTRACE_H */
