// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what a write to a shared mapping does: which handlers hear of it, and
 * how often, when the page was not there, when it was, and after whatever takes
 * the right to write away again. Each test runs in both fault modes; where they
 * differ, the test says how.
 *
 * The ids (H01, ...) name the branches of mmap that a test proves.
 * Needs: CONFIG_PROC_PAGE_MONITOR; tracefs, soft-dirty bits, userfaultfd where
 * a test says so; see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "ftrace.h"
#include "proc.h"

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define NR	4

FIXTURE(write_fault) {
	struct device dev;
	int fd;
	char *p;		/* NR pages of the device, shared */
	struct counters seen;	/* at the last look */
};

FAULT_MODES(write_fault);

FIXTURE_SETUP(write_fault)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->p = map_shared(_metadata, self->fd, 0, NR);
	counters_start(&self->seen);
}

FIXTURE_TEARDOWN(write_fault)
{
	device_teardown(_metadata, &self->dev);
}

/* What the handlers heard of since the last look, and what the log gained. */
#define EXPECT_CALLS(read, write, mkwrite, dirtied)			\
	EXPECT_COUNTED_ANEW(&self->seen,				\
			    { "fault_read", read },			\
			    { "fault_write", write },			\
			    { "mkwrite", mkwrite }, { "dirtied", dirtied })

/*
 * H01, J01: ->fault is told of a write, then ->page_mkwrite asked; after that
 * the PTE is writable and dirty, the page is dirty, and unlocked again by the
 * core, which had it from the driver locked.
 */
TEST_F(write_fault, H01_J01_missing_page)
{
	long kib = page_size / 1024;

	self->p[page_size] = 1;
	EXPECT_CALLS(0, 1, 1, 1);
	EXPECT_EQ(1, count_mapped(self->p, NR));
	EXPECT_EQ(1, pool_read("dirty"));
	EXPECT_EQ(kib, smaps_kib(self->p, "Private_Dirty"));
	EXPECT_TRUE(page_has_flag(self->p + page_size, KPF_DIRTY));
	EXPECT_FALSE(page_has_flag(self->p + page_size, KPF_LOCKED));
	self->p[page_size] = 2;
	EXPECT_CALLS(0, 0, 0, 0);

	/* With neither of the two dirty marks it is not: both have gone. */
	ASSERT_EQ(0, clean_all(self->fd));
	EXPECT_EQ(0, smaps_kib(self->p, "Private_Dirty"));
	EXPECT_EQ(kib, smaps_kib(self->p, "Private_Clean"));
	EXPECT_FALSE(page_has_flag(self->p + page_size, KPF_DIRTY));
}

/* J01: the same when ->page_mkwrite alone is asked. */
TEST_F(write_fault, J01_page_is_unlocked_afterwards)
{
	read_pages(self->p, 1);
	EXPECT_CALLS(1, 0, 0, 0);
	EXPECT_EQ(0, smaps_kib(self->p, "Private_Dirty"));
	self->p[0] = 1;
	EXPECT_CALLS(0, 0, 1, 1);
	EXPECT_TRUE(page_has_flag(self->p, KPF_DIRTY));
	EXPECT_FALSE(page_has_flag(self->p, KPF_LOCKED));
	/* It takes the page's lock. */
	EXPECT_EQ(0, discard(self->fd, 0, 1));
}

/* Return: whether the node's mtime is later than the long ago it is set to. */
static bool changes_mtime(int fd, char *p, int value)
{
	make_old(fd);
	touch(p, value);
	return is_new(fd);
}

/*
 * H02: to operations with a ->page_mkwrite the core leaves the file's times. A
 * write that the driver hears of changes the mtime, and nothing else does.
 */
TEST_F(write_fault, H02_mtime)
{
	char *private = map_private(_metadata, self->fd, 0, 1);

	EXPECT_FALSE(changes_mtime(self->fd, self->p, -1));
	EXPECT_TRUE(changes_mtime(self->fd, self->p, 1));
	EXPECT_FALSE(changes_mtime(self->fd, self->p, 2));
	EXPECT_TRUE(changes_mtime(self->fd, self->p + page_size, 1));
	EXPECT_FALSE(changes_mtime(self->fd, private, 1));
	ASSERT_EQ(0, fsync(self->fd));
	EXPECT_TRUE(changes_mtime(self->fd, self->p, 3));
}

/*
 * H03: as the page has a mapping, the core tells it that the page is dirty, and
 * asks whether the writer is to be slowed down; once for each page.
 */
TEST_F(write_fault, H03_dirty_folio)
{
	static const char * const functions[] = {
		"mmapdemo_page_mkwrite", "mmapdemo_set_marks",
		"mmapdemo_dirty_folio", "balance_dirty_pages_ratelimited", NULL,
	};
	long mkwrite, dirty, own, balance, first, last;

	read_pages(self->p, 2);
	if (!ftrace_functions(functions)) {
		ftrace_end();
		SKIP(return, "needs CONFIG_FUNCTION_TRACER");
	}
	ftrace_on();
	write_pages(self->p, 2, 1);
	ftrace_off();
	mkwrite = ftrace_find(" mmapdemo_page_mkwrite <-", &first);
	dirty = ftrace_find(" mmapdemo_dirty_folio <-", &last);
	own = ftrace_count(" mmapdemo_set_marks <-mmapdemo_page_mkwrite");
	balance = ftrace_count(" balance_dirty_pages_ratelimited <-");
	ftrace_end();
	EXPECT_EQ(2, mkwrite);
	/* The driver marks the page, and then the core says that it is dirty. */
	EXPECT_EQ(2, own);
	EXPECT_EQ(2, dirty);
	EXPECT_LT(first + 1, last);
	EXPECT_EQ(2, balance);
	EXPECT_CALLS(2, 0, 2, 2);
}

/* I02: each VMA's PTE asks for itself, the page is logged once. */
TEST_F(write_fault, I02_second_vma)
{
	char *other = map_shared(_metadata, self->fd, 1, 2);

	read_pages(self->p, NR);
	read_pages(other, 2);
	counters_start(&self->seen);
	self->p[page_size] = 1;
	EXPECT_CALLS(0, 0, 1, 1);
	other[1] = 2;
	EXPECT_CALLS(0, 0, 1, 0);
	other[2] = 3;
	self->p[page_size + 3] = 4;
	EXPECT_CALLS(0, 0, 0, 0);
	EXPECT_EQ(0, memcmp(self->p + page_size, "\1\2\3\4", 4));
	/* A PTE that was missing, for a page that is dirty. */
	other = map_shared(_metadata, self->fd, 1, 1);
	other[0] = 5;
	EXPECT_CALLS(0, 1, 1, 0);
	EXPECT_EQ(5, self->p[page_size]);
}

/*
 * I03: watching for soft-dirty pages takes the right to write, not the dirty
 * mark: the next write to each is noticed once more.
 */
TEST_F(write_fault, I03_clear_refs)
{
	const __u64 soft_dirty = 1ULL << 55;

	write_pages(self->p, NR, 1);
	EXPECT_CALLS(0, NR, NR, NR);
	if (!(pagemap_entry(self->p) & soft_dirty))
		SKIP(return, "needs CONFIG_MEM_SOFT_DIRTY");
	ASSERT_EQ(0, write_file("/proc/self/clear_refs", "4"));
	EXPECT_EQ(0, pagemap_entry(self->p) & soft_dirty);
	EXPECT_EQ(NR, count_mapped(self->p, NR));
	write_pages(self->p, NR, 2);
	EXPECT_CALLS(0, 0, NR, 0);
	EXPECT_NE(0, pagemap_entry(self->p) & soft_dirty);
	write_pages(self->p, NR, 3);
	EXPECT_CALLS(0, 0, 0, 0);
	EXPECT_EQ(NR, pool_read("dirty"));
}

#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	0x8000
#endif

/* Return: a userfaultfd with @features; -1: the kernel has none. */
static int open_userfaultfd(__u64 features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || !ioctl(fd, UFFDIO_API, &api))
		return fd;
	close(fd);
	return -1;
}

/*
 * I03: so does userfaultfd's write-protection, of the kind that the next write
 * lifts: no other can a mapping of a driver have.
 */
TEST_F(write_fault, I03_userfaultfd)
{
	struct uffdio_range range = { (uintptr_t)self->p, NR * page_size };
	struct uffdio_register reg = {
		.range = range, .mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect protect = {
		.range = range, .mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int uffd = open_userfaultfd(UFFD_FEATURE_WP_ASYNC);

	if (uffd < 0)
		SKIP(return, "needs userfaultfd with UFFD_FEATURE_WP_ASYNC");
	write_pages(self->p, NR, 1);
	EXPECT_CALLS(0, NR, NR, NR);
	if (variant->insert) {
		EXPECT_ERRNO(EINVAL, ioctl(uffd, UFFDIO_REGISTER, &reg));
	} else {
		EXPECT_EQ(0, ioctl(uffd, UFFDIO_REGISTER, &reg));
		EXPECT_EQ(0, ioctl(uffd, UFFDIO_WRITEPROTECT, &protect));
		write_pages(self->p, NR, 2);
		EXPECT_CALLS(0, 0, NR, 0);
		write_pages(self->p, NR, 3);
		EXPECT_CALLS(0, 0, 0, 0);
	}
	close(uffd);
}

/* Return: the errno of writing to @p as a debugger does; 0: it could. */
static int forced_write(char *p)
{
	int mem = open("/proc/self/mem", O_RDWR);
	int error = pwrite(mem, "x", 1, (uintptr_t)p) == 1 ? 0 : errno;

	close(mem);
	return error;
}

/*
 * I06: MAP_SHARED of a file that is open for reading only looks shared, and
 * never writes: not at first, not after mprotect, not by force.
 */
TEST_F(write_fault, I06_shared_from_readonly_file)
{
	int fd = open(DEVICE, O_RDONLY);
	char *p = map(_metadata, fd, PROT_READ, MAP_SHARED, 0, 1);

	ASSERT_TRUE(fill(self->fd, 0, 1, 0));
	EXPECT_FALSE(vma_has_flag(p, "sh"));
	EXPECT_FALSE(vma_has_flag(p, "mw"));
	EXPECT_TRUE(vma_has_flag(p, "ms"));
	EXPECT_TRUE(vma_has_flag(self->p, "sh"));
	EXPECT_TRAP(p, 1, SIGSEGV, SEGV_ACCERR, p);
	EXPECT_EQ(-1, bad_page(p, 0, 1, 0));
	EXPECT_TRAP(p, 1, SIGSEGV, SEGV_ACCERR, p);
	EXPECT_ERRNO(EACCES, mprotect(p, page_size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EIO, forced_write(p));
	EXPECT_EQ(-1, bad_page(p, 0, 1, 0));
	EXPECT_COUNTED(&self->seen, { "mkwrite", 0 }, { "fault_write", 0 });
	close(fd);
}

/*
 * J07: a write that is refused leaves the PTE as it was: what could be read can
 * be read, without another fault.
 */
TEST_F(write_fault, J07_refused_write)
{
	ASSERT_TRUE(fill(self->fd, 0, 1, 0));
	EXPECT_EQ(-1, bad_page(self->p, 0, 1, 0));
	ASSERT_EQ(0, mprotect(self->p, page_size, PROT_READ));
	counters_start(&self->seen);
	EXPECT_TRAP(self->p, 1, SIGSEGV, SEGV_ACCERR, self->p);
	EXPECT_TRUE(is_mapped(self->p));
	EXPECT_EQ(-1, bad_page(self->p, 0, 1, 0));
	EXPECT_CALLS(0, 0, 0, 0);
}

/*
 * J08: the kernel's writes through get_user_pages ask as a store does, for a
 * page that is there and for one that is not; and ask again once it is clean.
 */
TEST_F(write_fault, J08_get_user_pages)
{
	struct iovec local = { "gup", 3 };
	struct iovec remote = { self->p + page_size - 1, 3 };

	read_pages(self->p, 1);
	EXPECT_CALLS(1, 0, 0, 0);
	EXPECT_EQ(3, process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
	EXPECT_CALLS(0, 1, 2, 2);
	EXPECT_EQ(0, memcmp(remote.iov_base, "gup", 3));
	EXPECT_EQ(3, process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
	EXPECT_CALLS(0, 0, 0, 0);
	ASSERT_EQ(0, clean_all(self->fd));
	EXPECT_EQ(3, process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
	EXPECT_CALLS(0, 0, 2, 2);
}

struct transfer {
	char *to, *from;
	ssize_t done;
};

/* The kernel pins @to, for writing, before it reads @from. */
static void *pin_and_copy(void *arg)
{
	struct transfer *transfer = arg;
	struct iovec local = { transfer->from, 3 };
	struct iovec remote = { transfer->to, 3 };

	transfer->done = process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
	return NULL;
}

/* A page of memory that is not there until finish_transfer(). */
static char *missing_page(struct __test_metadata *_metadata, int uffd)
{
	char *p = map(_metadata, -1, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, 0, 1);
	struct uffdio_register reg = {
		.range = { (uintptr_t)p, page_size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	ASSERT_EQ(0, ioctl(uffd, UFFDIO_REGISTER, &reg));
	return p;
}

static int finish_transfer(int uffd, char *p, const char *data)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)p, .src = (uintptr_t)data, .len = page_size,
	};

	return ioctl(uffd, UFFDIO_COPY, &copy);
}

/*
 * J08: what is written through a pin that was there before the page was
 * write-protected again asks nobody. It enters the log at the end of the pin,
 * when whoever had it says that the page is dirty (mm/gup.c,
 * unpin_user_pages_dirty_lock()), and by ->dirty_folio.
 */
TEST_F(write_fault, J08_pinned_across_cleaning)
{
	char *data = map(_metadata, -1, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, 0, 1);
	int uffd = open_userfaultfd(0);
	struct transfer transfer = { .to = self->p };
	struct uffd_msg msg;
	pthread_t thread;

	if (uffd < 0)
		SKIP(return, "needs userfaultfd");
	write_text(data, "DMA");
	transfer.from = missing_page(_metadata, uffd);
	read_pages(self->p, 1);
	ASSERT_EQ(0, pthread_create(&thread, NULL, pin_and_copy, &transfer));
	/* It has pinned the page, and waits for what to write there. */
	ASSERT_EQ(sizeof(msg), read(uffd, &msg, sizeof(msg)));
	EXPECT_EQ(UFFD_EVENT_PAGEFAULT, msg.event);
	EXPECT_CALLS(1, 0, 1, 1);
	EXPECT_EQ(0, clean_all(self->fd));
	EXPECT_EQ(0, pool_read("dirty"));
	/* No sync can say of it that nobody writes to it. */
	EXPECT_EQ(1, pool_read("unsynced"));
	EXPECT_EQ(0, self->p[0]);

	ASSERT_EQ(0, finish_transfer(uffd, transfer.from, data));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(3, transfer.done);
	EXPECT_EQ(0, memcmp(self->p, "DMA", 3));
	EXPECT_CALLS(0, 0, 0, 1);
	EXPECT_EQ(1, pool_read("dirty"));
	/* The PTE did not change: a store asks, and finds the page logged. */
	self->p[0] = 1;
	EXPECT_CALLS(0, 0, 1, 0);
	close(uffd);
}

TEST_HARNESS_MAIN
