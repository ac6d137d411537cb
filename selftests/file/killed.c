// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a program that is killed while it waits for another's write(2)
 * dies at once, and writes nothing any more: not one page of a call that may be
 * of gigabytes.
 *
 * The other one takes as long as the test likes: it writes from memory that
 * userfaultfd keeps back. What waits elsewhere is in races/killed_waiting.c.
 *
 * Needs: CONFIG_USERFAULTFD; see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "crowd.h"

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/syscall.h>

#define FIRST	8		/* page that the killed program writes first */
#define NR	4

FIXTURE(killed) {
	struct device dev;
	int fd;
	int uffd;
	char *withheld;		/* a page that nobody can read yet */
	char *pages;
	pthread_t holder;
	ssize_t held;		/* what the holder's write returned */
};

FIXTURE_SETUP(killed)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	device_setup(_metadata, &self->dev, false);
	self->fd = self->dev.fd;
	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (self->uffd < 0 && errno == ENOSYS)
		DEVICE_SKIP(&self->dev, "needs CONFIG_USERFAULTFD");
	ASSERT_LE(0, self->uffd);
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_API, &api));
	self->withheld = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->withheld);
	reg.range.start = (uintptr_t)self->withheld;
	reg.range.len = page_size;
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_REGISTER, &reg));
	self->pages = malloc(NR * page_size);
	memset(self->pages, 'k', NR * page_size);
}

FIXTURE_TEARDOWN(killed)
{
	close(self->uffd);
	munmap(self->withheld, page_size);
	free(self->pages);
	device_teardown(_metadata, &self->dev);
}

static void *hold(void *arg)
{
	FIXTURE_DATA(killed) *self = arg;

	self->held = pwrite(self->fd, self->withheld, 1, 0);
	return NULL;
}

/* Returns once the thread waits for the page, and so has the lock. */
static bool start_holding(FIXTURE_DATA(killed) *self)
{
	struct uffd_msg msg;

	return !pthread_create(&self->holder, NULL, hold, self) &&
	       read(self->uffd, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT;
}

static bool stop_holding(FIXTURE_DATA(killed) *self)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)self->withheld, page_size },
	};

	return !ioctl(self->uffd, UFFDIO_ZEROPAGE, &zero) &&
	       !pthread_join(self->holder, NULL);
}

static int write_all(void *arg)
{
	FIXTURE_DATA(killed) *self = arg;

	return pwrite(self->fd, self->pages, NR * page_size,
		      FIRST * page_size) < 0;
}

TEST_F(killed, write)
{
	const struct crowd_job job = {
		.act = write_all, .arg = self, .not_theirs = -1,
	};
	struct crowd crowd;

	ASSERT_TRUE(start_holding(self));
	crowd_start(&crowd, 1, &job);
	crowd_go(&crowd);
	EXPECT_EQ(1, crowd_waiting(&crowd));
	crowd_kill(&crowd);
	EXPECT_EQ(0, crowd_left(&crowd, 1));
	EXPECT_TRUE(stop_holding(self));
	crowd_reap(&crowd, 0);
	EXPECT_EQ(1, crowd.killed);

	/* The holder's page, and none of its own: it died as it waited. */
	EXPECT_EQ(1, self->held);
	EXPECT_EQ(1, pool_read("stored"));
	EXPECT_EQ((off_t)(FIRST * page_size),
		  lseek(self->fd, FIRST * page_size, SEEK_HOLE));
}

TEST_HARNESS_MAIN
