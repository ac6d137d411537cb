// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a call on the open device survives the failure of any one of its
 * allocations: it succeeds, or is short, or fails with ENOMEM, and what it
 * did not do has not happened. What need not allocate does not. One fault mode
 * will do: none of these calls looks at it.
 *
 * Needs: see mmapdemo_test.h; a kernel with CONFIG_FAULT_INJECTION.
 */
#include "mmapdemo_test.h"
#include "race_util.h"
#include "ioctls.h"
#include "failing_util.h"

FIXTURE(failing_calls) {
	struct device dev;
	struct stage stage;
};

#define BUFFER	(NR * page_size)

static char *buffer;

FIXTURE_SETUP(failing_calls)
{
	buffer = calloc(1, BUFFER);
	ASSERT_NE(NULL, buffer);
	device_setup(_metadata, &self->dev, false);
	stage_setup(_metadata, &self->stage, &self->dev, false);
}

FIXTURE_TEARDOWN(failing_calls)
{
	free(self->stage.model);
	free(buffer);
	check_invariants(_metadata, &self->dev, self->stage.balance);
	device_teardown(_metadata, &self->dev);
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
	EXPECT_LE(2, fail_each(_metadata, &self->stage, &(struct call){
		.run = run_open, .check = check_open,
	}).denied);
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

TEST_F_TIMEOUT(failing_calls, write_into_a_hole, RACE_TIMEOUT)
{
	EXPECT_LE(1, fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_buffer, .run = run_write_hole,
		.check = check_write_hole, .drain = true,
	}).denied);
	EXPECT_LE(1, self->stage.seen);
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
	EXPECT_LE(1, fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_pipe, .run = run_splice_out,
		.check = check_splice_out, .undo = undo_pipe,
	}).denied);
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
	EXPECT_LE(1, fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_full_pipe, .run = run_splice_in,
		.check = check_splice_in, .undo = undo_pipe, .drain = true,
	}).denied);
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

static struct mmapdemo_info info;

static long run_info(struct stage *s)
{
	return ioctl(s->fd, MMAPDEMO_IOC_INFO, &info) ? -errno : 0;
}

static const char *check_info(struct stage *s)
{
	return !s->ret && info.stored == NR_STORED * page_size ? NULL :
	       "has other figures";
}

TEST_F_TIMEOUT(failing_calls, ioctl_info, RACE_TIMEOUT)
{
	EXPECT_EQ(0, fail_each(_metadata, &self->stage, &(struct call){
		.run = run_info, .check = check_info,
	}).denied);
}

static long run_discard(struct stage *s)
{
	return discard(s->fd, 0, NR_STORED / 2) ? -errno : 0;
}

static const char *check_discard(struct stage *s)
{
	memset(s->model, 0, NR_STORED / 2 * page_size);
	return s->ret ? "fails" : NULL;
}

/* Room can be made where there is none left. */
TEST_F_TIMEOUT(failing_calls, ioctl_discard, RACE_TIMEOUT)
{
	EXPECT_EQ(0, fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_touched, .run = run_discard,
		.check = check_discard,
	}).denied);
}

static long run_resize(struct stage *s)
{
	return resize(s->fd, NR_STORED / 2) ? -errno : 0;
}

static const char *check_resize(struct stage *s)
{
	char *end = s->p + NR_STORED / 2 * page_size;

	if (s->ret || touch(end, -1).sig != SIGBUS)
		return "what is behind the end can be touched";
	memset(s->model + NR_STORED / 2 * page_size, 0,
	       NR_STORED / 2 * page_size);
	return resize(s->fd, NR) ? "cannot grow again" : NULL;
}

TEST_F_TIMEOUT(failing_calls, ioctl_resize, RACE_TIMEOUT)
{
	EXPECT_EQ(0, fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_touched, .run = run_resize,
		.check = check_resize,
	}).denied);
}

/* One page of two: the kernel collects 64 extents at a time. */
#define NR_EXTENTS	150
#define LOG_START	100

static struct mmapdemo_extent extents[NR_EXTENTS];
static struct mmapdemo_dirty_log dirty_log;

static void prepare_log(struct stage *s)
{
	size_t i;

	for (i = 0; i < NR_EXTENTS; i++)
		if (!fill(s->fd, LOG_START + 2 * i, 1, SEED))
			abort();
	memset(extents, 0, sizeof(extents));
	dirty_log = (struct mmapdemo_dirty_log){
		.start = LOG_START * page_size,
		.len = 2 * NR_EXTENTS * page_size,
		.extents = (uintptr_t)extents,
		.nr_extents = NR_EXTENTS,
	};
}

static void prepare_log_clear(struct stage *s)
{
	prepare_log(s);
	dirty_log.flags = MMAPDEMO_DIRTY_LOG_CLEAR;
}

static long run_log(struct stage *s)
{
	return ioctl(s->fd, MMAPDEMO_IOC_DIRTY_LOG, &dirty_log) ? -errno : 0;
}

/* All extents, or nothing has happened. */
static const char *check_log(struct stage *s)
{
	bool cleared = !s->ret && dirty_log.flags;
	size_t i;

	if (pool_read("dirty") != (cleared ? 0 : NR_EXTENTS))
		return "the dirty log has changed otherwise";
	if (s->ret)
		return extents[0].len ? "fails, and tells" : NULL;
	for (i = 0; i < NR_EXTENTS; i++)
		if (extents[i].start != (LOG_START + 2 * i) * page_size ||
		    extents[i].len != page_size)
			return "an extent is wrong";
	return dirty_log.len || dirty_log.nr_extents != NR_EXTENTS ?
	       "is not at the end" : NULL;
}

static void undo_log(struct stage *s)
{
	discard(s->fd, LOG_START, 2 * NR_EXTENTS);
}

TEST_F_TIMEOUT(failing_calls, ioctl_dirty_log, RACE_TIMEOUT)
{
	EXPECT_LE(1, fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_log, .run = run_log, .check = check_log,
		.undo = undo_log,
	}).denied);
}

TEST_F_TIMEOUT(failing_calls, ioctl_dirty_log_clear, RACE_TIMEOUT)
{
	EXPECT_LE(1, fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_log_clear, .run = run_log,
		.check = check_log, .undo = undo_log,
	}).denied);
}

TEST_HARNESS_MAIN
