/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that userfaultfd keeps back: who touches it, the kernel in the middle
 * of a system call included, waits until it is given.
 */
#ifndef MMAPDEMO_WITHHELD_H
#define MMAPDEMO_WITHHELD_H

#include <linux/userfaultfd.h>
#include <sys/syscall.h>

#include "harness.h"

struct withheld {
	int uffd;
	char *p;
	size_t len;
};

/* Return: what is missing; NULL: nothing, and there are @nr pages of it. */
static inline const char *withheld_make(struct withheld *w, size_t nr)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	w->len = nr * page_size;
	w->p = mmap(NULL, w->len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	w->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	reg.range.start = (uintptr_t)w->p;
	reg.range.len = w->len;
	if (w->uffd < 0 || ioctl(w->uffd, UFFDIO_API, &api) ||
	    ioctl(w->uffd, UFFDIO_REGISTER, &reg))
		return "CONFIG_USERFAULTFD";
	return NULL;
}

/* Returns when somebody waits. Return: at which address; NULL: it failed. */
static inline char *withheld_wait(const struct withheld *w)
{
	struct uffd_msg msg;

	if (read(w->uffd, &msg, sizeof(msg)) != sizeof(msg) ||
	    msg.event != UFFD_EVENT_PAGEFAULT)
		return NULL;
	return (char *)(uintptr_t)msg.arg.pagefault.address;
}

/* Gives the page at @p, zeroed, to whoever waits. Return: whether so. */
static inline bool withheld_give(const struct withheld *w, char *p)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)p & -page_size, page_size },
	};

	return !ioctl(w->uffd, UFFDIO_ZEROPAGE, &zero);
}

static inline void withheld_free(struct withheld *w)
{
	close(w->uffd);
	munmap(w->p, w->len);
}

#endif /* MMAPDEMO_WITHHELD_H */
