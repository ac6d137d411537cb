// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what mmap(2) makes of its arguments: the file and how it was opened,
 * the protection, the flags and the offset; which of them are refused, with
 * what errno and without a call of the driver, and which make no difference.
 * Each test runs in both fault modes. More of them are in bounds.c.
 *
 * The ids (A01, A13, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; for 32 bits x86_64 and CONFIG_IA32_EMULATION.
 */
#include "mmapdemo_test.h"
#include "proc.h"
#include "syscalls.h"

#include <limits.h>

/* Newer than some libc. */
#ifndef MAP_UNINITIALIZED
#define MAP_UNINITIALIZED	0x4000000
#endif

DEVICE_FIXTURE(mmap_args)

/* The offset comes first: nobody has looked at the file yet. */
TEST_F(mmap_args, A01_unaligned_offset)
{
	const off_t offset[] = { 1, page_size - 1, page_size + 1, -1 };
	long mmaps = stat_read("mmap");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(offset); i++) {
		EXPECT_EQ(EINVAL, mmap_errno(self->fd, 1, PROT_READ, MAP_SHARED,
					     offset[i]));
		EXPECT_EQ(EINVAL, mmap_errno(-1, 1, PROT_READ, MAP_SHARED,
					     offset[i]));
	}
	EXPECT_EQ(mmaps, stat_read("mmap"));
}

TEST_F(mmap_args, A02_not_a_file)
{
	int path = open(DEVICE, O_PATH), closed = dup(self->fd), i;
	const int fd[] = { -1, 1 << 20, path, closed };

	ASSERT_LE(0, path);
	close(closed);
	for (i = 0; i < (int)ARRAY_SIZE(fd); i++) {
		EXPECT_EQ(EBADF, mmap_errno(fd[i], 1, PROT_READ, MAP_SHARED, 0))
			TH_LOG("case %d", i);
		/* Before its length. */
		EXPECT_EQ(EBADF, mmap_errno(fd[i], 0, PROT_READ, MAP_SHARED, 0))
			TH_LOG("case %d", i);
	}
	close(path);
}

TEST_F(mmap_args, A03_hugetlb)
{
	const int flags[] = {
		MAP_SHARED, MAP_PRIVATE, MAP_SHARED | 21 << MAP_HUGE_SHIFT,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++)
		EXPECT_EQ(EINVAL, mmap_errno(self->fd, 2 << 20, PROT_READ,
					     flags[i] | MAP_HUGETLB, 0));
}

TEST_F(mmap_args, A04_anonymous)
{
	const int flags[] = { MAP_SHARED, MAP_PRIVATE };
	long mmaps = stat_read("mmap");
	size_t i;

	ASSERT_TRUE(fill(self->fd, 0, 1, 0));
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		char *p = map(_metadata, self->fd, PROT_READ | PROT_WRITE,
			      flags[i] | MAP_ANONYMOUS, 0, 1);

		EXPECT_EQ(0, count_vmas(p, 1));
		EXPECT_EQ(-1, nonzero(p, page_size));
		p[0] = 1;
	}
	EXPECT_EQ(-1, bad_read(self->fd, 0, 1, 0));
	EXPECT_EQ(mmaps, stat_read("mmap"));
}

#ifdef __x86_64__
#define NR_MMAP2_32	192

/* mmap(2) of a 32-bit program: six arguments, the last in ebp, in pages. */
static long mmap2_32(size_t len, int prot, int flags, int fd, __u32 pgoff)
{
	long nr = NR_MMAP2_32;

	asm volatile("mov %%rbp, %%r12\n\t"
		     "mov %k[pgoff], %%ebp\n\t"
		     "int $0x80\n\t"
		     "mov %%r12, %%rbp"
		     : "+a"(nr)
		     : "b"(0L), "c"(len), "d"((long)prot), "S"((long)flags),
		       "D"((long)fd), [pgoff] "r"(pgoff)
		     : "memory", "cc", "r8", "r9", "r10", "r11", "r12");
	return (int)nr;
}

/*
 * 2^32 pages and some would wrap on a 32-bit kernel, which has EOVERFLOW for
 * it. A 64-bit kernel counts in 64 bits for 32-bit programs as well (do_mmap):
 * the mapping is made, far past the end of the device.
 */
TEST_F(mmap_args, A09_last_32_bit_pages)
{
	long count = stat_read("sigbus_size"), ret;
	char *p, line[64];

	if (!can_call(call_32))
		SKIP(return, "needs CONFIG_IA32_EMULATION");
	EXPECT_EQ(-EINVAL, mmap2_32(0, PROT_READ, MAP_SHARED, self->fd, ~0U));
	ret = mmap2_32(2 * page_size, PROT_READ, MAP_SHARED, self->fd, ~0U);
	ASSERT_FALSE(ret < 0 && ret > -4096);
	p = (char *)(uintptr_t)(__u32)ret;
	snprintf(line, sizeof(line), "%08lx-%08lx r--s ffffffff000 ",
		 (long)p, (long)p + 2 * page_size);
	EXPECT_EQ(1, count_vmas_of(line, p, 1));
	EXPECT_TRAP(p, -1, SIGBUS, BUS_ADRERR, p);
	EXPECT_TRAP(p + page_size, -1, SIGBUS, BUS_ADRERR, p + page_size);
	EXPECT_EQ(count + 2, stat_read("sigbus_size"));
}
#endif

/* The VmFlags of a mapping of page 0; "": it could not be made. */
static void flags_of(int fd, long prot, long flags, char *text, size_t size)
{
	char *p = mmap_raw(NULL, page_size, prot, flags, fd, 0);

	text[0] = '\0';
	if (p == MAP_FAILED)
		return;
	smaps_line(p, "VmFlags", text, size);
	munmap(p, page_size);
}

#define SAME_FLAGS(prot1, flags1, prot2, flags2) do {			\
	char a_[256], b_[256];						\
									\
	flags_of(self->fd, prot1, flags1, a_, sizeof(a_));		\
	flags_of(self->fd, prot2, flags2, b_, sizeof(b_));		\
	EXPECT_STRNE("", a_);						\
	EXPECT_STREQ(a_, b_);						\
} while (0)

/* Two bits that every architecture may use as it likes. */
#define PROT_ARCH	0x30

/* mmap ignores them; mprotect does not. */
TEST_F(mmap_args, A13_unknown_protection)
{
	const long known = PROT_READ | PROT_WRITE | PROT_EXEC | PROT_ARCH;
	const long unknown[] = {
		1 << 10, 1 << 20, LONG_MIN, LONG_MAX / 2 + 1, ~known,
	};
	char *p = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 0, 1);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		SAME_FLAGS(PROT_READ, MAP_SHARED, PROT_READ | unknown[i],
			   MAP_SHARED);
		SAME_FLAGS(PROT_NONE, MAP_PRIVATE, unknown[i], MAP_PRIVATE);
		EXPECT_ERRNO(EINVAL, syscall(SYS_mprotect, p, page_size,
					     PROT_READ | unknown[i]));
	}
}

/*
 * Up to the last byte that an unsigned long counts, but not on to 2^64; nor, on
 * a 32-bit kernel, to 2^32.
 */
TEST_F(mmap_args, A17_offset_and_length_overflow)
{
	unsigned long page = page_size;
	int error = kernel_is_wider() ? 0 : EOVERFLOW;
	long mmaps = stat_read("mmap");
	char *p;

	EXPECT_EQ(error, mmap_errno(self->fd, page, PROT_READ, MAP_SHARED,
				    -page));
	EXPECT_EQ(error, mmap_errno(self->fd, 3 * page, PROT_READ, MAP_PRIVATE,
				    -3 * page));
	mmaps += error ? 0 : 2;
	EXPECT_EQ(mmaps, stat_read("mmap"));
	p = mmap(NULL, page, PROT_READ, MAP_SHARED, self->fd, -2 * page);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(mmaps + 1, stat_read("mmap"));
	EXPECT_TRAP(p, -1, SIGBUS, BUS_ADRERR, p);
}

/*
 * A17: files end before 2^63, and so do their mappings. Of the device's, what is
 * there can be used.
 */
TEST_F(mmap_args, A17_ends_at_2_63)
{
	const off_t last = INT64_MAX / page_size * page_size;
	const off_t second = last - page_size;
	int memfd = memfd_of(1);
	char *p;

	if (sizeof(long) < 8)
		SKIP(return, "needs a program of 64 bits");
	EXPECT_EQ(0, mmap_errno(self->fd, page_size, PROT_READ, MAP_SHARED,
				second));
	EXPECT_EQ(0, mmap_errno(memfd, page_size, PROT_READ, MAP_SHARED,
				second));
	EXPECT_EQ(0, mmap_errno(self->fd, page_size, PROT_READ, MAP_SHARED,
				last));
	EXPECT_EQ(EOVERFLOW, mmap_errno(memfd, page_size, PROT_READ, MAP_SHARED,
					last));
	EXPECT_EQ(EOVERFLOW, mmap_errno(memfd, 2 * page_size, PROT_READ,
					MAP_SHARED, second));

	ASSERT_EQ(0, resize(self->fd, last / page_size));
	p = mmap(NULL, 2 * page_size, PROT_READ, MAP_SHARED, self->fd, second);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, p[0]);
	EXPECT_TRAP(p + page_size, -1, SIGBUS, BUS_ADRERR, p + page_size);
	close(memfd);
}

/* What a kernel does not know, MAP_SHARED forgives and VALIDATE does not. */
TEST_F(mmap_args, A18_A19_unknown_flags)
{
	char *hole = reserve(_metadata, 1);
	long mmaps;
	int bit;

	for (bit = 21; bit <= 25; bit++) {
		SAME_FLAGS(PROT_READ, MAP_SHARED, PROT_READ,
			   MAP_SHARED | 1L << bit);
		EXPECT_EQ(EOPNOTSUPP, mmap_errno(self->fd, 1, PROT_READ,
						 MAP_SHARED_VALIDATE |
						 1L << bit, 0));
	}
	SAME_FLAGS(PROT_READ, MAP_SHARED, PROT_READ, MAP_SHARED_VALIDATE);
	/* One that it knows, but that is no legacy flag. */
	ASSERT_EQ(0, munmap(hole, page_size));
	mmaps = stat_read("mmap");
	EXPECT_EQ(EOPNOTSUPP, mmap_errno_at(hole, self->fd, 1, PROT_READ,
					    MAP_SHARED_VALIDATE |
					    MAP_FIXED_NOREPLACE, 0));
	EXPECT_EQ(mmaps, stat_read("mmap"));
	EXPECT_EQ(0, mmap_errno_at(hole, self->fd, 1, PROT_READ,
				   MAP_SHARED | MAP_FIXED_NOREPLACE, 0));
}

/*
 * MAP_SYNC is for DAX. With MAP_SHARED it is dropped from what the file is
 * asked for, but do_mmap() has made VM_SYNC of it before: smaps shows "sf",
 * which means nothing without a ->fault that looks at it.
 */
TEST_F(mmap_args, A20_map_sync)
{
	int sync = MAP_SHARED | MAP_SYNC;
	char *p;

	EXPECT_EQ(EOPNOTSUPP, mmap_errno(self->fd, 1, PROT_READ,
					 MAP_SHARED_VALIDATE | MAP_SYNC, 0));
	EXPECT_EQ(0, mmap_errno(self->fd, 1, PROT_READ, sync, 0));
	ASSERT_TRUE(fill(self->fd, 0, 1, 0));
	p = map(_metadata, self->fd, PROT_READ | PROT_WRITE, sync, 0, 1);
	EXPECT_TRUE(vma_has_flag(p, "sf"));
	EXPECT_EQ(-1, bad_page(p, 0, 1, 0));
	EXPECT_TRAP(p, 1, 0, 0, NULL);
}

/* A shared mapping that can never be written is not VM_SHARED to the core. */
TEST_F(mmap_args, A23_shared_from_read_only_file)
{
	int ro = open(DEVICE, O_RDONLY);
	const int fd[] = { ro, self->fd };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fd); i++) {
		bool rw = fd[i] != ro;
		char *p = map(_metadata, fd[i], PROT_READ, MAP_SHARED, 0, 1);

		EXPECT_EQ(rw, vma_has_flag(p, "sh"));
		EXPECT_EQ(rw, vma_has_flag(p, "mw"));
		EXPECT_TRUE(vma_has_flag(p, "ms"));
		EXPECT_TRUE(vma_has_flag(p, "mr"));
		/* But it is shared in all that a reader can tell. */
		EXPECT_EQ(0, p[0]);
		ASSERT_TRUE(fill(self->fd, 0, 1, i));
		EXPECT_EQ(-1, bad_page(p, 0, 1, i));
		ASSERT_EQ(0, discard(self->fd, 0, 1));
	}
	close(ro);
}

/* 8 is MAP_DROPPABLE, for anonymous memory where a kernel has it. */
TEST_F(mmap_args, A29_other_types)
{
	long mmaps = stat_read("mmap");
	int type;

	for (type = 0; type <= MAP_TYPE; type++) {
		if (type < MAP_SHARED || type > MAP_SHARED_VALIDATE)
			EXPECT_EQ(EINVAL, mmap_errno(self->fd, 1, PROT_READ,
						     type, 0))
				TH_LOG("type %d", type);
	}
	EXPECT_EQ(mmaps, stat_read("mmap"));
}

/*
 * Flags from the past. MAP_STACK has an effect since 6.7, if none that shows
 * here: no huge pages (calc_vm_flag_bits()).
 */
TEST_F(mmap_args, A32_flags_without_effect)
{
	const int type[] = { MAP_SHARED, MAP_PRIVATE }, none[] = {
		MAP_DENYWRITE, MAP_EXECUTABLE, MAP_UNINITIALIZED,
	};
	bool thp = huge_page_size();
	size_t i, j;
	char *p;
	int fd;

	for (i = 0; i < ARRAY_SIZE(type); i++) {
		for (j = 0; j < ARRAY_SIZE(none); j++)
			SAME_FLAGS(PROT_READ, type[i], PROT_READ,
				   type[i] | none[j]);
		p = map(_metadata, self->fd, PROT_READ | PROT_WRITE,
			type[i] | MAP_STACK | MAP_DENYWRITE, 0, 2);
		EXPECT_EQ(thp && !kernel_before(6, 7), vma_has_flag(p, "nh"));
		EXPECT_FALSE(vma_has_flag(p, "gd"));
		p[0] = 1;
		EXPECT_EQ(-1, nonzero(p + 1, 2 * page_size - 1));
	}
	/* Nobody is kept from writing. */
	fd = open(DEVICE, O_WRONLY);
	EXPECT_LE(0, fd);
	EXPECT_EQ(1, pwrite(fd, "x", 1, 0));
	close(fd);
}

TEST_HARNESS_MAIN
