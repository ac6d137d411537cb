// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that DIRTY_LOG returns the pages that were written and no others, by
 * whichever way the bytes came; and that with CLEAR the next write is noticed
 * again. Each test runs in both fault modes.
 *
 * Needs: see mmapdemo_test.h; the test of O_DIRECT a RAM disk, which it reads.
 */
#include "mmapdemo_test.h"

#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define CLEAR	MMAPDEMO_DIRTY_LOG_CLEAR
#define NR	16

FIXTURE(dirty_log) {
	struct device dev;
	int fd;
	char *p;		/* NR pages of the device, shared and present */
};

FAULT_MODES(dirty_log);

FIXTURE_SETUP(dirty_log)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->p = map_shared(_metadata, self->fd, 0, NR);
	read_pages(self->p, NR);
	ASSERT_EQ(0, log_bits(self->fd, 0));
}

FIXTURE_TEARDOWN(dirty_log)
{
	device_teardown(_metadata, &self->dev);
}

/* These pages are dirty, and no others; afterwards none is. */
#define EXPECT_DIRTY(bits) do {					\
	__u64 bits_ = (bits);					\
								\
	EXPECT_EQ(bits_, log_bits(self->fd, 0));		\
	EXPECT_EQ(bits_, log_bits(self->fd, CLEAR));		\
	EXPECT_EQ(0, log_bits(self->fd, 0));			\
	EXPECT_EQ(0, pool_read("dirty"));			\
} while (0)

TEST_F(dirty_log, stores)
{
	char *other = map_shared(_metadata, self->fd, 4, 4);

	write_pages(self->p + 3 * page_size, 2, 1);
	self->p[10 * page_size - 1] = 1;
	EXPECT_DIRTY(PAGES(3, 2) | PAGES(9, 1));
	write_pages(other, 2, 2);
	EXPECT_DIRTY(PAGES(4, 2));
	/* Pages that the store makes. */
	write_pages(map_shared(_metadata, self->fd, 40, 3), 3, 1);
	EXPECT_DIRTY(PAGES(40, 3));
}

TEST_F(dirty_log, reads_and_private_writes_are_not_in_it)
{
	char *private = map_private(_metadata, self->fd, 0, NR);
	char byte;

	read_pages(self->p, NR);
	write_pages(private, NR, 1);
	ASSERT_EQ(1, pread(self->fd, &byte, 1, 0));
	ASSERT_EQ(1, pread(self->fd, private, 1, page_size));
	EXPECT_DIRTY(0);
}

TEST_F(dirty_log, write_calls)
{
	struct iovec iov[] = { { "ab", 2 }, { "cd", 2 } };

	ASSERT_EQ(3, pwrite(self->fd, "abc", 3, 5 * page_size - 1));
	ASSERT_EQ(4, pwritev(self->fd, iov, 2, 8 * page_size));
	/* One that makes its page. */
	ASSERT_EQ(1, pwrite(self->fd, "x", 1, 50 * page_size));
	EXPECT_DIRTY(PAGES(4, 2) | PAGES(8, 1) | PAGES(50, 1));
}

TEST_F(dirty_log, splice_and_sendfile)
{
	loff_t at = 2 * page_size - 2;
	int file = memfd_create("source", 0);
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(4, write(pipes[1], "pipe", 4));
	ASSERT_EQ(4, splice(pipes[0], NULL, self->fd, &at, 4, 0));
	EXPECT_DIRTY(PAGES(1, 2));

	ASSERT_TRUE(fill(file, 0, 4, 1));
	ASSERT_EQ(0, lseek(file, 0, SEEK_SET));
	at = 10 * page_size;
	ASSERT_EQ(at, lseek(self->fd, at, SEEK_SET));
	ASSERT_EQ((ssize_t)(4 * page_size),
		  sendfile(self->fd, file, NULL, 4 * page_size));
	EXPECT_DIRTY(PAGES(10, 4));
	EXPECT_EQ(-1, bad_page(self->p + at, 0, 4, 1));
	close(file);
	close(pipes[0]);
	close(pipes[1]);
}

/* The kernel as the writer, through the mapping's own page table. */
TEST_F(dirty_log, reads_into_the_mapping)
{
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(4, write(pipes[1], "copy", 4));
	ASSERT_EQ(4, read(pipes[0], self->p + 3 * page_size - 2, 4));
	EXPECT_DIRTY(PAGES(2, 2));
	/* From the device itself. */
	ASSERT_EQ(8, pread(self->fd, self->p + 6 * page_size, 8, 0));
	EXPECT_DIRTY(PAGES(6, 1));
}

TEST_F(dirty_log, process_vm_writev)
{
	char *at = self->p + 4 * page_size - 1;
	struct iovec local = { "gup", 3 }, remote = { at, 3 };

	ASSERT_EQ(3, process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
	EXPECT_DIRTY(PAGES(3, 2));
	EXPECT_EQ(0, memcmp(at, "gup", 3));
}

TEST_F(dirty_log, proc_mem)
{
	int fd = open("/proc/self/mem", O_RDWR);

	ASSERT_EQ(3, pwrite(fd, "mem", 3, (uintptr_t)self->p + 7 * page_size));
	EXPECT_DIRTY(PAGES(7, 1));
	EXPECT_EQ(0, memcmp(self->p + 7 * page_size, "mem", 3));
	close(fd);
}

/* As a debugger writes: also where its victim may only read. */
TEST_F(dirty_log, ptrace)
{
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSTOPPED(status));
	EXPECT_EQ(0, ptrace(PTRACE_POKEDATA, pid, self->p + 5 * page_size,
			    (void *)0x1234L));
	EXPECT_EQ(0, ptrace(PTRACE_CONT, pid, NULL, NULL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0x1234, *(long *)(self->p + 5 * page_size));
	EXPECT_DIRTY(PAGES(5, 1));
}

/* A RAM disk, for reading: one that is there, or that modprobe makes. */
static int open_ram_disk(void)
{
	int fd = open("/dev/ram0", O_RDONLY | O_DIRECT);

	if (fd < 0 && !system("modprobe -q brd rd_nr=1 rd_size=1024"))
		fd = open("/dev/ram0", O_RDONLY | O_DIRECT);
	return fd;
}

/* A disk driver writes to the page itself, with no page table in between. */
TEST_F(dirty_log, direct_io_into_the_mapping)
{
	size_t len = 2 * page_size;
	char *at = self->p + 9 * page_size, *buffer;
	int disk = open_ram_disk();

	if (disk < 0)
		SKIP(return, "needs a RAM disk (/dev/ram0, module brd)");
	ASSERT_EQ(0, posix_memalign((void **)&buffer, page_size, len));
	ASSERT_EQ((ssize_t)len, pread(disk, buffer, len, 0));
	memset(at, 'x', len);
	EXPECT_DIRTY(PAGES(9, 2));
	ASSERT_EQ((ssize_t)len, pread(disk, at, len, 0));
	EXPECT_EQ(0, memcmp(at, buffer, len));
	EXPECT_DIRTY(PAGES(9, 2));
	free(buffer);
	close(disk);
}

TEST_F(dirty_log, without_clear_nothing_changes)
{
	long mkwrite, cleaned = stat_read("cleaned");
	int i;

	write_pages(self->p, NR, 1);
	mkwrite = stat_read("mkwrite");
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(PAGES(0, NR), log_bits(self->fd, 0));
		write_pages(self->p, NR, 2);
	}
	EXPECT_EQ(mkwrite, stat_read("mkwrite"));
	EXPECT_EQ(cleaned, stat_read("cleaned"));
	EXPECT_EQ(NR, pool_read("dirty"));
}

/* Through PTEs that were writable, in each mapping. */
TEST_F(dirty_log, clear_catches_the_next_write)
{
	char *other = map_shared(_metadata, self->fd, 0, NR);
	long mkwrite;

	write_pages(self->p, NR, 1);
	write_pages(other, NR, 1);
	EXPECT_EQ(PAGES(0, NR), log_bits(self->fd, CLEAR));
	mkwrite = stat_read("mkwrite");
	write_pages(self->p + 2 * page_size, 3, 2);
	EXPECT_EQ(mkwrite + 3, stat_read("mkwrite"));
	write_pages(self->p + 2 * page_size, 3, 3);
	EXPECT_EQ(mkwrite + 3, stat_read("mkwrite"));
	EXPECT_DIRTY(PAGES(2, 3));
	write_pages(other + 8 * page_size, 2, 4);
	EXPECT_DIRTY(PAGES(8, 2));
}

static int child_writes_when_told(int fd, int ready, int go)
{
	char *p = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE,
		       MAP_SHARED, fd, 0);
	char byte;

	if (p == MAP_FAILED)
		return 1;
	write_pages(p, NR, 5);
	if (write(ready, "", 1) != 1 || read(go, &byte, 1) != 1)
		return 2;
	write_pages(p + 6 * page_size, 4, 6);
	return 0;
}

TEST_F(dirty_log, clear_catches_other_processes)
{
	int ready[2], go[2], status;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* So that the parent's end is the end of waiting for it. */
		close(go[1]);
		_exit(child_writes_when_told(self->fd, ready[1], go[0]));
	}
	close(ready[1]);
	EXPECT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_DIRTY(PAGES(0, NR));
	EXPECT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_DIRTY(PAGES(6, 4));
}

/* What was delivered does not come back when its mapping goes. */
TEST_F(dirty_log, munmap_adds_nothing)
{
	write_pages(self->p, NR, 1);
	EXPECT_EQ(PAGES(0, NR), log_bits(self->fd, CLEAR));
	ASSERT_EQ(0, munmap(self->p, NR * page_size));
	EXPECT_DIRTY(0);
}

/* A sync takes nothing out of the log, and a harvest leaves all to be synced. */
TEST_F(dirty_log, is_not_concerned_by_syncs)
{
	struct counters seen;

	counters_start(&seen);
	write_pages(self->p, NR, 1);
	ASSERT_EQ(0, msync(self->p + 4 * page_size, 4 * page_size, MS_SYNC));
	EXPECT_COUNTED(&seen, { "cleaned", 4 }, { "cleared", 0 });
	EXPECT_EQ(NR - 4, pool_read("unsynced"));
	EXPECT_DIRTY(PAGES(0, NR));
	EXPECT_COUNTED(&seen, { "cleaned", 4 }, { "cleared", NR });
	EXPECT_EQ(NR - 4, pool_read("unsynced"));
	ASSERT_EQ(0, fsync(self->fd));
	EXPECT_COUNTED(&seen, { "cleaned", NR }, { "cleared", NR });
	EXPECT_EQ(0, pool_read("unsynced"));
	write_pages(self->p, 1, 2);
	ASSERT_EQ(0, discard(self->fd, 0, 1));
	EXPECT_DIRTY(0);
}

TEST_HARNESS_MAIN
