/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz.c as a kselftest: runs inputs from files, and random ones, each in a process
 * that a mismatch ends. Its twin is fuzz_engine.h.
 */
#ifndef MMAPDEMO_FUZZ_KSELFTEST_H
#define MMAPDEMO_FUZZ_KSELFTEST_H

#include <dirent.h>
#include <libgen.h>

#include "fuzz_run.h"

/* In a process of its own, which a mismatch ends: whether there was none. */
static bool succeeds(void (*run)(const void *data, size_t size),
		     const void *data, size_t size)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		open_self();
		/* Of what another one has left there when it was ended. */
		if (!empty_device())
			mismatch("the device: %s", strerror(errno));
		run(data, size);
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && !status;
}

static void test_file(const char *path)
{
	struct op ops[MAX_OPS];
	FILE *f = fopen(path, "r");
	size_t nr;

	if (!f)
		ksft_exit_fail_msg("%s: %s\n", path, strerror(errno));
	nr = fread(ops, sizeof(*ops), MAX_OPS, f);
	fclose(f);
	ksft_test_result(succeeds(run_input, ops, nr * sizeof(*ops)), "%s\n",
			 strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
}

static long number(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? atol(text) : otherwise;
}

/* @nr inputs of as many operations as there can be, from *@first, a seed, on. */
static void run_random(const void *first, size_t nr)
{
	unsigned int from = *(const unsigned int *)first, seed;
	struct op ops[MAX_OPS];
	__u8 *byte = (__u8 *)ops;
	size_t i;

	for (seed = from; seed - from < nr; seed++) {
		unsigned int state = seed;

		for (i = 0; i < sizeof(ops); i++)
			byte[i] = rand_r(&state) >> 8;
		run_input(ops, sizeof(ops));
	}
}

static void test_random(void)
{
	unsigned int seed = number("MMAPDEMO_SEED", time(NULL));
	long nr = number("MMAPDEMO_INPUTS", 30);

	ksft_print_msg("seed %u\n", seed);
	ksft_test_result(succeeds(run_random, &seed, nr), "%ld random inputs\n",
			 nr);
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	const char *dir = dirname(strdup(argv[0]));
	struct dirent **entry;
	char path[512];
	int i, nr;

	ksft_print_header();
	setup();
	if (argc > 1) {
		ksft_set_plan(argc - 1);
		for (i = 1; i < argc; i++)
			test_file(argv[i]);
		ksft_finished();
	}
	snprintf(path, sizeof(path), "%s/corpus", dir);
	nr = scandir(path, &entry, is_input, alphasort);
	if (nr < 0)
		ksft_exit_fail_msg("%s: %s\n", path, strerror(errno));
	ksft_set_plan(nr + 1);
	test_random();
	for (i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "%s/corpus/%s", dir,
			 entry[i]->d_name);
		test_file(path);
	}
	ksft_finished();
}

#endif /* MMAPDEMO_FUZZ_KSELFTEST_H */
