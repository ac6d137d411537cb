// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what advice on pages does to a mapping of the device: page-table
 * entries come and go, the pages stay where they are. Advice on VMAs is in
 * madvise.c. Each test runs in both fault modes; where the contract differs for
 * fault_mode=insert, the test says how.
 *
 * The ids (Q04, ...) name the branches of mmap that a test proves.
 * Needs: CONFIG_MEMORY_FAILURE and mseal where a test says so; see
 * mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "resource_limits.h"
#include "proc.h"
#include "syscalls.h"

#define NR	4

FIXTURE(madvise_pages) {
	struct device dev;
	int fd;
	char *p;		/* NR pages of the device, shared and made */
	size_t len;		/* in bytes */
};

FAULT_MODES(madvise_pages);

FIXTURE_SETUP(madvise_pages)
{
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	self->len = NR * page_size;
	self->p = map_shared(_metadata, self->fd, 0, NR);
	ASSERT_TRUE(fill(self->fd, 0, NR, 0));
	read_pages(self->p, NR);
}

FIXTURE_TEARDOWN(madvise_pages)
{
	device_teardown(_metadata, &self->dev);
}

/* The mapping stays, as the driver sees it; pages fault in again, as made. */
TEST_F(madvise_pages, Q04_dontneed_closes_nothing)
{
	long opened = stat_read("vma_open"), closed = stat_read("vma_close");
	long mmaps = stat_read("mmap"), discarded = stat_read("discarded");
	char *middle = self->p + page_size;
	long faults;

	EXPECT_EQ(0, advise(middle, 2 * page_size, MADV_DONTNEED));
	EXPECT_EQ(1, count_vmas(self->p, NR));
	EXPECT_EQ(0, count_mapped(middle, 2));
	EXPECT_EQ(2, count_mapped(self->p, NR));
	faults = faults_served();
	read_pages(middle, 1);
	EXPECT_EQ(faults + 1, faults_served());
	EXPECT_EQ(-1, bad_page(self->p, 0, NR, 0));
	EXPECT_EQ(NR, pool_read("dirty"));
	EXPECT_EQ(discarded, stat_read("discarded"));
	EXPECT_EQ(mmaps, stat_read("mmap"));
	EXPECT_EQ(opened, stat_read("vma_open"));
	EXPECT_EQ(closed, stat_read("vma_close"));
}

/* Of a special mapping VM_LOCKED is never set, and nothing forbids. */
TEST_F(madvise_pages, Q05_dontneed_locked)
{
	ASSERT_EQ(0, mlock(self->p, self->len));
	EXPECT_EQ(variant->insert ? 0 : EINVAL,
		  advise(self->p, self->len, MADV_DONTNEED));
	EXPECT_EQ(variant->insert ? 0 : NR, count_mapped(self->p, NR));
	EXPECT_EQ(0, advise(self->p, self->len, MADV_DONTNEED_LOCKED));
	EXPECT_EQ(0, count_mapped(self->p, NR));
	EXPECT_EQ(!variant->insert, vma_has_flag(self->p, "lo"));
	EXPECT_EQ(-1, bad_page(self->p, 0, NR, 0));
	EXPECT_EQ(0, munlock(self->p, self->len));
	EXPECT_EQ(0, advise(self->p, self->len, MADV_DONTNEED));
	EXPECT_EQ(0, count_mapped(self->p, NR));
}

/* The core asks the mapping first, and then finds no file to punch. */
TEST_F(madvise_pages, Q07_remove)
{
	int ro = open(DEVICE, O_RDONLY);
	char *from_ro = map(_metadata, ro, PROT_READ, MAP_SHARED, 0, NR);
	char *readonly = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 0, NR);
	char *private = map_private(_metadata, self->fd, 0, NR);
	long discarded = stat_read("discarded");

	EXPECT_EQ(ENODEV, advise(self->p, self->len, MADV_REMOVE));
	EXPECT_EQ(ENODEV, advise(readonly, self->len, MADV_REMOVE));
	EXPECT_EQ(EACCES, advise(from_ro, self->len, MADV_REMOVE));
	EXPECT_EQ(EACCES, advise(private, self->len, MADV_REMOVE));
	ASSERT_EQ(0, mlock(self->p, self->len));
	EXPECT_EQ(variant->insert ? ENODEV : EINVAL,
		  advise(self->p, self->len, MADV_REMOVE));
	ASSERT_EQ(0, munlock(self->p, self->len));
	EXPECT_EQ(NR, count_mapped(self->p, NR));
	EXPECT_EQ(-1, bad_page(self->p, 0, NR, 0));
	EXPECT_EQ(discarded, stat_read("discarded"));
	close(ro);
}

/* Whether all pages are stored, by whoever can tell. */
static bool all_stored(int fd, char *p)
{
	unsigned char core[NR];
	int i;

	if (mincore(p, NR * page_size, core) || pool_read("stored") != NR)
		return false;
	for (i = 0; i < NR; i++)
		if (!(core[i] & 1) ||
		    lseek(fd, i * page_size, SEEK_DATA) != (off_t)(i * page_size))
			return false;
	return lseek(fd, 0, SEEK_HOLE) == (off_t)(NR * page_size);
}

/*
 * Clean, mapped once and by their owner, a tmpfs file's pages may go now.
 * The device's are on no LRU list, and stay; also in the page table.
 */
TEST_F(madvise_pages, Q12_cold_and_pageout)
{
	int advice[] = { MADV_COLD, MADV_PAGEOUT };
	long faults;
	size_t i;

	ASSERT_EQ(0, clean_all(self->fd));
	faults = faults_served();
	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		EXPECT_EQ(0, advise(self->p, self->len, advice[i]));
		EXPECT_EQ(NR, count_mapped(self->p, NR));
		EXPECT_TRUE(all_stored(self->fd, self->p));
		EXPECT_EQ(-1, bad_page(self->p, 0, NR, 0));
	}
	EXPECT_EQ(faults, faults_served());
	/* mincore sees what is stored, not only what is mapped. */
	ASSERT_EQ(0, advise(self->p, self->len, MADV_DONTNEED));
	EXPECT_EQ(0, advise(self->p, self->len, MADV_PAGEOUT));
	EXPECT_TRUE(all_stored(self->fd, self->p));
}

TEST_F(madvise_pages, Q12_locked)
{
	int error = variant->insert ? 0 : EINVAL;

	ASSERT_EQ(0, mlock(self->p, self->len));
	EXPECT_EQ(error, advise(self->p, self->len, MADV_COLD));
	EXPECT_EQ(error, advise(self->p, self->len, MADV_PAGEOUT));
	EXPECT_EQ(NR, count_mapped(self->p, NR));
	ASSERT_EQ(0, munlock(self->p, self->len));
}

TEST_F(madvise_pages, Q13_populate_without_permission)
{
	char *none = map(_metadata, self->fd, PROT_NONE, MAP_SHARED, 0, NR);
	char *readonly = map(_metadata, self->fd, PROT_READ, MAP_SHARED, 0, NR);
	char *private = map(_metadata, self->fd, PROT_READ, MAP_PRIVATE, 0, NR);
	long faults = faults_served();

	EXPECT_EQ(EINVAL, advise(none, self->len, MADV_POPULATE_READ));
	EXPECT_EQ(EINVAL, advise(none, self->len, MADV_POPULATE_WRITE));
	EXPECT_EQ(EINVAL, advise(readonly, self->len, MADV_POPULATE_WRITE));
	EXPECT_EQ(EINVAL, advise(private, self->len, MADV_POPULATE_WRITE));
	EXPECT_EQ(faults, faults_served());
	EXPECT_EQ(0, advise(readonly, self->len, MADV_POPULATE_READ));
	EXPECT_EQ(NR, count_mapped(readonly, NR));
}

/* Before 6.12 (madvise_populate() went VMA by VMA) what follows is done too. */
TEST_F(madvise_pages, Q13_populate_stops_at_hole)
{
	char *behind = self->p + 2 * page_size;
	long mapped = kernel_before(6, 12) ? 2 : 0;

	ASSERT_EQ(0, munmap(self->p + page_size, page_size));
	ASSERT_EQ(0, advise(self->p, page_size, MADV_DONTNEED));
	ASSERT_EQ(0, advise(behind, 2 * page_size, MADV_DONTNEED));
	EXPECT_EQ(ENOMEM, advise(self->p, self->len, MADV_POPULATE_READ));
	EXPECT_EQ(1, count_mapped(self->p, 1));
	EXPECT_EQ(mapped, count_mapped(behind, 2));
}

/* What comes before the end is there, and noticed as written. */
TEST_F(madvise_pages, Q13_populate_write_at_end)
{
	size_t end = self->dev.nr_pages;
	char *p = map_shared(_metadata, self->fd, end - 2, 4);
	char *private = map_private(_metadata, self->fd, end - 2, 4);
	long mkwrite = stat_read("mkwrite"), sigbus = stat_read("sigbus_size");

	EXPECT_EQ(EFAULT, advise(p, 4 * page_size, MADV_POPULATE_WRITE));
	EXPECT_EQ(2, count_mapped(p, 4));
	EXPECT_EQ(mkwrite + 2, stat_read("mkwrite"));
	EXPECT_EQ(EFAULT, advise(private, 4 * page_size, MADV_POPULATE_WRITE));
	EXPECT_EQ(2, count_mapped(private, 4));
	EXPECT_EQ(mkwrite + 2, stat_read("mkwrite"));
	EXPECT_LT(sigbus, stat_read("sigbus_size"));
}

/* A page that is on no LRU list is not replaced, and goes on as it was. */
TEST_F(madvise_pages, Q14_soft_offline)
{
	__u64 pfn = pfn_of(self->p);
	int err = advise(self->p, page_size, MADV_SOFT_OFFLINE);

	if (err == EINVAL)
		SKIP(return, "needs CONFIG_MEMORY_FAILURE");
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(pfn, pfn_of(self->p));
	EXPECT_EQ(-1, bad_page(self->p, 0, NR, 0));
	EXPECT_EQ(0, advise(self->p, page_size, MADV_DONTNEED));
	EXPECT_EQ(-1, bad_page(self->p, 0, NR, 0));
	EXPECT_EQ(-1, bad_read(self->fd, 0, NR, 0));
}

static int child_offlines(void *arg)
{
	int hard, soft;

	if (!drop_capability(CAP_SYS_ADMIN))
		return 1;
	hard = advise(arg, page_size, MADV_HWPOISON);
	soft = advise(arg, page_size, MADV_SOFT_OFFLINE);
	if (hard == EINVAL && soft == EINVAL)
		return 77;
	return hard != EPERM || soft != EPERM;
}

TEST_F(madvise_pages, Q14_needs_privilege)
{
	int ret = in_child(child_offlines, self->p);

	if (ret == 77)
		SKIP(return, "needs CONFIG_MEMORY_FAILURE");
	EXPECT_EQ(0, ret);
	ASSERT_EQ(0, advise(self->p, page_size, MADV_DONTNEED));
	EXPECT_EQ(-1, bad_page(self->p, 0, NR, 0));
}

static int child_finds_guard(void *arg)
{
	char *p = arg;
	struct trap trap = touch(p, -1);

	return trap.sig != SIGSEGV || trap.addr != p;
}

/* A guard keeps everybody out, the kernel as well; the page is untouched. */
static void check_guard(struct __test_metadata *_metadata, char *p, size_t len)
{
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, advise(p, page_size, MADV_GUARD_INSTALL));
	EXPECT_TRAP(p, -1, SIGSEGV, SEGV_MAPERR, p);
	EXPECT_TRAP(p + 9, 1, SIGSEGV, SEGV_MAPERR, p + 9);
	EXPECT_ERRNO(EFAULT, write(pipes[1], p, 1));
	EXPECT_EQ(EFAULT, advise(p, page_size, MADV_POPULATE_READ));
	EXPECT_EQ(0, in_child(child_finds_guard, p));
	EXPECT_EQ(-1, bad_page(p + page_size, 1, NR - 1, 0));
	EXPECT_EQ(0, advise(p, len, MADV_GUARD_REMOVE));
	EXPECT_EQ(-1, bad_page(p, 0, NR, 0));
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(madvise_pages, Q15_guard)
{
	if (kernel_before(7, 3) || variant->insert) {
		EXPECT_EQ(EINVAL, advise(self->p, page_size,
					 MADV_GUARD_INSTALL));
		EXPECT_EQ(EINVAL, advise(self->p, page_size,
					 MADV_GUARD_REMOVE));
		EXPECT_EQ(NR, count_mapped(self->p, NR));
		return;
	}
	check_guard(_metadata, self->p, self->len);
	check_guard(_metadata, map_private(_metadata, self->fd, 0, NR),
		    self->len);
	ASSERT_EQ(0, mlock(self->p, self->len));
	EXPECT_EQ(EINVAL, advise(self->p, page_size, MADV_GUARD_INSTALL));
	EXPECT_EQ(0, advise(self->p, page_size, MADV_GUARD_REMOVE));
	ASSERT_EQ(0, munlock(self->p, self->len));
}

/* Two pages each: a mapping to discard, and memory that must not be. */
struct sealed {
	char *shared, *private, *anonymous;
};

static bool is_discarded(char *p, size_t len)
{
	return !advise(p, len, MADV_DONTNEED) && !count_mapped(p, 2);
}

/* Return: 0 if it is as it should be; what is sealed stays so. */
static int child_discards_sealed(void *arg)
{
	struct sealed *s = arg;
	size_t len = 2 * page_size;

	write_pages(s->private, 2, 7);
	if (mprotect(s->private, len, PROT_READ))
		return 1;
	if (seal(s->shared, len, 0) || seal(s->private, len, 0) ||
	    seal(s->anonymous, len, 0))
		return 2;
	if (advise(s->anonymous, len, MADV_DONTNEED) != EPERM)
		return 3;
	if (!is_discarded(s->shared, len) || !is_discarded(s->private, len))
		return 4;
	if (bad_page(s->shared, 0, 2, 0) >= 0 ||
	    bad_page(s->private, 0, 2, 0) >= 0)
		return 5;
	if (advise(s->shared, len, MADV_REMOVE) != ENODEV ||
	    advise(s->shared, len, MADV_FREE) != EINVAL ||
	    advise(s->shared, len, MADV_DONTFORK))
		return 6;
	return 0;
}

/* The seal is about anonymous memory's only copy; a file's pages are kept. */
TEST_F(madvise_pages, Q16_sealed)
{
	struct sealed s = {
		.shared = self->p,
		.private = map_private(_metadata, self->fd, 0, 2),
		.anonymous = mmap(NULL, 2 * page_size, PROT_READ,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	};

	if (no_seal())
		SKIP(return, NEEDS_SEAL);
	ASSERT_NE(MAP_FAILED, s.anonymous);
	EXPECT_EQ(0, in_child(child_discards_sealed, &s));
}

TEST_HARNESS_MAIN
