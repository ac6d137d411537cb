// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that no call holds a lock that a fault takes while it accesses its
 * caller's memory. That memory is watched by a userfaultfd: the call stands
 * still in the middle of its copy for as long as we like, and meanwhile all
 * else that can be done to the same pages has to work. A lock held would be a
 * deadlock here; then the call gets its memory after a minute, and the test
 * fails.
 *
 * The ids (X08, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; CONFIG_USERFAULTFD.
 */
#include "mmapdemo_test.h"
#include "race.h"

#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>

/* Pages that hold data, and a hole. */
#define STORED	2
#define HOLE	4
#define NR	8
#define SEED	5

FIXTURE(locks) {
	struct device dev;
	int fd, uffd;
	char *p;		/* NR pages of the device */
	char *buffer;		/* a page that comes when we say */
	char *content;		/* what it has then */
	long balance;
};

FAULT_MODES(locks);

FIXTURE_SETUP(locks)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (self->uffd < 0 && errno == ENOSYS)
		SKIP(return, "needs CONFIG_USERFAULTFD");
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->balance = vma_balance();
	self->p = map_shared(_metadata, self->fd, 0, NR);
	ASSERT_TRUE(fill(self->fd, 0, STORED, SEED));
	read_pages(self->p, 1);
	self->content = calloc(1, page_size);
	self->buffer = map(_metadata, -1, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, 0, 1);
	reg.range.start = (uintptr_t)self->buffer;
	reg.range.len = page_size;
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_API, &api));
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_REGISTER, &reg));
}

FIXTURE_TEARDOWN(locks)
{
	close(self->uffd);
	free(self->content);
	check_invariants(_metadata, &self->dev, self->balance);
	device_teardown(_metadata, &self->dev);
}

/* More than anybody needs who is not locked out, in seconds. */
#define PATIENCE	60
#define TIMEOUT		(3 * PATIENCE)

/* A call that is made by a thread of its own. */
struct caller {
	long (*call)(int fd, char *buffer);
	int fd, uffd;
	char *buffer, *content;
	long ret;		/* of it; or an errno, negative */
	int done[2];		/* a pipe: a byte when all else has been done */
	bool late;		/* it was not in time */
	pthread_t thread, watchdog;
};

/* Lets the call go on. */
static int give_buffer(struct caller *c)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)c->buffer,
		.src = (uintptr_t)c->content,
		.len = page_size,
	};

	return ioctl(c->uffd, UFFDIO_COPY, &copy);
}

static void *watch(void *arg)
{
	struct caller *c = arg;
	struct pollfd wait = { .fd = c->done[0], .events = POLLIN };

	c->late = poll(&wait, 1, PATIENCE * 1000) != 1;
	if (c->late)
		give_buffer(c);
	return NULL;
}

static void *caller_run(void *arg)
{
	struct caller *c = arg;

	c->ret = c->call(c->fd, c->buffer);
	if (c->ret < 0)
		c->ret = -errno;
	return NULL;
}

/* Returns when the call stands still, in front of its buffer. */
static void start(struct __test_metadata *_metadata, FIXTURE_DATA(locks) *self,
		  struct caller *c)
{
	struct pollfd wait = { .fd = self->uffd, .events = POLLIN };
	struct uffd_msg msg;

	c->fd = self->fd;
	c->uffd = self->uffd;
	c->buffer = self->buffer;
	c->content = self->content;
	ASSERT_EQ(0, pipe(c->done));
	ASSERT_EQ(0, pthread_create(&c->thread, NULL, caller_run, c));
	ASSERT_EQ(1, poll(&wait, 1, -1));
	ASSERT_EQ(sizeof(msg), (size_t)read(self->uffd, &msg, sizeof(msg)));
	ASSERT_EQ(UFFD_EVENT_PAGEFAULT, msg.event);
	ASSERT_EQ((uintptr_t)self->buffer,
		  msg.arg.pagefault.address & -page_size);
	ASSERT_EQ(0, pthread_create(&c->watchdog, NULL, watch, c));
}

/* All else has been done. Return: what the call returns. */
static long finish(struct __test_metadata *_metadata, struct caller *c)
{
	EXPECT_EQ(1, write(c->done[1], "", 1));
	EXPECT_EQ(0, pthread_join(c->watchdog, NULL));
	EXPECT_FALSE(c->late)
		TH_LOG("a lock is held across the copy");
	if (!c->late)
		EXPECT_EQ(0, give_buffer(c));
	EXPECT_EQ(0, pthread_join(c->thread, NULL));
	close(c->done[0]);
	close(c->done[1]);
	return c->ret;
}

/*
 * Faults of each kind, on pages that the call is about and on others; what
 * makes, copies and removes VMAs; and what write-protects their pages. All of
 * them leave the first bytes of the stored pages as they are.
 */
static void use_mappings(struct __test_metadata *_metadata,
			 FIXTURE_DATA(locks) *self)
{
	char *q = map_shared(_metadata, self->fd, 0, NR);
	char *copy = map_private(_metadata, self->fd, 0, NR);
	size_t last = page_size - 1;

	read_pages(q, NR);
	write_pages(self->p + last, NR, 'l');
	write_pages(copy, NR, 'c');
	EXPECT_EQ(0, madvise(q, NR * page_size, MADV_DONTNEED));
	write_pages(q + last, NR, 'l');
	EXPECT_EQ(0, mprotect(q + page_size, page_size, PROT_READ));
	EXPECT_EQ(0, msync(q, NR * page_size, MS_SYNC));
	EXPECT_EQ(0, pool_read("unsynced"));
	write_pages(self->p + last, NR, 'l');
	EXPECT_EQ(NR, pool_read("unsynced"));
	EXPECT_EQ(0, munmap(q, NR * page_size));
	EXPECT_EQ(0, munmap(copy, NR * page_size));
}

/* What a write(2) waits for, and what waits for a write(2). */
static void use_device(struct __test_metadata *_metadata,
		       FIXTURE_DATA(locks) *self)
{
	char byte;

	EXPECT_EQ(1, pwrite(self->fd, "l", 1, page_size - 1));
	EXPECT_EQ(1, pread(self->fd, &byte, 1, page_size - 1));
	EXPECT_EQ(0, discard(self->fd, 0, NR));
	EXPECT_EQ(0, pool_read("stored"));
	EXPECT_EQ(0, resize(self->fd, self->dev.nr_pages - 1));
	EXPECT_EQ(0, resize(self->fd, self->dev.nr_pages));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_HOLE));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(0, log_bits(self->fd, 0));
}

static long call_read(int fd, char *buffer)
{
	return pread(fd, buffer, page_size, 0);
}

static long call_read_hole(int fd, char *buffer)
{
	return pread(fd, buffer, page_size, HOLE * page_size);
}

static long call_write(int fd, char *buffer)
{
	return pwrite(fd, buffer, page_size / 2, 0);
}

static long call_write_hole(int fd, char *buffer)
{
	return pwrite(fd, buffer, page_size / 2, HOLE * page_size);
}

static long call_info(int fd, char *buffer)
{
	return ioctl(fd, MMAPDEMO_IOC_INFO, buffer);
}

static long call_resize(int fd, char *buffer)
{
	return ioctl(fd, MMAPDEMO_IOC_RESIZE, buffer);
}

static long call_discard(int fd, char *buffer)
{
	return ioctl(fd, MMAPDEMO_IOC_DISCARD, buffer);
}

static long call_dirty_log(int fd, char *buffer)
{
	return ioctl(fd, MMAPDEMO_IOC_DIRTY_LOG, buffer);
}

/* The array is what stops it: by then pages have been cleaned. */
static long call_dirty_log_array(int fd, char *buffer)
{
	struct mmapdemo_dirty_log arg = {
		.len = NR * page_size,
		.extents = (uintptr_t)buffer,
		.nr_extents = NR,
		.flags = MMAPDEMO_DIRTY_LOG_CLEAR,
	};

	return ioctl(fd, MMAPDEMO_IOC_DIRTY_LOG, &arg) ?: (int)arg.nr_extents;
}

/* It has the page already, and reads what has been in it until the end. */
TEST_F_TIMEOUT(locks, X08_W06_read, TIMEOUT)
{
	struct caller c = { .call = call_read };

	start(_metadata, self, &c);
	use_mappings(_metadata, self);
	use_device(_metadata, self);
	EXPECT_EQ((long)page_size, finish(_metadata, &c));
	make_page(self->content, 0, SEED);
	EXPECT_EQ(0, memcmp(self->buffer, self->content, page_size - 1));
	EXPECT_EQ('l', self->buffer[page_size - 1]);
}

TEST_F_TIMEOUT(locks, X08_W06_read_of_a_hole, TIMEOUT)
{
	struct caller c = { .call = call_read_hole };

	start(_metadata, self, &c);
	use_mappings(_metadata, self);
	use_device(_metadata, self);
	EXPECT_EQ((long)page_size, finish(_metadata, &c));
	EXPECT_EQ(-1, nonzero(self->buffer, page_size));
}

/*
 * Of all that there is only writes, discards and resizes wait for a write: its
 * lock is the one that a fault does not take. Nor does a read wait.
 */
static void write_while_used(struct __test_metadata *_metadata,
			     FIXTURE_DATA(locks) *self, struct caller *c,
			     size_t page)
{
	char byte;

	memset(self->content, 'b', page_size);
	start(_metadata, self, c);
	use_mappings(_metadata, self);
	EXPECT_EQ(1, pread(self->fd, &byte, 1, (page + 1) * page_size - 1));
	EXPECT_EQ('l', byte);
	ASSERT_EQ(0, clean_all(self->fd));
	EXPECT_EQ((long)page_size / 2, finish(_metadata, c));

	EXPECT_EQ(0, memcmp(self->p + page * page_size, self->content,
			    page_size / 2));
	EXPECT_EQ('l', self->p[(page + 1) * page_size - 1]);
	/* It was cleaned before the bytes were there: it is dirty again. */
	EXPECT_EQ(PAGES(page, 1), log_bits(self->fd, 0));
}

TEST_F_TIMEOUT(locks, X08_W06_write, TIMEOUT)
{
	struct caller c = { .call = call_write };

	write_while_used(_metadata, self, &c, 0);
}

TEST_F_TIMEOUT(locks, X08_W06_write_into_a_hole, TIMEOUT)
{
	struct caller c = { .call = call_write_hole };

	write_while_used(_metadata, self, &c, HOLE);
}

TEST_F_TIMEOUT(locks, X08_W06_info, TIMEOUT)
{
	struct mmapdemo_info *info = (void *)self->buffer;
	struct caller c = { .call = call_info };

	start(_metadata, self, &c);
	use_mappings(_metadata, self);
	use_device(_metadata, self);
	EXPECT_EQ(0, finish(_metadata, &c));
	EXPECT_EQ(self->dev.nr_pages * page_size, info->size);
	/* Asked before all that. */
	EXPECT_EQ(STORED * page_size, info->stored);
}

TEST_F_TIMEOUT(locks, X08_W06_resize, TIMEOUT)
{
	struct mmapdemo_resize *arg = (void *)self->content;
	struct caller c = { .call = call_resize };

	arg->size = NR * page_size;
	start(_metadata, self, &c);
	use_mappings(_metadata, self);
	use_device(_metadata, self);
	EXPECT_EQ(0, finish(_metadata, &c));
	EXPECT_EQ((off_t)(NR * page_size), lseek(self->fd, 0, SEEK_END));
}

TEST_F_TIMEOUT(locks, X08_W06_discard, TIMEOUT)
{
	struct mmapdemo_discard *arg = (void *)self->content;
	struct caller c = { .call = call_discard };

	arg->len = page_size;
	start(_metadata, self, &c);
	use_mappings(_metadata, self);
	use_device(_metadata, self);
	write_pages(self->p, NR, 'd');
	EXPECT_EQ(0, finish(_metadata, &c));
	EXPECT_EQ(NR - 1, pool_read("stored"));
	EXPECT_EQ(0, self->p[0]);
}

TEST_F_TIMEOUT(locks, X08_W06_dirty_log, TIMEOUT)
{
	struct mmapdemo_dirty_log *arg = (void *)self->content;
	struct mmapdemo_extent extent = { 0 };
	struct caller c = { .call = call_dirty_log };

	arg->len = NR * page_size;
	arg->extents = (uintptr_t)&extent;
	arg->nr_extents = 1;
	start(_metadata, self, &c);
	use_mappings(_metadata, self);
	use_device(_metadata, self);
	write_pages(self->p + page_size, 1, 'd');
	EXPECT_EQ(0, finish(_metadata, &c));
	EXPECT_EQ(page_size, extent.start);
	EXPECT_EQ(page_size, extent.len);
}

/*
 * X02: what is written behind the harvest's back, when it has cleaned and not
 * yet delivered, is in the next one.
 */
TEST_F_TIMEOUT(locks, X08_X02_dirty_log_array, TIMEOUT)
{
	struct mmapdemo_extent *extent = (void *)self->buffer;
	struct caller c = { .call = call_dirty_log_array };

	start(_metadata, self, &c);
	EXPECT_EQ(0, pool_read("dirty"));
	use_mappings(_metadata, self);
	EXPECT_EQ(1, finish(_metadata, &c));
	EXPECT_EQ(0, extent->start);
	EXPECT_EQ(STORED * page_size, extent->len);
	EXPECT_EQ(PAGES(0, NR), log_bits(self->fd, MMAPDEMO_DIRTY_LOG_CLEAR));
	use_device(_metadata, self);
}

TEST_HARNESS_MAIN
