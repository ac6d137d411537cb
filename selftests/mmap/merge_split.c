// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what the driver hears of when VMAs merge, split and end: how often
 * ->mmap, ->open and ->close run, and that each VMA goes on to show the pages
 * that it is to show. Each test runs in both fault modes; where they differ,
 * the test says how.
 *
 * The ids (D01, ...) name the branches of mmap that a test proves.
 * Needs: CONFIG_MODULE_UNLOAD or CONFIG_FUNCTION_TRACER where a test says so;
 * see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "ftrace.h"
#include "resource_limits.h"
#include "proc.h"

#define NR		8
#define REFCNT		"/sys/module/mmapdemo/refcnt"

FIXTURE(merge_split) {
	struct device dev;
	int fd;
	struct counters seen;	/* at the last look */
};

FAULT_MODES(merge_split);

FIXTURE_SETUP(merge_split)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	ASSERT_TRUE(fill(self->fd, 0, 2 * NR, 0));
	counters_start(&self->seen);
}

FIXTURE_TEARDOWN(merge_split)
{
	device_teardown(_metadata, &self->dev);
}

/* How often each ran since the last look. */
#define EXPECT_CALLS(mapped, opened, closed)				\
	EXPECT_COUNTED_ANEW(&self->seen, { "mmap", mapped },		\
			    { "vma_open", opened }, { "vma_close", closed })

/*
 * D01, D02: the second of two neighbours joins the first, and the driver hears
 * of neither its coming nor its going. Not before 6.12, as there is a ->close
 * (mm/mmap.c, is_mergeable_vma()), not when VM_MIXEDMAP is set, and not when
 * anything else differs.
 */
TEST_F(merge_split, D01_D02_neighbours_merge)
{
	bool merges = !variant->insert && !kernel_before(6, 12);
	int other = open(DEVICE, O_RDWR);
	const struct {
		const char *name;
		int fd, prot, flags;
		size_t pgoff;
		bool same;
	} c[] = {
		{ "same", self->fd, PROT_READ, MAP_SHARED, NR, true },
		{ "file", other, PROT_READ, MAP_SHARED, NR, false },
		{ "access", self->fd, PROT_NONE, MAP_SHARED, NR, false },
		{ "kind", self->fd, PROT_READ, MAP_PRIVATE, NR, false },
		{ "pgoff", self->fd, PROT_READ, MAP_SHARED, NR - 1, false },
	};
	char *p = reserve(_metadata, 2 * NR), *q = p + NR * page_size;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(c); i++) {
		int vmas = merges && c[i].same ? 1 : 2;

		TH_LOG("%s", c[i].name);
		ASSERT_EQ(p, mmap(p, NR * page_size, PROT_READ,
				  MAP_SHARED | MAP_FIXED, self->fd, 0));
		ASSERT_EQ(q, mmap(q, NR * page_size, c[i].prot,
				  c[i].flags | MAP_FIXED, c[i].fd,
				  c[i].pgoff * page_size));
		EXPECT_EQ(vmas, count_vmas(p, 2 * NR));
		EXPECT_CALLS(vmas, 0, 0);
		EXPECT_EQ(-1, bad_page(p, 0, NR, 0));
		if (c[i].prot & PROT_READ)
			EXPECT_EQ(-1, bad_page(q, c[i].pgoff, NR, 0));
		ASSERT_EQ(0, munmap(p, 2 * NR * page_size));
		EXPECT_CALLS(0, 0, vmas);
	}
	close(other);
}

static int cut_munmap(char *p, size_t len)
{
	return munmap(p, len);
}

static int cut_mprotect(char *p, size_t len)
{
	return mprotect(p, len, PROT_READ | PROT_WRITE);
}

static int cut_mlock(char *p, size_t len)
{
	return mlock(p, len);
}

static int cut_madvise(char *p, size_t len)
{
	return madvise(p, len, MADV_RANDOM);
}

static int cut_dontfork(char *p, size_t len)
{
	return madvise(p, len, MADV_DONTFORK);
}

/* What makes a VMA of its own of some pages of another, or of none. */
static const struct cut {
	const char *name;
	int (*cut)(char *p, size_t len);
	bool removes;
	bool plain_only;	/* mlock leaves special VMAs as they are */
	int limit_errno;	/* what it fails with for want of VMAs */
} cuts[] = {
	{ "munmap", cut_munmap, true, false, ENOMEM },
	{ "mprotect", cut_mprotect, false, false, ENOMEM },
	{ "mlock", cut_mlock, false, true, ENOMEM },
	{ "madvise", cut_madvise, false, false, EAGAIN },
	{ "dontfork", cut_dontfork, false, false, EAGAIN },
};

/*
 * D06: each of the two splits is an ->open, of a VMA that knows its place in
 * the device whichever side of the split it is on.
 */
TEST_F(merge_split, D06_split_in_the_middle)
{
	const struct cut *c;

	for (c = cuts; c < cuts + ARRAY_SIZE(cuts); c++) {
		bool splits = !(c->plain_only && variant->insert);
		char *p = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 3, NR);
		char *middle = p + 2 * page_size, *upper = p + 5 * page_size;

		TH_LOG("%s", c->name);
		EXPECT_CALLS(1, 0, 0);
		ASSERT_EQ(0, c->cut(middle, 3 * page_size));
		EXPECT_CALLS(0, splits ? 2 : 0, c->removes);
		EXPECT_EQ(splits ? 3 - c->removes : 1, count_vmas(p, NR));
		EXPECT_EQ(3L, vma_pgoff(p));
		EXPECT_EQ(splits ? 8 : 3, vma_pgoff(upper));
		if (!c->removes) {
			EXPECT_EQ(splits ? 5 : 3, vma_pgoff(middle));
			EXPECT_EQ(-1, bad_page(middle, 5, 3, 0));
		}
		EXPECT_EQ(-1, bad_page(p, 3, 2, 0));
		EXPECT_EQ(-1, bad_page(upper, 8, 3, 0));
		ASSERT_EQ(0, munmap(p, NR * page_size));
		EXPECT_CALLS(0, 0, splits ? 3 - c->removes : 1);
	}
}

/* D06: at either end there is one split; what is cut off is closed. */
TEST_F(merge_split, D06_split_at_an_end)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);

	ASSERT_EQ(0, munmap(p, page_size));
	EXPECT_CALLS(1, 1, 1);
	EXPECT_EQ(1, vma_pgoff(p + page_size));
	ASSERT_EQ(p + page_size, mremap(p + page_size, (NR - 1) * page_size,
					4 * page_size, 0));
	EXPECT_CALLS(0, 1, 1);
	EXPECT_EQ(1, count_vmas(p, NR));
	EXPECT_EQ(-1, bad_page(p + page_size, 1, 4, 0));
	ASSERT_EQ(0, munmap(p, NR * page_size));
	EXPECT_CALLS(0, 0, 1);
}

/* Return: 0, or the errno of @cut with at most @limit VMAs allowed. */
static int cut_with_limit(const struct cut *c, char *p, size_t len, int limit)
{
	struct setting max;
	char text[32];
	int error;

	snprintf(text, sizeof(text), "%d", limit);
	if (!setting_change(&max, MAX_MAP_COUNT, text))
		return -1;
	error = c->cut(p, len) ? errno : 0;
	return setting_restore(&max) ? error : -1;
}

/*
 * D08: a split that would be one VMA too many fails, and nothing has changed;
 * room for two more is enough.
 */
TEST_F(merge_split, D08_split_at_limit)
{
	const struct cut *c;

	map_count();
	for (c = cuts; c < cuts + ARRAY_SIZE(cuts); c++) {
		bool splits = !(c->plain_only && variant->insert);
		char *p = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 0, NR);
		int vmas = map_count();

		TH_LOG("%s", c->name);
		EXPECT_CALLS(1, 0, 0);
		EXPECT_EQ(splits ? c->limit_errno : 0,
			  cut_with_limit(c, p + page_size, page_size, vmas));
		EXPECT_EQ(1, count_vmas(p, NR));
		EXPECT_CALLS(0, 0, 0);
		EXPECT_EQ(-1, bad_page(p, 0, NR, 0));
		EXPECT_EQ(0, cut_with_limit(c, p + page_size, page_size,
					    vmas + 2));
		EXPECT_EQ(splits ? 3 - c->removes : 1, count_vmas(p, NR));
		EXPECT_EQ(-1, bad_page(p + 2 * page_size, 2, NR - 2, 0));
		ASSERT_EQ(0, munmap(p, NR * page_size));
		EXPECT_CALLS(0, splits ? 2 : 0, splits ? 3 : 1);
	}
}

/* D08: munmap at an end needs no VMA in the end, and is let through. */
TEST_F(merge_split, D08_munmap_at_limit)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	int vmas;

	map_count();
	vmas = map_count();
	EXPECT_EQ(0, cut_with_limit(&cuts[0], p, page_size, vmas));
	EXPECT_EQ(0, cut_with_limit(&cuts[0], p + (NR - 1) * page_size,
				    page_size, vmas));
	EXPECT_EQ(vmas, map_count());
	EXPECT_CALLS(1, 2, 2);
	EXPECT_EQ(-1, bad_page(p + page_size, 1, NR - 2, 0));
}

/* D09: VMAs whose driver wants to be told of their end are not merged away. */
TEST_F(merge_split, D09_split_stays)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	char *middle = p + 2 * page_size;

	ASSERT_EQ(0, mprotect(middle, page_size, PROT_READ));
	EXPECT_EQ(3, count_vmas(p, NR));
	ASSERT_EQ(0, mprotect(middle, page_size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(3, count_vmas(p, NR));
	EXPECT_CALLS(1, 2, 0);
	ASSERT_EQ(0, mprotect(p, NR * page_size, PROT_READ));
	EXPECT_EQ(3, count_vmas(p, NR));
	EXPECT_EQ(-1, bad_page(p, 0, NR, 0));
	ASSERT_EQ(0, munmap(p, NR * page_size));
	EXPECT_CALLS(0, 0, 3);
}

enum end { END_EXIT, END_EXEC, END_KILL, END_SIGNAL };

struct life {
	int fd;
	enum end end;
};

/* Maps, splits, moves, forks, and comes to its end with three VMAs. */
static int child_lives(void *arg)
{
	const struct life *life = arg;
	char *p = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       life->fd, 0);
	char *free = mmap(NULL, NR * page_size, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || free == MAP_FAILED ||
	    munmap(p + 4 * page_size, page_size) ||
	    mremap(p, 2 * page_size, 2 * page_size,
		   MREMAP_MAYMOVE | MREMAP_FIXED, free) != free)
		return 1;
	if (!fork())
		_exit(0);
	if (wait(NULL) < 0)
		return 1;
	if (life->end == END_EXEC)
		execl("/bin/true", "true", NULL);
	else if (life->end == END_KILL)
		kill(getpid(), SIGKILL);
	else if (life->end == END_SIGNAL)
		raise(SIGTERM);
	return life->end != END_EXIT;
}

/*
 * D11: however a process ends, what it was given is closed: by mmap, by each
 * split, by a move (a copy), and by a fork.
 */
TEST_F(merge_split, D11_opens_and_closes_balance)
{
	struct life life = { .fd = self->fd };
	const int status[] = {
		[END_EXIT] = 0, [END_EXEC] = 0,
		[END_KILL] = 128 + SIGKILL, [END_SIGNAL] = 128 + SIGTERM,
	};

	for (life.end = END_EXIT; life.end <= END_SIGNAL; life.end++) {
		TH_LOG("end %d", life.end);
		EXPECT_EQ(status[life.end], in_child(child_lives, &life));
		/* Split twice, source of the move split, copied; three forked. */
		EXPECT_CALLS(1, 2 + 1 + 1 + 3, 1 + 7);
	}
}

static int module_references(void)
{
	char text[32] = "-1";

	read_file(REFCNT, text, sizeof(text));
	return atoi(text);
}

/* D12: the file, and the module with it, is held by the last of its VMAs. */
TEST_F(merge_split, D12_vma_holds_file)
{
	int before = module_references(), fd = open(DEVICE, O_RDWR);
	char *p = map_shared(_metadata, fd, 0, NR);

	if (before < 0) {
		close(fd);
		SKIP(return, "needs CONFIG_MODULE_UNLOAD");
	}
	EXPECT_EQ(before + 1, module_references());
	close(fd);
	EXPECT_EQ(before + 1, module_references());
	ASSERT_EQ(0, munmap(p + page_size, page_size));
	EXPECT_EQ(before + 1, module_references());
	ASSERT_EQ(0, munmap(p, page_size));
	EXPECT_EQ(before + 1, module_references());
	EXPECT_EQ(-1, bad_page(p + 2 * page_size, 2, NR - 2, 0));
	ASSERT_EQ(0, munmap(p, NR * page_size));
	EXPECT_EQ(before, module_references());
}

/* D12: ->close may use vma->vm_file; ->release comes last. */
TEST_F(merge_split, D12_close_before_fput)
{
	static const char * const functions[] = {
		"mmapdemo_vma_close", "fput", "mmapdemo_release", NULL,
	};
	int fd = open(DEVICE, O_RDWR);
	char *p = map_shared(_metadata, fd, 0, NR);
	long closed, put, released;

	close(fd);
	if (!ftrace_functions(functions)) {
		ftrace_end();
		SKIP(return, "needs CONFIG_FUNCTION_TRACER");
	}
	ftrace_on();
	munmap(p, NR * page_size);
	ftrace_off();
	closed = ftrace_line(" mmapdemo_vma_close <-");
	put = ftrace_line(" fput <-");
	released = ftrace_line(" mmapdemo_release <-");
	ftrace_end();
	EXPECT_LT(0, closed);
	EXPECT_LT(closed, put);
	EXPECT_LT(put, released);
}

TEST_HARNESS_MAIN
