// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what the parameter dirty_log=0 takes away, and what a program gets for
 * it. There is no dirty log, says INFO and the ioctl; a sync has nothing to do; and
 * a shared mapping has no page_mkwrite: what was read can be written without
 * another fault. All else is as ever.
 *
 * Reloads the module with that, and in the end as it was. Each test runs in both
 * fault modes.
 * Needs: see reload.h.
 */
#include "mmapdemo_test.h"
#include "reload.h"

#define NR	8

FIXTURE(no_log) {
	struct device dev;
	int fd;
	char *p;		/* NR pages of the device, shared */
	struct counters seen;
	char old[sizeof(old_parameters)];
};

FAULT_MODES(no_log);

FIXTURE_SETUP(no_log)
{
	reload_with(_metadata, self->old, "dirty_log=0");
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->p = map_shared(_metadata, self->fd, 0, NR);
	counters_start(&self->seen);
}

FIXTURE_TEARDOWN_PARENT(no_log)
{
	device_reopen(_metadata, &self->dev);
	device_teardown(_metadata, &self->dev);
	reload_teardown(_metadata, self->old);
}

TEST_F(no_log, ioctl_is_not_supported)
{
	struct mmapdemo_extent extent;
	struct mmapdemo_dirty_log arg = {
		.len = page_size, .extents = (uintptr_t)&extent, .nr_extents = 1,
	}, before;
	int ro = open(DEVICE, O_RDONLY);

	write_pages(self->p, NR, 1);
	before = arg;
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(self->fd, MMAPDEMO_IOC_DIRTY_LOG, &arg));
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(ro, MMAPDEMO_IOC_DIRTY_LOG, &arg));
	arg.flags = MMAPDEMO_DIRTY_LOG_CLEAR;
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(self->fd, MMAPDEMO_IOC_DIRTY_LOG, &arg));
	arg.flags = 0;
	EXPECT_EQ(0, memcmp(&before, &arg, sizeof(arg)));
	close(ro);
}

TEST_F(no_log, info_says_so)
{
	struct mmapdemo_info info;

	write_pages(self->p, NR, 1);
	info = device_info(self->fd);
	EXPECT_EQ(MMAPDEMO_FEATURE_RESIZE | MMAPDEMO_FEATURE_DISCARD,
		  info.features);
	EXPECT_EQ(0, info.dirty);
	EXPECT_EQ(NR * page_size, info.stored);
}

/* What was read is written without a fault, whoever wrote there before. */
TEST_F(no_log, write_after_read_does_not_fault)
{
	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	read_pages(self->p, NR);
	counters_start(&self->seen);
	write_pages(self->p, NR, 1);
	EXPECT_COUNTED(&self->seen, { "fault_read", 0 }, { "fault_write", 0 },
		       { "mkwrite", 0 }, { "map_pages", 0 });
}

TEST_F(no_log, first_write_is_one_fault)
{
	write_pages(self->p, NR, 1);
	EXPECT_COUNTED(&self->seen, { "fault_write", NR }, { "mkwrite", 0 },
		       { "dirtied", 0 });
	EXPECT_EQ(NR, pool_read("stored"));
}

/* Whatever wrote, there is nothing to clean, and nothing is write-protected. */
TEST_F(no_log, sync_has_nothing_to_do)
{
	__u64 unsynced = 0;

	write_pages(self->p, NR, 1);
	ASSERT_TRUE(fill(self->fd, NR, NR, 0));
	EXPECT_EQ(0, pool_read("unsynced"));
	unsynced_bits(self->fd, &unsynced);
	EXPECT_EQ(0, unsynced);
	EXPECT_EQ(0, msync(self->p, NR * page_size, MS_SYNC));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(0, fdatasync(self->fd));
	counters_start(&self->seen);
	write_pages(self->p, NR, 2);
	EXPECT_COUNTED(&self->seen, { "fault_write", 0 }, { "mkwrite", 0 },
		       { "cleaned", 0 });
}

/* With the dirty PTEs of several processes, and what a zap makes of them. */
TEST_F(no_log, nothing_is_counted_as_dirty)
{
	pid_t pid = fork();

	if (!pid) {
		write_pages(self->p, NR, 1);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	write_pages(self->p, NR, 1);
	munmap(self->p, NR * page_size);
	EXPECT_EQ(0, pool_read("dirty"));
	EXPECT_EQ(0, pool_read("unsynced"));
	EXPECT_EQ(NR, pool_read("stored"));
}

/* A private mapping is not concerned: it copies what it writes to. */
TEST_F(no_log, private_mapping_copies)
{
	char *p = map_private(_metadata, self->fd, 0, NR);

	ASSERT_TRUE(fill(self->fd, 0, NR, 3));
	read_pages(p, NR);
	write_pages(p, NR, 1);
	EXPECT_EQ(-1, bad_read(self->fd, 0, NR, 3));
}

/* Nor is what may not be written: the PTE of a mapping for reading stays so. */
TEST_F(no_log, read_only_mapping_stays)
{
	char *p = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 0, NR);

	read_pages(p, NR);
	EXPECT_EQ(SIGSEGV, touch(p, 1).sig);
	ASSERT_EQ(0, mprotect(p, NR * page_size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, touch(p, 1).sig);
	EXPECT_EQ(1, self->p[0]);
}

/* The core does it, where there is no page_mkwrite that has to. */
TEST_F(no_log, first_write_updates_the_node)
{
	make_old(self->fd);
	ASSERT_FALSE(is_new(self->fd));
	write_pages(self->p, 1, 1);
	EXPECT_TRUE(is_new(self->fd));
}

TEST_HARNESS_MAIN
