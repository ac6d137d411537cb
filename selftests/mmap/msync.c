// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves which parts of a range msync hands to the driver's fsync, and which
 * it refuses, skips or stops at: by what is clean afterwards. That a sync
 * cleans, and that MS_ASYNC does not, is proven in dirty.c. Each test runs in
 * both fault modes.
 *
 * The ids (P01, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"

#define NR	8

FIXTURE(msync) {
	struct device dev;
	int fd;
	char *p;		/* NR pages of the device, shared and dirty */
	struct counters before;
};

FAULT_MODES(msync);

FIXTURE_SETUP(msync)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->p = map_shared(_metadata, self->fd, 0, NR);
	write_pages(self->p, NR, 1);
	counters_start(&self->before);
}

FIXTURE_TEARDOWN(msync)
{
	device_teardown(_metadata, &self->dev);
}

/* How many pages the driver cleaned, which are unsynced; all are in the log. */
#define EXPECT_SYNCED(nr, unsynced) do {				\
	__u64 bits_, unsynced_ = (unsynced);				\
									\
	EXPECT_COUNTED(&self->before, { "cleaned", nr });		\
	EXPECT_EQ(__builtin_popcountll(unsynced_), pool_read("unsynced")); \
	if (unsynced_bits(self->fd, &bits_))				\
		EXPECT_EQ(unsynced_, bits_);				\
	EXPECT_EQ(PAGES(0, NR), log_bits(self->fd, 0));			\
} while (0)

/* @nr pages of the device at @p, whatever is there. Return: whether so. */
static bool map_at(char *p, int fd, size_t pgoff, size_t nr)
{
	return mmap(p, nr * page_size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, fd, pgoff * page_size) == p;
}

TEST_F(msync, P01_arguments)
{
	const struct {
		const char *name;
		size_t start, len;
		int flags;
		int error;
	} c[] = {
		{ "unknown flag", 0, page_size, MS_SYNC | 8, EINVAL },
		{ "both", 0, page_size, MS_SYNC | MS_ASYNC, EINVAL },
		{ "unaligned", 1, page_size, MS_SYNC, EINVAL },
		{ "unaligned, empty", 1, 0, MS_SYNC, EINVAL },
		{ "empty", 0, 0, MS_SYNC, 0 },
		/* From here on a long of the kernel's may be too wide to wrap. */
		{ "wraps", 0, -page_size, MS_SYNC, ENOMEM },
		/* Rounded up to whole pages, these are none. */
		{ "wraps to nothing", 0, -1UL, MS_SYNC, 0 },
	};
	size_t i, nr = ARRAY_SIZE(c) - (kernel_is_wider() ? 2 : 0);

	for (i = 0; i < nr; i++) {
		int ret = msync(self->p + c[i].start, c[i].len, c[i].flags);

		EXPECT_EQ(c[i].error, ret ? errno : 0)
			TH_LOG("%s", c[i].name);
	}
	EXPECT_SYNCED(0, PAGES(0, NR));
}

/* Wherever the hole is, the rest is synced first. */
TEST_F(msync, P02_hole_is_skipped)
{
	ASSERT_EQ(0, munmap(self->p + 2 * page_size, 2 * page_size));
	EXPECT_ERRNO(ENOMEM, msync(self->p, 5 * page_size, MS_SYNC));
	EXPECT_SYNCED(3, PAGES(2, 2) | PAGES(5, 3));
	EXPECT_ERRNO(ENOMEM, msync(self->p + 3 * page_size, 3 * page_size,
				   MS_SYNC));
	EXPECT_SYNCED(4, PAGES(2, 2) | PAGES(6, 2));
	ASSERT_EQ(0, munmap(self->p + 7 * page_size, page_size));
	EXPECT_ERRNO(ENOMEM, msync(self->p + 6 * page_size, 2 * page_size,
				   MS_SYNC));
	EXPECT_SYNCED(5, PAGES(2, 2) | PAGES(7, 1));
	EXPECT_ERRNO(ENOMEM, msync(self->p + 2 * page_size, 2 * page_size,
				   MS_SYNC));
	EXPECT_SYNCED(5, PAGES(2, 2) | PAGES(7, 1));
}

/*
 * MS_ASYNC does nothing to a mapping, so only an error further on tells how
 * far it went: that of MS_INVALIDATE for locked memory.
 */
TEST_F(msync, P02_ms_async_stops_at_hole)
{
	char *p = reserve(_metadata, 3);
	size_t len = 3 * page_size;

	ASSERT_TRUE(map_at(p, self->fd, 0, 1));
	ASSERT_EQ(0, mprotect(p + 2 * page_size, page_size, PROT_READ));
	ASSERT_EQ(0, mlock(p + 2 * page_size, page_size));
	EXPECT_EQ(0, msync(p, len, MS_ASYNC));
	EXPECT_ERRNO(EBUSY, msync(p, len, MS_INVALIDATE));
	ASSERT_EQ(0, munmap(p + page_size, page_size));
	EXPECT_ERRNO(ENOMEM, msync(p, len, MS_ASYNC));
	EXPECT_ERRNO(ENOMEM, msync(p, len, 0));
	EXPECT_ERRNO(EBUSY, msync(p, len, MS_ASYNC | MS_INVALIDATE));
	EXPECT_SYNCED(0, PAGES(0, NR));
	EXPECT_ERRNO(EBUSY, msync(p, len, MS_SYNC | MS_INVALIDATE));
	EXPECT_SYNCED(1, PAGES(1, NR - 1));
	EXPECT_EQ(0, munlock(p + 2 * page_size, page_size));
}

/* Of a special mapping VM_LOCKED is never set, and so it is synced. */
TEST_F(msync, P06_invalidate_locked)
{
	char *locked = self->p + 2 * page_size;
	size_t len = 2 * page_size;

	ASSERT_EQ(0, mlock(locked, len));
	if (variant->insert) {
		EXPECT_EQ(0, msync(locked, len, MS_INVALIDATE));
		EXPECT_EQ(0, msync(locked, len, MS_SYNC | MS_INVALIDATE));
		EXPECT_SYNCED(2, PAGES(0, 2) | PAGES(4, 4));
		return;
	}
	EXPECT_ERRNO(EBUSY, msync(locked, len, MS_INVALIDATE));
	EXPECT_ERRNO(EBUSY, msync(locked, len, MS_SYNC | MS_INVALIDATE));
	EXPECT_SYNCED(0, PAGES(0, NR));
	/* What lies before it is synced by then. */
	EXPECT_ERRNO(EBUSY, msync(self->p, NR * page_size,
				  MS_SYNC | MS_INVALIDATE));
	EXPECT_SYNCED(2, PAGES(2, NR - 2));
	EXPECT_EQ(0, msync(locked, len, MS_SYNC));
	EXPECT_SYNCED(4, PAGES(4, 4));
	ASSERT_EQ(0, munlock(locked, len));
	EXPECT_EQ(0, msync(locked, len, MS_SYNC | MS_INVALIDATE));
}

/*
 * Two mappings next to each other, of pages that are not: each is synced for
 * the part of the device that it shows, and nothing between the two is.
 */
TEST_F(msync, P07_each_vma_by_its_pgoff)
{
	char *p = reserve(_metadata, 4);

	ASSERT_TRUE(map_at(p, self->fd, 6, 2));
	ASSERT_TRUE(map_at(p + 2 * page_size, self->fd, 0, 2));
	ASSERT_EQ(0, msync(p + page_size, 2 * page_size, MS_SYNC));
	EXPECT_SYNCED(2, PAGES(1, 6));
	/* A mapping that lost its head shows later pages at its start. */
	ASSERT_EQ(0, munmap(self->p, 3 * page_size));
	ASSERT_EQ(0, msync(self->p + 3 * page_size, page_size + 1, MS_SYNC));
	EXPECT_SYNCED(4, PAGES(1, 2) | PAGES(5, 2));
}

/* Private and foreign mappings in between do not end it. */
TEST_F(msync, P07_mixed_vmas)
{
	char *p = reserve(_metadata, 4);

	ASSERT_TRUE(map_at(p, self->fd, 0, 1));
	ASSERT_EQ(p + page_size,
		  mmap(p + page_size, page_size, PROT_READ,
		       MAP_PRIVATE | MAP_FIXED, self->fd, page_size));
	ASSERT_TRUE(map_at(p + 3 * page_size, self->fd, 3, 1));
	ASSERT_EQ(0, msync(p, 4 * page_size, MS_SYNC));
	EXPECT_SYNCED(2, PAGES(1, 2) | PAGES(4, 4));
}

/* A character device has no range to write back for it; nothing is called. */
TEST_F(msync, P08_sync_file_range)
{
	EXPECT_ERRNO(ESPIPE, sync_file_range(self->fd, 0, 0,
					     SYNC_FILE_RANGE_WRITE));
	EXPECT_ERRNO(ESPIPE, sync_file_range(self->fd, 0, page_size, 0));
	EXPECT_ERRNO(EINVAL, sync_file_range(self->fd, 0, 0, 8));
	EXPECT_ERRNO(EINVAL, sync_file_range(self->fd, -1, 0, 0));
	EXPECT_SYNCED(0, PAGES(0, NR));
}

/* fdatasync and fsync reach the driver, through a descriptor of any kind. */
TEST_F(msync, P08_fsync)
{
	int ro = open(DEVICE, O_RDONLY), path = open(DEVICE, O_PATH);

	EXPECT_ERRNO(EBADF, fsync(path));
	EXPECT_SYNCED(0, PAGES(0, NR));
	EXPECT_EQ(0, fdatasync(ro));
	EXPECT_SYNCED(NR, 0);
	close(ro);
	close(path);
}

TEST_HARNESS_MAIN
