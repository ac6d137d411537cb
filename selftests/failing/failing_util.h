/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lets each allocation that a call makes fail in turn, the others not, and
 * looks at what it leaves behind.
 *
 * A kernel with CONFIG_FAULT_INJECTION counts the allocations of the thread
 * and fails the one that /proc/thread-self/fail-nth asks for. Not all of them
 * are the device's: the kernel's own, on the way to it and back, count as well,
 * and those of its debugging aids.
 */
#ifndef MMAPDEMO_FAILING_UTIL_H
#define MMAPDEMO_FAILING_UTIL_H

#include "mmapdemo_test.h"
#include "race.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAIL_PAGES	"/sys/kernel/debug/fail_page_alloc/"

/* No call needs so many: one that gets here is tried again and again. */
#define MAX_POINTS	5000

/*
 * Pages that the calls work on. The first ones are stored, the others a hole;
 * one of these has its slot in a node of the store that is not there, either.
 */
#define NR		72
#define NR_STORED	16
#define HOLE		70
#define SEED		3

/*
 * All kinds of allocations are to fail, and none to be reported. What waits for
 * RCU (fork, rmmod) happens thousands of times.
 */
static const struct {
	const char *path, *value;
} injection[] = {
	{ FAILSLAB "ignore-gfp-wait", "N" },
	{ FAILSLAB "verbose", "0" },
	{ FAILSLAB "times", "-1" },
	{ FAILSLAB "task-filter", "Y" },
	{ FAILSLAB "probability", "0" },
	{ FAIL_PAGES "ignore-gfp-wait", "N" },
	{ FAIL_PAGES "ignore-gfp-highmem", "N" },
	{ FAIL_PAGES "probability", "0" },
	{ FAIL_PAGES "min-order", "0" },
	{ FAIL_PAGES "verbose", "0" },
	{ FAIL_PAGES "times", "-1" },
	{ "/sys/kernel/rcu_expedited", "1" },
};

struct injection {
	struct setting setting[ARRAY_SIZE(injection)];
};

/* By the parent of a test: so that no failure keeps them from being put back. */
static inline void injection_restore(struct injection *self)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(injection); i++)
		setting_restore(&self->setting[i]);
}

static inline void injection_setup(struct __test_metadata *_metadata,
				   struct injection *self)
{
	const char *lacks = access(FAIL_NTH, W_OK) ? FAIL_NTH : NULL;
	size_t i;

	for (i = 0; !lacks && i < ARRAY_SIZE(injection); i++)
		if (!setting_change(&self->setting[i], injection[i].path,
				    injection[i].value))
			lacks = injection[i].path;
	if (lacks) {
		injection_restore(self);
		SKIP_TEST("needs CONFIG_FAULT_INJECTION, with %s", lacks);
	}
}

/* What a call finds, and what it left. */
struct stage {
	int fd;			/* of the device */
	char *model;		/* what the device has in its first NR pages */
	char *p;		/* a mapping of them; NULL: there is none */
	size_t nr_mapped;	/* pages in it */
	long balance;		/* of VMAs, see vma_balance() */
	bool insert;		/* the fault mode */
	bool injected;		/* an allocation of the call failed */
	long ret;		/* of the call; an errno, negative */
	long count;		/* what a check compares with, from before it */
	unsigned int seen;	/* counts what a check looks for */
};

struct call {
	/* Before each attempt; may leave out what it does not need. */
	void (*prepare)(struct stage *s);
	/* What is attempted, and nothing else: any of it may fail. */
	long (*run)(struct stage *s);
	/* Return: what is wrong afterwards; NULL: nothing. */
	const char *(*check)(struct stage *s);
	void (*undo)(struct stage *s);
	int also;		/* another errno besides ENOMEM */
	bool drain;		/* the pool has no spare page to give */
	unsigned int least;	/* allocations that it cannot do without */
};

struct tally {
	unsigned int points;	/* allocations that were made to fail */
	unsigned int denied;	/* calls that failed for it */
	bool wrong;		/* one of them did something wrong */
};

static inline long faults_seen(void)
{
	return stat_read("fault_read") + stat_read("fault_write") +
	       stat_read("fault_cow");
}

static inline void stage_setup(struct __test_metadata *_metadata,
			       struct stage *s, struct device *dev, bool insert)
{
	*s = (struct stage){
		.fd = dev->fd, .insert = insert, .balance = vma_balance(),
		.model = calloc(NR, page_size),
	};
	ASSERT_NE(NULL, s->model);
}

/* Page tables that it takes there; that of the highest level there is always. */
#define TABLES	(table_levels() - 1)

static inline void stage_map(struct stage *s, int flags, size_t nr)
{
	/* munmap(2) takes the page tables away again. */
	s->p = mmap(far_away(4), nr * page_size, PROT_READ | PROT_WRITE,
		    flags | MAP_FIXED_NOREPLACE, s->fd, 0);
	s->nr_mapped = nr;
	if (s->p == MAP_FAILED)
		abort();
}

/* Whether pages in use are pages stored, whoever counts them. */
static inline bool counts_agree(int fd)
{
	struct mmapdemo_info info = { 0 };
	long stored = pool_read("stored");

	return !ioctl(fd, MMAPDEMO_IOC_INFO, &info) &&
	       info.stored == stored * page_size &&
	       info.dirty == pool_read("dirty") * page_size &&
	       count_data(fd) == stored &&
	       pool_read("held") == stored + pool_read("cached");
}

static inline bool device_is_as_model(const struct stage *s)
{
	size_t len = NR * page_size;
	char *data = malloc(len);
	bool same = pread(s->fd, data, len, 0) == (ssize_t)len &&
		    !memcmp(data, s->model, len);

	free(data);
	return same;
}

/* Return: what is wrong with the call's result or the state it left. */
static inline const char *stage_judge(struct stage *s, const struct call *call)
{
	const char *wrong = NULL;

	if (s->ret < 0 && !s->injected)
		wrong = "fails although nothing failed";
	else if (s->ret < 0 && s->ret != -ENOMEM && s->ret != -call->also)
		wrong = "fails with another errno";
	else if (call->check)
		wrong = call->check(s);
	if (wrong)
		return wrong;
	if (!device_is_as_model(s))
		return "the device has other contents";
	if (!counts_agree(s->fd))
		return "the device's counts do not agree";
	if (vma_balance() != s->balance)
		return "the device was not told of the end of a VMA";
	return NULL;
}

static inline void stage_prepare(struct stage *s, const struct call *call)
{
	size_t i;

	if (discard(s->fd, 0, NR) || !fill(s->fd, 0, NR_STORED, SEED) ||
	    clean_all(s->fd))
		abort();
	memset(s->model, 0, NR * page_size);
	for (i = 0; i < NR_STORED; i++)
		make_page(s->model + i * page_size, i, SEED);
	s->p = NULL;
	if (call->prepare)
		call->prepare(s);
	if (call->drain)
		write_file("/proc/sys/vm/drop_caches", "2");
}

static inline void stage_undo(struct stage *s, const struct call *call)
{
	if (call->undo)
		call->undo(s);
	if (s->p)
		munmap(s->p, s->nr_mapped * page_size);
}

/* Makes the call with its @nth allocation failing; 0: none. */
static inline void stage_run(struct stage *s, const struct call *call, int fd,
			     unsigned int nth)
{
	char text[16] = "";
	int len = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(fd, text, len, 0) != len)
		abort();
	s->ret = call->run(s);
	if (pread(fd, text, sizeof(text) - 1, 0) <= 0 ||
	    pwrite(fd, "0", 1, 0) != 1)
		abort();
	/* What is left of the count: 0 when it got there. */
	s->injected = nth && !atoi(text);
}

/*
 * Makes the call with nothing failing; then with its first allocation failing,
 * its second, and so on, until it makes no more.
 */
static inline struct tally fail_series(struct __test_metadata *_metadata,
				       struct stage *s, const struct call *call)
{
	int fd = open(FAIL_NTH, O_RDWR);
	struct tally tally = { 0 };
	const char *wrong = NULL;
	unsigned int nth;

	for (nth = 0; !wrong && nth < MAX_POINTS; nth++) {
		stage_prepare(s, call);
		stage_run(s, call, fd, nth);
		wrong = stage_judge(s, call);
		stage_undo(s, call);
		EXPECT_EQ(NULL, wrong)
			TH_LOG("allocation %u: %s (result %ld)", nth, wrong,
			       s->ret);
		if (nth && !s->injected)
			break;
		tally.points += s->injected;
		tally.denied += s->ret < 0;
	}
	close(fd);
	EXPECT_GT(MAX_POINTS, nth);
	tally.wrong = wrong;
	return tally;
}

/*
 * Now and then the kernel allocates something on its own account in the middle
 * of a call. The count is then one off, and an allocation of the call's may be
 * left out: another series has it.
 */
static inline struct tally fail_each(struct __test_metadata *_metadata,
				     struct stage *s, const struct call *call)
{
	struct tally tally = { 0 };
	int series;

	for (series = 0; series < 5 && !tally.wrong; series++) {
		tally = fail_series(_metadata, s, call);
		if (tally.denied >= call->least)
			break;
	}
	EXPECT_LE(call->least, tally.denied);
	TH_LOG("%u injection points, %u of them an error", tally.points,
	       tally.denied);
	return tally;
}

/* Whether the mapping shows what the device has, in these pages of it. */
static inline bool shows_device(const struct stage *s, size_t page, size_t nr)
{
	return !memcmp(s->p + page * page_size, s->model + page * page_size,
		       nr * page_size);
}

static inline bool is_gone(const struct stage *s, size_t page, size_t nr)
{
	for (; nr; nr--, page++) {
		struct trap trap = touch(s->p + page * page_size, -1);

		if (trap.sig != SIGSEGV || trap.code != SEGV_MAPERR)
			return false;
	}
	return true;
}

static inline void prepare_shared(struct stage *s)
{
	stage_map(s, MAP_SHARED, NR);
}

/* Some pages read, some written, with what they have already. */
static inline void prepare_touched(struct stage *s)
{
	size_t i;

	prepare_shared(s);
	read_pages(s->p, NR_STORED);
	for (i = 0; i < 4; i++)
		s->p[i * page_size] = s->model[i * page_size];
}

/* What a FIXTURE is made of that has a stage. */
struct injected {
	struct device dev;
	struct injection injection;
};

static inline void injected_setup(struct __test_metadata *_metadata,
				  struct injected *injected,
				  struct stage *stage, bool insert)
{
	const char *lacks = device_lacks();

	if (lacks)
		SKIP_TEST("needs %s", lacks);
	injection_setup(_metadata, &injected->injection);
	device_setup(_metadata, &injected->dev, insert);
	stage_setup(_metadata, stage, &injected->dev, insert);
}

/* For a FIXTURE_TEARDOWN_PARENT. */
static inline void injected_teardown(struct __test_metadata *_metadata,
				     struct injected *injected,
				     const struct stage *stage)
{
	injection_restore(&injected->injection);
	device_reopen(_metadata, &injected->dev);
	check_invariants(_metadata, &injected->dev, stage->balance);
	device_teardown(_metadata, &injected->dev);
}

/* A FIXTURE that has one and nothing else, in both fault modes. */
#define FAILING_FIXTURE(fixture)					\
	FIXTURE(fixture) {						\
		struct injected injected;				\
		struct stage stage;					\
	};								\
	FAULT_MODES(fixture);						\
	FIXTURE_SETUP(fixture)						\
	{								\
		injected_setup(_metadata, &self->injected,		\
			       &self->stage, variant->insert);		\
	}								\
	FIXTURE_TEARDOWN_PARENT(fixture)				\
	{								\
		injected_teardown(_metadata, &self->injected,		\
				  &self->stage);			\
	}

#endif /* MMAPDEMO_FAILING_UTIL_H */
