/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mmapdemo_hold.ko, which holds the locks of a file's mapping (kunit/hold.c).
 *
 * What waits for a lock that its own process keeps held may wait for ever: let
 * others do that, who do not have the file that holds it (crowd.h).
 */
#ifndef MMAPDEMO_HOLD_TEST_H
#define MMAPDEMO_HOLD_TEST_H

#include "mmapdemo_test.h"
#include "other_module.h"
#include "../../kunit/hold.h"

#define HOLD	"/dev/mmapdemo_hold"

static struct other_module hold_module = {
	.name = "mmapdemo_hold", .variable = "MMAPDEMO_HOLD_KO",
};

/* First in a fixture's setup. Return: what can hold one lock. */
static inline int hold_setup(struct __test_metadata *_metadata)
{
	int holder;

	if (!other_module_find(&hold_module))
		SKIP_TEST("needs mmapdemo_hold.ko in MMAPDEMO_HOLD_KO");
	if (geteuid())
		SKIP_TEST("needs root");
	ASSERT_EQ(0, other_module_load(&hold_module))
		TH_LOG("insmod: %s", strerror(errno));
	holder = open(HOLD, O_RDWR);
	ASSERT_LE(0, holder);
	return holder;
}

/* In the parent: the test is gone, and with it what it held. */
static inline void hold_teardown(struct __test_metadata *_metadata)
{
	EXPECT_EQ(0, other_module_unload(&hold_module))
		TH_LOG("rmmod: %s", strerror(errno));
}

/* Return: 0 when it is held. */
static inline int hold(int holder, int fd, enum hold_what what, size_t pgoff)
{
	struct hold_lock arg = { .fd = fd, .what = what, .pgoff = pgoff };

	return ioctl(holder, HOLD_IOC_LOCK, &arg);
}

static inline int let_go(int holder)
{
	return ioctl(holder, HOLD_IOC_UNLOCK);
}

#endif /* MMAPDEMO_HOLD_TEST_H */
