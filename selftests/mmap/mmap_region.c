// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what a new mapping of the device is in the core's books, and what
 * becomes of one whose place it takes: populated or not, locked, counted,
 * soft-dirty, reported to perf; with page-table entries that catch the first
 * write. Each test runs in both fault modes.
 *
 * The ids (A31, C07, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; perf events and the function tracer where a test
 * says so.
 */
#include "mmapdemo_test.h"
#include "ftrace.h"
#include "proc.h"
#include "syscalls.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>

#define RW	(PROT_READ | PROT_WRITE)

DEVICE_FIXTURE(mmap_region)

static long kib(size_t nr_pages)
{
	return nr_pages * page_size / 1024;
}

/* What cannot be populated is no error, and MAP_NONBLOCK is "not now". */
TEST_F(mmap_region, A31_populate)
{
	size_t end = self->dev.nr_pages;
	long faults;
	char *p;

	p = map(_metadata, self->fd, RW, MAP_SHARED | MAP_POPULATE, end - 4, 8);
	EXPECT_EQ(4, count_mapped(p, 4));
	EXPECT_EQ(0, count_mapped(p + 4 * page_size, 4));
	EXPECT_EQ(4, pool_read("stored"));
	p = map(_metadata, self->fd, RW, MAP_PRIVATE | MAP_POPULATE, end - 4, 8);
	EXPECT_EQ(4, count_mapped(p, 8));
	map(_metadata, self->fd, RW, MAP_SHARED | MAP_POPULATE, end, 8);
	faults = faults_served();
	p = map(_metadata, self->fd, RW,
		MAP_SHARED | MAP_POPULATE | MAP_NONBLOCK, end - 4, 4);
	EXPECT_EQ(0, count_mapped(p, 4));
	map(_metadata, self->fd, PROT_NONE, MAP_SHARED | MAP_POPULATE, 0, 4);
	EXPECT_EQ(faults, faults_served());
	EXPECT_EQ(4, pool_read("stored"));
}

struct hooks {
	long mmap, open, close;
};

static struct hooks hooks_read(void)
{
	return (struct hooks){
		stat_read("mmap"), stat_read("vma_open"),
		stat_read("vma_close"),
	};
}

#define EXPECT_HOOKS(before, mmaps, opens, closes) do {		\
	struct hooks now_ = hooks_read(), *before_ = &(before);	\
								\
	EXPECT_EQ(before_->mmap + (mmaps), now_.mmap);		\
	EXPECT_EQ(before_->open + (opens), now_.open);		\
	EXPECT_EQ(before_->close + (closes), now_.close);	\
	*before_ = now_;					\
} while (0)

/* Of the old one nothing is left: neither page-table entries nor the VMA. */
TEST_F(mmap_region, C07_fixed_replaces)
{
	char *p = map_shared(_metadata, self->fd, 0, 8);
	const int fixed = MAP_SHARED | MAP_FIXED;
	struct hooks hooks;

	ASSERT_TRUE(fill(self->fd, 0, 48, 0));
	write_pages(p, 8, 1);
	hooks = hooks_read();
	ASSERT_EQ(p, mmap(p, 8 * page_size, PROT_READ, fixed, self->fd,
			  40 * page_size));
	EXPECT_HOOKS(hooks, 1, 0, 1);
	EXPECT_EQ(0, count_mapped(p, 8));
	EXPECT_EQ(1, count_vmas(p, 8));
	EXPECT_EQ(-1, bad_page(p, 40, 8, 0));
	/* In the middle: two splits, and their middle goes. */
	ASSERT_EQ(p + 2 * page_size, mmap(p + 2 * page_size, 2 * page_size,
					  PROT_READ, fixed, self->fd, 0));
	EXPECT_HOOKS(hooks, 1, 2, 1);
	EXPECT_EQ(3, count_vmas(p, 8));
	EXPECT_EQ(6, count_mapped(p, 8));
	EXPECT_EQ(0, count_mapped(p + 2 * page_size, 2));
	EXPECT_EQ(-1, bad_page(p, 40, 2, 0));
	EXPECT_EQ(1, p[2 * page_size]);
	EXPECT_EQ(-1, bad_page(p + 4 * page_size, 44, 4, 0));
	/* Over all three, and by something else. */
	ASSERT_EQ(p, mmap(p, 8 * page_size, PROT_READ,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_HOOKS(hooks, 0, 0, 3);
	EXPECT_EQ(-1, nonzero(p, 8 * page_size));
}

TEST_F(mmap_region, C07_close_comes_before_mmap)
{
	static const char *const functions[] = {
		"mmapdemo_mmap", "mmapdemo_vma_close", NULL
	};
	char *p = map_shared(_metadata, self->fd, 0, 8), *again;
	long closed, mapped;

	if (!ftrace_functions(functions)) {
		ftrace_end();
		SKIP(return, "needs CONFIG_FUNCTION_TRACER");
	}
	ftrace_on();
	again = mmap(p, 8 * page_size, PROT_READ, MAP_SHARED | MAP_FIXED,
		     self->fd, 40 * page_size);
	ftrace_off();
	EXPECT_EQ(1, ftrace_find(" mmapdemo_vma_close <-", &closed));
	EXPECT_EQ(1, ftrace_find(" mmapdemo_mmap <-", &mapped));
	ftrace_end();
	EXPECT_EQ(p, again);
	EXPECT_LT(closed, mapped);
}

/* Return: 0, or which of its steps went wrong. */
static int child_seals(void *arg)
{
	int fd = *(int *)arg;
	char *p = mmap(NULL, 8 * page_size, RW, MAP_SHARED, fd, 0);
	struct hooks hooks;

	if (p == MAP_FAILED)
		return 1;
	p[0] = 1;
	p[3 * page_size] = 1;
	hooks = hooks_read();
	if (seal(p, 8 * page_size, 0))
		return no_seal() ? 100 : 2;
	if (mmap(p, 8 * page_size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) !=
	    MAP_FAILED || errno != EPERM)
		return 3;
	/* Nor in its middle, nor together with what is not sealed. */
	if (mmap(p + 3 * page_size, page_size, PROT_READ,
		 MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED || errno != EPERM)
		return 4;
	if (mmap(p - page_size, 2 * page_size, PROT_READ,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
	    MAP_FAILED || errno != EPERM)
		return 5;
	if (hooks.mmap != stat_read("mmap") ||
	    hooks.close != stat_read("vma_close"))
		return 6;
	if (count_vmas(p, 8) != 1 || count_mapped(p, 4) != 2)
		return 7;
	return p[0] == 1 && p[3 * page_size] == 1 ? 0 : 8;
}

TEST_F(mmap_region, C09_fixed_over_sealed)
{
	EXPECT_EQ(no_seal() ? 100 : 0, in_child(child_seals, &self->fd));
}

/* A special mapping is not locked, but populated all the same. */
TEST_F(mmap_region, C15_map_locked)
{
	long locked = status_kib("VmLck");
	char *p = map(_metadata, self->fd, RW, MAP_SHARED | MAP_LOCKED, 0, 8);

	EXPECT_EQ(variant->insert, vma_has_flag(p, "mm"));
	EXPECT_EQ(!variant->insert, vma_has_flag(p, "lo"));
	EXPECT_EQ(locked + (variant->insert ? 0 : kib(8)), status_kib("VmLck"));
	EXPECT_EQ(8, count_mapped(p, 8));
	EXPECT_EQ(8, pool_read("stored"));
	EXPECT_EQ(0, pool_read("dirty"));
}

TEST_F(mmap_region, C16_counts)
{
	static const struct {
		int prot, flags;
		size_t data;
	} c[] = {
		{ RW, MAP_SHARED, 0 },
		{ PROT_READ, MAP_PRIVATE, 0 },
		{ RW, MAP_PRIVATE, 16 },
	};
	size_t i;

	status_kib("VmSize");
	for (i = 0; i < ARRAY_SIZE(c); i++) {
		long size = status_kib("VmSize"), data = status_kib("VmData");
		char *p = map(_metadata, self->fd, c[i].prot, c[i].flags, 0,
			      16);

		EXPECT_EQ(size + kib(16), status_kib("VmSize"));
		EXPECT_EQ(data + kib(c[i].data), status_kib("VmData"));
		ASSERT_EQ(0, munmap(p, 16 * page_size));
		EXPECT_EQ(size, status_kib("VmSize"));
		EXPECT_EQ(data, status_kib("VmData"));
	}
}

/* All of it, as nobody can tell that it was there before. */
TEST_F(mmap_region, C16_soft_dirty)
{
	char *p = map_shared(_metadata, self->fd, 0, 8), *q;

	if (!vma_has_flag(p, "sd"))
		SKIP(return, "needs CONFIG_MEM_SOFT_DIRTY");
	ASSERT_EQ(0, write_file("/proc/self/clear_refs", "4"));
	EXPECT_FALSE(vma_has_flag(p, "sd"));
	q = map_shared(_metadata, self->fd, 0, 8);
	EXPECT_TRUE(vma_has_flag(q, "sd"));
	EXPECT_FALSE(vma_has_flag(p, "sd"));
	ASSERT_EQ(p, mmap(p, 8 * page_size, RW, MAP_SHARED | MAP_FIXED,
			  self->fd, 0));
	EXPECT_TRUE(vma_has_flag(p, "sd"));
}

/* PERF_RECORD_MMAP2, without what may follow the name. */
struct mmap_record {
	struct perf_event_header header;
	__u32 pid, tid;
	__u64 addr, len, offset;
	__u32 major, minor;
	__u64 inode, generation;
	__u32 prot, flags;
	char name[];
};

static int perf_open(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY, .exclude_kernel = 1,
		.mmap = 1, .mmap_data = 1, .mmap2 = 1,
	};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

TEST_F(mmap_region, C16_perf_record)
{
	struct perf_event_mmap_page *ring;
	const struct mmap_record *record;
	int perf = perf_open();
	struct stat st;
	__u64 start;
	char *p;

	if (perf < 0 && errno == ENOSYS)
		SKIP(return, "needs CONFIG_PERF_EVENTS");
	ASSERT_LE(0, perf);
	ASSERT_EQ(0, fstat(self->fd, &st));
	ring = mmap(NULL, 2 * page_size, RW, MAP_SHARED, perf, 0);
	ASSERT_NE(MAP_FAILED, ring);
	/* The ring itself may be in it. */
	start = ring->data_head;
	p = map(_metadata, self->fd, RW, MAP_PRIVATE, 3, 8);
	ASSERT_LT(start, ring->data_head);
	record = (void *)ring + ring->data_offset + start;
	EXPECT_EQ(PERF_RECORD_MMAP2, record->header.type);
	EXPECT_EQ(getpid(), (pid_t)record->pid);
	EXPECT_EQ((uintptr_t)p, record->addr);
	EXPECT_EQ(8 * page_size, record->len);
	EXPECT_EQ(3 * page_size, record->offset);
	EXPECT_EQ(st.st_ino, record->inode);
	EXPECT_EQ(RW, record->prot);
	EXPECT_EQ(MAP_PRIVATE, record->flags);
	EXPECT_STREQ(DEVICE, record->name);
	close(perf);
}

/*
 * The device wants to know of first writes (page_mkwrite), so what a read
 * brought in, by fault-around or by insertion, faults once more for a write;
 * that fault is for page_mkwrite alone.
 */
TEST_F(mmap_region, C17_read_faults_map_read_only)
{
	char *p = reserve(_metadata, 8);
	long mkwrite, writes;

	ASSERT_TRUE(fill(self->fd, 0, 8, 0));
	ASSERT_EQ(0, clean_all(self->fd));
	ASSERT_EQ(p, mmap(p, 8 * page_size, RW, MAP_SHARED | MAP_FIXED,
			  self->fd, 0));
	read_pages(p, 8);
	EXPECT_EQ(8, count_mapped(p, 8));
	EXPECT_EQ(0, pool_read("dirty"));
	mkwrite = stat_read("mkwrite");
	writes = stat_read("fault_write");
	write_pages(p, 3, 1);
	EXPECT_EQ(mkwrite + 3, stat_read("mkwrite"));
	EXPECT_EQ(3, pool_read("dirty"));
	write_pages(p, 8, 2);
	EXPECT_EQ(mkwrite + 8, stat_read("mkwrite"));
	EXPECT_EQ(8, pool_read("dirty"));
	EXPECT_EQ(writes, stat_read("fault_write"));
}

TEST_HARNESS_MAIN
