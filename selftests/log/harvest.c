// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves how DIRTY_LOG is called: extents merged and in order, ranges, going on
 * where an array was full, and that a page never falls out of the log without
 * having been delivered, whatever is wrong with the caller's memory.
 *
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "syscalls.h"

#include <time.h>

#define CLEAR	MMAPDEMO_DIRTY_LOG_CLEAR
#define ROOM	256

FIXTURE(harvest) {
	struct device dev;
	int fd;
	struct mmapdemo_extent *extents;	/* ROOM of them */
	struct mmapdemo_dirty_log log;		/* of all of the device */
	char *bad;				/* memory without access */
};

FIXTURE_SETUP(harvest)
{
	device_setup(_metadata, &self->dev, false);
	self->fd = self->dev.fd;
	self->extents = calloc(ROOM, sizeof(*self->extents));
	self->bad = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->bad);
	self->bad += page_size;
	ASSERT_EQ(0, mprotect(self->bad, page_size, PROT_NONE));
	self->log = (struct mmapdemo_dirty_log){
		.len = self->dev.nr_pages * page_size,
		.extents = (uintptr_t)self->extents,
		.nr_extents = ROOM,
	};
}

FIXTURE_TEARDOWN(harvest)
{
	free(self->extents);
	device_teardown(_metadata, &self->dev);
}

static int harvest(int fd, struct mmapdemo_dirty_log *log)
{
	return ioctl(fd, MMAPDEMO_IOC_DIRTY_LOG, log);
}

#define EXPECT_EXTENT(extent, first, nr) do {			\
	const struct mmapdemo_extent extent_ = (extent);	\
								\
	EXPECT_EQ((first) * page_size, extent_.start);		\
	EXPECT_EQ((nr) * page_size, extent_.len);		\
} while (0)

TEST_F(harvest, extents_are_merged_and_in_order)
{
	size_t last = self->dev.nr_pages - 1;

	ASSERT_TRUE(fill(self->fd, last, 1, 0));
	ASSERT_TRUE(fill(self->fd, 7, 2, 0));
	ASSERT_TRUE(fill(self->fd, 5, 1, 0));
	ASSERT_TRUE(fill(self->fd, 60, 100, 0));
	ASSERT_TRUE(fill(self->fd, 0, 3, 0));
	ASSERT_EQ(0, harvest(self->fd, &self->log));
	ASSERT_EQ(5, self->log.nr_extents);
	EXPECT_EXTENT(self->extents[0], 0, 3);
	EXPECT_EXTENT(self->extents[1], 5, 1);
	EXPECT_EXTENT(self->extents[2], 7, 2);
	EXPECT_EXTENT(self->extents[3], 60, 100);
	EXPECT_EXTENT(self->extents[4], last, 1);
	EXPECT_EQ((last + 1) * page_size, self->log.start);
	EXPECT_EQ(0, self->log.len);
	EXPECT_EQ(0, self->log.flags);
	EXPECT_EQ((uintptr_t)self->extents, self->log.extents);
}

TEST_F(harvest, empty_log)
{
	self->extents[0].start = 12345;
	ASSERT_EQ(0, harvest(self->fd, &self->log));
	EXPECT_EQ(0, self->log.nr_extents);
	EXPECT_EQ(0, self->log.len);
	EXPECT_EQ(12345, self->extents[0].start);
}

/* Pages at the edges of the range, and extents that reach over them. */
TEST_F(harvest, range_is_exact)
{
	ASSERT_TRUE(fill(self->fd, 10, 10, 0));
	self->log.start = 12 * page_size;
	self->log.len = 5 * page_size;
	self->log.flags = CLEAR;
	ASSERT_EQ(0, harvest(self->fd, &self->log));
	ASSERT_EQ(1, self->log.nr_extents);
	EXPECT_EXTENT(self->extents[0], 12, 5);
	EXPECT_EQ(17 * page_size, self->log.start);
	EXPECT_EQ(PAGES(10, 2) | PAGES(17, 3), log_bits(self->fd, 0));
}

/* Past the end of the device there may be a range, but nothing in it. */
TEST_F(harvest, range_past_the_end)
{
	ASSERT_TRUE(fill(self->fd, self->dev.nr_pages - 1, 1, 0));
	self->log.len = largest_size() - page_size;
	ASSERT_EQ(0, harvest(self->fd, &self->log));
	EXPECT_EQ(1, self->log.nr_extents);
	EXPECT_EQ(largest_size() - page_size, self->log.start);
	EXPECT_EQ(0, self->log.len);
	self->log.len = page_size;
	self->log.nr_extents = 1;
	ASSERT_EQ(0, harvest(self->fd, &self->log));
	EXPECT_EQ(0, self->log.nr_extents);
}

/* Dirties every other page of @nr from page 1 on. */
static void dirty_every_other(struct __test_metadata *_metadata, int fd,
			      size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		ASSERT_EQ(1, pwrite(fd, "x", 1, (2 * i + 1) * page_size));
}

/* @room extents a call, until nothing is left of the range. */
static void harvest_in_parts(struct __test_metadata *_metadata, int fd,
			     struct mmapdemo_dirty_log log, __u32 room,
			     size_t nr)
{
	struct mmapdemo_extent *extents = (void *)(uintptr_t)log.extents;
	__u64 end = log.len;
	size_t found = 0;
	__u32 i;

	while (log.len) {
		log.nr_extents = room;
		ASSERT_EQ(0, harvest(fd, &log));
		ASSERT_EQ(end, log.start + log.len);
		/* There is always progress. */
		ASSERT_TRUE(log.nr_extents || !log.len);
		ASSERT_LE(log.nr_extents, room);
		for (i = 0; i < log.nr_extents; i++, found++) {
			ASSERT_EQ((2 * found + 1) * page_size,
				  extents[i].start);
			ASSERT_EQ(page_size, extents[i].len);
		}
	}
	EXPECT_EQ(nr, found);
}

/* In parts of one, of some, and in one of more than the module does at once. */
TEST_F(harvest, goes_on_where_the_array_was_full)
{
	static const __u32 room[] = { 1, 7, 63, 64, 65, 149, 150, 151 };
	size_t i;

	dirty_every_other(_metadata, self->fd, 150);
	for (i = 0; i < ARRAY_SIZE(room); i++)
		harvest_in_parts(_metadata, self->fd, self->log, room[i], 150);
	EXPECT_EQ(150, pool_read("dirty"));
	self->log.flags = CLEAR;
	for (i = 0; i < ARRAY_SIZE(room); i++) {
		dirty_every_other(_metadata, self->fd, 150);
		harvest_in_parts(_metadata, self->fd, self->log, room[i], 150);
		EXPECT_EQ(0, pool_read("dirty"));
	}
}

/* More extents than one call may return: it ends early, and none is lost. */
#define MANY	5000

TEST_F(harvest, goes_on_where_a_call_has_ended)
{
	struct mmapdemo_extent *extents = calloc(MANY, sizeof(*extents));

	if (self->dev.nr_pages < 2 * MANY)
		SKIP(return, "needs a device of %d pages", 2 * MANY);
	self->log.extents = (uintptr_t)extents;
	dirty_every_other(_metadata, self->fd, MANY);
	harvest_in_parts(_metadata, self->fd, self->log, MANY, MANY);
	EXPECT_EQ(MANY, pool_read("dirty"));
	self->log.flags = CLEAR;
	harvest_in_parts(_metadata, self->fd, self->log, MANY, MANY);
	EXPECT_EQ(0, pool_read("dirty"));
	free(extents);
}

/* What is not returned is not cleaned. */
TEST_F(harvest, full_array_leaves_the_rest_dirty)
{
	ASSERT_TRUE(fill(self->fd, 0, 2, 0));
	ASSERT_TRUE(fill(self->fd, 4, 3, 0));
	ASSERT_TRUE(fill(self->fd, 9, 1, 0));
	self->log.nr_extents = 2;
	self->log.flags = CLEAR;
	ASSERT_EQ(0, harvest(self->fd, &self->log));
	EXPECT_EQ(2, self->log.nr_extents);
	EXPECT_LE(7 * page_size, self->log.start);
	EXPECT_GE(9 * page_size, self->log.start);
	EXPECT_EQ(PAGES(9, 1), log_bits(self->fd, 0));
}

TEST_F(harvest, bad_array_loses_nothing)
{
	const __u64 bad[] = {
		0, (uintptr_t)self->bad, (uintptr_t)self->bad - 8, 1ULL << 63,
		-8ULL,
	};
	size_t i;

	ASSERT_TRUE(fill(self->fd, 0, 5, 0));
	self->log.flags = CLEAR;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		self->log.extents = bad[i];
		EXPECT_ERRNO(EFAULT, harvest(self->fd, &self->log));
		EXPECT_EQ(PAGES(0, 5), log_bits(self->fd, 0));
	}
	EXPECT_EQ(-1, bad_read(self->fd, 0, 5, 0));
}

/*
 * The field has 64 bits everywhere: where an address has 32, those above are not
 * to be lost on the way to it.
 */
TEST_F(harvest, array_beyond_all_addresses)
{
	static const __u64 high[] = {
		1ULL << 32, 1ULL << 33, 1ULL << 47, 1ULL << 62, 1ULL << 63,
		0xffffffffULL << 32,
	};
	char *array = low_pages(1);
	size_t i;

	ASSERT_NE(MAP_FAILED, (void *)array);
	ASSERT_TRUE(fill(self->fd, 0, 5, 0));
	for (i = 0; i < 2 * ARRAY_SIZE(high); i++) {
		self->log.flags = i % 2 ? CLEAR : 0;
		self->log.extents = high[i / 2] | (uintptr_t)array;
		EXPECT_ERRNO(EFAULT, harvest(self->fd, &self->log));
		EXPECT_EQ(-1, nonzero(array, page_size));
		EXPECT_EQ(PAGES(0, 5), log_bits(self->fd, 0));
	}
	self->log.extents = (uintptr_t)array;
	EXPECT_EQ(0, harvest(self->fd, &self->log));
	EXPECT_EQ(1, self->log.nr_extents);
	munmap(array, page_size);
}

TEST_F(harvest, bad_argument_loses_nothing)
{
	struct mmapdemo_dirty_log *readonly =
		(void *)(self->bad - sizeof(*readonly));

	ASSERT_TRUE(fill(self->fd, 0, 5, 0));
	self->log.flags = CLEAR;
	*readonly = self->log;
	EXPECT_ERRNO(EFAULT, harvest(self->fd, NULL));
	EXPECT_ERRNO(EFAULT, harvest(self->fd, (void *)self->bad));
	EXPECT_ERRNO(EFAULT, harvest(self->fd, (void *)(self->bad - 8)));
	ASSERT_EQ(0, mprotect(self->bad - page_size, page_size, PROT_READ));
	EXPECT_ERRNO(EFAULT, harvest(self->fd, readonly));
	EXPECT_EQ(PAGES(0, 5), log_bits(self->fd, 0));
}

/*
 * Of @nr extents, @writable can be written, and a bit of the next. Those are
 * delivered, and the rest is in the log still.
 */
static void harvest_half(struct __test_metadata *_metadata,
			 FIXTURE_DATA(harvest) *self, size_t nr,
			 size_t writable)
{
	struct mmapdemo_extent *half =
		(void *)(self->bad - writable * sizeof(*half) - 8);
	struct mmapdemo_dirty_log log = self->log;
	size_t i;

	dirty_every_other(_metadata, self->fd, nr);
	log.extents = (uintptr_t)half;
	log.nr_extents = nr;
	log.flags = CLEAR;
	ASSERT_EQ(0, harvest(self->fd, &log));
	ASSERT_EQ(writable, log.nr_extents);
	EXPECT_EQ(self->log.len, log.start + log.len);
	for (i = 0; i < writable; i++)
		EXPECT_EXTENT(half[i], 2 * i + 1, (size_t)1);
	EXPECT_EQ((long)(nr - writable), pool_read("dirty"));
	/* Called again as it says, it delivers them. */
	log.extents = (uintptr_t)self->extents;
	log.nr_extents = ROOM;
	ASSERT_EQ(0, harvest(self->fd, &log));
	EXPECT_EQ(nr - writable, log.nr_extents);
	EXPECT_EXTENT(self->extents[0], 2 * writable + 1, (size_t)1);
	EXPECT_EQ(0, pool_read("dirty"));
}

TEST_F(harvest, half_writable_array)
{
	harvest_half(_metadata, self, 5, 2);
}

TEST_F(harvest, half_writable_long_array)
{
	harvest_half(_metadata, self, 150, 64);
	harvest_half(_metadata, self, 150, 70);
}

TEST_F(harvest, clear_needs_a_writable_file)
{
	int ro = open(DEVICE, O_RDONLY), wo = open(DEVICE, O_WRONLY);

	ASSERT_TRUE(fill(self->fd, 0, 5, 0));
	self->log.flags = CLEAR;
	EXPECT_ERRNO(EBADF, harvest(ro, &self->log));
	EXPECT_EQ(PAGES(0, 5), log_bits(ro, 0));
	EXPECT_EQ(PAGES(0, 5), log_bits(wo, CLEAR));
	close(ro);
	close(wo);
}

TEST_F(harvest, bad_calls_change_nothing)
{
	__u64 page = page_size, max = largest_size() + page;
	const struct mmapdemo_dirty_log bad[] = {
		{ .start = 0, .len = 0, .nr_extents = 1 },
		{ .start = 0, .len = page, .nr_extents = 0 },
		{ .start = 1, .len = page, .nr_extents = 1 },
		{ .start = 0, .len = page + 1, .nr_extents = 1 },
		{ .start = 0, .len = max, .nr_extents = 1 },
		{ .start = max, .len = page, .nr_extents = 1 },
		{ .start = max - page, .len = page, .nr_extents = 1 },
		{ .start = page, .len = -page, .nr_extents = 1 },
		{ .start = -page, .len = page, .nr_extents = 1 },
		{ .start = 0, .len = page, .nr_extents = 1, .flags = 2 },
		{ .start = 0, .len = page, .nr_extents = 1, .flags = -1U },
	};
	size_t i;

	ASSERT_TRUE(fill(self->fd, 0, 5, 0));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct mmapdemo_dirty_log arg = bad[i];

		arg.extents = (uintptr_t)self->extents;
		arg.flags |= CLEAR;
		EXPECT_ERRNO(EINVAL, harvest(self->fd, &arg));
	}
	EXPECT_EQ(PAGES(0, 5), log_bits(self->fd, 0));
}

/* Argument and array lie in what they are about, and are written meanwhile. */
TEST_F(harvest, own_argument_and_array)
{
	char *p = map_shared(_metadata, self->fd, 0, 8);
	struct mmapdemo_dirty_log *arg = (void *)p;
	struct mmapdemo_extent *extents = (void *)(p + 4 * page_size);

	write_pages(p + 6 * page_size, 2, 1);
	*arg = self->log;
	arg->extents = (uintptr_t)extents;
	arg->flags = CLEAR;
	ASSERT_EQ(0, harvest(self->fd, arg));
	ASSERT_EQ(2, arg->nr_extents);
	EXPECT_EXTENT(extents[0], 0, 1);
	EXPECT_EXTENT(extents[1], 6, 2);
	/* The results were written after their pages had been looked at. */
	EXPECT_EQ(PAGES(0, 1) | PAGES(4, 1), log_bits(self->fd, 0));
}

/* The log by a model of it: bit n for page n. */
struct model {
	int fd;
	char *p;
	__u64 dirty;
};

static void model_step(struct __test_metadata *_metadata, struct model *model,
		       unsigned int *seed)
{
	size_t first = rand_r(seed) % LOG_PAGES;
	size_t nr = 1 + rand_r(seed) % (LOG_PAGES - first);
	char *at = model->p + first * page_size;
	__u64 bits = PAGES(first, nr);

	switch (rand_r(seed) % 8) {
	case 0:
		ASSERT_EQ(0, discard(model->fd, first, nr));
		model->dirty &= ~bits;
		return;
	case 1:
		ASSERT_EQ(0, msync(at, nr * page_size, MS_SYNC));
		return;
	case 2:
		ASSERT_EQ(0, madvise(at, nr * page_size, MADV_DONTNEED));
		return;
	case 3:
		read_pages(at, nr);
		return;
	case 4:
		ASSERT_EQ(model->dirty, log_bits(model->fd, CLEAR));
		model->dirty = 0;
		return;
	default:
		break;
	}
	/* Runs of writes are short, or all would be dirty always. */
	nr = nr % 4 + 1;
	if (first + nr > LOG_PAGES)
		return;
	if (nr % 2)
		write_pages(at, nr, nr);
	else
		ASSERT_TRUE(fill(model->fd, first, nr, 0));
	model->dirty |= PAGES(first, nr);
}

TEST_F(harvest, random_operations)
{
	struct model model = {
		.fd = self->fd,
		.p = map_shared(_metadata, self->fd, 0, LOG_PAGES),
	};
	unsigned int seed = time(NULL), i;

	TH_LOG("seed %u", seed);
	for (i = 0; i < 500; i++) {
		model_step(_metadata, &model, &seed);
		ASSERT_EQ(model.dirty, log_bits(self->fd, 0))
			TH_LOG("after step %u", i);
	}
}

TEST_HARNESS_MAIN
