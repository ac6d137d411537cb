// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what the core makes of each answer of ->page_mkwrite and
 * ->pfn_mkwrite, and how much of a large folio one fault maps.
 *
 * The ids (J02, I05, ...) name the branches of mmap that a test proves.
 * Needs: see hooks.h.
 */
#include "hooks.h"

#include <sched.h>

HOOKS_FIXTURE(hooks_mkwrite, HOOKS)

/* Return: a shared mapping of 4 pages after @set. */
static char *map_with(struct __test_metadata *_metadata, int fd,
		      const char *set)
{
	EXPECT_EQ(0, hooks_set(fd, set))
		TH_LOG("%s", set);
	return map_shared(_metadata, fd, 0, 4);
}

/*
 * 0 asks the core to lock the page; it then finds that no file has it, takes
 * it for truncated, and tries again, for ever, were it not for "times".
 */
TEST_F(hooks_mkwrite, J02_zero_without_mapping)
{
	char *p = map_with(_metadata, self->fd, "page_mkwrite zero\ntimes 3");

	EXPECT_TRAP(p, 1, 0, 0, NULL);
	EXPECT_EQ(4, hooks_read(self->fd, "page_mkwrite"));
	EXPECT_EQ(1, *p);
}

/* The same where the page is mapped for reading: no other fault. */
TEST_F(hooks_mkwrite, J02_zero_without_mapping_after_read)
{
	char *p = map_with(_metadata, self->fd, "page_mkwrite zero\ntimes 3");

	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_TRAP(p, 1, 0, 0, NULL);
	EXPECT_EQ(4, hooks_read(self->fd, "page_mkwrite"));
	EXPECT_EQ(1, hooks_read(self->fd, "fault"));
}

TEST_F(hooks_mkwrite, J02_endless_retry_is_killable)
{
	char *p = map_with(_metadata, self->fd, "page_mkwrite zero");
	pid_t pid = fork();
	int status;

	if (!pid) {
		*p = 1;
		_exit(0);
	}
	ASSERT_LT(0, pid);
	while (hooks_read(self->fd, "page_mkwrite") < 100 &&
	       !waitpid(pid, &status, WNOHANG))
		sched_yield();
	EXPECT_LE(100, hooks_read(self->fd, "page_mkwrite"));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(hooks_letter(0), *p);
}

TEST_F(hooks_mkwrite, J03_zero_with_mapping)
{
	char *p = map_with(_metadata, self->fd,
			   "page_mkwrite zero\nmapping 1");

	EXPECT_TRAP(p, 1, 0, 0, NULL);
	EXPECT_EQ(hooks_letter(1), p[page_size]);
	EXPECT_TRAP(p + page_size, 1, 0, 0, NULL);
	EXPECT_EQ(2, hooks_read(self->fd, "page_mkwrite"));
	/* Writable now. */
	write_pages(p, 2, 2);
	EXPECT_EQ(2, hooks_read(self->fd, "page_mkwrite"));
}

TEST_F(hooks_mkwrite, J04_nopage)
{
	char *p = map_with(_metadata, self->fd,
			   "page_mkwrite nopage\ntimes 3");

	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_TRAP(p, 1, 0, 0, NULL);
	EXPECT_EQ(4, hooks_read(self->fd, "page_mkwrite"));
	EXPECT_EQ(1, hooks_read(self->fd, "fault"));
	EXPECT_EQ(1, *p);
}

/* J07: what cannot be written can still be read. */
TEST_F(hooks_mkwrite, J04_J07_sigbus)
{
	char *p = map_with(_metadata, self->fd, "page_mkwrite sigbus");

	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_TRAP(p + 5, 1, SIGBUS, BUS_ADRERR, p + 5);
	EXPECT_TRUE(is_mapped(p));
	EXPECT_EQ(hooks_letter(0), p[5]);
	EXPECT_EQ(1, hooks_read(self->fd, "fault"));
	/* Where there is no PTE yet, none is made. */
	EXPECT_TRAP(p + page_size, 1, SIGBUS, BUS_ADRERR, p + page_size);
	EXPECT_FALSE(is_mapped(p + page_size));
	EXPECT_EQ(0, hooks_read(self->fd, "dirty"));
	EXPECT_EQ(2, hooks_read(self->fd, "page_mkwrite"));
}

TEST_F(hooks_mkwrite, J04_oom)
{
	char *p = map_with(_metadata, self->fd, "page_mkwrite oom\ntimes 3");

	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_TRAP(p, 1, 0, 0, NULL);
	EXPECT_EQ(4, hooks_read(self->fd, "page_mkwrite"));
}

/* Nobody looks for it there (do_page_mkwrite()): the page is not given back. */
TEST_F(hooks_mkwrite, J05_retry_is_zero)
{
	char *p = map_with(_metadata, self->fd,
			   "page_mkwrite retry\nmapping 1");

	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_TRAP(p, 1, 0, 0, NULL);
	EXPECT_TRAP(p + page_size, 2, 0, 0, NULL);
	EXPECT_EQ(2, hooks_read(self->fd, "page_mkwrite"));
	EXPECT_EQ(0, hooks_read(self->fd, "fault_tried"));
	EXPECT_EQ(1, *p);
	EXPECT_EQ(2, p[page_size]);
}

/* Memory without struct page, as far as the core can tell: VM_PFNMAP. */
TEST_F(hooks_mkwrite, I05_pfn_mkwrite)
{
	char *p = map_with(_metadata, self->fd,
			   "vm_flags pfnmap\npfn_mkwrite zero");

	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_EQ(0, hooks_read(self->fd, "pfn_mkwrite"));
	EXPECT_TRAP(p, 1, 0, 0, NULL);
	EXPECT_EQ(1, hooks_read(self->fd, "pfn_mkwrite"));
	/* Writable now. */
	*p = 2;
	EXPECT_EQ(1, hooks_read(self->fd, "pfn_mkwrite"));
	EXPECT_EQ(1, hooks_read(self->fd, "fault"));
}

TEST_F(hooks_mkwrite, I05_pfn_mkwrite_error)
{
	char *p = map_with(_metadata, self->fd,
			   "vm_flags pfnmap\npfn_mkwrite sigbus");

	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_TRAP(p, 1, SIGBUS, BUS_ADRERR, p);
	EXPECT_EQ(1, hooks_read(self->fd, "pfn_mkwrite"));
	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_EQ(1, hooks_read(self->fd, "fault"));
}

TEST_F(hooks_mkwrite, I05_pfn_mkwrite_nopage)
{
	char *p = map_with(_metadata, self->fd,
			   "vm_flags pfnmap\npfn_mkwrite nopage\ntimes 3");

	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_TRAP(p, 1, 0, 0, NULL);
	EXPECT_EQ(4, hooks_read(self->fd, "pfn_mkwrite"));
	EXPECT_EQ(1, *p);
}

/* Without the hook such a PTE is writable from the start. */
TEST_F(hooks_mkwrite, I05_no_pfn_mkwrite)
{
	char *p = map_with(_metadata, self->fd,
			   "vm_flags pfnmap\npage_mkwrite sigbus");

	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_TRAP(p, 1, 0, 0, NULL);
	EXPECT_EQ(0, hooks_read(self->fd, "page_mkwrite"));
}

/*
 * How many pages one read fault maps of a folio of @order pages, if the file
 * is said to be @size pages long.
 */
static long mapped_at_once(struct __test_metadata *_metadata, int fd,
			   unsigned int order, unsigned int size)
{
	size_t nr = 1UL << order;
	char *p = reserve(_metadata, nr);
	char set[64];
	long mapped;

	snprintf(set, sizeof(set), "order %u\nsize %u", order, size);
	EXPECT_EQ(0, hooks_set(fd, set))
		TH_LOG("%s", set);
	EXPECT_EQ(p, mmap(p, nr * page_size, PROT_READ, MAP_SHARED | MAP_FIXED,
			  fd, 0));
	EXPECT_EQ(hooks_letter(1), p[page_size]);
	mapped = count_mapped(p, nr);
	/* The others are where they belong, too. */
	EXPECT_EQ(hooks_letter(nr - 1), p[(nr - 1) * page_size]);
	EXPECT_EQ(hooks_letter(2), p[2 * page_size]);
	return mapped;
}

/* The file has no size: its pages are mapped one by one. */
TEST_F(hooks_mkwrite, K03_large_folio_past_end)
{
	EXPECT_EQ(1, mapped_at_once(_metadata, self->fd, 4, 0));
	EXPECT_EQ(3, hooks_read(self->fd, "fault"));
}

/* Inside the size 7.3 maps it whole, 6.12 does that for tmpfs alone. */
TEST_F(hooks_mkwrite, K03_large_folio)
{
	bool whole = !kernel_before(7, 0);

	EXPECT_EQ(whole ? 16 : 1,
		  mapped_at_once(_metadata, self->fd, 4, 1024));
	EXPECT_EQ(whole ? 1 : 3, hooks_read(self->fd, "fault"));
}

/* Of a folio that fills a PMD's range, also where that would be no huge page. */
static int pmd_order(void)
{
	return huge_page_size() ? huge_file_order() : 9;
}

/*
 * A folio as large as a PMD's range: one entry of that table maps it, in 6.1
 * wherever it ends, since then only inside the size. Without huge pages 7.3
 * maps it whole all the same, with PTEs.
 */
static void expect_pmd(struct __test_metadata *_metadata, int fd, bool inside)
{
	int order = pmd_order();
	bool whole;
	char set[32];
	long mapped;

	if (order < 0)
		SKIP(return, NEEDS_HUGE_FILES);
	snprintf(set, sizeof(set), "order %d", order);
	if (hooks_set(fd, set))
		SKIP(return, "needs 2^%d pages that are contiguous", order);
	mapped = mapped_at_once(_metadata, fd, order, inside ? 1 << order : 0);
	whole = (inside || kernel_before(6, 12)) &&
		(huge_page_size() || !kernel_before(7, 0));
	EXPECT_EQ(whole ? 1 << order : 1, mapped);
}

TEST_F(hooks_mkwrite, K02_pmd_folio)
{
	expect_pmd(_metadata, self->fd, true);
}

TEST_F(hooks_mkwrite, K02_pmd_folio_past_end)
{
	expect_pmd(_metadata, self->fd, false);
}

TEST_HARNESS_MAIN
