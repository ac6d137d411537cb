// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that sendfile, splice and vmsplice move the right bytes from and to
 * the device, whatever is at the other end, and that holes stay holes.
 *
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"

#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define MEG	(1024 * 1024)

FIXTURE(splice) {
	struct device dev;
	int fd;
	off_t size;
	int file;		/* an empty one on tmpfs */
	int pipe[2];
	char *buffer;		/* of MEG bytes */
};

FIXTURE_SETUP(splice)
{
	device_setup(_metadata, &self->dev, false);
	self->fd = self->dev.fd;
	self->size = self->dev.nr_pages * page_size;
	self->file = memfd_create("other end", 0);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(0, pipe(self->pipe));
	self->buffer = malloc(MEG);
}

FIXTURE_TEARDOWN(splice)
{
	free(self->buffer);
	close(self->pipe[0]);
	close(self->pipe[1]);
	close(self->file);
	device_teardown(_metadata, &self->dev);
}

/* sendfile(2) until @len bytes have gone; it may stop on the way. */
static ssize_t send_all(int to, int from, off_t *offset, size_t len)
{
	size_t sent = 0;
	ssize_t ret = 1;

	while (sent < len && ret > 0) {
		ret = sendfile(to, from, offset, len - sent);
		if (ret > 0)
			sent += ret;
	}
	return ret < 0 ? ret : (ssize_t)sent;
}

TEST_F(splice, device_to_file)
{
	size_t nr = MEG / page_size;
	off_t offset = 3 * page_size;

	ASSERT_TRUE(fill(self->fd, 0, 3 + nr, 0));
	ASSERT_EQ(MEG, send_all(self->file, self->fd, &offset, MEG));
	EXPECT_EQ((off_t)(3 * page_size + MEG), offset);
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_CUR));
	ASSERT_EQ(MEG, pread(self->file, self->buffer, MEG, 0));
	EXPECT_EQ(-1, bad_page(self->buffer, 3, nr, 0));
}

TEST_F(splice, file_to_device)
{
	size_t nr = MEG / page_size;
	off_t offset = 0;

	ASSERT_TRUE(fill(self->file, 0, nr, 0));
	ASSERT_EQ(MEG, send_all(self->fd, self->file, &offset, MEG));
	EXPECT_EQ(MEG, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(-1, bad_read(self->fd, 0, nr, 0));
	EXPECT_EQ(-1, bad_page(map_shared(_metadata, self->fd, 0, nr), 0, nr,
			       0));
}

/* Neither end nor offset at a page's start. */
TEST_F(splice, unaligned)
{
	const size_t len = 3 * page_size + 77;
	char *expected = self->buffer + MEG / 2;
	loff_t to = page_size - 5;
	off_t from = 123;

	ASSERT_TRUE(fill(self->fd, 0, 4, 0));
	ASSERT_EQ((ssize_t)len, pread(self->fd, expected, len, from));
	ASSERT_EQ((ssize_t)len, send_all(self->pipe[1], self->fd, &from, len));
	ASSERT_EQ((ssize_t)len,
		  splice(self->pipe[0], NULL, self->file, &to, len, 0));
	ASSERT_EQ((ssize_t)len,
		  pread(self->file, self->buffer, len, page_size - 5));
	EXPECT_EQ(0, memcmp(self->buffer, expected, len));
}

struct receiver {
	int socket;
	char *to;
	size_t len;
};

static void *receive(void *arg)
{
	struct receiver *receiver = arg;

	return (void *)recv(receiver->socket, receiver->to, receiver->len,
			    MSG_WAITALL);
}

TEST_F(splice, device_to_socket)
{
	struct receiver receiver = { .to = self->buffer, .len = MEG };
	size_t nr = MEG / page_size;
	pthread_t thread;
	void *received;
	off_t offset = 0;
	int pair[2];

	ASSERT_TRUE(fill(self->fd, 0, nr, 0));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	receiver.socket = pair[0];
	ASSERT_EQ(0, pthread_create(&thread, NULL, receive, &receiver));
	EXPECT_EQ(MEG, send_all(pair[1], self->fd, &offset, MEG));
	close(pair[1]);
	ASSERT_EQ(0, pthread_join(thread, &received));
	EXPECT_EQ(MEG, (long)received);
	EXPECT_EQ(-1, bad_page(self->buffer, 0, nr, 0));
	close(pair[0]);
}

/* Holes on the way out are zeros, and no page is made of them. */
TEST_F(splice, holes_stay_holes)
{
	size_t len = 8 * page_size;
	off_t offset = 0;

	ASSERT_TRUE(fill(self->fd, 2, 2, 0));
	ASSERT_TRUE(fill(self->fd, 6, 1, 0));
	ASSERT_EQ((ssize_t)len, send_all(self->file, self->fd, &offset, len));
	EXPECT_EQ(3, pool_read("stored"));
	ASSERT_EQ((ssize_t)len, pread(self->file, self->buffer, len, 0));
	EXPECT_EQ(-1, nonzero(self->buffer, 2 * page_size));
	EXPECT_EQ(-1, bad_page(self->buffer + 2 * page_size, 2, 2, 0));
	EXPECT_EQ(-1, nonzero(self->buffer + 4 * page_size, 2 * page_size));
	EXPECT_EQ(-1, bad_page(self->buffer + 6 * page_size, 6, 1, 0));
	EXPECT_EQ(-1, nonzero(self->buffer + 7 * page_size, page_size));
}

TEST_F(splice, out_of_the_end)
{
	loff_t at = self->size - 7;

	EXPECT_EQ(7, splice(self->fd, &at, self->pipe[1], NULL, 100, 0));
	EXPECT_EQ(self->size, at);
	EXPECT_EQ(0, splice(self->fd, &at, self->pipe[1], NULL, 100, 0));
	EXPECT_EQ(self->size, at);
	EXPECT_EQ(7, read(self->pipe[0], self->buffer, 100));
	EXPECT_EQ(-1, nonzero(self->buffer, 7));
}

/* What did not go in is in the pipe still. */
TEST_F(splice, in_at_the_end)
{
	loff_t at = self->size - 3;

	ASSERT_EQ(6, write(self->pipe[1], "abcdef", 6));
	EXPECT_EQ(3, splice(self->pipe[0], NULL, self->fd, &at, 6, 0));
	EXPECT_EQ(self->size, at);
	EXPECT_ERRNO(ENOSPC, splice(self->pipe[0], NULL, self->fd, &at, 6, 0));
	EXPECT_EQ(3, read(self->pipe[0], self->buffer, 6));
	EXPECT_EQ(0, memcmp(self->buffer, "def", 3));
	EXPECT_EQ(3, pread(self->fd, self->buffer, 3, self->size - 3));
	EXPECT_EQ(0, memcmp(self->buffer, "abc", 3));
}

/* Through the file's own position, which moves. */
TEST_F(splice, position_moves)
{
	ASSERT_TRUE(fill(self->fd, 0, 2, 0));
	ASSERT_EQ(10, lseek(self->fd, 10, SEEK_SET));
	EXPECT_EQ(20, splice(self->fd, NULL, self->pipe[1], NULL, 20, 0));
	EXPECT_EQ(30, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(20, splice(self->pipe[0], NULL, self->fd, NULL, 20, 0));
	EXPECT_EQ(50, lseek(self->fd, 0, SEEK_CUR));
	ASSERT_EQ(50, pread(self->fd, self->buffer, 50, 0));
	EXPECT_EQ(0, memcmp(self->buffer + 10, self->buffer + 30, 20));
}

TEST_F(splice, open_mode_limits_it)
{
	int ro = open(DEVICE, O_RDONLY), wo = open(DEVICE, O_WRONLY);

	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	EXPECT_ERRNO(EBADF, splice(self->pipe[0], NULL, ro, NULL, 1, 0));
	EXPECT_ERRNO(EBADF, splice(wo, NULL, self->pipe[1], NULL, 1, 0));
	close(ro);
	close(wo);
}

/* The mapping's pages themselves go into the pipe, and on from there. */
TEST_F(splice, mapped_pages_to_file_and_device)
{
	size_t len = 4 * page_size;
	char *p = map_shared(_metadata, self->fd, 0, 4);
	struct iovec iov = { p, len };
	loff_t at = 10 * page_size;

	ASSERT_TRUE(fill(self->fd, 0, 4, 0));
	ASSERT_EQ((ssize_t)len, vmsplice(self->pipe[1], &iov, 1, 0));
	ASSERT_EQ((ssize_t)len,
		  splice(self->pipe[0], NULL, self->file, NULL, len, 0));
	EXPECT_EQ(-1, bad_read(self->file, 0, 4, 0));
	ASSERT_EQ((ssize_t)len, vmsplice(self->pipe[1], &iov, 1, 0));
	ASSERT_EQ((ssize_t)len,
		  splice(self->pipe[0], NULL, self->fd, &at, len, 0));
	EXPECT_EQ(8, pool_read("stored"));
	ASSERT_EQ((ssize_t)len, pread(self->fd, self->buffer, len,
				      10 * page_size));
	EXPECT_EQ(-1, bad_page(self->buffer, 0, 4, 0));
}

/* The other direction: a pipe's bytes into a mapping. */
TEST_F(splice, pipe_into_mapping)
{
	struct iovec iov = {
		map_shared(_metadata, self->fd, 4, 2) + page_size - 3, 6,
	};

	ASSERT_EQ(6, write(self->pipe[1], "abcdef", 6));
	ASSERT_EQ(6, vmsplice(self->pipe[0], &iov, 1, 0));
	ASSERT_EQ(6, pread(self->fd, self->buffer, 6, 5 * page_size - 3));
	EXPECT_EQ(0, memcmp(self->buffer, "abcdef", 6));
}

TEST_HARNESS_MAIN
