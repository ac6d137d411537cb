// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what mremap(2) does to a mapping of the device when it succeeds: what
 * is where afterwards, which page-table entries went along, and what the
 * driver heard of it (vma_open, vma_close, faults). What it refuses is in
 * mremap_errors.c. Each test runs in both fault modes; where the contract
 * differs for fault_mode=insert, the test says how.
 *
 * The ids (O04, O13, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "proc.h"

#define NR	8
#define LEN	(NR * page_size)

FIXTURE(mremap) {
	struct device dev;
	int fd;
	char *p;		/* the device's first NR pages, as made */
	struct counters vmas;	/* when EXPECT_VMAS looked last */
	struct counters mkwrites;	/* when EXPECT_FAULTS did */
	long faults;
};

FAULT_MODES(mremap);

/* What the driver heard since the last look. */
#define EXPECT_VMAS(opened, closed)					\
	EXPECT_COUNTED_ANEW(&self->vmas, { "mmap", 0 },			\
			    { "vma_open", opened }, { "vma_close", closed })

#define EXPECT_FAULTS(faults_, mkwrite) do {				\
	EXPECT_EQ(self->faults + (faults_), faults_served());		\
	EXPECT_COUNTED_ANEW(&self->mkwrites, { "mkwrite", mkwrite });	\
	self->faults = faults_served();					\
} while (0)

#define RESET_COUNTERS() do {						\
	counters_start(&self->vmas);					\
	counters_start(&self->mkwrites);				\
	self->faults = faults_served();					\
} while (0)

FIXTURE_SETUP(mremap)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->p = map_shared(_metadata, self->fd, 0, NR);
	ASSERT_TRUE(fill(self->fd, 0, 2 * NR, 0));
	ASSERT_EQ(0, clean_all(self->fd));
	ASSERT_EQ(-1, bad_page(self->p, 0, NR, 0));
	RESET_COUNTERS();
}

FIXTURE_TEARDOWN(mremap)
{
	device_teardown(_metadata, &self->dev);
}

static bool is_gone(char *p)
{
	struct trap trap = touch(p, -1);

	return trap.sig == SIGSEGV && trap.code == SEGV_MAPERR &&
	       trap.addr == p;
}

/* O04: a length of 0 asks for a second mapping of what is there. */
TEST_F(mremap, O04_second_mapping)
{
	char *q = mremap(self->p, 0, LEN, MREMAP_MAYMOVE), *r;

	ASSERT_NE(MAP_FAILED, q);
	EXPECT_VMAS(1, 0);
	EXPECT_NE(self->p, q);
	EXPECT_EQ(0, count_mapped(q, NR));
	EXPECT_EQ(NR, count_mapped(self->p, NR));
	EXPECT_EQ(-1, bad_page(q, 0, NR, 0));
	q[0] = 1;
	EXPECT_EQ(1, self->p[0]);

	/* From any page on, as many as one likes. */
	r = mremap(self->p + 3 * page_size, 0, 2 * LEN, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, r);
	EXPECT_VMAS(1, 0);
	EXPECT_EQ(-1, bad_page(r, 3, 2 * NR - 3, 0));
}

/* O07: nothing to do, and nobody is told. */
TEST_F(mremap, O07_same_size)
{
	EXPECT_EQ(self->p, mremap(self->p, LEN, LEN, 0));
	EXPECT_EQ(self->p, mremap(self->p, LEN, LEN, MREMAP_MAYMOVE));
	/* Lengths are rounded up to whole pages. */
	EXPECT_EQ(self->p, mremap(self->p, LEN - 1, LEN - page_size + 1, 0));
	/* A part of it, and more than all of it. */
	EXPECT_EQ(self->p + page_size, mremap(self->p + page_size, page_size,
					      page_size, 0));
	EXPECT_EQ(self->p, mremap(self->p, 99 * LEN, 99 * LEN, 0));
	EXPECT_VMAS(0, 0);
	EXPECT_EQ(-1, bad_page(self->p, 0, NR, 0));
	EXPECT_FAULTS(0, 0);
}

/* O08: the tail is split off, which opens a VMA, and unmapped, which closes. */
TEST_F(mremap, O08_shrink)
{
	EXPECT_EQ(self->p, mremap(self->p, LEN, LEN - 3 * page_size, 0));
	EXPECT_VMAS(1, 1);
	EXPECT_TRUE(is_gone(self->p + LEN - 3 * page_size));
	EXPECT_TRUE(is_gone(self->p + LEN - 1));
	EXPECT_EQ(-1, bad_page(self->p, 0, NR - 3, 0));
	EXPECT_FAULTS(0, 0);
	EXPECT_EQ(2 * NR, pool_read("stored"));
}

/* O08: with a new address the rest moves, after the tail has gone. */
TEST_F(mremap, O08_shrink_and_move)
{
	char *to = reserve(_metadata, NR);

	EXPECT_EQ(to, mremap(self->p, LEN, 2 * page_size,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_VMAS(2, 2);
	EXPECT_EQ(-1, bad_page(to, 0, 2, 0));
	EXPECT_TRUE(is_gone(self->p));
	EXPECT_TRUE(is_gone(self->p + 2 * page_size));
	EXPECT_FAULTS(0, 0);
}

/*
 * O08: shrinking is a munmap, and takes what lies behind the mapping as well:
 * the end of the VMA is no limit there.
 */
TEST_F(mremap, O08_shrink_past_the_vma)
{
	char *p = reserve(_metadata, 2 * NR);

	ASSERT_NE(MAP_FAILED, mmap(p, LEN, PROT_READ, MAP_SHARED | MAP_FIXED,
				   self->fd, 0));
	ASSERT_NE(MAP_FAILED, mmap(p + LEN, LEN, PROT_READ, MAP_SHARED |
				   MAP_FIXED, self->fd, 0));
	RESET_COUNTERS();
	EXPECT_EQ(p, mremap(p, LEN + 2 * page_size, 4 * page_size, 0));
	EXPECT_TRUE(is_gone(p + 4 * page_size));
	EXPECT_TRUE(is_gone(p + LEN + page_size));
	EXPECT_EQ(-1, bad_page(p, 0, 4, 0));
	EXPECT_EQ(-1, bad_page(p + LEN + 2 * page_size, 2, NR - 2, 0));
	/* Either VMA is split, and two of the four parts go. */
	EXPECT_VMAS(2, 2);
}

/*
 * O10: what grows where it is stays one VMA, and nobody is told. See
 * mapping.grow_in_place for fault_mode=insert, which refuses since 6.12.
 */
TEST_F(mremap, O10_grow_in_place_unheard)
{
	bool grows = !variant->insert || kernel_before(6, 12);
	char *p = reserve(_metadata, 2 * NR);

	ASSERT_EQ(p, mremap(self->p, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED,
			    p));
	ASSERT_EQ(0, munmap(p + LEN, LEN));
	RESET_COUNTERS();
	EXPECT_EQ(grows ? p : MAP_FAILED, mremap(p, LEN, 2 * LEN, 0));
	EXPECT_VMAS(0, 0);
	EXPECT_EQ(1, count_vmas(p, 2 * NR));
	EXPECT_EQ(-1, bad_page(p, 0, grows ? 2 * NR : NR, 0));
	EXPECT_EQ(!grows, is_gone(p + LEN));
}

/* O11: grown by a move: a copy is opened, and what it replaces closed. */
TEST_F(mremap, O11_grow_by_move)
{
	char *grown;

	/* Something behind it, whatever is there by chance. */
	ASSERT_EQ(0, munmap(self->p + LEN - page_size, page_size));
	ASSERT_NE(MAP_FAILED, mmap(self->p + LEN - page_size, page_size,
				   PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
				   MAP_FIXED_NOREPLACE, -1, 0));
	RESET_COUNTERS();
	grown = mremap(self->p, LEN - page_size, 2 * LEN, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, grown);
	EXPECT_NE(self->p, grown);
	EXPECT_VMAS(1, 1);
	EXPECT_EQ(NR - 1, count_mapped(grown, 2 * NR));
	EXPECT_EQ(-1, bad_page(grown, 0, 2 * NR, 0));
	EXPECT_TRUE(is_gone(self->p));
}

/* O13: page-table entries move along, readable or writable as they are. */
TEST_F(mremap, O13_move)
{
	char *to = reserve(_metadata, NR);

	self->p[0] = 7;
	ASSERT_EQ(0, madvise(self->p + 5 * page_size, page_size,
			     MADV_DONTNEED));
	RESET_COUNTERS();
	EXPECT_EQ(to, mremap(self->p, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED,
			     to));
	EXPECT_VMAS(1, 1);
	EXPECT_EQ(1, count_vmas(to, NR));
	EXPECT_EQ(NR - 1, count_mapped(to, NR));
	EXPECT_FALSE(is_mapped(to + 5 * page_size));
	EXPECT_TRUE(is_gone(self->p));
	EXPECT_TRUE(is_gone(self->p + LEN - 1));
	EXPECT_EQ(1, pool_read("dirty"));

	EXPECT_EQ(7, to[0]);
	to[0] = 8;
	EXPECT_EQ(-1, bad_page(to + page_size, 1, 4, 0));
	EXPECT_FAULTS(0, 0);
	/* Read-only it was, and so it asks. */
	to[page_size] = 8;
	EXPECT_FAULTS(0, 1);
	/* Not present it was, and is looked for in the right place. */
	EXPECT_EQ(-1, bad_page(to + 5 * page_size, 5, 1, 0));
	EXPECT_FAULTS(1, 0);
}

/*
 * O15: a part moves out of the middle: the copy is opened, and the two splits
 * that cut out what is unmapped then.
 */
TEST_F(mremap, O15_move_a_part)
{
	char *to = reserve(_metadata, NR);

	EXPECT_EQ(to, mremap(self->p + 2 * page_size, 3 * page_size,
			     3 * page_size, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_VMAS(3, 1);
	EXPECT_EQ(2, count_vmas(self->p, NR));
	EXPECT_EQ(3, count_mapped(to, NR));
	EXPECT_EQ(-1, bad_page(to, 2, 3, 0));
	EXPECT_EQ(-1, bad_page(self->p, 0, 2, 0));
	EXPECT_TRUE(is_gone(self->p + 2 * page_size));
	EXPECT_TRUE(is_gone(self->p + 4 * page_size));
	EXPECT_EQ(-1, bad_page(self->p + 5 * page_size, 5, 3, 0));
	EXPECT_FAULTS(0, 0);
}

/* O16: the old mapping stays, empty, and fills from the device again. */
TEST_F(mremap, O16_dontunmap)
{
	char *q;

	self->p[0] = 7;
	RESET_COUNTERS();
	q = mremap(self->p, LEN, LEN, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_NE(self->p, q);
	EXPECT_VMAS(1, 0);
	EXPECT_EQ(NR, count_mapped(q, NR));
	EXPECT_EQ(0, count_mapped(self->p, NR));
	q[0] = 8;
	EXPECT_EQ(-1, bad_page(q + page_size, 1, NR - 1, 0));
	EXPECT_FAULTS(0, 0);

	EXPECT_EQ(8, self->p[0]);
	EXPECT_EQ(-1, bad_page(self->p + page_size, 1, NR - 1, 0));
	self->p[0] = 9;
	EXPECT_EQ(9, q[0]);
	EXPECT_LT(self->faults, faults_served());
	EXPECT_EQ(1, counted(&self->mkwrites, "mkwrite"));
}

/* O16: private copies go with the new mapping, the old one has none left. */
TEST_F(mremap, O16_dontunmap_private)
{
	char *p = map_private(_metadata, self->fd, 0, NR), *q;

	write_pages(p, 2, 7);
	q = mremap(p, LEN, LEN, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_EQ(7, q[0]);
	EXPECT_EQ(7, q[page_size]);
	EXPECT_EQ(-1, bad_page(q + 2 * page_size, 2, NR - 2, 0));
	EXPECT_EQ(-1, bad_page(p, 0, NR, 0));
}

/* O16: to an address of the caller's choice, over what is there. */
TEST_F(mremap, O16_dontunmap_fixed)
{
	char *to = map(_metadata, self->fd, PROT_READ, MAP_SHARED, NR, NR);

	RESET_COUNTERS();
	EXPECT_EQ(to, mremap(self->p, LEN, LEN, MREMAP_MAYMOVE |
			     MREMAP_DONTUNMAP | MREMAP_FIXED, to));
	EXPECT_VMAS(1, 1);
	EXPECT_EQ(-1, bad_page(to, 0, NR, 0));
	EXPECT_EQ(-1, bad_page(self->p, 0, NR, 0));
}

/*
 * O19: several VMAs at once. 7.3 moves each, and leaves alone what is where a
 * gap between them would be; before, a range ends with its VMA, which is found
 * out when the destination has gone.
 */
TEST_F(mremap, O19_several_vmas)
{
	bool many = !kernel_before(7, 3);
	char *p = reserve(_metadata, 2 * NR), *to = reserve(_metadata, 2 * NR);
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	/* Not each other's neighbours in the device: they never merge. */
	ASSERT_NE(MAP_FAILED, mmap(p, LEN, PROT_READ, MAP_SHARED | MAP_FIXED,
				   self->fd, NR * page_size));
	ASSERT_NE(MAP_FAILED, mmap(p + LEN + page_size, LEN - page_size,
				   PROT_READ, MAP_SHARED | MAP_FIXED,
				   self->fd, 0));
	ASSERT_EQ(0, munmap(p + LEN, page_size));
	read_pages(p, NR);
	RESET_COUNTERS();
	EXPECT_EQ(many ? to : MAP_FAILED, mremap(p, 2 * LEN, 2 * LEN, flags,
						 to));
	EXPECT_VMAS(many ? 2 : 0, many ? 2 : 0);
	EXPECT_EQ(many, is_gone(p));
	EXPECT_EQ(!many, is_gone(to));
	EXPECT_TRUE(is_gone(p + LEN));
	EXPECT_EQ(!many, is_gone(to + LEN));
	if (many)
		p = to;
	EXPECT_EQ(-1, bad_page(p, NR, NR, 0));
	EXPECT_EQ(-1, bad_page(p + LEN + page_size, 0, NR - 1, 0));
}

TEST_HARNESS_MAIN
