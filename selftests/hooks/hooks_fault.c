// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what the core makes of each answer of ->fault, ->huge_fault,
 * ->page_mkwrite and ->pfn_mkwrite: which signal, or that the instruction is
 * tried again, and how often the hook was asked.
 *
 * What is retried for ever is proven by an answer that is given three times
 * only: the fourth ends it. That SIGKILL ends it as well is proven once.
 *
 * The ids (E05, J02, ...) name the branches of mmap that a test proves. Not
 * proven: a fault that returns 0 without a page (E16), as that is an Oops;
 * VM_FAULT_DONE_COW (G04), which needs finish_fault(), not exported.
 * Needs: see hooks.h.
 */
#include "hooks.h"
#include "proc.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

HOOKS_FIXTURE(hooks_fault, HOOKS)

/* Return: a mapping of 4 pages after @set, shared or not. */
static char *map_with(struct __test_metadata *_metadata, int fd,
		      const char *set, int flags)
{
	EXPECT_EQ(0, hooks_set(fd, set))
		TH_LOG("%s", set);
	return map(_metadata, fd, RW, flags, 0, 4);
}

TEST_F(hooks_fault, E05_sigsegv)
{
	char *p = map_with(_metadata, self->fd, "fault sigsegv", MAP_SHARED);
	char *q = map(_metadata, self->fd, RW, MAP_PRIVATE, 0, 4);

	/* As if there were no mapping, though there is. */
	EXPECT_TRAP(p + 5, -1, SIGSEGV, SEGV_MAPERR, p + 5);
	EXPECT_TRAP(p + page_size, 1, SIGSEGV, SEGV_MAPERR, p + page_size);
	EXPECT_TRAP(q, 1, SIGSEGV, SEGV_MAPERR, q);
	EXPECT_EQ(3, hooks_read(self->fd, "fault"));
	EXPECT_EQ(1, count_vmas_of(HOOKS, p, 4));
}

static short trap_lsb;

static void note_lsb(int sig, siginfo_t *info, void *context)
{
	trap_lsb = info->si_addr_lsb;
	trap_handler(sig, info, context);
}

/* The report also says how much memory is lost: a page. */
TEST_F(hooks_fault, E06_hwpoison)
{
	struct sigaction act = {
		.sa_sigaction = note_lsb, .sa_flags = SA_SIGINFO,
	};
	char *p = map_with(_metadata, self->fd, "fault hwpoison", MAP_SHARED);

	ASSERT_EQ(0, sigaction(SIGBUS, &act, NULL));
	EXPECT_TRAP(p + 5, -1, SIGBUS, BUS_MCEERR_AR, p + 5);
	EXPECT_EQ(__builtin_ctzl(page_size), trap_lsb);
	trap_lsb = 0;
	EXPECT_TRAP(p + page_size, 1, SIGBUS, BUS_MCEERR_AR, p + page_size);
	EXPECT_EQ(__builtin_ctzl(page_size), trap_lsb);
	EXPECT_EQ(2, hooks_read(self->fd, "fault"));
}

/* No signal, whatever the name suggests: the access is tried once more. */
TEST_F(hooks_fault, E07_oom_retries)
{
	char *p = map_with(_metadata, self->fd, "fault oom\ntimes 3",
			   MAP_SHARED);

	EXPECT_TRAP(p, -1, 0, 0, NULL);
	EXPECT_EQ(4, hooks_read(self->fd, "fault"));
	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_EQ(4, hooks_read(self->fd, "fault"));
}

/* "There is a PTE now": there is none, so the next access faults again. */
TEST_F(hooks_fault, E08_nopage_retries)
{
	char *p = map_with(_metadata, self->fd, "fault nopage\ntimes 3",
			   MAP_SHARED);

	EXPECT_TRAP(p + page_size, 1, 0, 0, NULL);
	EXPECT_EQ(4, hooks_read(self->fd, "fault"));
	EXPECT_EQ(1, p[page_size]);
}

static int read_first_page(void *p)
{
	return read_byte(p);
}

/* Without an end to it: the process faults until it is killed. */
static void fault_until_killed(struct __test_metadata *_metadata, int fd,
			       const char *set)
{
	char *p = map_with(_metadata, fd, set, MAP_SHARED);
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(read_first_page(p));
	ASSERT_LT(0, pid);
	while (hooks_read(fd, "fault") < 100 && !waitpid(pid, &status, WNOHANG))
		sched_yield();
	EXPECT_LE(100, hooks_read(fd, "fault"));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
}

TEST_F(hooks_fault, E08_endless_refault_is_killable)
{
	fault_until_killed(_metadata, self->fd, "fault nopage");
}

TEST_F(hooks_fault, E07_endless_oom_is_killable)
{
	fault_until_killed(_metadata, self->fd, "fault oom");
}

TEST_F(hooks_fault, E09_major)
{
	char *p = map_with(_metadata, self->fd, "fault major", MAP_SHARED);
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	EXPECT_TRAP(p, -1, 0, 0, NULL);
	getrusage(RUSAGE_SELF, &after);
	EXPECT_EQ(before.ru_majflt + 1, after.ru_majflt);
	ASSERT_EQ(0, hooks_set(self->fd, "fault page"));
	EXPECT_TRAP(p + page_size, -1, 0, 0, NULL);
	getrusage(RUSAGE_SELF, &after);
	EXPECT_EQ(before.ru_majflt + 1, after.ru_majflt);
}

/* The lock dropped, the second try is marked as such, and may not ask again. */
TEST_F(hooks_fault, E13_retry)
{
	char *p = map_with(_metadata, self->fd, "fault retry\ntimes 1",
			   MAP_SHARED);

	EXPECT_TRAP(p, 1, 0, 0, NULL);
	EXPECT_EQ(2, hooks_read(self->fd, "fault"));
	EXPECT_EQ(1, hooks_read(self->fd, "fault_tried"));
	EXPECT_EQ(1, *p);
	/* The hook gives SIGBUS where it could not drop the lock again. */
	ASSERT_EQ(0, hooks_set(self->fd, "times -1"));
	EXPECT_TRAP(p + page_size, -1, SIGBUS, BUS_ADRERR, p + page_size);
	EXPECT_EQ(4, hooks_read(self->fd, "fault"));
	EXPECT_EQ(2, hooks_read(self->fd, "fault_tried"));
}

TEST_F(hooks_fault, E15_no_fault_hook)
{
	char *p = map_with(_metadata, self->fd, "fault none", MAP_SHARED);
	char *q = map(_metadata, self->fd, RW, MAP_PRIVATE, 0, 4);

	EXPECT_TRAP(p, -1, SIGBUS, BUS_ADRERR, p);
	EXPECT_TRAP(q, 1, SIGBUS, BUS_ADRERR, q);
}

/* What .mmap has put in is there, the rest is a SIGBUS. */
TEST_F(hooks_fault, E15_no_fault_hook_inserted)
{
	char *p = map_with(_metadata, self->fd, "fault none\ncall insert",
			   MAP_SHARED);

	EXPECT_TRAP(p, 1, 0, 0, NULL);
	EXPECT_TRAP(p + page_size, -1, SIGBUS, BUS_ADRERR, p + page_size);
}

TEST_F(hooks_fault, E15_default_ops)
{
	char *p = map_with(_metadata, self->fd, "ops default", MAP_SHARED);

	EXPECT_TRAP(p, -1, SIGBUS, BUS_ADRERR, p);
	EXPECT_EQ(0, hooks_read(self->fd, "fault"));
}

/* A private mapping is anonymous memory then, as that of /dev/zero. */
TEST_F(hooks_fault, E15_null_ops)
{
	char *p = map_with(_metadata, self->fd, "ops null", MAP_PRIVATE);
	char *q = map(_metadata, self->fd, RW, MAP_SHARED, 0, 4);

	EXPECT_EQ(-1, nonzero(p, 4 * page_size));
	write_pages(p, 4, 1);
	EXPECT_EQ(1, p[3 * page_size]);
	EXPECT_TRAP(q, -1, SIGBUS, BUS_ADRERR, q);
	EXPECT_TRAP(q, 1, SIGBUS, BUS_ADRERR, q);
	EXPECT_EQ(0, hooks_read(self->fd, "fault"));
}

/*
 * Asked when a whole PMD's range is empty: under the VMA lock, and again after
 * the core has taken mmap_lock instead, which it wants for ->fault.
 */
TEST_F(hooks_fault, E17_huge_fault)
{
	size_t nr = huge_page_size() / page_size;
	char *p = reserve(_metadata, nr);
	long asked;

	if (huge_file_order() < 0)
		SKIP(return, NEEDS_HUGE_FILES);
	ASSERT_EQ(0, hooks_set(self->fd, "huge_fault fallback"));
	ASSERT_EQ(p, mmap(p, nr * page_size, RW, MAP_SHARED | MAP_FIXED,
			  self->fd, 0));
	ASSERT_EQ(0, madvise(p, nr * page_size, MADV_HUGEPAGE));
	EXPECT_EQ(hooks_letter(0), *p);
	asked = hooks_read(self->fd, "huge_fault");
	EXPECT_LE(kernel_before(6, 6) ? 0 : 1, asked);
	EXPECT_GE(kernel_before(6, 6) ? 0 : 2, asked);
	EXPECT_EQ(1, hooks_read(self->fd, "fault"));
	/* There is a page table now. */
	EXPECT_EQ(hooks_letter(1), p[page_size]);
	EXPECT_EQ(asked, hooks_read(self->fd, "huge_fault"));
}

TEST_F(hooks_fault, E17_huge_fault_error)
{
	size_t nr = huge_page_size() / page_size;
	char *p = reserve(_metadata, nr);

	if (huge_file_order() < 0)
		SKIP(return, NEEDS_HUGE_FILES);
	if (kernel_before(6, 6))
		SKIP(return, "needs Linux 6.6: huge_fault for any file");
	ASSERT_EQ(0, hooks_set(self->fd, "huge_fault sigbus"));
	ASSERT_EQ(p, mmap(p, nr * page_size, RW, MAP_SHARED | MAP_FIXED,
			  self->fd, 0));
	ASSERT_EQ(0, madvise(p, nr * page_size, MADV_HUGEPAGE));
	EXPECT_TRAP(p, -1, SIGBUS, BUS_ADRERR, p);
	EXPECT_EQ(1, hooks_read(self->fd, "huge_fault"));
	EXPECT_EQ(0, hooks_read(self->fd, "fault"));
}

/* The core takes the lock if the hook has not. */
TEST_F(hooks_fault, F02_locked_or_not)
{
	char *p = map_with(_metadata, self->fd, "fault page", MAP_SHARED);

	EXPECT_TRAP(p, -1, 0, 0, NULL);
	EXPECT_TRAP(p + page_size, 1, 0, 0, NULL);
	ASSERT_EQ(0, hooks_set(self->fd, "fault locked"));
	EXPECT_TRAP(p + 2 * page_size, -1, 0, 0, NULL);
	EXPECT_TRAP(p + 3 * page_size, 1, 0, 0, NULL);
	ASSERT_EQ(0, madvise(p, 4 * page_size, MADV_DONTNEED));
	/* None was left locked, or this would hang. */
	write_pages(p, 4, 2);
	EXPECT_EQ(8, hooks_read(self->fd, "fault"));
}

/* Return: whether a write through @p changed the time of the node. */
static bool write_changes_mtime(char *p, int fd)
{
	static const struct timespec long_ago[2] = { { 1, 0 }, { 1, 0 } };
	struct stat st;

	if (futimens(fd, long_ago))
		abort();
	*p = 1;
	if (fstat(fd, &st))
		abort();
	return st.st_mtim.tv_sec != 1;
}

/* Without page_mkwrite the core sets it, with it the driver has to. */
TEST_F(hooks_fault, H02_mtime)
{
	char *p = map_shared(_metadata, self->fd, 0, 1);

	EXPECT_TRUE(write_changes_mtime(p, self->fd));
	EXPECT_FALSE(write_changes_mtime(p, self->fd));
}

TEST_F(hooks_fault, H02_mtime_page_mkwrite)
{
	char *p = map_with(_metadata, self->fd, "page_mkwrite locked",
			   MAP_SHARED);

	EXPECT_FALSE(write_changes_mtime(p, self->fd));
	EXPECT_EQ(1, hooks_read(self->fd, "page_mkwrite"));
}

/* A page of no file is marked, and that is all. */
TEST_F(hooks_fault, H03_dirty_without_mapping)
{
	char *p = map_with(_metadata, self->fd, "page_mkwrite locked",
			   MAP_SHARED);

	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_EQ(0, hooks_read(self->fd, "dirty"));
	*p = 1;
	EXPECT_EQ(1, hooks_read(self->fd, "dirty"));
	EXPECT_EQ(0, hooks_read(self->fd, "dirty_folio"));
}

/* One that is a file's: the file is told. */
TEST_F(hooks_fault, H03_dirty_with_mapping)
{
	char *p = map_with(_metadata, self->fd,
			   "page_mkwrite locked\nmapping 1", MAP_SHARED);

	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_EQ(0, hooks_read(self->fd, "dirty_folio"));
	*p = 1;
	EXPECT_EQ(1, hooks_read(self->fd, "dirty"));
	EXPECT_EQ(1, hooks_read(self->fd, "dirty_folio"));
}

TEST_HARNESS_MAIN
