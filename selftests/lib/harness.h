/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's harness, and what all tests have in common with no device at all.
 * Nothing is done before a fixture is set up: -l and -h leave all as it is.
 */
#ifndef MMAPDEMO_HARNESS_H
#define MMAPDEMO_HARNESS_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"

/* A busy host can be ten times slower than its emulated CPU ever is. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	300

/* In bytes; process_setup() asks for it. */
static size_t page_size;

/*
 * Ends a test as a skip: also in what its fixture's setup calls, which cannot
 * return for it.
 */
#define SKIP_TEST(...)	SKIP(_exit(KSFT_SKIP), __VA_ARGS__)

#define EXPECT_ERRNO(error, call) do {		\
	EXPECT_EQ(-1, call);			\
	EXPECT_EQ(error, errno);		\
} while (0)

static inline double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

#endif /* MMAPDEMO_HARNESS_H */
