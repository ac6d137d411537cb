// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what mmap(2) does with the answers of a driver's .mmap and
 * .get_unmapped_area, and when it asks .mmap at all: it does not where a merge
 * with a neighbour will do.
 *
 * The ids (C11, D03, ...) name the branches of mmap that a test proves. Not
 * proven, as the core meets them with a WARN: a file with both .mmap and
 * .mmap_prepare (A27 on 7.3), a .mmap that moves vm_start (C14).
 * Needs: see hooks.h.
 */
#include "hooks.h"
#include "proc.h"

HOOKS_FIXTURE(hooks_mmap, HOOKS)

TEST_F(hooks_mmap, A27_without_mmap_enodev)
{
	int fd = open(HOOKS_BARE, O_RDWR);

	ASSERT_LE(0, fd);
	EXPECT_EQ(ENODEV, hooks_mmap_errno(fd, NULL, 1, MAP_SHARED));
	EXPECT_EQ(ENODEV, hooks_mmap_errno(fd, NULL, 1, MAP_PRIVATE));
	EXPECT_EQ(0, hooks_read(fd, "mmap"));
}

/*
 * The core asks ->open first, which does not say that it can. What it did is
 * undone: the module can be unloaded afterwards.
 */
TEST_F(hooks_mmap, W01_no_direct_io)
{
	EXPECT_ERRNO(EINVAL, open(HOOKS, O_RDWR | O_DIRECT));
	EXPECT_ERRNO(EINVAL, open(HOOKS, O_RDONLY | O_DIRECT));
	EXPECT_ERRNO(EINVAL, fcntl(self->fd, F_SETFL, O_DIRECT));
	EXPECT_EQ(0, fcntl(self->fd, F_GETFL) & O_DIRECT);
}

/* The address is the driver's word, but it is looked at. */
TEST_F(hooks_mmap, B08_get_unmapped_area)
{
	const struct {
		long address;
		int error;
	} c[] = {
		{ -EBUSY, EBUSY },
		{ 0x10000800, EINVAL },
		{ task_size(), ENOMEM },
	};
	char *there, set[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(c); i++) {
		snprintf(set, sizeof(set), "get_unmapped_area %ld",
			 c[i].address);
		ASSERT_EQ(0, hooks_set(self->fd, set));
		EXPECT_EQ(c[i].error,
			  hooks_mmap_errno(self->fd, NULL, 1, MAP_SHARED))
			TH_LOG("%s", set);
	}
	EXPECT_EQ(3, hooks_read(self->fd, "get_unmapped_area"));
	EXPECT_EQ(0, hooks_read(self->fd, "mmap"));

	there = (char *)0x10000000;
	ASSERT_EQ(0, hooks_set(self->fd, "get_unmapped_area 0x10000000"));
	EXPECT_EQ(there, mmap(NULL, page_size, PROT_READ, MAP_SHARED, self->fd,
			      0));
	EXPECT_EQ(hooks_letter(0), *there);
}

TEST_F(hooks_mmap, O21_mremap_asks_get_unmapped_area)
{
	char *p = map_shared(_metadata, self->fd, 0, 2);
	char *there = (char *)0x10000000;
	long asked = hooks_read(self->fd, "get_unmapped_area");

	/* Something behind it: it has to move. */
	ASSERT_EQ(0, munmap(p + page_size, page_size));
	ASSERT_EQ(p + page_size, mmap(p + page_size, page_size, PROT_NONE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				      -1, 0));
	ASSERT_EQ(0, hooks_set(self->fd, "get_unmapped_area -16"));
	EXPECT_EQ(MAP_FAILED, mremap(p, page_size, 2 * page_size,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(asked + 1, hooks_read(self->fd, "get_unmapped_area"));
	EXPECT_EQ(hooks_letter(0), *p);

	ASSERT_EQ(0, hooks_set(self->fd, "get_unmapped_area 0x10000000"));
	EXPECT_EQ(there, mremap(p, page_size, 2 * page_size, MREMAP_MAYMOVE));
	EXPECT_EQ(hooks_letter(1), there[page_size]);
	EXPECT_EQ(asked + 2, hooks_read(self->fd, "get_unmapped_area"));
	EXPECT_EQ(1, hooks_read(self->fd, "mmap"));
}

/* Shared mappings that could become writable, as memfd's F_SEAL_WRITE does. */
TEST_F(hooks_mmap, C03_mapping_denies_write)
{
	ASSERT_EQ(0, hooks_set(self->fd, "deny_write 1"));
	EXPECT_EQ(EPERM, hooks_mmap_errno(self->fd, NULL, 1, MAP_SHARED));
	EXPECT_EQ(0, hooks_read(self->fd, "mmap"));
	EXPECT_EQ(0, hooks_mmap_errno(self->fd, NULL, 1, MAP_PRIVATE));
	ASSERT_EQ(0, hooks_set(self->fd, "deny_write 0"));
	EXPECT_EQ(0, hooks_mmap_errno(self->fd, NULL, 1, MAP_SHARED));
}

/*
 * The errno comes through, no .close undoes what .mmap did, and the page that
 * it had mapped is unmapped. That the file was let go shows when the module
 * is unloaded.
 */
TEST_F(hooks_mmap, C11_mmap_error)
{
	char *p = reserve(_metadata, 4);

	ASSERT_EQ(0, munmap(p, 4 * page_size));
	ASSERT_EQ(0, hooks_set(self->fd, "mmap -12\ncall insert"));
	EXPECT_EQ(ENOMEM, hooks_mmap_errno(self->fd, p, 4,
					   MAP_SHARED | MAP_FIXED));
	EXPECT_EQ(0, hooks_read(self->fd, "called"));
	EXPECT_EQ(1, hooks_read(self->fd, "mmap"));
	EXPECT_EQ(0, hooks_read(self->fd, "close"));
	EXPECT_EQ(1, hooks_read(self->fd, "refs"));
	EXPECT_TRAP(p, -1, SIGSEGV, SEGV_MAPERR, p);

	/* The same call without the error: a reference for the page table. */
	ASSERT_EQ(0, hooks_set(self->fd, "mmap 0"));
	EXPECT_EQ(0, hooks_mmap_errno(self->fd, p, 4, MAP_SHARED | MAP_FIXED));
	EXPECT_EQ(2, hooks_read(self->fd, "refs"));
	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_EQ(0, hooks_read(self->fd, "fault"));
}

/* What was there was closed and unmapped before the driver could refuse. */
TEST_F(hooks_mmap, C12_mmap_error_leaves_hole)
{
	char *p = map_shared(_metadata, self->fd, 0, 3);

	read_pages(p, 3);
	ASSERT_EQ(0, hooks_set(self->fd, "mmap -5"));
	EXPECT_EQ(EIO, hooks_mmap_errno(self->fd, p + page_size, 1,
					MAP_SHARED | MAP_FIXED));
	EXPECT_EQ(1, hooks_read(self->fd, "close"));
	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_TRAP(p + page_size, -1, SIGSEGV, SEGV_MAPERR, p + page_size);
	EXPECT_EQ(hooks_letter(2), p[2 * page_size]);
}

/* Maps @nr pages of @pgoff at @p, in place of what is there. */
static bool place(int fd, char *p, size_t pgoff, size_t nr)
{
	return mmap(p, nr * page_size, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
		    pgoff * page_size) == p;
}

/* Nothing to be told of a VMA that goes: then two can always be one. */
TEST_F(hooks_mmap, D03_without_close_merges)
{
	char *p = reserve(_metadata, 4);

	ASSERT_EQ(0, hooks_set(self->fd, "close none"));
	ASSERT_TRUE(place(self->fd, p, 0, 2));
	ASSERT_TRUE(place(self->fd, p + 2 * page_size, 2, 2));
	EXPECT_EQ(1, count_vmas_of(HOOKS, p, 4));
	EXPECT_EQ(1, hooks_read(self->fd, "mmap"));
	EXPECT_EQ(0, hooks_read(self->fd, "open"));
	EXPECT_EQ(hooks_letter(3), p[3 * page_size]);
}

/*
 * With VM_DONTCOPY the second mapping differs from the first until .mmap has
 * set it, too. 6.12 then tries to merge once more, and does, and frees the
 * new VMA: of two mappings that the driver saw made it sees one closed. 6.1
 * merges after .mmap only without .close, 7.3 not at all.
 */
TEST_F(hooks_mmap, D04_mmap_sets_flag)
{
	bool second_try = !kernel_before(6, 12) && kernel_before(7, 0);
	char *p = reserve(_metadata, 4);
	int vmas = second_try ? 1 : 2;

	ASSERT_EQ(0, hooks_set(self->fd, "vm_flags dontcopy"));
	ASSERT_TRUE(place(self->fd, p, 0, 2));
	ASSERT_TRUE(place(self->fd, p + 2 * page_size, 2, 2));
	EXPECT_EQ(2, hooks_read(self->fd, "mmap"));
	EXPECT_EQ(vmas, count_vmas_of(HOOKS, p, 4));
	EXPECT_EQ(0, hooks_read(self->fd, "close"));
	ASSERT_EQ(0, munmap(p, 4 * page_size));
	EXPECT_EQ(vmas, hooks_read(self->fd, "close"));
	EXPECT_EQ(0, hooks_read(self->fd, "open"));
}

TEST_F(hooks_mmap, D04_mmap_sets_flag_without_close)
{
	char *p = reserve(_metadata, 4);

	ASSERT_EQ(0, hooks_set(self->fd, "vm_flags dontcopy\nclose none"));
	ASSERT_TRUE(place(self->fd, p, 0, 2));
	ASSERT_TRUE(place(self->fd, p + 2 * page_size, 2, 2));
	EXPECT_EQ(2, hooks_read(self->fd, "mmap"));
	EXPECT_EQ(kernel_before(7, 0) ? 1 : 2, count_vmas_of(HOOKS, p, 4));
}

/*
 * The gap between two mappings is filled: a merge with both would take the
 * right one away, and that one's .close forbids it.
 */
TEST_F(hooks_mmap, D05_fill_gap)
{
	int vmas = kernel_before(6, 12) ? 3 : 2;
	char *p = reserve(_metadata, 6);

	ASSERT_TRUE(place(self->fd, p, 0, 2));
	ASSERT_TRUE(place(self->fd, p + 4 * page_size, 4, 2));
	ASSERT_TRUE(place(self->fd, p + 2 * page_size, 2, 2));
	EXPECT_EQ(vmas, count_vmas_of(HOOKS, p, 6));
	EXPECT_EQ(vmas, hooks_read(self->fd, "mmap"));
	EXPECT_EQ(1, count_vmas_of(HOOKS, p + 4 * page_size, 2));
	EXPECT_EQ(0, hooks_read(self->fd, "close"));
}

TEST_F(hooks_mmap, D05_fill_gap_without_close)
{
	char *p = reserve(_metadata, 6);

	ASSERT_EQ(0, hooks_set(self->fd, "close none"));
	ASSERT_TRUE(place(self->fd, p, 0, 2));
	ASSERT_TRUE(place(self->fd, p + 4 * page_size, 4, 2));
	ASSERT_TRUE(place(self->fd, p + 2 * page_size, 2, 2));
	EXPECT_EQ(1, count_vmas_of(HOOKS, p, 6));
	EXPECT_EQ(2, hooks_read(self->fd, "mmap"));
}

/* .mmap is where this has to be refused: the first fault would BUG. */
TEST_F(hooks_mmap, G07_no_private_pfnmap)
{
	char *p;

	ASSERT_EQ(0, hooks_set(self->fd, "vm_flags pfnmap"));
	EXPECT_EQ(EINVAL, hooks_mmap_errno(self->fd, NULL, 1, MAP_PRIVATE));
	EXPECT_EQ(0, hooks_read(self->fd, "close"));
	p = map_shared(_metadata, self->fd, 2, 1);
	EXPECT_EQ(hooks_letter(2), *p);
}

/* Unknown settings, values out of range, changes that come too late. */
TEST_F(hooks_mmap, bad_settings)
{
	EXPECT_EQ(-EINVAL, hooks_set(self->fd, "nonsense 1"));
	EXPECT_EQ(-EINVAL, hooks_set(self->fd, "may_split"));
	EXPECT_EQ(-EINVAL, hooks_set(self->fd, "fault zero"));
	EXPECT_EQ(-EINVAL, hooks_set(self->fd, "fault page|locked"));
	EXPECT_EQ(-EINVAL, hooks_set(self->fd, "call nobody"));
	EXPECT_EQ(-ERANGE, hooks_set(self->fd, "mmap 1"));
	EXPECT_EQ(-ERANGE, hooks_set(self->fd, "may_split -4096"));
	map_shared(_metadata, self->fd, 0, 1);
	EXPECT_EQ(-EBUSY, hooks_set(self->fd, "fault none"));
	EXPECT_EQ(-EBUSY, hooks_set(self->fd, "mremap 0"));
	EXPECT_EQ(-EBUSY, hooks_set(self->fd, "order 3"));
	EXPECT_EQ(0, hooks_set(self->fd, "fault sigbus"));
}

TEST_HARNESS_MAIN
