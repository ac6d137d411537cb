/* SPDX-License-Identifier: GPL-2.0-only */
/* System calls past libc, or whose result is to be the errno. */
#ifndef MMAPDEMO_SYSCALLS_H
#define MMAPDEMO_SYSCALLS_H

#include "harness.h"
#include "newer_uapi.h"
#include "process.h"

/* The errno of a call that returned @ret; 0: it went well. */
static inline int error_of(long ret)
{
	return ret == -1 ? errno : 0;
}

/* Return: 0, or the errno. */
static inline int advise(char *p, size_t len, int advice)
{
	return error_of(madvise(p, len, advice));
}

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
 * mseal(2), since Linux 6.10, where a long has 64 bits: in 32 there is no room
 * for the flag. Nothing lifts a seal but the end of the process: it is always a
 * child's. Return: 0, or the errno.
 */
static inline int seal(void *p, size_t len, unsigned long flags)
{
	return error_of(syscall(SYS_mseal, p, len, flags));
}

/* Return: what every call of it fails with; 0: it need not fail. */
static inline int no_seal(void)
{
	return seal(NULL, 0, 0);
}

#define NEEDS_SEAL	"needs mseal(2): Linux 6.10, 64 bits"

/*
 * ioctl(2) as a 64-bit program calls it, and as a 32-bit one does. x86 has an
 * instruction for the latter, int $0x80, which enters the kernel where those
 * enter it (so ->compat_ioctl is called), and which 64-bit code may use, too.
 * Return: 0, or an errno, negative.
 */
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

#endif /* MMAPDEMO_SYSCALLS_H */
