// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves which limits of the system and of a process an mmap of the device
 * runs into, how exactly, and that what is refused leaves everything as it was:
 * the number of VMAs, locked memory, the address space, data and commit.
 * Each test runs in both fault modes.
 *
 * The ids (A10, C04, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; sysctls of vm, which are set back.
 */
#include "mmapdemo_test.h"
#include "resource_limits.h"
#include "proc.h"
#include "syscalls.h"

#define RW	(PROT_READ | PROT_WRITE)

DEVICE_FIXTURE(mmap_limits)

/*
 * So many VMAs that the limit can be set to what this process has without
 * another one's coming near it. The same page each time: they do not merge.
 */
static void map_many(struct __test_metadata *_metadata, int fd)
{
	int i;

	for (i = 0; i < 300; i++)
		map(_metadata, fd, PROT_READ, MAP_SHARED, 0, 1);
}

/* The test is for more than the limit: it can be passed by one. */
TEST_F(mmap_limits, A10_number_of_vmas)
{
	long old = sysctl_read(MAX_MAP_COUNT), max, mmaps;
	int made, error;

	map_many(_metadata, self->fd);
	mmaps = stat_read("mmap");
	max = map_count() + 2;
	ASSERT_EQ(0, sysctl_write(MAX_MAP_COUNT, max));
	for (made = 0; made < 10; made++)
		if (mmap(NULL, page_size, PROT_READ, MAP_SHARED, self->fd, 0) ==
		    MAP_FAILED)
			break;
	error = errno;
	ASSERT_EQ(0, sysctl_write(MAX_MAP_COUNT, old));
	EXPECT_EQ(3, made);
	EXPECT_EQ(ENOMEM, error);
	EXPECT_EQ(max + 1, map_count());
	EXPECT_EQ(mmaps + 3, stat_read("mmap"));
}

/* A hole in the middle makes two of one, a new mapping in it three. */
TEST_F(mmap_limits, C10_number_of_vmas_after_split)
{
	long old = sysctl_read(MAX_MAP_COUNT), max, mmaps, error;
	char *p = map_shared(_metadata, self->fd, 0, 8), *middle, *head;

	ASSERT_TRUE(fill(self->fd, 0, 16, 0));
	map_many(_metadata, self->fd);
	mmaps = stat_read("mmap");
	max = map_count();
	ASSERT_EQ(0, sysctl_write(MAX_MAP_COUNT, max));
	middle = mmap(p + 4 * page_size, page_size, PROT_READ,
		      MAP_SHARED | MAP_FIXED, self->fd, 8 * page_size);
	error = errno;
	head = mmap(p, page_size, PROT_READ, MAP_SHARED | MAP_FIXED, self->fd,
		    8 * page_size);
	ASSERT_EQ(0, sysctl_write(MAX_MAP_COUNT, old));
	EXPECT_EQ(MAP_FAILED, middle);
	EXPECT_EQ(ENOMEM, error);
	EXPECT_EQ(p, head);
	EXPECT_EQ(max + 1, map_count());
	EXPECT_EQ(mmaps + 1, stat_read("mmap"));
	EXPECT_EQ(-1, bad_page(p, 8, 1, 0));
	EXPECT_EQ(-1, bad_page(p + page_size, 1, 7, 0));
}

struct lock {
	int fd;
	bool privileged;
	size_t limit;		/* RLIMIT_MEMLOCK, and how much to map: pages */
	size_t nr_pages;
	off_t pgoff;
	bool future;		/* by mlockall(), not by MAP_LOCKED */
	size_t present;		/* how many of them populate must find */
};

/* Return: the errno of the mmap, or 0; a number above all errnos: what else. */
static int child_maps_locked(void *arg)
{
	const struct lock *lock = arg;
	int flags = MAP_SHARED | (lock->future ? 0 : MAP_LOCKED);
	char *p;

	if (!limit(RLIMIT_MEMLOCK, lock->limit * page_size) ||
	    (!lock->privileged && !drop_capability(CAP_IPC_LOCK)))
		return 200;
	if (lock->future && mlockall(MCL_FUTURE))
		return 201;
	p = mmap(NULL, lock->nr_pages * page_size, PROT_READ, flags, lock->fd,
		 lock->pgoff * page_size);
	if (p == MAP_FAILED)
		return errno;
	return count_mapped(p, lock->nr_pages) == (long)lock->present ? 0 : 202;
}

TEST_F(mmap_limits, A15_may_lock_nothing)
{
	struct lock lock = { .fd = self->fd, .nr_pages = 4, .present = 4 };
	long mmaps = stat_read("mmap");

	EXPECT_EQ(EPERM, in_child(child_maps_locked, &lock));
	EXPECT_EQ(mmaps, stat_read("mmap"));
	EXPECT_EQ(0, pool_read("stored"));
	lock.privileged = true;
	EXPECT_EQ(0, in_child(child_maps_locked, &lock));
	EXPECT_EQ(4, pool_read("stored"));
}

/* Whether it then counts as locked or not (C15), it is allowed by the limit. */
TEST_F(mmap_limits, A16_may_lock_so_much)
{
	struct lock lock = { .fd = self->fd, .limit = 4 };
	int future;

	for (future = 0; future < 2; future++) {
		long mmaps = stat_read("mmap");

		lock.future = future;
		lock.pgoff = 0;
		lock.nr_pages = 5;
		EXPECT_EQ(EAGAIN, in_child(child_maps_locked, &lock));
		EXPECT_EQ(mmaps, stat_read("mmap"));
		EXPECT_EQ(0, pool_read("stored"));
		lock.nr_pages = 4;
		lock.present = 4;
		EXPECT_EQ(0, in_child(child_maps_locked, &lock));
		EXPECT_EQ(4, pool_read("stored"));
		/* The end of the device ends the populating, not the mmap. */
		lock.pgoff = self->dev.nr_pages - 3;
		lock.present = 3;
		EXPECT_EQ(0, in_child(child_maps_locked, &lock));
		ASSERT_EQ(0, discard(self->fd, 0, self->dev.nr_pages));
	}
}

struct space {
	int fd;
	char *p;		/* 64 pages of a mapping, and one of nothing */
};

/* Return: 0, or which of its steps went wrong. */
static int child_has_no_address_space(void *arg)
{
	const struct space *space = arg;
	const int fixed = MAP_SHARED | MAP_FIXED;
	char *p = space->p;
	size_t kib;

	read_figure("/proc/self/status", "VmSize");
	kib = read_figure("/proc/self/status", "VmSize");
	if (!limit(RLIMIT_AS, kib * 1024))
		return 1;
	if (mmap_errno(space->fd, 1, PROT_READ, MAP_SHARED, 0) != ENOMEM)
		return 2;
	/* It does not count what it replaces, and counts what it does not. */
	if (mmap(p, 65 * page_size, PROT_READ, fixed, space->fd, 0) !=
	    MAP_FAILED || errno != ENOMEM)
		return 3;
	if (p[0] != 1 || p[63 * page_size] != 64)
		return 4;
	if (mmap(p, 64 * page_size, PROT_READ, fixed, space->fd,
		 64 * page_size) != p)
		return 5;
	return p[0] != 65 || p[63 * page_size] != (char)128 ? 6 : 0;
}

TEST_F(mmap_limits, C04_address_space)
{
	struct space space = { self->fd, reserve(_metadata, 65) };
	const size_t pgoff[] = { 0, 63, 64, 127 };
	long mmaps;
	size_t i;

	ASSERT_EQ(0, munmap(space.p + 64 * page_size, page_size));
	ASSERT_EQ(space.p, mmap(space.p, 64 * page_size, PROT_READ,
				MAP_SHARED | MAP_FIXED, self->fd, 0));
	for (i = 0; i < ARRAY_SIZE(pgoff); i++) {
		char number = pgoff[i] + 1;

		ASSERT_EQ(1, pwrite(self->fd, &number, 1,
				    pgoff[i] * page_size));
	}
	mmaps = stat_read("mmap");
	EXPECT_EQ(0, in_child(child_has_no_address_space, &space));
	EXPECT_EQ(mmaps + 1, stat_read("mmap"));
}

static int child_has_no_data(void *arg)
{
	int fd = *(int *)arg;
	size_t kib;

	read_figure("/proc/self/status", "VmData");
	kib = read_figure("/proc/self/status", "VmData");
	if (!limit(RLIMIT_DATA, kib * 1024 + page_size))
		return 1;
	if (mmap_errno(fd, page_size, RW, MAP_PRIVATE, 0))
		return 2;
	if (mmap_errno(fd, 2 * page_size, RW, MAP_PRIVATE, 0) != ENOMEM)
		return 3;
	if (mmap_errno(fd, 2 * page_size, PROT_READ, MAP_PRIVATE, 0))
		return 4;
	return mmap_errno(fd, 2 * page_size, RW, MAP_SHARED, 0) ? 5 : 0;
}

/*
 * How many lines of the kernel's log have @text. *@complete: whether the log
 * still has its first line.
 */
static int count_logged(const char *text, bool *complete)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK), count = 0;
	unsigned long seq = -1, first = -1;
	char line[8192];
	ssize_t len;

	for (;;) {
		len = read(kmsg, line, sizeof(line) - 1);
		if (len < 0 && errno == EPIPE)
			continue;
		if (len <= 0)
			break;
		line[len] = '\0';
		if (sscanf(line, "%*u,%lu", &seq) == 1 && first == -1UL)
			first = seq;
		count += !!strstr(line, text);
	}
	close(kmsg);
	*complete = first == 0;
	return count;
}

/* The warning comes once as long as the kernel runs, whoever the first is. */
TEST_F(mmap_limits, C05_data)
{
	long mmaps = stat_read("mmap");
	bool complete;
	int warnings;

	EXPECT_EQ(0, in_child(child_has_no_data, &self->fd));
	EXPECT_EQ(mmaps + 3, stat_read("mmap"));
	EXPECT_EQ(0, in_child(child_has_no_data, &self->fd));
	warnings = count_logged("exceed data ulimit", &complete);
	EXPECT_GE(1, warnings);
	if (complete)
		EXPECT_EQ(1, warnings);
}

/*
 * Of a mapping of the device the core charges what may be copied: private and
 * writable. MAP_NORESERVE is heeded unless overcommit is forbidden.
 */
TEST_F(mmap_limits, A30_C06_commit)
{
	static const struct {
		int prot, flags;
		int error[3];	/* by vm.overcommit_memory */
		const char *flag[3];
	} c[] = {
		{ RW, MAP_PRIVATE, { ENOMEM, 0, ENOMEM }, { "ac", "ac", "ac" } },
		{ RW, MAP_PRIVATE | MAP_NORESERVE, { 0, 0, ENOMEM },
		  { "nr", "nr", "ac" } },
		{ PROT_READ, MAP_PRIVATE, { 0, 0, 0 }, { } },
		{ RW, MAP_SHARED, { 0, 0, 0 }, { } },
	};
	int mode, error[3][ARRAY_SIZE(c)];
	char *small[3][ARRAY_SIZE(c)];
	size_t i, too_much = pages_beyond_memory() * page_size;
	long old = sysctl_read(OVERCOMMIT);

	for (mode = 0; mode < 3; mode++) {
		sysctl_write(OVERCOMMIT, mode);
		for (i = 0; i < ARRAY_SIZE(c); i++) {
			error[mode][i] = mmap_errno(self->fd, too_much,
						    c[i].prot, c[i].flags, 0);
			small[mode][i] = mmap(NULL, page_size, c[i].prot,
					      c[i].flags, self->fd, 0);
		}
	}
	ASSERT_EQ(0, sysctl_write(OVERCOMMIT, old));
	for (mode = 0; mode < 3; mode++) {
		for (i = 0; i < ARRAY_SIZE(c); i++) {
			const char *flag = c[i].flag[mode] ?: "";

			EXPECT_EQ(c[i].error[mode], error[mode][i])
				TH_LOG("overcommit %d, case %zu", mode, i);
			ASSERT_NE(MAP_FAILED, small[mode][i]);
			EXPECT_EQ(!strcmp(flag, "ac"),
				  vma_has_flag(small[mode][i], "ac"));
			EXPECT_EQ(!strcmp(flag, "nr"),
				  vma_has_flag(small[mode][i], "nr"));
		}
	}
}

TEST_HARNESS_MAIN
