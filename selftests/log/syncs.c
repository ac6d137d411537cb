// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that sync and log are two things: whoever syncs, from whichever file
 * and process, cleans and write-protects what was asked for and takes nothing
 * out of the dirty log; a harvest takes pages out of it, and leaves all of them
 * to be synced. Each test runs in both fault modes.
 *
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"

#include <sys/uio.h>

#define CLEAR	MMAPDEMO_DIRTY_LOG_CLEAR
#define NR	8

FIXTURE(syncs) {
	struct device dev;
	int fd;
	int ro;			/* the device, O_RDONLY */
	char *p;		/* NR pages of it, shared and present */
	struct counters seen;	/* at the last look */
};

FAULT_MODES(syncs);

FIXTURE_SETUP(syncs)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->ro = open(DEVICE, O_RDONLY);
	ASSERT_LE(0, self->ro);
	self->p = map_shared(_metadata, self->fd, 0, NR);
	read_pages(self->p, NR);
	counters_start(&self->seen);
}

FIXTURE_TEARDOWN(syncs)
{
	close(self->ro);
	device_teardown(_metadata, &self->dev);
}

/* --- All ways to sync the first NR pages. Return: 0 if it went well -------- */

static int by_fsync(FIXTURE_DATA(syncs) *self)
{
	return fsync(self->fd);
}

static int by_fdatasync(FIXTURE_DATA(syncs) *self)
{
	return fdatasync(self->fd);
}

static int by_msync(FIXTURE_DATA(syncs) *self)
{
	return msync(self->p, NR * page_size, MS_SYNC);
}

static int by_fsync_of_reader(FIXTURE_DATA(syncs) *self)
{
	return fsync(self->ro);
}

static int by_fdatasync_of_reader(FIXTURE_DATA(syncs) *self)
{
	return fdatasync(self->ro);
}

static int by_fsync_of_second_node(FIXTURE_DATA(syncs) *self)
{
	int fd = open_second_node(self->fd), ret = fsync(fd);

	close(fd);
	return ret;
}

static int child_fsyncs(void *unused)
{
	(void)unused;
	return fsync(open(DEVICE, O_RDONLY)) != 0;
}

static int by_fsync_of_child(FIXTURE_DATA(syncs) *self)
{
	(void)self;
	return in_child(child_fsyncs, NULL);
}

static int child_msyncs(void *unused)
{
	char *p = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       open(DEVICE, O_RDWR), 0);

	(void)unused;
	return p == MAP_FAILED || msync(p, NR * page_size, MS_SYNC);
}

static int by_msync_of_child(FIXTURE_DATA(syncs) *self)
{
	(void)self;
	return in_child(child_msyncs, NULL);
}

/* Writes all of the pages. */
static int write_synced(int open_flags, int rwf)
{
	struct iovec iov = { calloc(NR, page_size), NR * page_size };
	int fd = open(DEVICE, O_WRONLY | open_flags);
	bool ok = pwritev2(fd, &iov, 1, 0, rwf) == (ssize_t)iov.iov_len;

	close(fd);
	free(iov.iov_base);
	return !ok;
}

static int by_o_sync(FIXTURE_DATA(syncs) *self)
{
	(void)self;
	return write_synced(O_SYNC, 0);
}

static int by_o_dsync(FIXTURE_DATA(syncs) *self)
{
	(void)self;
	return write_synced(O_DSYNC, 0);
}

static int by_rwf_sync(FIXTURE_DATA(syncs) *self)
{
	(void)self;
	return write_synced(0, RWF_SYNC);
}

static int by_rwf_dsync(FIXTURE_DATA(syncs) *self)
{
	(void)self;
	return write_synced(0, RWF_DSYNC);
}

static const struct way {
	const char *name;
	int (*sync)(FIXTURE_DATA(syncs) *self);
} ways[] = {
	{ "fsync", by_fsync },
	{ "fdatasync", by_fdatasync },
	{ "msync", by_msync },
	{ "fsync of a reader", by_fsync_of_reader },
	{ "fdatasync of a reader", by_fdatasync_of_reader },
	{ "fsync of a second node", by_fsync_of_second_node },
	{ "fsync of a child", by_fsync_of_child },
	{ "msync of a child", by_msync_of_child },
	{ "O_SYNC", by_o_sync },
	{ "O_DSYNC", by_o_dsync },
	{ "RWF_SYNC", by_rwf_sync },
	{ "RWF_DSYNC", by_rwf_dsync },
};

/* These pages are in the log, and so many unsynced. */
#define EXPECT_MARKS(logged, unsynced) do {				\
	__u64 logged_ = (logged);					\
									\
	EXPECT_EQ(logged_, log_bits(self->ro, 0));			\
	EXPECT_EQ(__builtin_popcountll(logged_), pool_read("dirty"));	\
	EXPECT_EQ(unsynced, pool_read("unsynced"));			\
} while (0)

static void sync_by(struct __test_metadata *_metadata,
		    FIXTURE_DATA(syncs) *self, const struct way *way)
{
	read_pages(self->p, NR);
	counters_start(&self->seen);
	write_pages(self->p, NR, 1);
	EXPECT_MARKS(PAGES(0, NR), NR);
	EXPECT_COUNTED_ANEW(&self->seen, { "mkwrite", NR }, { "dirtied", NR });

	ASSERT_EQ(0, way->sync(self));
	EXPECT_MARKS(PAGES(0, NR), 0);
	EXPECT_COUNTED_ANEW(&self->seen, { "dirtied", 0 }, { "cleaned", NR },
			    { "cleared", 0 });

	/* Write-protected: noticed again, though the log has it already. */
	write_pages(self->p, 2, 2);
	EXPECT_MARKS(PAGES(0, NR), 2);
	EXPECT_COUNTED_ANEW(&self->seen, { "mkwrite", 2 }, { "dirtied", 0 });

	/* The log's reader gets it all, and who syncs next has as much to do. */
	EXPECT_EQ(PAGES(0, NR), log_bits(self->fd, CLEAR));
	EXPECT_MARKS(0, 2);
	EXPECT_COUNTED_ANEW(&self->seen, { "cleaned", 0 }, { "cleared", NR });
	ASSERT_EQ(0, discard(self->fd, 0, NR));
}

TEST_F(syncs, none_takes_a_page_out_of_the_log)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		TH_LOG("by %s", ways[i].name);
		sync_by(_metadata, self, &ways[i]);
	}
}

/* Both ask for the next write anew; neither does the other's work. */
TEST_F(syncs, harvest_is_no_sync)
{
	write_pages(self->p, NR, 1);
	EXPECT_EQ(PAGES(0, NR), log_bits(self->fd, CLEAR));
	EXPECT_MARKS(0, NR);
	EXPECT_COUNTED_ANEW(&self->seen, { "mkwrite", NR }, { "dirtied", NR },
			    { "cleaned", 0 }, { "cleared", NR });
	write_pages(self->p, 3, 2);
	EXPECT_MARKS(PAGES(0, 3), NR);
	EXPECT_COUNTED_ANEW(&self->seen, { "mkwrite", 3 }, { "dirtied", 3 });
	ASSERT_EQ(0, fsync(self->ro));
	EXPECT_MARKS(PAGES(0, 3), 0);
	EXPECT_COUNTED_ANEW(&self->seen, { "cleaned", NR }, { "cleared", 0 });
	EXPECT_EQ(PAGES(0, 3), log_bits(self->fd, CLEAR));
	EXPECT_MARKS(0, 0);
	EXPECT_COUNTED_ANEW(&self->seen, { "cleaned", 0 }, { "cleared", 3 });
	write_pages(self->p, 1, 3);
	EXPECT_MARKS(PAGES(0, 1), 1);
	EXPECT_COUNTED(&self->seen, { "mkwrite", 1 }, { "dirtied", 1 });
}

/* The pages of the call and no others, wherever in them its bytes are. */
TEST_F(syncs, sync_write_cleans_its_pages_only)
{
	int fd = open(DEVICE, O_WRONLY | O_DSYNC);

	write_pages(self->p, NR, 1);
	ASSERT_EQ(4, pwrite(fd, "abcd", 4, 3 * page_size - 2));
	EXPECT_MARKS(PAGES(0, NR), NR - 2);
	EXPECT_COUNTED_ANEW(&self->seen, { "mkwrite", NR }, { "cleaned", 2 });
	write_pages(self->p, NR, 2);
	EXPECT_MARKS(PAGES(0, NR), NR);
	EXPECT_COUNTED_ANEW(&self->seen, { "mkwrite", 2 });
	close(fd);
}

/* A page that the call makes is logged, and synced at once. */
TEST_F(syncs, sync_write_fills_a_hole)
{
	struct iovec iov = { "hole", 4 };

	ASSERT_EQ(4, pwritev2(self->fd, &iov, 1, 20 * page_size, RWF_DSYNC));
	EXPECT_MARKS(PAGES(20, 1), 0);
	EXPECT_COUNTED(&self->seen, { "dirtied", 1 }, { "cleaned", 1 });
}

/* There is nothing behind the device that these could bring it to. */
TEST_F(syncs, calls_that_sync_nothing)
{
	write_pages(self->p, NR, 1);
	sync();
	EXPECT_EQ(0, syncfs(self->fd));
	EXPECT_ERRNO(ESPIPE, sync_file_range(self->ro, 0, NR * page_size,
					     SYNC_FILE_RANGE_WRITE_AND_WAIT));
	EXPECT_EQ(0, msync(self->p, NR * page_size, MS_ASYNC));
	EXPECT_MARKS(PAGES(0, NR), NR);
	EXPECT_COUNTED(&self->seen, { "cleaned", 0 }, { "cleared", 0 });
}

#define ROUNDS	50

/* Writes one page by @nr's own way, and syncs all, again and again. */
static int write_and_sync(size_t nr)
{
	int fd = open(DEVICE, O_RDWR | (nr % 4 == 3 ? O_DSYNC : 0));
	int ro = open(DEVICE, O_RDONLY), i, err = 0;
	char *p = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       fd, 0);

	if (p == MAP_FAILED)
		return 1;
	for (i = 0; !err && i < ROUNDS; i++) {
		if (nr % 4 == 3)
			err = pwrite(fd, "x", 1, nr * page_size) != 1;
		else
			write_byte(p + nr * page_size, i);
		switch (nr % 4) {
		case 0:
			err |= fsync(ro);
			break;
		case 1:
			err |= msync(p, NR * page_size, MS_SYNC);
			break;
		case 2:
			err |= fdatasync(fd);
			break;
		}
	}
	return err;
}

/* Each page enters the log once, whoever syncs meanwhile, and stays there. */
TEST_F(syncs, several_processes)
{
	pid_t pid[NR];
	int status;
	size_t i;

	for (i = 0; i < NR; i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(write_and_sync(i));
	}
	for (i = 0; i < NR; i++) {
		EXPECT_EQ(pid[i], waitpid(pid[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	EXPECT_COUNTED(&self->seen, { "dirtied", NR }, { "cleared", 0 });
	EXPECT_LE(NR, counted(&self->seen, "cleaned"));
	ASSERT_EQ(0, fsync(self->ro));
	EXPECT_MARKS(PAGES(0, NR), 0);
}

/* What there is of LOG_PAGES pages, bit n for page n, and what was counted. */
struct model {
	int fd, synced;			/* the device; the same with O_DSYNC */
	char *p, *other;		/* two mappings */
	__u64 logged, unsynced;
	long dirtied, cleaned, cleared;
};

static void model_wrote(struct model *model, __u64 bits)
{
	model->dirtied += __builtin_popcountll(bits & ~model->logged);
	model->logged |= bits;
	model->unsynced |= bits;
}

static void model_synced(struct model *model, __u64 bits)
{
	model->cleaned += __builtin_popcountll(bits & model->unsynced);
	model->unsynced &= ~bits;
}

static int clear_range(int fd, size_t first, size_t nr)
{
	struct mmapdemo_extent extents[LOG_PAGES];
	struct mmapdemo_dirty_log log = {
		.start = first * page_size,
		.len = nr * page_size,
		.extents = (uintptr_t)extents,
		.nr_extents = LOG_PAGES,
		.flags = CLEAR,
	};

	return ioctl(fd, MMAPDEMO_IOC_DIRTY_LOG, &log) ?: (int)log.len;
}

/* What leaves the log or the store, or is synced. */
static void model_remove(struct __test_metadata *_metadata, struct model *model,
			 unsigned int what, size_t first, size_t nr)
{
	char *at = model->p + first * page_size;
	__u64 bits = PAGES(first, nr);

	switch (what) {
	case 0:
		ASSERT_EQ(0, discard(model->fd, first, nr));
		model->logged &= ~bits;
		model->unsynced &= ~bits;
		break;
	case 1:
		ASSERT_EQ(0, clear_range(model->fd, first, nr));
		model->cleared += __builtin_popcountll(bits & model->logged);
		model->logged &= ~bits;
		break;
	case 2:
		ASSERT_EQ(0, msync(at, nr * page_size, MS_SYNC));
		model_synced(model, bits);
		break;
	default:
		ASSERT_EQ(0, fsync(model->fd));
		model_synced(model, ~0ULL);
	}
}

/* What must change neither. */
static void model_disturb(struct __test_metadata *_metadata, struct model *model,
			  unsigned int what, size_t first, size_t nr)
{
	char *at = model->p + first * page_size;
	size_t len = nr * page_size;

	switch (what) {
	case 0:
		ASSERT_EQ(0, madvise(at, len, MADV_DONTNEED));
		break;
	case 1:
		ASSERT_EQ(0, mprotect(at, len, PROT_READ));
		ASSERT_EQ(0, mprotect(at, len, PROT_READ | PROT_WRITE));
		break;
	default:
		read_pages(at, nr);
	}
}

static void model_write(struct __test_metadata *_metadata, struct model *model,
			unsigned int what, size_t first, size_t nr)
{
	size_t offset = first * page_size;

	model_wrote(model, PAGES(first, nr));
	switch (what) {
	case 0:
		ASSERT_TRUE(fill(model->fd, first, nr, 0));
		break;
	case 1:
		ASSERT_TRUE(fill(model->synced, first, nr, 1));
		model_synced(model, PAGES(first, nr));
		break;
	default:
		write_pages((what == 2 ? model->p : model->other) + offset, nr, 1);
	}
}

static void model_check(struct __test_metadata *_metadata,
			FIXTURE_DATA(syncs) *self, const struct model *model)
{
	__u64 unsynced;

	ASSERT_EQ(model->logged, log_bits(self->ro, 0));
	ASSERT_EQ(__builtin_popcountll(model->logged), pool_read("dirty"));
	ASSERT_EQ(__builtin_popcountll(model->unsynced), pool_read("unsynced"));
	if (unsynced_bits(self->fd, &unsynced))
		ASSERT_EQ(model->unsynced, unsynced);
	ASSERT_EQ(model->dirtied, counted(&self->seen, "dirtied"));
	ASSERT_EQ(model->cleaned, counted(&self->seen, "cleaned"));
	ASSERT_EQ(model->cleared, counted(&self->seen, "cleared"));
}

TEST_F(syncs, random_operations)
{
	struct model model = {
		.fd = self->fd,
		.synced = open(DEVICE, O_WRONLY | O_DSYNC),
		.p = map_shared(_metadata, self->fd, 0, LOG_PAGES),
		.other = map_shared(_metadata, self->fd, 0, LOG_PAGES),
	};
	unsigned int seed = time(NULL), what, i;
	size_t first, nr;

	TH_LOG("seed %u", seed);
	counters_start(&self->seen);
	for (i = 0; i < 300; i++) {
		first = rand_r(&seed) % LOG_PAGES;
		nr = 1 + rand_r(&seed) % (LOG_PAGES - first);
		what = rand_r(&seed) % 16;
		if (what < 4)
			model_remove(_metadata, &model, what, first, nr);
		else if (what < 8)
			model_disturb(_metadata, &model, what - 4, first, nr);
		else
			/* Few pages, or all would have all marks always. */
			model_write(_metadata, &model, what % 4, first,
				    nr < 4 ? nr : 4);
		model_check(_metadata, self, &model);
	}
	close(model.synced);
}

TEST_HARNESS_MAIN
