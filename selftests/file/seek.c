// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that SEEK_DATA and SEEK_HOLE answer what a memfd with the same layout
 * answers: for chosen layouts, and after random operations on both.
 *
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"

#include <limits.h>
#include <time.h>

#define NR	24

FIXTURE(seek) {
	struct device dev;
	int fd, memfd;
	char *p, *q;		/* all of either, shared */
};

FIXTURE_SETUP(seek)
{
	device_setup(_metadata, &self->dev, false);
	self->fd = self->dev.fd;
	self->memfd = memfd_create("model", 0);
	ASSERT_LE(0, self->memfd);
	ASSERT_EQ(0, ftruncate(self->memfd, NR * page_size));
	ASSERT_EQ(0, resize(self->fd, NR));
	self->p = map_shared(_metadata, self->fd, 0, NR);
	self->q = map_shared(_metadata, self->memfd, 0, NR);
}

FIXTURE_TEARDOWN(seek)
{
	EXPECT_EQ(0, resize(self->fd, self->dev.nr_pages));
	device_teardown(_metadata, &self->dev);
}

static off_t seek_or_errno(int fd, off_t offset, int whence)
{
	off_t ret = lseek(fd, offset, whence);

	return ret < 0 ? -errno : ret;
}

/* Answer and position are the same from @offset on. */
static void compare_at(struct __test_metadata *_metadata,
		       FIXTURE_DATA(seek) *self, off_t offset, int whence)
{
	ASSERT_EQ(seek_or_errno(self->memfd, offset, whence),
		  seek_or_errno(self->fd, offset, whence))
		TH_LOG("whence %d from %lld", whence, (long long)offset);
	ASSERT_EQ(lseek(self->memfd, 0, SEEK_CUR),
		  lseek(self->fd, 0, SEEK_CUR));
}

static void compare(struct __test_metadata *_metadata,
		    FIXTURE_DATA(seek) *self)
{
	const off_t end = NR * page_size, extreme[] = {
		LLONG_MIN, -1, end + 1, LLONG_MAX - 1, LLONG_MAX,
	};
	off_t offset;
	size_t i;

	ASSERT_EQ(1, lseek(self->fd, 1, SEEK_SET));
	ASSERT_EQ(1, lseek(self->memfd, 1, SEEK_SET));
	for (offset = 0; offset <= end; offset += page_size) {
		compare_at(_metadata, self, offset - 1, SEEK_DATA);
		compare_at(_metadata, self, offset - 1, SEEK_HOLE);
		compare_at(_metadata, self, offset, SEEK_DATA);
		compare_at(_metadata, self, offset, SEEK_HOLE);
		compare_at(_metadata, self, offset + 1, SEEK_DATA);
		compare_at(_metadata, self, offset + 1, SEEK_HOLE);
	}
	for (i = 0; i < ARRAY_SIZE(extreme); i++) {
		compare_at(_metadata, self, extreme[i], SEEK_DATA);
		compare_at(_metadata, self, extreme[i], SEEK_HOLE);
	}
}

static void fill_both(struct __test_metadata *_metadata,
		      FIXTURE_DATA(seek) *self, size_t first, size_t nr)
{
	ASSERT_TRUE(fill(self->fd, first, nr, 0));
	ASSERT_TRUE(fill(self->memfd, first, nr, 0));
}

TEST_F(seek, all_hole)
{
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_HOLE));
	EXPECT_EQ(7, lseek(self->fd, 7, SEEK_HOLE));
	EXPECT_ERRNO(ENXIO, lseek(self->fd, 0, SEEK_DATA));
	EXPECT_ERRNO(ENXIO, lseek(self->fd, NR * page_size, SEEK_HOLE));
	compare(_metadata, self);
}

TEST_F(seek, all_data)
{
	fill_both(_metadata, self, 0, NR);
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_DATA));
	EXPECT_EQ(7, lseek(self->fd, 7, SEEK_DATA));
	EXPECT_EQ((off_t)(NR * page_size), lseek(self->fd, 7, SEEK_HOLE));
	EXPECT_ERRNO(ENXIO, lseek(self->fd, NR * page_size, SEEK_DATA));
	compare(_metadata, self);
}

TEST_F(seek, hole_at_the_start)
{
	fill_both(_metadata, self, 3, NR - 3);
	EXPECT_EQ((off_t)(3 * page_size), lseek(self->fd, 5, SEEK_DATA));
	compare(_metadata, self);
}

TEST_F(seek, hole_at_the_end)
{
	fill_both(_metadata, self, 0, NR - 1);
	EXPECT_EQ((off_t)((NR - 1) * page_size),
		  lseek(self->fd, 5, SEEK_HOLE));
	EXPECT_ERRNO(ENXIO, lseek(self->fd, NR * page_size - 1, SEEK_DATA));
	compare(_metadata, self);
}

TEST_F(seek, single_pages)
{
	fill_both(_metadata, self, 0, 1);
	fill_both(_metadata, self, 2, 1);
	fill_both(_metadata, self, 5, 2);
	fill_both(_metadata, self, NR - 1, 1);
	compare(_metadata, self);
}

/* A read leaves a hole what it is; a mapping's makes a page of it. */
TEST_F(seek, reads)
{
	char byte[2];

	EXPECT_EQ(2, pread(self->fd, byte, 2, 4 * page_size - 1));
	EXPECT_ERRNO(ENXIO, lseek(self->fd, 0, SEEK_DATA));
	read_pages(self->p + 5 * page_size, 1);
	read_pages(self->q + 5 * page_size, 1);
	compare(_metadata, self);
}

static void punch(struct __test_metadata *_metadata, FIXTURE_DATA(seek) *self,
		  size_t first, size_t nr)
{
	ASSERT_EQ(0, discard(self->fd, first, nr));
	ASSERT_EQ(0, fallocate(self->memfd,
			       FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       first * page_size, nr * page_size));
}

/* What is cut off and grown again is a hole. */
static void cut(struct __test_metadata *_metadata, FIXTURE_DATA(seek) *self,
		size_t nr)
{
	ASSERT_EQ(0, resize(self->fd, nr));
	ASSERT_EQ(0, resize(self->fd, NR));
	ASSERT_EQ(0, ftruncate(self->memfd, nr * page_size));
	ASSERT_EQ(0, ftruncate(self->memfd, NR * page_size));
}

static void step(struct __test_metadata *_metadata, FIXTURE_DATA(seek) *self,
		 unsigned int *seed)
{
	size_t first = rand_r(seed) % NR;
	size_t nr = 1 + rand_r(seed) % (NR - first), some = (nr + 3) / 4;
	size_t at = first * page_size;

	switch (rand_r(seed) % 6) {
	case 0:
		punch(_metadata, self, first, nr);
		break;
	case 1:
		cut(_metadata, self, first + 1);
		break;
	case 2:
		write_pages(self->p + at, some, 1);
		write_pages(self->q + at, some, 1);
		break;
	case 3:
		read_pages(self->p + at, some);
		read_pages(self->q + at, some);
		break;
	default:
		fill_both(_metadata, self, first, some);
	}
}

TEST_F(seek, random_operations)
{
	unsigned int seed = time(NULL), i;

	TH_LOG("seed %u", seed);
	for (i = 0; i < 60; i++) {
		step(_metadata, self, &seed);
		compare(_metadata, self);
	}
	EXPECT_EQ(0, memcmp(self->p, self->q, NR * page_size));
}

TEST_HARNESS_MAIN
