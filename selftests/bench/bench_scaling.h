/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a second thread on a second CPU adds: how many faults the two get done
 * in the time in which one does one; or of reading in sequence, where a fault
 * maps more than a page, how many pages. On the wall clock, where whatever else
 * the host does can only slow them down: of many short rounds the best one
 * counts.
 */
#ifndef BENCH_SCALING_H
#define BENCH_SCALING_H

#include "bench_pages.h"

#include <pthread.h>
#include <sched.h>

/*
 * Faults of a thread in a round: so few that on a busy host, too, both CPUs may
 * now and then be given the time for them. Of rounds there are as many as there
 * is time for.
 */
#define NR_FAULTS	64UL
#define NANOSECONDS	4e9
/* Disjoint pages are so far apart that they share no page table. */
#define APART		1024UL

static const struct scaling {
	const char *name;
	bool present;
	bool disjoint;
	bool in_sequence;	/* all of them are read; else a few are written */
} scalings[] = {
	{ "disjoint pages, present", true, true, false },
	{ "disjoint pages, fresh", false, true, false },
	{ "same pages, present", true, false, false },
	{ "same pages, fresh", false, false, false },
	{ "disjoint pages, read in sequence", true, true, true },
};

struct worker {
	const struct scaling *scaling;
	char *p;
	int cpu;
	double begin;
	double end;
};

/* How many threads are still to come to the start. */
static int missing;

static void write_some(char *p)
{
	size_t i;

	for (i = 0; i < NR_FAULTS; i++)
		write_byte(p + i * page_size, 1);
}

static void read_in_sequence(char *p)
{
	size_t i;

	for (i = 0; i < APART; i++)
		read_byte(p + i * page_size);
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(worker->cpu, &cpus);
	must("sched_setaffinity", sched_setaffinity(0, sizeof(cpus), &cpus));
	__atomic_sub_fetch(&missing, 1, __ATOMIC_SEQ_CST);
	/* Waking up would take one of them longer than the other. */
	while (__atomic_load_n(&missing, __ATOMIC_SEQ_CST))
		;
	worker->begin = nanoseconds();
	if (worker->scaling->in_sequence)
		read_in_sequence(worker->p);
	else
		write_some(worker->p);
	worker->end = nanoseconds();
	return NULL;
}

static double later(double a, double b)
{
	return a > b ? a : b;
}

/* The time that @nr threads take, each for its pages. */
static double time_round(char *p, int nr, const struct scaling *scaling)
{
	struct worker workers[2] = { };
	pthread_t ids[2];
	int i;

	missing = nr;
	for (i = 0; i < nr; i++) {
		workers[i].scaling = scaling;
		workers[i].cpu = i;
		workers[i].p = p + i * scaling->disjoint * APART * page_size;
		errno = pthread_create(ids + i, NULL, work, workers + i);
		if (errno)
			give_up("pthread_create");
	}
	for (i = 0; i < nr; i++)
		pthread_join(ids[i], NULL);
	if (nr == 1)
		return workers[0].end - workers[0].begin;
	return later(workers[0].end, workers[1].end) +
	       later(-workers[0].begin, -workers[1].begin);
}

/* The best rounds of one thread and of two, on one subject. */
struct best {
	const struct subject *subject;
	double one;
	double two;
};

static void best_round(struct object *obj, const struct scaling *scaling,
		       int nr, double *best)
{
	char *p = object_map(obj, 0);
	double time;

	if (!scaling->present)
		obj->subject->punch(obj, p);
	time = time_round(p, nr, scaling);
	object_unmap(obj, p);
	if (!*best || time < *best)
		*best = time;
}

static void time_rounds(const struct scaling *scaling, struct best *best)
{
	struct object obj;
	double until;

	subject_name = best->subject->name;
	object_create(&obj, best->subject, 2 * APART);
	if (scaling->present)
		object_fill(&obj);
	until = nanoseconds() + NANOSECONDS;
	do {
		best_round(&obj, scaling, 1, &best->one);
		best_round(&obj, scaling, 2, &best->two);
	} while (nanoseconds() < until);
	object_destroy(&obj);
}

static void time_scaling(const struct scaling *scaling)
{
	struct best best[] = {
		{ .subject = subject_by_name("device") },
		{ .subject = subject_by_name("memfd") },
	};
	size_t i;
	int n;

	operation = scaling->name;
	/* In turns, as the host may be busy for a while. */
	for (n = 0; n < REPETITIONS; n++) {
		for (i = 0; i < ARRAY_SIZE(best); i++)
			time_rounds(scaling, best + i);
	}
	for (i = 0; i < ARRAY_SIZE(best); i++) {
		subject_name = best[i].subject->name;
		result(0, 2 * best[i].one / best[i].two, "times one thread");
	}
}

static void bench_scaling(void)
{
	size_t i;

	group = "scaling";
	for (i = 0; i < ARRAY_SIZE(scalings); i++) {
		time_scaling(scalings + i);
		progress(scalings[i].name);
	}
}

#endif /* BENCH_SCALING_H */
