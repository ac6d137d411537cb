/* SPDX-License-Identifier: GPL-2.0-only */
/* What holds pages of a mapping: pins of its own, and a disk's transfers. */
#ifndef MMAPDEMO_PIN_H
#define MMAPDEMO_PIN_H

#include <linux/if_xdp.h>
#include <linux/io_uring.h>
#include <linux/loop.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "harness.h"
#include "newer_uapi.h"

/* --- For longer than a system call takes (FOLL_LONGTERM) ----------------- */

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

/*
 * --- A disk of the test's own for O_DIRECT, which the kernel copies to and
 * from the pages of the caller's buffer themselves: a loop device on a memfd ---
 */

struct loop_disk {
	int fd;			/* the disk, O_DIRECT */
	int file;		/* what is on it, through the page cache */
};

/* Return: a free loop device, open, and its number in @nr; negative: none. */
static inline int open_free_loop(int *nr)
{
	int control = open("/dev/loop-control", O_RDWR);
	char path[32];

	if (control < 0 && !system("modprobe -q loop"))
		control = open("/dev/loop-control", O_RDWR);
	*nr = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(path, sizeof(path), "/dev/loop%d", *nr);
	return open(path, O_RDWR);
}

/* Return: whether there is one now, with @nr_pages zeroed pages. */
static inline bool loop_disk_open(struct loop_disk *disk, size_t nr_pages)
{
	struct loop_config config = {
		.block_size = 512,
		/* It goes with its last file: nothing is left behind. */
		.info = { .lo_flags = LO_FLAGS_AUTOCLEAR },
	};
	char path[32];
	int loop, nr;

	loop = open_free_loop(&nr);
	disk->file = memfd_create("mmapdemo disk", 0);
	config.fd = disk->file;
	disk->fd = -1;
	if (loop >= 0 && !ftruncate(disk->file, nr_pages * page_size) &&
	    !ioctl(loop, LOOP_CONFIGURE, &config)) {
		snprintf(path, sizeof(path), "/dev/loop%d", nr);
		disk->fd = open(path, O_RDWR | O_DIRECT);
	}
	close(loop);
	return disk->fd >= 0;
}

static inline void loop_disk_close(struct loop_disk *disk)
{
	close(disk->fd);
	close(disk->file);
}

#endif /* MMAPDEMO_PIN_H */
