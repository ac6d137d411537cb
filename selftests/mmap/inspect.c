// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that other programs can look into a mapping and change it, as far as
 * the device goes: ptrace, /proc/PID/mem, process_vm_readv, core dumps and gdb;
 * and that a process in a small memory cgroup gets somewhere, or is stopped,
 * but never hangs. Each test but gdb's runs in both fault modes.
 *
 * The ids (M12, M15, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; gdb and cgroup2 where a test says so.
 */
#include "mmapdemo_test.h"
#include "resource_limits.h"

#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>

FIXTURE(inspect) {
	struct device dev;
	int fd;
	char *p;		/* the last two pages, and one past the end */
	char *end;		/* of the device, in it */
	pid_t child;		/* has it as well, and waits */
};

FAULT_MODES(inspect);

FIXTURE_SETUP(inspect)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->p = map_shared(_metadata, self->fd, self->dev.nr_pages - 2, 3);
	self->end = self->p + 2 * page_size;
	ASSERT_TRUE(fill(self->fd, self->dev.nr_pages - 2, 2, 0));
	ASSERT_EQ(0, clean_all(self->fd));
	self->child = start_waiting();
	ASSERT_LT(0, self->child);
}

FIXTURE_TEARDOWN(inspect)
{
	end_waiting(self->child);
	device_teardown(_metadata, &self->dev);
}

/* M12, M13: what is written so is in the store, and in the dirty log. */
TEST_F(inspect, ptrace)
{
	const long word = 0x11223344;
	int status;

	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, self->child, NULL, NULL));
	ASSERT_EQ(self->child, waitpid(self->child, &status, 0));
	EXPECT_EQ(*(long *)(self->p + 8),
		  ptrace(PTRACE_PEEKDATA, self->child, self->p + 8, NULL));
	EXPECT_EQ(0, pool_read("dirty"));
	EXPECT_EQ(0, ptrace(PTRACE_POKEDATA, self->child, self->p + 8, word));
	EXPECT_EQ(word, *(long *)(self->p + 8));
	EXPECT_EQ(1, pool_read("dirty"));
	EXPECT_EQ(-1, ptrace(PTRACE_PEEKDATA, self->child, self->end, NULL));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, ptrace(PTRACE_POKEDATA, self->child, self->end, word));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(0, ptrace(PTRACE_DETACH, self->child, NULL, NULL));
}

/* M12, M13: short at the end, and an error behind it. */
TEST_F(inspect, proc_mem)
{
	char path[64], buffer[16] = { };
	off_t end = (uintptr_t)self->end;
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", self->child);
	mem = open(path, O_RDWR);
	ASSERT_LE(0, mem);
	EXPECT_EQ(16, pread(mem, buffer, 16, end - 16));
	EXPECT_EQ(0, memcmp(buffer, self->end - 16, 16));
	EXPECT_EQ(0, pool_read("dirty"));
	EXPECT_EQ(2, pwrite(mem, "in", 2, end - 16));
	EXPECT_EQ(0, memcmp("in", self->end - 16, 2));
	EXPECT_EQ(1, pool_read("dirty"));
	EXPECT_EQ(8, pread(mem, buffer, 16, end - 8));
	EXPECT_EQ(8, pwrite(mem, buffer, 16, end - 8));
	EXPECT_EQ(-1, pread(mem, buffer, 16, end));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, pwrite(mem, buffer, 16, end));
	EXPECT_EQ(EIO, errno);
	close(mem);
}

/* M12: not even a debugger writes to a shared mapping that is read-only. */
TEST_F(inspect, read_only_mapping)
{
	char *shared = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 0, 1);
	int mem = open("/proc/self/mem", O_RDWR);

	ASSERT_LE(0, mem);
	EXPECT_EQ(-1, pwrite(mem, "x", 1, (uintptr_t)shared));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(0, shared[0]);
	close(mem);
}

/* M14 */
TEST_F(inspect, process_vm)
{
	char buffer[16] = "written from far";
	struct iovec local = { buffer, 16 };
	struct iovec remote = { self->end - 16, 16 };
	struct iovec half = { self->end - 8, 16 };
	struct iovec past = { self->end, 16 };

	EXPECT_EQ(16, process_vm_writev(self->child, &local, 1, &remote, 1, 0));
	EXPECT_EQ(0, memcmp(self->end - 16, buffer, 16));
	EXPECT_EQ(1, pool_read("dirty"));
	EXPECT_EQ(8, process_vm_readv(self->child, &local, 1, &half, 1, 0));
	EXPECT_EQ(0, memcmp(self->end - 8, buffer, 8));
	EXPECT_EQ(-1, process_vm_readv(self->child, &local, 1, &past, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, process_vm_writev(self->child, &local, 1, &past, 1, 0));
	EXPECT_EQ(EFAULT, errno);
}

#define CORE	"/tmp/mmapdemo-core"

static bool leave_out(void *page)
{
	return !madvise(page, page_size, MADV_DONTDUMP);
}

/* Return: whether the made page @pgoff is in the core file. */
static bool core_has_page(size_t pgoff)
{
	int fd = open(CORE, O_RDONLY);
	off_t len = lseek(fd, 0, SEEK_END);
	char *core = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	/* Not from the heap: the next core would have it from there. */
	char *page = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool found = false;

	make_page(page, pgoff, 1);
	if (core != MAP_FAILED) {
		found = memmem(core, len, page, page_size);
		munmap(core, len);
	}
	munmap(page, page_size);
	close(fd);
	return found;
}

/* M15: bit 3 of the filter is for shared mappings of files, as this one. */
TEST_F(inspect, core_dump)
{
	size_t pgoff = self->dev.nr_pages - 2;
	struct core_dump dump = { .filter = "0xff" };

	if (access(CORE_PATTERN, W_OK))
		SKIP(return, "needs " CORE_PATTERN);
	make_page(self->p, pgoff, 1);
	make_page(self->p + page_size, pgoff + 1, 1);
	EXPECT_TRUE(dump_core(CORE, &dump));
	EXPECT_TRUE(core_has_page(pgoff));
	EXPECT_TRUE(core_has_page(pgoff + 1));
	dump.prepare = leave_out;
	dump.arg = self->p;
	EXPECT_TRUE(dump_core(CORE, &dump));
	EXPECT_FALSE(core_has_page(pgoff));
	EXPECT_TRUE(core_has_page(pgoff + 1));
	dump.filter = "0x07";
	EXPECT_TRUE(dump_core(CORE, &dump));
	EXPECT_FALSE(core_has_page(pgoff + 1));
	unlink(CORE);
}

/* Pages: twice the 4 MB that the group may have. */
#define MANY	((size_t)(8 << 20) / page_size)

struct cgroup_work {
	int fd;
	int flags;
};

static int child_fills_cgroup(void *arg)
{
	struct cgroup_work *work = arg;
	char *p = mmap(NULL, MANY * page_size, PROT_READ | PROT_WRITE,
		       work->flags, work->fd, 0);

	if (p == MAP_FAILED || !cgroup_join())
		return 1;
	return touch_pages(p, MANY, 1).sig;
}

/*
 * The device's own pages are charged to nobody, as other processes may use
 * them; private copies are, and then the group's OOM killer does its work.
 */
TEST_F(inspect, memory_cgroup)
{
	struct cgroup_work work = { self->fd, MAP_SHARED };
	const char *missing = cgroup_make("4194304");

	if (missing) {
		cgroup_remove();
		SKIP(return, "needs %s", missing);
	}
	EXPECT_EQ(0, in_child(child_fills_cgroup, &work));
	EXPECT_LE(self->dev.nr_pages < MANY ? self->dev.nr_pages : MANY,
		  pool_read("stored"));
	work.flags = MAP_PRIVATE;
	EXPECT_EQ(128 + SIGKILL, in_child(child_fills_cgroup, &work));
	cgroup_remove();
}

FIXTURE(inspect_gdb) {
	struct device dev;
	char *p;
};

FIXTURE_SETUP(inspect_gdb)
{
	device_setup(_metadata, &self->dev, false);
	self->p = map_shared(_metadata, self->dev.fd, 0, 1);
}

FIXTURE_TEARDOWN(inspect_gdb)
{
	device_teardown(_metadata, &self->dev);
}

/* Once will do: a debugger takes its time to start. */
TEST_F_TIMEOUT(inspect_gdb, prints_a_string, 90)
{
	char command[256], line[256];
	bool printed = false;
	pid_t child;
	FILE *gdb;

	if (system("command -v gdb >/dev/null"))
		SKIP(return, "needs gdb");
	child = start_waiting();
	write_text(self->p, "seen by gdb");
	snprintf(command, sizeof(command),
		 "gdb -nx -batch -p %d -ex 'x/s %p' 2>/dev/null", child,
		 self->p);
	gdb = popen(command, "r");
	ASSERT_NE(NULL, gdb);
	while (fgets(line, sizeof(line), gdb))
		printed |= !!strstr(line, "\"seen by gdb\"");
	EXPECT_EQ(0, pclose(gdb));
	EXPECT_TRUE(printed);
	kill(child, SIGKILL);
	EXPECT_EQ(child, waitpid(child, NULL, 0));
}

TEST_HARNESS_MAIN
