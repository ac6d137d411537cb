// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves where in the address space a mapping of the device comes to be, and
 * where it cannot: fixed addresses and hints, the lowest and the highest ones,
 * the gap below a stack, parts of the space, and none left.
 * Each test runs in both fault modes: the driver has no say in it.
 *
 * The ids (A14, B01, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; sysctls of vm, which are set back.
 */
#include "mmapdemo_test.h"
#include "resource_limits.h"
#include "proc.h"
#include "syscalls.h"

/* Newer than some libc. */
#ifndef MAP_ABOVE4G
#define MAP_ABOVE4G	0x80
#endif
/* Of x86 alone. */
#ifndef MAP_32BIT
#define MAP_32BIT	0x40
#endif

#define MB		(1024 * 1024UL)
#define GB		(1024 * MB)
#define STACK_GAP	256UL	/* pages: stack_guard_gap */

DEVICE_FIXTURE(mmap_place)

/* Maps one page of the device where @addr says. */
static char *map_at(void *addr, int fd, int flags)
{
	return mmap(addr, page_size, PROT_READ, MAP_SHARED | flags, fd, 0);
}

/* Free addresses, until an mmap without a hint takes some of them. */
static char *free_space(struct __test_metadata *_metadata, size_t nr)
{
	char *p = reserve(_metadata, nr);

	ASSERT_EQ(0, munmap(p, nr * page_size));
	return p;
}

TEST_F(mmap_place, A14_fixed_noreplace)
{
	char *p = free_space(_metadata, 8), *anon = p + 4 * page_size;
	long mmaps;

	ASSERT_TRUE(fill(self->fd, 0, 4, 0));
	mmaps = stat_read("mmap");
	EXPECT_EQ(p, mmap(p, 4 * page_size, PROT_READ,
			  MAP_SHARED | MAP_FIXED_NOREPLACE, self->fd, 0));
	EXPECT_EQ(mmaps + 1, stat_read("mmap"));
	ASSERT_EQ(anon, mmap(anon, page_size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	anon[0] = 1;
	/* All of it, its last page, the other mapping; then one of both. */
	EXPECT_EQ(EEXIST, mmap_errno_at(p, self->fd, 4 * page_size, PROT_READ,
					MAP_SHARED | MAP_FIXED_NOREPLACE, 0));
	EXPECT_EQ(MAP_FAILED, map_at(p + 3 * page_size, self->fd,
				     MAP_FIXED_NOREPLACE));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_EQ(MAP_FAILED, map_at(anon, self->fd, MAP_FIXED_NOREPLACE));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_EQ(EEXIST, mmap_errno_at(anon, self->fd, 4 * page_size,
					PROT_READ,
					MAP_SHARED | MAP_FIXED_NOREPLACE, 0));
	EXPECT_EQ(mmaps + 1, stat_read("mmap"));
	EXPECT_EQ(-1, bad_page(p, 0, 4, 0));
	EXPECT_EQ(1, anon[0]);
}

/*
 * Takes all addresses that mmap gives away by itself: those above the stack
 * and in the gap below it are none of them.
 */
static void fill_address_space(void)
{
	size_t len;

	for (len = SIZE_MAX / 2 + 1; len >= page_size; len /= 2)
		while (mmap(NULL, len, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			    0) != MAP_FAILED)
			;
}

struct hole {
	int fd;
	char *p;		/* the only free page, in a mapping's middle */
};

/* Return: 0, or which of its steps went wrong. */
static int child_has_no_space(void *arg)
{
	const struct hole *hole = arg;
	char *hint = hole->p + 10 * page_size;

	fill_address_space();
	if (mmap_errno(hole->fd, 1, PROT_READ, MAP_SHARED, 0) != ENOMEM ||
	    mmap_errno_at(hint, hole->fd, 1, PROT_READ, MAP_SHARED, 0) !=
	    ENOMEM)
		return 1;
	munmap(hole->p, page_size);
	if (mmap_errno(hole->fd, 2 * page_size, PROT_READ, MAP_SHARED, 0) !=
	    ENOMEM)
		return 2;
	if (map_at(NULL, hole->fd, 0) != hole->p)
		return 3;
	return 0;
}

TEST_F(mmap_place, B07_no_space)
{
	struct hole hole = {
		self->fd, map_shared(_metadata, self->fd, 0, 3) + page_size,
	};
	long mmaps = stat_read("mmap");

	EXPECT_EQ(0, in_child(child_has_no_space, &hole));
	EXPECT_EQ(mmaps + 1, stat_read("mmap"));
}

/* The hole is below 2G, and the kernel knows MAP_ABOVE4G, or not. */
static int child_has_low_space(void *arg)
{
	const struct hole *hole = arg;

	fill_address_space();
	munmap(hole->p, page_size);
	if (!kernel_before(6, 6)) {
		if (map_at(NULL, hole->fd, MAP_ABOVE4G) != MAP_FAILED ||
		    errno != ENOMEM)
			return 1;
	} else if (map_at(NULL, hole->fd, MAP_ABOVE4G) != hole->p ||
		   munmap(hole->p, page_size)) {
		return 2;
	}
	if (map_at(NULL, hole->fd, MAP_32BIT) != hole->p)
		return 3;
	munmap(hole->p, page_size);
	return map_at(NULL, hole->fd, 0) == hole->p ? 0 : 4;
}

static int child_has_high_space(void *arg)
{
	const struct hole *hole = arg;

	fill_address_space();
	munmap(hole->p, page_size);
	if (map_at(NULL, hole->fd, MAP_32BIT) != MAP_FAILED || errno != ENOMEM)
		return 1;
	return map_at(NULL, hole->fd, MAP_ABOVE4G) == hole->p ? 0 : 2;
}

/* MAP_32BIT is for x86: one gigabyte, up to 2G. A hint does not matter. */
TEST_F(mmap_place, A33_parts_of_the_space)
{
	struct hole low = { self->fd, (char *)(GB + GB / 2) };
	struct hole high = { .fd = self->fd };
	char *p;

#ifndef __x86_64__
	SKIP(return, "needs MAP_32BIT, which is x86's");
#endif
	high.p = map_shared(_metadata, self->fd, 0, 3) + page_size;
	p = map_at(NULL, self->fd, MAP_32BIT);
	EXPECT_GE((uintptr_t)p, GB);
	EXPECT_LE((uintptr_t)p, 2 * GB - page_size);
	p = map_at(high.p + GB, self->fd, MAP_32BIT);
	EXPECT_GE((uintptr_t)p, GB);
	EXPECT_LE((uintptr_t)p, 2 * GB - page_size);
	p = low.p - page_size;
	ASSERT_EQ(p, mmap(p, 3 * page_size, PROT_READ,
			  MAP_SHARED | MAP_FIXED_NOREPLACE, self->fd, 0));
	EXPECT_EQ(0, in_child(child_has_low_space, &low));
	EXPECT_EQ(0, in_child(child_has_high_space, &high));
}

TEST_F(mmap_place, B01_longer_than_the_space)
{
	const int flags[] = { 0, MAP_FIXED };
	size_t space = task_size();
	long mmaps = stat_read("mmap");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		EXPECT_EQ(ENOMEM, mmap_errno_at((void *)MB, self->fd, space,
						PROT_READ,
						MAP_SHARED | flags[i], 0));
		EXPECT_EQ(ENOMEM, mmap_errno_at((void *)MB, self->fd,
						-2 * page_size, PROT_READ,
						MAP_SHARED | flags[i], 0));
	}
	EXPECT_EQ(mmaps, stat_read("mmap"));
}

TEST_F(mmap_place, B02_fixed_unaligned)
{
	const int fixed[] = { MAP_FIXED, MAP_FIXED_NOREPLACE };
	char *p = map_shared(_metadata, self->fd, 0, 2);
	long closes = stat_read("vma_close");
	size_t i;

	p[0] = 1;
	for (i = 0; i < ARRAY_SIZE(fixed); i++) {
		EXPECT_EQ(EINVAL, mmap_errno_at(p + 1, self->fd, 1, PROT_READ,
						MAP_SHARED | fixed[i], 0));
		EXPECT_EQ(EINVAL, mmap_errno_at(p + page_size - 1, self->fd, 1,
						PROT_READ,
						MAP_SHARED | fixed[i], 0));
	}
	EXPECT_EQ(closes, stat_read("vma_close"));
	EXPECT_EQ(1, p[0]);
}

/* The end is the same as for memory that is no file's. */
TEST_F(mmap_place, B03_fixed_past_the_end)
{
	int fixed = MAP_SHARED | MAP_FIXED_NOREPLACE;
	char *end = (char *)task_size();
	long mmaps;

	/* A stack may be there (EEXIST). */
	EXPECT_NE(ENOMEM, mmap_errno_at(end - page_size, self->fd, 1, PROT_READ,
					fixed, 0));
	mmaps = stat_read("mmap");
	fixed = MAP_SHARED | MAP_FIXED;
	EXPECT_EQ(ENOMEM, mmap_errno_at(end, self->fd, 1, PROT_READ, fixed, 0));
	EXPECT_EQ(ENOMEM, mmap_errno_at(end - page_size, self->fd,
					page_size + 1, PROT_READ, fixed, 0));
	EXPECT_EQ(ENOMEM, mmap_errno_at((void *)-page_size, self->fd, 1,
					PROT_READ, fixed, 0));
	EXPECT_EQ(mmaps, stat_read("mmap"));
}

#define LOWEST	((long)(16 * page_size))

/* Return: 0, or which of its steps went wrong. */
static int child_maps_low(void *arg)
{
	int fd = *(int *)arg;
	char *low = (char *)page_size;

	if (map_at(low, fd, MAP_FIXED) != low || munmap(low, page_size))
		return 1;
	if (!drop_capability(CAP_SYS_RAWIO))
		return 2;
	if (map_at(low, fd, MAP_FIXED) != MAP_FAILED || errno != EPERM)
		return 3;
	low = (char *)LOWEST - page_size;
	if (map_at(low, fd, MAP_FIXED) != MAP_FAILED || errno != EPERM)
		return 4;
	return map_at((char *)LOWEST, fd, MAP_FIXED) == (char *)LOWEST ? 0 : 5;
}

TEST_F(mmap_place, B04_fixed_below_the_lowest)
{
	long old = sysctl_read(MMAP_MIN_ADDR), mmaps = stat_read("mmap");
	int ret;

	ASSERT_EQ(0, sysctl_write(MMAP_MIN_ADDR, LOWEST));
	ret = in_child(child_maps_low, &self->fd);
	ASSERT_EQ(0, sysctl_write(MMAP_MIN_ADDR, old));
	EXPECT_EQ(0, ret);
	EXPECT_EQ(mmaps + 2, stat_read("mmap"));
}

TEST_F(mmap_place, B05_hints)
{
	char *p = free_space(_metadata, 8), *other, *low, *lower;
	long old = sysctl_read(MMAP_MIN_ADDR);

	ASSERT_TRUE(fill(self->fd, 0, 1, 0));
	EXPECT_EQ(p + page_size, map_at(p + page_size + 5, self->fd, 0));
	/* Where it is, and with its end in it. */
	other = map_at(p + page_size, self->fd, 0);
	EXPECT_NE(MAP_FAILED, other);
	EXPECT_NE(p + page_size, other);
	EXPECT_EQ(0, munmap(other, page_size));
	other = mmap(p, 2 * page_size, PROT_READ, MAP_SHARED, self->fd, 0);
	EXPECT_NE(MAP_FAILED, other);
	EXPECT_NE(p, other);
	EXPECT_EQ(0, munmap(other, 2 * page_size));
	EXPECT_EQ(1, count_vmas(p, 8));
	EXPECT_EQ(-1, bad_page(p + page_size, 0, 1, 0));

	ASSERT_EQ(0, sysctl_write(MMAP_MIN_ADDR, LOWEST));
	low = map_at((char *)page_size, self->fd, 0);
	munmap(low, page_size);
	lower = map_at((char *)LOWEST - 1, self->fd, 0);
	ASSERT_EQ(0, sysctl_write(MMAP_MIN_ADDR, old));
	EXPECT_EQ((char *)LOWEST, low);
	EXPECT_EQ((char *)LOWEST, lower);
}

TEST_F(mmap_place, B06_hint_in_the_gap_of_a_stack)
{
	char *p = free_space(_metadata, 2 * STACK_GAP);
	char *stack = p + (STACK_GAP + 100) * page_size, *gap, *moved;
	const size_t below[] = { 1, 100, STACK_GAP };
	size_t i;

	gap = stack - STACK_GAP * page_size;
	ASSERT_EQ(stack, mmap(stack, page_size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED |
			      MAP_GROWSDOWN, -1, 0));
	for (i = 0; i < ARRAY_SIZE(below); i++) {
		moved = map_at(stack - below[i] * page_size, self->fd, 0);
		EXPECT_NE(MAP_FAILED, moved);
		EXPECT_TRUE(moved < gap || moved > stack);
		EXPECT_EQ(0, munmap(moved, page_size));
	}
	EXPECT_EQ(gap - page_size, map_at(gap - page_size, self->fd, 0));
	/* Next to anything else there is no such gap. */
	ASSERT_EQ(stack, mmap(stack, page_size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_EQ(stack - page_size, map_at(stack - page_size, self->fd, 0));
}

/*
 * What would be huge pages in anonymous memory need not be aligned so here.
 * 6.12 aligns files as well, if their length is whole huge pages
 * (__get_unmapped_area()), which later kernels stopped doing. No kernel does
 * with a 32-bit address space.
 */
TEST_F(mmap_place, B09_alignment)
{
	size_t thp = huge_page_size(), huge = thp ?: 2 * MB;
	bool aligns = !kernel_before(6, 12) && kernel_before(6, 13) && thp &&
		      sizeof(long) == 8;
	uintptr_t offsets = 0;
	int i;

	for (i = 0; i < 8; i++) {
		uintptr_t p = (uintptr_t)mmap(NULL, huge, PROT_READ,
					      MAP_SHARED, self->fd, 0);

		ASSERT_NE(-1UL, p);
		offsets |= p & (huge - 1);
		/* The next one will not be so by chance. */
		ASSERT_NE(MAP_FAILED, mmap(NULL, huge + page_size, PROT_READ,
					   MAP_SHARED, self->fd, 0));
	}
	EXPECT_EQ(aligns, offsets == 0);
}

TEST_HARNESS_MAIN
