// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a mapping of the device can be sealed: what would take it away,
 * move it or change its protection fails with EPERM and changes nothing, and
 * the device is not even asked. mseal_use.c has what goes on all the same. Each
 * test runs in both fault modes.
 *
 * The ids (U01, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; Linux 6.10 but for U03.
 */
#include "mmapdemo_test.h"
#include "mseal_util.h"
#include "syscalls.h"

DEVICE_FIXTURE(mseal)

static int child_seals_badly(void *arg)
{
	struct sealed *s = arg;
	char *p, *hole;
	int wrapped = kernel_is_wider() ? ENOMEM : EINVAL;
	int wrong = 0;

	sealed_map(s, 0);
	p = s->p;
	hole = p + 4 * page_size;
	if (munmap(hole, page_size))
		return 2;

	const struct {
		const char *name;
		char *start;
		size_t len;
		unsigned long flags;
		int error;
	} c[] = {
		{ "a flag", p, page_size, 1, EINVAL },
		{ "every flag", p, page_size, -1UL, EINVAL },
		{ "unaligned", p + 1, page_size, 0, EINVAL },
		{ "a length that rounds to 0", p, -1UL, 0, wrapped },
		{ "a range that wraps", p, -page_size, 0, wrapped },
		{ "a hole", p, NR * page_size, 0, ENOMEM },
		{ "a hole first", hole, 2 * page_size, 0, ENOMEM },
		{ "a hole last", p, 5 * page_size, 0, ENOMEM },
		{ "nothing", p, 0, 0, 0 },
		{ "nothing, of nothing", hole, 0, 0, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(c); i++) {
		int error = seal(c[i].start, c[i].len, c[i].flags);

		if (error != c[i].error || is_sealed(p) ||
		    is_sealed(hole + page_size))
			wrong += complain(c[i].name, error);
	}
	/* What carries no seal can go. */
	return wrong || munmap(p, NR * page_size);
}

TEST_F(mseal, U01_bad_arguments_seal_nothing)
{
	struct sealed s = { .fd = self->fd };

	if (no_seal())
		SKIP(return, NEEDS_SEAL);
	EXPECT_EQ(0, in_child(child_seals_badly, &s));
}

static int do_munmap_part(struct sealed *s)
{
	return munmap(s->p + 2 * page_size, page_size) ? errno : 0;
}

/* With the page before it, which is not sealed and stays all the same. */
static int do_munmap_more(struct sealed *s)
{
	return munmap(s->p - page_size, 2 * page_size) ? errno : 0;
}

static int do_mprotect(struct sealed *s)
{
	return mprotect(s->p, NR * page_size, PROT_READ) ? errno : 0;
}

static int do_mprotect_part(struct sealed *s)
{
	return mprotect(s->p + page_size, page_size, PROT_NONE) ? errno : 0;
}

static int do_mmap_over(struct sealed *s)
{
	return mmap(s->p + page_size, page_size, PROT_READ,
		    MAP_SHARED | MAP_FIXED, s->fd, 0) == MAP_FAILED ?
	       errno : 0;
}

static int do_mmap_anonymous_over(struct sealed *s)
{
	return mmap(s->p, NR * page_size, PROT_READ,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	       MAP_FAILED ? errno : 0;
}

static int do_remap_file_pages(struct sealed *s)
{
	return remap_file_pages(s->p, page_size, 0, 1, 0) ? errno : 0;
}

static int remap(char *p, size_t old, size_t new, int flags, char *to)
{
	return mremap(p, old * page_size, new * page_size, flags, to) ==
	       MAP_FAILED ? errno : 0;
}

static int do_shrink(struct sealed *s)
{
	return remap(s->p, NR, NR - 1, 0, NULL);
}

static int do_grow(struct sealed *s)
{
	return remap(s->p, NR, NR + 1, MREMAP_MAYMOVE, NULL);
}

static int do_move_away(struct sealed *s)
{
	return remap(s->p, 1, 1, MREMAP_MAYMOVE | MREMAP_FIXED,
		     s->p - page_size);
}

static int do_move_onto(struct sealed *s)
{
	return remap(s->p - page_size, 1, 1, MREMAP_MAYMOVE | MREMAP_FIXED,
		     s->p);
}

static int do_duplicate(struct sealed *s)
{
	return remap(s->p, 0, 1, MREMAP_MAYMOVE, NULL);
}

static const struct {
	const char *name;
	int (*fn)(struct sealed *s);
} refused[] = {
	{ "munmap", do_munmap },
	{ "munmap of a part", do_munmap_part },
	{ "munmap of more", do_munmap_more },
	{ "mprotect", do_mprotect },
	{ "mprotect of a part", do_mprotect_part },
	{ "mmap over a part", do_mmap_over },
	{ "anonymous mmap over it", do_mmap_anonymous_over },
	{ "remap_file_pages", do_remap_file_pages },
	{ "mremap to less", do_shrink },
	{ "mremap to more", do_grow },
	{ "mremap to elsewhere", do_move_away },
	{ "mremap onto it", do_move_onto },
	{ "mremap of 0 bytes", do_duplicate },
};

/* What the device was told of VMAs so far. */
static long vma_events(void)
{
	return stat_read("mmap") + stat_read("vma_open") +
	       stat_read("vma_close");
}

static int child_is_refused(void *arg)
{
	struct sealed *s = arg;
	int wrong = 0, error;
	long events;
	size_t i;

	sealed_map(s, 0);
	write_pages(s->p, NR / 2, 's');
	error = seal(s->p, NR * page_size, 0);
	if (error)
		return complain("mseal", error);
	events = vma_events();
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		error = refused[i].fn(s);
		if (error != EPERM || vma_events() != events ||
		    count_mapped(s->p, NR) != NR / 2 || !is_sealed(s->p) ||
		    count_vmas(s->p, NR) != 1 || !vma_has_flag(s->p, "wr") ||
		    count_vmas_of("---p", s->p - page_size, 1) != 1)
			wrong += complain(refused[i].name, error);
	}
	return wrong;
}

/* The mapping is there as before, and so are its page table entries. */
TEST_F(mseal, U02_refused)
{
	struct sealed s = { .fd = self->fd };

	if (no_seal())
		SKIP(return, NEEDS_SEAL);
	EXPECT_EQ(0, in_child(child_is_refused, &s));
}

/* Nor on a 32-bit kernel (mm/Makefile). */
TEST_F(mseal, U03_not_before_6_10)
{
	int error = kernel_before(6, 10) || !kernel_is_64bit() ? ENOSYS : 0;

	EXPECT_EQ(error, no_seal());
	/* The same number, the same answer, whoever asks. */
	EXPECT_EQ(error ?: EINVAL, seal(NULL, 0, 1));
}

#ifdef __x86_64__
static int child_seals_as_32_bit(void *arg)
{
	struct sealed *s = arg;
	char *p = mmap((void *)0x10000000, page_size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED_NOREPLACE, s->fd, 0);

	if (p == MAP_FAILED)
		return 2;
	if (syscall_32(SYS_mseal, (long)p, page_size, 0))
		return 3;
	return !is_sealed(p) || munmap(p, page_size) != -1 || errno != EPERM;
}

/* It is the kernel that has no room for the flag, not the program. */
TEST_F(mseal, U03_as_a_32_bit_program)
{
	struct sealed s = { .fd = self->fd };

	if (no_seal())
		SKIP(return, NEEDS_SEAL);
	if (!can_call(call_32))
		SKIP(return, "needs CONFIG_IA32_EMULATION");
	EXPECT_EQ(0, in_child(child_seals_as_32_bit, &s));
}
#endif

TEST_HARNESS_MAIN
