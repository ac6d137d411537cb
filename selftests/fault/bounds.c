// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what happens where a mapping ends, and where a discard ends what a
 * mapping shows: the signal with its code and address, the errno, and that
 * nothing else changes. Each test runs in both fault modes.
 *
 * The ids (E04, A21, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

FIXTURE(bounds) {
	struct device dev;
	int fd;
	size_t end;		/* of the device, in pages */
};

FAULT_MODES(bounds);

FIXTURE_SETUP(bounds)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->end = self->dev.nr_pages;
}

FIXTURE_TEARDOWN(bounds)
{
	device_teardown(_metadata, &self->dev);
}

/* E04: reads and writes alike, shared and private; counted as such. */
TEST_F(bounds, sigbus_past_end)
{
	char *shared = map_shared(_metadata, self->fd, self->end - 1, 3);
	char *private = map_private(_metadata, self->fd, self->end - 1, 3);
	char *past = shared + page_size;
	long count = stat_read("sigbus_size");

	EXPECT_TRAP(past - 1, 1, 0, 0, NULL);
	EXPECT_TRAP(past, -1, SIGBUS, BUS_ADRERR, past);
	EXPECT_TRAP(past + 5, 1, SIGBUS, BUS_ADRERR, past + 5);
	past = private + page_size;
	EXPECT_TRAP(past - 1, 1, 0, 0, NULL);
	EXPECT_TRAP(past, -1, SIGBUS, BUS_ADRERR, past);
	EXPECT_TRAP(past + page_size, 1, SIGBUS, BUS_ADRERR, past + page_size);
	EXPECT_EQ(count + 4, stat_read("sigbus_size"));
	EXPECT_EQ(1, pool_read("stored"));
}

TEST_F(bounds, mapping_far_past_end)
{
	char *p = map_shared(_metadata, self->fd, self->end + 1000, 1);

	EXPECT_TRAP(p, -1, SIGBUS, BUS_ADRERR, p);
}

/* E10: a system call that would get the signal fails with EFAULT. */
TEST_F(bounds, efault_past_end)
{
	char *past = map_shared(_metadata, self->fd, self->end - 1, 2) +
		     page_size;
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(-1, write(pipes[1], past, 1));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(1, write(pipes[1], "x", 1));
	EXPECT_EQ(-1, read(pipes[0], past, 1));
	EXPECT_EQ(EFAULT, errno);
}

/* M09: populating stops at the end, and the mapping is there all the same. */
TEST_F(bounds, populate_stops_at_end)
{
	char *p = map(_metadata, self->fd, PROT_READ, MAP_SHARED | MAP_POPULATE,
		      self->end - 4, 8);

	EXPECT_EQ(4, count_mapped(p, 8));
	EXPECT_EQ(-1, madvise(p, 8 * page_size, MADV_POPULATE_READ));
	EXPECT_EQ(EFAULT, errno);
}

/* E01 */
TEST_F(bounds, segv_after_munmap)
{
	char *p = map_shared(_metadata, self->fd, 0, 3);

	write_pages(p, 3, 1);
	ASSERT_EQ(0, munmap(p + page_size, page_size));
	EXPECT_TRAP(p + page_size + 3, -1, SIGSEGV, SEGV_MAPERR,
		    p + page_size + 3);
	EXPECT_TRAP(p + 2 * page_size, -1, 0, 0, NULL);
}

/* E02 */
TEST_F(bounds, segv_without_permission)
{
	char *readable = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 0, 1);
	char *none = map(_metadata, self->fd, PROT_NONE, MAP_SHARED, 0, 1);

	EXPECT_TRAP(readable, 1, SIGSEGV, SEGV_ACCERR, readable);
	EXPECT_TRAP(none, -1, SIGSEGV, SEGV_ACCERR, none);
	EXPECT_EQ(0, pool_read("stored"));
}

/* Return: the errno of an mmap that should fail; 0: it did not. */
static int mmap_errno(int fd, size_t len, int prot, int flags, off_t offset)
{
	void *p = mmap(NULL, len, prot, flags, fd, offset);

	if (p == MAP_FAILED)
		return errno;
	munmap(p, len ?: 1);
	return 0;
}

/* A21, A22, A24, N04: what an open file allows its mappings. */
TEST_F(bounds, open_mode_limits_mappings)
{
	int ro = open(DEVICE, O_RDONLY), wo = open(DEVICE, O_WRONLY);
	int rw = PROT_READ | PROT_WRITE;
	char *p;

	EXPECT_EQ(EACCES, mmap_errno(ro, page_size, rw, MAP_SHARED, 0));
	EXPECT_EQ(EACCES, mmap_errno(wo, page_size, PROT_WRITE, MAP_SHARED, 0));
	EXPECT_EQ(EACCES, mmap_errno(wo, page_size, PROT_NONE, MAP_PRIVATE, 0));

	ASSERT_TRUE(fill(self->fd, 0, 2, 0));
	p = map(_metadata, ro, PROT_READ, MAP_SHARED, 0, 2);
	EXPECT_EQ(-1, bad_page(p, 0, 2, 0));
	EXPECT_EQ(-1, mprotect(p, page_size, rw));
	EXPECT_EQ(EACCES, errno);

	p = map_private(_metadata, ro, 0, 2);
	p[0] = 1;
	EXPECT_EQ(-1, bad_page(p + page_size, 1, 1, 0));
	EXPECT_EQ(-1, bad_read(self->fd, 0, 2, 0));
	close(ro);
	close(wo);
}

/* A01, A02, A07, A08, A17, A19, A20, A28, A29 */
TEST_F(bounds, mmap_refuses)
{
	const struct {
		int fd;
		size_t len;
		int flags;
		off_t offset;
		int error;
	} c[] = {
		{ self->fd, 1, MAP_SHARED, 1, EINVAL },
		{ -1, 1, MAP_SHARED, 0, EBADF },
		{ self->fd, 0, MAP_SHARED, 0, EINVAL },
		{ self->fd, -1UL, MAP_SHARED, 0, ENOMEM },
		{ self->fd, page_size, MAP_SHARED, -page_size,
		  kernel_is_wider() ? 0 : EOVERFLOW },
		{ self->fd, 1, MAP_SHARED_VALIDATE | 1 << 24, 0, EOPNOTSUPP },
		{ self->fd, 1, MAP_SHARED_VALIDATE | MAP_SYNC, 0, EOPNOTSUPP },
		{ self->fd, 1, MAP_SHARED | MAP_GROWSDOWN, 0, EINVAL },
		{ self->fd, 1, 0, 0, EINVAL },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(c); i++) {
		EXPECT_EQ(c[i].error, mmap_errno(c[i].fd, c[i].len, PROT_READ,
						 c[i].flags, c[i].offset))
			TH_LOG("case %zu", i);
	}
}

/* In the mapping that made the pages, in another, and for read(2). */
TEST_F(bounds, discarded_pages_read_zero)
{
	char *p = map_shared(_metadata, self->fd, 0, 8);
	char *q = map_shared(_metadata, self->fd, 0, 8);
	char byte[3];

	ASSERT_TRUE(fill(self->fd, 0, 8, 0));
	EXPECT_EQ(-1, bad_page(p, 0, 8, 0));
	EXPECT_EQ(-1, bad_page(q, 0, 8, 0));
	ASSERT_EQ(0, discard(self->fd, 2, 3));
	EXPECT_EQ(5, pool_read("stored"));
	EXPECT_EQ(0, count_mapped(p + 2 * page_size, 3));
	ASSERT_EQ(3, pread(self->fd, byte, 3, 3 * page_size));
	EXPECT_EQ(-1, nonzero(byte, 3));
	EXPECT_EQ(-1, nonzero(p + 2 * page_size, 3 * page_size));
	EXPECT_EQ(-1, nonzero(q + 2 * page_size, 3 * page_size));
	EXPECT_EQ(-1, bad_page(p, 0, 2, 0));
	EXPECT_EQ(-1, bad_page(q + 5 * page_size, 5, 3, 0));
	p[3 * page_size] = 1;
	EXPECT_EQ(1, q[3 * page_size]);
}

/* G09: private copies are their owner's, whatever happens to the device. */
TEST_F(bounds, discard_keeps_private_copies)
{
	char *p = map_private(_metadata, self->fd, 0, 4);

	ASSERT_TRUE(fill(self->fd, 0, 4, 0));
	write_pages(p, 2, 7);
	EXPECT_EQ(-1, bad_page(p + 2 * page_size, 2, 2, 0));
	ASSERT_EQ(0, discard(self->fd, 0, 4));
	EXPECT_EQ(7, p[0]);
	EXPECT_EQ(7, p[page_size]);
	EXPECT_EQ(-1, nonzero(p + 2 * page_size, 2 * page_size));
}

/* W08: mappings are found through whichever node they were made. */
TEST_F(bounds, discard_reaches_second_node)
{
	int fd = open_second_node(self->fd);
	char *p;

	ASSERT_LE(0, fd);
	p = map_shared(_metadata, fd, 0, 2);
	ASSERT_TRUE(fill(self->fd, 0, 2, 0));
	EXPECT_EQ(-1, bad_page(p, 0, 2, 0));
	ASSERT_EQ(0, discard(self->fd, 0, 2));
	EXPECT_EQ(-1, nonzero(p, 2 * page_size));
	write_pages(p, 2, 1);
	EXPECT_EQ(2, pool_read("stored"));
	close(fd);
}

/*
 * M10: pages that sit in a pipe are not ours to reuse. Were one of
 * them handed out again, the pipe would show what its next owner writes.
 */
TEST_F(bounds, discard_leaves_pinned_pages_alone)
{
	char *p = map_shared(_metadata, self->fd, 0, 4), *read_back;
	struct iovec iov = { .iov_base = p, .iov_len = 4 * page_size };
	size_t size = 4 * page_size;
	int pipes[2];

	ASSERT_TRUE(fill(self->fd, 0, 4, 0));
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ((ssize_t)size, vmsplice(pipes[1], &iov, 1, 0));
	ASSERT_EQ(0, munmap(p, size));
	ASSERT_EQ(0, discard(self->fd, 0, 4));
	EXPECT_EQ(4, pool_read("lent"));
	EXPECT_EQ(pool_read("cached") + 4, pool_read("held"));

	/* More than the spare pages there were. */
	ASSERT_TRUE(fill(self->fd, 0, 64, 1));
	read_back = malloc(size);
	ASSERT_EQ((ssize_t)size, read(pipes[0], read_back, size));
	EXPECT_EQ(-1, bad_page(read_back, 0, 4, 0));
	EXPECT_EQ(-1, bad_read(self->fd, 0, 64, 1));
	EXPECT_EQ(0, pool_read("lent"));
	free(read_back);
	close(pipes[0]);
	close(pipes[1]);
}

/*
 * W06: the user's buffer lies in the device itself and is not there
 * yet, in the same page even. With a lock held that ->fault takes, these hang.
 */
TEST_F(bounds, buffer_in_own_mapping)
{
	char *p = map_shared(_metadata, self->fd, 0, 16);
	ssize_t len = 4 * page_size;

	ASSERT_TRUE(fill(self->fd, 0, 4, 0));
	ASSERT_EQ(len, pread(self->fd, p + 8 * page_size, len, 0));
	EXPECT_EQ(-1, bad_page(p + 8 * page_size, 0, 4, 0));
	ASSERT_EQ(0, madvise(p, 16 * page_size, MADV_DONTNEED));
	ASSERT_EQ(len, pwrite(self->fd, p, len, 12 * page_size));
	EXPECT_EQ(-1, bad_page(p + 12 * page_size, 0, 4, 0));
	ASSERT_EQ(0, madvise(p, 16 * page_size, MADV_DONTNEED));
	ASSERT_EQ(len, pwrite(self->fd, p, len, 0));
	ASSERT_EQ(0, madvise(p, 16 * page_size, MADV_DONTNEED));
	ASSERT_EQ(len, pread(self->fd, p, len, 0));
	EXPECT_EQ(-1, bad_page(p, 0, 4, 0));
	/* From a hole into another one, through a third mapping. */
	ASSERT_EQ(len, pwrite(self->fd, map_shared(_metadata, self->fd, 20, 4),
			      len, 30 * page_size));
	EXPECT_EQ(20, pool_read("stored"));
}

/* The same for an ioctl's argument. */
TEST_F(bounds, discard_its_own_argument)
{
	struct mmapdemo_discard *arg =
		(void *)map_shared(_metadata, self->fd, 0, 1);

	arg->len = page_size;
	ASSERT_EQ(0, ioctl(self->fd, MMAPDEMO_IOC_DISCARD, arg));
	EXPECT_EQ(0, arg->len);
}

TEST_HARNESS_MAIN
