// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves who does not wait for the device's locks, while another holds them
 * (kunit/hold.c): who asked not to, who only reads, and who changes an address
 * space in which a fault waits.
 *
 * Needs: see mmapdemo_test.h; mmapdemo_hold.ko.
 */
#include "mmapdemo_test.h"
#include "crowd.h"
#include "hold.h"

#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define STORED	4
#define PAGE	(STORED - 1)
#define HOLE	40
#define NR	64
#define SEED	7

/* Of each: more would wait no longer. */
#define SOME	4

FIXTURE(nowait) {
	struct device dev;
	int fd, holder;
	char *p;
	size_t pgoff;
	bool write;
};

FAULT_MODES(nowait);

FIXTURE_SETUP(nowait)
{
	self->holder = hold_setup(_metadata);
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	ASSERT_TRUE(fill(self->fd, 0, STORED, SEED));
	self->p = map_shared(_metadata, self->fd, 0, NR);
}

FIXTURE_TEARDOWN_PARENT(nowait)
{
	device_reopen(_metadata, &self->dev);
	device_teardown(_metadata, &self->dev);
	hold_teardown(_metadata);
}

/* What those do who do not have @holder goes well, and without waiting. */
static void expect_no_wait(struct __test_metadata *_metadata,
			   FIXTURE_DATA(nowait) *self, int (*act)(void *arg))
{
	const struct crowd_job job = {
		.act = act, .arg = self, .not_theirs = self->holder,
	};
	struct crowd crowd;

	crowd_start(&crowd, SOME, &job);
	crowd_go(&crowd);
	EXPECT_EQ(0, crowd_waiting(&crowd));
	EXPECT_EQ(SOME, crowd.done);
	/* Or they could not be reaped. */
	if (crowd.done != SOME) {
		crowd_kill(&crowd);
		let_go(self->holder);
	}
	crowd_reap(&crowd, 0);
}

/* --- get_user_pages() with FOLL_NOWAIT ------------------------------------ */

static int pin(FIXTURE_DATA(nowait) *self, int holder)
{
	struct hold_pin arg = {
		.addr = (uintptr_t)self->p + self->pgoff * page_size,
		.write = self->write,
	};

	return ioctl(holder, HOLD_IOC_NOWAIT, &arg);
}

static int get_no_page(void *arg)
{
	return pin(arg, open(HOLD, O_RDWR));
}

/* And gets the page when it comes again. */
static void pin_while_held(struct __test_metadata *_metadata,
			   FIXTURE_DATA(nowait) *self, enum hold_what what,
			   size_t pgoff, bool write)
{
	self->pgoff = pgoff;
	self->write = write;
	ASSERT_EQ(0, hold(self->holder, self->fd, what, pgoff));
	expect_no_wait(_metadata, self, get_no_page);
	let_go(self->holder);
	EXPECT_EQ(1, pin(self, self->holder));
}

TEST_F(nowait, pin_for_reading)
{
	pin_while_held(_metadata, self, HOLD_PAGE, PAGE, false);
	pin_while_held(_metadata, self, HOLD_INVALIDATE, HOLE, false);
	EXPECT_EQ(0, self->p[HOLE * page_size]);
}

TEST_F(nowait, pin_for_writing)
{
	pin_while_held(_metadata, self, HOLD_PAGE, PAGE, true);
	pin_while_held(_metadata, self, HOLD_INVALIDATE, HOLE, true);
	EXPECT_EQ(STORED + 1, pool_read("dirty"));
}

/* --- Calls that only read ------------------------------------------------- */

static bool reads(int fd, size_t pgoff, int flags)
{
	char *page = malloc(page_size);
	struct iovec iov = { page, page_size };

	return preadv2(fd, &iov, 1, pgoff * page_size, flags) ==
	       (ssize_t)page_size;
}

static bool splices(int fd)
{
	off_t offset = 0;
	int p[2];

	return !pipe(p) && sendfile(p[1], fd, &offset, 1) == 1;
}

static int only_read(void *arg)
{
	FIXTURE_DATA(nowait) *self = arg;
	int fd = self->fd;

	return !(reads(fd, PAGE, 0) && reads(fd, HOLE, 0) &&
		 reads(fd, PAGE, RWF_NOWAIT) && reads(fd, HOLE, RWF_NOWAIT) &&
		 splices(fd) && lseek(fd, 0, SEEK_END) > 0 &&
		 device_info(fd).size && log_bits(fd, 0) == PAGES(0, STORED));
}

TEST_F(nowait, reading)
{
	const enum hold_what what[] = { HOLD_PAGE, HOLD_INVALIDATE, HOLD_INODE };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(what); i++) {
		ASSERT_EQ(0, hold(self->holder, self->fd, what[i], PAGE));
		expect_no_wait(_metadata, self, only_read);
		let_go(self->holder);
	}
}

/* --- The address space in which a fault waits ----------------------------- */

struct waiter {
	char *p;
	bool write;
	int tid;
};

static void *wait_in_fault(void *arg)
{
	struct waiter *waiter = arg;

	__atomic_store_n(&waiter->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	if (waiter->write)
		write_byte(waiter->p, 1);
	else
		read_byte(waiter->p);
	return NULL;
}

/* Next to the page, and elsewhere. */
static bool change_mappings(char *p)
{
	char *q = mmap(NULL, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	return q != MAP_FAILED && !munmap(q, page_size) &&
	       !mprotect(p + page_size, page_size, PROT_READ) &&
	       !munmap(p + page_size, page_size);
}

static int change_around_fault(void *arg)
{
	FIXTURE_DATA(nowait) *self = arg;
	struct waiter waiter = {
		self->p + self->pgoff * page_size, self->write, 0,
	};
	long switches = -1;
	pthread_t thread;
	int tid;

	if (pthread_create(&thread, NULL, wait_in_fault, &waiter))
		return 1;
	do {
		usleep(10000);
		tid = __atomic_load_n(&waiter.tid, __ATOMIC_ACQUIRE);
	} while (!tid || !stands_still(tid, &switches));
	return !change_mappings(waiter.p);
}

static void change_while_held(struct __test_metadata *_metadata,
			      FIXTURE_DATA(nowait) *self, enum hold_what what,
			      size_t pgoff, bool write)
{
	self->pgoff = pgoff;
	self->write = write;
	ASSERT_EQ(0, hold(self->holder, self->fd, what, pgoff));
	expect_no_wait(_metadata, self, change_around_fault);
	let_go(self->holder);
}

TEST_F(nowait, change_of_mappings_around_load)
{
	change_while_held(_metadata, self, HOLD_PAGE, PAGE, false);
	change_while_held(_metadata, self, HOLD_INVALIDATE, HOLE, false);
}

TEST_F(nowait, change_of_mappings_around_store)
{
	change_while_held(_metadata, self, HOLD_PAGE, PAGE, true);
	change_while_held(_metadata, self, HOLD_INVALIDATE, HOLE, true);
}

TEST_HARNESS_MAIN
