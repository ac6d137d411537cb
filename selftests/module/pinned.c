// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a page that the kernel holds for somebody is nobody else's until
 * it lets go, though the mapping that it was taken from, the file behind it and
 * its place in the device, or all of the module, are gone meanwhile.
 *
 * What holds the pages is a disk's O_DIRECT transfer: its buffer goes on in
 * memory with a userfaultfd, where the kernel waits for this program with the
 * device's pages in its hands. Each test runs in both fault modes.
 *
 * The ids (M06) name the branches of mmap that a test proves.
 * Loads the module anew, and in the end as it was.
 * Needs: see reload.h; loop devices, userfaultfd.
 */
#include "mmapdemo_test.h"
#include "pin.h"
#include "reload.h"

#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define NR	4
#define LEN	(NR * page_size)
#define OTHERS	64		/* pages: more than the pool has spare */

FIXTURE(pinned) {
	struct device dev;
	int fd;
	struct loop_disk disk;
	int uffd;
	char *p;		/* NR pages of the device, as made, and ... */
	int from;		/* ... the file that they are mapped from */
	char *wait;		/* a page that the kernel waits for */
};

FAULT_MODES(pinned);

/* Return: a page at which faults wait for what @uffd's reader does. */
static char *make_waiting_page(int uffd)
{
	char *p = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uintptr_t)p, page_size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (ioctl(uffd, UFFDIO_API, &api) ||
	    ioctl(uffd, UFFDIO_REGISTER, &range))
		return NULL;
	return p;
}

FIXTURE_SETUP(pinned)
{
	reload_setup(_metadata);
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	if (!loop_disk_open(&self->disk, NR + 1))
		DEVICE_SKIP(&self->dev, "needs loop devices (CONFIG_BLK_DEV_LOOP)");
	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (self->uffd < 0)
		DEVICE_SKIP(&self->dev, "needs CONFIG_USERFAULTFD");
	self->wait = make_waiting_page(self->uffd);
	ASSERT_NE(NULL, self->wait);
	self->from = open(DEVICE, O_RDWR);
	self->p = map_shared(_metadata, self->from, 0, NR);
	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	ASSERT_TRUE(fill(self->disk.file, 0, NR + 1, 1));
}

FIXTURE_TEARDOWN(pinned)
{
	loop_disk_close(&self->disk);
	device_teardown(_metadata, &self->dev);
}

struct transfer {
	ssize_t (*start)(int fd, const struct iovec *iov, int nr, off_t pos);
	int disk;
	struct iovec iov[2];
	ssize_t done;
	int ended[2];		/* a pipe that says so */
	pthread_t thread;
};

static void *run(void *arg)
{
	struct transfer *t = arg;

	t->done = t->start(t->disk, t->iov, 2, 0);
	close(t->ended[1]);
	return NULL;
}

/* Return: whether the kernel waits; else the transfer is over already. */
static bool wait_until_held(int uffd, struct transfer *t)
{
	struct pollfd fds[] = {
		{ .fd = uffd, .events = POLLIN },
		{ .fd = t->ended[0], .events = POLLIN },
	};
	struct uffd_msg msg;

	while (poll(fds, 2, -1) < 1)
		;
	return fds[0].revents & POLLIN &&
	       read(uffd, &msg, sizeof(msg)) == sizeof(msg);
}

static int let_go(int uffd, char *wait)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)wait, page_size },
	};

	return ioctl(uffd, UFFDIO_ZEROPAGE, &zero);
}

/* Returns with the pages in the kernel's hands, and in no mapping. */
static void start_transfer(struct __test_metadata *_metadata,
			   FIXTURE_DATA(pinned) *self, struct transfer *t)
{
	t->disk = self->disk.fd;
	t->iov[0] = (struct iovec){ self->p, LEN };
	t->iov[1] = (struct iovec){ self->wait, page_size };
	ASSERT_EQ(0, pipe(t->ended));
	ASSERT_EQ(0, pthread_create(&t->thread, NULL, run, t));
	EXPECT_TRUE(wait_until_held(self->uffd, t));
	EXPECT_EQ(0, munmap(self->p, LEN));
	EXPECT_EQ(0, close(self->from));
}

static void end_transfer(struct __test_metadata *_metadata,
			 FIXTURE_DATA(pinned) *self, struct transfer *t)
{
	EXPECT_EQ(0, let_go(self->uffd, self->wait));
	EXPECT_EQ(0, pthread_join(t->thread, NULL));
	EXPECT_EQ((ssize_t)(LEN + page_size), t->done);
	close(t->ended[0]);
}

/* Gives the pages' places and more to others meanwhile. */
static void transfer_and_discard(struct __test_metadata *_metadata,
				 FIXTURE_DATA(pinned) *self,
				 struct transfer *t)
{
	start_transfer(_metadata, self, t);
	EXPECT_EQ(0, pool_read("lent"));
	EXPECT_EQ(0, discard(self->fd, 0, NR));
	EXPECT_EQ(NR, pool_read("lent"));
	EXPECT_EQ(pool_read("cached") + NR, pool_read("held"));
	EXPECT_TRUE(fill(self->fd, 0, OTHERS, 2));
	end_transfer(_metadata, self, t);
	EXPECT_EQ(0, pool_read("lent"));
}

/* M06: what the disk gets is what the pages were when it took them. */
TEST_F(pinned, M06_pages_that_are_read)
{
	struct transfer t = { .start = pwritev };

	transfer_and_discard(_metadata, self, &t);
	EXPECT_EQ(-1, bad_read(self->disk.file, 0, NR, 0));
	EXPECT_EQ(-1, bad_read(self->fd, 0, OTHERS, 2));
}

/* M06: what the disk brings ends up in nobody's pages. */
TEST_F(pinned, M06_pages_that_are_written)
{
	struct transfer t = { .start = preadv };

	transfer_and_discard(_metadata, self, &t);
	EXPECT_EQ(-1, bad_read(self->fd, 0, OTHERS, 2));
	/* It has brought it all. */
	EXPECT_EQ(-1, bad_page(self->wait, NR, 1, 1));
}

/*
 * With nobody of the module's left to be asked, the disk goes on writing to the
 * pages, and the kernel frees them.
 */
TEST_F(pinned, module_is_unloaded)
{
	struct transfer t = { .start = preadv };

	start_transfer(_metadata, self, &t);
	close(self->fd);
	EXPECT_EQ(0, unload())
		TH_LOG("rmmod mmapdemo: %s", strerror(errno));
	end_transfer(_metadata, self, &t);
	EXPECT_EQ(-1, bad_page(self->wait, NR, 1, 1));
	EXPECT_EQ(0, load(old_parameters));
	self->dev.fd = open(DEVICE, O_RDWR);
}

TEST_HARNESS_MAIN
