// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what an access meets before a handler of the driver is asked, and
 * what it is told afterwards: the signal with its code and address, EFAULT for
 * a system call, the counts of faults, and which lock the handlers run under.
 * Each test runs in both fault modes; where they differ, the test says how.
 *
 * The ids (E02, ...) name the branches of mmap that a test proves.
 * Needs: a CPU with protection keys, tracefs where a test says so; see
 * mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "ftrace.h"

#include <sys/resource.h>
#include <sys/uio.h>

#define NR	64

FIXTURE(fault_entry) {
	struct device dev;
	int fd;
	struct counters before;
};

FAULT_MODES(fault_entry);

FIXTURE_SETUP(fault_entry)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	counters_start(&self->before);
}

FIXTURE_TEARDOWN(fault_entry)
{
	device_teardown(_metadata, &self->dev);
}

/* How often ->fault ran since the test began. */
#define EXPECT_FAULTS(read, write, cow)					\
	EXPECT_COUNTED(&self->before, { "fault_read", read },		\
		       { "fault_write", write }, { "fault_cow", cow })

/*
 * E02: what the VMA does not allow is none of the driver's business; it is
 * not asked, present or not.
 */
TEST_F(fault_entry, E02_no_permission)
{
	static const int types[] = { MAP_SHARED, MAP_PRIVATE };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		char *none = map(_metadata, self->fd, PROT_NONE, types[i], 0, 1);
		char *ro = map(_metadata, self->fd, PROT_READ, types[i], 0, 1);

		EXPECT_TRAP(none, -1, SIGSEGV, SEGV_ACCERR, none);
		EXPECT_TRAP(none + 7, 1, SIGSEGV, SEGV_ACCERR, none + 7);
		EXPECT_EXEC_TRAP(none, SIGSEGV, SEGV_ACCERR, none);
		EXPECT_TRAP(ro + 9, 1, SIGSEGV, SEGV_ACCERR, ro + 9);
		EXPECT_FALSE(is_mapped(none));
		EXPECT_FALSE(is_mapped(ro));
	}
	EXPECT_FAULTS(0, 0, 0);
	EXPECT_EQ(0, pool_read("stored"));
}

/*
 * E02: what may be read cannot be executed, or written, for that. On x86 the
 * first attempt to execute brings the page in all the same: where none is
 * present it counts as a read (arch/x86/mm/fault.c, access_error()).
 */
TEST_F(fault_entry, E02_no_permission_to_execute)
{
	char *p = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 0, 1);
	long mkwrite = stat_read("mkwrite");

	if (!can_forbid_execution())
		SKIP(return, NEEDS_NX);
	EXPECT_EXEC_TRAP(p, SIGSEGV, SEGV_ACCERR, p);
	EXPECT_FAULTS(is_mapped(p), 0, 0);
#ifdef __x86_64__
	EXPECT_TRUE(is_mapped(p));
#endif
	ASSERT_EQ(CODE_LEN, pwrite(self->fd, CODE, CODE_LEN, 0));
	EXPECT_TRAP(p, -1, 0, 0, NULL);
	EXPECT_EXEC_TRAP(p, SIGSEGV, SEGV_ACCERR, p);
	EXPECT_TRAP(p, 1, SIGSEGV, SEGV_ACCERR, p);
	EXPECT_EQ(0, memcmp(p, CODE, CODE_LEN));
	EXPECT_EQ(mkwrite, stat_read("mkwrite"));
	if (mprotect(p, page_size, PROT_READ | PROT_EXEC))
		SKIP(return, "needs /dev without noexec");
	EXPECT_EXEC_TRAP(p, 0, 0, NULL);
}

/*
 * E03: a key that denies says so, before the driver is asked. Whoever catches
 * the signal has the rights that a new process has, so they are set each time.
 */
TEST_F(fault_entry, E03_protection_key)
{
	char *p = map_shared(_metadata, self->fd, 0, 2);
	int key = pkey_alloc(0, 0);

	if (key < 0)
		SKIP(return, "needs protection keys: the CPU's, the kernel's");
	ASSERT_EQ(0, pkey_mprotect(p, 2 * page_size, PROT_READ | PROT_WRITE,
				   key));
	pkey_set(key, PKEY_DISABLE_ACCESS);
	EXPECT_TRAP(p + 3, -1, SIGSEGV, SEGV_PKUERR, p + 3);
	pkey_set(key, PKEY_DISABLE_ACCESS);
	EXPECT_TRAP(p, 1, SIGSEGV, SEGV_PKUERR, p);
	pkey_set(key, PKEY_DISABLE_WRITE);
	EXPECT_TRAP(p, 1, SIGSEGV, SEGV_PKUERR, p);
	EXPECT_FAULTS(0, 0, 0);

	pkey_set(key, PKEY_DISABLE_WRITE);
	EXPECT_TRAP(p, -1, 0, 0, NULL);
	EXPECT_FAULTS(1, 0, 0);
	EXPECT_TRAP(p, 1, SIGSEGV, SEGV_PKUERR, p);
	EXPECT_EQ(0, pool_read("dirty"));
	pkey_set(key, 0);
	EXPECT_TRAP(p, 1, 0, 0, NULL);
	EXPECT_EQ(1, pool_read("dirty"));
	EXPECT_FAULTS(1, 0, 0);
	munmap(p, 2 * page_size);
	pkey_free(key);
}

/* What some accesses cost, as the kernel counts it. */
struct cost {
	long minor, major;	/* of this process: those that went well */
	long all;		/* of the system: those and others */
	struct trap trap;
};

static struct cost cost_of(char *p, size_t nr, int value)
{
	struct rusage before, after;
	struct cost cost;
	size_t i;

	cost.all = read_figure("/proc/vmstat", "pgfault");
	getrusage(RUSAGE_SELF, &before);
	for (i = 0; i < nr; i++)
		cost.trap = touch(p + i * page_size, value);
	getrusage(RUSAGE_SELF, &after);
	cost.all = read_figure("/proc/vmstat", "pgfault") - cost.all;
	cost.minor = after.ru_minflt - before.ru_minflt;
	cost.major = after.ru_majflt - before.ru_majflt;
	return cost;
}

/* The test's own code, data and stack may fault as well, a few times. */
#define FEW	8

/*
 * E09: a fault that went well is a minor one of its process, and so is one
 * that the core had to start again under another lock. One that did not, is
 * not; the system counts both.
 */
TEST_F(fault_entry, E09_rusage)
{
	size_t end = self->dev.nr_pages;
	char *p = map_shared(_metadata, self->fd, end - NR, 2 * NR);
	struct cost cost = cost_of(p, NR, 1);

	EXPECT_EQ(0, cost.trap.sig);
	EXPECT_LE(NR, cost.minor);
	EXPECT_GT(NR + FEW, cost.minor);
	EXPECT_LE(NR, cost.all);
	EXPECT_EQ(0, cost.major);
	EXPECT_FAULTS(0, NR, 0);

	cost = cost_of(p + NR * page_size, NR, 1);
	EXPECT_EQ(SIGBUS, cost.trap.sig);
	EXPECT_GT(FEW, cost.minor);
	EXPECT_LE(NR, cost.all);
	EXPECT_EQ(0, cost.major);
	EXPECT_FAULTS(0, 2 * NR, 0);

	/* With its PTE there, an access costs nothing. */
	cost = cost_of(p, NR, 2);
	EXPECT_GT(FEW, cost.minor);
	EXPECT_EQ(0, cost.major);
}

/*
 * E10: what would be a signal is an EFAULT for a system call, which neither
 * kills nor is caught; and the driver is asked, or not, as for the program.
 */
TEST_F(fault_entry, E10_system_call)
{
	char *p = map_shared(_metadata, self->fd, self->dev.nr_pages - 1, 2);
	char *none = map(_metadata, self->fd, PROT_NONE, MAP_SHARED, 0, 1);
	char *ro = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 0, 1);
	char *gone = map_shared(_metadata, self->fd, 0, 1);
	char *past = p + page_size;
	int zero = open("/dev/zero", O_RDONLY), pipes[2];
	long sigbus = stat_read("sigbus_size");

	ASSERT_LE(0, zero);
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, munmap(gone, page_size));
	EXPECT_ERRNO(EFAULT, read(zero, none, 1));
	EXPECT_ERRNO(EFAULT, write(pipes[1], none, 1));
	EXPECT_ERRNO(EFAULT, read(zero, gone, 1));
	EXPECT_ERRNO(EFAULT, write(pipes[1], gone, 1));
	EXPECT_ERRNO(EFAULT, read(zero, ro, 1));
	EXPECT_FAULTS(0, 0, 0);
	EXPECT_EQ(1, write(pipes[1], ro, 1));
	EXPECT_FAULTS(1, 0, 0);

	EXPECT_ERRNO(EFAULT, read(zero, past, 1));
	EXPECT_ERRNO(EFAULT, write(pipes[1], past, 1));
	EXPECT_LE(sigbus + 2, stat_read("sigbus_size"));
	close(zero);
	close(pipes[0]);
	close(pipes[1]);
}

/* E10: what went well before the fault is the system call's result. */
TEST_F(fault_entry, E10_short_count)
{
	char *p = map_shared(_metadata, self->fd, self->dev.nr_pages - 1, 2);
	char *end = p + page_size - 16;
	int zero = open("/dev/zero", O_RDONLY);

	ASSERT_LE(0, zero);
	ASSERT_TRUE(fill(self->fd, 0, 1, 0));
	EXPECT_EQ(16, pread(self->fd, end, 32, 0));
	EXPECT_EQ(0, memcmp(p + page_size - 8, "\1\0\0\0\0\0\0\1", 8));
	EXPECT_EQ(16, pwrite(self->fd, end, 32, page_size));
	EXPECT_EQ((ssize_t)page_size, read(zero, p, 2 * page_size));
	EXPECT_EQ(-1, nonzero(p, page_size));
	close(zero);
}

/* How often an access takes the mmap_lock. */
static long locks_of(char *p, int value)
{
	ftrace_on();
	touch(p, value);
	ftrace_off();
	return ftrace_count("success=true");
}

/*
 * Whether the core faults under the mmap_lock whatever it meets, as it does
 * where there are no VMA locks: that is what a fault of anonymous memory shows.
 */
static bool always_locks(void)
{
	char *p = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* The first one needs the lock, for all that are like it. */
	return locks_of(p, 1) && locks_of(p + page_size, 1);
}

/*
 * E11, E12: since 6.7 a fault, and so ->fault, ->map_pages and ->page_mkwrite,
 * runs without the mmap_lock, provided that the operations have a ->map_pages
 * (mm/memory.c, vmf_can_call_fault()). Without, the core takes the lock and
 * begins again before it calls any of them.
 */
TEST_F(fault_entry, E11_E12_lock)
{
	int locks = variant->insert || kernel_before(6, 7);
	char *p = map_shared(_metadata, self->fd, 0, 4);
	long map_pages = stat_read("map_pages");
	long mkwrite = stat_read("mkwrite");

	if (!ftrace_event("mmap_lock/mmap_lock_acquire_returned")) {
		ftrace_end();
		SKIP(return, "needs the mmap_lock events of tracefs");
	}
	locks |= always_locks();
	/* It brings in the test's own code, and then there is no fault. */
	locks_of(p + 3 * page_size, 1);
	EXPECT_EQ(0, locks_of(p + 3 * page_size, 2));
	EXPECT_FAULTS(0, 1, 0);
	EXPECT_EQ(mkwrite + 1, stat_read("mkwrite"));

	/* ->fault and ->page_mkwrite at once, then one after the other. */
	EXPECT_EQ(locks, locks_of(p, 1));
	EXPECT_FAULTS(0, 2, 0);
	EXPECT_EQ(mkwrite + 2, stat_read("mkwrite"));
	EXPECT_EQ(locks, locks_of(p + page_size, -1));
	EXPECT_FAULTS(1, 2, 0);
	EXPECT_EQ(locks, locks_of(p + page_size, 1));
	EXPECT_EQ(mkwrite + 3, stat_read("mkwrite"));

	/* ->map_pages, for a page that is stored. */
	EXPECT_TRUE(fill(self->fd, 2, 1, 0));
	EXPECT_EQ(map_pages, stat_read("map_pages"));
	EXPECT_EQ(locks, locks_of(p + 2 * page_size, -1));
	EXPECT_FAULTS(1 + variant->insert, 2, 0);
	EXPECT_EQ(map_pages + !variant->insert, stat_read("map_pages"));
	ftrace_end();
}

TEST_HARNESS_MAIN
