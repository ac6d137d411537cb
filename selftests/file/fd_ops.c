// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what goes on next to mmap on the open device: how it can be opened,
 * what it refuses as a character device, where positions end, who sees what is
 * written, remap_file_pages, and that all its nodes are one device. Each test
 * runs in both fault modes.
 *
 * The ids (W01, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "proc.h"

#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>

DEVICE_FIXTURE(fd_ops)

/* As on tmpfs: with no cache to go around, nothing has to be aligned, either. */
TEST_F(fd_ops, W01_direct_io)
{
	char buffer[64] = "", *p;
	int fd;

	ASSERT_TRUE(fill(self->fd, 0, 2, 0));
	fd = open(DEVICE, O_RDWR | O_DIRECT);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, bad_read(fd, 0, 2, 0));
	p = map_shared(_metadata, fd, 0, 4);
	EXPECT_EQ(5, pwrite(fd, "hello", 5, page_size - 2));
	EXPECT_EQ(0, memcmp(p + page_size - 2, "hello", 5));
	memcpy(p + 3 * page_size + 1, "world", 5);
	EXPECT_EQ(5, pread(fd, buffer, 5, 3 * page_size + 1));
	EXPECT_STREQ("world", buffer);
	/* The user's buffer may be the very page. */
	EXPECT_EQ((ssize_t)page_size, pwrite(fd, p, page_size, 2 * page_size));
	EXPECT_EQ(0, memcmp(p, p + 2 * page_size, page_size));
	ASSERT_LE(0, lseek(fd, -(off_t)page_size, SEEK_END));
	EXPECT_EQ((ssize_t)page_size, write(fd, p, 2 * page_size));
	EXPECT_ERRNO(ENOSPC, write(fd, p, page_size));
	EXPECT_EQ(0, read(fd, p, page_size));
	close(fd);
}

TEST_F(fd_ops, W01_direct_io_by_fcntl)
{
	int flags = fcntl(self->fd, F_GETFL);

	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_DIRECT));
	EXPECT_EQ(O_DIRECT, fcntl(self->fd, F_GETFL) & O_DIRECT);
	ASSERT_TRUE(fill(self->fd, 1, 3, 7));
	EXPECT_EQ(-1, bad_read(self->fd, 1, 3, 7));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, 0));
	EXPECT_EQ(flags, fcntl(self->fd, F_GETFL));
}

TEST_F(fd_ops, W01_truncating_open)
{
	int fd;

	ASSERT_TRUE(fill(self->fd, 0, 4, 0));
	fd = open(DEVICE, O_RDWR | O_TRUNC | O_CREAT, 0600);
	ASSERT_LE(0, fd);
	EXPECT_EQ((off_t)(self->dev.nr_pages * page_size),
		  lseek(fd, 0, SEEK_END));
	EXPECT_EQ(-1, bad_read(fd, 0, 4, 0));
	EXPECT_EQ(4, pool_read("stored"));
	close(fd);
	EXPECT_ERRNO(EEXIST, open(DEVICE, O_RDWR | O_CREAT | O_EXCL, 0600));
	EXPECT_ERRNO(ENOTDIR, open(DEVICE, O_RDWR | O_DIRECTORY));
}

/* Which error comes first. The bad mode is one that no kernel knows. */
TEST_F(fd_ops, W02_fallocate)
{
	const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE,
		FALLOC_FL_UNSHARE_RANGE,
	};
	int ro = open(DEVICE, O_RDONLY);
	size_t i;

	ASSERT_TRUE(fill(self->fd, 0, 4, 0));
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		EXPECT_ERRNO(ENODEV, fallocate(self->fd, modes[i], 0,
					       page_size));
		EXPECT_ERRNO(EBADF, fallocate(ro, modes[i], 0, page_size));
	}
	EXPECT_ERRNO(EOPNOTSUPP, fallocate(self->fd, 1 << 30, 0, page_size));
	EXPECT_ERRNO(EOPNOTSUPP, fallocate(ro, 1 << 30, 0, page_size));
	EXPECT_ERRNO(EOPNOTSUPP, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE, 0,
					   page_size));
	EXPECT_ERRNO(EINVAL, fallocate(self->fd, 0, 0, 0));
	EXPECT_ERRNO(EINVAL, fallocate(self->fd, 0, -1, page_size));
	EXPECT_EQ(-1, bad_read(self->fd, 0, 4, 0));
	EXPECT_EQ(4, pool_read("stored"));
	close(ro);
}

TEST_F(fd_ops, W02_truncate)
{
	off_t size = self->dev.nr_pages * page_size;
	int ro = open(DEVICE, O_RDONLY);

	ASSERT_TRUE(fill(self->fd, 0, 4, 0));
	EXPECT_ERRNO(EINVAL, ftruncate(self->fd, 0));
	EXPECT_ERRNO(EINVAL, ftruncate(self->fd, 2 * size));
	EXPECT_ERRNO(EINVAL, ftruncate(self->fd, -1));
	EXPECT_ERRNO(EINVAL, ftruncate(ro, 0));
	EXPECT_ERRNO(EINVAL, truncate(DEVICE, 0));
	EXPECT_EQ(size, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(-1, bad_read(self->fd, 0, 4, 0));
	close(ro);
}

/*
 * Positions end where the largest file does, not where the device does; but
 * behind its end there is nothing to read, and no room to write.
 */
TEST_F(fd_ops, W03_positions)
{
	off_t size = self->dev.nr_pages * page_size;
	off_t last = kernel_is_64bit() ? LLONG_MAX :
					 (off_t)UINT32_MAX * page_size;
	char byte;

	EXPECT_ERRNO(EINVAL, lseek(self->fd, -1, SEEK_SET));
	EXPECT_ERRNO(EINVAL, lseek(self->fd, LLONG_MIN, SEEK_SET));
	EXPECT_ERRNO(EINVAL, lseek(self->fd, -size - 1, SEEK_END));
	EXPECT_ERRNO(EINVAL, lseek(self->fd, 0, 5));
	EXPECT_EQ(0, lseek(self->fd, -size, SEEK_END));
	EXPECT_EQ(size + 7, lseek(self->fd, size + 7, SEEK_SET));
	EXPECT_EQ(0, read(self->fd, &byte, 1));
	EXPECT_ERRNO(ENOSPC, write(self->fd, "x", 1));
	EXPECT_ERRNO(EINVAL, lseek(self->fd, -size - 8, SEEK_CUR));
	EXPECT_EQ(size + 7, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(last, lseek(self->fd, last, SEEK_SET));
	EXPECT_ERRNO(EINVAL, lseek(self->fd, 1, SEEK_CUR));
	EXPECT_EQ(last, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_ERRNO(EINVAL, pread(self->fd, &byte, 1, LLONG_MAX));
}

/* A copy within the kernel is for regular files; splice.c has what works. */
TEST_F(fd_ops, W04_copy_file_range)
{
	int file = memfd_create("file", 0), other = open(DEVICE, O_RDWR);
	off_t from = 0, to = 2 * page_size;

	ASSERT_EQ(0, ftruncate(file, 4 * page_size));
	ASSERT_TRUE(fill(self->fd, 0, 1, 0));
	EXPECT_ERRNO(EINVAL, copy_file_range(self->fd, &from, file, &to,
					     page_size, 0));
	EXPECT_ERRNO(EINVAL, copy_file_range(file, &from, self->fd, &to,
					     page_size, 0));
	EXPECT_ERRNO(EINVAL, copy_file_range(self->fd, &from, other, &to,
					     page_size, 0));
	EXPECT_EQ(0, from);
	EXPECT_EQ((off_t)(2 * page_size), to);
	EXPECT_EQ(1, pool_read("stored"));
	close(file);
	close(other);
}

/* Which byte of the page each way of writing uses. */
TEST_F(fd_ops, W05_coherent)
{
	char *p = map_shared(_metadata, self->fd, 0, 2);
	char *q = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 0, 2);
	char *copy = map_private(_metadata, self->fd, 0, 2);
	char *untouched = map_private(_metadata, self->fd, 0, 2);
	char byte[3] = "";

	read_pages(q, 2);
	read_pages(untouched, 2);
	copy[0] = 'c';
	p[0] = 'p';
	EXPECT_EQ(1, pread(self->fd, byte, 1, 0));
	EXPECT_EQ('p', byte[0]);
	EXPECT_EQ('p', q[0]);
	EXPECT_EQ(1, pwrite(self->fd, "w", 1, 1));
	EXPECT_EQ('w', p[1]);
	EXPECT_EQ('w', q[1]);
	/* Across the boundary of two pages. */
	EXPECT_EQ(2, pwrite(self->fd, "xy", 2, page_size - 1));
	EXPECT_EQ('x', q[page_size - 1]);
	EXPECT_EQ('y', q[page_size]);

	EXPECT_EQ('c', copy[0]);
	EXPECT_EQ(0, copy[1]);
	EXPECT_EQ(0, copy[page_size - 1]);
	/* A page that it has not written yet is the device's. */
	EXPECT_EQ('y', copy[page_size]);
	EXPECT_EQ('p', untouched[0]);
	EXPECT_EQ('w', untouched[1]);
	copy[2] = 'd';
	EXPECT_EQ(3, pread(self->fd, byte, 3, 0));
	EXPECT_EQ(0, memcmp(byte, "pw", 3));
}

TEST_F(fd_ops, W07_remap_refuses)
{
	char *p = map_shared(_metadata, self->fd, 0, 8);
	char *private = map_private(_metadata, self->fd, 0, 2), *readable;
	int ro = open(DEVICE, O_RDONLY);
	long mmaps = stat_read("mmap");

	readable = map(_metadata, ro, PROT_READ, MAP_SHARED, 0, 2);
	ASSERT_EQ(mmaps + 1, stat_read("mmap"));
	EXPECT_ERRNO(EINVAL, remap_file_pages(p, page_size, PROT_READ, 1, 0));
	EXPECT_ERRNO(EINVAL, remap_file_pages(p, 0, 0, 1, 0));
	EXPECT_ERRNO(EINVAL, remap_file_pages(p, page_size - 1, 0, 1, 0));
	EXPECT_ERRNO(EINVAL, remap_file_pages(p, -page_size, 0, 1, 0));
	if (!kernel_is_wider())
		EXPECT_ERRNO(EINVAL, remap_file_pages(p, page_size, 0, -1UL, 0));
	EXPECT_ERRNO(EINVAL, remap_file_pages(private, page_size, 0, 1, 0));
	/* Not shared for writing is not shared: A23. */
	EXPECT_ERRNO(EINVAL, remap_file_pages(readable, page_size, 0, 1, 0));

	/* From one VMA into one that may do other things; then into a hole. */
	ASSERT_EQ(0, mprotect(p + 4 * page_size, 2 * page_size, PROT_READ));
	EXPECT_ERRNO(EINVAL, remap_file_pages(p + 3 * page_size,
					      2 * page_size, 0, 1, 0));
	ASSERT_EQ(0, munmap(p + 7 * page_size, page_size));
	EXPECT_ERRNO(EINVAL, remap_file_pages(p + 6 * page_size,
					      2 * page_size, 0, 1, 0));
	EXPECT_ERRNO(EINVAL, remap_file_pages(p + 7 * page_size, page_size, 0,
					      1, 0));
	EXPECT_EQ(mmaps + 1, stat_read("mmap"));
	close(ro);
}

/* A new mapping of the same kind, populated at once unless told otherwise. */
TEST_F(fd_ops, W07_remap)
{
	char *p = map_shared(_metadata, self->fd, 0, 8);
	long mmaps = stat_read("mmap"), opens = stat_read("vma_open");
	long closes = stat_read("vma_close");

	ASSERT_TRUE(fill(self->fd, 0, 16, 0));
	ASSERT_EQ(-1, bad_page(p, 0, 8, 0));
	ASSERT_EQ(0, remap_file_pages(p + 2 * page_size, 2 * page_size, 0, 12,
				      0));
	EXPECT_EQ(2, count_mapped(p + 2 * page_size, 2));
	EXPECT_EQ(mmaps + 1, stat_read("mmap"));
	/* The VMA was split twice, and its middle is gone. */
	EXPECT_EQ(opens + 2, stat_read("vma_open"));
	EXPECT_EQ(closes + 1, stat_read("vma_close"));
	EXPECT_EQ(3, count_vmas(p, 8));
	EXPECT_EQ(-1, bad_page(p, 0, 2, 0));
	EXPECT_EQ(-1, bad_page(p + 2 * page_size, 12, 2, 0));
	EXPECT_EQ(-1, bad_page(p + 4 * page_size, 4, 4, 0));

	p[2 * page_size] = 'r';
	EXPECT_NE(-1, bad_read(self->fd, 12, 1, 0));
	EXPECT_EQ(-1, bad_read(self->fd, 2, 1, 0));

	ASSERT_EQ(0, remap_file_pages(p + 6 * page_size, page_size, 0, 15,
				      MAP_NONBLOCK));
	EXPECT_FALSE(is_mapped(p + 6 * page_size));
	EXPECT_EQ(-1, bad_page(p + 6 * page_size, 15, 1, 0));
}

/* Two nodes, and one store: whichever is used to change it. */
TEST_F(fd_ops, W08_second_node)
{
	int fd = open_second_node(self->fd);
	struct stat first, second;
	long mkwrite;
	char *p;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fstat(self->fd, &first));
	ASSERT_EQ(0, fstat(fd, &second));
	EXPECT_NE(first.st_ino, second.st_ino);

	/* Cleaning write-protects what was mapped by the other. */
	p = map_shared(_metadata, fd, 0, 4);
	write_pages(p, 4, 1);
	EXPECT_EQ(4, pool_read("dirty"));
	ASSERT_EQ(0, clean_all(self->fd));
	EXPECT_EQ(0, pool_read("dirty"));
	mkwrite = stat_read("mkwrite");
	write_pages(p, 4, 2);
	EXPECT_EQ(mkwrite + 4, stat_read("mkwrite"));
	EXPECT_EQ(PAGES(0, 4), log_bits(self->fd, MMAPDEMO_DIRTY_LOG_CLEAR));
	write_pages(p, 1, 3);
	EXPECT_EQ(PAGES(0, 1), log_bits(self->fd, 0));

	/* A resize takes it away, and back. */
	ASSERT_EQ(0, resize(self->fd, 2));
	EXPECT_TRAP(p + 2 * page_size, -1, SIGBUS, BUS_ADRERR,
		    p + 2 * page_size);
	EXPECT_EQ((off_t)(2 * page_size), lseek(fd, 0, SEEK_END));
	ASSERT_EQ(0, resize(fd, self->dev.nr_pages));
	EXPECT_EQ(0, p[2 * page_size]);
	EXPECT_EQ(3, p[0]);
	close(fd);
}

TEST_HARNESS_MAIN
