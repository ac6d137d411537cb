// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what the helpers that put pages into page tables (vm_insert_page and
 * its relatives) return to a driver, and what is mapped then. The driver calls
 * them in .mmap; their arguments are wrong in one way each.
 *
 * The ids (L01, L06, ...) name the branches of mmap that a test proves. Not
 * proven, as they BUG: vm_insert_page in a VM_PFNMAP mapping, or in ->fault
 * without VM_MIXEDMAP (L05).
 * Needs: see hooks.h.
 */
#include "hooks.h"
#include "proc.h"

/* vm_fault_t: not for user space, and the same in all kernels. */
#define VM_FAULT_SIGBUS	0x2
#define VM_FAULT_NOPAGE	0x100

#define INSERT(_call, _flags, _prot, _returned, _mapped) {		\
	.call = _call, .flags = _flags, .prot = _prot,			\
	.returned = _returned, .mapped = _mapped			\
}

static const struct insert {
	const char *call;
	int flags;
	int prot;
	long returned;
	long mapped;		/* of the mapping's pages */
} inserts[] = {
	/* L01 */
	INSERT("insert", MAP_SHARED, RW, 0, 1),
	INSERT("insert_behind", MAP_SHARED, RW, -EFAULT, 0),
	INSERT("insert_before", MAP_SHARED, RW, -EFAULT, 0),
	INSERT("insert_pages_behind", MAP_SHARED, RW, -EFAULT, 0),
	/* L02 */
	INSERT("insert_free", MAP_SHARED, RW, -EINVAL, 0),
	INSERT("insert_slab", MAP_SHARED, RW, -EINVAL, 0),
	INSERT("insert_anon", MAP_SHARED, RW, -EINVAL, 0),
	/* L03 */
	INSERT("insert_twice", MAP_SHARED, RW, -EBUSY, 1),
	/* L06: the two before the third place, and what was there. */
	INSERT("insert_pages", MAP_SHARED, RW, 0, 4),
	INSERT("insert_pages_taken", MAP_SHARED, RW, -EBUSY, 3),
	/* A private mapping may show it, too: a write makes a copy. */
	INSERT("insert", MAP_PRIVATE, RW, 0, 1),
};

HOOKS_FIXTURE(hooks_insert, HOOKS)

/* Return: 4 pages of a file of their own, whose .mmap made the @call. */
static char *map_and_call(struct __test_metadata *_metadata, int *fd,
			  const char *settings, int prot, int flags)
{
	*fd = open(HOOKS, O_RDWR);
	ASSERT_LE(0, *fd);
	EXPECT_EQ(0, hooks_set(*fd, settings))
		TH_LOG("%s", settings);
	return map(_metadata, *fd, prot, flags, 0, 4);
}

TEST_F(hooks_insert, L01_L02_L03_L06_returned)
{
	char call[64];
	size_t i;
	char *p;
	int fd;

	for (i = 0; i < ARRAY_SIZE(inserts); i++) {
		const struct insert *c = &inserts[i];

		snprintf(call, sizeof(call), "call %s", c->call);
		p = map_and_call(_metadata, &fd, call, c->prot, c->flags);
		EXPECT_EQ(c->returned, hooks_read(fd, "called"))
			TH_LOG("%s", call);
		EXPECT_EQ(c->mapped, count_mapped(p, 4))
			TH_LOG("%s", call);
		EXPECT_EQ(0, hooks_read(fd, "fault"));
		/* Whatever the helper said, faults give the other pages. */
		EXPECT_EQ(hooks_letter(3), p[3 * page_size]);
		munmap(p, 4 * page_size);
		close(fd);
	}
}

/* L03: the first page stays. In ->fault it is no error: somebody was first. */
TEST_F(hooks_insert, L03_occupied)
{
	char *p;
	int fd;

	p = map_and_call(_metadata, &fd, "call insert_twice", RW, MAP_SHARED);
	EXPECT_EQ(hooks_letter(0), *p);
	p = map_and_call(_metadata, &fd, "vm_flags pfnmap\ncall pfn_twice", RW,
			 MAP_SHARED);
	EXPECT_EQ(VM_FAULT_NOPAGE, hooks_read(fd, "called"));
	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_EQ(0, hooks_read(fd, "fault"));
}

/* L01: of vmf_insert_pfn, which speaks the language of ->fault. */
TEST_F(hooks_insert, L01_pfn)
{
	char *p;
	int fd;

	p = map_and_call(_metadata, &fd, "vm_flags pfnmap\ncall pfn_behind", RW,
			 MAP_SHARED);
	EXPECT_EQ(VM_FAULT_SIGBUS, hooks_read(fd, "called"));
	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_EQ(1, hooks_read(fd, "fault"));
	p = map_and_call(_metadata, &fd, "vm_flags pfnmap\ncall pfn", RW,
			 MAP_SHARED);
	EXPECT_EQ(VM_FAULT_NOPAGE, hooks_read(fd, "called"));
	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_EQ(0, hooks_read(fd, "fault"));
	/* No reference for the page table: it is not the core's to count. */
	EXPECT_EQ(1, hooks_read(fd, "refs"));
	/* Nor does pagemap tell of it. */
	EXPECT_FALSE(is_mapped(p));
}

/* L06: those before the occupied place stay, those after it were not tried. */
TEST_F(hooks_insert, L06_stops_at_first_error)
{
	char *p;
	int fd;

	p = map_and_call(_metadata, &fd, "call insert_pages_taken", RW,
			 MAP_SHARED);
	EXPECT_EQ(2, hooks_read(fd, "left"));
	EXPECT_EQ(hooks_letter(1), p[page_size]);
	EXPECT_EQ(hooks_letter(9), p[2 * page_size]);
	EXPECT_FALSE(is_mapped(p + 3 * page_size));
}

/* L05: the helper makes the mapping special by itself, in .mmap. */
TEST_F(hooks_insert, L05_sets_mixedmap)
{
	char *p;
	int fd;

	p = map_and_call(_metadata, &fd, "call insert", RW, MAP_SHARED);
	EXPECT_TRUE(vma_has_flag(p, "mm"));
	p = map_and_call(_metadata, &fd, "call insert_behind", RW, MAP_SHARED);
	EXPECT_FALSE(vma_has_flag(p, "mm"));
}

/* Return: what vm_map_pages of 16 pages said to @nr pages at @pgoff. */
static long call_map_pages(struct __test_metadata *_metadata, size_t pgoff,
			   size_t nr)
{
	int fd = open(HOOKS, O_RDWR);
	char *p;
	long ret;

	EXPECT_EQ(0, hooks_set(fd, "call map_pages"));
	p = map(_metadata, fd, PROT_READ, MAP_SHARED, pgoff, nr);
	ret = hooks_read(fd, "called");
	EXPECT_EQ(ret ? 0 : (long)nr, count_mapped(p, nr));
	if (!ret) {
		EXPECT_EQ(hooks_letter(pgoff), *p)
			TH_LOG("page %zu", pgoff);
	}
	munmap(p, nr * page_size);
	close(fd);
	return ret;
}

TEST_F(hooks_insert, L07_vm_map_pages)
{
	EXPECT_EQ(0, call_map_pages(_metadata, 0, 16));
	EXPECT_EQ(0, call_map_pages(_metadata, 12, 4));
	EXPECT_EQ(-ENXIO, call_map_pages(_metadata, 16, 1));
	EXPECT_EQ(-ENXIO, call_map_pages(_metadata, 0, 17));
	EXPECT_EQ(-ENXIO, call_map_pages(_metadata, 12, 5));
	EXPECT_EQ(-ENXIO, call_map_pages(_metadata, 1000, 1));
}

/*
 * The page of zeros is everybody's: only where no PTE can become writable, and
 * a write makes a copy, may it be. 6.1 takes it anywhere.
 */
TEST_F(hooks_insert, L08_zero_page)
{
	long refused = kernel_before(6, 12) ? 0 : -EINVAL;
	char *p;
	int fd;

	map_and_call(_metadata, &fd, "call insert_zero", PROT_READ, MAP_SHARED);
	EXPECT_EQ(refused, hooks_read(fd, "called"));
	p = map_and_call(_metadata, &fd, "call insert_zero", RW, MAP_PRIVATE);
	EXPECT_EQ(0, hooks_read(fd, "called"));
	EXPECT_EQ(-1, nonzero(p, page_size));
	*p = 1;
	EXPECT_EQ(-1, nonzero(p + 1, page_size - 1));
	EXPECT_EQ(hooks_letter(1), p[page_size]);
}

/* L09: zap_vma_ptes, which 7.3 calls zap_special_vma_range. */
TEST_F(hooks_insert, L09_zap)
{
	char *p;
	int fd;

	p = map_and_call(_metadata, &fd, "vm_flags pfnmap\ncall pfn_zap", RW,
			 MAP_SHARED);
	EXPECT_EQ(hooks_letter(1), p[page_size]);
	EXPECT_EQ(0, hooks_read(fd, "fault"));
	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_EQ(1, hooks_read(fd, "fault"));
}

/* What would BUG is not called: the module says so instead. */
TEST_F(hooks_insert, L05_not_where_it_would_bug)
{
	int fd;

	map_and_call(_metadata, &fd, "vm_flags pfnmap\ncall insert", RW,
		     MAP_SHARED);
	EXPECT_EQ(-EPERM, hooks_read(fd, "called"));
	map_and_call(_metadata, &fd, "call pfn", RW, MAP_SHARED);
	EXPECT_EQ(-EPERM, hooks_read(fd, "called"));
}

/* In ->fault, with the flag set in .mmap, as fault_mode=insert has it. */
TEST_F(hooks_insert, L05_insert_in_fault)
{
	char *p;
	int fd;

	p = map_and_call(_metadata, &fd, "vm_flags mixedmap\nfault insert", RW,
			 MAP_SHARED);
	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_EQ(1, hooks_read(fd, "fault"));
	EXPECT_EQ(2, hooks_read(fd, "refs"));
	p[page_size] = 1;
	EXPECT_EQ(2, hooks_read(fd, "fault"));
	/* The flag is asked for before the helper is called. */
	p = map_and_call(_metadata, &fd, "fault insert", RW, MAP_SHARED);
	EXPECT_TRAP(p, -1, SIGBUS, BUS_ADRERR, p);
}

TEST_HARNESS_MAIN
