/* SPDX-License-Identifier: GPL-2.0-only */
/* What a page costs, by what is done to it, and on which subject. */
#ifndef BENCH_PAGES_H
#define BENCH_PAGES_H

#include "bench_subjects.h"

/* Pages of an object: enough for a tick of the timer to be a part in 1000. */
#define NR_PAGES	2048UL
/* That takes more of them where a page costs little. */
#define NR_MANY		8192UL
/* A read at random is to find no neighbour mapped: it is in one page of 16. */
#define FAULT_AROUND	16UL

static double started;

static void start(void)
{
	settle();
	started = nanoseconds();
	mark_start();
}

static double stop(void)
{
	mark_stop();
	return nanoseconds() - started;
}

/* The same for all: a permutation of [0, @nr), drawn with a fixed seed. */
static void shuffle(size_t *order, size_t nr)
{
	__u64 random = 1;
	size_t i;

	for (i = 0; i < nr; i++) {
		size_t j;

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		j = (random >> 33) % (i + 1);
		order[i] = order[j];
		order[j] = i;
	}
}

/* The first write after a page was cleaned is one to be logged. */
static void fill_logged(struct object *obj)
{
	object_fill(obj);
	object_log_anew(obj);
}

/* What read(2) and write(2) take, touched before it is measured. */
static char *io_buffer(void)
{
	static char *buffer;

	if (!buffer)
		buffer = aligned_alloc(page_size, MIB);
	return memset(buffer, 1, MIB);
}

/* All of it through read(2), or write(2), @len bytes at a time. */
static void io_pages(struct object *obj, char *buffer, size_t len, bool writing)
{
	size_t pos;

	for (pos = 0; pos < object_len(obj); pos += len) {
		if (writing)
			must("write", pwrite(obj->fd, buffer, len, pos));
		else
			must("read", pread(obj->fd, buffer, len, pos));
	}
}

/* By write(2): whoever keeps pages in larger pieces can do so here. */
static void fill_in_one_go(struct object *obj)
{
	io_pages(obj, io_buffer(), MIB, true);
}

static double map_untouched(struct object *obj)
{
	const int calls = 2048;
	int i;

	start();
	for (i = 0; i < calls; i++)
		object_unmap(obj, object_map(obj, 0));
	return stop() / calls;
}

/* The time that @touch takes on a mapping that is new, per page. */
static double time_touch(struct object *obj,
			 void (*touch)(struct object *obj, char *p))
{
	char *p = object_map(obj, 0);
	double time;

	start();
	touch(obj, p);
	time = stop();
	object_unmap(obj, p);
	return time / obj->nr_pages;
}

static double touch_writing(struct object *obj)
{
	return time_touch(obj, write_pages);
}

/* With the pool's spare pages gone, as under memory pressure. */
static double write_fresh_system(struct object *obj)
{
	write_file("/proc/sys/vm/drop_caches", "2");
	return time_touch(obj, write_pages);
}

static double touch_reading(struct object *obj)
{
	return time_touch(obj, read_pages);
}

static double read_random(struct object *obj)
{
	static size_t order[NR_MANY / FAULT_AROUND];
	size_t i;
	double time;
	char *p;

	shuffle(order, ARRAY_SIZE(order));
	p = object_map(obj, 0);
	start();
	for (i = 0; i < ARRAY_SIZE(order); i++)
		read_byte(p + order[i] * FAULT_AROUND * page_size);
	time = stop();
	object_unmap(obj, p);
	return time / ARRAY_SIZE(order);
}

static void write_pages_random(struct object *obj, char *p)
{
	static size_t order[NR_PAGES];
	static bool shuffled;
	size_t i;

	if (!shuffled)
		shuffle(order, NR_PAGES);
	shuffled = true;
	for (i = 0; i < obj->nr_pages; i++)
		write_byte(p + order[i] * page_size, 1);
}

/* The repetition that warms up has made order[]. */
static double touch_writing_random(struct object *obj)
{
	return time_touch(obj, write_pages_random);
}

/* The time that writes take where @prepare has left a page table. */
static double time_rewrite(struct object *obj,
			   void (*prepare)(struct object *obj, char *p),
			   bool clean)
{
	char *p = object_map(obj, 0);
	double time;

	prepare(obj, p);
	if (clean)
		object_clean(obj);
	start();
	write_pages(obj, p);
	time = stop();
	object_unmap(obj, p);
	return time / obj->nr_pages;
}

static double write_after_read(struct object *obj)
{
	return time_rewrite(obj, read_pages, false);
}

static double write_after_clean(struct object *obj)
{
	return time_rewrite(obj, write_pages, true);
}

static void populate_read(struct object *obj, char *p)
{
	must("MADV_POPULATE_READ",
	     madvise(p, object_len(obj), MADV_POPULATE_READ));
}

static void populate_write(struct object *obj, char *p)
{
	must("MADV_POPULATE_WRITE",
	     madvise(p, object_len(obj), MADV_POPULATE_WRITE));
}

static double touch_populating(struct object *obj)
{
	return time_touch(obj, populate_read);
}

static double touch_populating_writable(struct object *obj)
{
	return time_touch(obj, populate_write);
}

static double map_populate(struct object *obj)
{
	double time;
	char *p;

	start();
	p = object_map(obj, MAP_POPULATE);
	time = stop();
	object_unmap(obj, p);
	return time / obj->nr_pages;
}

static double unmap_touched(struct object *obj)
{
	char *p = object_map(obj, 0);

	write_pages(obj, p);
	start();
	object_unmap(obj, p);
	return stop() / obj->nr_pages;
}

static double fork_touched(struct object *obj)
{
	char *p = object_map(obj, 0);
	double time;
	pid_t pid;

	write_pages(obj, p);
	start();
	pid = must("fork", fork());
	if (!pid)
		_exit(0);
	must("waitpid", waitpid(pid, NULL, 0));
	time = stop();
	object_unmap(obj, p);
	return time;
}

static double time_io(struct object *obj, size_t len, bool writing)
{
	char *buffer = io_buffer();

	start();
	io_pages(obj, buffer, len, writing);
	return stop() / obj->nr_pages;
}

static double read_4k(struct object *obj)
{
	return time_io(obj, 4096, false);
}

static double read_64k(struct object *obj)
{
	return time_io(obj, 65536, false);
}

static double read_1m(struct object *obj)
{
	return time_io(obj, MIB, false);
}

static double write_4k(struct object *obj)
{
	return time_io(obj, 4096, true);
}

static double write_64k(struct object *obj)
{
	return time_io(obj, 65536, true);
}

static double write_1m(struct object *obj)
{
	return time_io(obj, MIB, true);
}

static double punch_mapped(struct object *obj)
{
	char *p = object_map(obj, 0);
	double time;

	write_pages(obj, p);
	start();
	obj->subject->punch(obj, p);
	time = stop();
	object_unmap(obj, p);
	return time / obj->nr_pages;
}

#define PER_PAGE	"instructions per page"
#define PER_CALL	"instructions per call"

static const struct page_operation {
	const char *name;
	double (*run)(struct object *obj);
	unsigned int needs;
	/* What is done to a new object before; or NULL: it stays all holes. */
	void (*prepare)(struct object *obj);
	const char *unit;
	size_t nr_pages;
} page_operations[] = {
#define PAGES(name, run, needs, prepare)				\
	{ name, run, needs, prepare, PER_PAGE, NR_PAGES }
#define MANY(name, run, needs, prepare)					\
	{ name, run, needs, prepare, PER_PAGE, NR_MANY }
#define CALLS(name, run)	{ name, run, 0, NULL, PER_CALL, NR_PAGES }
	CALLS("mmap + munmap, untouched", map_untouched),
	PAGES("first write, fresh", touch_writing, HOLES, NULL),
	PAGES("first write, empty pool", write_fresh_system, HOLES | POOL, NULL),
	MANY("first read, sequential", touch_reading, KEEPS, object_fill),
	MANY("first read, random", read_random, KEEPS, object_fill),
	MANY("first read, sequential, of 1M writes", touch_reading, IO, fill_in_one_go),
	MANY("first read, random, of 1M writes", read_random, IO, fill_in_one_go),
	PAGES("first write, sequential", touch_writing, KEEPS, object_fill),
	PAGES("first write, random", touch_writing_random, KEEPS, object_fill),
	PAGES("first write, logged", touch_writing, KEEPS, fill_logged),
	PAGES("write after read", write_after_read, KEEPS, fill_logged),
	PAGES("write after cleaning", write_after_clean, TRACKS, NULL),
	PAGES("MADV_POPULATE_READ", touch_populating, KEEPS | COMMON,
	      object_fill),
	PAGES("MADV_POPULATE_WRITE", touch_populating_writable, KEEPS | COMMON,
	      object_fill),
	PAGES("MADV_POPULATE_WRITE, fresh", touch_populating_writable, HOLES,
	      NULL),
	PAGES("MAP_POPULATE", map_populate, KEEPS | COMMON | AGAIN, object_fill),
	MANY("munmap, touched", unmap_touched, 0, NULL),
	CALLS("fork + exit, 8 MiB touched", fork_touched),
	PAGES("read(2), 4K", read_4k, IO, object_fill),
	PAGES("read(2), 64K", read_64k, IO, object_fill),
	PAGES("read(2), 1M", read_1m, IO, object_fill),
	PAGES("write(2), 4K", write_4k, IO, object_fill),
	PAGES("write(2), 64K", write_64k, IO, object_fill),
	PAGES("write(2), 1M", write_1m, IO, object_fill),
	PAGES("write(2), 4K, logged", write_4k, IO, fill_logged),
	PAGES("discard, mapped", punch_mapped, PUNCHES, NULL),
};

static void page_operation(const struct page_operation *op,
			   const struct subject *subject)
{
	struct object obj;
	int i;

	operation = op->name;
	subject_name = subject->name;
	for (i = 0; i < (int)ARRAY_SIZE(reasons); i++) {
		if (op->needs & ~subject->traits & reasons[i].trait) {
			no_result(reasons[i].reason);
			return;
		}
	}
	/* The first one warms up: the pool, this code, the kernel's. */
	for (i = -1; i < REPETITIONS; i++) {
		double value;

		if (!object_create(&obj, subject, op->nr_pages)) {
			no_result("the kernel has it not");
			return;
		}
		if (op->prepare)
			op->prepare(&obj);
		value = op->run(&obj);
		object_destroy(&obj);
		if (i >= 0)
			result(i, value, op->unit);
	}
}

#endif /* BENCH_PAGES_H */
