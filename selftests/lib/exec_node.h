/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device through a node on a mount that does, or does not, allow to execute
 * what is on it; /dev may be either.
 */
#ifndef MMAPDEMO_EXEC_NODE_H
#define MMAPDEMO_EXEC_NODE_H

#include "mmapdemo_test.h"

#include <sys/mount.h>
#include <sys/stat.h>

#define EXEC_MOUNT	DEVICE "-exec"

/*
 * Opens the device @fd through a node on a mount with @flags, both of which
 * are gone again but for the open file. Return: negative: not possible.
 */
static inline int open_on_mount(int fd, unsigned long flags)
{
	struct stat st;
	int node = -1;

	mkdir(EXEC_MOUNT, 0700);
	if (fstat(fd, &st) ||
	    mount("none", EXEC_MOUNT, "tmpfs", flags, NULL))
		return -1;
	if (!mknod(EXEC_MOUNT "/node", S_IFCHR | 0600, st.st_rdev))
		node = open(EXEC_MOUNT "/node", O_RDWR);
	umount2(EXEC_MOUNT, MNT_DETACH);
	rmdir(EXEC_MOUNT);
	return node;
}

#endif /* MMAPDEMO_EXEC_NODE_H */
