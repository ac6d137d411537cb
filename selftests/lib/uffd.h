/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * userfaultfd: a program that watches mappings, and lets those wait who access
 * them. Where only that is of interest, withheld.h has it.
 */
#ifndef MMAPDEMO_UFFD_H
#define MMAPDEMO_UFFD_H

#include <poll.h>
#include <sys/syscall.h>

#include "harness.h"
#include "machine.h"
#include "newer_uapi.h"

#define MISSING	UFFDIO_REGISTER_MODE_MISSING
#define MINOR	UFFDIO_REGISTER_MODE_MINOR
#define WP	UFFDIO_REGISTER_MODE_WP
#define RWP	UFFDIO_REGISTER_MODE_RWP

/* How long anybody waits for a message, in seconds. */
#define UFFD_PATIENCE	60

/* A userfaultfd with these features; negative: an errno. */
static inline int open_uffd(__u64 features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK), error;

	if (fd < 0 || !ioctl(fd, UFFDIO_API, &api))
		return fd < 0 ? -errno : fd;
	error = errno;
	close(fd);
	return -error;
}

/* What the kernel would need for open_uffd() not to return this; or NULL. */
static inline const char *missing(int error)
{
	if (error == -ENOSYS)
		return "CONFIG_USERFAULTFD";
	if (error == -EINVAL && !kernel_before(6, 7))
		return "CONFIG_PTE_MARKER_UFFD_WP";
	return NULL;
}

/* The calls return 0, or an errno. */

static inline int watch(int uffd, void *p, size_t nr, __u64 mode)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)p, nr * page_size }, .mode = mode,
	};

	return ioctl(uffd, UFFDIO_REGISTER, &reg) ? errno : 0;
}

static inline int unwatch(int uffd, void *p, size_t nr)
{
	struct uffdio_range range = { (uintptr_t)p, nr * page_size };

	return ioctl(uffd, UFFDIO_UNREGISTER, &range) ? errno : 0;
}

static inline int uffd_wake(int uffd, void *p, size_t nr)
{
	struct uffdio_range range = { (uintptr_t)p, nr * page_size };

	return ioctl(uffd, UFFDIO_WAKE, &range) ? errno : 0;
}

static inline int write_protect(int uffd, void *p, size_t nr, __u64 mode)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)p, nr * page_size }, .mode = mode,
	};

	return ioctl(uffd, UFFDIO_WRITEPROTECT, &wp) ? errno : 0;
}

/* The next write to each page waits, or with WP_ASYNC is noted. */
static inline int protect(int uffd, void *p, size_t nr)
{
	return write_protect(uffd, p, nr, UFFDIO_WRITEPROTECT_MODE_WP);
}

/* Nothing waits there any more. */
static inline int lift(int uffd, void *p, size_t nr)
{
	return write_protect(uffd, p, nr, 0);
}

/* The same for any access, of those pages that are mapped. */
static inline int protect_from_all(int uffd, void *p, size_t nr, bool on)
{
	struct uffdio_rwprotect rwp = {
		.range = { (uintptr_t)p, nr * page_size },
		.mode = on ? UFFDIO_RWPROTECT_MODE_RWP : 0,
	};

	return ioctl(uffd, UFFDIO_RWPROTECT, &rwp) ? errno : 0;
}

/* Fills the page at @p, which must be missing, with ones or zeros. */

static inline int uffd_copy(int uffd, char *p)
{
	char *page = malloc(page_size);
	struct uffdio_copy copy = {
		.dst = (uintptr_t)p, .src = (uintptr_t)page, .len = page_size,
	};
	int error;

	memset(page, 1, page_size);
	error = ioctl(uffd, UFFDIO_COPY, &copy) ? errno : 0;
	free(page);
	return error;
}

static inline int uffd_zero(int uffd, char *p)
{
	struct uffdio_zeropage zero = { .range = { (uintptr_t)p, page_size } };

	return ioctl(uffd, UFFDIO_ZEROPAGE, &zero) ? errno : 0;
}

/* Waits for the next message. Return: whether there is one. */
static inline bool uffd_wait(int uffd, struct uffd_msg *msg)
{
	struct pollfd wait = { .fd = uffd, .events = POLLIN };

	return poll(&wait, 1, UFFD_PATIENCE * 1000) == 1 &&
	       read(uffd, msg, sizeof(*msg)) == sizeof(*msg);
}

/* Waits for one. Return: whether it is that somebody waits at the page of @p. */
static inline bool uffd_waits_at(int uffd, const char *p, __u64 flags)
{
	struct uffd_msg msg;

	return uffd_wait(uffd, &msg) && msg.event == UFFD_EVENT_PAGEFAULT &&
	       msg.arg.pagefault.flags == flags &&
	       msg.arg.pagefault.address == ((uintptr_t)p & -page_size);
}

/* Whether there is no message now. */
static inline bool uffd_is_silent(int uffd)
{
	struct uffd_msg msg;

	return read(uffd, &msg, sizeof(msg)) < 0 && errno == EAGAIN;
}

#endif /* MMAPDEMO_UFFD_H */
