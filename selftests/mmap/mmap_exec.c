// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves when a mapping of the device may be executed: with PROT_EXEC alone,
 * by the READ_IMPLIES_EXEC personality, from a node on a noexec file system, and
 * for a process that refuses to have memory both writable and executable.
 * Each test runs in both fault modes.
 *
 * The ids (A11, C01, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; to mount a tmpfs.
 */
#include "mmapdemo_test.h"
#include "proc.h"
#include "syscalls.h"

#include <sys/personality.h>
#include <sys/prctl.h>

/* Newer than some libc. */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE			65
#define PR_MDWE_REFUSE_EXEC_GAIN	1
#endif

#define RX	(PROT_READ | PROT_EXEC)
#define RW	(PROT_READ | PROT_WRITE)

FIXTURE(mmap_exec) {
	struct device dev;
	int exec, noexec;	/* by nodes on either kind of file system */
};

FAULT_MODES(mmap_exec);

FIXTURE_SETUP(mmap_exec)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->exec = open_on_mount(0);
	self->noexec = open_on_mount(MS_NOEXEC);
	ASSERT_LE(0, self->exec);
	ASSERT_LE(0, self->noexec);
}

FIXTURE_TEARDOWN(mmap_exec)
{
	close(self->exec);
	close(self->noexec);
	device_teardown(_metadata, &self->dev);
}

/* Return: 0, or which of its steps went wrong. */
static int child_reads_and_executes(void *arg)
{
	const int *fd = arg;
	char *p;

	if (personality(personality(0xffffffff) | READ_IMPLIES_EXEC) < 0)
		return 1;
	p = mmap(NULL, page_size, PROT_READ, MAP_SHARED, fd[0], 0);
	if (p == MAP_FAILED || !vma_has_flag(p, "ex"))
		return 2;
	p = mmap(NULL, page_size, PROT_WRITE, MAP_SHARED, fd[0], 0);
	if (p == MAP_FAILED || vma_has_flag(p, "ex"))
		return 3;
	/* Not added, so not refused either. */
	p = mmap(NULL, page_size, PROT_READ, MAP_SHARED, fd[1], 0);
	if (p == MAP_FAILED || vma_has_flag(p, "ex"))
		return 4;
	return mmap_errno(fd[1], 1, RX, MAP_SHARED, 0) == EPERM ? 0 : 5;
}

TEST_F(mmap_exec, A11_read_implies_exec)
{
	const int fd[] = { self->exec, self->noexec };
	char *p = map(_metadata, fd[0], PROT_READ, MAP_SHARED, 0, 1);

	EXPECT_FALSE(vma_has_flag(p, "ex"));
	EXPECT_EQ(0, in_child(child_reads_and_executes, (void *)fd));
}

/* Whether @p and @model answer a read, or a write, in the same way. */
#define EXPECT_SAME_TRAP(p, model, value) do {			\
	struct trap trap_ = touch(p, value);			\
	struct trap model_ = touch(model, value);		\
								\
	EXPECT_EQ(model_.sig, trap_.sig);			\
	EXPECT_EQ(model_.code, trap_.code);			\
} while (0)

/*
 * What it does not stop is the instruction fetch, and ->fault is a read's. What
 * else it stops is the machine's affair, and the same as for any memory.
 */
TEST_F(mmap_exec, A12_execute_only)
{
	long reads = stat_read("fault_read") + stat_read("map_pages");
	char *p, *anon = mmap(NULL, page_size, PROT_EXEC,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!CODE_LEN)
		SKIP(return, "needs code for this machine");
	ASSERT_NE(MAP_FAILED, anon);
	ASSERT_EQ(CODE_LEN, pwrite(self->exec, CODE, CODE_LEN, 0));
	p = map(_metadata, self->exec, PROT_EXEC, MAP_SHARED, 0, 1);
	EXPECT_EXEC_TRAP(p, 0, 0, NULL);
	EXPECT_EQ(reads + 1, stat_read("fault_read") + stat_read("map_pages"));
	EXPECT_SAME_TRAP(p, anon, -1);
	EXPECT_SAME_TRAP(p, anon, 1);
	EXPECT_EQ(SIGSEGV, touch(p, 1).sig);
	/* x86 keeps readers out with a protection key of its own. */
	EXPECT_EQ(touch(p, -1).code == SEGV_PKUERR,
		  smaps_kib(p, "ProtectionKey") > 0);
}

TEST_F(mmap_exec, A26_noexec)
{
	const int type[] = { MAP_SHARED, MAP_PRIVATE };
	long mmaps = stat_read("mmap");
	size_t i;
	char *p;

	for (i = 0; i < ARRAY_SIZE(type); i++) {
		EXPECT_EQ(EPERM, mmap_errno(self->noexec, 1, RX, type[i], 0));
		EXPECT_EQ(EPERM, mmap_errno(self->noexec, 1, PROT_EXEC, type[i],
					    0));
	}
	EXPECT_EQ(mmaps, stat_read("mmap"));
	for (i = 0; i < ARRAY_SIZE(type); i++) {
		p = map(_metadata, self->noexec, RW, type[i], 0, 1);
		EXPECT_FALSE(vma_has_flag(p, "me"));
		EXPECT_ERRNO(EACCES, mprotect(p, page_size, RX));
		EXPECT_TRAP(p, 1, 0, 0, NULL);
		/* It is the mount, and not the device. */
		EXPECT_EQ(0, mmap_errno(self->exec, 1, RX, type[i], 0));
		p = map(_metadata, self->exec, RW, type[i], 0, 1);
		EXPECT_TRUE(vma_has_flag(p, "me"));
		EXPECT_EQ(0, mprotect(p, page_size, RX));
	}
}

#define NO_MDWE	254

static int child_refuses_exec_gain(void *arg)
{
	int fd = *(int *)arg;

	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0))
		return errno == EINVAL ? NO_MDWE : 1;
	if (mmap_errno(fd, 1, RW | PROT_EXEC, MAP_SHARED, 0) != EACCES)
		return 2;
	if (mmap_errno(fd, 1, RW | PROT_EXEC, MAP_PRIVATE, 0) != EACCES)
		return 3;
	if (mmap_errno(fd, 1, RX, MAP_SHARED, 0))
		return 4;
	return mmap_errno(fd, 1, RW, MAP_SHARED, 0) ? 5 : 0;
}

TEST_F(mmap_exec, C01_no_write_and_exec)
{
	bool before = kernel_before(6, 3);
	long mmaps = stat_read("mmap");

	EXPECT_EQ(before ? NO_MDWE : 0,
		  in_child(child_refuses_exec_gain, &self->exec));
	EXPECT_EQ(mmaps + (before ? 0 : 2), stat_read("mmap"));
	EXPECT_EQ(0, mmap_errno(self->exec, 1, RW | PROT_EXEC, MAP_SHARED, 0));
}

TEST_HARNESS_MAIN
