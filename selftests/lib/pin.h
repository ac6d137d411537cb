/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages pinned for longer than a system call takes (FOLL_LONGTERM). */
#ifndef MMAPDEMO_PIN_H
#define MMAPDEMO_PIN_H

#include "mmapdemo_test.h"

#include <linux/if_xdp.h>
#include <linux/io_uring.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#ifndef SOL_XDP
#define SOL_XDP	283
#endif

/* As a buffer of io_uring; before 6.12 not of a file's mapping. */
static inline int pin_by_io_uring(char *p, size_t len)
{
	struct io_uring_params params = { };
	struct iovec iov = { p, len };
	int fd = syscall(SYS_io_uring_setup, 1, &params);

	if (fd >= 0 && !syscall(SYS_io_uring_register, fd,
				IORING_REGISTER_BUFFERS, &iov, 1))
		return fd;
	close(fd);
	return -1;
}

/* As the packet memory of an AF_XDP socket, with one packet per page. */
static inline int pin_by_xdp(char *p, size_t len)
{
	struct xdp_umem_reg umem = {
		.addr = (uintptr_t)p, .len = len, .chunk_size = page_size,
	};
	int fd = socket(AF_XDP, SOCK_RAW, 0);

	if (fd >= 0 && !setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem,
				   sizeof(umem)))
		return fd;
	close(fd);
	return -1;
}

/* Return: what holds the pages until it is closed; negative: nothing can. */
static inline int pin_pages(char *p, size_t len)
{
	int fd = pin_by_io_uring(p, len);

	return fd >= 0 ? fd : pin_by_xdp(p, len);
}

#endif /* MMAPDEMO_PIN_H */
