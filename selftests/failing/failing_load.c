// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that insmod and rmmod survive the failure of any one allocation on the
 * way: insmod succeeds or fails with ENOMEM, and then nothing of the module is
 * left; rmmod always succeeds, and every page is back.
 *
 * Loads the module anew, and in the end as it was.
 * Needs: see reload.h and failing_util.h.
 */
#include "mmapdemo_test.h"
#include "failing_util.h"
#include "race.h"
#include "reload.h"

FIXTURE(failing_load) {
	int fd;			/* of FAIL_NTH */
	struct injection injection;
	char old[sizeof(old_parameters)];
	struct stage stage;
	struct tally tally;
};

FIXTURE_SETUP(failing_load)
{
	reload_setup(_metadata);
	memcpy(self->old, old_parameters, sizeof(self->old));
	injection_setup(_metadata, &self->injection);
	ASSERT_EQ(0, unload())
		TH_LOG("rmmod mmapdemo: %s", strerror(errno));
	self->fd = open(FAIL_NTH, O_RDWR);
	self->stage = (struct stage){ .fd = open_module_file() };
	self->tally = (struct tally){ 0 };
}

FIXTURE_TEARDOWN_PARENT(failing_load)
{
	injection_restore(&self->injection);
	TH_LOG("%u injection points, %u of them an error", self->tally.points,
	       self->tally.denied);
	reload_teardown(_metadata, self->old);
}

static long run_load(struct stage *s)
{
	return load_from(s->fd, old_parameters) ? -errno : 0;
}

static long run_unload(struct stage *s)
{
	(void)s;
	return unload() ? -errno : 0;
}

/* Return: whether a page can be written and read back. */
static bool device_works(void)
{
	int fd = open(DEVICE, O_RDWR);
	bool works = fill(fd, 0, 4, SEED) && bad_read(fd, 0, 4, SEED) == -1;

	close(fd);
	return works;
}

/* Makes insmod fail at its first allocation, its second, and so on. */
static void insmod_series(struct __test_metadata *_metadata,
			  FIXTURE_DATA(failing_load) *self)
{
	struct stage *s = &self->stage;
	unsigned int nth;

	for (nth = 1; nth < MAX_POINTS; nth++) {
		stage_run(s, &(struct call){ .run = run_load }, self->fd, nth);
		if (s->ret) {
			EXPECT_EQ(-ENOMEM, s->ret);
			EXPECT_TRUE(s->injected);
			EXPECT_EQ(NULL, left_behind())
				TH_LOG("allocation %u: %s is still there", nth,
				       left_behind());
		} else {
			/* Also without its files in debugfs. */
			EXPECT_TRUE(device_works());
			EXPECT_EQ(0, unload());
		}
		self->tally.points += s->injected;
		self->tally.denied += s->ret < 0;
		if (!s->injected)
			break;
	}
	EXPECT_GT(MAX_POINTS, nth);
	EXPECT_EQ(0, s->ret);
}

/*
 * A load makes hundreds of allocations, and not the same number each time: a
 * series may miss one, the next one has it. As many as there is time for.
 */
TEST_F_TIMEOUT(failing_load, insmod, RACE_TIMEOUT)
{
	double end = seconds() + 15;

	do {
		insmod_series(_metadata, self);
	} while (seconds() < end);
	/* The caches, the shrinker, the mount, the inode, the node. */
	EXPECT_LE(5, self->tally.denied);
}

TEST_F_TIMEOUT(failing_load, rmmod, RACE_TIMEOUT)
{
	struct stage *s = &self->stage;
	unsigned int nth;

	for (nth = 1; nth < MAX_POINTS; nth++) {
		ASSERT_EQ(0, load(old_parameters));
		EXPECT_TRUE(device_works());
		/* A page that is missing is a WARN in the kernel's log. */
		stage_run(s, &(struct call){ .run = run_unload }, self->fd, nth);
		EXPECT_EQ(0, s->ret)
			TH_LOG("allocation %u", nth);
		EXPECT_EQ(NULL, left_behind());
		self->tally.points += s->injected;
		if (!s->injected)
			break;
	}
	EXPECT_GT(MAX_POINTS, nth);
}

TEST_HARNESS_MAIN
