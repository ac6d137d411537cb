/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk of the test's own for O_DIRECT, which the kernel copies to and from
 * the pages of the caller's buffer themselves: a loop device on a memfd.
 */
#ifndef MMAPDEMO_LOOP_DISK_H
#define MMAPDEMO_LOOP_DISK_H

#include "mmapdemo_test.h"

#include <linux/loop.h>

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

#endif /* MMAPDEMO_LOOP_DISK_H */
