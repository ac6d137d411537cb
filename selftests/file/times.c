// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves which calls change the times of the device's node, as they would those
 * of a file on tmpfs: all that change what the device holds, and no others. Of
 * a mapping's stores it is the first to each page since the last sync. Each test
 * runs in both fault modes; a node whose file system is frozen is in frozen.c.
 *
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"

#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define CLEAR	MMAPDEMO_DIRTY_LOG_CLEAR
#define NR	4

FIXTURE(times) {
	struct device dev;
	int fd;
	char *p;		/* NR pages of the device, shared and present */
};

FAULT_MODES(times);

FIXTURE_SETUP(times)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->p = map_shared(_metadata, self->fd, 0, NR);
	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	read_pages(self->p, NR);
	ASSERT_EQ(0, clean_all(self->fd));
}

FIXTURE_TEARDOWN(times)
{
	device_teardown(_metadata, &self->dev);
}

/* @call changes the node's times, or does not. */
#define EXPECT_TIME(changes, call, text) do {	\
	make_old(self->fd);			\
	call;					\
	EXPECT_EQ(changes, is_new(self->fd))	\
		TH_LOG("%s", text);		\
} while (0)

#define EXPECT_CHANGE(call)	EXPECT_TIME(true, call, #call)
#define EXPECT_NO_CHANGE(call)	EXPECT_TIME(false, call, #call)

TEST_F(times, discard)
{
	const struct mmapdemo_discard unaligned = { .start = 1, .len = page_size };
	int ro = open(DEVICE, O_RDONLY);

	EXPECT_CHANGE(EXPECT_EQ(0, discard(self->fd, 0, 1)));
	/* Of a hole as well. */
	EXPECT_CHANGE(EXPECT_EQ(0, discard(self->fd, 0, 1)));
	EXPECT_NO_CHANGE(EXPECT_ERRNO(EBADF, discard(ro, 0, 1)));
	EXPECT_NO_CHANGE(EXPECT_ERRNO(EINVAL, discard(self->fd, 0, 0)));
	EXPECT_NO_CHANGE(EXPECT_ERRNO(EINVAL, discard(self->fd,
						      self->dev.nr_pages, 1)));
	EXPECT_NO_CHANGE(EXPECT_ERRNO(EINVAL, ioctl(self->fd,
						    MMAPDEMO_IOC_DISCARD,
						    &unaligned)));
	close(ro);
}

TEST_F(times, resize)
{
	size_t nr = self->dev.nr_pages;
	int ro = open(DEVICE, O_RDONLY);

	EXPECT_CHANGE(EXPECT_EQ(0, resize(self->fd, nr + 1)));
	EXPECT_CHANGE(EXPECT_EQ(0, resize(self->fd, 1)));
	/* As with ftruncate(2). */
	EXPECT_CHANGE(EXPECT_EQ(0, resize(self->fd, 1)));
	EXPECT_NO_CHANGE(EXPECT_ERRNO(EBADF, resize(ro, nr)));
	EXPECT_NO_CHANGE(EXPECT_ERRNO(EINVAL, resize(self->fd, 0)));
	close(ro);
}

/* Bytes that come by the file. */
TEST_F(times, writes)
{
	int source = memfd_create("source", 0);
	char byte = 1;

	ASSERT_EQ(1, write(source, &byte, 1));
	EXPECT_CHANGE(EXPECT_EQ(1, pwrite(self->fd, &byte, 1, 0)));
	/* Each of them, whatever of the page is logged or unsynced already. */
	EXPECT_CHANGE(EXPECT_EQ(1, pwrite(self->fd, &byte, 1, 0)));
	EXPECT_CHANGE(EXPECT_EQ(1, pwrite(self->fd, &byte, 1, NR * page_size)));
	ASSERT_EQ(0, lseek(source, 0, SEEK_SET));
	EXPECT_CHANGE(EXPECT_EQ(1, sendfile(self->fd, source, NULL, 1)));
	EXPECT_NO_CHANGE(EXPECT_EQ(0, pwrite(self->fd, &byte, 0, 0)));
	close(source);
}

/* Once for each page, until a sync: a harvest alone is none. */
TEST_F(times, stores)
{
	EXPECT_CHANGE(write_byte(self->p, 1));
	EXPECT_NO_CHANGE(write_byte(self->p, 2));
	EXPECT_CHANGE(write_byte(self->p + page_size, 1));
	EXPECT_NO_CHANGE(log_bits(self->fd, CLEAR));
	EXPECT_NO_CHANGE(write_byte(self->p, 3));
	EXPECT_NO_CHANGE(fsync(self->fd));
	EXPECT_CHANGE(write_byte(self->p, 4));
	EXPECT_NO_CHANGE(msync(self->p, NR * page_size, MS_SYNC));
	EXPECT_CHANGE(write_byte(self->p, 5));
}

/* A page that the store makes. */
TEST_F(times, stores_to_holes)
{
	char *p = map_shared(_metadata, self->fd, NR, 3);

	EXPECT_CHANGE(write_byte(p, 1));
	EXPECT_NO_CHANGE(write_byte(p, 2));
	EXPECT_NO_CHANGE(read_byte(p + page_size));
	EXPECT_CHANGE(write_byte(p + page_size, 1));
	EXPECT_CHANGE(EXPECT_EQ(0, madvise(p + 2 * page_size, page_size,
					   MADV_POPULATE_WRITE)));
}

TEST_F(times, reads_and_private_stores)
{
	char *private = map_private(_metadata, self->fd, 0, NR), byte;

	EXPECT_NO_CHANGE(read_pages(self->p, NR));
	EXPECT_NO_CHANGE(EXPECT_EQ(1, pread(self->fd, &byte, 1, 0)));
	EXPECT_NO_CHANGE(EXPECT_EQ(0, lseek(self->fd, 0, SEEK_DATA)));
	EXPECT_NO_CHANGE(write_pages(private, NR, 1));
	EXPECT_NO_CHANGE(device_info(self->fd));
}

/* Each file is opened by a node, and that one's times are changed. */
TEST_F(times, of_the_node_that_was_used)
{
	int fd = open_second_node(self->fd);
	char *p = map_shared(_metadata, fd, 0, NR);

	make_old(fd);
	EXPECT_CHANGE(write_byte(self->p, 1));
	EXPECT_FALSE(is_new(fd));
	/* The page is unsynced by now, whoever wrote to it. */
	EXPECT_NO_CHANGE(write_byte(p, 1));
	EXPECT_NO_CHANGE(write_byte(p + page_size, 1));
	EXPECT_TRUE(is_new(fd));
	make_old(fd);
	EXPECT_NO_CHANGE(EXPECT_EQ(1, pwrite(fd, "x", 1, 0)));
	EXPECT_TRUE(is_new(fd));
	make_old(fd);
	EXPECT_NO_CHANGE(EXPECT_EQ(0, discard(fd, 0, 1)));
	EXPECT_TRUE(is_new(fd));
	make_old(fd);
	EXPECT_NO_CHANGE(EXPECT_EQ(0, resize(fd, self->dev.nr_pages)));
	EXPECT_TRUE(is_new(fd));
	close(fd);
}

/* What cannot keep the time is written all the same. */
TEST_F(times, read_only_file_system)
{
	char dir[] = "/tmp/mmapdemo-XXXXXX", node[sizeof(dir) + 8];
	struct stat before, after;
	int fd = -1;
	char *p;

	ASSERT_EQ(0, fstat(self->fd, &before));
	ASSERT_NE(NULL, mkdtemp(dir));
	snprintf(node, sizeof(node), "%s/node", dir);
	if (!mount("mmapdemo", dir, "tmpfs", 0, NULL)) {
		if (!mknod(node, S_IFCHR | 0600, before.st_rdev) &&
		    !mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL))
			fd = open(node, O_RDWR);
		umount2(dir, MNT_DETACH);
	}
	rmdir(dir);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fstat(fd, &before));
	p = map_shared(_metadata, fd, 0, NR + 1);
	write_byte(p, 1);
	write_byte(p + NR * page_size, 1);
	EXPECT_EQ(1, pwrite(fd, "x", 1, 1));
	EXPECT_EQ(0, discard(fd, 1, 1));
	EXPECT_EQ(0, resize(fd, NR + 1));
	EXPECT_EQ('x', p[1]);
	EXPECT_EQ(0, p[page_size]);
	ASSERT_EQ(0, fstat(fd, &after));
	EXPECT_EQ(0, memcmp(&before.st_mtim, &after.st_mtim,
			    sizeof(before.st_mtim)));
	close(fd);
}

TEST_HARNESS_MAIN
