// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what happens when the kernel takes hold of a mapping's pages for
 * somebody (get_user_pages): a disk that reads into it or writes from it, a
 * buffer that io_uring keeps, a pipe. That the device is asked as it is for the
 * program's own accesses, and that an access that it refuses is an errno. Each
 * test runs in both fault modes.
 *
 * The ids (M02, M04, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; loop devices; io_uring where a test says so.
 */
#include "mmapdemo_test.h"
#include "resource_limits.h"
#include "pin.h"
#include "proc.h"
#include "syscalls.h"

#include <linux/io_uring.h>
#include <sys/uio.h>

#define NR	8
#define LEN	((ssize_t)(NR * page_size))

FIXTURE(gup) {
	struct device dev;
	int fd;
	struct loop_disk disk;
	struct counters seen;	/* at the last look */
};

FAULT_MODES(gup);

/* What the device was asked for since. */
#define EXPECT_ASKED(read, write, cow, mkwrite)				\
	EXPECT_COUNTED_ANEW(&self->seen,				\
			    { "fault_read", read },			\
			    { "fault_write", write },			\
			    { "fault_cow", cow }, { "mkwrite", mkwrite })

FIXTURE_SETUP(gup)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	if (!loop_disk_open(&self->disk, 4 * NR))
		DEVICE_SKIP(&self->dev, "needs loop devices (CONFIG_BLK_DEV_LOOP)");
	counters_start(&self->seen);
}

FIXTURE_TEARDOWN(gup)
{
	loop_disk_close(&self->disk);
	device_teardown(_metadata, &self->dev);
}

/* M02: a disk that reads writes to each page, and each is logged. */
TEST_F(gup, M02_disk_reads_into_mapping)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);

	ASSERT_TRUE(fill(self->disk.file, 0, NR, 1));
	EXPECT_EQ(LEN, pread(self->disk.fd, p, LEN, 0));
	EXPECT_ASKED(0, NR, 0, NR);
	EXPECT_EQ(NR, pool_read("dirty"));
	EXPECT_EQ(-1, bad_read(self->fd, 0, NR, 1));
	EXPECT_EQ(-1, bad_page(p, 0, NR, 1));

	/* Into pages that are there, and read-only as they are clean. */
	ASSERT_EQ(0, clean_all(self->fd));
	ASSERT_TRUE(fill(self->disk.file, 0, NR, 2));
	EXPECT_EQ(LEN, pread(self->disk.fd, p, LEN, 0));
	EXPECT_ASKED(0, 0, 0, NR);
	EXPECT_EQ(NR, pool_read("dirty"));
	EXPECT_EQ(-1, bad_read(self->fd, 0, NR, 2));
}

/* M02: a disk that writes reads; holes become pages, none gets dirty. */
TEST_F(gup, M02_disk_writes_from_mapping)
{
	char *p = map_shared(_metadata, self->fd, 0, 2 * NR);

	ASSERT_TRUE(fill(self->disk.file, 0, 2 * NR, 1));
	EXPECT_EQ(LEN, pwrite(self->disk.fd, p, LEN, 0));
	EXPECT_ASKED(NR, 0, 0, 0);
	EXPECT_EQ(NR, pool_read("stored"));
	EXPECT_EQ(0, pool_read("dirty"));

	ASSERT_TRUE(fill(self->fd, NR, NR, 2));
	ASSERT_EQ(0, clean_all(self->fd));
	EXPECT_EQ(LEN, pwrite(self->disk.fd, p + LEN, LEN, LEN));
	EXPECT_EQ(0, counted(&self->seen, "mkwrite"));
	EXPECT_EQ(0, pool_read("dirty"));
	EXPECT_EQ(-1, bad_read(self->disk.file, NR, NR, 2));
	EXPECT_EQ(LEN, pread(self->disk.file, p, LEN, 0));
	EXPECT_EQ(-1, nonzero(p, LEN));
}

/* M02: a private mapping gets copies, and the device no data. */
TEST_F(gup, M02_disk_reads_into_private)
{
	char *p = map_private(_metadata, self->fd, 0, NR);

	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	ASSERT_TRUE(fill(self->disk.file, 0, NR, 1));
	EXPECT_EQ(LEN, pread(self->disk.fd, p, LEN, 0));
	EXPECT_ASKED(0, 0, NR, 0);
	EXPECT_EQ(-1, bad_page(p, 0, NR, 1));
	EXPECT_EQ(-1, bad_read(self->fd, 0, NR, 0));
}

/* What the mapping itself does not allow, nobody may do for its owner. */
static void expect_no_write(struct __test_metadata *_metadata, int disk,
			    char *p)
{
	struct iovec local = { "bad", 3 }, remote = { p, 3 };

	EXPECT_ERRNO(EFAULT, pread(disk, p, page_size, 0));
	EXPECT_ERRNO(EFAULT, process_vm_writev(getpid(), &local, 1, &remote, 1,
					       0));
}

/* M03: present or not, and whatever the file would allow. */
TEST_F(gup, M03_read_only_mappings)
{
	int fd = open(DEVICE, O_RDONLY);
	char *p[4] = {
		map(_metadata, self->fd, PROT_READ, MAP_SHARED, 0, NR),
		map(_metadata, self->fd, PROT_READ, MAP_PRIVATE, 0, NR),
		map(_metadata, fd, PROT_READ, MAP_SHARED, 0, NR),
		map(_metadata, self->fd, PROT_NONE, MAP_SHARED, 0, NR),
	};
	size_t i, none = ARRAY_SIZE(p) - 1;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		expect_no_write(_metadata, self->disk.fd, p[i]);
	EXPECT_EQ(0, pool_read("stored"));
	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	for (i = 0; i < none; i++) {
		read_pages(p[i], NR);
		expect_no_write(_metadata, self->disk.fd, p[i]);
		/* Reading is another matter. */
		EXPECT_EQ(LEN, pwrite(self->disk.fd, p[i], LEN, 0));
	}
	EXPECT_ERRNO(EFAULT, pwrite(self->disk.fd, p[none], LEN, 0));
	EXPECT_EQ(0, counted(&self->seen, "mkwrite"));
	EXPECT_EQ(-1, bad_read(self->fd, 0, NR, 0));
	close(fd);
}

/* A ring with nothing in it; negative: an errno. */
static int open_ring(void)
{
	struct io_uring_params params = { 0 };
	int ring = syscall(SYS_io_uring_setup, 1, &params);

	return ring < 0 ? -errno : ring;
}

/* Pins LEN bytes at @p for as long as the ring is there. Return: the errno. */
static int pin_for_long(int ring, char *p)
{
	struct iovec iov = { p, LEN };

	return error_of(syscall(SYS_io_uring_register, ring,
				IORING_REGISTER_BUFFERS, &iov, 1));
}

static int unpin(int ring)
{
	return syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS,
		       NULL, 0);
}

static const char *missing_ring(int error)
{
	if (error == -ENOSYS)
		return "CONFIG_IO_URING";
	if (error == -EPERM)
		return "kernel.io_uring_disabled=0";
	return NULL;
}

/*
 * M04: page_mkwrite cannot be asked again before each of the writes that come
 * through such a pin, so there is none (writable_file_mapping_allowed());
 * neither through a PTE that is writable already. 6.1 pins, which asks the
 * device, before it finds out that io_uring takes no file but those of tmpfs
 * (io_pin_pages()). These have no page_mkwrite, either.
 */
TEST_F(gup, M04_long_term_pin)
{
	int ring = open_ring(), other = open_ring();
	const char *missing = missing_ring(ring);
	char *p = map_shared(_metadata, self->fd, 0, NR);
	char *like = map_shared(_metadata, memfd_of(NR), 0, NR);
	bool old = kernel_before(6, 12);
	int error = old ? EOPNOTSUPP : EFAULT;

	if (missing)
		SKIP(return, "needs %s", missing);
	ASSERT_LE(0, ring);
	EXPECT_EQ(error, pin_for_long(ring, p));
	EXPECT_ASKED(0, old ? NR : 0, 0, old ? NR : 0);
	EXPECT_EQ(old ? NR : 0, pool_read("stored"));
	write_pages(p, NR, 1);
	counters_start(&self->seen);
	EXPECT_EQ(error, pin_for_long(ring, p));
	EXPECT_ASKED(0, 0, 0, 0);
	EXPECT_EQ(0, pin_for_long(other, like));
	close(ring);
	close(other);
}

/*
 * M04: the same for the packets of AF_XDP, which takes any memory that can be
 * pinned: before 6.5 also the device's.
 */
TEST_F(gup, M04_long_term_pin_by_xdp)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	char *like = map_shared(_metadata, memfd_of(NR), 0, NR);
	int pin = socket(AF_XDP, SOCK_RAW, 0);

	if (pin < 0)
		SKIP(return, "needs CONFIG_XDP_SOCKETS");
	close(pin);
	pin = pin_by_xdp(like, LEN);
	EXPECT_LE(0, pin);
	close(pin);
	pin = pin_by_xdp(p, LEN);
	if (!kernel_before(6, 5)) {
		EXPECT_EQ(-1, pin);
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(0, pool_read("stored"));
		return;
	}
	EXPECT_LE(0, pin);
	EXPECT_EQ(NR, pool_read("stored"));
	EXPECT_EQ(NR, pool_read("dirty"));
	close(pin);
	/* The pages come back some time after the socket is gone. */
	ASSERT_EQ(0, discard(self->fd, 0, NR));
	while (pool_read("lent"))
		usleep(1000);
}

/*
 * M04: a private mapping can be pinned: by its copies, which need nobody's
 * leave. A discard does not reach them. 6.1's io_uring takes no file at all.
 */
TEST_F(gup, M04_long_term_pin_of_private)
{
	int ring = open_ring();
	const char *missing = missing_ring(ring);
	char *p = map_private(_metadata, self->fd, 0, NR);

	if (missing)
		SKIP(return, "needs %s", missing);
	ASSERT_LE(0, ring);
	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	EXPECT_EQ(kernel_before(6, 12) ? EOPNOTSUPP : 0, pin_for_long(ring, p));
	EXPECT_ASKED(0, 0, NR, 0);
	EXPECT_EQ(NR * page_size / 1024, smaps_kib(p, "Anonymous"));
	ASSERT_EQ(0, discard(self->fd, 0, NR));
	EXPECT_EQ(0, pool_read("lent"));
	EXPECT_EQ(-1, bad_page(p, 0, NR, 0));
	/* Not left to the ring's end, which comes after its file's. */
	EXPECT_EQ(kernel_before(6, 12) ? ENXIO : 0, error_of(unpin(ring)));
	close(ring);
}

/* M05: past the end of the device, at once or after some good pages. */
TEST_F(gup, M05_sigbus_at_the_end)
{
	size_t end = self->dev.nr_pages;
	char *p = map_shared(_metadata, self->fd, end - 2, 4);
	char *past = p + 2 * page_size;
	struct iovec iov = { past, page_size };
	long sigbus = stat_read("sigbus_size");
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_TRUE(fill(self->disk.file, 0, 4, 1));
	EXPECT_ERRNO(EFAULT, pread(self->disk.fd, past, page_size, 0));
	EXPECT_ERRNO(EFAULT, pwrite(self->disk.fd, past, page_size, 0));
	EXPECT_ERRNO(EFAULT, vmsplice(pipes[1], &iov, 1, 0));
	EXPECT_LE(sigbus + 3, stat_read("sigbus_size"));
	EXPECT_EQ(-1, bad_read(self->disk.file, 0, 4, 1));
	EXPECT_EQ(0, pool_read("stored"));

	EXPECT_EQ((ssize_t)(2 * page_size),
		  pread(self->disk.fd, p, 4 * page_size, 0));
	EXPECT_EQ(-1, bad_page(p, 0, 2, 1));
	iov = (struct iovec){ p, 4 * page_size };
	EXPECT_EQ((ssize_t)(2 * page_size), vmsplice(pipes[1], &iov, 1, 0));
	close(pipes[0]);
	close(pipes[1]);
}

/* M05: the pool's cap is a SIGBUS, too, and to a disk an EFAULT. */
TEST_F(gup, M05_sigbus_at_the_cap)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	long cap = pool_read("cap"), sigbus = stat_read("sigbus_cap");

	ASSERT_EQ(0, resize(self->fd, cap + 2 * NR));
	ASSERT_TRUE(fill_pool(self->fd, NR, 1));
	EXPECT_EQ((ssize_t)page_size, pread(self->disk.fd, p, page_size, 0));
	EXPECT_ERRNO(EFAULT, pread(self->disk.fd, p + page_size, page_size, 0));
	EXPECT_ERRNO(EFAULT, pwrite(self->disk.fd, p + page_size, page_size,
				    0));
	EXPECT_ERRNO(EFAULT, madvise(p, LEN, MADV_POPULATE_WRITE));
	EXPECT_LE(sigbus + 3, stat_read("sigbus_cap"));
	EXPECT_EQ(cap, pool_read("stored"));
	EXPECT_EQ(1, count_mapped(p, NR));
	ASSERT_EQ(0, discard(self->fd, 0, cap + 2 * NR));
	EXPECT_EQ(0, resize(self->fd, self->dev.nr_pages));
}

TEST_HARNESS_MAIN
