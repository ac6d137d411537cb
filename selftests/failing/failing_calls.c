// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a call on the open device survives the failure of any one of its
 * allocations: it succeeds, or is short, or fails with ENOMEM, and what it
 * did not do has not happened. failing_ioctls.c has the ioctls. One fault mode
 * will do: none of these calls looks at it.
 *
 * Needs: see mmapdemo_test.h; a kernel with CONFIG_FAULT_INJECTION.
 */
#include "mmapdemo_test.h"
#include "failing_util.h"
#include "race.h"

FIXTURE(failing_calls) {
	struct injected injected;
	struct stage stage;
};

#define BUFFER	(NR * page_size)

static char *buffer;

FIXTURE_SETUP(failing_calls)
{
	injected_setup(_metadata, &self->injected, &self->stage, false);
	buffer = calloc(1, BUFFER);
	ASSERT_NE(NULL, buffer);
}

FIXTURE_TEARDOWN_PARENT(failing_calls)
{
	injected_teardown(_metadata, &self->injected, &self->stage);
}

/* Present in the page tables, or the kernel's copying would be what fails. */
static void prepare_buffer(struct stage *s)
{
	(void)s;
	memset(buffer, 'b', BUFFER);
}

static long run_open(struct stage *s)
{
	int fd = open(DEVICE, O_RDWR);

	(void)s;
	return fd < 0 ? -errno : fd;
}

static const char *check_open(struct stage *s)
{
	bool usable = s->ret < 0 || lseek(s->ret, 0, SEEK_END) > 0;
	char text[16] = "";

	if (s->ret >= 0)
		close(s->ret);
	/* By the fixture: nothing else is left over. */
	if (read_file("/sys/module/mmapdemo/refcnt", text, sizeof(text)) ||
	    atoi(text) != 1)
		return "the module is in use by who knows";
	return usable ? NULL : "cannot be used";
}

TEST_F_TIMEOUT(failing_calls, open, RACE_TIMEOUT)
{
	fail_each(_metadata, &self->stage, &(struct call){
		.run = run_open, .check = check_open,
		.least = 2,
	});
}

/* Data and a hole. */
static long run_read(struct stage *s)
{
	ssize_t len = pread(s->fd, buffer, NR * page_size, 0);

	return len < 0 ? -errno : len;
}

static const char *check_read(struct stage *s)
{
	if (s->ret != (long)(NR * page_size) ||
	    memcmp(buffer, s->model, NR * page_size))
		return "reads something else";
	return pool_read("stored") == NR_STORED ? NULL : "a hole was filled";
}

TEST_F_TIMEOUT(failing_calls, read, RACE_TIMEOUT)
{
	EXPECT_EQ(0, fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_buffer, .run = run_read,
		.check = check_read,
	}).denied);
}

static long run_write(struct stage *s)
{
	ssize_t len = pwrite(s->fd, buffer, NR_STORED * page_size, 0);

	return len < 0 ? -errno : len;
}

static const char *check_write(struct stage *s)
{
	memset(s->model, 'b', NR_STORED * page_size);
	return s->ret == (long)(NR_STORED * page_size) ? NULL : "is short";
}

TEST_F_TIMEOUT(failing_calls, write, RACE_TIMEOUT)
{
	EXPECT_EQ(0, fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_buffer, .run = run_write,
		.check = check_write,
	}).denied);
}

/* More than the pool takes from the system at once, into two tree nodes. */
#define FIRST	(HOLE - NR_WRITTEN + 1)
#define NR_WRITTEN	40

static long run_write_hole(struct stage *s)
{
	ssize_t len = pwrite(s->fd, buffer, NR_WRITTEN * page_size,
			     FIRST * page_size);

	return len < 0 ? -errno : len;
}

/* What was written before counts, and comes in whole pages here. */
static const char *check_write_hole(struct stage *s)
{
	long pages = s->ret < 0 ? 0 : s->ret / page_size;

	if (s->ret > 0 && s->ret % page_size)
		return "is short in the middle of a page";
	if (pages < NR_WRITTEN && !s->injected)
		return "is short although nothing failed";
	memset(s->model + FIRST * page_size, 'b', pages * page_size);
	if (pool_read("stored") != NR_STORED + pages ||
	    pool_read("dirty") != pages)
		return "more was stored than was written";
	s->seen += pages && pages < NR_WRITTEN;
	return NULL;
}

static const struct call write_hole = {
	.prepare = prepare_buffer, .run = run_write_hole,
	.check = check_write_hole, .drain = true,
};

/* One failure is not enough: where there is no block of pages, there is a page. */
TEST_F_TIMEOUT(failing_calls, write_into_a_hole, RACE_TIMEOUT)
{
	fail_each(_metadata, &self->stage, &write_hole);
}

/* Makes the call with all that it wants from a slab cache, or all pages, failing. */
static void run_without(struct stage *s, const struct call *call, const char *probability)
{
	int fd = open("/proc/thread-self/make-it-fail", O_WRONLY);

	if (write_file(probability, "100") || write(fd, "1", 1) != 1)
		abort();
	s->ret = call->run(s);
	if (pwrite(fd, "0", 1, 0) != 1 || write_file(probability, "0"))
		abort();
	s->injected = true;
	close(fd);
}

/*
 * The store asks twice for a node of its tree, so that one failure is not
 * enough. The page that was meant for the slot is the pool's again.
 */
TEST_F(failing_calls, write_without_a_slot)
{
	struct stage *s = &self->stage;

	stage_prepare(s, &write_hole);
	run_without(s, &write_hole, FAILSLAB "probability");
	EXPECT_EQ(NULL, stage_judge(s, &write_hole));
	/* Short: the first pages have their slots in a node that is there. */
	EXPECT_EQ(1, s->seen);
}

TEST_F(failing_calls, write_without_a_page)
{
	struct stage *s = &self->stage;

	stage_prepare(s, &write_hole);
	run_without(s, &write_hole, FAIL_PAGES "probability");
	EXPECT_EQ(NULL, stage_judge(s, &write_hole));
	EXPECT_EQ(-ENOMEM, s->ret);
}

static int pipes[2];

static void prepare_pipe(struct stage *s)
{
	prepare_buffer(s);
	if (pipe2(pipes, O_NONBLOCK))
		abort();
}

static void undo_pipe(struct stage *s)
{
	(void)s;
	close(pipes[0]);
	close(pipes[1]);
}

static long run_splice_out(struct stage *s)
{
	loff_t offset = 0;
	ssize_t len = splice(s->fd, &offset, pipes[1], NULL, 8 * page_size,
			     SPLICE_F_NONBLOCK);

	return len < 0 ? -errno : len;
}

static const char *check_splice_out(struct stage *s)
{
	ssize_t len = read(pipes[0], buffer, BUFFER);

	if (s->ret < 0)
		return len < 0 && errno == EAGAIN ? NULL : "fills the pipe";
	if (s->ret == 0 || (s->ret < (long)(8 * page_size) && !s->injected))
		return "is short although nothing failed";
	if (len != s->ret || memcmp(buffer, s->model, len))
		return "the pipe has something else";
	return NULL;
}

TEST_F_TIMEOUT(failing_calls, splice_to_a_pipe, RACE_TIMEOUT)
{
	fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_pipe, .run = run_splice_out,
		.check = check_splice_out, .undo = undo_pipe,
		.least = 1,
	});
}

static void prepare_full_pipe(struct stage *s)
{
	prepare_pipe(s);
	if (write(pipes[1], buffer, 8 * page_size) != (ssize_t)(8 * page_size))
		abort();
}

static long run_splice_in(struct stage *s)
{
	loff_t offset = (HOLE - 7) * page_size;
	ssize_t len = splice(pipes[0], NULL, s->fd, &offset, 8 * page_size,
			     SPLICE_F_NONBLOCK);

	return len < 0 ? -errno : len;
}

/* What did not go into the device is in the pipe still. */
static const char *check_splice_in(struct stage *s)
{
	long done = s->ret < 0 ? 0 : s->ret;
	ssize_t left = read(pipes[0], buffer, BUFFER);

	if (done < (long)(8 * page_size) && !s->injected)
		return "is short although nothing failed";
	if ((left < 0 ? 0 : left) != (long)(8 * page_size) - done)
		return "bytes are lost";
	memset(s->model + (HOLE - 7) * page_size, 'b', done);
	return pool_read("stored") * page_size == NR_STORED * page_size + done ?
	       NULL : "more was stored than was written";
}

TEST_F_TIMEOUT(failing_calls, splice_from_a_pipe, RACE_TIMEOUT)
{
	fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_full_pipe, .run = run_splice_in,
		.check = check_splice_in, .undo = undo_pipe, .drain = true,
		.least = 1,
	});
}

static long run_seek(struct stage *s)
{
	off_t hole = lseek(s->fd, 0, SEEK_HOLE);

	return hole == (off_t)(NR_STORED * page_size) ?
	       lseek(s->fd, 1, SEEK_DATA) : hole;
}

static const char *check_seek(struct stage *s)
{
	return s->ret == 1 ? NULL : "finds something else";
}

TEST_F_TIMEOUT(failing_calls, lseek, RACE_TIMEOUT)
{
	EXPECT_EQ(0, fail_each(_metadata, &self->stage, &(struct call){
		.run = run_seek, .check = check_seek,
	}).denied);
}

TEST_HARNESS_MAIN
