// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that whoever keeps track of a process's memory sees the device's pages
 * as what they are: mincore, pagemap with its soft-dirty bits, smaps, memory
 * policies and move_pages. uffd.c has userfaultfd and PAGEMAP_SCAN. Each test
 * runs in both fault modes.
 *
 * The ids (V01, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; CONFIG_NUMA and CONFIG_MEM_SOFT_DIRTY where a
 * test says so.
 */
#include "mmapdemo_test.h"
#include "proc.h"

#include <linux/const.h>
#include <linux/mempolicy.h>
#include <sys/syscall.h>

DEVICE_FIXTURE(tracking)

/* Anything but what mincore(2) stores there. */
#define UNTOUCHED	0x55

TEST_F(tracking, V01_mincore_bad_arguments)
{
	char *p = map_shared(_metadata, self->fd, 0, 4);
	unsigned char core[4] = { UNTOUCHED, UNTOUCHED };

	EXPECT_ERRNO(EINVAL, mincore(p + 1, page_size, core));
	EXPECT_ERRNO(ENOMEM, mincore(p, -page_size, core));
	EXPECT_ERRNO(EFAULT, mincore(p, page_size, (void *)1));
	EXPECT_ERRNO(EFAULT, mincore(p, page_size, (void *)-1));
	EXPECT_EQ(UNTOUCHED, core[0]);

	/* Up to the hole is told before the error. */
	ASSERT_EQ(0, munmap(p + page_size, page_size));
	EXPECT_ERRNO(ENOMEM, mincore(p, 3 * page_size, core));
	EXPECT_EQ(0, core[0]);
	EXPECT_EQ(UNTOUCHED, core[1]);
	EXPECT_ERRNO(ENOMEM, mincore(p + page_size, page_size, core + 1));
	EXPECT_EQ(UNTOUCHED, core[1]);
	EXPECT_EQ(0, mincore(p + page_size, 0, core));
}

/* What is mapped, what is only stored, and what is a private copy. */
TEST_F(tracking, V01_mincore)
{
	size_t end = self->dev.nr_pages;
	char *p = map_private(_metadata, self->fd, end - 4, 5);
	unsigned char core[5];

	ASSERT_TRUE(fill(self->fd, end - 3, 2, 0));
	read_pages(p + page_size, 1);
	p[3 * page_size] = 1;
	ASSERT_EQ(0, discard(self->fd, end - 1, 1));
	ASSERT_EQ(0, mincore(p, 5 * page_size, core));
	EXPECT_EQ(0, core[0]);
	EXPECT_EQ(1, core[1]);
	EXPECT_EQ(1, core[2]);
	/* The copy is there, although the device's page has gone. */
	EXPECT_EQ(1, core[3]);
	EXPECT_EQ(0, core[4]);
	EXPECT_EQ(2, pool_read("stored"));
}

#define NOBODY	65534

/* Return: 0 if all pages are said to be present. */
static int sees_all_present(void *arg)
{
	unsigned char core[4] = { 0 };

	if (setresuid(NOBODY, NOBODY, NOBODY))
		return 2;
	if (mincore(arg, 4 * page_size, core))
		return 3;
	return !(core[0] == 1 && core[1] == 1 && core[2] == 1 && core[3] == 1);
}

/* Who may not write to the node is not told who else uses the device. */
TEST_F(tracking, V01_mincore_tells_a_stranger_nothing)
{
	char *p = map_shared(_metadata, self->fd, 0, 4);
	unsigned char core[4];

	ASSERT_TRUE(fill(self->fd, 1, 1, 0));
	EXPECT_EQ(0, in_child(sees_all_present, p));
	ASSERT_EQ(0, mincore(p, 4 * page_size, core));
	EXPECT_EQ(0, core[0]);
	EXPECT_EQ(1, core[1]);
	EXPECT_EQ(1, pool_read("stored"));
}

/* Bits of an entry of pagemap. */
#define PM_PFN		((1ULL << 55) - 1)
#define PM_SOFT_DIRTY	_BITULL(55)
#define PM_EXCLUSIVE	_BITULL(56)
#define PM_FILE		_BITULL(61)
#define PM_SWAP		_BITULL(62)
#define PM_PRESENT	_BITULL(63)
#define PM_KIND		(PM_EXCLUSIVE | PM_FILE | PM_SWAP | PM_PRESENT)

TEST_F(tracking, V02_pagemap)
{
	char *p = map_shared(_metadata, self->fd, 0, 3);
	char *q = map_private(_metadata, self->fd, 0, 3);

	write_pages(p, 2, 1);
	EXPECT_EQ(PM_PRESENT | PM_FILE | PM_EXCLUSIVE,
		  pagemap_entry(p) & PM_KIND);
	EXPECT_EQ(0, pagemap_entry(p + 2 * page_size) & ~PM_SOFT_DIRTY);

	/* Mapped twice: the same page, and neither has it alone. */
	read_pages(q, 2);
	EXPECT_EQ(PM_PRESENT | PM_FILE, pagemap_entry(p) & PM_KIND);
	EXPECT_EQ(PM_PRESENT | PM_FILE, pagemap_entry(q) & PM_KIND);
	EXPECT_EQ(pagemap_entry(p) & PM_PFN, pagemap_entry(q) & PM_PFN);
	EXPECT_NE(0, pagemap_entry(p) & PM_PFN);

	/* A copy: of no file, at its own place, and the page is p's alone. */
	q[0] = 2;
	EXPECT_EQ(PM_PRESENT | PM_EXCLUSIVE, pagemap_entry(q) & PM_KIND);
	EXPECT_NE(pagemap_entry(p) & PM_PFN, pagemap_entry(q) & PM_PFN);
	EXPECT_EQ(PM_PRESENT | PM_FILE | PM_EXCLUSIVE,
		  pagemap_entry(p) & PM_KIND);
}

static bool is_soft_dirty(const void *p)
{
	return pagemap_entry(p) & PM_SOFT_DIRTY;
}

/* Whether the kernel keeps such bits at all: new memory has them set. */
static bool has_soft_dirty(struct __test_metadata *_metadata)
{
	char *p = map(_metadata, -1, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, 0, 1);
	bool has;

	p[0] = 1;
	has = is_soft_dirty(p);
	munmap(p, page_size);
	return has;
}

/*
 * I03: clearing the soft-dirty bits write-protects, so that the next write
 * comes by ->page_mkwrite again, also where the device knows already.
 */
TEST_F(tracking, V02_I03_soft_dirty)
{
	char *p = map_shared(_metadata, self->fd, 0, 4);
	long mkwrite;
	int i;

	if (!has_soft_dirty(_metadata))
		SKIP(return, "needs CONFIG_MEM_SOFT_DIRTY");
	write_pages(p, 4, 1);
	for (i = 0; i < 4; i++)
		EXPECT_TRUE(is_soft_dirty(p + i * page_size));
	mkwrite = stat_read("mkwrite");
	ASSERT_EQ(0, write_file("/proc/self/clear_refs", "4"));
	for (i = 0; i < 4; i++)
		EXPECT_FALSE(is_soft_dirty(p + i * page_size));
	EXPECT_EQ(4, count_mapped(p, 4));
	read_pages(p, 4);
	EXPECT_EQ(mkwrite, stat_read("mkwrite"));

	write_pages(p + page_size, 1, 2);
	write_pages(p + page_size, 1, 3);
	EXPECT_EQ(mkwrite + 1, stat_read("mkwrite"));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(i == 1, is_soft_dirty(p + i * page_size));
	/* The device's log is another one, and nobody has cleaned it. */
	EXPECT_EQ(4, pool_read("dirty"));
}

#define KIB	((long)(page_size / 1024))

/* Eight pages of one mapping, four of them also of another. */
TEST_F(tracking, V05_smaps_figures)
{
	char *p = map_shared(_metadata, self->fd, 0, 16);
	char *q = map_shared(_metadata, self->fd, 0, 4);

	EXPECT_EQ(16 * KIB, smaps_kib(p, "Size"));
	EXPECT_EQ(0, smaps_kib(p, "Rss"));
	write_pages(p, 8, 1);
	write_pages(q, 4, 1);
	EXPECT_EQ(8 * KIB, smaps_kib(p, "Rss"));
	EXPECT_EQ(8 * KIB, smaps_kib(p, "Referenced"));
	EXPECT_EQ(0, smaps_kib(p, "Anonymous"));
	EXPECT_EQ(0, smaps_kib(p, "Swap"));
	EXPECT_EQ(4 * KIB, smaps_kib(p, "Shared_Dirty"));
	EXPECT_EQ(4 * KIB, smaps_kib(p, "Private_Dirty"));
	EXPECT_EQ(6 * KIB, smaps_kib(p, "Pss"));
	EXPECT_EQ(4 * KIB, smaps_kib(q, "Rss"));
	EXPECT_EQ(2 * KIB, smaps_kib(q, "Pss"));

	/* Clean is what msync has cleaned, in both. */
	ASSERT_EQ(0, msync(p, 16 * page_size, MS_SYNC));
	EXPECT_EQ(0, smaps_kib(p, "Shared_Dirty"));
	EXPECT_EQ(0, smaps_kib(p, "Private_Dirty"));
	EXPECT_EQ(4 * KIB, smaps_kib(p, "Shared_Clean"));
	EXPECT_EQ(4 * KIB, smaps_kib(p, "Private_Clean"));
	EXPECT_EQ(4 * KIB, smaps_kib(q, "Shared_Clean"));

	ASSERT_EQ(0, munmap(q, 4 * page_size));
	EXPECT_EQ(8 * KIB, smaps_kib(p, "Private_Clean"));
	EXPECT_EQ(8 * KIB, smaps_kib(p, "Pss"));
}

TEST_F(tracking, V05_smaps_of_copies)
{
	char *p = map_private(_metadata, self->fd, 0, 4);

	ASSERT_TRUE(fill(self->fd, 0, 4, 0));
	ASSERT_EQ(0, clean_all(self->fd));
	ASSERT_EQ(0, madvise(p, 4 * page_size, MADV_POPULATE_READ));
	write_pages(p, 1, 1);
	EXPECT_EQ(4 * KIB, smaps_kib(p, "Rss"));
	EXPECT_EQ(1 * KIB, smaps_kib(p, "Anonymous"));
	EXPECT_EQ(1 * KIB, smaps_kib(p, "Private_Dirty"));
	EXPECT_EQ(3 * KIB, smaps_kib(p, "Private_Clean"));
}

/* Whether each of the flags is set, or none of them is. */
static bool all_flags(const char *p, const char *flags, bool set)
{
	char flag[3] = "";

	for (; *flags; flags += 3) {
		memcpy(flag, flags, 2);
		if (vma_has_flag(p, flag) != set)
			return false;
		if (!flags[2])
			break;
	}
	return true;
}

/* Nothing is special about the mappings but what fault_mode=insert needs. */
TEST_F(tracking, V05_vm_flags)
{
	char *shared = map_shared(_metadata, self->fd, 0, 1);
	char *private = map_private(_metadata, self->fd, 0, 1);
	int ro = open(DEVICE, O_RDONLY);
	char *readable = map(_metadata, ro, PROT_READ, MAP_SHARED, 0, 1);

	close(ro);
	EXPECT_TRUE(all_flags(shared, "rd wr sh mr mw me ms", true));
	EXPECT_TRUE(all_flags(private, "rd wr mr mw me", true));
	EXPECT_TRUE(all_flags(private, "sh ms", false));
	/* A file that cannot be written is not shared for writing: A23. */
	EXPECT_TRUE(all_flags(readable, "rd mr me ms", true));
	EXPECT_TRUE(all_flags(readable, "wr sh mw", false));
	EXPECT_TRUE(all_flags(shared, "dd de io pf dc lo ht gd", false));
	EXPECT_EQ(variant->insert, vma_has_flag(shared, "mm"));
	EXPECT_EQ(variant->insert, vma_has_flag(private, "mm"));
	EXPECT_EQ(variant->insert, vma_has_flag(readable, "mm"));
}

static long mbind(void *p, size_t len, int mode, unsigned long *nodes,
		  unsigned int flags)
{
	return syscall(SYS_mbind, p, len, mode, nodes, nodes ? 64 : 0, flags);
}

/* The policy at @p; -1: an error. */
static int policy_of(void *p)
{
	int mode;

	return syscall(SYS_get_mempolicy, &mode, NULL, 0, p, MPOL_F_ADDR) ?
	       -1 : mode;
}

static bool has_numa(void)
{
	return policy_of(&page_size) >= 0 || errno != ENOSYS;
}

TEST_F(tracking, V06_mbind)
{
	char *p = map_shared(_metadata, self->fd, 0, 6);
	unsigned long node = 1;

	if (!has_numa())
		SKIP(return, "needs CONFIG_NUMA");
	ASSERT_EQ(0, mbind(p + page_size, page_size, MPOL_BIND, &node, 0));
	EXPECT_EQ(MPOL_DEFAULT, policy_of(p));
	EXPECT_EQ(MPOL_BIND, policy_of(p + page_size));
	EXPECT_EQ(MPOL_DEFAULT, policy_of(p + 2 * page_size));
	EXPECT_EQ(3, count_vmas(p, 6));
	/* It is for those who allocate by it; the pool does not. */
	write_pages(p, 4, 1);
	EXPECT_EQ(4, pool_read("stored"));

	EXPECT_ERRNO(EINVAL, mbind(p + 1, page_size, MPOL_BIND, &node, 0));
	ASSERT_EQ(0, munmap(p + 4 * page_size, page_size));
	EXPECT_ERRNO(EFAULT, mbind(p, 6 * page_size, MPOL_BIND, &node, 0));
}

/*
 * "Local" names no node, so that every page is at the wrong one
 * (mm/mempolicy.c, queue_folio_required()). Where there is none, none is.
 */
TEST_F(tracking, V06_mbind_finds_misplaced_pages)
{
	char *p = map_shared(_metadata, self->fd, 0, 4);

	if (!has_numa())
		SKIP(return, "needs CONFIG_NUMA");
	EXPECT_EQ(0, mbind(p, 4 * page_size, MPOL_LOCAL, NULL,
			   MPOL_MF_STRICT));
	write_pages(p + 2 * page_size, 1, 1);
	EXPECT_ERRNO(EIO, mbind(p, 4 * page_size, MPOL_LOCAL, NULL,
				MPOL_MF_STRICT));
	EXPECT_EQ(0, mbind(p, 2 * page_size, MPOL_LOCAL, NULL,
			   MPOL_MF_STRICT));
	/* Nor can they be moved: they are on no LRU list. */
	EXPECT_ERRNO(EIO, mbind(p, 4 * page_size, MPOL_LOCAL, NULL,
				MPOL_MF_STRICT | MPOL_MF_MOVE));
	EXPECT_EQ(1, p[2 * page_size]);
	EXPECT_EQ(1, pool_read("stored"));
}

#define NEEDS_MIGRATION	"needs CONFIG_NUMA_MIGRATION"

static long move_pages(void **pages, const int *nodes, int *status)
{
	return syscall(SYS_move_pages, 0, 3UL, pages, nodes, status, 0);
}

/* Asked, and told to move to where they are. */
TEST_F(tracking, V07_move_pages)
{
	char *p = map_shared(_metadata, self->fd, 0, 3);
	void *pages[3] = { p, p + page_size, p + 2 * page_size };
	int status[3] = { -1, -1, -1 }, nodes[3], node;
	__u64 entry;
	size_t i;

	if (!has_numa())
		SKIP(return, "needs CONFIG_NUMA");
	write_pages(p, 1, 1);
	entry = pagemap_entry(p);
	ASSERT_EQ(0, munmap(p + 2 * page_size, page_size));
	if (move_pages(pages, NULL, status) && errno == ENOSYS)
		SKIP(return, NEEDS_MIGRATION);
	node = status[0];
	EXPECT_LE(0, node);
	EXPECT_EQ(-ENOENT, status[1]);
	EXPECT_EQ(-EFAULT, status[2]);

	memset(status, -1, sizeof(status));
	for (i = 0; i < ARRAY_SIZE(nodes); i++)
		nodes[i] = node;
	ASSERT_EQ(0, move_pages(pages, nodes, status));
	EXPECT_EQ(node, status[0]);
	EXPECT_EQ(-ENOENT, status[1]);
	EXPECT_EQ(-EFAULT, status[2]);
	EXPECT_EQ(entry, pagemap_entry(p));
	EXPECT_EQ(1, pool_read("stored"));
}

/* Whether this kernel moves any page at all from node to node. */
static bool has_migration(void)
{
	return !syscall(SYS_move_pages, 0, 0UL, NULL, NULL, NULL, 0) ||
	       errno != ENOSYS;
}

/*
 * V07: what moves pages takes them from their LRU list first, where the device's
 * are not. One node is enough to see it: to mbind none is the local one (above).
 */
TEST_F(tracking, V07_pages_cannot_be_moved)
{
	const unsigned int flags = MPOL_MF_STRICT | MPOL_MF_MOVE;
	char *p = map_shared(_metadata, self->fd, 0, 1);
	char *like = map_shared(_metadata, memfd_of(1), 0, 1);
	__u64 pfn, like_pfn;

	if (!has_numa() || !has_migration())
		SKIP(return, NEEDS_MIGRATION);
	write_pages(p, 1, 1);
	write_pages(like, 1, 1);
	pfn = pfn_of(p);
	like_pfn = pfn_of(like);
	EXPECT_ERRNO(EIO, mbind(p, page_size, MPOL_LOCAL, NULL, flags));
	EXPECT_EQ(0, mbind(like, page_size, MPOL_LOCAL, NULL, flags));
	read_pages(like, 1);
	EXPECT_EQ(pfn, pfn_of(p));
	EXPECT_NE(like_pfn, pfn_of(like));
}

/* As get_mempolicy(2) has them: no kernel has more nodes. */
struct nodes {
	unsigned long mask[1024 / 8 / sizeof(long)];
};

static void set_node(struct nodes *nodes, int node)
{
	const int bits = 8 * sizeof(long);

	memset(nodes, 0, sizeof(*nodes));
	nodes->mask[node / bits] = 1UL << node % bits;
}

static int node_of(void *p)
{
	int node = -1;

	return syscall(SYS_move_pages, 0, 1UL, &p, NULL, &node, 0) ? -1 : node;
}

/* A node with memory that is not @node; -1: there is none. */
static int other_node(int node)
{
	const int bits = 8 * sizeof(long);
	struct nodes all = { };
	int i;

	if (syscall(SYS_get_mempolicy, NULL, &all, 8 * sizeof(all), NULL,
		    MPOL_F_MEMS_ALLOWED))
		return -1;
	for (i = 0; i < (int)(8 * sizeof(all)); i++)
		if (i != node && all.mask[i / bits] >> i % bits & 1)
			return i;
	return -1;
}

/* Tells the kernel to move the page at @p. Return: what it says of it. */
static int move_page(void *p, int node)
{
	int status = 0;

	return syscall(SYS_move_pages, 0, 1UL, &p, &node, &status,
		       MPOL_MF_MOVE) ? -1 : status;
}

/* Moves all that this process has. */
static long migrate(int from, int to)
{
	struct nodes old, new;

	set_node(&old, from);
	set_node(&new, to);
	return syscall(SYS_migrate_pages, 0, 8 * sizeof(old), &old, &new);
}

TEST_F(tracking, V07_pages_stay_on_their_node)
{
	char *p = map_shared(_metadata, self->fd, 0, 1);
	char *like = map_shared(_metadata, memfd_of(1), 0, 1);
	int node, other;

	if (!has_numa() || !has_migration())
		SKIP(return, NEEDS_MIGRATION);
	write_pages(p, 1, 1);
	write_pages(like, 1, 1);
	node = node_of(p);
	other = other_node(node);
	if (node < 0 || other < 0)
		SKIP(return, "needs two NUMA nodes: numa=fake=2");
	EXPECT_EQ(-EBUSY, move_page(p, other));
	EXPECT_EQ(node, node_of(p));
	EXPECT_EQ(other, move_page(like, other));
	EXPECT_EQ(other, node_of(like));

	/* What cannot be moved is no error: 6.1 does not even count it. */
	EXPECT_LE(kernel_before(6, 12) ? 0 : 1, migrate(node, other));
	EXPECT_EQ(node, node_of(p));
	EXPECT_LE(0, migrate(other, node));
	read_pages(like, 1);
	EXPECT_EQ(node, node_of(like));
}

TEST_HARNESS_MAIN
