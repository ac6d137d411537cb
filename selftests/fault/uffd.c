// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what a userfaultfd may watch of the device: that pages are missing never,
 * that they are written since 7.3, and since 6.7 if nobody is asked (WP_ASYNC);
 * and that PAGEMAP_SCAN finds the pages that were written, with that. And it
 * holds a write(2) to the device half-way, by its buffer. Each test runs in both
 * fault modes. What comes of it since 7.3 is in uffd_protect.c, uffd_life.c.
 *
 * The ids (V03, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; CONFIG_USERFAULTFD, and where a test says so
 * CONFIG_PTE_MARKER_UFFD_WP.
 */
#include "mmapdemo_test.h"
#include "newer_uapi.h"
#include "proc.h"
#include "uffd.h"

#include <pthread.h>

DEVICE_FIXTURE(uffd)

/*
 * V03: it is for the driver to tell of them, by a function that no module can
 * call.
 */
TEST_F(uffd, V03_missing_pages_are_not_told)
{
	const __u64 modes[] = {
		MISSING, MINOR, MISSING | WP, MISSING | MINOR, MINOR | WP,
		MISSING | MINOR | WP,
	};
	char *shared = map_shared(_metadata, self->fd, 0, 2);
	char *private = map_private(_metadata, self->fd, 0, 2);
	size_t i;
	int fd;

	fd = open_uffd(0);
	if (missing(fd))
		SKIP(return, "needs %s", missing(fd));
	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		EXPECT_EQ(EINVAL, watch(fd, shared, 2, modes[i]));
		EXPECT_EQ(EINVAL, watch(fd, private, 2, modes[i]));
	}
	EXPECT_FALSE(vma_has_flag(shared, "um"));
	EXPECT_FALSE(vma_has_flag(shared, "uw"));
	write_pages(shared, 2, 1);
	EXPECT_EQ(2, pool_read("stored"));
	close(fd);
}

/* Return: whether files can be write-protected at all. */
static bool have_wp_markers(void)
{
	int fd = open_uffd(UFFD_FEATURE_WP_HUGETLBFS_SHMEM);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* V03: before 7.3 a driver has no say; VM_MIXEDMAP is refused on all. */
TEST_F(uffd, V03_protection_needs_7_3)
{
	bool refused = variant->insert || kernel_before(7, 3) ||
		       !have_wp_markers();
	char *shared = map_shared(_metadata, self->fd, 0, 2);
	char *private = map_private(_metadata, self->fd, 0, 2);
	int fd, expected = refused ? EINVAL : 0;

	fd = open_uffd(0);
	if (missing(fd))
		SKIP(return, "needs %s", missing(fd));
	ASSERT_LE(0, fd);
	EXPECT_EQ(expected, watch(fd, shared, 2, WP));
	EXPECT_EQ(expected, watch(fd, private, 2, WP));
	EXPECT_EQ(!expected, vma_has_flag(shared, "uw"));
	close(fd);
	EXPECT_FALSE(vma_has_flag(shared, "uw"));
}

/*
 * VM_MIXEDMAP is among what no userfaultfd will have; and before 6.7 there is
 * no WP_ASYNC to ask for.
 */
TEST_F(uffd, V03_write_protects_plain_mappings)
{
	int fd, other, ro, expected = variant->insert ? EINVAL : 0;
	char *shared = map_shared(_metadata, self->fd, 0, 2);
	char *private = map_private(_metadata, self->fd, 0, 2);
	char *readable;

	if (kernel_before(6, 7)) {
		EXPECT_EQ(-EINVAL, open_uffd(UFFD_FEATURE_WP_ASYNC));
		return;
	}
	fd = open_uffd(UFFD_FEATURE_WP_ASYNC);
	if (missing(fd))
		SKIP(return, "needs %s", missing(fd));
	ASSERT_LE(0, fd);
	other = open_uffd(UFFD_FEATURE_WP_ASYNC);
	ASSERT_LE(0, other);
	EXPECT_EQ(EINVAL, watch(fd, shared, 2, MISSING | WP));
	EXPECT_EQ(EINVAL, watch(fd, shared, 2, MINOR));
	EXPECT_EQ(expected, watch(fd, shared, 2, WP));
	EXPECT_EQ(!expected, vma_has_flag(shared, "uw"));
	EXPECT_EQ(expected, watch(fd, private, 2, WP));
	EXPECT_EQ(expected ?: EBUSY, watch(other, shared, 2, WP));

	ro = open(DEVICE, O_RDONLY);
	readable = map(_metadata, ro, PROT_READ, MAP_SHARED, 0, 1);
	EXPECT_EQ(expected ?: EPERM, watch(fd, readable, 1, WP));
	close(ro);
	close(fd);
	EXPECT_FALSE(vma_has_flag(shared, "uw"));
	EXPECT_EQ(expected, watch(other, shared, 2, WP));
	close(other);
}

FIXTURE(uffd_async) {
	struct device dev;
	int fd, uffd;
};

FIXTURE_SETUP(uffd_async)
{
	if (kernel_before(6, 7))
		SKIP(return, "needs WP_ASYNC, which is in Linux 6.7");
	self->uffd = open_uffd(UFFD_FEATURE_WP_ASYNC);
	if (missing(self->uffd))
		SKIP(return, "needs %s", missing(self->uffd));
	ASSERT_LE(0, self->uffd);
	device_setup(_metadata, &self->dev, false);
	self->fd = self->dev.fd;
}

FIXTURE_TEARDOWN(uffd_async)
{
	close(self->uffd);
	device_teardown(_metadata, &self->dev);
}

/* I03: write-protected by another, the next write is the device's to know. */
TEST_F(uffd_async, V03_I03_next_write_is_noticed)
{
	char *p = map_shared(_metadata, self->fd, 0, 4);
	long mkwrite;

	write_pages(p, 3, 1);
	ASSERT_EQ(0, watch(self->uffd, p, 4, WP));
	ASSERT_EQ(0, protect(self->uffd, p, 4));
	mkwrite = stat_read("mkwrite");
	read_pages(p, 3);
	EXPECT_EQ(mkwrite, stat_read("mkwrite"));
	write_pages(p, 2, 2);
	write_pages(p, 2, 3);
	EXPECT_EQ(mkwrite + 2, stat_read("mkwrite"));
	/* One that was not there yet comes into being as ever. */
	write_pages(p + 3 * page_size, 1, 2);
	EXPECT_EQ(4, pool_read("stored"));
	EXPECT_EQ(4, pool_read("dirty"));
	EXPECT_EQ(3, p[page_size]);
}

#define REGIONS	8

/*
 * Scans @nr pages at @p for those that have all of @categories. Return: how
 * many regions of them there are; or an errno, negative.
 */
static int scan(char *p, size_t nr, __u64 categories, __u64 flags,
		struct page_region *regions)
{
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = flags,
		.start = (uintptr_t)p,
		.end = (uintptr_t)p + nr * page_size,
		.vec = (uintptr_t)regions,
		.vec_len = REGIONS,
		.category_mask = categories,
		.return_mask = categories,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY);
	int found = ioctl(fd, PAGEMAP_SCAN, &arg);

	if (found < 0)
		found = -errno;
	close(fd);
	return found;
}

static bool is_region(const struct page_region *region, const char *p,
		      size_t page, size_t nr)
{
	return region->start == (uintptr_t)p + page * page_size &&
	       region->end == region->start + nr * page_size;
}

TEST_F(uffd, V04_scan)
{
	char *p = map_shared(_metadata, self->fd, 0, 8);
	__u64 present = PAGE_IS_PRESENT | PAGE_IS_FILE;
	struct page_region regions[REGIONS];

	if (kernel_before(6, 7)) {
		EXPECT_EQ(-ENOTTY, scan(p, 8, present, 0, regions));
		return;
	}
	EXPECT_EQ(0, scan(p, 8, present, 0, regions));
	write_pages(p + page_size, 2, 1);
	write_pages(p + 5 * page_size, 1, 1);
	ASSERT_EQ(2, scan(p, 8, present, 0, regions));
	EXPECT_TRUE(is_region(&regions[0], p, 1, 2));
	EXPECT_TRUE(is_region(&regions[1], p, 5, 1));
	EXPECT_EQ(present, regions[0].categories);
	EXPECT_EQ(-EPERM, scan(p, 8, PAGE_IS_WRITTEN, PM_SCAN_WP_MATCHING |
			       PM_SCAN_CHECK_WPASYNC, regions));
	EXPECT_EQ(3, pool_read("stored"));
}

/* Each scan finds what was written since the last one. */
TEST_F(uffd_async, V04_scan_and_protect)
{
	char *p = map_shared(_metadata, self->fd, 0, 8);
	__u64 flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC;
	struct page_region regions[REGIONS];
	long mkwrite;

	ASSERT_EQ(0, watch(self->uffd, p, 8, WP));
	write_pages(p, 8, 1);
	ASSERT_EQ(1, scan(p, 8, PAGE_IS_WRITTEN, flags, regions));
	EXPECT_TRUE(is_region(&regions[0], p, 0, 8));
	EXPECT_EQ(0, scan(p, 8, PAGE_IS_WRITTEN, flags, regions));

	mkwrite = stat_read("mkwrite");
	write_pages(p + 3 * page_size, 1, 2);
	write_pages(p + 5 * page_size, 2, 2);
	read_pages(p, 8);
	EXPECT_EQ(mkwrite + 3, stat_read("mkwrite"));
	ASSERT_EQ(2, scan(p, 8, PAGE_IS_WRITTEN, flags, regions));
	EXPECT_TRUE(is_region(&regions[0], p, 3, 1));
	EXPECT_TRUE(is_region(&regions[1], p, 5, 2));
	EXPECT_EQ(0, scan(p, 8, PAGE_IS_WRITTEN, flags, regions));
	EXPECT_EQ(8, pool_read("dirty"));
	EXPECT_EQ(2, p[5 * page_size]);
	EXPECT_EQ(1, p[0]);
}

struct held_write {
	int fd;
	const char *from;
	size_t len;
	ssize_t written;
};

static void *write_held(void *arg)
{
	struct held_write *held = arg;

	held->written = pwrite(held->fd, held->from, held->len, 0);
	return NULL;
}

/*
 * X02: a page that is cleaned in the middle of a write(2) is dirty after it:
 * who cleaned it has not seen the rest.
 */
TEST_F(uffd, X02_write_is_logged_when_it_is_done)
{
	char *p = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct held_write held = {
		.fd = self->fd, .from = p + page_size / 2, .len = page_size,
	};
	struct uffdio_zeropage more = {
		.range = { (uintptr_t)(p + page_size), page_size },
	};
	struct uffd_msg msg;
	pthread_t thread;
	int fd;

	ASSERT_NE(MAP_FAILED, p);
	memset(p, 1, page_size);
	ASSERT_TRUE(fill(self->fd, 0, 1, 0));
	fd = open_uffd(0);
	if (missing(fd))
		SKIP(return, "needs %s", missing(fd));
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, watch(fd, p + page_size, 1, MISSING));
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_held, &held));
	/* It has met the second half of its buffer, which is not there. */
	ASSERT_TRUE(uffd_wait(fd, &msg));
	EXPECT_EQ(0, clean_all(self->fd));
	EXPECT_EQ(0, pool_read("dirty"));
	EXPECT_EQ(0, ioctl(fd, UFFDIO_ZEROPAGE, &more));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(page_size, held.written);
	EXPECT_EQ(1, pool_read("dirty"));
	close(fd);
	munmap(p, 2 * page_size);
}

TEST_HARNESS_MAIN
