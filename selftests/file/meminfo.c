// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that what the device stores shows in /proc/meminfo, and so in free(1), as
 * the pages of a tmpfs file do: in Shmem and Cached. And that pages which the pool
 * keeps for the next one count as memory that can be reclaimed, until it is.
 *
 * Others use memory meanwhile, and the kernel adds up its figures now and then:
 * a few percent of what is stored, either way, are as good as none.
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "proc.h"

/* Of 64 that the device may have; in bytes. */
#define STORED	(48L << 20)
#define SLACK	(4L << 20)

struct figures {
	long shmem, cached, reclaimable;
};

static long meminfo_bytes(const char *name)
{
	return read_figure("/proc/meminfo", name) << 10;
}

/* In bytes; without what is cached of disks, as that goes up and down. */
static struct figures meminfo(void)
{
	return (struct figures){
		meminfo_bytes("Shmem"),
		meminfo_bytes("Cached") - meminfo_bytes("Active(file)") -
			meminfo_bytes("Inactive(file)"),
		meminfo_bytes("KReclaimable"),
	};
}

static bool about(long bytes, long expected)
{
	return bytes > expected - SLACK && bytes < expected + SLACK;
}

/* By how much the figures have grown since. */
#define EXPECT_GROWN(since, more_shmem, more_reclaimable) do {		\
	struct figures now_ = meminfo();				\
									\
	EXPECT_TRUE(about(now_.shmem - (since)->shmem, more_shmem))	\
		TH_LOG("Shmem: %ld", now_.shmem - (since)->shmem);	\
	EXPECT_TRUE(about(now_.cached - (since)->cached, more_shmem))	\
		TH_LOG("Cached: %ld", now_.cached - (since)->cached);	\
	EXPECT_TRUE(about(now_.reclaimable - (since)->reclaimable,	\
			  more_reclaimable))				\
		TH_LOG("KReclaimable: %ld",				\
		       now_.reclaimable - (since)->reclaimable);	\
} while (0)

/* Has the shrinkers free what is spare, of the pool and of others. */
static void reclaim(void)
{
	write_file("/proc/sys/vm/drop_caches", "2");
}

FIXTURE(meminfo) {
	struct device dev;
	int fd;
	struct figures before;
};

FIXTURE_SETUP(meminfo)
{
	device_setup(_metadata, &self->dev, false);
	self->fd = self->dev.fd;
	if (pool_read("cap") * (long)page_size < STORED ||
	    lseek(self->fd, 0, SEEK_END) < STORED)
		DEVICE_SKIP(&self->dev, "needs a device of 48M");
	reclaim();
	self->before = meminfo();
}

FIXTURE_TEARDOWN(meminfo)
{
	device_teardown(_metadata, &self->dev);
}

/* What tmpfs shows is what these figures are measured by. */
TEST_F(meminfo, tmpfs_file)
{
	int fd = memfd_create("like", 0);

	ASSERT_TRUE(fill(fd, 0, STORED / page_size, 0));
	EXPECT_GROWN(&self->before, STORED, 0);
	close(fd);
	EXPECT_GROWN(&self->before, 0, 0);
}

TEST_F(meminfo, stored)
{
	ASSERT_TRUE(fill(self->fd, 0, STORED / page_size, 0));
	EXPECT_GROWN(&self->before, STORED, 0);
}

TEST_F(meminfo, mapped)
{
	char *p = map_shared(_metadata, self->fd, 0, STORED / page_size);
	long file = status_kib("RssFile") << 10;

	write_pages(p, STORED / page_size, 1);
	/* There they differ: a tmpfs file's would be RssShmem. */
	EXPECT_TRUE(about(status_kib("RssFile") << 10, file + STORED));
	EXPECT_TRUE(about(status_kib("RssShmem") << 10, 0));
	EXPECT_GROWN(&self->before, STORED, 0);
	ASSERT_EQ(0, munmap(p, STORED));
	EXPECT_GROWN(&self->before, STORED, 0);
}

TEST_F(meminfo, spare)
{
	ASSERT_TRUE(fill(self->fd, 0, STORED / page_size, 0));
	ASSERT_EQ(0, discard(self->fd, 0, STORED / page_size));
	EXPECT_GROWN(&self->before, 0, STORED);
	/* Once more, of what is spare. */
	ASSERT_TRUE(fill(self->fd, 0, STORED / page_size, 0));
	EXPECT_GROWN(&self->before, STORED, 0);
	ASSERT_EQ(0, discard(self->fd, 0, STORED / page_size));
	reclaim();
	EXPECT_GROWN(&self->before, 0, 0);
}

/* Nothing adds up over the time. */
TEST_F(meminfo, again_and_again)
{
	int i;

	for (i = 0; i < 32; i++) {
		ASSERT_TRUE(fill(self->fd, 0, 1024, 0));
		ASSERT_EQ(0, discard(self->fd, 0, 1024));
		if (i % 4 == 3)
			reclaim();
	}
	EXPECT_GROWN(&self->before, 0, 0);
}

TEST_HARNESS_MAIN
