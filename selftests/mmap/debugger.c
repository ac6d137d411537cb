// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what a mapping of the device shows to others than its process, where
 * inspect.c leaves off: stores that only a debugger may do, ranges with
 * nothing in them, and what of a mapping gets into a core file. Each test runs
 * in both fault modes.
 *
 * The ids (M12, M14, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; sets kernel.core_pattern while a core is written.
 */
#include "mmapdemo_test.h"

#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

#define NR	4
#define LEN	(NR * page_size)

DEVICE_FIXTURE(debugger)

/* A child that has what the caller has, stopped, and is traced by it. */
static pid_t start_traced(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	if (pid > 0 && (ptrace(PTRACE_ATTACH, pid, NULL, NULL) ||
			waitpid(pid, &status, 0) != pid)) {
		kill(pid, SIGKILL);
		return -1;
	}
	return pid;
}

static void end_traced(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Return: 0, or the errno of writing @word to @p of @pid. */
static int poke(pid_t pid, void *p, long word)
{
	return ptrace(PTRACE_POKEDATA, pid, p, word) ? errno : 0;
}

/* The same through /proc; @pid 0: the caller itself. */
static int write_mem(pid_t pid, const void *p, long word)
{
	char path[32] = "/proc/self/mem";
	int fd, error = 0;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR);
	if (pwrite(fd, &word, sizeof(word), (uintptr_t)p) != sizeof(word))
		error = errno;
	close(fd);
	return error;
}

static long peek(pid_t pid, void *p)
{
	return ptrace(PTRACE_PEEKDATA, pid, p, NULL);
}

/* M12: breakpoints go into private copies, and into nothing that is shared. */
TEST_F(debugger, M12_forced_write)
{
	char *private = map(_metadata, self->fd, PROT_READ, MAP_PRIVATE, 0, NR);
	char *shared = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 0, NR);
	int fd = open(DEVICE, O_RDONLY);
	char *ro = map(_metadata, fd, PROT_READ, MAP_SHARED, 0, NR);
	char *none = map(_metadata, self->fd, PROT_NONE, MAP_PRIVATE, 0, NR);
	long mkwrite = stat_read("mkwrite");
	pid_t pid;

	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	ASSERT_EQ(0, clean_all(self->fd));
	pid = start_traced();
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, poke(pid, private, 0x1234));
	EXPECT_EQ(0, write_mem(pid, private + page_size, 0x5678));
	EXPECT_EQ(0, poke(pid, none, 0x1234));
	EXPECT_EQ(EIO, poke(pid, shared, 0x1234));
	EXPECT_EQ(EIO, write_mem(pid, shared, 0x1234));
	EXPECT_EQ(EIO, poke(pid, ro, 0x1234));
	EXPECT_EQ(EIO, write_mem(pid, ro, 0x1234));
	EXPECT_EQ(0x1234, peek(pid, private));
	EXPECT_EQ(0x5678, peek(pid, private + page_size));
	EXPECT_EQ(0x1234, peek(pid, none));
	end_traced(pid);
	EXPECT_EQ(mkwrite, stat_read("mkwrite"));
	EXPECT_EQ(0, pool_read("dirty"));
	EXPECT_EQ(-1, bad_read(self->fd, 0, NR, 0));
	/* Copies are the process's own; the parent sees the device. */
	EXPECT_EQ(-1, bad_page(private, 0, NR, 0));
	close(fd);
}

/*
 * M12: without a debugger, /proc/PID/mem forces a write or does not, as the
 * kernel is configured (CONFIG_PROC_MEM_*, proc_mem.force_override=); but for
 * the device as for anonymous memory.
 */
TEST_F(debugger, M12_forced_write_by_policy)
{
	char *p = map(_metadata, self->fd, PROT_READ, MAP_PRIVATE, 0, NR);
	char *anonymous = map(_metadata, -1, PROT_READ,
			      MAP_PRIVATE | MAP_ANONYMOUS, 0, 1);
	int error;

	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	error = write_mem(0, anonymous, 0x1234);
	EXPECT_TRUE(!error || error == EIO);
	EXPECT_EQ(error, write_mem(0, p, 0x1234));
	EXPECT_EQ(!error, *(long *)p == 0x1234);
	EXPECT_EQ(!!error, bad_page(p, 0, 1, 0) < 0);
	EXPECT_EQ(-1, bad_page(p + page_size, 1, NR - 1, 0));
	EXPECT_EQ(-1, bad_read(self->fd, 0, NR, 0));
}

/*
 * M14: where nothing is mapped, a range ends; where the device has no page, it
 * makes one. The same for reading and, but for what is logged, for writing.
 */
TEST_F(debugger, M14_holes)
{
	char *p = map_shared(_metadata, self->fd, 0, NR), *to = malloc(LEN);
	struct iovec local = { to, LEN }, remote = { p, LEN };
	struct iovec split[2] = { { p, page_size }, { p + LEN / 2, page_size } };
	long reads = stat_read("fault_read");

	memset(to, 1, LEN);
	EXPECT_EQ((ssize_t)LEN,
		  process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
	EXPECT_EQ(-1, nonzero(to, LEN));
	EXPECT_EQ(reads + NR, stat_read("fault_read"));
	EXPECT_EQ(NR, pool_read("stored"));
	EXPECT_EQ(0, pool_read("dirty"));

	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	ASSERT_EQ(0, munmap(p + page_size, page_size));
	EXPECT_EQ((ssize_t)page_size,
		  process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
	EXPECT_EQ(-1, bad_page(to, 0, 1, 0));
	/* Ranges around the hole do not meet it. */
	EXPECT_EQ((ssize_t)(2 * page_size),
		  process_vm_readv(getpid(), &local, 1, split, 2, 0));
	EXPECT_EQ(-1, bad_page(to + page_size, 2, 1, 0));
	remote = (struct iovec){ p + page_size, LEN - page_size };
	EXPECT_ERRNO(EFAULT, process_vm_readv(getpid(), &local, 1, &remote, 1,
					      0));
	EXPECT_ERRNO(EFAULT, process_vm_writev(getpid(), &local, 1, &remote, 1,
					       0));
	EXPECT_EQ(-1, bad_read(self->fd, 0, NR, 0));
	free(to);
}

#define CORE	DEVICE_FILE("/dev/%s-core")

/*
 * M15: what is dumped is faulted in for it: holes become pages, and what is
 * past the end is left out. A filter without the bit for such a mapping asks
 * the device for nothing: 0x8 is for shared ones of files, 0x4 for private.
 */
TEST_F(debugger, M15_core_faults)
{
	const struct {
		const char *filter;
		int type;
		long stored;
	} c[] = {
		{ "0x8", MAP_SHARED, NR }, { "0x8", MAP_PRIVATE, 0 },
		{ "0x4", MAP_PRIVATE, NR }, { "0x4", MAP_SHARED, 0 },
		{ "0x3", MAP_SHARED, 0 }, { "0x0", MAP_SHARED, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(c); i++) {
		const struct core_dump dump = { .filter = c[i].filter };
		long reads = stat_read("fault_read");
		long sigbus = stat_read("sigbus_size");
		char *p = map(_metadata, self->fd, PROT_READ, c[i].type,
			      self->dev.nr_pages - NR, NR + 1);

		EXPECT_TRUE(dump_core(CORE, &dump))
			TH_LOG("needs a core file from " CORE_PATTERN);
		unlink(CORE);
		EXPECT_EQ(c[i].stored, pool_read("stored"))
			TH_LOG("case %zu", i);
		EXPECT_EQ(sigbus + !!c[i].stored, stat_read("sigbus_size"));
		EXPECT_EQ(reads + (c[i].stored ? NR + 1 : 0),
			  stat_read("fault_read"));
		EXPECT_EQ(0, pool_read("dirty"));
		munmap(p, LEN + page_size);
		ASSERT_EQ(0, discard(self->fd, self->dev.nr_pages - NR, NR));
	}
}

TEST_HARNESS_MAIN
