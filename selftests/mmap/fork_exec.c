// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what becomes of mappings when their process forks, execs or ends, in
 * whatever way: which the driver hears of, what is copied and what is shared,
 * and how long the module is held. Each test runs in both fault modes.
 *
 * The ids (S01, ...) name the branches of mmap that a test proves.
 * Needs: io_uring or AF_XDP where a test says so; see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "pin.h"
#include "proc.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#define NR	4

FIXTURE(fork_exec) {
	struct device dev;
	int fd;
	struct counters before;
	long users;		/* of the module, the test included */
};

FAULT_MODES(fork_exec);

FIXTURE_SETUP(fork_exec)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	counters_start(&self->before);
	self->users = module_users();
}

FIXTURE_TEARDOWN(fork_exec)
{
	device_teardown(_metadata, &self->dev);
}

/* VMAs since the test began, and files now. */
#define EXPECT_COUNTS(opened, closed, files) do {			\
	EXPECT_COUNTED(&self->before, { "vma_open", opened },		\
		       { "vma_close", closed });			\
	if (self->users >= 0)						\
		EXPECT_EQ(self->users + (files), module_users());	\
} while (0)

static int child_finds_nothing(void *arg)
{
	struct trap trap = touch(arg, -1);

	return trap.sig != SIGSEGV || trap.code != SEGV_MAPERR ||
	       trap.addr != arg;
}

/* The mappings are opened anew, the file is shared, and not opened again. */
TEST_F(fork_exec, S01_fork)
{
	char *shared = map_shared(_metadata, self->fd, 0, NR);
	char *private = map_private(_metadata, self->fd, 0, NR);
	char *kept = map_shared(_metadata, self->fd, 0, NR);
	long mmaps = stat_read("mmap");
	pid_t pid;

	write_pages(shared, NR, 1);
	write_pages(private, NR, 2);
	ASSERT_EQ(0, madvise(kept, NR * page_size, MADV_DONTFORK));
	pid = start_waiting();
	ASSERT_LT(0, pid);
	EXPECT_COUNTS(2, 0, 0);
	EXPECT_EQ(mmaps, stat_read("mmap"));
	end_waiting(pid);
	EXPECT_COUNTS(2, 2, 0);
	EXPECT_EQ(0, in_child(child_finds_nothing, kept));
	EXPECT_EQ(1, kept[0]);
}

static int child_writes_after_mprotect(void *arg)
{
	if (mprotect(arg, NR * page_size, PROT_READ) ||
	    mprotect(arg, NR * page_size, PROT_READ | PROT_WRITE))
		return 1;
	write_pages(arg, NR, 2);
	return 0;
}

/*
 * A PTE that is copied is writable, but clean. That shows after an mprotect to
 * read-only and back: only dirty ones may be written to without asking. Those
 * of a plain mapping are not copied at all.
 */
TEST_F(fork_exec, S02_copied_ptes_are_clean)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	long mkwrite, faults;

	write_pages(p, NR, 1);
	mkwrite = stat_read("mkwrite");
	faults = stat_read("fault_write");
	ASSERT_EQ(0, child_writes_after_mprotect(p));
	EXPECT_EQ(mkwrite, stat_read("mkwrite"));
	EXPECT_EQ(0, in_child(child_writes_after_mprotect, p));
	EXPECT_EQ(mkwrite + NR, stat_read("mkwrite"));
	EXPECT_EQ(faults + (variant->insert ? 0 : NR),
		  stat_read("fault_write"));
}

/* Both see one copy, until either writes and gets a new one. */
TEST_F(fork_exec, S03_private_copies)
{
	char *p = map_private(_metadata, self->fd, 0, 3);
	char *mine = p, *theirs = p + page_size, *nobodys = p + 2 * page_size;
	pid_t pid;
	int i;

	ASSERT_TRUE(fill(self->fd, 0, 3, 0));
	write_pages(p, 3, 'a');
	pid = start_waiting();
	ASSERT_LT(0, pid);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(pfn_of(p + i * page_size),
			  pfn_in(pid, p + i * page_size));
	*mine = 'b';
	EXPECT_EQ('a', process_peek(pid, mine));
	EXPECT_EQ(0, process_poke(pid, theirs, 'c'));
	EXPECT_EQ('a', *theirs);
	EXPECT_EQ('c', process_peek(pid, theirs));
	EXPECT_NE(pfn_of(mine), pfn_in(pid, mine));
	EXPECT_NE(pfn_of(theirs), pfn_in(pid, theirs));
	EXPECT_EQ(pfn_of(nobodys), pfn_in(pid, nobodys));
	EXPECT_EQ(-1, bad_read(self->fd, 0, 3, 0));
	end_waiting(pid);
}

/*
 * A pinned copy must stay the parent's, or the one who has it pinned would be
 * left with a page that the parent no longer sees once it writes.
 */
TEST_F(fork_exec, S04_pinned_copy)
{
	char *p = map_private(_metadata, self->fd, 0, 2);
	__u64 pfn;
	pid_t pid;
	int pin;

	write_pages(p, 2, 'a');
	pin = pin_pages(p, page_size);
	if (pin < 0)
		SKIP(return, "needs io_uring or AF_XDP");
	pfn = pfn_of(p);
	pid = start_waiting();
	ASSERT_LT(0, pid);
	EXPECT_EQ(pfn, pfn_of(p));
	EXPECT_NE(0, pfn_in(pid, p));
	EXPECT_NE(pfn, pfn_in(pid, p));
	EXPECT_EQ('a', process_peek(pid, p));
	EXPECT_EQ(pfn_of(p + page_size), pfn_in(pid, p + page_size));
	*p = 'b';
	EXPECT_EQ(pfn, pfn_of(p));
	EXPECT_EQ('a', process_peek(pid, p));
	end_waiting(pid);
	close(pin);
}

static int child_touches(void *arg)
{
	write_pages(arg, NR, 3);
	return 0;
}

/* Who shares the memory shares the mappings: there is nothing to open. */
TEST_F(fork_exec, S06_shared_memory)
{
	static char stack[64 * 1024];
	char *p = map_shared(_metadata, self->fd, 0, NR);
	pid_t pid = vfork();
	int status = -1;

	if (!pid)
		_exit(0);
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_COUNTS(0, 0, 0);
	pid = clone(child_touches, stack + sizeof(stack), CLONE_VM | SIGCHLD,
		    p);
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_COUNTS(0, 0, 0);
	EXPECT_EQ(NR, count_mapped(p, NR));
	EXPECT_EQ(3, p[0]);
}

/* Maps three times through a file of its own, which it leaves open. */
static bool open_and_map(void)
{
	int fd = open(DEVICE, O_RDWR), i;
	char *p;

	/* All of page 0 on: neighbours with the same pages do not merge. */
	for (i = 0; i < 3; i++) {
		p = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0);
		if (p == MAP_FAILED)
			return false;
		write_pages(p, NR, 1);
	}
	return true;
}

static int child_exits(void *arg)
{
	(void)arg;
	return !open_and_map();
}

static int child_is_killed(void *arg)
{
	(void)arg;
	return open_and_map() ? kill(getpid(), SIGKILL) : 1;
}

static int child_aborts(void *arg)
{
	struct rlimit no_core = { 0, 0 };

	(void)arg;
	setrlimit(RLIMIT_CORE, &no_core);
	if (open_and_map())
		abort();
	return 1;
}

/* When the parent hears of the end, all is closed and the file released. */
TEST_F(fork_exec, S07_ends)
{
	const struct {
		const char *name;
		int (*child)(void *arg);
		int status;
	} c[] = {
		{ "exit", child_exits, 0 },
		{ "SIGKILL", child_is_killed, 128 + SIGKILL },
		{ "abort", child_aborts, 128 + SIGABRT },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(c); i++) {
		EXPECT_EQ(c[i].status, in_child(c[i].child, NULL))
			TH_LOG("%s", c[i].name);
		EXPECT_COUNTS(0, 3 * (i + 1), 0);
	}
	EXPECT_EQ(NR, pool_read("stored"));
}

/*
 * exec takes the mappings away, and leaves the file. The program waits for its
 * input to end; the other pipe is closed by exec, right after the mappings.
 */
TEST_F(fork_exec, S07_exec)
{
	int input[2], done[2], status;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(input));
	ASSERT_EQ(0, pipe2(done, O_CLOEXEC));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		dup2(input[0], STDIN_FILENO);
		close(input[1]);
		if (open_and_map())
			execlp("cat", "cat", NULL);
		_exit(1);
	}
	close(done[1]);
	EXPECT_EQ(0, read(done[0], &byte, 1));
	EXPECT_COUNTS(0, 3, 1);
	close(input[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_COUNTS(0, 3, 0);
	close(input[0]);
	close(done[0]);
}

static int unload(void)
{
	return syscall(SYS_delete_module, "mmapdemo", O_NONBLOCK) ? errno : 0;
}

/* Nothing but a child's inherited mapping is left, and is enough. */
TEST_F(fork_exec, S08_S09_module_is_held)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	pid_t pid;
	int err;

	if (self->users < 0)
		SKIP(return, "needs mmapdemo as a module");
	write_pages(p, NR, 5);
	EXPECT_EQ(EWOULDBLOCK, unload());
	close(self->fd);
	EXPECT_EQ(1, module_users());
	EXPECT_EQ(EWOULDBLOCK, unload());
	pid = start_waiting();
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, munmap(p, NR * page_size));
	EXPECT_EQ(1, module_users());
	err = unload();
	EXPECT_EQ(5, process_peek(pid, p));
	EXPECT_EQ(EWOULDBLOCK, err);
	end_waiting(pid);
	EXPECT_EQ(0, module_users());
	self->dev.fd = open(DEVICE, O_RDWR);
	ASSERT_LE(0, self->dev.fd);
}

/*
 * A child that has been killed and stands still at the door, its memory still
 * there. Return: its pid; negative: none.
 */
static pid_t start_dying(void)
{
	pid_t pid = start_waiting();
	int status;

	if (!ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXIT) &&
	    !kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid &&
	    status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8))
		return pid;
	return -1;
}

/*
 * process_mrelease does to a dying process what the OOM reaper does
 * (__oom_reap_task_mm()): private copies go, and to make new ones is an error;
 * shared mappings keep their PTEs, and the driver hears of neither.
 */
TEST_F(fork_exec, S10_oom_reaper)
{
	char *shared = map_shared(_metadata, self->fd, 0, NR);
	char *private = map_private(_metadata, self->fd, 0, NR);
	long faults;
	int pidfd, ret;
	pid_t pid;

	write_pages(shared, NR, 5);
	write_pages(private, NR, 7);
	pid = start_dying();
	ASSERT_LT(0, pid);
	/* A plain one's PTEs were not copied: it has none yet. */
	EXPECT_EQ(0, process_poke(pid, shared, 6));
	EXPECT_EQ(7, process_peek(pid, private));
	faults = faults_served();
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	ret = syscall(SYS_process_mrelease, pidfd, 0) ? errno : 0;
	EXPECT_EQ(0, ret);
	EXPECT_COUNTS(2, 0, 0);
	EXPECT_EQ(pfn_of(shared), pfn_in(pid, shared));
	EXPECT_EQ(6, process_peek(pid, shared));
	EXPECT_EQ(faults, faults_served());
	EXPECT_EQ(0, pfn_in(pid, private));
	EXPECT_EQ(-EFAULT, process_poke(pid, private, 8));
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	end_waiting(pid);
	EXPECT_COUNTS(2, 2, 0);
	close(pidfd);
}

TEST_HARNESS_MAIN
