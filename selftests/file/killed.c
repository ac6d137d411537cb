// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a program that is killed while it writes does not write on to
 * the end of a call that may be of gigabytes.
 *
 * To be killed at a known place it must stand still there: in the lock that
 * keeps writes apart. Another thread holds it, which writes from memory that
 * userfaultfd keeps back.
 *
 * Needs: CONFIG_USERFAULTFD, /proc/PID/syscall; see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"

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

/* Waits until @pid sleeps in system call @nr. Return: it does. */
static bool sleeps_in(pid_t pid, long nr)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	for (;;) {
		if (read_file(path, text, sizeof(text)))
			return false;
		if (strtol(text, NULL, 10) == nr && *text != 'r')
			return true;
		if (waitpid(pid, NULL, WNOHANG))
			return false;
		sched_yield();
	}
}

TEST_F(killed, write)
{
	bool slept;
	int status;
	pid_t pid;

	if (access("/proc/self/syscall", R_OK))
		SKIP(return, "needs /proc/PID/syscall");
	ASSERT_TRUE(start_holding(self));
	pid = fork();
	if (!pid)
		_exit(pwrite(self->fd, self->pages, NR * page_size,
			     FIRST * page_size) != -1);
	slept = sleeps_in(pid, SYS_pwrite64);
	kill(pid, SIGKILL);
	EXPECT_TRUE(stop_holding(self));
	EXPECT_TRUE(slept);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));

	/* The holder's page, and none of its own: it died as it waited. */
	EXPECT_EQ(1, self->held);
	EXPECT_EQ(1, pool_read("stored"));
	EXPECT_EQ((off_t)(FIRST * page_size),
		  lseek(self->fd, FIRST * page_size, SEEK_HOLE));
}

TEST_HARNESS_MAIN
