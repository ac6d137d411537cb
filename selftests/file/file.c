// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves the file operations other than mmap: what they return at the end and
 * for bad arguments, that a call that fails changes nothing, and that nothing
 * the kernel may do with a page cache ever loses stored data.
 *
 * The ids (W02, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>

FIXTURE(file) {
	struct device dev;
	int fd;
	off_t size;
	char *buffer;		/* two pages, and a third without access */
};

FIXTURE_SETUP(file)
{
	device_setup(_metadata, &self->dev, false);
	self->fd = self->dev.fd;
	self->size = self->dev.nr_pages * page_size;
	self->buffer = mmap(NULL, 3 * page_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buffer);
	ASSERT_EQ(0, mprotect(self->buffer + 2 * page_size, page_size,
			      PROT_NONE));
}

FIXTURE_TEARDOWN(file)
{
	device_teardown(_metadata, &self->dev);
}

TEST_F(file, holes_read_as_zeros)
{
	memset(self->buffer, 1, 2 * page_size);
	EXPECT_EQ((ssize_t)(2 * page_size),
		  pread(self->fd, self->buffer, 2 * page_size, 100));
	EXPECT_EQ(-1, nonzero(self->buffer, 2 * page_size));
	EXPECT_EQ(0, pool_read("stored"));
}

TEST_F(file, read_at_end)
{
	ASSERT_TRUE(fill(self->fd, self->dev.nr_pages - 1, 1, 0));
	EXPECT_EQ(0, pread(self->fd, self->buffer, 10, self->size));
	EXPECT_EQ(0, pread(self->fd, self->buffer, 10, self->size + 12345));
	EXPECT_EQ(7, pread(self->fd, self->buffer, 10, self->size - 7));
	EXPECT_EQ((ssize_t)page_size, pread(self->fd, self->buffer,
					    2 * page_size,
					    self->size - page_size));
	EXPECT_EQ(-1, bad_page(self->buffer, self->dev.nr_pages - 1, 1, 0));
}

TEST_F(file, write_at_end)
{
	memset(self->buffer, 'x', 2 * page_size);
	EXPECT_ERRNO(ENOSPC, pwrite(self->fd, self->buffer, 1, self->size));
	EXPECT_ERRNO(ENOSPC, pwrite(self->fd, self->buffer, 1,
				    self->size + page_size));
	EXPECT_EQ(0, pool_read("stored"));
	EXPECT_EQ(7, pwrite(self->fd, self->buffer, 10, self->size - 7));
	EXPECT_EQ(1, pool_read("stored"));
	EXPECT_EQ(0, pwrite(self->fd, self->buffer, 0, self->size));
}

TEST_F(file, unaligned_write_across_pages)
{
	char *p = map_shared(_metadata, self->fd, 0, 3);

	memset(self->buffer, 'x', page_size);
	ASSERT_EQ((ssize_t)page_size,
		  pwrite(self->fd, self->buffer, page_size, page_size + 100));
	EXPECT_EQ(2, pool_read("stored"));
	EXPECT_EQ(-1, nonzero(p, page_size + 100));
	EXPECT_EQ(0, memcmp(p + page_size + 100, self->buffer, page_size));
	EXPECT_EQ(-1, nonzero(p + 2 * page_size + 100, page_size - 100));
}

TEST_F(file, position_moves)
{
	EXPECT_EQ(3, write(self->fd, "abc", 3));
	EXPECT_EQ(3, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(1, lseek(self->fd, -2, SEEK_CUR));
	EXPECT_EQ(1, read(self->fd, self->buffer, 1));
	EXPECT_EQ('b', self->buffer[0]);
	EXPECT_EQ(1, pread(self->fd, self->buffer, 1, 0));
	EXPECT_EQ(1, pwrite(self->fd, "A", 1, 0));
	EXPECT_EQ(2, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(self->size - 1, lseek(self->fd, -1, SEEK_END));
	EXPECT_EQ(1, write(self->fd, "yz", 2));
	EXPECT_EQ(self->size, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_ERRNO(EINVAL, lseek(self->fd, -1, SEEK_SET));
	EXPECT_ERRNO(EINVAL, lseek(self->fd, 0, 99));
	EXPECT_EQ(self->size, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(self->size + 5, lseek(self->fd, 5, SEEK_END));
	EXPECT_EQ(0, read(self->fd, self->buffer, 1));
}

TEST_F(file, vectors)
{
	struct iovec out[] = { { "hello, ", 7 }, { "", 0 }, { "world", 5 } };
	struct iovec in[] = { { self->buffer, 5 }, { self->buffer + 100, 7 } };

	EXPECT_EQ(12, pwritev(self->fd, out, 3, page_size - 6));
	EXPECT_EQ(12, preadv(self->fd, in, 2, page_size - 6));
	EXPECT_EQ(0, memcmp(self->buffer, "hello", 5));
	EXPECT_EQ(0, memcmp(self->buffer + 100, ", world", 7));
	EXPECT_EQ(12, writev(self->fd, out, 3));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(12, readv(self->fd, in, 2));
}

/* Reading never has to wait; a write might, for a page. */
TEST_F(file, nowait)
{
	struct iovec in = { self->buffer, 2 * page_size }, out = { "x", 1 };

	ASSERT_TRUE(fill(self->fd, 0, 1, 0));
	EXPECT_EQ((ssize_t)(2 * page_size),
		  preadv2(self->fd, &in, 1, 0, RWF_NOWAIT));
	EXPECT_EQ(-1, bad_page(self->buffer, 0, 1, 0));
	EXPECT_EQ(-1, nonzero(self->buffer + page_size, page_size));
	EXPECT_EQ(0, preadv2(self->fd, &in, 1, self->size, RWF_NOWAIT));
	EXPECT_ERRNO(EOPNOTSUPP, pwritev2(self->fd, &out, 1, 0, RWF_NOWAIT));
	EXPECT_ERRNO(EOPNOTSUPP, pwritev2(self->fd, &out, 1, page_size,
					  RWF_NOWAIT));
	EXPECT_EQ(1, pool_read("stored"));
	EXPECT_EQ(-1, bad_read(self->fd, 0, 1, 0));
}

/* Behind the end, as with O_APPEND any write is, there is no room. */
TEST_F(file, append)
{
	int fd = open(DEVICE, O_RDWR | O_APPEND);

	EXPECT_ERRNO(ENOSPC, write(fd, "x", 1));
	EXPECT_ERRNO(ENOSPC, pwrite(fd, "x", 1, 0));
	EXPECT_EQ(0, write(fd, "", 0));
	EXPECT_EQ(0, pool_read("stored"));
	close(fd);
}

static int writes_up_to_limit(void *arg)
{
	struct rlimit limit = { 2 * page_size, 2 * page_size };
	off_t end = limit.rlim_cur;
	int fd = *(int *)arg;

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit))
		return 1;
	if (pwrite(fd, "abcdef", 6, end - 3) != 3)
		return 2;
	if (pwrite(fd, "x", 1, end) != -1 || errno != EFBIG)
		return 3;
	/* And with the signal that it is. */
	signal(SIGXFSZ, SIG_DFL);
	pwrite(fd, "x", 1, end + page_size);
	return 4;
}

/* RLIMIT_FSIZE, as for a file. */
TEST_F(file, size_limit)
{
	EXPECT_EQ(128 + SIGXFSZ, in_child(writes_up_to_limit, &self->fd));
	EXPECT_EQ(1, pool_read("stored"));
	EXPECT_EQ(6, pread(self->fd, self->buffer, 6, 2 * page_size - 3));
	EXPECT_EQ(0, memcmp(self->buffer, "abc\0\0\0", 6));
}

TEST_F(file, open_mode_limits_access)
{
	int ro = open(DEVICE, O_RDONLY), wo = open(DEVICE, O_WRONLY);

	EXPECT_ERRNO(EBADF, write(ro, "x", 1));
	EXPECT_ERRNO(EBADF, read(wo, self->buffer, 1));
	EXPECT_ERRNO(EBADF, discard(ro, 0, 1));
	EXPECT_EQ(0, discard(wo, 0, 1));
	close(ro);
	close(wo);
}

/* A buffer that cannot be read or written: nothing happens at all. */
TEST_F(file, bad_buffer_changes_nothing)
{
	char *bad = self->buffer + 2 * page_size;

	ASSERT_TRUE(fill(self->fd, 0, 2, 0));
	ASSERT_EQ(0, clean_all(self->fd));
	EXPECT_ERRNO(EFAULT, write(self->fd, bad, 10));
	EXPECT_ERRNO(EFAULT, read(self->fd, bad, 10));
	EXPECT_ERRNO(EFAULT, pwrite(self->fd, bad, 10, 5 * page_size));
	EXPECT_ERRNO(EFAULT, pread(self->fd, bad, 10, 5 * page_size));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(-1, bad_read(self->fd, 0, 2, 0));
	EXPECT_EQ(2, pool_read("stored"));
	EXPECT_EQ(0, pool_read("dirty"));
}

/* One that ends half-way: what was copied counts, and is right. */
TEST_F(file, half_bad_buffer)
{
	char *half = self->buffer + 2 * page_size - 10;

	memset(half, 'x', 10);
	EXPECT_EQ(10, write(self->fd, half, 20));
	EXPECT_EQ(10, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(20, pread(self->fd, self->buffer, 20, 0));
	EXPECT_EQ(0, memcmp(self->buffer, half, 10));
	EXPECT_EQ(-1, nonzero(self->buffer + 10, 10));
	memset(half, 0, 10);
	EXPECT_EQ(10, pread(self->fd, half, 20, 0));
	EXPECT_EQ('x', half[9]);
}

/* W02, W09: what a character device does not have. */
TEST_F(file, unsupported_calls)
{
	EXPECT_ERRNO(EINVAL, ftruncate(self->fd, page_size));
	EXPECT_ERRNO(EINVAL, truncate(DEVICE, page_size));
	EXPECT_ERRNO(ENODEV, fallocate(self->fd, 0, 0, page_size));
	EXPECT_ERRNO(ENODEV, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE |
				       FALLOC_FL_KEEP_SIZE, 0, page_size));
	EXPECT_ERRNO(ENOTTY, ioctl(self->fd, _IO(0xDA, 0xff)));
	EXPECT_ERRNO(ENOTTY, ioctl(self->fd, _IOW(0xDA, 0x02, int), NULL));
	EXPECT_ERRNO(ENOTTY, ioctl(self->fd, 0));
	EXPECT_EQ(self->size, lseek(self->fd, 0, SEEK_END));
}

TEST_F(file, bad_discards_change_nothing)
{
	__u64 page = page_size, end = self->size;
	const struct mmapdemo_discard bad[] = {
		{ .start = 0, .len = 0 },
		{ .start = 1, .len = page },
		{ .start = 0, .len = page - 1 },
		{ .start = 0, .len = end + page },
		{ .start = end, .len = page },
		{ .start = page, .len = -page },
		{ .start = -page, .len = 2 * page },
		{ .start = 0, .len = page, .flags = 1 },
		{ .start = 0, .len = page, .pad = 1 },
	};
	size_t i;

	ASSERT_TRUE(fill(self->fd, 0, 4, 0));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_ERRNO(EINVAL, ioctl(self->fd, MMAPDEMO_IOC_DISCARD,
					   &bad[i]));
	}
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, MMAPDEMO_IOC_DISCARD,
				   self->buffer + 2 * page_size));
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, MMAPDEMO_IOC_DISCARD, NULL));
	EXPECT_EQ(-1, bad_read(self->fd, 0, 4, 0));
	EXPECT_EQ(4, pool_read("stored"));
}

/* A discard takes what its range says, at both edges, and counts it. */
TEST_F(file, discard_is_exact)
{
	long discarded = stat_read("discarded");

	ASSERT_TRUE(fill(self->fd, 10, 10, 0));
	ASSERT_EQ(0, discard(self->fd, 12, 5));
	EXPECT_EQ(discarded + 5, stat_read("discarded"));
	EXPECT_EQ(5, pool_read("stored"));
	EXPECT_EQ(-1, bad_read(self->fd, 10, 2, 0));
	EXPECT_EQ(-1, bad_read(self->fd, 17, 3, 0));
	ASSERT_EQ(0, discard(self->fd, 12, 5));
	EXPECT_EQ(discarded + 5, stat_read("discarded"));
}

/*
 * There is no copy of these pages anywhere. What the kernel drops at will from
 * a page cache, it must not even look at here.
 */
TEST_F(file, stored_data_is_never_dropped)
{
	char *p = map_shared(_metadata, self->fd, 0, 32);

	ASSERT_TRUE(fill(self->fd, 0, 64, 0));
	EXPECT_EQ(-1, bad_page(p, 0, 32, 0));
	ASSERT_EQ(0, clean_all(self->fd));
	EXPECT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED));
	EXPECT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_WILLNEED));
	EXPECT_EQ(0, madvise(p, 32 * page_size, MADV_COLD));
	EXPECT_EQ(0, madvise(p, 32 * page_size, MADV_PAGEOUT));
	sync();
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "3"));
	EXPECT_EQ(64, pool_read("stored"));
	EXPECT_EQ(-1, bad_page(p, 0, 32, 0));
	EXPECT_EQ(-1, bad_read(self->fd, 0, 64, 0));
}

/* Writes are seen in the node's times; reads, as with most devices, are not. */
TEST_F(file, times_of_the_node)
{
	const struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct stat st;

	ASSERT_EQ(0, futimens(self->fd, old));
	EXPECT_EQ(1, pread(self->fd, self->buffer, 1, 0));
	read_byte(map_shared(_metadata, self->fd, 0, 1));
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(1, st.st_atim.tv_sec);
	EXPECT_EQ(1, st.st_mtim.tv_sec);
	EXPECT_EQ(1, pwrite(self->fd, "x", 1, 0));
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_LT(1, st.st_mtim.tv_sec);
}

/* Spare pages are what memory pressure gets. */
TEST_F(file, spare_pages_are_given_back)
{
	long freed = stat_read("pool_freed");

	ASSERT_TRUE(fill(self->fd, 0, 200, 0));
	ASSERT_EQ(0, discard(self->fd, 0, 190));
	EXPECT_LE(190, pool_read("cached"));
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "2"));
	EXPECT_EQ(0, pool_read("cached"));
	EXPECT_EQ(10, pool_read("held"));
	EXPECT_LE(freed + 190, stat_read("pool_freed"));
	EXPECT_EQ(-1, bad_read(self->fd, 190, 10, 0));
}

TEST_HARNESS_MAIN
