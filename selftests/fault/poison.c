// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what becomes of a page that the hardware has given up: who faults on
 * it gets SIGBUS with BUS_MCEERR_AR, read(2) and write(2) get EIO, the pool
 * never sees the page again, and all else works on. Each test runs in both
 * fault modes.
 *
 * The ids (E06, Q14, ...) name the branches of mmap that a test proves.
 * Needs: root, CONFIG_MEMORY_FAILURE; see mmapdemo_test.h. Where debugfs has
 * hwpoison/unpoison-pfn, the page is healed afterwards; else the system has
 * one page less.
 */
#include "mmapdemo_test.h"
#include "proc.h"

#include <sys/uio.h>

#define UNPOISON	"/sys/kernel/debug/hwpoison/unpoison-pfn"
#define NR	4
#define BAD	1		/* the page that is poisoned */

FIXTURE(poison) {
	struct device dev;
	int fd;
	char *p;
	unsigned long long pfn;
	long forgotten;
};

FAULT_MODES(poison);

FIXTURE_SETUP(poison)
{
	int err;

	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->forgotten = pool_read("forgotten");
	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	self->p = map_shared(_metadata, self->fd, 0, NR);
	ASSERT_EQ(-1, bad_page(self->p, 0, NR, 0));
	self->pfn = pfn_of(self->p + BAD * page_size);
	/* Q14: a page that is on no LRU cannot be taken from its owner. */
	err = madvise(self->p + BAD * page_size, page_size, MADV_HWPOISON) ?
	      errno : 0;
	if (err == EINVAL)
		DEVICE_SKIP(&self->dev, "needs CONFIG_MEMORY_FAILURE");
	if (err == EPERM)
		DEVICE_SKIP(&self->dev, "needs CAP_SYS_ADMIN");
	EXPECT_EQ(EBUSY, err);
}

/* For a page that nobody has any more. */
static void heal(unsigned long long pfn)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", pfn);
	if (!access(UNPOISON, W_OK))
		write_file(UNPOISON, text);
}

FIXTURE_TEARDOWN(poison)
{
	discard(self->fd, 0, NR);
	munmap(self->p, NR * page_size);
	heal(self->pfn);
	device_teardown(_metadata, &self->dev);
}

/* E06, F03: by any access that needs a new PTE; the neighbours can be used. */
TEST_F(poison, fault)
{
	char *shared = map_shared(_metadata, self->fd, 0, NR);
	char *private = map_private(_metadata, self->fd, 0, NR);
	long count = stat_read("sigbus_poison");
	char *bad = shared + BAD * page_size;

	EXPECT_TRAP(bad, -1, SIGBUS, BUS_MCEERR_AR, bad);
	EXPECT_TRAP(bad, 1, SIGBUS, BUS_MCEERR_AR, bad);
	bad = private + BAD * page_size;
	EXPECT_TRAP(bad, -1, SIGBUS, BUS_MCEERR_AR, bad);
	EXPECT_TRAP(bad, 1, SIGBUS, BUS_MCEERR_AR, bad);
	EXPECT_LE(count + 4, stat_read("sigbus_poison"));
	EXPECT_EQ(-1, bad_page(shared, 0, BAD, 0));
	EXPECT_EQ(-1, bad_page(shared + (BAD + 1) * page_size, BAD + 1,
			       NR - BAD - 1, 0));
	EXPECT_EQ(0, is_mapped(shared + BAD * page_size));
}

static int child_poisons(void *arg)
{
	char *p = arg;

	signal(SIGBUS, SIG_DFL);
	*p = 1;
	return madvise(p, page_size, MADV_HWPOISON) ? errno : 0;
}

/*
 * Who has the page mapped keeps it. On tmpfs it is taken away from all, and who
 * gives such advice hears of the loss at once; on 6.1 with the next access.
 */
TEST_F(poison, Q14_stays_mapped)
{
	char *bad = self->p + BAD * page_size;
	int memfd = memfd_of(1);
	char *like = map_shared(_metadata, memfd, 0, 1);
	unsigned long long pfn;

	EXPECT_EQ(self->pfn, pfn_of(bad));
	EXPECT_TRAP(bad, -1, 0, 0, NULL);
	EXPECT_EQ(-1, bad_page(bad, BAD, 1, 0));

	like[0] = 1;
	pfn = pfn_of(like);
	EXPECT_EQ(kernel_before(6, 12) ? 0 : 128 + SIGBUS,
		  in_child(child_poisons, like));
	EXPECT_EQ(0, is_mapped(like));
	EXPECT_TRAP(like, -1, SIGBUS, BUS_MCEERR_AR, like);
	munmap(like, page_size);
	close(memfd);
	heal(pfn);
}

/* Up to the page, then not further. */
TEST_F(poison, read_and_write)
{
	char buffer[16] = { };
	off_t bad = BAD * page_size;

	EXPECT_EQ(-1, pread(self->fd, buffer, 1, bad));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, pwrite(self->fd, buffer, 1, bad));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(8, pread(self->fd, buffer, 16, bad - 8));
	EXPECT_EQ(8, pwrite(self->fd, buffer, 16, bad - 8));
	EXPECT_EQ(1, pread(self->fd, buffer, 1, bad + page_size));
}

/* M05: nor may the kernel reach it for somebody. */
TEST_F(poison, get_user_pages)
{
	char *p = map_shared(_metadata, self->fd, 0, NR), byte;
	struct iovec local = { &byte, 1 };
	struct iovec remote = { p + BAD * page_size, 1 };

	EXPECT_EQ(-1, process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, madvise(p, NR * page_size, MADV_POPULATE_READ));
	EXPECT_EQ(EHWPOISON, errno);
}

/* What is discarded is replaced by a good page; the bad one is no more. */
TEST_F(poison, discarded_page_never_returns)
{
	long held = pool_read("held");
	char *p = map_shared(_metadata, self->fd, 0, NR);
	size_t i, all = MIN_SIZE / page_size;

	ASSERT_EQ(0, discard(self->fd, BAD, 1));
	EXPECT_EQ(self->forgotten + 1, pool_read("forgotten"));
	EXPECT_EQ(held - 1, pool_read("held"));
	EXPECT_EQ(-1, nonzero(p + BAD * page_size, page_size));
	EXPECT_EQ(-1, nonzero(self->p + BAD * page_size, page_size));
	p[BAD * page_size] = 1;

	p = map_shared(_metadata, self->fd, 0, all);
	write_pages(p, all, 1);
	for (i = 0; i < all; i++) {
		ASSERT_NE(self->pfn, pfn_of(p + i * page_size))
			TH_LOG("page %zu", i);
	}
}

TEST_HARNESS_MAIN
