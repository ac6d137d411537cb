/* SPDX-License-Identifier: GPL-2.0-only */
/* The process that a test is, and its children. */
#ifndef MMAPDEMO_PROCESS_H
#define MMAPDEMO_PROCESS_H

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "files.h"
#include "harness.h"
#include "trap.h"

/* What each test begins with, in its own process. */
static inline void process_setup(void)
{
	page_size = sysconf(_SC_PAGESIZE);
	catch_signals();
}

/*
 * Runs @fn in a child. Return: what @fn returned, as an exit status, or 128
 * plus the signal that ended the child. Not for ASSERTs: on older kernels'
 * harness they do not reach the parent.
 */
static inline int in_child(int (*fn)(void *), void *arg)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(fn(arg));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Zeroed memory in which a child leaves its results for its parent. */
static inline void *results_alloc(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* A child that stands still, with the caller's memory as it is now. */
static inline pid_t start_waiting(void)
{
	pid_t pid = fork();

	if (!pid) {
		/* It does not outlive its parent. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

/* Returns when all that it had is closed. */
static inline void end_waiting(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The byte that process @pid has at @p, or -errno. */
static inline int process_peek(pid_t pid, const char *p)
{
	char byte;
	struct iovec local = { &byte, 1 }, remote = { (void *)p, 1 };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == 1 ?
	       byte : -errno;
}

/* Writes it as the process itself would. Return: 0, or -errno. */
static inline int process_poke(pid_t pid, char *p, char byte)
{
	struct iovec local = { &byte, 1 }, remote = { p, 1 };

	return process_vm_writev(pid, &local, 1, &remote, 1, 0) == 1 ?
	       0 : -errno;
}

#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"

/* A child that ends with a core of what @filter says (coredump_filter). */
struct core_dump {
	const char *filter;
	bool (*prepare)(void *arg);	/* in the child, before; or NULL */
	void *arg;
};

static inline int child_dumps_core(void *arg)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	const struct core_dump *dump = arg;

	if (setrlimit(RLIMIT_CORE, &unlimited) ||
	    write_file("/proc/self/coredump_filter", dump->filter) ||
	    (dump->prepare && !dump->prepare(dump->arg)))
		return 1;
	abort();
}

/* Return: whether there is one in @file, which is the caller's to remove. */
static inline bool dump_core(const char *file, const struct core_dump *dump)
{
	struct setting pattern = { }, uses_pid = { };
	int status = -1;

	if (setting_change(&pattern, CORE_PATTERN, file) &&
	    setting_change(&uses_pid, "/proc/sys/kernel/core_uses_pid", "0"))
		status = in_child(child_dumps_core, (void *)dump);
	setting_restore(&uses_pid);
	setting_restore(&pattern);
	return status == 128 + SIGABRT && !access(file, R_OK);
}

#endif /* MMAPDEMO_PROCESS_H */
