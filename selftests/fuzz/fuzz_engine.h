/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What libFuzzer wants of fuzz.c: to be set up, to run an input, to change one. The
 * names are libFuzzer's (LLVM's documentation, "libFuzzer").
 */
#ifndef MMAPDEMO_FUZZ_ENGINE_H
#define MMAPDEMO_FUZZ_ENGINE_H

/* Also where this is compiled alone. */
#ifndef FUZZER
#define FUZZER
#endif

#include <sys/stat.h>

#include "fuzz_kcov.h"
#include "fuzz_run.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const __u8 *data, size_t size);
size_t LLVMFuzzerCustomMutator(__u8 *data, size_t size, size_t max,
			       unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const __u8 *data1, size_t size1,
				 const __u8 *data2, size_t size2, __u8 *out_data,
				 size_t max, unsigned int seed);
size_t LLVMFuzzerMutate(__u8 *data, size_t size, size_t max);

static const char *out;
static unsigned long executions;

static void out_path(char path[256], const char *name)
{
	snprintf(path, 256, "%s/%s", out, name);
}

/* For those who watch: a new file, as readers shall never see half of one. */
static void write_figures(void)
{
	char path[256], new[256];
	FILE *f;

	out_path(path, "figures");
	out_path(new, "figures.new");
	f = fopen(new, "w");
	fprintf(f, "executions %lu\noperations %llu\nblocks %u\n", executions,
		model.dev->ops, nr_met);
	fclose(f);
	rename(new, path);
	fflush(coverage_log);
}

/*
 * The input that runs, for the host to have if the guest dies of it: in memory
 * that is the host's, a PCI device's here. A file would take longer than the
 * input does.
 */
static struct {
	__u32 size;
	__u8 data[MAX_OPS * sizeof(struct op)];
} *current;

static void map_current(void)
{
	int fd = open(getenv("FUZZ_CURRENT"), O_RDWR);

	current = mmap(NULL, sizeof(*current), PROT_READ | PROT_WRITE,
		       MAP_SHARED, fd, 0);
	close(fd);
	if (current == MAP_FAILED)
		ksft_exit_fail_msg("FUZZ_CURRENT: %s\n", strerror(errno));
}

static void save_input(const void *data, size_t size)
{
	if (size > sizeof(current->data))
		size = sizeof(current->data);
	current->size = size;
	memcpy(current->data, data, size);
}

/* Half of them of the few pages and places that others are of, too. */
static struct op random_op(unsigned int *seed)
{
	__u8 mask = rand_r(seed) % 2 ? 0xff : 0x07;
	struct op op;
	__u8 *byte;

	for (byte = &op.code; byte <= &op.more; byte++)
		*byte = rand_r(seed) >> 8;
	op.where &= mask;
	op.nr &= mask;
	op.page &= mask;
	return op;
}

/* The first operation of this name. */
static size_t find_op(const char *name)
{
	size_t i = 0;

	while (strcmp(operations[i].name, name))
		i++;
	return i;
}

/*
 * To begin with: for each operation an input in which there is something that it
 * can do something to, a shared and a private mapping with data.
 */
static void write_seed(size_t kind, const char *path)
{
	const struct op data[] = {
		{ .code = find_op("mmap"), .nr = 7 },
		{ .code = find_op("mmap"), .where = 10, .nr = 7, .page = 2, .how = 8 },
		{ .code = find_op("store"), .where = 2 },
		{ .code = find_op("store"), .where = 4, .nr = 2 },
		{ .code = find_op("store"), .where = 11, .nr = 1 },
	};
	unsigned int seed = kind, i;
	FILE *f = fopen(path, "w");

	fwrite(data, sizeof(data), 1, f);
	for (i = 0; i < 8; i++) {
		struct op op = random_op(&seed), then = random_op(&seed);

		op.code = kind;
		then.code = find_op(i % 2 ? "load" : "store");
		fwrite(&op, sizeof(op), 1, f);
		fwrite(&then, sizeof(then), 1, f);
	}
	fclose(f);
}

static void write_seeds(void)
{
	char path[300];
	size_t i;

	snprintf(path, sizeof(path), "%s/seeds", out);
	mkdir(path, 0755);
	for (i = 0; i < ARRAY_SIZE(operations); i++) {
		if (find_op(operations[i].name) != i)
			continue;
		snprintf(path, sizeof(path), "%s/seeds/%s", out,
			 operations[i].name);
		write_seed(i, path);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char path[256];

	(void)argc;
	(void)argv;
	out = getenv("FUZZ_OUT");
	write_seeds();
	setup();
	map_current();
	kmsg_setup();
	out_path(path, "coverage");
	if (!kcov_setup(path))
		ksft_exit_fail_msg("needs CONFIG_KCOV and a module built for it\n");
	atexit(write_figures);
	return 0;
}

int LLVMFuzzerTestOneInput(const __u8 *data, size_t size)
{
	static double told;

	save_input(data, size);
	kcov_begin(0);
	run_input(data, size);
	kcov_end(0);
	kcov_collect(0);
	executions++;
	if (kmsg_has_report())
		mismatch("the kernel has reported something");
	if (seconds() > told + 5) {
		write_figures();
		told = seconds();
	}
	return 0;
}

static size_t insert_ops(struct op *ops, size_t nr, size_t most,
			 unsigned int *seed)
{
	size_t at = nr ? rand_r(seed) % (nr + 1) : 0;
	size_t more = 1 + rand_r(seed) % 6, i;

	if (more > most - nr)
		more = most - nr;
	memmove(ops + at + more, ops + at, (nr - at) * sizeof(*ops));
	for (i = at; i < at + more; i++)
		ops[i] = random_op(seed);
	return nr + more;
}

static size_t remove_ops(struct op *ops, size_t nr, unsigned int *seed)
{
	size_t at = rand_r(seed) % nr, less = 1 + rand_r(seed) % 3;

	if (less > nr - at)
		less = nr - at;
	memmove(ops + at, ops + at + less, (nr - at - less) * sizeof(*ops));
	return nr - less;
}

/* Changes operations, not bytes that may be half of one and half of the next. */
size_t LLVMFuzzerCustomMutator(__u8 *data, size_t size, size_t max,
			       unsigned int seed)
{
	struct op *ops = (struct op *)data;
	size_t nr = size / sizeof(*ops), most = max / sizeof(*ops);
	unsigned int choice = rand_r(&seed) % 6;

	if (most > MAX_OPS)
		most = MAX_OPS;
	if (nr > most)
		nr = most;
	if ((choice < 2 || !nr) && nr < most)
		nr = insert_ops(ops, nr, most, &seed);
	else if (choice == 2 && nr > 1)
		nr = remove_ops(ops, nr, &seed);
	else
		LLVMFuzzerMutate((__u8 *)&ops[rand_r(&seed) % nr], sizeof(*ops),
				 sizeof(*ops));
	return nr * sizeof(*ops);
}

/* The beginning of one, and the end of the other. */
size_t LLVMFuzzerCustomCrossOver(const __u8 *data1, size_t size1,
				 const __u8 *data2, size_t size2, __u8 *out_data,
				 size_t max, unsigned int seed)
{
	size_t nr1 = size1 / sizeof(struct op), nr2 = size2 / sizeof(struct op);
	size_t some1 = nr1 ? rand_r(&seed) % (nr1 + 1) : 0;
	size_t some2 = nr2 ? rand_r(&seed) % (nr2 + 1) : 0;
	size_t most = max / sizeof(struct op);

	if (some1 > most)
		some1 = most;
	if (some2 > most - some1)
		some2 = most - some1;
	memcpy(out_data, data1, some1 * sizeof(struct op));
	memcpy(out_data + some1 * sizeof(struct op),
	       data2 + (nr2 - some2) * sizeof(struct op),
	       some2 * sizeof(struct op));
	return (some1 + some2) * sizeof(struct op);
}

#endif /* MMAPDEMO_FUZZ_ENGINE_H */
