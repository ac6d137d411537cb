// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that the module can go whenever nobody has the device open or mapped:
 * after processes that were killed in the middle of using it, again and again;
 * and while a pipe still has pages of it, which stay the pipe's (pinned.c has
 * the same of pins). Also that the smallest and the largest device work.
 *
 * Loads the module anew, and in the end as it was. MMAPDEMO_CYCLES in the
 * environment says how many times it goes and comes back (20).
 * Needs: see reload.h.
 */
#include "mmapdemo_test.h"
#include "reload.h"

#define NR	4

FIXTURE(lifetime) {
	struct device dev;
	char old[sizeof(old_parameters)];
};

FAULT_MODES(lifetime);

FIXTURE_SETUP(lifetime)
{
	reload_setup(_metadata);
	memcpy(self->old, old_parameters, sizeof(self->old));
	device_setup(_metadata, &self->dev, variant->insert);
}

/* The old mode is among the parameters. */
FIXTURE_TEARDOWN_PARENT(lifetime)
{
	reload_teardown(_metadata, self->old);
}

/* Whoever opens the device afterwards meets a new module, and new pages. */
static void reload(struct __test_metadata *_metadata, const char *parameters)
{
	ASSERT_EQ(0, unload())
		TH_LOG("rmmod mmapdemo: %s", strerror(errno));
	ASSERT_EQ(0, load(parameters))
		TH_LOG("insmod mmapdemo %s: %s", parameters, strerror(errno));
}

static void fill_anew(struct __test_metadata *_metadata)
{
	int fd = open(DEVICE, O_RDWR);

	EXPECT_TRUE(fill(fd, 0, 64, 2));
	close(fd);
}

/* A device's own pages are in the pipe, not copies. */
TEST_F(lifetime, pipe_keeps_its_pages)
{
	char *p = map_shared(_metadata, self->dev.fd, 0, NR);
	size_t len = NR * page_size;
	struct iovec iov = { p, len };
	char *data = malloc(len);
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_TRUE(fill(self->dev.fd, 0, NR, 1));
	ASSERT_EQ((ssize_t)len, vmsplice(pipes[1], &iov, 1, 0));
	munmap(p, len);
	close(self->dev.fd);

	reload(_metadata, old_parameters);
	fill_anew(_metadata);
	EXPECT_EQ((ssize_t)len, read(pipes[0], data, len));
	EXPECT_EQ(-1, bad_page(data, 0, NR, 1));
	close(pipes[0]);
	close(pipes[1]);
	free(data);
	EXPECT_EQ(0, unload());
}

/* Uses all that it can reach, until it is killed. */
static void use_device(unsigned int seed)
{
	int fd = open(DEVICE, O_RDWR);
	size_t nr = lseek(fd, 0, SEEK_END) / page_size;
	char *shared = mmap(NULL, nr * page_size, PROT_READ | PROT_WRITE,
			    MAP_SHARED, fd, 0);
	char *private = mmap(NULL, nr * page_size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE, fd, 0);

	for (srand(seed); fd >= 0 && shared != MAP_FAILED && private != MAP_FAILED;) {
		size_t at = rand() % nr;

		shared[at * page_size]++;
		private[(rand() % nr) * page_size] = shared[at * page_size];
		fill(fd, rand() % nr, 1, seed);
		if (rand() % 64 == 0)
			discard(fd, at, nr - at);
		if (rand() % 64 == 0)
			fsync(fd);
	}
	_exit(1);
}

static bool kill_user(unsigned int seed)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		use_device(seed);
	/* At its first page, at its hundredth: where, does not matter. */
	usleep(seed * 7919 % 5000);
	return pid > 0 && !kill(pid, SIGKILL) &&
	       waitpid(pid, &status, 0) == pid && WIFSIGNALED(status);
}

TEST_F(lifetime, killed_and_unloaded)
{
	const char *cycles = getenv("MMAPDEMO_CYCLES");
	unsigned int i, nr = cycles ? atoi(cycles) : 20;
	char parameters[sizeof(old_parameters) + 32];

	snprintf(parameters, sizeof(parameters), "%s fault_mode=%s",
		 old_parameters, variant->insert ? "insert" : "map_pages");
	close(self->dev.fd);
	for (i = 0; i < nr; i++) {
		ASSERT_TRUE(kill_user(i));
		/* WARNs, and so fails the run, if a page is missing. */
		reload(_metadata, parameters);
	}
	EXPECT_EQ(0, pool_read("held"));
	EXPECT_EQ(0, unload());
}

/* One page, and no memory for a second one. */
TEST_F(lifetime, smallest_device)
{
	char parameters[128], *p;
	int fd;

	close(self->dev.fd);
	snprintf(parameters, sizeof(parameters),
		 "size=%zu pool_size=%zu fault_around=%zu fault_mode=%s",
		 page_size, page_size, page_size,
		 variant->insert ? "insert" : "map_pages");
	reload(_metadata, parameters);
	fd = open(DEVICE, O_RDWR);
	p = map_shared(_metadata, fd, 0, 2);
	EXPECT_EQ(0, touch(p, 'x').sig);
	EXPECT_TRAP(p + page_size, 'x', SIGBUS, BUS_ADRERR, p + page_size);
	EXPECT_EQ(0, resize(fd, 2));
	/* Now there is a second page, but the pool's one is in use. */
	EXPECT_TRAP(p + page_size, 'x', SIGBUS, BUS_ADRERR, p + page_size);
	EXPECT_EQ(0, discard(fd, 0, 1));
	EXPECT_EQ(0, touch(p + page_size, 'x').sig);
	munmap(p, 2 * page_size);
	close(fd);
	EXPECT_EQ(0, unload());
}

/* What it holds, it holds at both ends; in between is nothing to look at. */
TEST_F(lifetime, largest_device)
{
	off_t size = largest_size(), last = size - page_size;
	off_t end = last < largest_offset() ? last : largest_offset();
	/* Its pages are more than a size_t of this program may count. */
	struct mmapdemo_discard all = { .len = size };
	char parameters[128], *p;
	int fd;

	close(self->dev.fd);
	snprintf(parameters, sizeof(parameters),
		 "size=%lld pool_size=%lld fault_around=2M fault_mode=%s",
		 (long long)size, (long long)size,
		 variant->insert ? "insert" : "map_pages");
	reload(_metadata, parameters);
	fd = open(DEVICE, O_RDWR);
	ASSERT_EQ(size, lseek(fd, 0, SEEK_END));
	p = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, end);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, touch(p, 'x').sig);
	EXPECT_EQ(1, pwrite(fd, "y", 1, 0));
	EXPECT_EQ(end, lseek(fd, page_size, SEEK_DATA));
	EXPECT_EQ((off_t)page_size, lseek(fd, 0, SEEK_HOLE));
	EXPECT_EQ(2, pool_read("dirty"));
	EXPECT_EQ(0, ioctl(fd, MMAPDEMO_IOC_DISCARD, &all));
	EXPECT_EQ(0, pool_read("stored"));
	EXPECT_EQ(0, *p);
	munmap(p, page_size);
	close(fd);
	EXPECT_EQ(0, unload());
}

TEST_HARNESS_MAIN
