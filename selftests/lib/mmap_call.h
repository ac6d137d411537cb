/* SPDX-License-Identifier: GPL-2.0-only */
/* mmap(2) where its result is the errno, or comes through another node. */
#ifndef MMAPDEMO_MMAP_CALL_H
#define MMAPDEMO_MMAP_CALL_H

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/*
 * mmap(2) past libc, which looks at the offset itself. Where the kernel takes
 * that in units of 4096 bytes, only libc can look whether it is whole pages.
 */
static inline void *mmap_raw(void *addr, size_t len, long prot, long flags,
			     int fd, off_t offset)
{
#ifdef SYS_mmap2
	if (offset % page_size)
		return mmap(addr, len, prot, flags, fd, offset);
	return (void *)syscall(SYS_mmap2, addr, len, prot, flags, fd,
			       (unsigned long)(offset >> 12));
#else
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, offset);
#endif
}

/*
 * Return: the errno of an mmap that may fail; 0: it did not, and what it made
 * is gone again.
 */
static inline int mmap_errno_at(void *addr, int fd, size_t len, long prot,
				long flags, off_t offset)
{
	void *p = mmap_raw(addr, len, prot, flags, fd, offset);

	if (p == MAP_FAILED)
		return errno;
	munmap(p, len);
	return 0;
}

static inline int mmap_errno(int fd, size_t len, long prot, long flags,
			     off_t offset)
{
	return mmap_errno_at(NULL, fd, len, prot, flags, offset);
}

/*
 * Opens the device by a node of its own in a file system that is mounted with
 * @flags (MS_NOEXEC, ...), and that nobody else sees: when this returns, only
 * the open file keeps it. Return: the file; -1: some of it failed.
 */
static inline int open_node(unsigned long flags)
{
	char dir[] = "/tmp/mmapdemo-XXXXXX", node[sizeof(dir) + 8];
	struct stat st;
	int fd = -1;

	if (stat(DEVICE, &st) || !mkdtemp(dir))
		return -1;
	snprintf(node, sizeof(node), "%s/node", dir);
	if (!mount("mmapdemo", dir, "tmpfs", flags, NULL)) {
		if (!mknod(node, S_IFCHR | 0600, st.st_rdev))
			fd = open(node, O_RDWR);
		umount2(dir, MNT_DETACH);
	}
	rmdir(dir);
	return fd;
}

#endif /* MMAPDEMO_MMAP_CALL_H */
