/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How fuzz.c runs an input: the operations that there are, children and races
 * among them, what must be true at its end, and what is set up before the first.
 */
#ifndef MMAPDEMO_FUZZ_RUN_H
#define MMAPDEMO_FUZZ_RUN_H

#include <pthread.h>

#include "fuzz_adopt.h"
#include "fuzz_ioctl.h"

#define MAX_OPS		64
#define MAX_FORKS	1	/* in an input: one takes longer than all else */

/* --- The operations ----------------------------------------------------- */

struct program {
	const struct op *op;
	size_t nr, done;
	unsigned int forks;
};

static struct program program;
static bool show;

/* These two take what follows: see run(). */
static void op_fork(const struct op *op)
{
	(void)op;
}

static void op_race(const struct op *op)
{
	(void)op;
}

/* The more often one is listed, the more often it is drawn. */
static const struct {
	const char *name;
	void (*run)(const struct op *op);
} operations[] = {
	{ "mmap", op_mmap }, { "mmap", op_mmap }, { "mmap", op_mmap },
	{ "load", op_load }, { "load", op_load },
	{ "store", op_store }, { "store", op_store }, { "store", op_store },
	{ "munmap", op_munmap }, { "mprotect", op_mprotect },
	{ "mremap", op_mremap }, { "madvise", op_madvise },
	{ "mlock", op_mlock }, { "msync", op_msync }, { "poke", op_poke },
	{ "read", op_read }, { "write", op_write }, { "write", op_write },
	{ "self", op_self }, { "splice_out", op_splice_out },
	{ "splice_in", op_splice_in }, { "vmsplice", op_vmsplice },
	{ "drain", op_drain }, { "seek", op_seek }, { "fsync", op_fsync },
	{ "open", op_open }, { "mode", op_mode }, { "mode", op_mode },
	{ "shrink", op_shrink },
	{ "resize", op_resize }, { "resize", op_resize },
	{ "discard", op_discard }, { "discard", op_discard },
	{ "dirty_log", op_dirty_log }, { "dirty_log", op_dirty_log },
	{ "info", op_info }, { "fork", op_fork }, { "race", op_race },
};

static size_t kind(const struct op *op)
{
	return op->code % ARRAY_SIZE(operations);
}

static void print_operation(size_t i)
{
	const struct op *op = &program.op[i];

	fprintf(stderr, "# %2zu %s where %u nr %u page %u fd %u how %#x value %u more %u\n",
		i, operations[kind(op)].name, op->where % ARENA, op->nr,
		op->page, op->fd % NR_FDS, op->how, op->value, op->more);
}

static void print_program(void)
{
	size_t i;

	fprintf(stderr, "# process %d%s, operations up to here:\n", getpid(),
		model.child ? " (a child)" : "");
	for (i = 0; i <= program.done && i < program.nr; i++)
		print_operation(i);
}

static void run_one(const struct op *op)
{
	if (show)
		print_operation(op - program.op);
	__atomic_add_fetch(&model.dev->ops, 1, __ATOMIC_RELAXED);
	operations[kind(op)].run(op);
}

/* --- Children ----------------------------------------------------------- */

/* Coverage of the other thread, or of a child: there is some for libFuzzer alone. */
#ifdef FUZZER
#include "fuzz_kcov.h"
#else
static inline void kcov_begin(int i)
{
	(void)i;
}

static inline void kcov_end(int i)
{
	(void)i;
}

static inline void kcov_collect(int i)
{
	(void)i;
}
#endif

static void run(size_t end);

static void open_self(void)
{
	model.mem = open("/proc/self/mem", O_RDWR);
	model.pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (model.mem < 0 || model.pagemap < 0)
		mismatch("/proc/self: %s", strerror(errno));
}

static void become_child(void)
{
	size_t i;

	model.child = true;
	kcov_begin(1);
	open_self();
	for (i = 0; i < ARENA; i++)
		if (model.slot[i].not_in_child)
			memset(&model.slot[i], 0, sizeof(*model.slot));
}

static void wait_for_child(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		;
	kcov_collect(1);
	if (status)
		mismatch("a child ended with status %#x", status);
}

/* A child runs the operations up to @end, which the parent then leaves out. */
static void run_in_child(size_t end)
{
	size_t smallest = model.dev->smallest;
	pid_t pid;

	model.dev->smallest = model.dev->size;
	pid = fork();
	if (pid < 0)
		mismatch("fork: %s", strerror(errno));
	if (!pid) {
		become_child();
		run(end);
		_exit(0);
	}
	wait_for_child(pid);
	if (model.dev->smallest)
		drop_copies(model.dev->smallest);
	else
		look_for_copies(0, ARENA);
	if (smallest < model.dev->smallest)
		model.dev->smallest = smallest;
	program.done = end;
}

/* --- Threads ------------------------------------------------------------ */

/* Who runs which operations how often: one those with even numbers. */
struct racer {
	const struct op *first, *end;
	unsigned int rounds;
	int *started;
};

static void race_ops(const struct racer *racer, int i)
{
	const struct op *op;
	unsigned int round;

	__atomic_add_fetch(racer->started, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(racer->started, __ATOMIC_ACQUIRE) != 2)
		;
	for (round = 0; round < racer->rounds; round++)
		for (op = racer->first + i; op < racer->end; op += 2)
			run_one(op);
}

static void *other_thread(void *arg)
{
	thread = 1;
	kcov_begin(1);
	race_ops(arg, 1);
	kcov_end(1);
	return NULL;
}

static void run_race(size_t end, unsigned int rounds)
{
	int started = 0;
	struct racer racer = {
		program.op + program.done, program.op + end, rounds, &started,
	};
	pthread_t other;

	model.loose = true;
	model.was_loose = true;
	if (pthread_create(&other, NULL, other_thread, &racer))
		mismatch("pthread_create: %s", strerror(errno));
	race_ops(&racer, 0);
	pthread_join(other, NULL);
	kcov_collect(1);
	model.loose = false;
	adopt();
	program.done = end;
}

/* --- An input ----------------------------------------------------------- */

/* Runs the operations from program.done on up to @end. */
static void run(size_t end)
{
	while (program.done < end) {
		const struct op *op = &program.op[program.done];
		size_t some;

		run_one(op);
		program.done++;
		some = program.done + 1 + op->value % 8;
		if (some > end)
			some = end;
		if (operations[kind(op)].run == op_fork &&
		    program.forks++ < MAX_FORKS)
			run_in_child(some);
		else if (operations[kind(op)].run == op_race)
			run_race(some, 1 + op->how % 16);
	}
}

static long given_up;	/* by the pool, when the input began */

/* Pages that it has left to others, or that nobody can use. */
static long pool_gave_up(void)
{
	return pool_read("lent") + pool_read("forgotten");
}

static bool empty_device(void)
{
	return !resize(model.fd[0], NR) && !discard(model.fd[0], 0, NR);
}

static void begin(void)
{
	size_t i;

	memset(model.slot, 0, sizeof(model.slot));
	for (i = 0; i < NR; i++)
		drop_page(i);
	model.dev->size = NR;
	model.dev->smallest = NR;
	model.was_loose = false;
	model.dev->was_pinned = false;
	model.seq = 0;
	given_up = pool_gave_up();
}

/* Everything that is stored, in one call. */
static void check_all_pages(void)
{
	static __u64 *all;
	size_t page, len = model.dev->size * page_size;

	if (!all)
		all = malloc(NR * page_size);
	if (pread(model.fd[0], all, len, 0) != (ssize_t)len)
		mismatch("pread of everything: %s", strerror(errno));
	for (page = 0; page < model.dev->size; page++) {
		const __u64 *words = all + page * words_per_page();

		check_words(words, device_words(page), page, 0,
			    words_per_page(), "pread");
	}
}

/*
 * Pages that the pool had to leave to others: only who pins one, or looks one up
 * at the time when it is removed, makes it more.
 */
static void check_given_up(void)
{
	if (!settle() || (pool_gave_up() != given_up && !model.was_loose &&
			  !model.dev->was_pinned))
		mismatch("a reference to a page has leaked");
}

static void finish(void)
{
	const struct op whole_log = { .nr = NR - 1, .value = 7 }, as_loaded = { 0 };
	struct op rdwr = { 0 }, log = whole_log;
	struct mmapdemo_info now;

	for (log.page = 0; log.page < model.dev->size; log.page += log.nr)
		op_dirty_log(&log);
	check_all_pages();
	op_info(&log);
	op_drain(&log);
	unmap_all();
	if (!empty_device())
		mismatch("the end: %s", strerror(errno));
	now = info();
	if (now.stored || now.dirty)
		mismatch("empty, and %llu bytes stored, %llu dirty", now.stored,
			 now.dirty);
	check_given_up();
	for (rdwr.fd = 0; rdwr.fd < NR_FDS - 1; rdwr.fd++)
		if (model.flags[rdwr.fd + 1] != O_RDWR)
			op_open(&rdwr);
	op_mode(&as_loaded);
}

static void run_input(const void *data, size_t size)
{
	static struct op ops[MAX_OPS];

	program.nr = size / sizeof(struct op);
	if (program.nr > MAX_OPS)
		program.nr = MAX_OPS;
	memcpy(ops, data, program.nr * sizeof(*ops));
	program.op = ops;
	program.done = 0;
	program.forks = 0;
	begin();
	run(program.nr);
	finish();
}

/* --- Setting up --------------------------------------------------------- */

/* Where nothing else is ever mapped: what lies beside a mapping stays free. */
static char *find_arena(void)
{
	return (char *)(sizeof(long) == 8 ? 0x100000000 : 0x20000000);
}

static void *shared_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		ksft_exit_fail_msg("no memory\n");
	return p;
}

static void make_buffers(void)
{
	size_t i, size = (IO_PAGES + 1) * page_size;

	for (i = 0; i < ARRAY_SIZE(buffer_end); i++) {
		char *p = shared_memory(size);

		buffer_end[i] = (__u64 *)(p + size - page_size);
		mprotect(buffer_end[i], page_size, PROT_NONE);
	}
}

/* As trap.h, but without a mask that is to be restored. */
static void take_signals(void)
{
	struct sigaction act = {
		.sa_sigaction = trap_handler,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGBUS, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
}

/* What depends on how it was configured, and on how /dev is mounted. */
static void ask_the_kernel(void)
{
	void *p = mmap(NULL, page_size, PROT_EXEC, MAP_SHARED, model.fd[0], 0);

	model.exec = p != MAP_FAILED;
	munmap(p, page_size);
	p = mmap(NULL, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	model.force = pwrite(model.mem, "", 1, (uintptr_t)p) == 1;
	munmap(p, page_size);
}

static struct device_settings old_settings;

static void restore_device(void)
{
	empty_device();
	restore_size(model.fd[0]);
	settings_restore(&old_settings);
}

static void setup(void)
{
	const char *lacks = device_lacks();
	size_t i;

	if (lacks)
		ksft_exit_skip("needs %s\n", lacks);
	process_setup();
	print_operations = print_program;
	show = getenv("MMAPDEMO_SHOW");
	model.dev = shared_memory(sizeof(*model.dev) + NR * page_size);
	model.copies = malloc(ARENA * page_size);
	model.arena = find_arena();
	make_buffers();
	for (i = 0; i < NR_FDS; i++) {
		model.fd[i] = open(DEVICE, O_RDWR);
		model.flags[i] = O_RDWR;
	}
	open_self();
	if (model.fd[0] < 0 || pipe2(model.pipe, O_NONBLOCK))
		ksft_exit_fail_msg("cannot open all: %s\n", strerror(errno));
	take_signals();
	ask_the_kernel();
	settings_change(&old_settings, false);
	atexit(restore_device);
	/* op_shrink() is not to be told in the log each time. */
	write_file("/proc/sys/vm/drop_caches", "4");
	if (!empty_device())
		ksft_exit_fail_msg("the device: %s\n", strerror(errno));
}

#endif /* MMAPDEMO_FUZZ_RUN_H */
