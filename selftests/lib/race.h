/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests share that race: how long, against whom, and what must be
 * true when it is over, whatever happened.
 *
 * MMAPDEMO_SECONDS in the environment says how long each test that chance
 * decides runs; default 1.
 */
#ifndef MMAPDEMO_RACE_H
#define MMAPDEMO_RACE_H

#include "counters.h"
#include "device.h"
#include "files.h"
#include "harness.h"
#include "trap.h"

/* The harness's own limit, in seconds: more than anybody waits. */
#define RACE_TIMEOUT	7200

/* When a test that starts now is to end. */
static inline double race_end(void)
{
	const char *length = getenv("MMAPDEMO_SECONDS");

	return seconds() + (length ? atof(length) : 1);
}

static inline bool stopped(const int *stop)
{
	return __atomic_load_n(stop, __ATOMIC_ACQUIRE);
}

static inline void stop_now(int *stop)
{
	__atomic_store_n(stop, 1, __ATOMIC_RELEASE);
}

static inline void go_on(int *stop)
{
	__atomic_store_n(stop, 0, __ATOMIC_RELEASE);
}

/* Harvests and cleans @nr pages from 0 on. Return: how many extents. */
static inline int harvest(int fd, size_t nr, struct mmapdemo_extent *extents,
			  unsigned int max)
{
	struct mmapdemo_dirty_log arg = {
		.len		= nr * page_size,
		.extents	= (uintptr_t)extents,
		.nr_extents	= max,
		.flags		= MMAPDEMO_DIRTY_LOG_CLEAR,
	};

	return ioctl(fd, MMAPDEMO_IOC_DIRTY_LOG, &arg) ? -1 :
	       (int)arg.nr_extents;
}

/* The next mapping of the device in the list @maps. */
struct area {
	char *start, *end;
	char perms[5];
	size_t offset;
};

static inline bool next_area(FILE *maps, struct area *area)
{
	unsigned long long offset;
	char line[512];

	while (fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "/mmapdemo") ||
		    sscanf(line, "%p-%p %4s %llx", (void **)&area->start,
			   (void **)&area->end, area->perms, &offset) != 4)
			continue;
		area->offset = offset;
		return true;
	}
	return false;
}

/*
 * VMAs that the device was told of, and not told the end of, less those that
 * this process has. It stays the same while the others' do: D11.
 */
static inline long vma_balance(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	long alive = 0;
	struct area area;

	while (next_area(maps, &area))
		alive++;
	fclose(maps);
	return stat_read("mmap") + stat_read("vma_open") -
	       stat_read("vma_close") - alive;
}

/* Pages that SEEK_DATA and SEEK_HOLE find. */
static inline long count_data(int fd)
{
	off_t data, hole = 0;
	long nr = 0;

	while ((data = lseek(fd, hole, SEEK_DATA)) >= 0) {
		hole = lseek(fd, data, SEEK_HOLE);
		nr += (hole - data) / page_size;
	}
	return nr;
}

/*
 * How many pages of a shared mapping do not show what read(2) shows: stale
 * ones, or those past the end that can be touched.
 */
static inline long count_stale(int fd, const struct area *area)
{
	size_t offset = area->offset, size = lseek(fd, 0, SEEK_END);
	char *p, *page = calloc(1, page_size);
	long stale = 0;

	for (p = area->start; p < area->end; p += page_size) {
		int signal = touch(p, -1).sig;
		bool bad;

		if (signal || offset >= size)
			bad = (signal == SIGBUS) != (offset >= size);
		else
			bad = pread(fd, page, page_size, offset) !=
			      (ssize_t)page_size || memcmp(p, page, page_size);
		if (bad)
			fprintf(stderr, "# stale: %p, offset %zx of %zx, signal %d\n",
				p, offset, size, signal);
		stale += bad;
		offset += page_size;
	}
	free(page);
	return stale;
}

/* The same for all that this process has of the device and may read. */
static inline long count_all_stale(int fd)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	struct area area;
	long stale = 0;

	while (next_area(maps, &area))
		if (area.perms[0] == 'r' && area.perms[3] == 's')
			stale += count_stale(fd, &area);
	fclose(maps);
	return stale;
}

/* What is true at the end of each race, with all others gone. */
static inline void check_invariants(struct __test_metadata *_metadata,
				    struct device *dev, long balance)
{
	struct mmapdemo_info info;

	ASSERT_EQ(0, ioctl(dev->fd, MMAPDEMO_IOC_INFO, &info));
	EXPECT_EQ(count_data(dev->fd), pool_read("stored"));
	EXPECT_EQ(info.stored, pool_read("stored") * page_size);
	EXPECT_EQ(info.dirty, pool_read("dirty") * page_size);
	EXPECT_EQ(0, count_all_stale(dev->fd));
	EXPECT_EQ(balance, vma_balance());

	ASSERT_EQ(0, resize(dev->fd, dev->nr_pages));
	ASSERT_EQ(0, discard(dev->fd, 0, dev->nr_pages));
	EXPECT_EQ(0, pool_read("stored"));
	EXPECT_EQ(0, pool_read("dirty"));
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "2"));
	EXPECT_EQ(0, pool_read("cached"));
	EXPECT_EQ(0, pool_read("held"));
}

/* A FIXTURE that races with the device, in both fault modes. */
#define RACE_FIXTURE(fixture)						\
	FIXTURE(fixture) {						\
		struct device dev;					\
		int fd;							\
		long balance;						\
	};								\
	FAULT_MODES(fixture);						\
	FIXTURE_SETUP(fixture)						\
	{								\
		device_setup(_metadata, &self->dev, variant->insert);	\
		self->fd = self->dev.fd;				\
		self->balance = vma_balance();				\
	}								\
	FIXTURE_TEARDOWN(fixture)					\
	{								\
		check_invariants(_metadata, &self->dev, self->balance);	\
		device_teardown(_metadata, &self->dev);			\
	}

#endif /* MMAPDEMO_RACE_H */
