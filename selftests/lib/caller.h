/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ioctl(2) as a 64-bit program calls it, and as a 32-bit one does. x86 has an
 * instruction for the latter, int $0x80, which enters the kernel where those
 * enter it (so ->compat_ioctl is called), and which 64-bit code may use, too.
 */
#ifndef MMAPDEMO_CALLER_H
#define MMAPDEMO_CALLER_H

#include "mmapdemo_test.h"

/* Return: 0, or an errno, negative. */
typedef long (*caller_t)(int fd, unsigned int cmd, void *arg);

static inline long call_64(int fd, unsigned int cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

#ifdef __x86_64__
#define NR_GETPID_32	20
#define NR_IOCTL_32	54

static inline long syscall_32(long nr, long a, long b, long c)
{
	asm volatile("int $0x80" : "+a"(nr) : "b"(a), "c"(b), "d"(c)
		     : "memory", "cc", "r8", "r9", "r10", "r11");
	return (int)nr;
}

static inline long call_32(int fd, unsigned int cmd, void *arg)
{
	return syscall_32(NR_IOCTL_32, fd, cmd, (long)arg);
}

static inline int try_32(void *unused)
{
	(void)unused;
	return syscall_32(NR_GETPID_32, 0, 0, 0) != getpid();
}
#endif

/* Whether the kernel takes such calls; without, int $0x80 is a SIGSEGV. */
static inline bool can_call(caller_t call)
{
#ifdef __x86_64__
	if (call == call_32)
		return !in_child(try_32, NULL);
#endif
	return call == call_64;
}

/* @nr pages of memory below 4G, where 32-bit programs have all of theirs. */
static inline void *low_pages(size_t nr)
{
	return mmap((void *)0x10000000, nr * page_size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

#endif /* MMAPDEMO_CALLER_H */
