// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that RESIZE does to every mapping what ftruncate(2) on a file does:
 * growing makes pages accessible in mappings that were there before, shrinking
 * takes them away from all of them, private copies included, and what lies
 * below the new end is not touched. Each test runs in both fault modes.
 *
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/uio.h>

/* The device's size in pages: at first, shrunk, and grown. */
#define NR	16
#define SMALL	6
#define LARGE	24

FIXTURE(resize) {
	struct device dev;
	int fd;
	char *shared, *private;		/* LARGE pages, of which NR exist */
};

FAULT_MODES(resize);

FIXTURE_SETUP(resize)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	ASSERT_EQ(0, resize(self->fd, NR));
	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	self->shared = map_shared(_metadata, self->fd, 0, LARGE);
	self->private = map_private(_metadata, self->fd, 0, LARGE);
}

FIXTURE_TEARDOWN(resize)
{
	EXPECT_EQ(0, resize(self->fd, self->dev.nr_pages));
	device_teardown(_metadata, &self->dev);
	/* All that are not stored, and so all, are spare. */
	EXPECT_EQ(pool_read("cached"), pool_read("held"));
}

/* Page @n and all behind it raise SIGBUS, for reads and for writes. */
static void expect_end(struct __test_metadata *_metadata, char *p, size_t n)
{
	for (; n < LARGE; n++) {
		char *page = p + n * page_size;

		EXPECT_TRAP(page, -1, SIGBUS, BUS_ADRERR, page);
		EXPECT_TRAP(page + 9, 1, SIGBUS, BUS_ADRERR, page + 9);
	}
}

TEST_F(resize, grown_pages_are_accessible)
{
	size_t added = (LARGE - NR) * page_size;
	char *new = self->shared + NR * page_size;

	expect_end(_metadata, self->shared, NR);
	expect_end(_metadata, self->private, NR);
	ASSERT_EQ(0, resize(self->fd, LARGE));
	EXPECT_EQ(-1, nonzero(new, added));
	EXPECT_EQ(-1, nonzero(self->private + NR * page_size, added));
	ASSERT_TRUE(fill(self->fd, NR, LARGE - NR, 1));
	EXPECT_EQ(-1, bad_page(new, NR, LARGE - NR, 1));
	EXPECT_EQ(-1, bad_page(self->shared, 0, NR, 0));
}

TEST_F(resize, growing_makes_holes)
{
	ASSERT_EQ(0, resize(self->fd, LARGE));
	EXPECT_EQ(NR, pool_read("stored"));
	EXPECT_EQ((off_t)(NR * page_size), lseek(self->fd, 0, SEEK_HOLE));
}

static int child_grows_beyond_limit(void *arg)
{
	struct rlimit limit = { NR * page_size, NR * page_size };
	int fd = *(int *)arg;

	if (setrlimit(RLIMIT_FSIZE, &limit) || resize(fd, NR))
		return 1;
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return 2;
	if (resize(fd, NR + 1) != -1 || errno != EFBIG)
		return 3;
	signal(SIGXFSZ, SIG_DFL);
	resize(fd, NR + 1);
	return 0;
}

/* RLIMIT_FSIZE bounds the device as it does a file; to shrink is always right. */
TEST_F(resize, growing_beyond_limit)
{
	EXPECT_EQ(128 + SIGXFSZ, in_child(child_grows_beyond_limit, &self->fd));
	EXPECT_EQ((off_t)(NR * page_size), lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(NR, pool_read("stored"));
}

TEST_F(resize, shrinking_takes_pages_away)
{
	char *readonly = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 0,
			     LARGE);

	EXPECT_EQ(-1, bad_page(readonly, 0, NR, 0));
	EXPECT_EQ(-1, bad_page(self->shared, 0, NR, 0));
	ASSERT_EQ(0, resize(self->fd, SMALL));
	EXPECT_EQ(0, count_mapped(readonly + SMALL * page_size, NR - SMALL));
	EXPECT_TRAP(readonly + SMALL * page_size, -1, SIGBUS, BUS_ADRERR,
		    readonly + SMALL * page_size);
	expect_end(_metadata, self->shared, SMALL);
	EXPECT_EQ(-1, bad_page(readonly, 0, SMALL, 0));
	EXPECT_EQ(-1, bad_page(self->shared, 0, SMALL, 0));
	EXPECT_EQ(-1, bad_read(self->fd, 0, SMALL, 0));
}

/* A discard leaves them alone; that the file has ended, they must notice. */
TEST_F(resize, shrinking_takes_private_copies_away)
{
	write_pages(self->private, NR, 7);
	ASSERT_EQ(0, resize(self->fd, SMALL));
	expect_end(_metadata, self->private, SMALL);
	EXPECT_EQ(7, self->private[(SMALL - 1) * page_size]);
	ASSERT_EQ(0, resize(self->fd, NR));
	EXPECT_EQ(-1, nonzero(self->private + SMALL * page_size,
			      (NR - SMALL) * page_size));
	EXPECT_EQ(7, self->private[0]);
	EXPECT_EQ(-1, bad_read(self->fd, 0, SMALL, 0));
}

TEST_F(resize, grown_again_reads_zeros)
{
	char *back = malloc(NR * page_size);

	EXPECT_EQ(-1, bad_page(self->shared, 0, NR, 0));
	ASSERT_EQ(0, resize(self->fd, SMALL));
	ASSERT_EQ(0, resize(self->fd, NR));
	EXPECT_EQ(SMALL, pool_read("stored"));
	EXPECT_EQ(-1, nonzero(self->shared + SMALL * page_size,
			      (NR - SMALL) * page_size));
	ASSERT_EQ((ssize_t)(NR * page_size),
		  pread(self->fd, back, NR * page_size, 0));
	EXPECT_EQ(-1, bad_page(back, 0, SMALL, 0));
	EXPECT_EQ(-1, nonzero(back + SMALL * page_size,
			      (NR - SMALL) * page_size));
	free(back);
}

/* A child that maps the device, and looks again when it has changed. */
struct child {
	int fd;
	int ready[2], go[2];
};

static int traps_past_end(char *p)
{
	size_t n;

	for (n = SMALL; n < NR; n++)
		if (touch(p + n * page_size, -1).sig != SIGBUS)
			return 1;
	return 0;
}

static int map_and_wait(struct child *child)
{
	char *shared = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE,
			    MAP_SHARED, child->fd, 0);
	char *private = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE, child->fd, 0);
	char byte;

	/* So that the parent's end is the end of waiting for it. */
	close(child->go[1]);
	if (shared == MAP_FAILED || private == MAP_FAILED ||
	    bad_page(shared, 0, NR, 0) >= 0)
		return 2;
	write_pages(private, NR, 9);
	if (write(child->ready[1], "", 1) != 1 ||
	    read(child->go[0], &byte, 1) != 1)
		return 3;
	if (traps_past_end(shared) || traps_past_end(private))
		return 1;
	return bad_page(shared, 0, SMALL, 0) >= 0 || private[0] != 9;
}

TEST_F(resize, other_process_and_second_node)
{
	struct child child = { .fd = open_second_node(self->fd) };
	int status;
	char byte;
	pid_t pid;

	ASSERT_LE(0, child.fd);
	ASSERT_EQ(0, pipe(child.ready));
	ASSERT_EQ(0, pipe(child.go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(map_and_wait(&child));
	/* Else its end would not be seen here. */
	close(child.ready[1]);
	EXPECT_EQ(1, read(child.ready[0], &byte, 1));
	EXPECT_EQ(0, resize(self->fd, SMALL));
	EXPECT_EQ(1, write(child.go[1], "", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	/* And the other way round. */
	EXPECT_EQ(0, resize(child.fd, SMALL - 1));
	expect_end(_metadata, self->shared, SMALL - 1);
	close(child.fd);
}

TEST_F(resize, calls_follow_the_size)
{
	off_t end = SMALL * page_size;
	char byte[16];

	ASSERT_EQ(0, resize(self->fd, SMALL));
	EXPECT_EQ(end, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(end, (off_t)device_info(self->fd).size);
	EXPECT_EQ(0, read(self->fd, byte, 1));
	EXPECT_EQ(5, pread(self->fd, byte, sizeof(byte), end - 5));
	EXPECT_EQ(5, pwrite(self->fd, byte, sizeof(byte), end - 5));
	EXPECT_ERRNO(ENOSPC, write(self->fd, byte, 1));
	EXPECT_ERRNO(EINVAL, discard(self->fd, 0, NR));
	EXPECT_EQ(SMALL, pool_read("stored"));
	ASSERT_EQ(0, resize(self->fd, NR));
	EXPECT_EQ(1, write(self->fd, "x", 1));
	EXPECT_EQ('x', self->shared[end]);
}

/* What sits in a pipe stays as it was, whoever has the pages later. */
TEST_F(resize, pinned_pages_keep_their_data)
{
	size_t len = (NR - SMALL) * page_size;
	struct iovec iov = { self->shared + SMALL * page_size, len };
	char *back = malloc(len);
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ((ssize_t)len, vmsplice(pipes[1], &iov, 1, 0));
	ASSERT_EQ(0, resize(self->fd, SMALL));
	EXPECT_EQ(NR - SMALL, pool_read("lent"));
	ASSERT_EQ(0, resize(self->fd, 128));
	ASSERT_TRUE(fill(self->fd, SMALL, 128 - SMALL, 1));
	ASSERT_EQ((ssize_t)len, read(pipes[0], back, len));
	EXPECT_EQ(-1, bad_page(back, SMALL, NR - SMALL, 0));
	EXPECT_EQ(-1, bad_read(self->fd, SMALL, 128 - SMALL, 1));
	EXPECT_EQ(0, pool_read("lent"));
	free(back);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(resize, other_accesses_past_the_end_fail)
{
	char byte = 1;
	struct iovec local = { &byte, 1 };
	struct iovec remote = { self->shared + SMALL * page_size, 1 };

	EXPECT_EQ(1, process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
	ASSERT_EQ(0, resize(self->fd, SMALL));
	EXPECT_ERRNO(EFAULT, process_vm_readv(getpid(), &local, 1, &remote, 1,
					      0));
	EXPECT_ERRNO(EFAULT, process_vm_writev(getpid(), &local, 1, &remote, 1,
					       0));
}

TEST_F(resize, locked_mappings)
{
	ASSERT_EQ(0, mlock(self->shared, NR * page_size));
	ASSERT_EQ(0, mlock(self->private, NR * page_size));
	ASSERT_EQ(0, resize(self->fd, SMALL));
	expect_end(_metadata, self->shared, SMALL);
	expect_end(_metadata, self->private, SMALL);
	ASSERT_EQ(0, resize(self->fd, NR));
	EXPECT_EQ(-1, nonzero(self->shared + SMALL * page_size,
			      (NR - SMALL) * page_size));
	EXPECT_EQ(-1, bad_page(self->shared, 0, SMALL, 0));
	EXPECT_EQ(0, munlock(self->shared, NR * page_size));
	EXPECT_EQ(0, munlock(self->private, NR * page_size));
}

TEST_F(resize, counts_go_down)
{
	EXPECT_EQ(NR, pool_read("stored"));
	EXPECT_EQ(NR, pool_read("dirty"));
	ASSERT_EQ(0, resize(self->fd, SMALL));
	EXPECT_EQ(SMALL, pool_read("stored"));
	EXPECT_EQ(SMALL, pool_read("dirty"));
	EXPECT_EQ(PAGES(0, SMALL), log_bits(self->fd, 0));
	ASSERT_EQ(0, resize(self->fd, NR));
	EXPECT_EQ(SMALL, pool_read("dirty"));
}

TEST_F(resize, bad_resizes_change_nothing)
{
	__u64 page = page_size;
	const struct mmapdemo_resize bad[] = {
		{ .size = 0 },
		{ .size = 1 },
		{ .size = page - 1 },
		{ .size = page + 1 },
		{ .size = largest_size() + page },
		{ .size = -page },
		{ .size = -1 },
		{ .size = page, .flags = 1 },
		{ .size = page, .flags = 1U << 31 },
		{ .size = page, .pad = 1 },
	};
	struct mmapdemo_resize good = { .size = page };
	int ro = open(DEVICE, O_RDONLY);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_ERRNO(EINVAL, ioctl(self->fd, MMAPDEMO_IOC_RESIZE,
					   &bad[i]));
	}
	EXPECT_ERRNO(EBADF, ioctl(ro, MMAPDEMO_IOC_RESIZE, &good));
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, MMAPDEMO_IOC_RESIZE, NULL));
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, MMAPDEMO_IOC_RESIZE,
				   self->shared + NR * page_size - 8));
	EXPECT_EQ((off_t)(NR * page), lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(-1, bad_page(self->shared, 0, NR, 0));
	close(ro);
}

/* The argument lies in what goes away. */
TEST_F(resize, shrinks_its_own_argument_away)
{
	struct mmapdemo_resize *arg =
		(void *)(self->shared + SMALL * page_size);

	*arg = (struct mmapdemo_resize){ .size = SMALL * page_size };
	ASSERT_EQ(0, ioctl(self->fd, MMAPDEMO_IOC_RESIZE, arg));
	expect_end(_metadata, self->shared, SMALL);
}

struct toucher {
	char *shared, *private;
	int stop;
};

static void *keep_touching(void *arg)
{
	struct toucher *toucher = arg;
	size_t n;

	while (!__atomic_load_n(&toucher->stop, __ATOMIC_RELAXED)) {
		for (n = SMALL; n < NR; n++) {
			touch(toucher->private + n * page_size, 'p');
			touch(toucher->shared + n * page_size, n % 2 ? 's' : -1);
		}
	}
	return NULL;
}

/*
 * Once a shrink has returned, each access behind the end raises SIGBUS: a PTE
 * that is there nevertheless, of a page or of a private copy, is a stale one.
 */
TEST_F(resize, faults_against_resize)
{
	size_t offset = SMALL * page_size, nr = NR - SMALL;
	struct toucher toucher = { self->shared, self->private, 0 };
	double end = seconds() + 0.7;
	unsigned long rounds;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_touching, &toucher));
	for (rounds = 0; seconds() < end; rounds++) {
		ASSERT_EQ(0, resize(self->fd, NR));
		sched_yield();
		ASSERT_EQ(0, resize(self->fd, SMALL));
		ASSERT_EQ(0, count_mapped(self->shared + offset, nr));
		ASSERT_EQ(0, count_mapped(self->private + offset, nr));
		ASSERT_GE(SMALL, pool_read("stored"));
	}
	__atomic_store_n(&toucher.stop, 1, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(-1, bad_page(self->shared, 0, SMALL, 0));
	TH_LOG("%lu rounds", rounds);
}

TEST_HARNESS_MAIN
