// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what mremap(2) refuses on a mapping of the device, and that what it
 * refuses changes nothing; where it does, the test says so. Limits of the
 * process are in mremap_limits.c. Each test runs in both fault modes.
 *
 * The ids (O01, O18, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; one test userfaultfd.
 */
#include "mmapdemo_test.h"
#include "resource_limits.h"
#include "proc.h"
#include "syscalls.h"

#include <linux/userfaultfd.h>

#define NR	8
#define LEN	(NR * page_size)
#define FIXED	(MREMAP_MAYMOVE | MREMAP_FIXED)

FIXTURE(mremap_errors) {
	struct device dev;
	int fd;
	char *p;		/* the device's first NR pages, as made */
	char *to;		/* as many behind them, read-only, elsewhere */
	struct counters before;
};

FAULT_MODES(mremap_errors);

FIXTURE_SETUP(mremap_errors)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	ASSERT_TRUE(fill(self->fd, 0, 2 * NR, 0));
	ASSERT_EQ(0, clean_all(self->fd));
	self->p = reserve(_metadata, 2 * NR);
	self->to = reserve(_metadata, 2 * NR);
	ASSERT_EQ(self->p, mmap(self->p, LEN, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_FIXED, self->fd, 0));
	ASSERT_EQ(self->to, mmap(self->to, LEN, PROT_READ,
				 MAP_SHARED | MAP_FIXED, self->fd, LEN));
	read_pages(self->p, NR);
	read_pages(self->to, NR);
	counters_start(&self->before);
}

FIXTURE_TEARDOWN(mremap_errors)
{
	device_teardown(_metadata, &self->dev);
}

/* Both mappings are where they were, with all their pages, and unheard of. */
#define EXPECT_UNCHANGED() do {						\
	EXPECT_EQ(1, count_vmas(self->p, NR));				\
	EXPECT_EQ(1, count_vmas(self->to, NR));				\
	EXPECT_EQ(NR, count_mapped(self->p, NR));			\
	EXPECT_EQ(NR, count_mapped(self->to, NR));			\
	EXPECT_EQ(-1, bad_page(self->p, 0, NR, 0));			\
	EXPECT_EQ(-1, bad_page(self->to, NR, NR, 0));			\
	EXPECT_COUNTED(&self->before, { "mmap", 0 }, { "vma_open", 0 },	\
		       { "vma_close", 0 }, { "mkwrite", 0 });		\
} while (0)

struct remap {
	char *old;
	size_t old_len, new_len;
	int flags;
	char *new;
	int error;
};

/* With all five arguments, which libc may not pass on. */
static int remap_error(const struct remap *r)
{
	return error_of(syscall(SYS_mremap, r->old, r->old_len, r->new_len,
				r->flags, r->new));
}

#define EXPECT_REFUSED(cases) do {					\
	const struct remap *c_ = (cases);				\
	size_t i_;							\
									\
	for (i_ = 0; i_ < sizeof(cases) / sizeof(*c_); i_++) {		\
		EXPECT_EQ(c_[i_].error, remap_error(&c_[i_]))		\
			TH_LOG("case %zu", i_);				\
	}								\
	EXPECT_UNCHANGED();						\
} while (0)

TEST_F(mremap_errors, O01_bad_arguments)
{
	char *p = self->p, *to = self->to;
	const struct remap c[] = {
		{ p, LEN, LEN, 8, to, EINVAL },
		{ p, LEN, LEN, FIXED | 1 << 30, to, EINVAL },
		{ p, LEN, LEN, MREMAP_FIXED, to, EINVAL },
		{ p + 1, LEN, LEN, 0, NULL, EINVAL },
		{ p + 1, LEN, LEN, FIXED, to, EINVAL },
		{ p, LEN, 0, 0, NULL, EINVAL },
		{ p, LEN, 0, FIXED, to, EINVAL },
		/* Rounded up to whole pages, this is 0, or 2^32. */
		{ p, LEN, -1UL, MREMAP_MAYMOVE, NULL,
		  kernel_is_wider() ? ENOMEM : EINVAL },
	};

	EXPECT_REFUSED(c);
}

/* O02: what is left behind is as long as what moves, and something moves. */
TEST_F(mremap_errors, O02_dontunmap)
{
	char *p = self->p, *to = self->to;
	const int flags = MREMAP_DONTUNMAP | MREMAP_MAYMOVE;
	const struct remap c[] = {
		{ p, LEN, LEN, MREMAP_DONTUNMAP, NULL, EINVAL },
		{ p, LEN, LEN + page_size, flags, NULL, EINVAL },
		{ p, LEN, LEN - page_size, flags, NULL, EINVAL },
		{ p, 0, LEN, flags, NULL, EINVAL },
		{ p, LEN, LEN + page_size, flags | MREMAP_FIXED, to, EINVAL },
	};

	EXPECT_REFUSED(c);
}

/* O03: a range ends with the VMA that it begins in, unless it shrinks. */
TEST_F(mremap_errors, O03_old_range)
{
	char *p = self->p, *gone = self->p + LEN;
	const struct remap c[] = {
		{ gone, LEN, LEN, 0, NULL, EFAULT },
		{ gone, LEN, 2 * LEN, MREMAP_MAYMOVE, NULL, EFAULT },
		{ gone, LEN, page_size, 0, NULL, EFAULT },
		{ gone, 0, LEN, MREMAP_MAYMOVE, NULL, EFAULT },
		{ p, LEN + page_size, 2 * LEN, 0, NULL, EFAULT },
		{ p, LEN + page_size, 2 * LEN, MREMAP_MAYMOVE, NULL, EFAULT },
		{ p + page_size, LEN, 2 * LEN, MREMAP_MAYMOVE, NULL, EFAULT },
		{ p, 2 * LEN, 2 * LEN, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL,
		  EFAULT },
	};

	ASSERT_EQ(0, munmap(gone, LEN));
	EXPECT_REFUSED(c);
}

/* O04: a second mapping of a private one would be unrelated to it. */
TEST_F(mremap_errors, O04_second_mapping)
{
	char *private = map_private(_metadata, self->fd, 0, NR);
	const struct remap c[] = {
		{ private, 0, LEN, MREMAP_MAYMOVE, NULL, EINVAL },
		{ private, 0, LEN, 0, NULL, EINVAL },
		{ private, 0, LEN, FIXED, self->p + LEN, EINVAL },
		/* It cannot be where the first one is. */
		{ self->p, 0, LEN, 0, NULL, ENOMEM },
	};

	counters_start(&self->before);
	EXPECT_REFUSED(c);
	EXPECT_EQ(1, count_vmas(private, NR));
}

TEST_F(mremap_errors, O05_bad_new_address)
{
	char *p = self->p, *end = (char *)task_size();
	const struct remap c[] = {
		{ p, LEN, LEN, FIXED, self->to + 1, EINVAL },
		{ p, LEN, LEN, FIXED, end, EINVAL },
		{ p, LEN, LEN, FIXED, end - LEN + page_size, EINVAL },
		{ p, LEN, LEN, FIXED, (char *)-LEN, EINVAL },
		{ p, LEN, (size_t)end + 1, FIXED, self->to, EINVAL },
		/* Overlaps: the same, a page up, a page down, within. */
		{ p, LEN, LEN, FIXED, p, EINVAL },
		{ p, LEN, LEN, FIXED, p + page_size, EINVAL },
		{ p + page_size, page_size, 2 * page_size, FIXED, p, EINVAL },
		{ p, LEN, page_size, FIXED, p + 2 * page_size, EINVAL },
	};

	EXPECT_REFUSED(c);
}

/* O06: such a length is found silly at once since 7.3, and too much before. */
TEST_F(mremap_errors, O06_longer_than_any)
{
	int error = kernel_before(7, 3) ? ENOMEM : EINVAL;
	size_t space = task_size();
	char *p = self->p;
	const struct remap c[] = {
		{ p, LEN, space + 1, 0, NULL, error },
		{ p, LEN, space + 1, MREMAP_MAYMOVE, NULL, error },
		{ p, LEN, -page_size, MREMAP_MAYMOVE, NULL, error },
	};

	EXPECT_REFUSED(c);
}

/*
 * O18: the destination is unmapped first, and the range looked at afterwards;
 * since 7.3 the other way round.
 */
TEST_F(mremap_errors, O18_destination)
{
	bool kept = !kernel_before(7, 3);
	const struct remap c[] = {
		{ self->p, LEN + page_size, 2 * LEN, FIXED, self->to, EFAULT },
	};

	if (kept) {
		EXPECT_REFUSED(c);
		return;
	}
	EXPECT_EQ(EFAULT, remap_error(c));
	EXPECT_TRAP(self->to, -1, SIGSEGV, SEGV_MAPERR, self->to);
	EXPECT_EQ(1, counted(&self->before, "vma_close"));
	EXPECT_EQ(1, count_vmas(self->p, NR));
	EXPECT_EQ(NR, count_mapped(self->p, NR));
	EXPECT_EQ(-1, bad_page(self->p, 0, NR, 0));
}

/* Maps memory at @p whose faults @uffd hears of. Return: 0; -1: no. */
static int map_watched(int uffd, char *p)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uintptr_t)p, LEN },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (mmap(p, LEN, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) != p)
		return -1;
	/* Asked twice, it says EPERM, and is as it was. */
	ioctl(uffd, UFFDIO_API, &api);
	return ioctl(uffd, UFFDIO_REGISTER, &range);
}

/*
 * O19: 7.3 moves several VMAs at once (mremap.O19_several_vmas), up to one that
 * a userfaultfd watches. Before, none moves, and the destination has gone.
 */
TEST_F(mremap_errors, O19_userfaultfd)
{
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	bool many = !kernel_before(7, 3);
	char *p = reserve(_metadata, 2 * NR);
	const struct remap watched_first = {
		p, 2 * LEN, 2 * LEN, FIXED, self->to, EFAULT,
	};
	const struct remap watched_last = {
		self->p, 2 * LEN, 2 * LEN, FIXED, self->to, EFAULT,
	};

	if (uffd < 0)
		SKIP(return, "needs CONFIG_USERFAULTFD");
	ASSERT_EQ(0, map_watched(uffd, p));
	ASSERT_EQ(p + LEN, mmap(p + LEN, LEN, PROT_READ, MAP_SHARED | MAP_FIXED,
				self->fd, 0));
	EXPECT_EQ(EFAULT, remap_error(&watched_first));
	EXPECT_EQ(-1, bad_page(p + LEN, 0, NR, 0));
	EXPECT_EQ(many, count_vmas(self->to, NR));

	ASSERT_EQ(0, map_watched(uffd, self->p + LEN));
	EXPECT_EQ(EFAULT, remap_error(&watched_last));
	EXPECT_EQ(!many, count_vmas(self->p, NR));
	EXPECT_EQ(many, count_vmas(self->to, NR));
	EXPECT_EQ(-1, bad_page(many ? self->to : self->p, 0, NR, 0));
	close(uffd);
}

TEST_HARNESS_MAIN
