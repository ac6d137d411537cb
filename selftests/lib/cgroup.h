/* SPDX-License-Identifier: GPL-2.0-only */
/* A memory cgroup of the test's own, for a child to join. */
#ifndef MMAPDEMO_CGROUP_H
#define MMAPDEMO_CGROUP_H

#include <sys/mount.h>
#include <sys/stat.h>

#define CGROUP_ROOT	"/tmp/mmapdemo-cgroup2"
#define CGROUP		CGROUP_ROOT "/test/"

static inline void cgroup_remove(void)
{
	rmdir(CGROUP);
	umount(CGROUP_ROOT);
	rmdir(CGROUP_ROOT);
}

/*
 * Makes it, with room for @max bytes and no swap. Return: what is missing; NULL:
 * nothing. Either way cgroup_remove() is next.
 */
static inline const char *cgroup_make(const char *max)
{
	/* Of a test that was killed. */
	cgroup_remove();
	mkdir(CGROUP_ROOT, 0700);
	if (mount("none", CGROUP_ROOT, "cgroup2", 0, NULL))
		return "cgroup2";
	if (write_file(CGROUP_ROOT "/cgroup.subtree_control", "+memory") ||
	    mkdir(CGROUP, 0700) || write_file(CGROUP "memory.max", max))
		return "a cgroup2 with the memory controller";
	write_file(CGROUP "memory.swap.max", "0");
	return NULL;
}

/* Puts the caller into it: what it takes from now on is charged. */
static inline bool cgroup_join(void)
{
	return !write_file(CGROUP "cgroup.procs", "0");
}

/* What is charged to it, in bytes. */
static inline long cgroup_charged(void)
{
	char text[32] = "-1";

	read_file(CGROUP "memory.current", text, sizeof(text));
	return atol(text);
}

#endif /* MMAPDEMO_CGROUP_H */
