// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a mapping shows the right page at every address, however it came
 * to be where it is, and that the driver hears of its coming and going.
 * Each test runs in both fault modes; where the contract differs for
 * fault_mode=insert, the test says how.
 *
 * The ids (D10, O13, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "proc.h"

DEVICE_FIXTURE(mapping)

TEST_F(mapping, shows_what_was_written)
{
	char *p;

	ASSERT_TRUE(fill(self->fd, 0, 64, 0));
	p = map_shared(_metadata, self->fd, 0, 64);
	EXPECT_EQ(-1, bad_page(p, 0, 64, 0));
}

TEST_F(mapping, stores_what_is_written)
{
	char *p = map_shared(_metadata, self->fd, 0, 64);
	size_t i;

	for (i = 0; i < 64; i++)
		make_page(p + i * page_size, i, 1);
	EXPECT_EQ(-1, bad_read(self->fd, 0, 64, 1));
}

TEST_F(mapping, offset_reaches_into_device)
{
	size_t last = self->dev.nr_pages - 1;
	char *p;

	ASSERT_TRUE(fill(self->fd, 37, 8, 0));
	ASSERT_TRUE(fill(self->fd, last, 1, 0));
	p = map_shared(_metadata, self->fd, 37, 8);
	EXPECT_EQ(-1, bad_page(p, 37, 8, 0));
	p = map_shared(_metadata, self->fd, last, 1);
	EXPECT_EQ(-1, bad_page(p, last, 1, 0));
}

/* A length need not be whole pages, and may be larger than the device. */
TEST_F(mapping, any_length)
{
	size_t size = self->dev.nr_pages * page_size;
	size_t len[] = { 1, page_size - 1, page_size + 1, size, 2 * size };
	size_t i;

	ASSERT_TRUE(fill(self->fd, 0, 1, 0));
	for (i = 0; i < ARRAY_SIZE(len); i++) {
		char *p = mmap(NULL, len[i], PROT_READ, MAP_SHARED, self->fd, 0);

		ASSERT_NE(MAP_FAILED, p);
		EXPECT_EQ(-1, bad_page(p, 0, 1, 0));
		EXPECT_EQ(0, munmap(p, len[i]));
	}
}

/* D10: what is left of a mapping keeps its place in the device. */
TEST_F(mapping, follows_pgoff_after_head_munmap)
{
	char *p = map_shared(_metadata, self->fd, 4, 32);

	ASSERT_TRUE(fill(self->fd, 4, 32, 0));
	ASSERT_EQ(0, munmap(p, 8 * page_size));
	EXPECT_EQ(-1, bad_page(p + 8 * page_size, 12, 24, 0));
	p[8 * page_size] = 1;
	EXPECT_EQ(-1, bad_read(self->fd, 4, 8, 0));
	EXPECT_EQ(0, bad_read(self->fd, 12, 1, 0));
}

/* D06: a hole in the middle leaves two mappings, both right. */
TEST_F(mapping, follows_pgoff_after_split)
{
	char *p = map_shared(_metadata, self->fd, 0, 32);

	ASSERT_TRUE(fill(self->fd, 0, 32, 0));
	ASSERT_EQ(0, munmap(p + 10 * page_size, 3 * page_size));
	EXPECT_EQ(2, count_vmas(p, 32));
	EXPECT_EQ(-1, bad_page(p, 0, 10, 0));
	EXPECT_EQ(-1, bad_page(p + 13 * page_size, 13, 19, 0));
}

/* O13: touched pages move along, others fault in at the new place. */
TEST_F(mapping, follows_pgoff_after_move)
{
	char *old = map_shared(_metadata, self->fd, 4, 32), *new;

	ASSERT_TRUE(fill(self->fd, 4, 32, 0));
	write_pages(old, 3, 7);
	new = reserve(_metadata, 32);
	ASSERT_EQ(new, mremap(old, 32 * page_size, 32 * page_size,
			      MREMAP_MAYMOVE | MREMAP_FIXED, new));
	EXPECT_EQ(7, new[2 * page_size]);
	EXPECT_EQ(-1, bad_page(new + 3 * page_size, 7, 29, 0));
	/* Nothing but the new place to go by. */
	ASSERT_EQ(0, madvise(new, 32 * page_size, MADV_DONTNEED));
	EXPECT_EQ(-1, bad_page(new + 3 * page_size, 7, 29, 0));
}

/*
 * O10: mremap grows a plain mapping without asking the driver, also past the
 * end of the device. One with VM_MIXEDMAP it can no longer grow: that became a
 * merge, which the core refuses for special mappings.
 */
TEST_F(mapping, grow_in_place)
{
	size_t end = self->dev.nr_pages;
	char *p = reserve(_metadata, 8), *grown;

	ASSERT_TRUE(fill(self->fd, end - 3, 3, 0));
	ASSERT_EQ(p, mmap(p, 2 * page_size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_FIXED, self->fd,
			  (end - 3) * page_size));
	ASSERT_EQ(0, munmap(p + 2 * page_size, 4 * page_size));
	grown = mremap(p, 2 * page_size, 4 * page_size, 0);
	if (variant->insert && !kernel_before(6, 12)) {
		EXPECT_EQ(MAP_FAILED, grown);
		EXPECT_EQ(ENOMEM, errno);
		EXPECT_EQ(-1, bad_page(p, end - 3, 2, 0));
		return;
	}
	ASSERT_EQ(p, grown);
	EXPECT_EQ(-1, bad_page(p, end - 3, 3, 0));
	EXPECT_TRAP(p + 3 * page_size, -1, SIGBUS, BUS_ADRERR,
		    p + 3 * page_size);
}

/* O11: with no room behind it either kind grows by a move. */
TEST_F(mapping, grow_by_move)
{
	char *p = map_shared(_metadata, self->fd, 4, 8), *grown;

	ASSERT_TRUE(fill(self->fd, 4, 12, 0));
	ASSERT_EQ(0, munmap(p + 6 * page_size, page_size));
	EXPECT_EQ(MAP_FAILED, mremap(p, 6 * page_size, 12 * page_size, 0));
	EXPECT_EQ(ENOMEM, errno);
	grown = mremap(p, 6 * page_size, 12 * page_size, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, grown);
	EXPECT_EQ(-1, bad_page(grown, 4, 12, 0));
}

/* C07: the new mapping's pages, not those of the one that it replaces. */
TEST_F(mapping, replaced_by_map_fixed)
{
	char *p = map_shared(_metadata, self->fd, 0, 8);

	ASSERT_TRUE(fill(self->fd, 0, 48, 0));
	EXPECT_EQ(-1, bad_page(p, 0, 8, 0));
	ASSERT_EQ(p, mmap(p, 8 * page_size, PROT_READ, MAP_SHARED | MAP_FIXED,
			  self->fd, 40 * page_size));
	EXPECT_EQ(-1, bad_page(p, 40, 8, 0));
}

/* D01, D02: plain neighbours are one VMA since 6.12, special ones never. */
TEST_F(mapping, neighbours_merge)
{
	int vmas = variant->insert || kernel_before(6, 12) ? 2 : 1;
	char *p = reserve(_metadata, 8);
	int i;

	ASSERT_TRUE(fill(self->fd, 0, 8, 0));
	for (i = 0; i < 8; i += 4) {
		ASSERT_NE(MAP_FAILED, mmap(p + i * page_size, 4 * page_size,
					   PROT_READ, MAP_SHARED | MAP_FIXED,
					   self->fd, i * page_size));
	}
	EXPECT_EQ(vmas, count_vmas(p, 8));
	EXPECT_EQ(-1, bad_page(p, 0, 8, 0));
}

/* N13: taking access away and giving it back changes no data. */
TEST_F(mapping, mprotect_none_keeps_data)
{
	char *p = map_shared(_metadata, self->fd, 0, 4);

	ASSERT_TRUE(fill(self->fd, 0, 4, 0));
	EXPECT_EQ(-1, bad_page(p, 0, 4, 0));
	ASSERT_EQ(0, mprotect(p, 4 * page_size, PROT_NONE));
	EXPECT_TRAP(p, -1, SIGSEGV, SEGV_ACCERR, p);
	ASSERT_EQ(0, mprotect(p, 4 * page_size, PROT_READ));
	EXPECT_EQ(-1, bad_page(p, 0, 4, 0));
}

static int child_maps_and_exits(void *arg)
{
	int fd = *(int *)arg, i;
	char *p = NULL;

	/* All of page 0 on: neighbours with the same pages do not merge. */
	for (i = 0; i < 3; i++)
		p = mmap(NULL, 8 * page_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED || munmap(p + 2 * page_size, page_size))
		return 1;
	if (!fork())
		_exit(0);
	return wait(NULL) < 0;
}

/* D11, S07: what a process mapped, split and forked is closed when it ends. */
TEST_F(mapping, opens_and_closes_balance)
{
	long opened = stat_read("mmap") + stat_read("vma_open");
	long closed = stat_read("vma_close");

	ASSERT_EQ(0, in_child(child_maps_and_exits, &self->fd));
	opened = stat_read("mmap") + stat_read("vma_open") - opened;
	/* Three mapped, one of them split twice, the remaining four forked. */
	EXPECT_EQ(3 + 2 + 4, opened);
	EXPECT_EQ(opened, stat_read("vma_close") - closed);
}

TEST_HARNESS_MAIN
