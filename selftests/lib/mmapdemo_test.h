/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the selftests share. Include it first: it brings the kernel's harness.
 *
 * Each test opens /dev/mmapdemo, finds it empty and leaves it empty. They read
 * the device's counters, so nothing else may use it meanwhile. They need root
 * (module parameters, debugfs) and are skipped where something is missing.
 */
#ifndef MMAPDEMO_TEST_H
#define MMAPDEMO_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "access.h"
#include "../../module/uapi/mmapdemo.h"

/* A busy host can be ten times slower than its emulated CPU ever is. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	300

#define DEVICE		"/dev/mmapdemo"
#define STATS		"/sys/kernel/debug/mmapdemo/stats"
#define POOL		"/sys/kernel/debug/mmapdemo/pool"
#define PARAMETERS	"/sys/module/mmapdemo/parameters/"
#define FAULT_AROUND	"/sys/kernel/debug/fault_around_bytes"

/* The tests use the first pages of the device, and its end. */
#define MIN_SIZE	(2 * 1024 * 1024)

static size_t page_size;

/* Runs before the harness does: without these there is nothing to test. */
static void __attribute__((constructor)) require_device(void)
{
	const char *missing = NULL;
	int fd = open(DEVICE, O_RDWR);

	page_size = sysconf(_SC_PAGESIZE);
	if (fd < 0)
		missing = errno == EACCES ? "root" : "the module (" DEVICE ")";
	else if (lseek(fd, 0, SEEK_END) < MIN_SIZE)
		missing = "a device of at least 2M";
	else if (access(STATS, R_OK))
		missing = "debugfs (" STATS ")";
	else if (access(PARAMETERS "fault_mode", W_OK))
		missing = "root (" PARAMETERS "fault_mode)";
	close(fd);
	if (missing) {
		ksft_print_header();
		ksft_exit_skip("needs %s\n", missing);
	}
}

/* The number in the line "@name number" of @file. */
static inline long read_figure(const char *file, const char *name)
{
	size_t len = strlen(name);
	FILE *f = fopen(file, "r");
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, name, len) && strchr(": \t", line[len])) {
			fclose(f);
			return atol(line + len + 1);
		}
	}
	fprintf(stderr, "%s: no line \"%s\"\n", file, name);
	abort();
}

/* A counter, which only grows: see module/stats.c. */
static inline long stat_read(const char *name)
{
	return read_figure(STATS, name);
}

/* A figure of the page pool and the store, in pages. */
static inline long pool_read(const char *name)
{
	return read_figure(POOL, name);
}

static inline int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t len = strlen(text);
	int err = 0;

	if (fd < 0 || write(fd, text, len) != len)
		err = -errno;
	close(fd);
	return err;
}

static inline int read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t len = read(fd, text, size - 1);

	close(fd);
	if (len < 0)
		return -errno;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

/*
 * How much one read fault maps, in either mode. As it comes that is 64K, which
 * may be a single page, with nothing around it: the tests are about some.
 */
#define WINDOW	16

static struct {
	const char *path;
	char old[32];
} windows[] = { { FAULT_AROUND, "" }, { PARAMETERS "fault_around", "" } };

static void __attribute__((constructor)) widen_windows(void)
{
	char text[32] = "", bytes[32];
	size_t i;

	snprintf(bytes, sizeof(bytes), "%zu", WINDOW * page_size);
	for (i = 0; i < ARRAY_SIZE(windows); i++)
		if (!read_file(windows[i].path, text, sizeof(text)) &&
		    strtoul(text, NULL, 10) < WINDOW * page_size &&
		    !write_file(windows[i].path, bytes))
			memcpy(windows[i].old, text, sizeof(text));
}

static void __attribute__((destructor)) restore_windows(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(windows); i++)
		if (windows[i].old[0])
			write_file(windows[i].path, windows[i].old);
}

static inline int discard(int fd, size_t pgoff, size_t nr)
{
	struct mmapdemo_discard arg = {
		.start	= pgoff * page_size,
		.len	= nr * page_size,
	};

	return ioctl(fd, MMAPDEMO_IOC_DISCARD, &arg);
}

static inline int resize(int fd, size_t nr)
{
	struct mmapdemo_resize arg = { .size = nr * page_size };

	return ioctl(fd, MMAPDEMO_IOC_RESIZE, &arg);
}

static inline double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/*
 * The size that the module was loaded with. Where an ASSERT ends a test its
 * teardown may not run: the next one, here or in another program, shall not
 * suffer from that.
 */
static void __attribute__((constructor(101))) restore_size(void)
{
	struct mmapdemo_resize arg = { 0 };
	char size[32] = "";
	int fd = open(DEVICE, O_RDWR);

	read_file(PARAMETERS "size", size, sizeof(size));
	arg.size = strtoull(size, NULL, 0);
	ioctl(fd, MMAPDEMO_IOC_RESIZE, &arg);
	close(fd);
}

/* What FIXTUREs embed. */
struct device {
	int fd;
	size_t nr_pages;
	char old_mode[32];
};

static inline void device_setup(struct __test_metadata *_metadata,
				struct device *dev, bool insert)
{
	restore_size();
	ASSERT_EQ(0, read_file(PARAMETERS "fault_mode", dev->old_mode,
			       sizeof(dev->old_mode)));
	ASSERT_EQ(0, write_file(PARAMETERS "fault_mode",
				insert ? "insert" : "map_pages"));
	dev->fd = open(DEVICE, O_RDWR);
	ASSERT_LE(0, dev->fd);
	dev->nr_pages = lseek(dev->fd, 0, SEEK_END) / page_size;
	ASSERT_EQ(0, lseek(dev->fd, 0, SEEK_SET));
	ASSERT_EQ(0, discard(dev->fd, 0, dev->nr_pages));
}

static inline void device_teardown(struct __test_metadata *_metadata,
				   struct device *dev)
{
	EXPECT_EQ(0, discard(dev->fd, 0, dev->nr_pages));
	EXPECT_EQ(0, pool_read("stored"));
	EXPECT_EQ(0, pool_read("dirty"));
	EXPECT_EQ(0, write_file(PARAMETERS "fault_mode", dev->old_mode));
	close(dev->fd);
}

/* The variants of a FIXTURE whose tests are to pass in both fault modes. */
#define FAULT_MODES(fixture)						\
	FIXTURE_VARIANT(fixture) {					\
		bool insert;						\
	};								\
	FIXTURE_VARIANT_ADD(fixture, map_pages) {			\
		.insert = false,					\
	};								\
	FIXTURE_VARIANT_ADD(fixture, insert) {				\
		.insert = true,						\
	}

/* A FIXTURE that has the device and nothing else, in both of them. */
#define DEVICE_FIXTURE(fixture)						\
	FIXTURE(fixture) {						\
		struct device dev;					\
		int fd;							\
	};								\
	FAULT_MODES(fixture);						\
	FIXTURE_SETUP(fixture)						\
	{								\
		device_setup(_metadata, &self->dev, variant->insert);	\
		self->fd = self->dev.fd;				\
	}								\
	FIXTURE_TEARDOWN(fixture)					\
	{								\
		device_teardown(_metadata, &self->dev);			\
	}

/* Mappings of @nr pages from page @pgoff on; fail the test if they fail. */
static inline char *map(struct __test_metadata *_metadata, int fd, int prot,
			int flags, size_t pgoff, size_t nr)
{
	char *p = mmap(NULL, nr * page_size, prot, flags, fd,
		       pgoff * page_size);

	ASSERT_NE(MAP_FAILED, p);
	return p;
}

static inline char *map_shared(struct __test_metadata *_metadata, int fd,
			       size_t pgoff, size_t nr)
{
	return map(_metadata, fd, PROT_READ | PROT_WRITE, MAP_SHARED, pgoff,
		   nr);
}

static inline char *map_private(struct __test_metadata *_metadata, int fd,
				size_t pgoff, size_t nr)
{
	return map(_metadata, fd, PROT_READ | PROT_WRITE, MAP_PRIVATE, pgoff,
		   nr);
}

/* What one page table maps, or more: no entry in it is shorter than a long. */
static inline size_t table_span(void)
{
	return page_size / sizeof(long) * page_size;
}

/* Addresses with nothing behind them, on a boundary of page tables. */
static inline char *reserve(struct __test_metadata *_metadata, size_t nr)
{
	size_t align = table_span(), len = nr * page_size + align;
	char *p = mmap(NULL, len, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *start = (char *)(((uintptr_t)p + align - 1) & -align);

	ASSERT_NE(MAP_FAILED, p);
	return start;
}

/* A mapping there: no window of fault-around begins in its middle. */
static inline char *map_aligned(struct __test_metadata *_metadata, int fd,
				int prot, int flags, size_t pgoff, size_t nr)
{
	char *p = reserve(_metadata, nr);

	ASSERT_EQ(p, mmap(p, nr * page_size, prot, flags | MAP_FIXED, fd,
			  pgoff * page_size));
	return p;
}

/*
 * A page's contents, different for each page and @seed and in each word: a
 * page at the wrong place, or a shifted one, is noticed.
 */
static inline void make_page(void *page, size_t pgoff, unsigned int seed)
{
	__u64 *word = page, first = (__u64)(seed + 1) << 56 | pgoff << 20;
	size_t i;

	for (i = 0; i < page_size / sizeof(*word); i++)
		word[i] = first | i;
}

/* Writes @nr made pages with write(2). Return: whether all went in. */
static inline bool fill(int fd, size_t pgoff, size_t nr, unsigned int seed)
{
	char *page = calloc(1, page_size);
	bool ok = true;

	for (; ok && nr; nr--, pgoff++) {
		make_page(page, pgoff, seed);
		ok = pwrite(fd, page, page_size, pgoff * page_size) ==
		     (ssize_t)page_size;
	}
	free(page);
	return ok;
}

/* Return: which of @nr pages at @p is not as made; -1: each is. */
static inline long bad_page(const char *p, size_t pgoff, size_t nr,
			    unsigned int seed)
{
	char *page = calloc(1, page_size);
	long bad = -1;
	size_t i;

	for (i = 0; i < nr && bad < 0; i++) {
		make_page(page, pgoff + i, seed);
		if (memcmp(p + i * page_size, page, page_size))
			bad = i;
	}
	free(page);
	return bad;
}

/* The same for what read(2) sees. */
static inline long bad_read(int fd, size_t pgoff, size_t nr, unsigned int seed)
{
	char *pages = malloc(nr * page_size);
	long bad = -2;

	if (pread(fd, pages, nr * page_size, pgoff * page_size) ==
	    (ssize_t)(nr * page_size))
		bad = bad_page(pages, pgoff, nr, seed);
	free(pages);
	return bad;
}

/* Return: the offset of the first byte that is not zero; -1: all are. */
static inline long nonzero(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i])
			return i;
	return -1;
}

/* What /proc/self/pagemap says of the page at @p. */
static inline __u64 pagemap_entry(const void *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	__u64 entry = 0;

	if (pread(fd, &entry, sizeof(entry),
		  (uintptr_t)p / page_size * sizeof(entry)) != sizeof(entry))
		abort();
	close(fd);
	return entry;
}

/* Whether this process has a page-table entry for @p. */
static inline bool is_mapped(const void *p)
{
	return pagemap_entry(p) >> 63;
}

static inline long count_mapped(const char *p, size_t nr)
{
	long mapped = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		mapped += is_mapped(p + i * page_size);
	return mapped;
}

/* The signal that an access got, as siginfo tells it; all 0: none. */
struct trap {
	int sig;
	int code;
	void *addr;
};

static __thread sigjmp_buf trap_env;
static __thread sig_atomic_t trap_armed;
static __thread struct trap trap_seen;
static __thread size_t trap_count;

static inline void trap_handler(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (!trap_armed) {
		/* Not one that a test asked for: let it kill. */
		signal(sig, SIG_DFL);
		return;
	}
	trap_seen = (struct trap){ sig, info->si_code, info->si_addr };
	siglongjmp(trap_env, 1);
}

/* Once for all threads, as handlers are the process's. */
static void __attribute__((constructor)) catch_signals(void)
{
	struct sigaction act = {
		.sa_sigaction = trap_handler, .sa_flags = SA_SIGINFO,
	};

	sigaction(SIGBUS, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
}

/*
 * Reads the first byte of @nr pages; or, with @value not negative, writes it
 * there, up to the first signal. Leaves in trap_count how many went well.
 */
static inline struct trap touch_pages(char *p, size_t nr, int value)
{
	trap_seen = (struct trap){ 0 };
	trap_count = 0;
	trap_armed = 1;
	if (!sigsetjmp(trap_env, 1)) {
		for (; trap_count < nr; trap_count++) {
			if (value < 0)
				read_byte(p + trap_count * page_size);
			else
				write_byte(p + trap_count * page_size, value);
		}
	}
	trap_armed = 0;
	return trap_seen;
}

static inline struct trap touch(char *p, int value)
{
	return touch_pages(p, 1, value);
}

#define EXPECT_ERRNO(error, call) do {		\
	EXPECT_EQ(-1, call);			\
	EXPECT_EQ(error, errno);		\
} while (0)

#define EXPECT_TRAP(p, value, signal, si, where) do {		\
	struct trap trap_ = touch(p, value);			\
								\
	EXPECT_EQ(signal, trap_.sig);				\
	EXPECT_EQ(si, trap_.code);				\
	EXPECT_EQ((void *)(where), trap_.addr);			\
} while (0)

/* Reads one byte of each of @nr pages. */
static inline void read_pages(const char *p, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		read_byte(p + i * page_size);
}

/* Writes one byte of each of @nr pages. */
static inline void write_pages(char *p, size_t nr, char value)
{
	size_t i;

	for (i = 0; i < nr; i++)
		write_byte(p + i * page_size, value);
}

/*
 * Runs @fn in a child. Return: what @fn returned, as an exit status, or 128
 * plus the signal that ended the child. Not for ASSERTs: on older kernels'
 * harness they do not reach the parent.
 */
static inline int in_child(int (*fn)(void *), void *arg)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(fn(arg));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif /* MMAPDEMO_TEST_H */
