// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that an ioctl survives the failure of any one of its allocations: it
 * does all of what it is for, or fails with ENOMEM and has done nothing. Those
 * that make room need no memory to do it. Each test runs in both fault modes.
 *
 * Needs: see mmapdemo_test.h; a kernel with CONFIG_FAULT_INJECTION.
 */
#include "mmapdemo_test.h"
#include "failing_util.h"
#include "race.h"

FAILING_FIXTURE(failing_ioctls)

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

TEST_F_TIMEOUT(failing_ioctls, info, RACE_TIMEOUT)
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
TEST_F_TIMEOUT(failing_ioctls, discard, RACE_TIMEOUT)
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

TEST_F_TIMEOUT(failing_ioctls, resize, RACE_TIMEOUT)
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

TEST_F_TIMEOUT(failing_ioctls, dirty_log, RACE_TIMEOUT)
{
	fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_log, .run = run_log, .check = check_log,
		.undo = undo_log,
		.least = 1,
	});
}

TEST_F_TIMEOUT(failing_ioctls, dirty_log_clear, RACE_TIMEOUT)
{
	fail_each(_metadata, &self->stage, &(struct call){
		.prepare = prepare_log_clear, .run = run_log,
		.check = check_log, .undo = undo_log,
		.least = 1,
	});
}

TEST_HARNESS_MAIN
