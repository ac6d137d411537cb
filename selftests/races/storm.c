// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that processes which do everything that can be done to the device at
 * once leave it as they should: nothing lost, nothing stale, no page at a
 * wrong place, no count wrong; also when they are killed in the middle.
 *
 * Every byte that anybody writes is the tag of its page, so every byte that
 * anybody reads is 0 or that tag. Each test runs in both fault modes, for
 * MMAPDEMO_SECONDS (see race.h).
 *
 * The ids (X03, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; two CPUs to be worth its time.
 */
#include "mmapdemo_test.h"
#include "race.h"

#include <sys/stat.h>
#include <sys/time.h>

#include "storm_util.h"

#define WORKERS	4

FIXTURE(storm) {
	struct device dev;
	long balance;
	char *shared, *private;	/* the parent's, to be found stale */
};

FAULT_MODES(storm);

FIXTURE_SETUP(storm)
{
	struct stat st;

	device_setup(_metadata, &self->dev, variant->insert);
	self->balance = vma_balance();
	self->shared = map_shared(_metadata, self->dev.fd, 0, NR);
	self->private = map_private(_metadata, self->dev.fd, 0, NR);
	ASSERT_EQ(0, fstat(self->dev.fd, &st));
	unlink(NODE);
	ASSERT_EQ(0, mknod(NODE, S_IFCHR | 0600, st.st_rdev));
}

FIXTURE_TEARDOWN(storm)
{
	unlink(NODE);
	check_invariants(_metadata, &self->dev, self->balance);
	device_teardown(_metadata, &self->dev);
}

/* What all processes share. */
struct weather {
	int over;		/* come to rest */
	int resting;		/* how many have */
	int look;		/* and see whether all is in order */
};

typedef void (*op_fn)(struct worker *w, struct range r);

/* Each storm: what goes on in the background of all of them comes first. */
static op_fn forks[] = {
	do_read, do_write, do_copy, do_discard, do_resize,
	do_fork, do_sync, NULL
};

static op_fn moves[] = {
	do_read, do_write, do_copy, do_discard, do_resize,
	do_move, do_grow, do_unmap, do_dontneed, do_protect,
	do_sync, NULL
};

static op_fn opens[] = {
	do_read, do_write, do_copy, do_discard, do_resize,
	do_open, do_open, do_open, NULL
};

static op_fn calls[] = {
	do_read, do_write, do_copy, do_discard, do_resize,
	do_write_call, do_read_call, do_pipe, do_seek,
	do_sync, NULL
};

static op_fn everything[] = {
	do_read, do_write, do_copy, do_discard, do_resize,
	do_fork, do_move, do_grow, do_unmap, do_dontneed,
	do_protect, do_lock, do_populate, do_open, do_sync, do_seek,
	do_write_call, do_read_call, do_pipe, NULL
};

static struct range draw_range(struct worker *w)
{
	size_t page = draw(w, NR), nr = 1 + draw(w, NR - page);

	return (struct range){
		page, nr, page * page_size, nr * page_size,
	};
}

static void ignore(int signal)
{
	(void)signal;
}

/* System calls are interrupted now and then, and not restarted. */
static void start_signals(void)
{
	struct itimerval timer = { { 0, 3000 }, { 0, 3000 } };
	struct sigaction act = { .sa_handler = ignore };

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void worker_setup(struct worker *w)
{
	w->fd = open(w->seed % 2 ? DEVICE : NODE, O_RDWR);
	w->shared = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, w->fd, 0);
	w->private = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE, w->fd, 0);
	w->buffer = malloc(NR * page_size);
	if (w->shared == MAP_FAILED || w->private == MAP_FAILED ||
	    pipe2(w->pipe, O_NONBLOCK))
		_exit(2);
}

/* Return: the exit status, 0 if all was in order. */
static int work(struct weather *weather, op_fn *ops, unsigned int seed)
{
	struct worker w = { .seed = seed };
	unsigned int nr = 0;

	while (ops[nr])
		nr++;
	worker_setup(&w);
	start_signals();
	while (!stopped(&weather->over) && !w.wrong)
		ops[draw(&w, nr)](&w, draw_range(&w));
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	__atomic_fetch_add(&weather->resting, 1, __ATOMIC_RELEASE);
	while (!stopped(&weather->look))
		usleep(1000);
	if (w.wrong)
		return 3;
	return count_all_stale(w.fd) ? 4 : 0;
}

static pid_t start_worker(struct weather *weather, op_fn *ops)
{
	static unsigned int seed;
	pid_t pid;

	seed++;
	pid = fork();
	if (!pid)
		_exit(work(weather, ops, seed));
	return pid;
}

/* Lets @ops run; if @deadly, somebody dies at random all the time. */
static void storm(struct __test_metadata *_metadata, op_fn *ops, bool deadly)
{
	struct weather *weather = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double end = race_end();
	pid_t pid[WORKERS];
	unsigned int deaths = 0, wait;
	int i, status;

	for (i = 0; i < WORKERS; i++)
		pid[i] = start_worker(weather, ops);
	while (seconds() < end) {
		usleep(1000 + rand() % 20000);
		if (!deadly)
			continue;
		i = deaths++ % WORKERS;
		kill(pid[i], SIGKILL);
		ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
		EXPECT_EQ(SIGKILL, status);
		pid[i] = start_worker(weather, ops);
	}
	stop_now(&weather->over);
	for (wait = 0; wait < 20000 && __atomic_load_n(&weather->resting,
						       __ATOMIC_ACQUIRE) <
	     WORKERS; wait++)
		usleep(1000);
	EXPECT_EQ(WORKERS, weather->resting);
	stop_now(&weather->look);
	for (i = 0; i < WORKERS; i++) {
		ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	if (deadly)
		TH_LOG("%u were killed", deaths);
}

/* X03, S01, S03 */
TEST_F_TIMEOUT(storm, of_forks, RACE_TIMEOUT)
{
	storm(_metadata, forks, false);
}

/* X03, X05, O13 */
TEST_F_TIMEOUT(storm, of_moves, RACE_TIMEOUT)
{
	storm(_metadata, moves, false);
}

/* X07 */
TEST_F_TIMEOUT(storm, of_opens, RACE_TIMEOUT)
{
	storm(_metadata, opens, false);
}

/* W06, X06 */
TEST_F_TIMEOUT(storm, of_calls, RACE_TIMEOUT)
{
	storm(_metadata, calls, false);
}

TEST_F_TIMEOUT(storm, of_everything, RACE_TIMEOUT)
{
	storm(_metadata, everything, false);
}

/* S07 */
TEST_F_TIMEOUT(storm, with_sudden_death, RACE_TIMEOUT)
{
	storm(_metadata, everything, true);
}

TEST_HARNESS_MAIN
