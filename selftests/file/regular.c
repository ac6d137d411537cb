// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what the kernel grants regular files alone, so that no driver can have
 * it: each call is made on the device, and on a memfd beside it.
 *
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "syscalls.h"

#include <linux/fs.h>
#include <sys/stat.h>

#define NR	4

/* linux/falloc.h has it for the kernel alone. */
struct space_resv {
	__s16 l_type;
	__s16 l_whence;
	__s64 l_start;
	__s64 l_len;
	__s32 l_sysid;
	__u32 l_pid;
	__s32 l_pad[4];
};

#define FS_IOC_RESVSP	_IOW('X', 40, struct space_resv)

/* Each returns as its system call does. */
static long copy_within(int fd)
{
	off_t from = 0, to = 2 * page_size;

	return copy_file_range(fd, &from, fd, &to, page_size, 0);
}

static long copy_in(int fd)
{
	off_t from = 0, to = 0;
	int file = memfd_of(1);
	long ret;

	ret = copy_file_range(file, &from, fd, &to, page_size, 0);
	close(file);
	return ret;
}

static long write_back(int fd)
{
	return sync_file_range(fd, 0, page_size, SYNC_FILE_RANGE_WRITE);
}

static long read_ahead(int fd)
{
	return readahead(fd, 0, page_size);
}

static long set_lease(int fd)
{
	return fcntl(fd, F_SETLEASE, F_WRLCK);
}

static long give_up_lease(int fd)
{
	return fcntl(fd, F_SETLEASE, F_UNLCK);
}

static long seals_of(int fd)
{
	return fcntl(fd, F_GET_SEALS);
}

static long add_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_GROW);
}

/* fallocate(2) by an older name: the core's, as that is. */
static long reserve_space(int fd)
{
	struct space_resv range = { .l_whence = SEEK_SET, .l_len = page_size };

	return ioctl(fd, FS_IOC_RESVSP, &range);
}

static long bytes_left(int fd)
{
	int bytes;

	return ioctl(fd, FIONREAD, &bytes);
}

static long reflink(int fd)
{
	return ioctl(fd, FICLONE, fd);
}

/*
 * ENOTTY is the driver's: it gets those ioctls that the core does not take for
 * itself. EOPNOTSUPP is tmpfs's, which has no blocks to share, but was asked.
 */
static const struct {
	const char *what;
	long (*call)(int fd);
	int device, memfd;	/* 0, or the errno */
} calls[] = {
	{ "copy_file_range from it", copy_within, EINVAL, 0 },
	{ "copy_file_range to it", copy_in, EINVAL, 0 },
	{ "sync_file_range", write_back, ESPIPE, 0 },
	{ "readahead", read_ahead, EINVAL, 0 },
	{ "F_SETLEASE", set_lease, EINVAL, 0 },
	{ "F_SETLEASE, F_UNLCK", give_up_lease, EINVAL, 0 },
	{ "F_GET_SEALS", seals_of, EINVAL, 0 },
	{ "F_ADD_SEALS", add_seal, EINVAL, 0 },
	{ "FS_IOC_RESVSP", reserve_space, ENOTTY, 0 },
	{ "FIONREAD", bytes_left, ENOTTY, 0 },
	{ "FICLONE", reflink, EINVAL, EOPNOTSUPP },
};

FIXTURE(regular) {
	struct device dev;
	int fd;
	int memfd;		/* of the same size, with the same data */
};

/*
 * Opened once more: a lease is for who has a file open alone, and a memfd's
 * first opening does not count.
 */
static int open_memfd(size_t nr)
{
	int fd = memfd_of(nr), again;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR);
	close(fd);
	return again;
}

FIXTURE_SETUP(regular)
{
	device_setup(_metadata, &self->dev, false);
	self->fd = self->dev.fd;
	self->memfd = open_memfd(self->dev.nr_pages);
	ASSERT_LE(0, self->memfd);
	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	ASSERT_TRUE(fill(self->memfd, 0, NR, 0));
}

FIXTURE_TEARDOWN(regular)
{
	close(self->memfd);
	device_teardown(_metadata, &self->dev);
}

TEST_F(regular, calls_for_files_alone)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		EXPECT_EQ(calls[i].device, error_of(calls[i].call(self->fd)))
			TH_LOG("%s: the device", calls[i].what);
		EXPECT_EQ(calls[i].memfd, error_of(calls[i].call(self->memfd)))
			TH_LOG("%s: the memfd", calls[i].what);
	}
	/* What was refused has done nothing; what was copied is there. */
	EXPECT_EQ(NR, pool_read("stored"));
	EXPECT_EQ(-1, bad_read(self->fd, 0, NR, 0));
	EXPECT_EQ(0, bad_read(self->memfd, 0, 1, 0));
	EXPECT_EQ(-1, bad_read(self->memfd, 1, 1, 0));
	EXPECT_EQ(0, bad_read(self->memfd, 2, 1, 0));
}

/* A program that asks stat(2) maps nothing of it, or nothing less. */
TEST_F(regular, size_is_not_in_stat)
{
	off_t size = self->dev.nr_pages * page_size;
	struct stat device, memfd;

	ASSERT_EQ(0, fstat(self->fd, &device));
	ASSERT_EQ(0, fstat(self->memfd, &memfd));
	EXPECT_EQ(0, device.st_size);
	EXPECT_EQ(0, device.st_blocks);
	EXPECT_EQ(size, memfd.st_size);
	EXPECT_EQ(size, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(size, lseek(self->memfd, 0, SEEK_END));
	EXPECT_EQ(size, (off_t)device_info(self->fd).size);

	/* Nor what it has become. */
	ASSERT_EQ(0, resize(self->fd, NR));
	ASSERT_EQ(0, ftruncate(self->memfd, NR * page_size));
	ASSERT_EQ(0, fstat(self->fd, &device));
	ASSERT_EQ(0, fstat(self->memfd, &memfd));
	EXPECT_EQ(0, device.st_size);
	EXPECT_EQ((off_t)(NR * page_size), memfd.st_size);
	EXPECT_EQ((off_t)(NR * page_size), lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(NR * page_size, device_info(self->fd).size);
}

TEST_HARNESS_MAIN
