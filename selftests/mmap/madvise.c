// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what madvise refuses, and what advice that is kept in the VMA's flags
 * does to a mapping: which are accepted, which flags they set, what is split.
 * Advice on pages is in madvise_pages.c. Each test runs in both fault modes;
 * where the contract differs for fault_mode=insert, the test says how.
 *
 * The ids (Q01, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "resource_limits.h"
#include "proc.h"
#include "syscalls.h"

#include <linux/prctl.h>
#include <sys/prctl.h>
#include <sys/uio.h>

DEVICE_FIXTURE(madvise)

TEST_F(madvise, Q01_arguments)
{
	char *p = map_shared(_metadata, self->fd, 0, 2);
	const struct {
		const char *name;
		size_t start, len;
		int advice;
		int error;
	} c[] = {
		{ "unknown", 0, page_size, 99, EINVAL },
		{ "unknown, empty", 0, 0, 99, EINVAL },
		{ "negative", 0, page_size, -1, EINVAL },
		{ "unaligned", 1, page_size, MADV_DONTNEED, EINVAL },
		{ "unaligned, empty", 1, 0, MADV_DONTNEED, EINVAL },
		{ "wraps", 0, -page_size, MADV_DONTNEED, EINVAL },
		{ "wraps to nothing", 0, -1UL, MADV_DONTNEED, EINVAL },
		{ "empty", 0, 0, MADV_DONTNEED, 0 },
		{ "empty, for others", 0, 0, MADV_FREE, 0 },
	};
	size_t i;

	write_pages(p, 2, 1);
	for (i = 0; i < ARRAY_SIZE(c); i++) {
		EXPECT_EQ(c[i].error, advise(p + c[i].start, c[i].len,
					     c[i].advice))
			TH_LOG("%s", c[i].name);
	}
	EXPECT_EQ(2, count_mapped(p, 2));
}

/* Wherever the hole is, the rest is done, of pages and of flags. */
TEST_F(madvise, Q01_hole)
{
	char *p = map_shared(_metadata, self->fd, 0, 4);
	size_t len = 4 * page_size;

	write_pages(p, 4, 1);
	ASSERT_EQ(0, munmap(p + page_size, page_size));
	EXPECT_EQ(ENOMEM, advise(p, len, MADV_DONTNEED));
	EXPECT_EQ(0, count_mapped(p, 4));
	EXPECT_EQ(ENOMEM, advise(p, len, MADV_RANDOM));
	EXPECT_TRUE(vma_has_flag(p, "rr"));
	EXPECT_TRUE(vma_has_flag(p + 2 * page_size, "rr"));
	EXPECT_EQ(ENOMEM, advise(p + page_size, page_size, MADV_RANDOM));
	EXPECT_EQ(ENOMEM, advise(p + page_size, 2 * page_size, MADV_NORMAL));
	EXPECT_FALSE(vma_has_flag(p + 2 * page_size, "rr"));
	EXPECT_TRUE(vma_has_flag(p + 3 * page_size, "rr"));
}

/* An error ends it; what comes before is done. */
TEST_F(madvise, Q01_error_ends_it)
{
	char *p = map_shared(_metadata, self->fd, 0, 6);

	write_pages(p, 6, 1);
	ASSERT_EQ(0, mprotect(p + 2 * page_size, 2 * page_size, PROT_READ));
	ASSERT_NE(MAP_FAILED, mmap(p + 2 * page_size, 2 * page_size, PROT_READ,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				   0));
	ASSERT_EQ(0, mlock(p + 2 * page_size, 2 * page_size));
	EXPECT_EQ(EINVAL, advise(p, 6 * page_size, MADV_DONTNEED));
	EXPECT_EQ(0, count_mapped(p, 2));
	EXPECT_EQ(4, count_mapped(p + 2 * page_size, 4));
}

/*
 * The flags that readahead would go by: of the middle, which is split off, as
 * the driver hears; equal again, the parts stay apart, because it wants to hear
 * of each that goes (->close).
 */
TEST_F(madvise, Q02_access_patterns)
{
	char *p = map_shared(_metadata, self->fd, 0, 6);
	char *middle = p + 2 * page_size;
	long opened = stat_read("vma_open"), closed = stat_read("vma_close");

	write_pages(p, 6, 1);
	EXPECT_EQ(0, advise(p, 6 * page_size, MADV_NORMAL));
	EXPECT_EQ(opened, stat_read("vma_open"));
	EXPECT_EQ(0, advise(middle, 2 * page_size, MADV_RANDOM));
	EXPECT_TRUE(vma_has_flag(middle, "rr"));
	EXPECT_FALSE(vma_has_flag(p, "rr"));
	EXPECT_FALSE(vma_has_flag(p + 4 * page_size, "rr"));
	EXPECT_EQ(3, count_vmas(p, 6));
	EXPECT_EQ(opened + 2, stat_read("vma_open"));
	EXPECT_EQ(0, advise(middle, 2 * page_size, MADV_SEQUENTIAL));
	EXPECT_TRUE(vma_has_flag(middle, "sr"));
	EXPECT_FALSE(vma_has_flag(middle, "rr"));
	EXPECT_EQ(0, advise(middle, 2 * page_size, MADV_NORMAL));
	EXPECT_FALSE(vma_has_flag(middle, "sr"));
	EXPECT_EQ(3, count_vmas(p, 6));
	EXPECT_EQ(opened + 2, stat_read("vma_open"));
	EXPECT_EQ(closed, stat_read("vma_close"));
	EXPECT_EQ(6, count_mapped(p, 6));
}

static int advise_middle(void *arg)
{
	return madvise((char *)arg + page_size, page_size, MADV_RANDOM);
}

static int advise_all(void *arg)
{
	return madvise(arg, 3 * page_size, MADV_RANDOM);
}

/* "Try again", says madvise, where others say that there is no memory. */
TEST_F(madvise, Q02_map_limit)
{
	char *p = map_shared(_metadata, self->fd, 0, 3);

	EXPECT_EQ(EAGAIN, errno_at_map_limit(advise_middle, p));
	EXPECT_EQ(0, errno_at_map_limit(advise_all, p));
}

/* Nothing to read ahead from: no page is made, and none is mapped. */
TEST_F(madvise, Q03_willneed)
{
	char *p = map_shared(_metadata, self->fd, 0, 8);
	char *private = map_private(_metadata, self->fd, 0, 8);

	ASSERT_TRUE(fill(self->fd, 0, 2, 0));
	EXPECT_EQ(0, advise(p, 8 * page_size, MADV_WILLNEED));
	EXPECT_EQ(0, advise(private, 8 * page_size, MADV_WILLNEED));
	EXPECT_EQ(2, pool_read("stored"));
	EXPECT_EQ(0, count_mapped(p, 8));
	EXPECT_EQ(0, count_mapped(private, 8));
	ASSERT_EQ(0, munmap(p + page_size, page_size));
	EXPECT_EQ(ENOMEM, advise(p, 8 * page_size, MADV_WILLNEED));
}

/* Both are for anonymous memory; undoing what cannot be done is allowed. */
TEST_F(madvise, Q06_anonymous_memory_only)
{
	char *shared = map_shared(_metadata, self->fd, 0, 2);
	char *private = map_private(_metadata, self->fd, 0, 2);
	size_t len = 2 * page_size;

	write_pages(private, 2, 7);
	EXPECT_EQ(EINVAL, advise(shared, len, MADV_FREE));
	EXPECT_EQ(EINVAL, advise(private, len, MADV_FREE));
	EXPECT_EQ(EINVAL, advise(shared, len, MADV_WIPEONFORK));
	EXPECT_EQ(EINVAL, advise(private, len, MADV_WIPEONFORK));
	EXPECT_EQ(0, advise(shared, len, MADV_KEEPONFORK));
	EXPECT_EQ(0, advise(private, len, MADV_KEEPONFORK));
	EXPECT_EQ(7, private[0]);
	EXPECT_EQ(7, private[page_size]);
}

/* Once special, always left out, says 7.3 of what MADV_DONTFORK left out. */
TEST_F(madvise, Q08_dontfork)
{
	bool undone = !variant->insert || kernel_before(7, 3);
	char *p = map_shared(_metadata, self->fd, 0, 2);

	EXPECT_EQ(0, advise(p, page_size, MADV_DONTFORK));
	EXPECT_TRUE(vma_has_flag(p, "dc"));
	EXPECT_FALSE(vma_has_flag(p + page_size, "dc"));
	EXPECT_EQ(undone ? 0 : EINVAL, advise(p, page_size, MADV_DOFORK));
	EXPECT_EQ(!undone, vma_has_flag(p, "dc"));
}

/* What is special is not dumped again once it is not. */
TEST_F(madvise, Q09_dontdump)
{
	char *p = map_shared(_metadata, self->fd, 0, 2);

	EXPECT_EQ(0, advise(p, page_size, MADV_DONTDUMP));
	EXPECT_TRUE(vma_has_flag(p, "dd"));
	EXPECT_FALSE(vma_has_flag(p + page_size, "dd"));
	EXPECT_EQ(variant->insert ? EINVAL : 0,
		  advise(p, page_size, MADV_DODUMP));
	EXPECT_EQ(variant->insert, vma_has_flag(p, "dd"));
}

/* Accepted everywhere, but kept for plain private mappings alone. */
TEST_F(madvise, Q10_ksm)
{
	bool ksm = !access("/sys/kernel/mm/ksm", F_OK);
	char *shared = map_shared(_metadata, self->fd, 0, 1);
	char *private = map_private(_metadata, self->fd, 0, 1);
	int error = ksm ? 0 : EINVAL;

	EXPECT_EQ(error, advise(shared, page_size, MADV_MERGEABLE));
	EXPECT_FALSE(vma_has_flag(shared, "mg"));
	EXPECT_EQ(error, advise(shared, page_size, MADV_UNMERGEABLE));
	EXPECT_EQ(error, advise(private, page_size, MADV_MERGEABLE));
	EXPECT_EQ(ksm && !variant->insert, vma_has_flag(private, "mg"));
	EXPECT_EQ(error, advise(private, page_size, MADV_UNMERGEABLE));
	EXPECT_FALSE(vma_has_flag(private, "mg"));
}

/* The wish is noted, but there is no huge page to be had from the device. */
TEST_F(madvise, Q11_huge_pages)
{
	size_t huge = huge_page_size(), nr = 2 * (huge ?: 2 << 20) / page_size;
	bool thp = huge;
	char *p = map_shared(_metadata, self->fd, 0, nr);
	int error = thp ? 0 : EINVAL;

	write_pages(p, 4, 1);
	EXPECT_EQ(error, advise(p, nr * page_size, MADV_HUGEPAGE));
	EXPECT_EQ(thp, vma_has_flag(p, "hg"));
	EXPECT_EQ(EINVAL, advise(p, nr * page_size, MADV_COLLAPSE));
	EXPECT_EQ(error, advise(p, nr * page_size, MADV_NOHUGEPAGE));
	EXPECT_EQ(thp, vma_has_flag(p, "nh"));
	EXPECT_FALSE(vma_has_flag(p, "hg"));
	EXPECT_EQ(EINVAL, advise(p, nr * page_size, MADV_COLLAPSE));
	EXPECT_EQ(4, count_mapped(p, 16));
	EXPECT_EQ(4, pool_read("stored"));
}

static int name_errno(const void *p, size_t len)
{
	return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, len, "mmapdemo") ?
	       errno : 0;
}

TEST_F(madvise, Q17_name)
{
	char *anonymous = mmap(NULL, page_size, PROT_READ,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *shared = map_shared(_metadata, self->fd, 0, 1);
	char *private = map_private(_metadata, self->fd, 0, 1);
	/* Without CONFIG_ANON_VMA_NAME nothing can be named. */
	int error = name_errno(anonymous, page_size) ?: EBADF;

	EXPECT_TRUE(error == EBADF || error == EINVAL);
	EXPECT_EQ(error, name_errno(shared, page_size));
	EXPECT_EQ(error, name_errno(private, page_size));
	EXPECT_EQ(2, count_vmas(shared, 1) + count_vmas(private, 1));
}

/* Return: as process_madvise(2), but with -errno. */
static ssize_t advise_process(int pidfd, char *p, size_t len, int advice,
			      unsigned int flags)
{
	struct iovec iov = { p, len };
	ssize_t ret = syscall(SYS_process_madvise, pidfd, &iov, 1UL, advice,
			      flags);

	return ret < 0 ? -errno : ret;
}

/* Of one's own mappings all advice is allowed since 7.3. */
TEST_F(madvise, Q18_process_madvise_self)
{
	char *p = map_shared(_metadata, self->fd, 0, 2);
	ssize_t len = 2 * page_size;
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	bool all = !kernel_before(7, 3);

	ASSERT_LE(0, pidfd);
	write_pages(p, 2, 1);
	EXPECT_EQ(len, advise_process(pidfd, p, len, MADV_COLD, 0));
	EXPECT_EQ(len, advise_process(pidfd, p, len, MADV_PAGEOUT, 0));
	EXPECT_EQ(len, advise_process(pidfd, p, len, MADV_WILLNEED, 0));
	EXPECT_EQ(-EINVAL, advise_process(pidfd, p, len, MADV_COLLAPSE, 0));
	EXPECT_EQ(-EINVAL, advise_process(pidfd, p, len, MADV_COLD, 1));
	EXPECT_EQ(-EINVAL, advise_process(pidfd, p, len, 99, 0));
	EXPECT_EQ(2, count_mapped(p, 2));
	EXPECT_EQ(all ? len : -EINVAL,
		  advise_process(pidfd, p, len, MADV_DONTNEED, 0));
	EXPECT_EQ(all ? 0 : 2, count_mapped(p, 2));
	close(pidfd);
}

struct advised {
	int pidfd;
	char *p;
};

/* What a child may do to its parent, with all rights and with one less. */
static int child_advises_parent(void *arg)
{
	struct advised *a = arg;
	ssize_t len = 2 * page_size;

	if (advise_process(a->pidfd, a->p, len, MADV_COLD, 0) != len)
		return 1;
	if (advise_process(a->pidfd, a->p, len, MADV_DONTNEED, 0) != -EINVAL)
		return 2;
	if (!drop_capability(CAP_SYS_NICE))
		return 3;
	if (advise_process(a->pidfd, a->p, len, MADV_COLD, 0) != -EPERM)
		return 4;
	return 0;
}

TEST_F(madvise, Q18_process_madvise_other)
{
	struct advised a = {
		.pidfd = syscall(SYS_pidfd_open, getpid(), 0),
		.p = map_shared(_metadata, self->fd, 0, 2),
	};

	ASSERT_LE(0, a.pidfd);
	write_pages(a.p, 2, 1);
	EXPECT_EQ(0, in_child(child_advises_parent, &a));
	EXPECT_EQ(2, count_mapped(a.p, 2));
	close(a.pidfd);
}

TEST_HARNESS_MAIN
