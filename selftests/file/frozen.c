// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a node of the device on a file system that is frozen (fsfreeze, a
 * snapshot of its disk) is as good as any: nobody who uses it waits for the thaw,
 * nor does anybody else, only the node's times stay as they are. That the kernel
 * has nothing to report, whoever runs the tests looks at. Where the node's times
 * are kept otherwise is in times.c. Each test runs with each file system that can
 * be frozen, in both fault modes.
 *
 * Needs: loop devices; the file system, and its mkfs; see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "pin.h"

#include <linux/fs.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define MOUNT		"/tmp/mmapdemo-frozen"
#define NODE		MOUNT "/node"

/* xfs takes no smaller disk. It is as sparse as the file system on it. */
#define DISK_SIZE	(320 << 20)

/* How long anybody may take who waits for nothing, in seconds. */
#define PATIENCE	60

/* Pages: those that are there, of which each call uses its own. */
#define NR		8

FIXTURE(frozen) {
	struct device dev;
	struct loop_disk disk;
	int fd;			/* the device, by its usual node */
	int frozen;		/* the same, by the node that is frozen */
	int dir;		/* of the latter */
	char *p;		/* 2 * NR pages through it; NR are present */
};

FIXTURE_VARIANT(frozen) {
	const char *type, *config, *mkfs, *options;
	bool insert;
};

#define EXT4	.type = "ext4", .config = "CONFIG_EXT4_FS",	\
		.mkfs = "mkfs.ext4", .options = "-q -F"
#define XFS	.type = "xfs", .config = "CONFIG_XFS_FS",	\
		.mkfs = "mkfs.xfs", .options = "-q -f"

FIXTURE_VARIANT_ADD(frozen, ext4_map_pages) { EXT4 };
FIXTURE_VARIANT_ADD(frozen, ext4_insert) { EXT4, .insert = true };
FIXTURE_VARIANT_ADD(frozen, xfs_map_pages) { XFS };
FIXTURE_VARIANT_ADD(frozen, xfs_insert) { XFS, .insert = true };

static bool has_program(const char *name)
{
	char command[64];

	snprintf(command, sizeof(command), "command -v %s >/dev/null", name);
	return !system(command);
}

/* Return: what is missing; NULL: nothing, and it is on the disk, and mounted. */
static const char *mount_disk(const struct loop_disk *disk,
			      const FIXTURE_VARIANT(frozen) *variant)
{
	char command[128], path[32];
	int failed;

	if (!has_program(variant->mkfs))
		return variant->mkfs;
	snprintf(command, sizeof(command), "%s %s /proc/self/fd/%d >&2",
		 variant->mkfs, variant->options, disk->file);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", disk->fd);
	if (system(command))
		abort();
	snprintf(command, sizeof(command), "modprobe -q %s", variant->type);
	mkdir(MOUNT, 0700);
	failed = mount(path, MOUNT, variant->type, 0, NULL);
	if (failed && errno == ENODEV && !system(command))
		failed = mount(path, MOUNT, variant->type, 0, NULL);
	if (failed && errno != ENODEV)
		abort();
	return failed ? variant->config : NULL;
}

static int freeze(FIXTURE_DATA(frozen) *self)
{
	return ioctl(self->dir, FIFREEZE, 0);
}

static int thaw(FIXTURE_DATA(frozen) *self)
{
	return ioctl(self->dir, FITHAW, 0);
}

FIXTURE_SETUP(frozen)
{
	const char *missing;
	char path[512];
	struct stat st;

	/* mkfs is not on every root's path. */
	snprintf(path, sizeof(path), "%s:/usr/sbin:/sbin", getenv("PATH"));
	setenv("PATH", path, 1);
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	if (!loop_disk_open(&self->disk, DISK_SIZE / page_size))
		DEVICE_SKIP(&self->dev, "needs loop devices (CONFIG_BLK_DEV_LOOP)");
	missing = mount_disk(&self->disk, variant);
	if (missing)
		DEVICE_SKIP(&self->dev, "needs %s", missing);
	ASSERT_EQ(0, fstat(self->fd, &st));
	ASSERT_EQ(0, mknod(NODE, S_IFCHR | 0600, st.st_rdev));
	self->frozen = open(NODE, O_RDWR);
	ASSERT_LE(0, self->frozen);
	self->dir = open(MOUNT, O_RDONLY);
	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	self->p = map_shared(_metadata, self->frozen, 0, 2 * NR);
	read_pages(self->p, NR);
	ASSERT_EQ(0, clean_all(self->fd));
	make_old(self->frozen);
	make_old(self->fd);
}

/* Whatever has become of the test: in the parent. */
FIXTURE_TEARDOWN_PARENT(frozen)
{
	int dir = open(MOUNT, O_RDONLY);

	ioctl(dir, FITHAW, 0);
	close(dir);
	umount2(MOUNT, MNT_DETACH);
	rmdir(MOUNT);
	device_reopen(_metadata, &self->dev);
	device_teardown(_metadata, &self->dev);
}

/* --- What may be done by a node. Return: whether it went well -------------- */

static bool by_write(int fd, char *p)
{
	(void)p;
	return pwrite(fd, "w", 1, 0) == 1;
}

static bool by_write_to_hole(int fd, char *p)
{
	(void)p;
	return pwrite(fd, "w", 1, NR * page_size) == 1;
}

static bool by_synced_write(int fd, char *p)
{
	struct iovec iov = { "w", 1 };

	(void)p;
	return pwritev2(fd, &iov, 1, page_size, RWF_SYNC) == 1;
}

static bool by_sendfile(int fd, char *p)
{
	int source = memfd_create("source", 0);
	bool ok;

	(void)p;
	ok = write(source, "w", 1) == 1 && !lseek(source, 0, SEEK_SET) &&
	     sendfile(fd, source, NULL, 1) == 1;
	close(source);
	return ok;
}

static bool by_store(int fd, char *p)
{
	(void)fd;
	return can_write(p + 2 * page_size, 's');
}

static bool by_store_to_hole(int fd, char *p)
{
	(void)fd;
	return can_write(p + (NR + 1) * page_size, 's');
}

static bool by_store_after_sync(int fd, char *p)
{
	p += 3 * page_size;
	return can_write(p, 's') && !fsync(fd) && can_write(p, 't') &&
	       !msync(p, page_size, MS_SYNC) && can_write(p, 'u');
}

static bool by_store_of_the_kernel(int fd, char *p)
{
	(void)fd;
	return !process_poke(getpid(), p + 4 * page_size, 'k');
}

static bool by_discard(int fd, char *p)
{
	return !discard(fd, 5, 1) && !p[5 * page_size];
}

static bool by_resize(int fd, char *p)
{
	size_t size = device_info(fd).size / page_size;

	(void)p;
	return !resize(fd, size + 1) && !resize(fd, size - 1) &&
	       !resize(fd, size);
}

struct use {
	const char *name;
	bool (*use)(int fd, char *p);
};

/* Each of them changes the times of a node that is not frozen. */
static const struct use changing[] = {
	{ "write", by_write },
	{ "write to a hole", by_write_to_hole },
	{ "synced write", by_synced_write },
	{ "sendfile", by_sendfile },
	{ "store", by_store },
	{ "store to a hole", by_store_to_hole },
	{ "store after a sync", by_store_after_sync },
	{ "store of the kernel", by_store_of_the_kernel },
	{ "discard", by_discard },
	{ "resize", by_resize },
};

static bool by_reads(int fd, char *p)
{
	char byte;

	read_byte(p + 6 * page_size);
	return pread(fd, &byte, 1, 6 * page_size) == 1;
}

static bool by_syncs(int fd, char *p)
{
	return !fsync(fd) && !fdatasync(fd) && !msync(p, page_size, MS_SYNC);
}

static bool by_harvest(int fd, char *p)
{
	(void)p;
	log_bits(fd, MMAPDEMO_DIRTY_LOG_CLEAR);
	return device_info(fd).size;
}

static bool by_private_store(int fd, char *p)
{
	p = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	return p != MAP_FAILED && can_write(p, 'p');
}

static bool by_opening(int fd, char *p)
{
	(void)p;
	fd = open(NODE, O_RDWR);
	return fd >= 0 && !close(fd);
}

static const struct use others[] = {
	{ "reads", by_reads },
	{ "syncs", by_syncs },
	{ "harvest", by_harvest },
	{ "private store", by_private_store },
	{ "opening it", by_opening },
};

/* Return: its exit status; -1: it is still at it. */
static int status_within(pid_t pid, double limit)
{
	double end = seconds() + limit;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (seconds() > end)
			return -1;
		usleep(1000);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/*
 * Uses the device in a child, which no signal ends if it waits for the thaw.
 * Return: whether it ended by itself, with what it wanted.
 */
static bool ends(FIXTURE_DATA(frozen) *self, const struct use *use, int fd,
		 char *p)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(!use->use(fd, p));
	status = status_within(pid, PATIENCE);
	if (status < 0) {
		thaw(self);
		waitpid(pid, NULL, 0);
		freeze(self);
	}
	return !status;
}

/* Through the frozen node, whose times stay; and then through the other one. */
static void use_frozen(struct __test_metadata *_metadata,
		       FIXTURE_DATA(frozen) *self, const struct use *use)
{
	struct use again = { "write", by_write };
	struct stat before, after;

	ASSERT_EQ(0, fstat(self->frozen, &before));
	EXPECT_TRUE(ends(self, use, self->frozen, self->p))
		TH_LOG("%s", use->name);
	ASSERT_EQ(0, fstat(self->frozen, &after));
	EXPECT_EQ(0, memcmp(&before.st_mtim, &after.st_mtim,
			    sizeof(before.st_mtim)))
		TH_LOG("%s", use->name);
	EXPECT_EQ(0, memcmp(&before.st_ctim, &after.st_ctim,
			    sizeof(before.st_ctim)))
		TH_LOG("%s", use->name);
	EXPECT_TRUE(ends(self, &again, self->fd, self->p))
		TH_LOG("%s, then a write", use->name);
}

TEST_F(frozen, nobody_waits)
{
	size_t i;

	ASSERT_EQ(0, freeze(self));
	for (i = 0; i < ARRAY_SIZE(changing); i++)
		use_frozen(_metadata, self, &changing[i]);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		use_frozen(_metadata, self, &others[i]);
	EXPECT_EQ(0, thaw(self));
	EXPECT_FALSE(is_new(self->frozen));
	/* What was written there is there. */
	EXPECT_EQ('w', self->p[NR * page_size]);
	EXPECT_EQ('s', self->p[2 * page_size]);
	EXPECT_EQ('s', self->p[(NR + 1) * page_size]);
	EXPECT_EQ('u', self->p[3 * page_size]);
	EXPECT_EQ('k', self->p[4 * page_size]);
}

/* The node that is not frozen keeps its times as ever, whoever froze another. */
TEST_F(frozen, other_nodes_keep_their_times)
{
	char *p = map_shared(_metadata, self->fd, 0, 2 * NR);
	size_t i;

	ASSERT_EQ(0, freeze(self));
	for (i = 0; i < ARRAY_SIZE(changing); i++) {
		make_old(self->fd);
		EXPECT_TRUE(ends(self, &changing[i], self->fd, p))
			TH_LOG("%s", changing[i].name);
		EXPECT_TRUE(is_new(self->fd))
			TH_LOG("%s", changing[i].name);
	}
	EXPECT_EQ(0, thaw(self));
	EXPECT_FALSE(is_new(self->frozen));
}

/* Thawed, it is a node as any other. */
TEST_F(frozen, times_change_after_the_thaw)
{
	size_t i;

	ASSERT_EQ(0, freeze(self));
	EXPECT_TRUE(ends(self, &changing[0], self->frozen, self->p));
	ASSERT_EQ(0, thaw(self));
	EXPECT_FALSE(is_new(self->frozen));
	for (i = 0; i < ARRAY_SIZE(changing); i++) {
		make_old(self->frozen);
		EXPECT_TRUE(ends(self, &changing[i], self->frozen, self->p))
			TH_LOG("%s", changing[i].name);
		EXPECT_TRUE(is_new(self->frozen))
			TH_LOG("%s", changing[i].name);
	}
}

/* Uses the node for ever, and counts how often. */
static void keep_using(FIXTURE_DATA(frozen) *self, unsigned long *rounds)
{
	size_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		for (i = 0; i < ARRAY_SIZE(changing); i++)
			if (!changing[i].use(self->frozen, self->p))
				_exit(1);
		__atomic_add_fetch(rounds, 1, __ATOMIC_RELAXED);
	}
}

/* Return: whether it goes through all of them once more, from the start. */
static bool goes_on(pid_t pid, const unsigned long *rounds)
{
	double end = seconds() + PATIENCE;
	unsigned long first = __atomic_load_n(rounds, __ATOMIC_RELAXED);

	while (__atomic_load_n(rounds, __ATOMIC_RELAXED) < first + 2) {
		if (seconds() > end || waitpid(pid, NULL, WNOHANG))
			return false;
		usleep(1000);
	}
	return true;
}

/* Frozen and thawed under the hands of somebody who uses it. */
TEST_F(frozen, while_it_is_used)
{
	unsigned long *rounds = results_alloc(sizeof(*rounds));
	int i, status;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, (void *)rounds);
	pid = fork();
	if (!pid)
		keep_using(self, rounds);
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(0, freeze(self));
		ASSERT_TRUE(goes_on(pid, rounds));
		EXPECT_EQ(0, thaw(self));
		/* It may be seen in the middle of one as well. */
		usleep(i * 100);
	}
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
}

TEST_HARNESS_MAIN
