// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that the device knows every page that was written since the last sync,
 * and since the dirty log was cleared; that it costs a page_mkwrite once per page
 * and no more; and that msync and fsync clean what they are asked to and nothing
 * else, and nothing out of the log. Each test runs in both fault modes.
 *
 * The ids (I01, P03, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"

#include <sys/uio.h>

#define NR	8

FIXTURE(dirty) {
	struct device dev;
	int fd;
	char *p;		/* NR pages of the device, shared and present */
	struct counters seen;	/* at the last look */
};

FAULT_MODES(dirty);

FIXTURE_SETUP(dirty)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->p = map_shared(_metadata, self->fd, 0, NR);
	read_pages(self->p, NR);
	counters_start(&self->seen);
	ASSERT_EQ(0, pool_read("dirty"));
}

FIXTURE_TEARDOWN(dirty)
{
	device_teardown(_metadata, &self->dev);
}

/* What the counters gained since the last look, and how many are dirty now. */
#define EXPECT_LOG(mkwrite, dirtied, cleared, dirty) do {		\
	EXPECT_COUNTED_ANEW(&self->seen, { "mkwrite", mkwrite },	\
			    { "dirtied", dirtied },			\
			    { "cleared", cleared });			\
	EXPECT_EQ(dirty, pool_read("dirty"));				\
} while (0)

/* The same of syncs; each page that was written is in the log all the while. */
#define EXPECT_SYNC(mkwrite, cleaned, unsynced) do {			\
	EXPECT_COUNTED_ANEW(&self->seen, { "mkwrite", mkwrite },	\
			    { "cleaned", cleaned }, { "cleared", 0 });	\
	EXPECT_EQ(unsynced, pool_read("unsynced"));			\
} while (0)

/* Takes all out of the log. Return: which pages were in. */
static __u64 clear_log(int fd)
{
	return log_bits(fd, MMAPDEMO_DIRTY_LOG_CLEAR);
}

/* I01: noticed once for each page, after that it is the hardware's affair. */
TEST_F(dirty, first_write_is_noticed_once)
{
	write_pages(self->p, NR, 1);
	EXPECT_LOG(NR, NR, 0, NR);
	write_pages(self->p, NR, 2);
	write_pages(self->p + 1, NR, 3);
	EXPECT_LOG(0, 0, 0, NR);
}

TEST_F(dirty, reads_do_not_count)
{
	read_pages(self->p, NR);
	EXPECT_EQ(-1, nonzero(self->p, NR * page_size));
	EXPECT_LOG(0, 0, 0, 0);
}

/* H01: a page that a write made is dirty from the start. */
TEST_F(dirty, first_touch_is_a_write)
{
	char *p = map_shared(_metadata, self->fd, NR, 2);

	write_pages(p, 2, 1);
	EXPECT_LOG(2, 2, 0, 2);
}

static int child_writes(void *arg)
{
	char *p = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE,
		       MAP_SHARED, *(int *)arg, 0);

	if (p == MAP_FAILED)
		return 1;
	write_pages(p, NR, 5);
	return 0;
}

/* I02: each mapping's PTE asks for itself, the page is logged once. */
TEST_F(dirty, second_process_is_noticed)
{
	write_pages(self->p, NR, 1);
	EXPECT_LOG(NR, NR, 0, NR);
	EXPECT_EQ(0, in_child(child_writes, &self->fd));
	EXPECT_LOG(NR, 0, 0, NR);
}

static int child_writes_inherited(void *arg)
{
	write_pages(arg, NR, 6);
	return 0;
}

/*
 * S02: a child's PTEs of a plain mapping are faulted in anew, and notice; those
 * of a special one are copied, stay writable, and the page is in the log
 * already. Either way a harvest takes the right to write from all of them.
 */
TEST_F(dirty, child_writes_after_fork)
{
	write_pages(self->p, NR, 1);
	EXPECT_EQ(0, in_child(child_writes_inherited, self->p));
	EXPECT_LOG(variant->insert ? NR : 2 * NR, NR, 0, NR);
	ASSERT_EQ(PAGES(0, NR), clear_log(self->fd));
	EXPECT_EQ(0, in_child(child_writes_inherited, self->p));
	EXPECT_LOG(NR, NR, NR, NR);
}

/* P03, I03: clean, and the next write is noticed again; the log stays. */
TEST_F(dirty, msync_cleans)
{
	write_pages(self->p, NR, 1);
	EXPECT_SYNC(NR, 0, NR);
	ASSERT_EQ(0, msync(self->p, NR * page_size, MS_SYNC));
	EXPECT_SYNC(0, NR, 0);
	write_pages(self->p, 1, 2);
	EXPECT_SYNC(1, 0, 1);
	write_pages(self->p, 1, 3);
	EXPECT_SYNC(0, 0, 1);
	EXPECT_EQ(3, self->p[0]);
	EXPECT_EQ(PAGES(0, NR), log_bits(self->fd, 0));
}

TEST_F(dirty, fsync_cleans)
{
	write_pages(self->p, NR, 1);
	ASSERT_EQ(0, fsync(self->fd));
	EXPECT_SYNC(NR, NR, 0);
	write_pages(self->p, NR, 2);
	ASSERT_EQ(0, fdatasync(self->fd));
	EXPECT_SYNC(NR, NR, 0);
	ASSERT_EQ(0, fsync(self->fd));
	EXPECT_SYNC(0, 0, 0);
	EXPECT_EQ(PAGES(0, NR), log_bits(self->fd, 0));
}

/* A harvest is noticed again as well, and leaves all to be synced. */
TEST_F(dirty, harvest_clears)
{
	write_pages(self->p, NR, 1);
	ASSERT_EQ(PAGES(0, NR), clear_log(self->fd));
	EXPECT_LOG(NR, NR, NR, 0);
	EXPECT_EQ(NR, pool_read("unsynced"));
	write_pages(self->p, 2, 2);
	EXPECT_LOG(2, 2, 0, 2);
	ASSERT_EQ(0, fsync(self->fd));
	EXPECT_SYNC(0, NR, 0);
	EXPECT_EQ(PAGES(0, 2), clear_log(self->fd));
}

/* P03: to the byte's page, through an offset; neighbours stay unsynced. */
TEST_F(dirty, msync_cleans_its_range_only)
{
	char *p = map_shared(_metadata, self->fd, 2, 4);

	write_pages(self->p, NR, 1);
	EXPECT_SYNC(NR, 0, NR);
	ASSERT_EQ(0, msync(p + page_size, page_size + 1, MS_SYNC));
	EXPECT_SYNC(0, 2, NR - 2);
	/* Device pages 3 and 4 are noticed again, 2 and 5 are not. */
	write_pages(self->p + 2 * page_size, 4, 2);
	EXPECT_SYNC(2, 0, NR);
}

/* P05 */
TEST_F(dirty, ms_async_cleans_nothing)
{
	write_pages(self->p, NR, 1);
	EXPECT_EQ(0, msync(self->p, NR * page_size, MS_ASYNC));
	EXPECT_EQ(0, msync(self->p, NR * page_size, 0));
	EXPECT_EQ(0, msync(self->p, NR * page_size, MS_INVALIDATE));
	EXPECT_SYNC(NR, 0, NR);
}

/* P04: the core asks the driver for writable shared mappings alone. */
TEST_F(dirty, msync_elsewhere_cleans_nothing)
{
	int fd = open(DEVICE, O_RDONLY);
	char *readonly = map(_metadata, fd, PROT_READ, MAP_SHARED, 0, NR);
	char *private = map_private(_metadata, self->fd, 0, NR);

	write_pages(self->p, NR, 1);
	EXPECT_EQ(0, msync(readonly, NR * page_size, MS_SYNC));
	EXPECT_EQ(0, msync(private, NR * page_size, MS_SYNC));
	EXPECT_SYNC(NR, 0, NR);
	close(fd);
}

/* G01 */
TEST_F(dirty, private_writes_do_not_count)
{
	write_pages(map_private(_metadata, self->fd, 0, NR), NR, 1);
	EXPECT_LOG(0, 0, 0, 0);
}

TEST_F(dirty, write_syscall_counts)
{
	ASSERT_EQ(3, pwrite(self->fd, "abc", 3, page_size - 1));
	EXPECT_LOG(0, 2, 0, 2);
	EXPECT_EQ(2, pool_read("unsynced"));
	ASSERT_EQ(0, clean_all(self->fd));
	ASSERT_EQ(1, pwrite(self->fd, "d", 1, page_size));
	EXPECT_LOG(0, 1, 2, 1);
	EXPECT_EQ(1, pool_read("unsynced"));
	/* The PTE is still read-only: a store asks, and finds it logged. */
	self->p[page_size] = 'e';
	EXPECT_LOG(1, 0, 0, 1);
	EXPECT_EQ(1, pool_read("unsynced"));
}

/* I04: a PTE that was written already gets its right back unasked ... */
TEST_F(dirty, mprotect_and_back)
{
	write_pages(self->p, NR, 1);
	ASSERT_EQ(0, mprotect(self->p, NR * page_size, PROT_READ));
	ASSERT_EQ(0, mprotect(self->p, NR * page_size, PROT_READ | PROT_WRITE));
	EXPECT_LOG(NR, NR, 0, NR);
	write_pages(self->p, NR, 2);
	EXPECT_LOG(0, 0, 0, NR);
}

/* ... I03: but not when the page has been cleaned meanwhile. */
TEST_F(dirty, clean_page_is_noticed_after_mprotect)
{
	write_pages(self->p, NR, 1);
	ASSERT_EQ(0, mprotect(self->p, NR * page_size, PROT_READ));
	ASSERT_EQ(0, clean_all(self->fd));
	ASSERT_EQ(0, mprotect(self->p, NR * page_size, PROT_READ | PROT_WRITE));
	EXPECT_LOG(NR, NR, NR, 0);
	write_pages(self->p, NR, 2);
	EXPECT_LOG(NR, NR, 0, NR);
}

/* N12 */
TEST_F(dirty, write_to_readonly_is_no_write)
{
	ASSERT_EQ(0, mprotect(self->p, NR * page_size, PROT_READ));
	EXPECT_TRAP(self->p, 1, SIGSEGV, SEGV_ACCERR, self->p);
	EXPECT_LOG(0, 0, 0, 0);
}

/* I03: dropped PTEs ask again; the pages never left the log. */
TEST_F(dirty, dontneed_keeps_dirty)
{
	write_pages(self->p, NR, 1);
	ASSERT_EQ(0, madvise(self->p, NR * page_size, MADV_DONTNEED));
	EXPECT_LOG(NR, NR, 0, NR);
	write_pages(self->p, NR, 2);
	EXPECT_LOG(NR, 0, 0, NR);
}

/* O13: a moved PTE keeps its right to write, and a sync still finds it. */
TEST_F(dirty, moved_mapping_is_cleaned)
{
	char *p = reserve(_metadata, NR);

	write_pages(self->p, NR, 1);
	ASSERT_EQ(p, mremap(self->p, NR * page_size, NR * page_size,
			    MREMAP_MAYMOVE | MREMAP_FIXED, p));
	write_pages(p, NR, 2);
	EXPECT_LOG(NR, NR, 0, NR);
	ASSERT_EQ(0, msync(p, NR * page_size, MS_SYNC));
	write_pages(p, NR, 3);
	EXPECT_SYNC(NR, NR, NR);
}

/* T03: what a mapping wrote is still logged when it has gone. */
TEST_F(dirty, munmap_keeps_dirty)
{
	write_pages(self->p, NR, 1);
	ASSERT_EQ(0, munmap(self->p, NR * page_size));
	EXPECT_LOG(NR, NR, 0, NR);
	ASSERT_EQ(0, fsync(self->fd));
	EXPECT_SYNC(0, NR, 0);
	ASSERT_EQ(PAGES(0, NR), clear_log(self->fd));
	EXPECT_LOG(0, 0, NR, 0);
}

/* What is gone cannot be dirty. */
TEST_F(dirty, discard_cleans)
{
	write_pages(self->p, NR, 1);
	ASSERT_EQ(0, discard(self->fd, 2, 4));
	EXPECT_LOG(NR, NR, 0, NR - 4);
	EXPECT_EQ(NR - 4, pool_read("unsynced"));
	write_pages(self->p, NR, 2);
	EXPECT_LOG(4, 4, 0, NR);
}

/* J08: the kernel's writes into a mapping count as the user's own do. */
TEST_F(dirty, kernel_writes_count)
{
	struct iovec local = { .iov_base = "gup", .iov_len = 3 };
	struct iovec remote = { .iov_base = self->p, .iov_len = 3 };
	int pipes[2];

	ASSERT_EQ(3, process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
	EXPECT_LOG(1, 1, 0, 1);
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(4, write(pipes[1], "copy", 4));
	ASSERT_EQ(4, read(pipes[0], self->p + page_size, 4));
	EXPECT_LOG(1, 1, 0, 2);
	EXPECT_EQ(0, memcmp(self->p, "gup", 3));
	EXPECT_EQ(0, memcmp(self->p + page_size, "copy", 4));
}

TEST_HARNESS_MAIN
