// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that the tracepoints tell what happened to a mapping: each event with
 * all that it says, no other event, and in the order in which it was. Where the
 * fault modes differ, the test says how.
 *
 * Needs: tracefs, CONFIG_FTRACE with events; see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "ftrace.h"

#include <stdarg.h>

#define NR	4
#define LEN	(NR * page_size)
#define PREFIX	"mmapdemo_"

FIXTURE(trace) {
	struct device dev;
	int fd;
	char wanted[4096], seen[4096];
};

FAULT_MODES(trace);

FIXTURE_SETUP(trace)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	if (!ftrace_event("mmapdemo")) {
		ftrace_end();
		DEVICE_SKIP(&self->dev, "needs CONFIG_FTRACE and tracefs");
	}
}

FIXTURE_TEARDOWN(trace)
{
	ftrace_end();
	device_teardown(_metadata, &self->dev);
}

/* Adds a line to what is wanted. */
static void want(struct _test_data_trace *self, const char *format, ...)
{
	size_t len = strlen(self->wanted);
	va_list args;

	va_start(args, format);
	vsnprintf(self->wanted + len, sizeof(self->wanted) - len, format, args);
	va_end(args);
}

/* Reads the events, without what the tracer says of each. */
static const char *seen(struct _test_data_trace *self)
{
	FILE *trace = fopen(FTRACE "trace", "r");
	char line[512], *event;

	self->seen[0] = '\0';
	while (fgets(line, sizeof(line), trace)) {
		event = strstr(line, ": " PREFIX);
		if (line[0] != '#' && event)
			strncat(self->seen, event + 2 + strlen(PREFIX),
				sizeof(self->seen) - strlen(self->seen) - 1);
	}
	fclose(trace);
	return self->seen;
}

#define EXPECT_EVENTS() do {			\
	ftrace_off();				\
	EXPECT_STREQ(self->wanted, seen(self));	\
} while (0)

static void want_vma(struct _test_data_trace *self, const char *what, char *p,
		     size_t pgoff, size_t nr)
{
	want(self, "%s: device=0 start=0x%lx end=0x%lx pgoff=%zu nr_pages=%zu\n", what,
	     (unsigned long)p, (unsigned long)p + nr * page_size, pgoff, nr);
}

static void want_fault(struct _test_data_trace *self, char *p, size_t pgoff,
		       const char *kind, const char *outcome)
{
	want(self, "fault: device=0 address=0x%lx pgoff=%zu kind=%s outcome=%s\n",
	     (unsigned long)p, pgoff, kind, outcome);
}

static void want_insert(struct _test_data_trace *self, char *p, size_t pgoff,
			size_t nr)
{
	want(self, "insert: device=0 address=0x%lx pgoff=%zu first=%zu inserted=%zu\n",
	     (unsigned long)p, pgoff, pgoff, nr);
}

#define AROUND	"pgoff=%zu first=%zu nr_pages=%zu outcome=%s\n"

/* A read fault at the first of @nr pages of an aligned mapping. */
static void want_around(struct _test_data_trace *self, char *p, size_t pgoff,
			size_t nr, const char *outcome)
{
	want(self, "map_pages: device=0 address=0x%lx " AROUND,
	     (unsigned long)p, pgoff, pgoff, nr, outcome);
}

static void want_mkwrite(struct _test_data_trace *self, char *p, size_t pgoff)
{
	want(self, "mkwrite: device=0 address=0x%lx pgoff=%zu outcome=page\n",
	     (unsigned long)p, pgoff);
}

static char *map_traced(struct __test_metadata *_metadata, int fd, int flags)
{
	return map_aligned(_metadata, fd, PROT_READ | PROT_WRITE, flags, 0, NR);
}

/* A split copies the VMA; each part goes by itself. */
TEST_F(trace, vma)
{
	char *p;

	ftrace_on();
	p = map_traced(_metadata, self->fd, MAP_SHARED);
	EXPECT_EQ(0, munmap(p, page_size));
	EXPECT_EQ(0, munmap(p + page_size, LEN - page_size));
	ftrace_off();
	EXPECT_EQ(1, ftrace_count(PREFIX "mmap:"));
	EXPECT_EQ(1, ftrace_count(PREFIX "vma_open:"));
	EXPECT_EQ(2, ftrace_count(PREFIX "vma_close:"));
	want_vma(self, PREFIX "mmap", p, 0, NR);
	EXPECT_EQ(1, ftrace_count(self->wanted));
	self->wanted[0] = '\0';
	want_vma(self, PREFIX "vma_close", p, 0, 1);
	EXPECT_EQ(1, ftrace_count(self->wanted));
	self->wanted[0] = '\0';
	want_vma(self, PREFIX "vma_close", p + page_size, 1, NR - 1);
	EXPECT_EQ(1, ftrace_count(self->wanted));
}

/* With map_pages, fault-around is asked first, and has nothing. */
TEST_F(trace, read_of_hole)
{
	char *p = map_traced(_metadata, self->fd, MAP_SHARED);

	ftrace_on();
	read_byte(p);
	if (!variant->insert)
		want_around(self, p, 0, NR, "none");
	want(self, "make: device=0 pgoff=0\n");
	want_fault(self, p, 0, "read", "page");
	if (variant->insert)
		want_insert(self, p, 0, 1);
	EXPECT_EVENTS();
	munmap(p, LEN);
}

TEST_F(trace, write_of_hole)
{
	char *p = map_traced(_metadata, self->fd, MAP_SHARED);

	ftrace_on();
	write_byte(p + page_size, 1);
	want(self, "make: device=0 pgoff=1\n");
	want(self, "dirty: device=0 pgoff=1\n");
	want_fault(self, p + page_size, 1, "write", "page");
	want_mkwrite(self, p + page_size, 1);
	EXPECT_EVENTS();
	munmap(p, LEN);
}

TEST_F(trace, private_write)
{
	char *p = map_traced(_metadata, self->fd, MAP_PRIVATE);

	ftrace_on();
	write_byte(p, 1);
	want(self, "make: device=0 pgoff=0\n");
	want_fault(self, p, 0, "cow", "page");
	EXPECT_EVENTS();
	munmap(p, LEN);
}

/* All that is present is mapped at once, by whoever does it in this mode. */
TEST_F(trace, batch)
{
	char *p = map_traced(_metadata, self->fd, MAP_SHARED);

	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	ftrace_on();
	read_pages(p, NR);
	if (variant->insert) {
		want_fault(self, p, 0, "read", "page");
		want_insert(self, p, 0, NR);
	} else {
		want_around(self, p, 0, NR, "mapped");
	}
	EXPECT_EVENTS();
	munmap(p, LEN);
}

TEST_F(trace, write_and_read)
{
	char byte = 1;

	ftrace_on();
	EXPECT_EQ(1, pwrite(self->fd, &byte, 1, page_size));
	EXPECT_EQ(1, pwrite(self->fd, &byte, 1, page_size));
	EXPECT_EQ(1, pread(self->fd, &byte, 1, page_size));
	EXPECT_EQ(1, pread(self->fd, &byte, 1, 0));
	want(self, "make: device=0 pgoff=1\n");
	want(self, "dirty: device=0 pgoff=1\n");
	EXPECT_EVENTS();
}

/* Of a sync, and of a harvest; the next write is noticed. */
TEST_F(trace, clean)
{
	char *p = map_traced(_metadata, self->fd, MAP_SHARED);
	struct mmapdemo_extent extent;
	struct mmapdemo_dirty_log log = {
		.len = LEN,
		.extents = (uintptr_t)&extent,
		.nr_extents = 1,
		.flags = MMAPDEMO_DIRTY_LOG_CLEAR,
	};

	write_pages(p, 2, 1);
	ftrace_on();
	EXPECT_EQ(0, msync(p, page_size, MS_SYNC));
	want(self, "clean: device=0 pgoff=0\n");
	write_byte(p, 2);
	want_mkwrite(self, p, 0);
	EXPECT_EQ(0, ioctl(self->fd, MMAPDEMO_IOC_DIRTY_LOG, &log));
	want(self, "clear: device=0 pgoff=0\n");
	want(self, "clear: device=0 pgoff=1\n");
	write_byte(p, 3);
	want(self, "dirty: device=0 pgoff=0\n");
	want_mkwrite(self, p, 0);
	EXPECT_EVENTS();
	munmap(p, LEN);
}

TEST_F(trace, discard_and_resize)
{
	size_t nr = self->dev.nr_pages;

	ASSERT_TRUE(fill(self->fd, 1, NR, 0));
	ftrace_on();
	EXPECT_EQ(0, discard(self->fd, 0, 3));
	want(self, "discard: device=0 pgoff=0 nr_pages=3 removed=2\n");
	EXPECT_EQ(0, resize(self->fd, NR));
	want(self, "resize: device=0 from=%zu to=%d removed=1\n", nr, NR);
	EXPECT_EQ(0, resize(self->fd, nr));
	want(self, "resize: device=0 from=%d to=%zu removed=0\n", NR, nr);
	EXPECT_EVENTS();
}

TEST_F(trace, sigbus_past_the_end)
{
	char *p = map_traced(_metadata, self->fd, MAP_SHARED);

	ASSERT_EQ(0, resize(self->fd, 1));
	ftrace_on();
	EXPECT_TRAP(p + page_size, 1, SIGBUS, BUS_ADRERR, p + page_size);
	want(self, "sigbus: device=0 address=0x%lx pgoff=1 reason=size\n",
	     (unsigned long)p + page_size);
	want_fault(self, p + page_size, 1, "write", "sigbus");
	EXPECT_EVENTS();
	EXPECT_EQ(0, resize(self->fd, self->dev.nr_pages));
	munmap(p, LEN);
}

TEST_F(trace, sigbus_at_the_cap)
{
	size_t cap = pool_read("cap");
	char *p;

	ASSERT_EQ(0, resize(self->fd, cap + 1));
	ASSERT_TRUE(fill(self->fd, 0, cap, 0));
	p = map_shared(_metadata, self->fd, cap, 1);
	ftrace_on();
	EXPECT_TRAP(p, 1, SIGBUS, BUS_ADRERR, p);
	want(self, "sigbus: device=0 address=0x%lx pgoff=%zu reason=cap\n",
	     (unsigned long)p, cap);
	want_fault(self, p, cap, "write", "sigbus");
	EXPECT_EVENTS();
	munmap(p, page_size);
	EXPECT_EQ(0, discard(self->fd, 0, cap));
	EXPECT_EQ(0, resize(self->fd, self->dev.nr_pages));
}

TEST_HARNESS_MAIN
