// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that DAMON sees no access to a mapping of the device, where it sees
 * those to a memfd: it looks at pages on LRU lists alone.
 *
 * Needs: see mmapdemo_test.h; DAMON with its files in sysfs, not in use.
 */
#include "mmapdemo_test.h"

#define KDAMONDS	"/sys/kernel/mm/damon/admin/kdamonds/"
#define CONTEXT		"contexts/0/"
#define INTERVALS	CONTEXT "monitoring_attrs/intervals/"
#define TARGET		CONTEXT "targets/0/"
#define NR		64
#define ENOUGH		20	/* looks at a region */

/* Each is watched by a kdamond of its own, at the same time. */
enum { THE_DEVICE, A_MEMFD, NR_WATCHED };

/* A kdamond's schemes, which count regions. */
enum { ALL, ACCESSED, NR_SCHEMES };

FIXTURE(damon) {
	struct device dev;
	char *p[NR_WATCHED];
	pid_t pid;		/* who accesses them */
};

static bool tell(int kdamond, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), KDAMONDS "%d/%s", kdamond, file);
	return !write_file(path, text);
}

static bool tell_number(int kdamond, const char *file, unsigned long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", number);
	return tell(kdamond, file, text);
}

/* Counts regions in which it sees at least @accesses. */
static bool make_scheme(int kdamond, int scheme, unsigned long accesses)
{
	const struct {
		const char *file;
		unsigned long number;
	} pattern[] = {
		{ "sz/max", INT32_MAX },
		{ "age/max", INT32_MAX },
		{ "nr_accesses/min", accesses },
		{ "nr_accesses/max", INT32_MAX },
	};
	char file[128];
	size_t i;

	snprintf(file, sizeof(file), CONTEXT "schemes/%d/action", scheme);
	if (!tell(kdamond, file, "stat"))
		return false;
	for (i = 0; i < ARRAY_SIZE(pattern); i++) {
		snprintf(file, sizeof(file),
			 CONTEXT "schemes/%d/access_pattern/%s", scheme,
			 pattern[i].file);
		if (!tell_number(kdamond, file, pattern[i].number))
			return false;
	}
	return true;
}

/* Return: whether @kdamond watches what @pid has at @p. */
static bool watch(int kdamond, pid_t pid, const char *p)
{
	unsigned long start = (uintptr_t)p;

	return tell(kdamond, INTERVALS "sample_us", "5000") &&
	       tell(kdamond, INTERVALS "aggr_us", "100000") &&
	       tell(kdamond, CONTEXT "targets/nr_targets", "1") &&
	       tell_number(kdamond, TARGET "pid_target", pid) &&
	       tell(kdamond, TARGET "regions/nr_regions", "1") &&
	       tell_number(kdamond, TARGET "regions/0/start", start) &&
	       tell_number(kdamond, TARGET "regions/0/end",
			   start + NR * page_size) &&
	       tell_number(kdamond, CONTEXT "schemes/nr_schemes", NR_SCHEMES) &&
	       make_scheme(kdamond, ALL, 0) &&
	       make_scheme(kdamond, ACCESSED, 1) &&
	       tell(kdamond, "state", "on");
}

/* How often a region was what the scheme counts. */
static long counted_by(int kdamond, int scheme)
{
	char path[128], text[32] = "";

	tell(kdamond, "state", "update_schemes_stats");
	snprintf(path, sizeof(path),
		 KDAMONDS "%d/" CONTEXT "schemes/%d/stats/nr_tried", kdamond,
		 scheme);
	read_file(path, text, sizeof(text));
	return atol(text);
}

/*
 * A CPU that knows a page by heart does not tell its page table of another
 * access. What is unmapped here is enough for the kernel to make it forget all.
 */
static void access_on(char *const *p)
{
	size_t len = NR * page_size;
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		for (i = 0; i < NR_WATCHED; i++)
			write_pages(p[i], NR, 1);
		munmap(mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0),
		       len);
	}
}

FIXTURE_SETUP(damon)
{
	int i;

	if (access(KDAMONDS "nr_kdamonds", W_OK))
		SKIP(return, "needs CONFIG_DAMON_SYSFS");
	device_setup(_metadata, &self->dev, false);
	ASSERT_EQ(0, sysctl_write(KDAMONDS "nr_kdamonds", NR_WATCHED));
	for (i = 0; i < NR_WATCHED; i++) {
		ASSERT_TRUE(tell(i, "contexts/nr_contexts", "1"));
		if (!tell(i, CONTEXT "operations", "fvaddr")) {
			sysctl_write(KDAMONDS "nr_kdamonds", 0);
			DEVICE_SKIP(&self->dev, "needs CONFIG_DAMON_VADDR");
		}
	}
	self->p[THE_DEVICE] = map_shared(_metadata, self->dev.fd, 0, NR);
	self->p[A_MEMFD] = map_shared(_metadata, memfd_of(NR), 0, NR);
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid)
		access_on(self->p);
}

FIXTURE_TEARDOWN(damon)
{
	int i;

	for (i = 0; i < NR_WATCHED; i++)
		tell(i, "state", "off");
	EXPECT_EQ(0, sysctl_write(KDAMONDS "nr_kdamonds", 0));
	end_waiting(self->pid);
	device_teardown(_metadata, &self->dev);
}

TEST_F(damon, sees_no_access)
{
	int i;

	for (i = 0; i < NR_WATCHED; i++)
		ASSERT_TRUE(watch(i, self->pid, self->p[i]));
	while (counted_by(A_MEMFD, ACCESSED) < ENOUGH ||
	       counted_by(THE_DEVICE, ALL) < ENOUGH)
		usleep(100000);
	EXPECT_EQ(0, counted_by(THE_DEVICE, ACCESSED));
}

TEST_HARNESS_MAIN
