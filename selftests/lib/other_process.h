/* SPDX-License-Identifier: GPL-2.0-only */
/* A child that stands still, and what can be seen of it from outside. */
#ifndef MMAPDEMO_OTHER_PROCESS_H
#define MMAPDEMO_OTHER_PROCESS_H

#include "mmapdemo_test.h"

#include <sys/prctl.h>
#include <sys/uio.h>

/* With the caller's memory as it is now. Does not outlive its parent. */
static inline pid_t start_waiting(void)
{
	pid_t pid = fork();

	if (!pid) {
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
static inline int peek(pid_t pid, const char *p)
{
	char byte;
	struct iovec local = { &byte, 1 }, remote = { (void *)p, 1 };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == 1 ?
	       byte : -errno;
}

/* Writes it as the process itself would. Return: 0, or -errno. */
static inline int poke(pid_t pid, char *p, char byte)
{
	struct iovec local = { &byte, 1 }, remote = { p, 1 };

	return process_vm_writev(pid, &local, 1, &remote, 1, 0) == 1 ?
	       0 : -errno;
}

/*
 * How many hold the module: open files, of which a mapping is one as well.
 * Negative: it is built in, and stays for ever.
 */
static inline long module_users(void)
{
	char text[32];

	return read_file("/sys/module/mmapdemo/refcnt", text, sizeof(text)) ?
	       -1 : atol(text);
}

#endif /* MMAPDEMO_OTHER_PROCESS_H */
