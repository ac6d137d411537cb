// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what mmap(2) does with the answers of .mmap_prepare, which is asked
 * before there is a VMA, of vm_operations.mapped, which is told once there is
 * one, and with the actions between the two.
 *
 * The ids (C20, ...) name the branches of mmap that a test proves.
 * Needs: Linux 7.3; see hooks.h.
 */
#include "hooks.h"
#include "proc.h"

HOOKS_FIXTURE(hooks_prepare, HOOKS_PREPARE)

/* Maps @nr pages of @pgoff at @p, in place of what is there. Return: errno. */
static int place(int fd, char *p, size_t pgoff, size_t nr)
{
	return mmap(p, nr * page_size, RW, MAP_SHARED | MAP_FIXED, fd,
		    pgoff * page_size) == p ? 0 : errno;
}

TEST_F(hooks_prepare, C20_prepare_error)
{
	char *p = reserve(_metadata, 4);

	ASSERT_EQ(0, munmap(p, 4 * page_size));
	ASSERT_EQ(0, hooks_set(self->fd, "mapped 0\nmmap -5"));
	EXPECT_EQ(EIO, place(self->fd, p, 0, 4));
	EXPECT_EQ(1, hooks_read(self->fd, "mmap_prepare"));
	EXPECT_EQ(0, hooks_read(self->fd, "mapped"));
	EXPECT_EQ(0, hooks_read(self->fd, "close"));
	EXPECT_TRAP(p, -1, SIGSEGV, SEGV_MAPERR, p);
	ASSERT_EQ(0, hooks_set(self->fd, "mmap 0"));
	EXPECT_EQ(0, place(self->fd, p, 0, 4));
	EXPECT_EQ(hooks_letter(3), p[3 * page_size]);
}

/* Asked for what then becomes part of a neighbour: it may hold nothing. */
TEST_F(hooks_prepare, C20_prepare_and_merge)
{
	char *p = reserve(_metadata, 4);

	ASSERT_EQ(0, hooks_set(self->fd, "mapped 0"));
	ASSERT_EQ(0, place(self->fd, p, 0, 2));
	ASSERT_EQ(0, place(self->fd, p + 2 * page_size, 2, 2));
	EXPECT_EQ(1, count_vmas_of(HOOKS_PREPARE, p, 4));
	EXPECT_EQ(2, hooks_read(self->fd, "mmap_prepare"));
	EXPECT_EQ(1, hooks_read(self->fd, "mapped"));
	EXPECT_EQ(0, hooks_read(self->fd, "open"));
	ASSERT_EQ(0, munmap(p, 4 * page_size));
	EXPECT_EQ(1, hooks_read(self->fd, "close"));
}

TEST_F(hooks_prepare, C21_mapped_error)
{
	char *p = reserve(_metadata, 4);

	ASSERT_EQ(0, hooks_set(self->fd, "mapped -5"));
	EXPECT_EQ(EIO, place(self->fd, p, 0, 4));
	EXPECT_EQ(1, hooks_read(self->fd, "mapped"));
	/* It was there, and is unmapped like any other. */
	EXPECT_EQ(1, hooks_read(self->fd, "close"));
	EXPECT_TRAP(p, -1, SIGSEGV, SEGV_MAPERR, p);
	ASSERT_EQ(0, hooks_set(self->fd, "error_override -6"));
	EXPECT_EQ(ENXIO, place(self->fd, p, 0, 4));
	EXPECT_EQ(2, hooks_read(self->fd, "close"));
}

/* A hook that .mmap sets is never called, and no error either. */
TEST_F(hooks_prepare, C22_mapped_with_mmap)
{
	int fd = open(HOOKS, O_RDWR);
	char *p;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, hooks_set(fd, "mapped -5"));
	p = map_shared(_metadata, fd, 0, 4);
	EXPECT_EQ(0, hooks_read(fd, "mapped"));
	EXPECT_EQ(hooks_letter(3), p[3 * page_size]);
}

TEST_F(hooks_prepare, C23_map_kernel_pages)
{
	char *p = reserve(_metadata, 4);

	ASSERT_EQ(0, hooks_set(self->fd, "action pages"));
	ASSERT_EQ(0, place(self->fd, p, 0, 4));
	EXPECT_EQ(4, count_mapped(p, 4));
	EXPECT_TRUE(vma_has_flag(p, "mm"));
	EXPECT_EQ(hooks_letter(3), p[3 * page_size]);
	EXPECT_EQ(0, hooks_read(self->fd, "fault"));
}

/* Refused before there is a VMA: nothing to close, nothing to override. */
TEST_F(hooks_prepare, C23_map_kernel_pages_outside)
{
	char *p = reserve(_metadata, 4);

	ASSERT_EQ(0, hooks_set(self->fd, "action pages_outside\n"
			       "error_override -6"));
	EXPECT_EQ(EFAULT, place(self->fd, p, 0, 4));
	EXPECT_EQ(0, hooks_read(self->fd, "close"));
}

static void expect_remap(struct __test_metadata *_metadata, int fd,
			 const char *set)
{
	char *p = reserve(_metadata, 1);

	ASSERT_EQ(0, hooks_set(fd, set));
	ASSERT_EQ(0, place(fd, p, 0, 1));
	EXPECT_TRUE(vma_has_flag(p, "io"));
	EXPECT_TRUE(vma_has_flag(p, "pf"));
	EXPECT_TRUE(vma_has_flag(p, "de"));
	EXPECT_TRUE(vma_has_flag(p, "dd"));
	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_EQ(0, hooks_read(fd, "fault"));
	/* No reference for the page table. */
	EXPECT_EQ(1, hooks_read(fd, "refs"));
}

TEST_F(hooks_prepare, C23_remap)
{
	expect_remap(_metadata, self->fd, "action remap");
}

TEST_F(hooks_prepare, C23_ioremap)
{
	expect_remap(_metadata, self->fd, "action ioremap");
}

TEST_HARNESS_MAIN
