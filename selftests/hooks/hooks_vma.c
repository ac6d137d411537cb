// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what becomes of a driver's word on a mapping that is there: may_split
 * that refuses, mremap and mprotect hooks, a memory policy. Each error comes
 * through to the caller, and the mapping is as it was.
 *
 * The ids (D07, O14, ...) name the branches of mmap that a test proves.
 * Needs: see hooks.h.
 */
#include "hooks.h"
#include "proc.h"
#include "syscalls.h"

#include <linux/mempolicy.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif

HOOKS_FIXTURE(hooks_vma, HOOKS)

static int split_munmap(char *p, int fd)
{
	(void)fd;
	return munmap(p, page_size);
}

static int split_mprotect(char *p, int fd)
{
	(void)fd;
	return mprotect(p, page_size, PROT_READ);
}

static int split_mlock(char *p, int fd)
{
	(void)fd;
	return mlock(p, page_size);
}

static int split_mseal(char *p, int fd)
{
	(void)fd;
	return seal(p, page_size, 0) ? -1 : 0;
}

static int split_madvise(char *p, int fd)
{
	(void)fd;
	return madvise(p, page_size, MADV_RANDOM);
}

static int split_map_fixed(char *p, int fd)
{
	return mmap(p, page_size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) ==
	       MAP_FAILED ? -1 : 0;
}

static int split_mremap(char *p, int fd)
{
	(void)fd;
	return mremap(p, page_size, page_size, MREMAP_MAYMOVE | MREMAP_FIXED,
		      p + 64 * page_size) == MAP_FAILED ? -1 : 0;
}

static int split_shrink(char *p, int fd)
{
	(void)fd;
	return mremap(p, 2 * page_size, page_size, 0) == MAP_FAILED ? -1 : 0;
}

/* Each wants a part of the mapping to become something of its own. */
static const struct split {
	const char *name;
	int (*call)(char *p, int fd);
} splits[] = {
	{ "munmap", split_munmap },		/* T02 */
	{ "mprotect", split_mprotect },		/* N09 */
	{ "mlock", split_mlock },
	{ "mseal", split_mseal },
	{ "madvise", split_madvise },
	{ "MAP_FIXED", split_map_fixed },	/* C08 */
	{ "mremap", split_mremap },		/* O15 */
	{ "mremap to less", split_shrink },	/* O08 */
};

/* What the caller sees of the hook's @error. */
static int split_errno(const struct split *split, int error)
{
	/* do_mmap of 6.1 does not pass on why its munmap failed. */
	if (split->call == split_map_fixed && kernel_before(6, 12))
		error = ENOMEM;
	if (split->call == split_mseal)
		error = no_seal() ?: error;
	/* madvise(2): "a kernel resource was temporarily unavailable". */
	if (split->call == split_madvise && error == ENOMEM)
		error = EAGAIN;
	return error;
}

static void refuse_splits(struct __test_metadata *_metadata, int fd, int error)
{
	char *p = reserve(_metadata, 128);
	char set[32];
	size_t i;

	snprintf(set, sizeof(set), "may_split %d", -error);
	ASSERT_EQ(0, hooks_set(fd, set));
	ASSERT_EQ(p, mmap(p, 4 * page_size, RW, MAP_SHARED | MAP_FIXED, fd, 0));
	read_pages(p, 4);
	for (i = 0; i < ARRAY_SIZE(splits); i++) {
		const struct split *split = &splits[i];
		long asked = hooks_read(fd, "may_split");

		EXPECT_EQ(-1, split->call(p + page_size, fd))
			TH_LOG("%s", split->name);
		EXPECT_EQ(split_errno(split, error), errno)
			TH_LOG("%s: %s", split->name, strerror(errno));
		if (errno != ENOSYS) {
			EXPECT_LT(asked, hooks_read(fd, "may_split"))
				TH_LOG("%s", split->name);
		}
	}
	EXPECT_EQ(1, count_vmas_of(HOOKS, p, 4));
	EXPECT_EQ(4, count_mapped(p, 4));
	EXPECT_EQ(0, hooks_read(fd, "open"));
	EXPECT_EQ(0, hooks_read(fd, "close"));
	EXPECT_EQ(1, hooks_read(fd, "mmap"));
	EXPECT_FALSE(vma_has_flag(p, "lo"));
	EXPECT_FALSE(vma_has_flag(p, "rr"));
	/* All of it needs no split. */
	EXPECT_EQ(0, mprotect(p, 4 * page_size, PROT_READ));
}

/* O15 as well: see the table. */
TEST_F(hooks_vma, D07_C08_N09_O08_T02_may_split_error)
{
	refuse_splits(_metadata, self->fd, EIO);
}

TEST_F(hooks_vma, D07_C08_N09_O08_T02_may_split_enomem)
{
	refuse_splits(_metadata, self->fd, ENOMEM);
}

/* D06: asked at each edge that the split is to have, and opened for each. */
TEST_F(hooks_vma, D06_may_split_addresses)
{
	char *p;

	ASSERT_EQ(0, hooks_set(self->fd, "may_split 0"));
	p = map_shared(_metadata, self->fd, 0, 4);
	ASSERT_EQ(0, mprotect(p, page_size, PROT_READ));
	EXPECT_EQ(1, hooks_read(self->fd, "may_split"));
	EXPECT_EQ((long)(p + page_size), hooks_read(self->fd, "split_at"));
	EXPECT_EQ(1, hooks_read(self->fd, "open"));
	ASSERT_EQ(0, munmap(p + 2 * page_size, page_size));
	EXPECT_EQ(3, hooks_read(self->fd, "may_split"));
	EXPECT_EQ(3, hooks_read(self->fd, "open"));
	EXPECT_EQ(1, hooks_read(self->fd, "close"));
	EXPECT_EQ(hooks_letter(3), p[3 * page_size]);
}

TEST_F(hooks_vma, N07_mprotect_hook)
{
	char *p;

	ASSERT_EQ(0, hooks_set(self->fd, "mprotect -13"));
	p = map_shared(_metadata, self->fd, 0, 4);
	write_pages(p, 4, 1);
	EXPECT_ERRNO(EACCES, mprotect(p, 4 * page_size, PROT_READ));
	EXPECT_EQ(1, hooks_read(self->fd, "mprotect"));
	write_pages(p, 4, 2);
	/* Asked before the split: none is made. */
	EXPECT_ERRNO(EACCES, mprotect(p, page_size, PROT_NONE));
	EXPECT_EQ(0, hooks_read(self->fd, "open"));
	/* Also where nothing would change. */
	EXPECT_ERRNO(EACCES, mprotect(p, 4 * page_size, RW));
	EXPECT_EQ(3, hooks_read(self->fd, "mprotect"));

	ASSERT_EQ(0, hooks_set(self->fd, "mprotect 0"));
	EXPECT_EQ(0, mprotect(p, 4 * page_size, PROT_READ));
	EXPECT_EQ(4, hooks_read(self->fd, "mprotect"));
	EXPECT_TRAP(p, 1, SIGSEGV, SEGV_ACCERR, p);
}

TEST_F(hooks_vma, O13_mremap_hook)
{
	char *old, *new = reserve(_metadata, 4);

	ASSERT_EQ(0, hooks_set(self->fd, "mremap 0"));
	old = map_shared(_metadata, self->fd, 0, 4);
	read_pages(old, 4);
	ASSERT_EQ(new, mremap(old, 4 * page_size, 4 * page_size,
			      MREMAP_MAYMOVE | MREMAP_FIXED, new));
	EXPECT_EQ(1, hooks_read(self->fd, "mremap"));
	EXPECT_EQ((long)new, hooks_read(self->fd, "mremap_to"));
	EXPECT_EQ(1, hooks_read(self->fd, "open"));
	EXPECT_EQ(1, hooks_read(self->fd, "close"));
	EXPECT_EQ(1, hooks_read(self->fd, "mmap"));
	/* The page-table entries have moved. */
	EXPECT_EQ(4, count_mapped(new, 4));
	EXPECT_EQ(4, hooks_read(self->fd, "fault"));
	EXPECT_EQ(hooks_letter(3), new[3 * page_size]);

	/* Where nothing moves, nobody asks. */
	ASSERT_EQ(new, mremap(new, 4 * page_size, 2 * page_size, 0));
	EXPECT_EQ(1, hooks_read(self->fd, "mremap"));
}

TEST_F(hooks_vma, O14_mremap_hook_error)
{
	char *old, *new = reserve(_metadata, 4);

	ASSERT_EQ(0, hooks_set(self->fd, "mremap -5"));
	old = map_shared(_metadata, self->fd, 0, 4);
	read_pages(old, 4);
	EXPECT_EQ(MAP_FAILED, mremap(old, 4 * page_size, 4 * page_size,
				     MREMAP_MAYMOVE | MREMAP_FIXED, new));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(1, hooks_read(self->fd, "mremap"));
	/* The new one was opened and closed; the old one has its pages again. */
	EXPECT_EQ(1, hooks_read(self->fd, "open"));
	EXPECT_EQ(1, hooks_read(self->fd, "close"));
	EXPECT_EQ(4, count_mapped(old, 4));
	EXPECT_EQ(hooks_letter(3), old[3 * page_size]);
	EXPECT_EQ(4, hooks_read(self->fd, "fault"));
	/* What the new one was to replace is gone all the same. */
	EXPECT_TRAP(new, -1, SIGSEGV, SEGV_MAPERR, new);
}

/* Before anything is moved: the lower edge, and if that may be, the upper. */
TEST_F(hooks_vma, O15_move_of_a_part)
{
	char *old, *new = reserve(_metadata, 2);

	ASSERT_EQ(0, hooks_set(self->fd, "may_split -5"));
	old = map_shared(_metadata, self->fd, 0, 4);
	read_pages(old, 4);
	EXPECT_EQ(MAP_FAILED, mremap(old + page_size, page_size, page_size,
				     MREMAP_MAYMOVE | MREMAP_FIXED, new));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(1, hooks_read(self->fd, "may_split"));
	EXPECT_EQ((long)(old + page_size), hooks_read(self->fd, "split_at"));

	/* At the start of the mapping there is but the upper one. */
	EXPECT_EQ(MAP_FAILED, mremap(old, page_size, page_size,
				     MREMAP_MAYMOVE | MREMAP_FIXED, new));
	EXPECT_EQ(2, hooks_read(self->fd, "may_split"));
	EXPECT_EQ((long)(old + page_size), hooks_read(self->fd, "split_at"));
	EXPECT_EQ(MAP_FAILED, mremap(old + 3 * page_size, page_size, page_size,
				     MREMAP_MAYMOVE | MREMAP_FIXED, new));
	EXPECT_EQ((long)(old + 3 * page_size),
		  hooks_read(self->fd, "split_at"));
	EXPECT_EQ(0, hooks_read(self->fd, "open"));

	ASSERT_EQ(0, hooks_set(self->fd, "may_split 0"));
	ASSERT_EQ(new, mremap(old + page_size, page_size, page_size,
			      MREMAP_MAYMOVE | MREMAP_FIXED, new));
	EXPECT_EQ(hooks_letter(1), *new);
}

static long set_policy(char *p, size_t nr)
{
	unsigned long nodes = 1;

	return syscall(SYS_mbind, p, nr * page_size, MPOL_BIND, &nodes,
		       8 * sizeof(nodes), 0);
}

TEST_F(hooks_vma, V06_set_policy)
{
	char *p;

	if (hooks_set(self->fd, "set_policy -5"))
		SKIP(return, "needs a kernel with CONFIG_NUMA");
	p = map_shared(_metadata, self->fd, 0, 4);
	EXPECT_ERRNO(EIO, set_policy(p, 4));
	EXPECT_EQ(1, hooks_read(self->fd, "set_policy"));
	ASSERT_EQ(0, hooks_set(self->fd, "set_policy 0"));
	EXPECT_EQ(0, set_policy(p, 4));
	EXPECT_EQ(2, hooks_read(self->fd, "set_policy"));
}

TEST_HARNESS_MAIN
