// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves how many present pages a read fault maps: the window that the core
 * proposes, which the administrator sets, and more of them for who reads in
 * sequence, whoever else reads by the same open file meanwhile; unless a program
 * has said how it reads.
 *
 * Needs: CONFIG_PROC_PAGE_MONITOR, debugfs' fault_around_bytes; two CPUs where a
 * test says so; see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"

#include <pthread.h>
#include <sched.h>

/* What one reader reads: some page tables, and all of the windows. */
#define NR	1024UL

FIXTURE(fault_around) {
	struct device dev;
	int fd;
};

FIXTURE_SETUP(fault_around)
{
	device_setup(_metadata, &self->dev, false);
	self->fd = self->dev.fd;
	if (access(FAULT_AROUND, W_OK))
		DEVICE_SKIP(&self->dev, "needs " FAULT_AROUND);
	if (self->dev.nr_pages < 2 * NR)
		DEVICE_SKIP(&self->dev, "needs a device of %lu pages", 2 * NR);
	ASSERT_TRUE(fill(self->fd, 0, 2 * NR, 0));
}

FIXTURE_TEARDOWN(fault_around)
{
	device_teardown(_metadata, &self->dev);
}

/* The fixture's setup has noted what it was. */
static bool set_around(size_t nr)
{
	char bytes[32];

	snprintf(bytes, sizeof(bytes), "%zu", nr * page_size);
	return !write_file(FAULT_AROUND, bytes);
}

/* Reads NR pages from first to last, and looks at what each fault maps. */
struct reader {
	char *p;
	size_t at;		/* all before it are mapped */
	size_t first, largest;	/* windows, in pages */
	long faults;
};

/* Return: whether there was a page left to read. */
static bool read_window(struct reader *reader)
{
	size_t start = reader->at, nr;

	if (start == NR)
		return false;
	read_byte(reader->p + start * page_size);
	while (reader->at < NR && is_mapped(reader->p + reader->at * page_size))
		reader->at++;
	nr = reader->at - start;
	if (!reader->faults++)
		reader->first = nr;
	if (nr > reader->largest)
		reader->largest = nr;
	return true;
}

static struct reader new_reader(struct __test_metadata *_metadata, int fd,
				size_t pgoff)
{
	return (struct reader){
		.p = map_aligned(_metadata, fd, PROT_READ, MAP_SHARED, pgoff,
				 NR),
	};
}

static struct reader read_all(struct __test_metadata *_metadata, int fd,
			      size_t pgoff, int advice)
{
	struct reader reader = new_reader(_metadata, fd, pgoff);

	ASSERT_EQ(0, madvise(reader.p, NR * page_size, advice));
	while (read_window(&reader))
		;
	return reader;
}

TEST_F(fault_around, in_sequence)
{
	struct reader reader;

	ASSERT_TRUE(set_around(WINDOW));
	reader = read_all(_metadata, self->fd, 0, MADV_NORMAL);
	EXPECT_EQ(WINDOW, reader.first);
	EXPECT_LT(4 * WINDOW, reader.largest);
	EXPECT_GT(NR / WINDOW / 4, reader.faults);
	EXPECT_EQ(-1, bad_page(reader.p, 0, NR, 0));
}

/* --- Two of them, in turns ------------------------------------------------ */

struct turn {
	struct reader *reader;	/* of two, in memory that both have */
	int *next;		/* who is */
	int me;
};

/* Who is moved to another CPU starts with a small window again. */
static void stay_on(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		abort();
}

static void *read_in_turns(void *arg)
{
	const struct turn *turn = arg;
	bool more = true;

	stay_on(turn->me);
	while (more) {
		while (__atomic_load_n(turn->next, __ATOMIC_ACQUIRE) != turn->me)
			sched_yield();
		more = read_window(&turn->reader[turn->me]);
		__atomic_store_n(turn->next, !turn->me, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void in_thread(struct turn *turn)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, read_in_turns, &turn[1]))
		abort();
	read_in_turns(&turn[0]);
	pthread_join(thread, NULL);
}

/* The child has the same open file, and mappings of its own. */
static void in_process(struct turn *turn)
{
	pid_t pid = fork();

	read_in_turns(&turn[!pid]);
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
}

/* Each is served as one alone is. */
static void expect_as_alone(struct __test_metadata *_metadata,
			    FIXTURE_DATA(fault_around) *self,
			    void (*run)(struct turn *turn))
{
	struct reader *reader = results_alloc(2 * sizeof(*reader)), alone;
	int *next = results_alloc(sizeof(*next)), i;
	struct turn turn[2] = { { reader, next, 0 }, { reader, next, 1 } };

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs two CPUs");
	ASSERT_TRUE(set_around(WINDOW));
	stay_on(0);
	alone = read_all(_metadata, self->fd, 0, MADV_NORMAL);
	reader[0] = new_reader(_metadata, self->fd, 0);
	reader[1] = new_reader(_metadata, self->fd, NR);
	run(turn);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(alone.faults, reader[i].faults)
			TH_LOG("reader %d", i);
		EXPECT_EQ(alone.largest, reader[i].largest)
			TH_LOG("reader %d", i);
	}
}

TEST_F(fault_around, in_sequence_by_two_threads)
{
	expect_as_alone(_metadata, self, in_thread);
}

TEST_F(fault_around, in_sequence_by_two_processes)
{
	expect_as_alone(_metadata, self, in_process);
}

/* --- What was advised ----------------------------------------------------- */

TEST_F(fault_around, advised_random)
{
	struct reader reader;

	ASSERT_TRUE(set_around(WINDOW));
	reader = read_all(_metadata, self->fd, 0, MADV_RANDOM);
	EXPECT_EQ(WINDOW, reader.first);
	EXPECT_EQ(WINDOW, reader.largest);
	EXPECT_EQ(NR / WINDOW, reader.faults);
}

TEST_F(fault_around, advised_sequential)
{
	struct reader normal, reader;

	ASSERT_TRUE(set_around(WINDOW));
	reader = read_all(_metadata, self->fd, NR, MADV_SEQUENTIAL);
	normal = read_all(_metadata, self->fd, 0, MADV_NORMAL);
	EXPECT_EQ(normal.largest, reader.first);
	EXPECT_EQ(normal.largest, reader.largest);
	EXPECT_GT(normal.faults, reader.faults);
}

/* --- What the administrator says ------------------------------------------ */

/* Pages that the first read maps, of those at a random place. */
static long first_window(struct __test_metadata *_metadata, int fd)
{
	struct reader reader = new_reader(_metadata, fd, 0);

	read_byte(reader.p + 777 * page_size);
	return count_mapped(reader.p, NR);
}

/* As of a file of tmpfs. */
TEST_F(fault_around, first_window_is_the_cores)
{
	int memfd = memfd_create("peer", 0);
	size_t nr;

	ASSERT_EQ(0, ftruncate(memfd, NR * page_size));
	ASSERT_TRUE(fill(memfd, 0, NR, 0));
	for (nr = 1; nr <= 64; nr *= 2) {
		ASSERT_TRUE(set_around(nr));
		EXPECT_EQ((long)nr, first_window(_metadata, memfd));
		EXPECT_EQ((long)nr, first_window(_metadata, self->fd));
	}
	close(memfd);
}

/* Where another one has stopped, a new mapping knows of no sequence. */
TEST_F(fault_around, first_window_of_the_next_mapping)
{
	struct reader reader;

	ASSERT_TRUE(set_around(WINDOW));
	read_all(_metadata, self->fd, 0, MADV_NORMAL);
	reader = new_reader(_metadata, self->fd, NR);
	EXPECT_TRUE(read_window(&reader));
	EXPECT_EQ(WINDOW, reader.first);
}

TEST_HARNESS_MAIN
