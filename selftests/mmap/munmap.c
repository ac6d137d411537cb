// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what munmap refuses, with nothing changed, and what it does to the
 * mappings in its range: one ->close for each, and the state of their PTEs
 * handed to the pages, of which a page that is used again keeps nothing. Each
 * test runs in both fault modes.
 *
 * The ids (T01, ...) name the branches of mmap that a test proves.
 * Needs: mseal for what a test says of sealed mappings; see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "resource_limits.h"
#include "proc.h"
#include "syscalls.h"

#include <sched.h>
#include <sys/syscall.h>

DEVICE_FIXTURE(munmap)

TEST_F(munmap, T01_arguments)
{
	char *p = map_shared(_metadata, self->fd, 0, 2);
	long closed = stat_read("vma_close");
	const struct {
		const char *name;
		char *start;
		size_t len;
		int error;
	} c[] = {
		{ "unaligned", p + 1, page_size, EINVAL },
		{ "empty", p, 0, EINVAL },
		{ "wraps to nothing", p, -1UL, EINVAL },
		{ "wraps", p, -page_size, EINVAL },
		{ "too long", p, task_size(), EINVAL },
		{ "kernel's", (char *)-(2 * page_size), page_size, EINVAL },
	};
	size_t i;

	write_pages(p, 2, 1);
	for (i = 0; i < ARRAY_SIZE(c); i++) {
		int ret = munmap(c[i].start, c[i].len);

		EXPECT_EQ(c[i].error, ret ? errno : 0)
			TH_LOG("%s", c[i].name);
	}
	EXPECT_EQ(2, count_mapped(p, 2));
	EXPECT_EQ(closed, stat_read("vma_close"));
}

TEST_F(munmap, T01_nothing_mapped)
{
	char *p = map_shared(_metadata, self->fd, 0, 2);
	long closed = stat_read("vma_close");

	ASSERT_EQ(0, munmap(p, 2 * page_size));
	EXPECT_EQ(closed + 1, stat_read("vma_close"));
	EXPECT_EQ(0, munmap(p, 2 * page_size));
	EXPECT_EQ(closed + 1, stat_read("vma_close"));
}

/* Three pages: what a hole in their middle would make is one VMA too many. */
static int punch_middle(void *arg)
{
	char *p = arg;

	if (!munmap(p + page_size, page_size))
		return 0;
	/* Refused, it is whole. */
	return touch_pages(p, 3, -1).sig ? (errno = EFAULT, -1) : -1;
}

static int cut_end(void *arg)
{
	return munmap((char *)arg + 2 * page_size, page_size);
}

/* Cutting an end off splits, too, but there are no more VMAs than before. */
TEST_F(munmap, T02_map_limit)
{
	char *p = map_shared(_metadata, self->fd, 0, 3);

	EXPECT_EQ(ENOMEM, errno_at_map_limit(punch_middle, p));
	EXPECT_EQ(0, errno_at_map_limit(cut_end, p));
}

struct sealed {
	char *first, *second;		/* mappings of two pages each */
	int vmas;			/* of the first, in the end */
};

/* Return: 0 if everything was refused; what is sealed stays so. */
static int child_unmaps_sealed(void *arg)
{
	struct sealed *s = arg;

	if (seal(s->second, 2 * page_size, 0))
		return 1;
	if (!munmap(s->second, 2 * page_size) || errno != EPERM)
		return 2;
	if (!munmap(s->second + page_size, page_size) || errno != EPERM)
		return 3;
	if (count_vmas(s->second, 2) != 1)
		return 4;
	if (!munmap(s->first + page_size, 3 * page_size) || errno != EPERM)
		return 5;
	if (count_vmas(s->first, 2) != s->vmas)
		return 6;
	return touch_pages(s->first, 4, -1).sig ? 7 : 0;
}

/*
 * T05: what is unmapped in one call begins in one mapping and ends in another,
 * which is sealed. The first has been split by the time that is found out
 * (vms_gather_munmap_vmas()), and stays so, but nothing is unmapped.
 */
TEST_F(munmap, T02_T05_sealed)
{
	char *p = reserve(_metadata, 4);
	struct sealed s = { p, p + 2 * page_size, 2 };
	long opened = stat_read("vma_open"), closed = stat_read("vma_close");
	int i;

	if (no_seal())
		SKIP(return, NEEDS_SEAL);
	/* Of the same pages, so that they do not merge. */
	for (i = 0; i < 2; i++)
		ASSERT_EQ(p + 2 * i * page_size,
			  mmap(p + 2 * i * page_size, 2 * page_size, PROT_READ,
			       MAP_SHARED | MAP_FIXED, self->fd, 0));
	EXPECT_EQ(0, in_child(child_unmaps_sealed, &s));
	/* Two VMAs forked and one split; all of them go with the child. */
	EXPECT_EQ(opened + 3, stat_read("vma_open"));
	EXPECT_EQ(closed + 3, stat_read("vma_close"));
}

/* The driver's mappings in it are closed once each, whatever lies between. */
TEST_F(munmap, T04_one_close_per_vma)
{
	char *p = reserve(_metadata, 8);
	long closed, opened;
	int i;

	/* Every second page, of the same one: nothing merges. */
	for (i = 0; i < 8; i += 2)
		ASSERT_EQ(p + i * page_size,
			  mmap(p + i * page_size, page_size, PROT_READ,
			       (i % 4 ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED,
			       self->fd, 0));
	ASSERT_EQ(0, munmap(p + page_size, page_size));
	read_pages(p, 1);
	closed = stat_read("vma_close");
	opened = stat_read("vma_open");
	ASSERT_EQ(0, munmap(p, 5 * page_size));
	EXPECT_EQ(closed + 3, stat_read("vma_close"));
	EXPECT_EQ(0, count_vmas(p, 6));
	EXPECT_EQ(1, count_vmas(p, 8));
	ASSERT_EQ(0, munmap(p, 8 * page_size));
	EXPECT_EQ(closed + 4, stat_read("vma_close"));
	EXPECT_EQ(opened, stat_read("vma_open"));
}

/* A part that goes is split off first: one more ->open, one ->close. */
TEST_F(munmap, T04_parts_of_two)
{
	char *p = reserve(_metadata, 8);
	long closed, opened;

	ASSERT_EQ(p, mmap(p, 4 * page_size, PROT_READ, MAP_SHARED | MAP_FIXED,
			  self->fd, 0));
	ASSERT_EQ(p + 4 * page_size,
		  mmap(p + 4 * page_size, 4 * page_size, PROT_READ,
		       MAP_SHARED | MAP_FIXED, self->fd, 0));
	closed = stat_read("vma_close");
	opened = stat_read("vma_open");
	ASSERT_EQ(0, munmap(p + 2 * page_size, 4 * page_size));
	EXPECT_EQ(closed + 2, stat_read("vma_close"));
	EXPECT_EQ(opened + 2, stat_read("vma_open"));
	EXPECT_EQ(2, count_vmas(p, 8));
}

static bool stay_on_this_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	return !sched_setaffinity(0, sizeof(cpus), &cpus);
}

/*
 * A zap leaves the marks of its PTEs on the page. When the page goes back, and
 * out again for another place, they are gone. On one CPU, whose cache hands
 * out what was put back last.
 */
TEST_F(munmap, T03_reused_pages_forget)
{
	size_t i, nr = 16;
	char *p = map_shared(_metadata, self->fd, 0, nr);
	__u64 marks = KPF_BIT(KPF_DIRTY) | KPF_BIT(KPF_REFERENCED);
	__u64 pfn[16];
	long recycled;

	if (access(KPAGEFLAGS, R_OK))
		SKIP(return, "needs " KPAGEFLAGS);
	ASSERT_TRUE(stay_on_this_cpu());
	write_pages(p, nr, 1);
	for (i = 0; i < nr; i++)
		pfn[i] = pfn_of(p + i * page_size);
	ASSERT_EQ(0, munmap(p, nr * page_size));
	for (i = 0; i < nr; i++)
		EXPECT_EQ(marks, page_flags(pfn[i]) & marks);
	EXPECT_EQ((long)nr, pool_read("dirty"));
	ASSERT_EQ(0, discard(self->fd, 0, nr));

	recycled = stat_read("pool_recycled");
	p = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 2 * nr, nr);
	read_pages(p, nr);
	EXPECT_LT(recycled, stat_read("pool_recycled"));
	for (i = 0; i < nr; i++)
		EXPECT_EQ(0, page_flags(pfn_of(p + i * page_size)) & marks);
	EXPECT_EQ(0, pool_read("dirty"));
	EXPECT_EQ(-1, nonzero(p, nr * page_size));
}

/*
 * Nor what some machines note on a page that is mapped for execution: that the
 * CPU has no older instructions of it (arch/arm64/mm/flush.c). Of what it is
 * used for next, it has.
 */
TEST_F(munmap, T03_reused_code_is_forgotten)
{
	int fd = open_on_mount(0);
	char *p = map(_metadata, fd, PROT_READ | PROT_EXEC, MAP_SHARED, 0, 1);
	__u64 pfn;

	if (access(KPAGEFLAGS, R_OK))
		SKIP(return, "needs " KPAGEFLAGS);
	ASSERT_TRUE(stay_on_this_cpu());
	read_pages(p, 1);
	pfn = pfn_of(p);
#ifdef __aarch64__
	EXPECT_TRUE(page_has_flag(p, KPF_ARCH));
#endif
	ASSERT_EQ(0, munmap(p, page_size));
	ASSERT_EQ(0, discard(self->fd, 0, 1));

	p = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 1, 1);
	read_pages(p, 1);
	EXPECT_EQ(pfn, pfn_of(p));
	EXPECT_FALSE(page_has_flag(p, KPF_ARCH));
	close(fd);
}

TEST_HARNESS_MAIN
