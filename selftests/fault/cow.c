// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what a write to a private mapping does: a copy of the page and no more,
 * whether the page was mapped before or not; nothing at all, where there is no
 * page; and when the copies go. Each test runs in both fault modes.
 *
 * The ids (G01, ...) name the branches of mmap that a test proves.
 * Needs: cgroup2 where a test says so; see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "resource_limits.h"
#include "proc.h"

#define NR	8

FIXTURE(cow) {
	struct device dev;
	int fd;
	char *p;		/* NR made pages of the device, private */
	struct counters before;
};

FAULT_MODES(cow);

FIXTURE_SETUP(cow)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	self->p = map_aligned(_metadata, self->fd, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE, 0, NR);
	counters_start(&self->before);
}

FIXTURE_TEARDOWN(cow)
{
	device_teardown(_metadata, &self->dev);
}

/*
 * How often ->fault, told of a read or of a copy to be, and ->map_pages
 * answered since the test began. Nobody was told of a shared write.
 */
#define EXPECT_FAULTS(read, cow, around)				\
	EXPECT_COUNTED(&self->before,					\
		       { "fault_read", read }, { "fault_cow", cow },	\
		       { "map_pages", around }, { "fault_write", 0 },	\
		       { "mkwrite", 0 }, { "dirtied", 0 })

/* Pages of the VMA that are this process's own. */
static long anonymous_pages(const char *p)
{
	return smaps_kib(p, "Anonymous") * 1024 / page_size;
}

/* Return: which of @nr pages is not as made but for its first byte; -1: none. */
static long bad_copy(const char *p, size_t pgoff, size_t nr, char first)
{
	char *page = malloc(page_size);
	long bad = -1;
	size_t i;

	for (i = 0; i < nr && bad < 0; i++) {
		make_page(page, pgoff + i, 0);
		page[0] = first;
		if (memcmp(p + i * page_size, page, page_size))
			bad = i;
	}
	free(page);
	return bad;
}

/*
 * G01: the core asks for the page, as one that it will copy. The device does
 * not hear of a write, and its page is what it was.
 */
TEST_F(cow, G01_write_to_missing_page)
{
	EXPECT_EQ(0, anonymous_pages(self->p));
	self->p[0] = 'x';
	EXPECT_FAULTS(0, 1, 0);
	EXPECT_EQ(1, anonymous_pages(self->p));
	EXPECT_EQ(1, count_mapped(self->p, NR));
	EXPECT_EQ(-1, bad_copy(self->p, 0, 1, 'x'));
	write_pages(self->p, NR, 'y');
	EXPECT_FAULTS(0, NR, 0);
	EXPECT_EQ(NR, anonymous_pages(self->p));
	EXPECT_EQ(-1, bad_copy(self->p, 0, NR, 'y'));
	EXPECT_EQ(-1, bad_read(self->fd, 0, NR, 0));
	EXPECT_EQ(NR, pool_read("stored"));
}

/* G01: of a hole the device makes a page for it, which stays a clean zero. */
TEST_F(cow, G01_write_to_hole)
{
	char *p = map_private(_metadata, self->fd, NR, 1);
	long dirty = pool_read("dirty");
	char byte = 1;

	p[0] = 'x';
	EXPECT_FAULTS(0, 1, 0);
	EXPECT_EQ(NR + 1, pool_read("stored"));
	EXPECT_EQ(dirty, pool_read("dirty"));
	EXPECT_EQ(-1, nonzero(p + 1, page_size - 1));
	EXPECT_EQ(1, pread(self->fd, &byte, 1, NR * page_size));
	EXPECT_EQ(0, byte);
}

#define MANY	512		/* pages: the kernel may be some tens behind */

/* G01: the copies are the process's own memory; the device's pages are not. */
TEST_F(cow, G01_rss)
{
	char *p = map_private(_metadata, self->fd, 0, MANY);
	long kib = MANY * page_size / 1024;
	long rss;

	read_pages(p, MANY);
	/* Twice: the first time brings in the code that does it. */
	rss = read_figure("/proc/self/status", "RssAnon");
	rss = read_figure("/proc/self/status", "RssAnon");
	write_pages(p, MANY, 1);
	rss = read_figure("/proc/self/status", "RssAnon") - rss;
	EXPECT_LT(kib / 2, rss);
	EXPECT_GT(kib + kib / 2, rss);
	EXPECT_EQ(MANY, anonymous_pages(p));
}

/*
 * G02: a page that was read already is copied without the driver: its PTE says
 * all that the core needs. The copy takes its place in this mapping alone.
 */
TEST_F(cow, G02_write_to_present_page)
{
	char *other = map_aligned(_metadata, self->fd, PROT_READ, MAP_PRIVATE,
				  0, NR);
	bool insert = variant->insert;

	EXPECT_EQ(-1, bad_page(self->p, 0, NR, 0));
	EXPECT_EQ(NR, count_mapped(self->p, NR));
	EXPECT_FAULTS(insert, 0, !insert);
	EXPECT_EQ(0, anonymous_pages(self->p));
	write_pages(self->p, NR, 'x');
	EXPECT_FAULTS(insert, 0, !insert);
	EXPECT_EQ(NR, anonymous_pages(self->p));
	EXPECT_EQ(-1, bad_copy(self->p, 0, NR, 'x'));
	EXPECT_EQ(-1, bad_read(self->fd, 0, NR, 0));
	EXPECT_EQ(-1, bad_page(other, 0, NR, 0));
	EXPECT_EQ(0, anonymous_pages(other));
	/* A second write is between the program and its copy. */
	write_pages(self->p, NR, 'y');
	EXPECT_FAULTS(2 * insert, 0, 2 * !insert);
	EXPECT_EQ(-1, bad_copy(self->p, 0, NR, 'y'));
}

/* G03: the signal is the one that a shared mapping gets. */
TEST_F(cow, G03_past_end)
{
	char *p = map_private(_metadata, self->fd, self->dev.nr_pages - 1, 2);
	long sigbus = stat_read("sigbus_size");
	char *past = p + page_size;

	EXPECT_TRAP(past + 3, 1, SIGBUS, BUS_ADRERR, past + 3);
	EXPECT_FAULTS(0, 1, 0);
	EXPECT_EQ(sigbus + 1, stat_read("sigbus_size"));
	EXPECT_FALSE(is_mapped(past));
	EXPECT_EQ(0, anonymous_pages(p));
	EXPECT_ERRNO(EFAULT, pread(self->fd, past, 1, 0));
}

#define FAILING		512	/* more than the group counts at a time */

/* Fails to copy again and again. Return: 0 unless each time costs a page. */
static int child_copies_nothing(void *arg)
{
	char *past = arg;
	long charged;
	int i;

	if (!cgroup_join())
		return 1;
	charged = cgroup_charged();
	for (i = 0; i < FAILING; i++)
		if (touch(past, 1).sig != SIGBUS)
			return 2;
	charged = cgroup_charged() - charged;
	return charged < (long)(FAILING / 2 * page_size) ? 0 : 3;
}

/* G03: the page that was made ready for the copy goes back. */
TEST_F(cow, G03_no_page_is_lost)
{
	char *past = map_private(_metadata, self->fd, self->dev.nr_pages - 1,
				 2) + page_size;
	const char *missing = cgroup_make("max");
	int status = missing ? 0 : in_child(child_copies_nothing, past);

	cgroup_remove();
	if (missing)
		SKIP(return, "needs %s", missing);
	EXPECT_EQ(0, status);
	EXPECT_FAULTS(0, FAILING, 0);
}

#define ROOM		"4194304"
/* Pages: twice that. */
#define TOO_MANY	((size_t)(8 << 20) / page_size)

/* Copies more than there is room for, where there is a page to copy. */
static int child_copies_too_much(void *arg)
{
	return cgroup_join() ? touch_pages(arg, TOO_MANY, 1).sig : 1;
}

/*
 * G05: a copy is charged to the group of its process. Where that has no room
 * the group's OOM killer ends the process; no SIGBUS, and no endless retry.
 * Before that the device made pages, which are nobody's and stay.
 */
TEST_F(cow, G05_memcg_limit)
{
	char *p = map_private(_metadata, self->fd, 0, TOO_MANY);
	const char *missing = cgroup_make(ROOM);
	long sigbus = stat_read("sigbus_cap");
	long killed = 0;
	int status = 0;

	if (!missing) {
		status = in_child(child_copies_too_much, p);
		killed = read_figure(CGROUP "memory.events", "oom_kill");
	}
	cgroup_remove();
	if (missing)
		SKIP(return, "needs %s", missing);
	if (self->dev.nr_pages < TOO_MANY)
		SKIP(return, "needs a device of 8M");
	EXPECT_EQ(128 + SIGKILL, status);
	EXPECT_EQ(1, killed);
	EXPECT_EQ(sigbus, stat_read("sigbus_cap"));
	EXPECT_LT(0, counted(&self->before, "fault_cow"));
	EXPECT_GT((long)TOO_MANY, counted(&self->before, "fault_cow"));
	EXPECT_EQ(-1, bad_read(self->fd, 0, NR, 0));
	EXPECT_EQ(0, anonymous_pages(p));
}

/* G08: with its copies dropped a private mapping shows the device as it is. */
TEST_F(cow, G08_dontneed)
{
	write_pages(self->p, NR, 'x');
	ASSERT_EQ(0, madvise(self->p, 2 * page_size, MADV_DONTNEED));
	EXPECT_EQ(NR - 2, anonymous_pages(self->p));
	ASSERT_TRUE(fill(self->fd, 0, 1, 1));
	EXPECT_EQ(-1, bad_page(self->p, 0, 1, 1));
	EXPECT_EQ(-1, bad_page(self->p + page_size, 1, 1, 0));
	EXPECT_EQ(-1, bad_copy(self->p + 2 * page_size, 2, NR - 2, 'x'));
}

/*
 * G09: a discard unmaps the device's pages and leaves copies; a truncate takes
 * them as well.
 */
TEST_F(cow, G09_discard_and_truncate)
{
	write_pages(self->p, NR / 2, 'x');
	read_pages(self->p + NR / 2 * page_size, NR / 2);
	EXPECT_EQ(NR, count_mapped(self->p, NR));
	ASSERT_EQ(0, discard(self->fd, 0, NR));
	EXPECT_EQ(NR / 2, count_mapped(self->p, NR));
	EXPECT_EQ(NR / 2, anonymous_pages(self->p));
	EXPECT_EQ(-1, bad_copy(self->p, 0, NR / 2, 'x'));

	ASSERT_EQ(0, resize(self->fd, 1));
	EXPECT_EQ(1, count_mapped(self->p, NR));
	EXPECT_EQ(1, anonymous_pages(self->p));
	EXPECT_EQ(-1, bad_copy(self->p, 0, 1, 'x'));
	EXPECT_TRAP(self->p + page_size, -1, SIGBUS, BUS_ADRERR,
		    self->p + page_size);
	ASSERT_EQ(0, resize(self->fd, self->dev.nr_pages));
	EXPECT_EQ(-1, nonzero(self->p + page_size, (NR - 1) * page_size));
}

TEST_HARNESS_MAIN
