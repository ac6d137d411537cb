// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that with dirty_log=0 a shared mapping can be pinned for as long as one
 * likes, by io_uring's fixed buffers and by an AF_XDP socket, as one of tmpfs can:
 * what arrives in the pinned pages is in the device at once. And that the pages
 * are nobody else's while they are pinned: not after a discard, a truncation, or
 * when the module is gone.
 *
 * Reloads the module with that, and in the end as it was. Each test runs in both
 * fault modes, and with both that pin.
 * Needs: see reload.h; io_uring (6.5: before, it refuses all files but those of
 * tmpfs), or AF_XDP and BPF.
 */
#include "mmapdemo_test.h"
#include "reload.h"
#include "uring.h"
#include "xdp.h"

#define NR	4
#define LEN	(NR * page_size)
#define OTHERS	64		/* pages: more than the pool has spare */
/* What arrives, in each page; it fits into a packet. */
#define BYTES	1000

struct pinner {
	const char *lacks;	/* what this is that the kernel may lack */
	bool (*open)(void);
	int (*pin)(void *p, size_t len);
	bool (*start)(void);
	/* Into page @n of @p. Return: where they are then; NULL: they did not come. */
	char *(*bring)(char *p, size_t n, const char *bytes);
	void (*close)(void);
};

static struct uring uring;
static int source = -1;

static bool ring_open(void)
{
	source = memfd_create("source", 0);
	return !kernel_before(6, 5) && uring_open(&uring);
}

static int ring_pin(void *p, size_t len)
{
	return uring_pin(&uring, p, len);
}

static bool ring_start(void)
{
	return true;
}

static char *ring_bring(char *p, size_t n, const char *bytes)
{
	p += n * page_size;
	if (pwrite(source, bytes, BYTES, 0) != BYTES)
		abort();
	return uring_transfer(&uring, IORING_OP_READ_FIXED, source, p, BYTES,
			      0) == BYTES ? p : NULL;
}

static void ring_close(void)
{
	uring_close(&uring);
	close(source);
}

static struct xdp xdp;

static bool socket_open(void)
{
	return xdp_open(&xdp);
}

static int socket_pin(void *p, size_t len)
{
	return xdp_pin(&xdp, p, len);
}

static bool socket_start(void)
{
	return xdp_start(&xdp);
}

static char *socket_bring(char *p, size_t n, const char *bytes)
{
	long offset = xdp_transfer(&xdp, n, bytes, BYTES);

	return offset < 0 ? NULL : p + offset;
}

static void socket_close(void)
{
	xdp_close(&xdp);
}

static const struct pinner by_io_uring = {
	"io_uring of Linux 6.5 or later", ring_open, ring_pin, ring_start,
	ring_bring, ring_close,
};

static const struct pinner by_xdp = {
	"AF_XDP (CONFIG_XDP_SOCKETS) and BPF", socket_open, socket_pin,
	socket_start, socket_bring, socket_close,
};

FIXTURE(longterm) {
	struct device dev;
	int fd;
	int from;		/* what is pinned is mapped from */
	char *p;		/* NR pages of the device, shared and pinned */
	char old[sizeof(old_parameters)];
};

FIXTURE_VARIANT(longterm) {
	const struct pinner *pinner;
	bool insert;
};

FIXTURE_VARIANT_ADD(longterm, io_uring_map_pages) {
	.pinner = &by_io_uring, .insert = false,
};

FIXTURE_VARIANT_ADD(longterm, io_uring_insert) {
	.pinner = &by_io_uring, .insert = true,
};

FIXTURE_VARIANT_ADD(longterm, xdp_map_pages) {
	.pinner = &by_xdp, .insert = false,
};

FIXTURE_VARIANT_ADD(longterm, xdp_insert) {
	.pinner = &by_xdp, .insert = true,
};

/* Whether the kernel has it: tried on memory that anybody may pin. */
static bool can_pin(const struct pinner *pinner)
{
	char *p = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool can = pinner->open() && !pinner->pin(p, LEN) && pinner->start();

	pinner->close();
	munmap(p, LEN);
	return can;
}

FIXTURE_SETUP(longterm)
{
	process_setup();
	/* Not later: what skips leaves the module as it is. */
	if (!can_pin(variant->pinner))
		SKIP_TEST("needs %s", variant->pinner->lacks);
	reload_with(_metadata, self->old, "dirty_log=0");
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	ASSERT_TRUE(variant->pinner->open());
	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	self->from = open(DEVICE, O_RDWR);
	self->p = map_shared(_metadata, self->from, 0, NR);
	ASSERT_EQ(0, variant->pinner->pin(self->p, LEN))
		TH_LOG("pinning: %s", strerror(errno));
	ASSERT_TRUE(variant->pinner->start());
}

/* A worker drops the pins some time after the file is closed. */
static bool wait_for_lent(long nr)
{
	int tries;

	for (tries = 0; tries < 1000 && pool_read("lent") != nr; tries++)
		usleep(10000);
	return pool_read("lent") == nr;
}

FIXTURE_TEARDOWN_PARENT(longterm)
{
	device_reopen(_metadata, &self->dev);
	device_teardown(_metadata, &self->dev);
	EXPECT_TRUE(wait_for_lent(0));
	EXPECT_EQ(pool_read("cached"), pool_read("held"));
	reload_teardown(_metadata, self->old);
}

/* Brings other bytes to each page. Return: whether they came; where, in @where. */
static bool bring_all(const struct pinner *pinner, char *p, char first,
		      char *where[NR])
{
	char bytes[BYTES];
	size_t n;

	for (n = 0; n < NR; n++) {
		memset(bytes, first + n, BYTES);
		where[n] = pinner->bring(p, n, bytes);
		if (!where[n])
			return false;
	}
	return true;
}

/* Return: whether what bring_all() brought is there, for all who look. */
static bool has_all(int fd, const char *p, char first, char *const where[NR])
{
	char bytes[BYTES], read[BYTES];
	size_t n;

	for (n = 0; n < NR; n++) {
		memset(bytes, first + n, BYTES);
		if (memcmp(where[n], bytes, BYTES) ||
		    pread(fd, read, BYTES, where[n] - p) != BYTES ||
		    memcmp(read, bytes, BYTES))
			return false;
	}
	return true;
}

TEST_F(longterm, data_arrives)
{
	char *where[NR];

	ASSERT_TRUE(bring_all(variant->pinner, self->p, 'a', where));
	EXPECT_TRUE(has_all(self->fd, self->p, 'a', where));
	/* The pages are still the ones that are pinned. */
	write_pages(self->p, NR, 1);
	EXPECT_EQ(0, fsync(self->fd));
	ASSERT_TRUE(bring_all(variant->pinner, self->p, 'k', where));
	EXPECT_TRUE(has_all(self->fd, self->p, 'k', where));
	EXPECT_EQ(0, pool_read("lent"));
}

TEST_F(longterm, discard)
{
	char *where[NR];

	ASSERT_EQ(0, discard(self->fd, 0, NR));
	EXPECT_EQ(NR, pool_read("lent"));
	EXPECT_EQ(-1, nonzero(self->p, LEN));
	ASSERT_TRUE(fill(self->fd, 0, OTHERS, 2));
	ASSERT_TRUE(bring_all(variant->pinner, self->p, 'a', where));
	EXPECT_EQ(-1, bad_read(self->fd, 0, OTHERS, 2));
	EXPECT_EQ(-1, bad_page(self->p, 0, NR, 2));
	EXPECT_EQ(NR, pool_read("lent"));
	variant->pinner->close();
	EXPECT_TRUE(wait_for_lent(0));
	EXPECT_EQ(-1, bad_read(self->fd, 0, OTHERS, 2));
}

TEST_F(longterm, resize)
{
	char *where[NR];

	ASSERT_EQ(0, resize(self->fd, 1));
	EXPECT_EQ(NR - 1, pool_read("lent"));
	EXPECT_EQ(SIGBUS, touch(self->p + page_size, -1).sig);
	ASSERT_EQ(0, restore_size(self->fd));
	ASSERT_TRUE(fill(self->fd, 1, OTHERS, 2));
	ASSERT_TRUE(bring_all(variant->pinner, self->p, 'a', where));
	EXPECT_EQ(-1, bad_read(self->fd, 1, OTHERS, 2));
	/* The first page has never left. */
	EXPECT_EQ('a', *where[0]);
}

/* Parent and child have the same pages, whichever was pinned. */
TEST_F(longterm, fork)
{
	char *where[NR];
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		write_pages(self->p, NR, 1);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(1, self->p[0]);
	ASSERT_TRUE(bring_all(variant->pinner, self->p, 'a', where));
	pid = fork();
	if (!pid)
		_exit(!has_all(self->fd, self->p, 'a', where));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Not while it is mapped; then pages go on to be those of whoever pinned them. */
TEST_F(longterm, module_is_unloaded)
{
	char *where[NR];

	close(self->fd);
	EXPECT_ERRNO(EWOULDBLOCK, unload());
	close(self->from);
	EXPECT_ERRNO(EWOULDBLOCK, unload());
	ASSERT_TRUE(bring_all(variant->pinner, self->p, 'a', where));
	EXPECT_EQ('a', *where[0]);
	munmap(self->p, LEN);
	ASSERT_EQ(0, unload())
		TH_LOG("rmmod mmapdemo: %s", strerror(errno));
	EXPECT_TRUE(bring_all(variant->pinner, self->p, 'a', where));
	ASSERT_EQ(0, load(self->old));
	self->fd = open(DEVICE, O_RDWR);
	ASSERT_TRUE(fill(self->fd, 0, OTHERS, 2));
	EXPECT_TRUE(bring_all(variant->pinner, self->p, 'b', where));
	EXPECT_EQ(-1, bad_read(self->fd, 0, OTHERS, 2));
}

TEST_HARNESS_MAIN
