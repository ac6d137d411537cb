// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that the ioctls are there and say what is so, and that what is like
 * them is refused. Each test runs as a 64-bit program calls, and as a 32-bit
 * one does.
 *
 * Needs: see mmapdemo_test.h; for 32 bits x86_64 and CONFIG_IA32_EMULATION.
 */
#include "mmapdemo_test.h"
#include "syscalls.h"

#include <assert.h>
#include <limits.h>

#include "layout.h"

/* Pages that hold data, and how large the device is meanwhile. */
#define STORED	4
#define NR	64

FIXTURE(ioctl) {
	struct device dev;
	int fd;
	void *arg;		/* a page where 32-bit programs have theirs */
};

FIXTURE_VARIANT(ioctl) {
	caller_t call;
};

FIXTURE_VARIANT_ADD(ioctl, native) {
	.call = call_64,
};

#ifdef __x86_64__
FIXTURE_VARIANT_ADD(ioctl, compat) {
	.call = call_32,
};
#endif

FIXTURE_SETUP(ioctl)
{
	if (!can_call(variant->call))
		SKIP(return, "needs CONFIG_IA32_EMULATION");
	device_setup(_metadata, &self->dev, false);
	self->fd = self->dev.fd;
	self->arg = low_pages(1);
	ASSERT_NE(MAP_FAILED, self->arg);
	ASSERT_EQ(0, resize(self->fd, NR));
	ASSERT_TRUE(fill(self->fd, 0, STORED, 0));
}

FIXTURE_TEARDOWN(ioctl)
{
	EXPECT_EQ(0, resize(self->fd, self->dev.nr_pages));
	device_teardown(_metadata, &self->dev);
}

TEST_F(ioctl, info)
{
	struct mmapdemo_info *info = self->arg;
	__u64 page = page_size;
	const int fd[] = {
		self->fd, open(DEVICE, O_RDONLY), open(DEVICE, O_WRONLY),
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fd); i++) {
		memset(info, 0xff, sizeof(*info) + 1);
		ASSERT_EQ(0, variant->call(fd[i], MMAPDEMO_IOC_INFO, info));
		EXPECT_EQ(NR * page, info->size);
		EXPECT_EQ(pool_read("cap") * page, info->pool_size);
		EXPECT_EQ(page, info->page_size);
		EXPECT_EQ(STORED * page, info->stored);
		EXPECT_EQ(STORED * page, info->dirty);
		EXPECT_EQ(MMAPDEMO_FEATURE_RESIZE | MMAPDEMO_FEATURE_DISCARD |
			  MMAPDEMO_FEATURE_DIRTY_LOG, info->features);
		EXPECT_EQ((char)0xff, *(char *)(info + 1));
	}
	ASSERT_EQ(0, clean_all(self->fd));
	ASSERT_EQ(0, discard(self->fd, 0, 1));
	ASSERT_EQ(0, variant->call(self->fd, MMAPDEMO_IOC_INFO, info));
	EXPECT_EQ((STORED - 1) * page, info->stored);
	EXPECT_EQ(0, info->dirty);
}

/* The commands work, which for 32 bits is not a matter of course. */
TEST_F(ioctl, each_command)
{
	struct mmapdemo_extent *extents = self->arg + 256;
	struct mmapdemo_dirty_log *log = self->arg;
	struct mmapdemo_discard *range = self->arg;
	struct mmapdemo_resize *resize = self->arg;

	*log = (struct mmapdemo_dirty_log){
		.len = NR * page_size, .extents = (uintptr_t)extents,
		.nr_extents = 2, .flags = MMAPDEMO_DIRTY_LOG_CLEAR,
	};
	ASSERT_EQ(0, variant->call(self->fd, MMAPDEMO_IOC_DIRTY_LOG, log));
	EXPECT_EQ(1, log->nr_extents);
	EXPECT_EQ(NR * page_size, log->start);
	EXPECT_EQ(0, extents->start);
	EXPECT_EQ(STORED * page_size, extents->len);
	EXPECT_EQ(0, pool_read("dirty"));
	*range = (struct mmapdemo_discard){
		.start = page_size, .len = page_size,
	};
	ASSERT_EQ(0, variant->call(self->fd, MMAPDEMO_IOC_DISCARD, range));
	EXPECT_EQ(STORED - 1, pool_read("stored"));
	EXPECT_EQ(-1, bad_read(self->fd, 0, 1, 0));
	EXPECT_EQ(-1, bad_read(self->fd, 2, STORED - 2, 0));
	*resize = (struct mmapdemo_resize){ .size = largest_size() };
	ASSERT_EQ(0, variant->call(self->fd, MMAPDEMO_IOC_RESIZE, resize));
	EXPECT_EQ((off_t)largest_size(), lseek(self->fd, 0, SEEK_END));
}

/* The right number with another direction or size is another command. */
TEST_F(ioctl, unknown_commands)
{
	const unsigned int known[] = {
		MMAPDEMO_IOC_INFO, MMAPDEMO_IOC_RESIZE, MMAPDEMO_IOC_DISCARD,
		MMAPDEMO_IOC_DIRTY_LOG,
	};
	unsigned int i, nr;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		const unsigned int c = known[i], bad[] = {
			c ^ 1U << 30, c ^ 1U << 31, c ^ 3U << 30, c & 0xffff,
			c + (1 << 16), c - (8 << 16), c ^ 1 << 8, c | 0x80,
		};

		for (nr = 0; nr < ARRAY_SIZE(bad); nr++)
			EXPECT_EQ(-ENOTTY, variant->call(self->fd, bad[nr],
							 self->arg));
	}
	for (nr = 4; nr < 256; nr++)
		EXPECT_EQ(-ENOTTY, variant->call(self->fd, _IO(0xDA, nr),
						 self->arg));
	EXPECT_EQ(-ENOTTY, variant->call(self->fd, 0, NULL));
	EXPECT_EQ(-ENOTTY, variant->call(self->fd, ~0U, NULL));
	EXPECT_EQ(0, isatty(self->fd));
}

/* What ioctl(2) itself says; 2G is no file either. */
TEST_F(ioctl, bad_files)
{
	int path = open(DEVICE, O_PATH);

	memset(self->arg, 0, page_size);
	EXPECT_EQ(-EBADF, variant->call(-1, MMAPDEMO_IOC_INFO, self->arg));
	EXPECT_EQ(-EBADF, variant->call(INT_MAX, MMAPDEMO_IOC_INFO, self->arg));
	EXPECT_EQ(-EBADF, variant->call(path, MMAPDEMO_IOC_INFO, self->arg));
	close(path);
	EXPECT_EQ(-EBADF, variant->call(path, MMAPDEMO_IOC_INFO, self->arg));
}

TEST_HARNESS_MAIN
