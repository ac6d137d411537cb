// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what mprotect(2) and pkey_mprotect(2) allow on a mapping of the
 * device, what they refuse with which errno, and what a refusal leaves behind.
 * Each test runs in both fault modes; where the contract differs for
 * fault_mode=insert, the test says how.
 *
 * The ids (N01, N03, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; a CPU and a kernel with protection keys where a
 * test says so.
 */
#include "mmapdemo_test.h"
#include "resource_limits.h"
#include "proc.h"
#include "syscalls.h"

#define NR	8
#define RW	(PROT_READ | PROT_WRITE)
#define RX	(PROT_READ | PROT_EXEC)

DEVICE_FIXTURE(mprotect)

TEST_F(mprotect, N01_bad_arguments)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	const struct {
		char *start;
		size_t len;
		int prot;
		int error;
	} c[] = {
		{ p + 1, page_size, PROT_READ, EINVAL },
		/* Looked at before the length. */
		{ p + 1, 0, PROT_READ, EINVAL },
		{ p, 0, PROT_READ, 0 },
		/* Nor is a protection looked at for no length. */
		{ p, 0, 1 << 20, 0 },
		{ p, -page_size, PROT_READ, ENOMEM },
		/* Rounded up to whole pages, this is 0. */
		{ p, -1UL, PROT_READ, ENOMEM },
		{ p, page_size, PROT_READ | 1 << 20, EINVAL },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(c); i++) {
		EXPECT_EQ(c[i].error, error_of(mprotect(c[i].start, c[i].len,
							c[i].prot)))
			TH_LOG("case %zu", i);
	}
	EXPECT_EQ(1, count_vmas(p, NR));
	EXPECT_TRUE(can_write(p, 1));
}

/* N02: only stacks grow, and none of them is a mapping of a file. */
TEST_F(mprotect, N02_not_a_growing_mapping)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	const int grows[] = {
		PROT_GROWSDOWN, PROT_GROWSUP, PROT_GROWSDOWN | PROT_GROWSUP,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(grows); i++) {
		EXPECT_ERRNO(EINVAL, mprotect(p, page_size,
					      PROT_READ | grows[i]));
	}
	/* Both at once: before anything else, even a length of 0. */
	EXPECT_ERRNO(EINVAL, mprotect(p, 0, grows[2]));
	EXPECT_EQ(0, mprotect(p, 0, grows[0]));
	EXPECT_EQ(1, count_vmas(p, NR));
	EXPECT_TRUE(can_write(p, 1));
}

/* N03: what lies before the gap has changed, what lies behind it has not. */
TEST_F(mprotect, N03_gap_in_the_range)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	char *behind = p + 5 * page_size;

	ASSERT_EQ(0, munmap(p + 3 * page_size, 2 * page_size));
	EXPECT_ERRNO(ENOMEM, mprotect(p + page_size, (NR - 1) * page_size,
				      PROT_READ));
	EXPECT_TRUE(can_write(p, 1));
	EXPECT_TRAP(p + page_size, 1, SIGSEGV, SEGV_ACCERR, p + page_size);
	EXPECT_TRUE(can_write(behind, 1));

	/* Nothing is before a gap that the range starts with. */
	EXPECT_ERRNO(ENOMEM, mprotect(p + 4 * page_size, 2 * page_size,
				      PROT_READ));
	EXPECT_TRUE(can_write(behind, 2));
	/* Nor is there anything in a range that is all gap. */
	EXPECT_ERRNO(ENOMEM, mprotect(p + 3 * page_size, 2 * page_size,
				      PROT_READ));
	EXPECT_EQ(2, behind[0]);
}

/* N04: the file's mode is the limit, and it is asked before any change. */
TEST_F(mprotect, N04_write_to_a_readonly_open)
{
	int fd = open(DEVICE, O_RDONLY);
	char *p = map(_metadata, fd, PROT_READ, MAP_SHARED, 0, NR);

	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	EXPECT_ERRNO(EACCES, mprotect(p, page_size, RW));
	EXPECT_ERRNO(EACCES, mprotect(p, page_size, PROT_WRITE));
	EXPECT_EQ(1, count_vmas(p, NR));
	EXPECT_EQ(-1, bad_page(p, 0, NR, 0));
	EXPECT_TRAP(p, 1, SIGSEGV, SEGV_ACCERR, p);
	/* A private mapping's writes are no business of the file's. */
	p = map(_metadata, fd, PROT_READ, MAP_PRIVATE, 0, NR);
	EXPECT_EQ(0, mprotect(p, page_size, RW));
	EXPECT_TRUE(can_write(p, 1));
	EXPECT_EQ(-1, bad_read(self->fd, 0, NR, 0));
	close(fd);
}

/* N04: what noexec forbids to mmap, no mprotect brings back. */
TEST_F(mprotect, N04_exec_after_noexec)
{
	int noexec = open_on_mount(MS_NOEXEC);
	int exec = open_on_mount(0);
	char *p;

	ASSERT_LE(0, noexec);
	ASSERT_LE(0, exec);
	p = map(_metadata, noexec, RW, MAP_SHARED, 0, NR);
	EXPECT_ERRNO(EACCES, mprotect(p, page_size, RX));
	EXPECT_ERRNO(EACCES, mprotect(p, page_size, PROT_EXEC));
	EXPECT_EQ(1, count_vmas_of("/node", p, NR));
	EXPECT_FALSE(vma_has_flag(p, "me"));
	EXPECT_TRUE(can_write(p, 1));
	p = map(_metadata, exec, RW, MAP_SHARED, 0, NR);
	EXPECT_EQ(0, mprotect(p, page_size, RX));
	EXPECT_TRUE(vma_has_flag(p, "ex"));
	close(noexec);
	close(exec);
}

/* As the system call takes it: libc makes an mprotect of key -1. */
static int pkey_mprotect_error(char *p, int prot, int key)
{
	return error_of(syscall(SYS_pkey_mprotect, p, page_size, prot, key));
}

static bool cpu_has_pkeys(void)
{
	FILE *cpuinfo = fopen("/proc/cpuinfo", "r");
	char line[8192];
	bool found = false;

	while (!found && fgets(line, sizeof(line), cpuinfo))
		found = !strncmp(line, "flags", 5) && strstr(line, " ospke");
	fclose(cpuinfo);
	return found;
}

/* N10: a key must have been allocated, and -1 is none, always allowed. */
TEST_F(mprotect, N10_pkeys)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	int key = pkey_alloc(0, PKEY_DISABLE_ACCESS);
	int error = error_of(key);

	if (error == ENOSYS)
		SKIP(return, "needs CONFIG_X86_INTEL_MEMORY_PROTECTION_KEYS");
	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	EXPECT_EQ(0, pkey_mprotect_error(p, PROT_READ, -1));
	EXPECT_EQ(0, pkey_mprotect_error(p, RW, -1));
	EXPECT_EQ(EINVAL, pkey_mprotect_error(p, PROT_READ, 15));
	EXPECT_EQ(EINVAL, pkey_mprotect_error(p, PROT_READ, 16));
	EXPECT_EQ(EINVAL, pkey_mprotect_error(p, PROT_READ, -2));
	EXPECT_TRUE(vma_has_flag(p, "wr"));
	if (!cpu_has_pkeys()) {
		EXPECT_EQ(ENOSPC, error);
		return;
	}
	ASSERT_EQ(0, error);
	EXPECT_EQ(0, pkey_mprotect_error(p, RW, key));
	EXPECT_TRAP(p, -1, SIGSEGV, SEGV_PKUERR, p);
	EXPECT_TRUE(can_write(p + page_size, 1));
	/* -1 leaves the key where it is, 0 is the one that all pages have. */
	EXPECT_EQ(0, pkey_mprotect_error(p, RW, -1));
	EXPECT_TRAP(p, 1, SIGSEGV, SEGV_PKUERR, p);
	EXPECT_EQ(0, pkey_mprotect_error(p, RW, 0));
	EXPECT_EQ(-1, bad_page(p, 0, 1, 0));
	EXPECT_EQ(0, pkey_free(key));
	EXPECT_EQ(EINVAL, pkey_mprotect_error(p, RW, key));
}

/*
 * N11: a locked private mapping gets its copies when it gets writable, not when
 * it is written. A special one is never locked (R03), and gets none.
 */
TEST_F(mprotect, N11_locked_copies_at_once)
{
	char *p = map(_metadata, self->fd, PROT_READ, MAP_PRIVATE, 0, NR);
	char *unlocked = map(_metadata, self->fd, PROT_READ, MAP_PRIVATE, 0,
			     NR);
	long anonymous;

	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	ASSERT_EQ(0, mlock(p, NR * page_size));
	read_pages(unlocked, NR);
	EXPECT_EQ(0, smaps_kib(p, "Anonymous"));
	EXPECT_EQ(0, mprotect(p, NR * page_size, RW));
	EXPECT_EQ(0, mprotect(unlocked, NR * page_size, RW));
	anonymous = variant->insert ? 0 : NR * page_size / 1024;
	EXPECT_EQ(anonymous, smaps_kib(p, "Anonymous"));
	EXPECT_EQ(0, smaps_kib(unlocked, "Anonymous"));

	/* A copy shows what was there when it was made. */
	ASSERT_TRUE(fill(self->fd, 0, NR, 1));
	EXPECT_EQ(-1, bad_page(p, 0, NR, variant->insert ? 1 : 0));
	EXPECT_EQ(-1, bad_page(unlocked, 0, NR, 1));
	EXPECT_EQ(0, munlock(p, NR * page_size));
}

/* N12: a store that is refused never reaches the device, and does not stick. */
TEST_F(mprotect, N12_refused_store_changes_nothing)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	long faults, mkwrite;

	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	ASSERT_EQ(0, clean_all(self->fd));
	EXPECT_EQ(-1, bad_page(p, 0, NR, 0));
	faults = faults_served();
	mkwrite = stat_read("mkwrite");
	ASSERT_EQ(0, mprotect(p, NR * page_size, PROT_READ));
	EXPECT_TRAP(p + 3, 7, SIGSEGV, SEGV_ACCERR, p + 3);
	EXPECT_EQ(mkwrite, stat_read("mkwrite"));
	EXPECT_EQ(0, pool_read("dirty"));
	ASSERT_EQ(0, mprotect(p, NR * page_size, RW));
	EXPECT_EQ(-1, bad_page(p, 0, NR, 0));
	EXPECT_TRUE(can_write(p, 7));
	EXPECT_EQ(mkwrite + 1, stat_read("mkwrite"));
	EXPECT_EQ(1, pool_read("dirty"));
	EXPECT_EQ(faults, faults_served());
}

/* N13: the page table stays as it was, and the device hears of nothing. */
TEST_F(mprotect, N13_no_fault_after_none)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	long faults, mkwrite;

	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	EXPECT_EQ(-1, bad_page(p, 0, NR, 0));
	write_pages(p, 1, 7);
	faults = faults_served();
	mkwrite = stat_read("mkwrite");
	ASSERT_EQ(0, mprotect(p, NR * page_size, PROT_NONE));
	EXPECT_TRAP(p, -1, SIGSEGV, SEGV_ACCERR, p);
	EXPECT_TRAP(p, 1, SIGSEGV, SEGV_ACCERR, p);
	ASSERT_EQ(0, mprotect(p, NR * page_size, PROT_READ));
	EXPECT_EQ(7, p[0]);
	EXPECT_EQ(-1, bad_page(p + page_size, 1, NR - 1, 0));
	EXPECT_EQ(faults, faults_served());
	EXPECT_EQ(mkwrite, stat_read("mkwrite"));
}

TEST_HARNESS_MAIN
