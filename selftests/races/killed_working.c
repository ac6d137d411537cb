// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a process which works through a large range dies when it is
 * killed, before it is through; and that the device is right afterwards.
 *
 * It is killed when it has begun. Chance decides how far it is by then: it has
 * some tries until it is in the middle.
 *
 * Loads the module anew, and in the end as it was.
 * Needs: see reload.h; some memory.
 */
#include "crowd.h"
#include "large.h"

#include <sys/uio.h>

#define TRIES	20
/* Pages that a shrink leaves. */
#define SHORT	64

FIXTURE(killed_working) {
	struct large large;
	int fd;
	char *p;
	char *buffer;		/* of MIB bytes, shared */
};

#define MIB	(1024 * 1024)

FIXTURE_SETUP(killed_working)
{
	large_setup(_metadata, &self->large);
	self->fd = self->large.fd;
	self->p = self->large.p;
	self->buffer = results_alloc(MIB);
}

FIXTURE_TEARDOWN_PARENT(killed_working)
{
	large_teardown(_metadata, &self->large);
}

struct work {
	void (*prepare)(struct __test_metadata *_metadata,
			FIXTURE_DATA(killed_working) *self);
	int (*act)(void *self);
	bool (*has_begun)(FIXTURE_DATA(killed_working) *self);
	/* Once it is dead: not all was done. */
	bool (*is_unfinished)(FIXTURE_DATA(killed_working) *self);
};

/* Return: whether the kill came in time. */
static bool kill_once(struct __test_metadata *_metadata,
		      FIXTURE_DATA(killed_working) *self,
		      const struct work *work)
{
	const struct crowd_job job = {
		.act = work->act, .arg = self, .not_theirs = -1,
	};
	struct crowd crowd;
	bool unfinished;

	work->prepare(_metadata, self);
	crowd_start(&crowd, 1, &job);
	crowd_go(&crowd);
	while (!work->has_begun(self) && crowd_reap(&crowd, WNOHANG))
		;
	crowd_kill(&crowd);
	EXPECT_EQ(0, crowd_left(&crowd, 1));
	unfinished = work->is_unfinished(self);
	crowd_reap(&crowd, 0);
	/* Then it has failed. */
	EXPECT_EQ(1, crowd.killed + crowd.done);
	return unfinished;
}

static void kill_in_the_middle(struct __test_metadata *_metadata,
			       FIXTURE_DATA(killed_working) *self,
			       const struct work *work)
{
	int i;

	for (i = 0; i < TRIES; i++)
		if (kill_once(_metadata, self, work))
			return;
	EXPECT_TRUE(false)
		TH_LOG("killed %d times, it was through each time", TRIES);
}

/* --- What removes pages --------------------------------------------------- */

/* Return: how many pages from @pgoff on are as made; -1: one is neither that nor 0. */
static long count_made(const char *p, size_t pgoff, size_t nr)
{
	long made = 0;
	size_t i;

	for (i = pgoff; i < pgoff + nr; i++) {
		if (bad_page(p + i * page_size, i, 1, LARGE_SEED) < 0)
			made++;
		else if (nonzero(p + i * page_size, page_size) >= 0)
			return -1;
	}
	return made;
}

static void prepare_full(struct __test_metadata *_metadata,
			 FIXTURE_DATA(killed_working) *self)
{
	ASSERT_EQ(0, resize(self->fd, LARGE));
	large_fill(_metadata, &self->large, 0, LARGE);
}

static bool has_removed_some(FIXTURE_DATA(killed_working) *self)
{
	(void)self;
	return pool_read("stored") < (long)LARGE;
}

static int discard_all(void *arg)
{
	FIXTURE_DATA(killed_working) *self = arg;

	return discard(self->fd, 0, LARGE);
}

static bool has_left_some(FIXTURE_DATA(killed_working) *self)
{
	(void)self;
	return pool_read("stored") > SHORT;
}

TEST_F(killed_working, discard)
{
	const struct work work = {
		prepare_full, discard_all, has_removed_some, has_left_some,
	};
	long stored, made;

	kill_in_the_middle(_metadata, self, &work);

	/* Before the reads below make pages of the holes. */
	stored = pool_read("stored");
	EXPECT_EQ(stored, pool_read("dirty"));
	made = count_made(self->p, 0, LARGE);
	EXPECT_EQ(stored, made);
	/* What was removed is the first part. */
	EXPECT_EQ(0, count_made(self->p, 0, LARGE - made));
	ASSERT_EQ(0, discard(self->fd, 0, LARGE));
	EXPECT_EQ(0, pool_read("stored"));
}

static int shrink(void *arg)
{
	FIXTURE_DATA(killed_working) *self = arg;

	return resize(self->fd, SHORT);
}

static void kill_shrink(struct __test_metadata *_metadata,
			FIXTURE_DATA(killed_working) *self)
{
	const struct work work = {
		prepare_full, shrink, has_removed_some, has_left_some,
	};

	kill_in_the_middle(_metadata, self, &work);
}

/* The size is the new one; what is past it goes, if nobody grows it again. */
TEST_F(killed_working, shrink)
{
	char *q, byte;

	kill_shrink(_metadata, self);
	EXPECT_EQ((off_t)(SHORT * page_size), lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(0, pread(self->fd, &byte, 1, (LARGE - 1) * page_size));
	q = map_shared(_metadata, self->fd, LARGE - 1, 1);
	EXPECT_EQ(SIGBUS, touch(q, -1).sig);
	EXPECT_EQ(SIGBUS, touch(q, 1).sig);
	while (pool_read("stored") > SHORT)
		usleep(1000);
	EXPECT_EQ(SIGBUS, touch(self->p + (LARGE - 1) * page_size, -1).sig);
	EXPECT_EQ(SHORT, count_made(self->p, 0, SHORT));
}

/* What was past the end has never been: neither the pages nor private copies. */
TEST_F(killed_working, shrink_then_grow)
{
	char *copies, *last = self->p + (LARGE - 1) * page_size;

	copies = map_private(_metadata, self->fd, LARGE - SHORT, SHORT);
	write_pages(copies, SHORT, 'c');
	kill_shrink(_metadata, self);
	ASSERT_EQ(0, resize(self->fd, LARGE));
	EXPECT_EQ(SHORT, pool_read("stored"));
	EXPECT_EQ(-1, nonzero(copies, SHORT * page_size));
	/* Nor does anybody take what is new. */
	write_byte(last, 'N');
	EXPECT_EQ(SHORT, count_made(self->p, 0, LARGE - SHORT));
	ASSERT_EQ(0, resize(self->fd, LARGE + 1));
	EXPECT_EQ('N', *last);
	EXPECT_EQ(0, count_made(self->p, LARGE - SHORT, SHORT - 1));
}

/* --- What write-protects pages -------------------------------------------- */

static long cleaned;		/* before it began */

static void prepare_unsynced(struct __test_metadata *_metadata,
			     FIXTURE_DATA(killed_working) *self)
{
	prepare_full(_metadata, self);
	cleaned = stat_read("cleaned");
}

static int sync_file(void *arg)
{
	FIXTURE_DATA(killed_working) *self = arg;

	return fsync(self->fd);
}

static int sync_mapping(void *arg)
{
	FIXTURE_DATA(killed_working) *self = arg;

	return msync(self->p, LARGE * page_size, MS_SYNC);
}

static bool has_cleaned_some(FIXTURE_DATA(killed_working) *self)
{
	(void)self;
	return stat_read("cleaned") != cleaned;
}

static bool has_not_cleaned_all(FIXTURE_DATA(killed_working) *self)
{
	(void)self;
	return stat_read("cleaned") - cleaned < (long)LARGE;
}

/* What it has not cleaned, the next one does. */
static void kill_sync(struct __test_metadata *_metadata,
		      FIXTURE_DATA(killed_working) *self, int (*act)(void *arg))
{
	const struct work work = {
		prepare_unsynced, act, has_cleaned_some, has_not_cleaned_all,
	};

	kill_in_the_middle(_metadata, self, &work);
	ASSERT_EQ(0, act(self));
	EXPECT_EQ((long)LARGE, stat_read("cleaned") - cleaned);
	EXPECT_EQ((long)LARGE, pool_read("dirty"));
}

TEST_F(killed_working, fsync)
{
	kill_sync(_metadata, self, sync_file);
}

TEST_F(killed_working, msync)
{
	kill_sync(_metadata, self, sync_mapping);
}

/* Return: how many pages were in the one extent that there is room for. */
static long harvest_one(int fd)
{
	struct mmapdemo_extent extent = { 0 };
	struct mmapdemo_dirty_log arg = {
		.len = LARGE * page_size,
		.extents = (uintptr_t)&extent,
		.nr_extents = 1,
		.flags = MMAPDEMO_DIRTY_LOG_CLEAR,
	};

	return ioctl(fd, MMAPDEMO_IOC_DIRTY_LOG, &arg) ? -1 :
	       (long)(extent.len / page_size);
}

static int harvest_all(void *arg)
{
	FIXTURE_DATA(killed_working) *self = arg;

	return harvest_one(self->fd) != LARGE;
}

static bool has_harvested_some(FIXTURE_DATA(killed_working) *self)
{
	(void)self;
	return pool_read("dirty") < (long)LARGE;
}

static bool has_lost_none(FIXTURE_DATA(killed_working) *self)
{
	(void)self;
	return pool_read("dirty") == (long)LARGE;
}

/* It has told nobody of any page: all are in the log. */
TEST_F(killed_working, harvest)
{
	const struct work work = {
		prepare_full, harvest_all, has_harvested_some, has_lost_none,
	};

	kill_in_the_middle(_metadata, self, &work);
	EXPECT_EQ((long)LARGE, harvest_one(self->fd));
	EXPECT_EQ(0, pool_read("dirty"));
}

/* --- What copies ---------------------------------------------------------- */

#define NR_PARTS	(LARGE * page_size / MIB)

static void fill_parts(FIXTURE_DATA(killed_working) *self, struct iovec *iov,
		       size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		iov[i] = (struct iovec){ self->buffer, MIB };
}

static void prepare_holes(struct __test_metadata *_metadata,
			  FIXTURE_DATA(killed_working) *self)
{
	ASSERT_EQ(0, discard(self->fd, 0, LARGE));
	memset(self->buffer, 'w', MIB);
}

static int write_all(void *arg)
{
	FIXTURE_DATA(killed_working) *self = arg;
	struct iovec iov[NR_PARTS];

	fill_parts(self, iov, NR_PARTS);
	return pwritev(self->fd, iov, NR_PARTS, 0) !=
	       (ssize_t)(LARGE * page_size);
}

static bool has_stored_some(FIXTURE_DATA(killed_working) *self)
{
	(void)self;
	return pool_read("stored");
}

static bool has_not_stored_all(FIXTURE_DATA(killed_working) *self)
{
	(void)self;
	return pool_read("stored") < (long)LARGE;
}

TEST_F(killed_working, write)
{
	const struct work work = {
		prepare_holes, write_all, has_stored_some, has_not_stored_all,
	};
	off_t end;

	kill_in_the_middle(_metadata, self, &work);
	end = lseek(self->fd, 0, SEEK_HOLE);
	EXPECT_EQ(pool_read("stored"), end / (long)page_size);
	EXPECT_EQ('w', self->p[0]);
	EXPECT_EQ('w', self->p[end - 1]);
	EXPECT_EQ(0, self->p[end]);
}

/* Of holes there may be more than memory. */
#define READ_PARTS	1024
#define READ_LEN	((off_t)READ_PARTS * MIB)

static void prepare_read(struct __test_metadata *_metadata,
			 FIXTURE_DATA(killed_working) *self)
{
	ASSERT_EQ(0, resize(self->fd, READ_LEN / page_size));
	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	memset(self->buffer, 'r', MIB);
}

static int read_all(void *arg)
{
	FIXTURE_DATA(killed_working) *self = arg;
	struct iovec iov[READ_PARTS];

	fill_parts(self, iov, READ_PARTS);
	return readv(self->fd, iov, READ_PARTS) != READ_LEN;
}

static bool has_read_some(FIXTURE_DATA(killed_working) *self)
{
	return !read_byte(self->buffer);
}

/* The file is its parent's as well, and has one position. */
static bool has_not_read_all(FIXTURE_DATA(killed_working) *self)
{
	return lseek(self->fd, 0, SEEK_CUR) < READ_LEN;
}

TEST_F(killed_working, read)
{
	const struct work work = {
		prepare_read, read_all, has_read_some, has_not_read_all,
	};

	kill_in_the_middle(_metadata, self, &work);
	EXPECT_EQ(0, pool_read("stored"));
}

/* --- What looks for holes ------------------------------------------------- */

static int seek_all(void *arg)
{
	FIXTURE_DATA(killed_working) *self = arg;

	while (lseek(self->fd, 0, SEEK_HOLE) == (off_t)(LARGE * page_size))
		;
	return 1;
}

/* One seeks, the others wait for it: all the time. */
TEST_F(killed_working, seek)
{
	const struct crowd_job job = {
		.act = seek_all, .arg = self, .not_theirs = -1,
	};
	struct crowd crowd;

	prepare_full(_metadata, self);
	crowd_start(&crowd, CROWD, &job);
	crowd_go(&crowd);
	usleep(200000);
	EXPECT_EQ(0, crowd_survivors(&crowd));
	crowd_reap(&crowd, 0);
	EXPECT_EQ(CROWD, crowd.killed);
}

TEST_HARNESS_MAIN
