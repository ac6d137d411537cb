// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that devices=N makes N devices which share nothing: content and size, pool
 * and cap, dirty log, counters, parameters and tracepoints are each one's own; that
 * programs which use one each find it as if it were alone; and that the module stays
 * as long as any of them is open.
 *
 * Loads the module anew, and in the end as it was. MMAPDEMO_CYCLES in the
 * environment says how many times it goes and comes back (20).
 * Needs: see reload.h; the programs dirty, resize, seek and cow beside this one.
 */
#include "mmapdemo_test.h"
#include "ftrace.h"
#include "reload.h"

#define NR_DEVICES	4
#define NR		8	/* pages to work on, in each */

/* Each is of another size; the pool of the first is smaller than that. */
#define APART	"devices=4 size=4M,8M,16M,32M pool_size=1M,8M,16M,32M " \
		"fault_mode=map_pages,insert dirty_log=1,1,0,0 fault_around=64K"

/* Makes the others' macros speak of this one: DEVICE, STATS, ... */
static void choose(size_t i)
{
	char name[16] = "mmapdemo";

	if (i)
		snprintf(name, sizeof(name), "mmapdemo%zu", i);
	setenv("MMAPDEMO_DEVICE", name, 1);
}

FIXTURE(devices) {
	int fd[NR_DEVICES];
	char *p[NR_DEVICES];	/* NR pages of each, shared */
	char old[sizeof(old_parameters)];
};

FIXTURE_SETUP(devices)
{
	size_t i;

	reload_with(_metadata, self->old, APART);
	for (i = 0; i < NR_DEVICES; i++) {
		choose(i);
		self->fd[i] = open(DEVICE, O_RDWR);
		ASSERT_LE(0, self->fd[i])
			TH_LOG("%s: %s", DEVICE, strerror(errno));
		self->p[i] = map_shared(_metadata, self->fd[i], 0, NR);
	}
	choose(0);
}

FIXTURE_TEARDOWN_PARENT(devices)
{
	choose(0);
	reload_teardown(_metadata, self->old);
}

static void close_all(FIXTURE_DATA(devices) *self)
{
	size_t i;

	for (i = 0; i < NR_DEVICES; i++) {
		munmap(self->p[i], NR * page_size);
		close(self->fd[i]);
	}
}

TEST_F(devices, content)
{
	size_t i;

	for (i = 0; i < NR_DEVICES; i++)
		ASSERT_TRUE(fill(self->fd[i], i, NR - i, i));
	for (i = 0; i < NR_DEVICES; i++) {
		choose(i);
		EXPECT_EQ(-1, bad_read(self->fd[i], i, NR - i, i));
		EXPECT_EQ(-1, bad_page(self->p[i] + i * page_size, i, NR - i, i));
		EXPECT_EQ((long)(NR - i), pool_read("stored"));
	}
	ASSERT_EQ(0, discard(self->fd[1], 0, NR));
	for (i = 0; i < NR_DEVICES; i++)
		if (i != 1)
			EXPECT_EQ(-1, bad_read(self->fd[i], i, NR - i, i));
	EXPECT_EQ(-1, nonzero(self->p[1], NR * page_size));
}

TEST_F(devices, size)
{
	const off_t M = 1 << 20;
	const off_t size[] = { 4 * M, 8 * M, 16 * M, 32 * M };
	size_t i;

	for (i = 0; i < NR_DEVICES; i++)
		EXPECT_EQ(size[i], lseek(self->fd[i], 0, SEEK_END));
	ASSERT_EQ(0, resize(self->fd[2], 1));
	EXPECT_EQ(SIGBUS, touch(self->p[2] + page_size, 1).sig);
	for (i = 0; i < NR_DEVICES; i++)
		if (i != 2) {
			EXPECT_EQ(size[i], lseek(self->fd[i], 0, SEEK_END));
			EXPECT_EQ(0, touch(self->p[i] + page_size, 1).sig);
		}
}

/* One that is full takes nothing from the others, nor has it room of theirs. */
TEST_F(devices, pool)
{
	size_t cap = (1 << 20) / page_size, i;

	EXPECT_EQ((__u64)1 << 20, device_info(self->fd[0]).pool_size);
	EXPECT_EQ((__u64)8 << 20, device_info(self->fd[1]).pool_size);
	EXPECT_TRUE(fill(self->fd[0], NR, cap, 0));
	EXPECT_EQ(SIGBUS, touch(self->p[0], 1).sig);
	EXPECT_ERRNO(ENOSPC, pwrite(self->fd[0], "x", 1, 0));
	for (i = 1; i < NR_DEVICES; i++) {
		EXPECT_EQ(0, touch(self->p[i], 1).sig);
		EXPECT_TRUE(fill(self->fd[i], NR, cap, 0));
	}
}

TEST_F(devices, log)
{
	write_pages(self->p[0], 2, 1);
	write_pages(self->p[1] + page_size, 3, 1);
	write_pages(self->p[2], NR, 1);
	EXPECT_EQ(PAGES(0, 2), log_bits(self->fd[0], MMAPDEMO_DIRTY_LOG_CLEAR));
	EXPECT_EQ(0, log_bits(self->fd[0], 0));
	EXPECT_EQ(PAGES(1, 3), log_bits(self->fd[1], 0));
	EXPECT_EQ(3 * page_size, device_info(self->fd[1]).dirty);
	EXPECT_EQ(0, device_info(self->fd[2]).features & MMAPDEMO_FEATURE_DIRTY_LOG);
	EXPECT_EQ(0, device_info(self->fd[3]).features & MMAPDEMO_FEATURE_DIRTY_LOG);
}

TEST_F(devices, counters)
{
	struct counters seen[NR_DEVICES];
	size_t i;

	for (i = 0; i < NR_DEVICES; i++) {
		choose(i);
		counters_start(&seen[i]);
	}
	write_pages(self->p[1], NR, 1);
	for (i = 0; i < NR_DEVICES; i++) {
		choose(i);
		EXPECT_COUNTED(&seen[i], { "fault_write", i == 1 ? NR : 0 },
			       { "mkwrite", i == 1 ? NR : 0 },
			       { "dirtied", i == 1 ? NR : 0 }, { "cleared", 0 });
	}
}

/* Return: what the parameter of one device, or of all, reads as. */
static const char *reads(const char *path)
{
	static char text[256];

	return read_file(path, text, sizeof(text)) ? NULL : text;
}

/* A list as long as the devices, or shorter: then the last value is the others'. */
TEST_F(devices, parameters)
{
	const char *all = PARAMETERS "fault_mode";

	EXPECT_STREQ("4", reads(PARAMETERS "devices"));
	EXPECT_STREQ("map_pages,insert,insert,insert", reads(all));
	EXPECT_STREQ("1,1,0,0", reads(PARAMETERS "dirty_log"));
	EXPECT_STREQ("65536", reads(PARAMETERS "fault_around"));
	choose(2);
	EXPECT_STREQ("insert", reads(FAULT_MODE));
	/* One alone. */
	ASSERT_EQ(0, write_file(FAULT_MODE, "map_pages\n"));
	EXPECT_STREQ("map_pages", reads(FAULT_MODE));
	EXPECT_STREQ("map_pages,insert,map_pages,insert", reads(all));
	ASSERT_EQ(0, write_file(FAULT_WINDOW, "128K"));
	EXPECT_STREQ("65536,65536,131072,65536", reads(PARAMETERS "fault_around"));
	EXPECT_EQ(-EINVAL, write_file(FAULT_MODE, "foo"));
	EXPECT_EQ(-EINVAL, write_file(FAULT_MODE, "insert,map_pages"));
	EXPECT_EQ(-EINVAL, write_file(FAULT_WINDOW, "3000"));
	EXPECT_STREQ("map_pages", reads(FAULT_MODE));
	EXPECT_STREQ("131072", reads(FAULT_WINDOW));
	/* All of them. */
	ASSERT_EQ(0, write_file(all, "insert"));
	EXPECT_STREQ("insert", reads(all));
	ASSERT_EQ(0, write_file(all, "insert,map_pages\n"));
	EXPECT_STREQ("insert,map_pages,map_pages,map_pages", reads(all));
	EXPECT_EQ(-EINVAL, write_file(all, "insert,map_pages,insert,insert,insert"));
	EXPECT_EQ(-EINVAL, write_file(all, "insert,,insert"));
	EXPECT_STREQ("insert,map_pages,map_pages,map_pages", reads(all));
}

/* Each mapping is of the mode of its own device. */
TEST_F(devices, fault_modes)
{
	struct counters seen;
	size_t i;

	for (i = 0; i < 2; i++) {
		choose(i);
		ASSERT_TRUE(fill(self->fd[i], 0, NR, 0));
		counters_start(&seen);
		read_byte(self->p[i]);
		EXPECT_EQ(i == 1, counted(&seen, "inserted") > 0);
	}
}

TEST_F(devices, tracepoints)
{
	if (!ftrace_event("mmapdemo") ||
	    write_file(FTRACE "events/mmapdemo/filter", "device == 1")) {
		ftrace_end();
		SKIP(return, "needs tracefs");
	}
	ftrace_on();
	write_pages(self->p[0], NR, 1);
	write_pages(self->p[1], NR, 1);
	discard(self->fd[0], 0, NR);
	discard(self->fd[1], 0, NR);
	ftrace_off();
	EXPECT_EQ(NR, ftrace_count("mmapdemo_make: device=1 "));
	EXPECT_EQ(NR, ftrace_count("mmapdemo_fault: device=1 "));
	EXPECT_EQ(NR, ftrace_count("mmapdemo_mkwrite: device=1 "));
	EXPECT_EQ(1, ftrace_count("mmapdemo_discard: device=1 "));
	EXPECT_EQ(0, ftrace_count("device=0 "));
	write_file(FTRACE "events/mmapdemo/filter", "0");
	ftrace_on();
	write_pages(self->p[0], NR, 1);
	ftrace_off();
	EXPECT_EQ(NR, ftrace_count("mmapdemo_make: device=0 "));
	ftrace_end();
}

TEST_F(devices, any_open_one_keeps_the_module)
{
	size_t i;

	close_all(self);
	for (i = 0; i < NR_DEVICES; i++) {
		choose(i);
		self->fd[i] = open(DEVICE, O_RDONLY);
		EXPECT_ERRNO(EWOULDBLOCK, unload());
		self->p[i] = map(_metadata, self->fd[i], PROT_READ, MAP_SHARED, 0, NR);
		close(self->fd[i]);
		EXPECT_ERRNO(EWOULDBLOCK, unload());
		munmap(self->p[i], NR * page_size);
	}
	EXPECT_EQ(0, unload());
	EXPECT_EQ(NULL, left_behind());
	for (i = 0; i < NR_DEVICES; i++) {
		choose(i);
		EXPECT_EQ(-1, access(DEVICE, F_OK));
		EXPECT_EQ(-1, access(STATS, F_OK));
	}
}

/* Programs that need the device for themselves, at once, on a device each. */
TEST_F_TIMEOUT(devices, programs_at_once, 300)
{
	static const char *const program[NR_DEVICES] = {
		"./dirty", "./resize", "./seek", "./cow",
	};
	pid_t pid[NR_DEVICES];
	int status, null;
	size_t i;

	close_all(self);
	ASSERT_EQ(0, unload());
	ASSERT_EQ(0, load("devices=4"));
	for (i = 0; i < NR_DEVICES; i++) {
		if (access(program[i], X_OK))
			SKIP(return, "needs %s", program[i]);
		pid[i] = fork();
		if (pid[i])
			continue;
		choose(i);
		null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(null, 1);
		execl(program[i], program[i], NULL);
		_exit(127);
	}
	for (i = 0; i < NR_DEVICES; i++) {
		ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
		EXPECT_EQ(0, status)
			TH_LOG("%s on device %zu", program[i], i);
	}
}

TEST_F_TIMEOUT(devices, again_and_again, 600)
{
	const char *value = getenv("MMAPDEMO_CYCLES");
	long cycles = value ? atol(value) : 20, i;
	int fd;

	close_all(self);
	for (i = 0; i < cycles; i++) {
		ASSERT_EQ(0, unload());
		ASSERT_EQ(0, load(i % 2 ? "devices=4" : APART));
		choose(i % NR_DEVICES);
		fd = open(DEVICE, O_RDWR);
		ASSERT_LE(0, fd);
		ASSERT_EQ(1, pwrite(fd, "x", 1, i * page_size % (1 << 20)));
		close(fd);
	}
	choose(0);
}

/* The most there may be, and one more; it is as if nothing had been tried. */
TEST_F(devices, how_many)
{
	close_all(self);
	ASSERT_EQ(0, unload());
	EXPECT_ERRNO(EINVAL, load("devices=0"));
	EXPECT_ERRNO(EINVAL, load("devices=65"));
	EXPECT_ERRNO(EINVAL, load("devices=x"));
	EXPECT_ERRNO(EINVAL, load("devices=-1"));
	EXPECT_ERRNO(EINVAL, load("devices="));
	EXPECT_ERRNO(EINVAL, load("devices=2 size=1M,1M,1M"));
	EXPECT_ERRNO(EINVAL, load("size=1M,1M"));
	EXPECT_ERRNO(EINVAL, load("size=1M,3 devices=2"));
	EXPECT_ERRNO(EINVAL, load("size=1M, devices=2"));
	EXPECT_EQ(NULL, left_behind());
	ASSERT_EQ(0, load("devices=64 size=1M"))
		TH_LOG("insmod: %s", strerror(errno));
	EXPECT_EQ(0, access("/dev/mmapdemo63", F_OK));
	EXPECT_EQ(-1, access("/dev/mmapdemo64", F_OK));
	EXPECT_EQ(0, unload());
}

TEST_HARNESS_MAIN
