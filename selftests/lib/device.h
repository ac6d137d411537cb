/* SPDX-License-Identifier: GPL-2.0-only */
/* The device: what a fixture finds, and leaves, of it; its ioctls; its nodes. */
#ifndef MMAPDEMO_DEVICE_H
#define MMAPDEMO_DEVICE_H

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "counters.h"
#include "files.h"
#include "harness.h"
#include "newer_uapi.h"
#include "process.h"
#include "../../module/uapi/mmapdemo.h"

#define DEVICE		DEVICE_FILE("/dev/%s")
/* What can be changed at run time. */
#define FAULT_MODE	DEVICE_FILE("/sys/class/misc/%s/fault_mode")
#define FAULT_WINDOW	DEVICE_FILE("/sys/class/misc/%s/fault_around")
#define PARAMETERS	"/sys/module/mmapdemo/parameters/"
#define FAULT_AROUND	"/sys/kernel/debug/fault_around_bytes"

/* The tests use the first pages of the device, and its end. */
#define MIN_SIZE	(2 * 1024 * 1024)

/*
 * How much one read fault maps, in either mode. As it comes that is 64K, which
 * may be a single page, with nothing around it: the tests are about some.
 */
#define WINDOW		16

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

static inline struct mmapdemo_info device_info(int fd)
{
	struct mmapdemo_info info = { 0 };

	if (ioctl(fd, MMAPDEMO_IOC_INFO, &info))
		perror("MMAPDEMO_IOC_INFO");
	return info;
}

/* --- What fixtures are made of ------------------------------------------- */

/* Return: what there is nothing to test without; NULL: all is there. */
static inline const char *device_lacks(void)
{
	int fd = open(DEVICE, O_RDWR), err = errno;

	if (fd < 0)
		return err == EACCES ? "root" :
		       DEVICE_FILE("the module (/dev/%s)");
	close(fd);
	if (access(STATS, R_OK))
		return DEVICE_FILE("debugfs (/sys/kernel/debug/%s)");
	if (access(FAULT_MODE, W_OK))
		return DEVICE_FILE("root (/sys/class/misc/%s/fault_mode)");
	return NULL;
}

/*
 * What a parameter is for this device: of a list, the value at its place. Return:
 * NULL: there is no such parameter.
 */
static inline const char *device_parameter(const char *name)
{
	unsigned int number = atoi(device_name() + strlen("mmapdemo"));
	static char text[2048];
	char path[128], *value, *next = text;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	if (read_file(path, text, sizeof(text)))
		return NULL;
	do {
		value = strsep(&next, ",");
	} while (next && number--);
	return value;
}

/* Gives it the size that the module was loaded with. */
static inline int restore_size(int fd)
{
	struct mmapdemo_resize arg = { 0 };
	const char *size = device_parameter("size");

	arg.size = size ? strtoull(size, NULL, 0) : 0;
	return ioctl(fd, MMAPDEMO_IOC_RESIZE, &arg);
}

/* What is everybody's, and a test changes. */
struct device_settings {
	struct setting mode;
	struct setting window[2];
};

static inline bool settings_change(struct device_settings *s, bool insert)
{
	const char *const path[] = { FAULT_AROUND, FAULT_WINDOW };
	char old[32], bytes[32];
	size_t i;

	snprintf(bytes, sizeof(bytes), "%zu", WINDOW * page_size);
	for (i = 0; i < ARRAY_SIZE(path); i++)
		if (!read_file(path[i], old, sizeof(old)))
			setting_change(&s->window[i], path[i],
				       strtoul(old, NULL, 10) <
				       WINDOW * page_size ? bytes : old);
	return setting_change(&s->mode, FAULT_MODE,
			      insert ? "insert" : "map_pages");
}

/* Return: whether all are as before, also those that the test has changed. */
static inline bool settings_restore(struct device_settings *s)
{
	bool ok = setting_restore(&s->mode);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(s->window); i++)
		ok &= setting_restore(&s->window[i]);
	return ok;
}

/* What FIXTUREs embed. */
struct device {
	int fd;
	size_t nr_pages;
	struct device_settings settings;
};

/* A test before may have ended without its teardown: so the size, here, too. */
static inline void device_setup(struct __test_metadata *_metadata,
				struct device *dev, bool insert)
{
	const char *lacks = device_lacks();

	if (lacks)
		SKIP_TEST("needs %s", lacks);
	process_setup();
	dev->fd = open(DEVICE, O_RDWR);
	ASSERT_LE(0, dev->fd);
	ASSERT_EQ(0, restore_size(dev->fd));
	if (lseek(dev->fd, 0, SEEK_END) < MIN_SIZE)
		SKIP_TEST("needs a device of at least 2M");
	ASSERT_TRUE(settings_change(&dev->settings, insert));
	dev->nr_pages = lseek(dev->fd, 0, SEEK_END) / page_size;
	ASSERT_EQ(0, lseek(dev->fd, 0, SEEK_SET));
	ASSERT_EQ(0, discard(dev->fd, 0, dev->nr_pages));
}

static inline void device_teardown(struct __test_metadata *_metadata,
				   struct device *dev)
{
	EXPECT_EQ(0, restore_size(dev->fd));
	EXPECT_EQ(0, discard(dev->fd, 0, dev->nr_pages));
	EXPECT_EQ(0, pool_read("stored"));
	EXPECT_EQ(0, pool_read("dirty"));
	EXPECT_EQ(0, pool_read("unsynced"));
	EXPECT_TRUE(settings_restore(&dev->settings));
	close(dev->fd);
}

/* As SKIP(), for a setup that finds out late what it needs. */
#define DEVICE_SKIP(dev, ...) do {		\
	device_teardown(_metadata, dev);	\
	SKIP_TEST(__VA_ARGS__);			\
} while (0)

/* For a FIXTURE_TEARDOWN_PARENT: the test is gone, and its files with it. */
static inline void device_reopen(struct __test_metadata *_metadata,
				 struct device *dev)
{
	process_setup();
	dev->fd = open(DEVICE, O_RDWR);
	EXPECT_LE(0, dev->fd);
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

/* --- The dirty log, the pool, the nodes ---------------------------------- */

/* How much of the device log_bits() shows, and how its bits are written. */
#define LOG_PAGES	64
static inline __u64 PAGES(unsigned int first, unsigned int nr)
{
	return nr < 64 ? ((1ULL << nr) - 1) << first : ~0ULL;
}

/*
 * The dirty log of the device's first pages, a bit for each. What breaks the
 * ioctl's promises about extents ends the test here.
 */
static inline __u64 log_bits(int fd, __u32 flags)
{
	struct mmapdemo_extent extents[LOG_PAGES];
	struct mmapdemo_dirty_log arg = {
		.len = LOG_PAGES * page_size,
		.extents = (uintptr_t)extents,
		.nr_extents = LOG_PAGES,
		.flags = flags,
	};
	__u64 bits = 0, last = 0;
	__u32 i;

	if (ioctl(fd, MMAPDEMO_IOC_DIRTY_LOG, &arg) || arg.len ||
	    arg.start != LOG_PAGES * page_size) {
		fprintf(stderr, "MMAPDEMO_IOC_DIRTY_LOG: %s\n",
			strerror(errno));
		abort();
	}
	for (i = 0; i < arg.nr_extents; i++) {
		__u64 start = extents[i].start, len = extents[i].len;

		/* Were they next to each other, they would be one. */
		if (start % page_size || len % page_size || !len ||
		    (i && start <= last) || start + len > arg.start) {
			fprintf(stderr, "bad extent %u: %llu+%llu\n", i,
				(unsigned long long)start,
				(unsigned long long)len);
			abort();
		}
		last = start + len;
		bits |= PAGES(start / page_size, len / page_size);
	}
	return bits;
}

/*
 * Forgets what was written so far: nothing is left to sync, nor in the log, and
 * the next write to each page is noticed. Return: 0, or as ioctl(2).
 */
static inline int clean_all(int fd)
{
	struct mmapdemo_extent extents[LOG_PAGES];
	struct mmapdemo_dirty_log arg = {
		.len = lseek(fd, 0, SEEK_END),
		.extents = (uintptr_t)extents,
		.flags = MMAPDEMO_DIRTY_LOG_CLEAR,
	};
	int err = fsync(fd) ?: lseek(fd, 0, SEEK_SET);

	while (!err && arg.len) {
		arg.nr_extents = LOG_PAGES;
		err = ioctl(fd, MMAPDEMO_IOC_DIRTY_LOG, &arg);
	}
	return err;
}

/*
 * Which of the device's first 64 pages a sync would clean, by what cachestat(2)
 * says of each. Return: whether this kernel has that (6.5).
 */
static inline bool unsynced_bits(int fd, __u64 *bits)
{
	struct cachestat_range range = { .len = page_size };
	struct cachestat stat;
	int i;

	*bits = 0;
	for (i = 0; i < LOG_PAGES; i++, range.off += page_size) {
		if (syscall(SYS_cachestat, fd, &range, &stat, 0))
			return false;
		if (stat.nr_dirty || stat.nr_writeback)
			*bits |= PAGES(i, 1);
	}
	return true;
}

/* Stores zeros from page @pgoff on, until the pool has room for @spare pages. */
static inline bool fill_pool(int fd, size_t pgoff, long spare)
{
	long left = pool_read("cap") - pool_read("stored") - spare;
	char *zeros = calloc(64, page_size);

	while (left > 0) {
		size_t nr = left < 64 ? left : 64;

		if (pwrite(fd, zeros, nr * page_size, pgoff * page_size) !=
		    (ssize_t)(nr * page_size))
			break;
		pgoff += nr;
		left -= nr;
	}
	free(zeros);
	return !left;
}

/*
 * How many hold the module: open files, of which a mapping is one as well.
 * Negative: it is built in, and stays for ever.
 */
static inline long module_users(void)
{
	char text[32];

	return read_file("/sys/module/mmapdemo/refcnt", text, sizeof(text)) ?
	       -1 : atol(text);
}

/* Opens the device through a node of the test's own; negative: no. */
static inline int open_second_node(int fd)
{
	const char *node = DEVICE_FILE("/dev/%s-test");
	struct stat st;

	unlink(node);
	if (fstat(fd, &st) || mknod(node, S_IFCHR | 0600, st.st_rdev))
		return -1;
	fd = open(node, O_RDWR);
	unlink(node);
	return fd;
}

/* Sets the times of a node to long ago. */
static inline void make_old(int fd)
{
	const struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

	if (futimens(fd, old))
		abort();
}

/* Whether the node was written since, as its mtime says. */
static inline bool is_new(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		abort();
	return st.st_mtim.tv_sec != 1;
}

/*
 * Opens the device by a node of its own in a file system that is mounted with
 * @flags (MS_NOEXEC, ...; /dev may have any), and that nobody else sees: when
 * this returns, only the open file keeps it. Return: the file; -1: it failed.
 */
static inline int open_on_mount(unsigned long flags)
{
	char dir[] = "/tmp/mmapdemo-XXXXXX", node[sizeof(dir) + 8];
	struct stat st;
	int fd = -1;

	if (stat(DEVICE, &st) || !mkdtemp(dir))
		return -1;
	snprintf(node, sizeof(node), "%s/node", dir);
	if (!mount("mmapdemo", dir, "tmpfs", flags, NULL)) {
		if (!mknod(node, S_IFCHR | 0600, st.st_rdev))
			fd = open(node, O_RDWR);
		umount2(dir, MNT_DETACH);
	}
	rmdir(dir);
	return fd;
}

#endif /* MMAPDEMO_DEVICE_H */
