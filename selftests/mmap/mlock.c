// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what mlock, mlock2 and mlockall refuse, what they make present and
 * what is counted as locked. Each test runs in both fault modes: a mapping of
 * fault_mode=insert is special, is never marked as locked and never counted,
 * but made present as well.
 *
 * The ids (R01, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "resource_limits.h"
#include "proc.h"

#define NR	8

DEVICE_FIXTURE(mlock)

/* VmLck, in pages. */
static long locked_pages(void)
{
	return read_figure("/proc/self/status", "VmLck") * 1024 / page_size;
}

static int lock_errno(const char *p, size_t len)
{
	return mlock(p, len) ? errno : 0;
}

static int child_without_limit(void *arg)
{
	if (!limit_memlock(0))
		return 255;
	return lock_errno(arg, page_size);
}

static int child_above_limit(void *arg)
{
	char *p = arg;

	if (!limit_memlock(4 * page_size))
		return 255;
	if (lock_errno(p, 5 * page_size) != ENOMEM || count_mapped(p, NR))
		return 1;
	return lock_errno(p, 4 * page_size);
}

/* What is locked already does not count again. */
static int child_locks_more(void *arg)
{
	char *p = arg;

	if (!limit_memlock(4 * page_size))
		return 255;
	if (lock_errno(p, 3 * page_size))
		return 1;
	if (lock_errno(p + 2 * page_size, 2 * page_size))
		return 2;
	return lock_errno(p + 4 * page_size, page_size);
}

/* The limit is looked at before the mapping is: special ones have it, too. */
TEST_F(mlock, R01_limit)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);

	EXPECT_EQ(EPERM, in_child(child_without_limit, p));
	EXPECT_EQ(0, in_child(child_above_limit, p));
	EXPECT_EQ(variant->insert ? 0 : ENOMEM, in_child(child_locks_more, p));
}

/* Up to the hole it is locked, but not made present: that comes last. */
TEST_F(mlock, R01_hole)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	long locked = locked_pages();

	ASSERT_EQ(0, munmap(p + 2 * page_size, page_size));
	EXPECT_EQ(ENOMEM, lock_errno(p, NR * page_size));
	EXPECT_EQ(locked + (variant->insert ? 0 : 2), locked_pages());
	EXPECT_EQ(0, count_mapped(p, NR));
	EXPECT_EQ(ENOMEM, lock_errno(p + 2 * page_size, page_size));
	EXPECT_ERRNO(ENOMEM, munlock(p, NR * page_size));
	EXPECT_EQ(locked, locked_pages());
}

TEST_F(mlock, R01_wrap)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	int error = kernel_is_wider() ? ENOMEM : EINVAL;
	long locked = locked_pages();

	EXPECT_EQ(error, lock_errno(p, -page_size));
	EXPECT_ERRNO(error, munlock(p, -page_size));
	EXPECT_EQ(0, lock_errno(p, 0));
	EXPECT_EQ(locked, locked_pages());
	/* No alignment is asked for: the pages that it touches. */
	EXPECT_EQ(0, lock_errno(p + page_size - 1, 2));
	EXPECT_EQ(locked + (variant->insert ? 0 : 2), locked_pages());
	EXPECT_EQ(0, munlock(p, 2 * page_size));
}

/* Shared pages are read, private ones are copied at once. */
TEST_F(mlock, R02_faults)
{
	char *shared = map_shared(_metadata, self->fd, 0, NR);
	char *private = map_private(_metadata, self->fd, 0, NR);
	long mkwrite = stat_read("mkwrite"), cow = stat_read("fault_cow");
	long written = stat_read("fault_write");

	EXPECT_EQ(0, lock_errno(shared, NR * page_size));
	EXPECT_EQ(NR, count_mapped(shared, NR));
	EXPECT_EQ(0, pool_read("dirty"));
	EXPECT_EQ(0, lock_errno(private, NR * page_size));
	EXPECT_EQ(NR, count_mapped(private, NR));
	EXPECT_EQ(cow + NR, stat_read("fault_cow"));
	EXPECT_EQ(mkwrite, stat_read("mkwrite"));
	EXPECT_EQ(written, stat_read("fault_write"));
	write_pages(private, NR, 1);
	EXPECT_EQ(cow + NR, stat_read("fault_cow"));
}

/* Marked and counted first, found to be past the end afterwards. */
TEST_F(mlock, R02_past_end)
{
	char *p = map_shared(_metadata, self->fd, self->dev.nr_pages - 2, 4);
	long locked = locked_pages(), sigbus = stat_read("sigbus_size");

	EXPECT_EQ(ENOMEM, lock_errno(p, 4 * page_size));
	EXPECT_EQ(2, count_mapped(p, 4));
	EXPECT_LT(sigbus, stat_read("sigbus_size"));
	EXPECT_EQ(!variant->insert, vma_has_flag(p, "lo"));
	EXPECT_EQ(locked + (variant->insert ? 0 : 4), locked_pages());
}

/* One page of it: what is plain is split, what is special is left as it is. */
TEST_F(mlock, R03_special_is_not_split)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	long opened = stat_read("vma_open");

	EXPECT_EQ(0, lock_errno(p + page_size, page_size));
	EXPECT_EQ(variant->insert ? 1 : 3, count_vmas(p, NR));
	EXPECT_EQ(opened + (variant->insert ? 0 : 2), stat_read("vma_open"));
	EXPECT_EQ(!variant->insert, vma_has_flag(p + page_size, "lo"));
	EXPECT_FALSE(vma_has_flag(p, "lo"));
	EXPECT_EQ(1, count_mapped(p + page_size, 1));
}

TEST_F(mlock, R04_no_access)
{
	char *p = map(_metadata, self->fd, PROT_NONE, MAP_SHARED, 0, NR);
	long locked = locked_pages();

	EXPECT_EQ(ENOMEM, lock_errno(p, NR * page_size));
	EXPECT_EQ(!variant->insert, vma_has_flag(p, "lo"));
	EXPECT_EQ(locked + (variant->insert ? 0 : NR), locked_pages());
	EXPECT_EQ(0, pool_read("stored"));
}

/* ONFAULT is a mark on the VMA, which a special one does not take. */
TEST_F(mlock, R05_mlock2)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	long present = variant->insert ? NR : 0;
	long locked = locked_pages();

	EXPECT_ERRNO(EINVAL, mlock2(p, NR * page_size, 2));
	EXPECT_FALSE(vma_has_flag(p, "lo"));
	EXPECT_EQ(0, mlock2(p, NR * page_size, MLOCK_ONFAULT));
	EXPECT_EQ(present, count_mapped(p, NR));
	EXPECT_EQ(present, pool_read("stored"));
	EXPECT_EQ(!variant->insert, vma_has_flag(p, "lo"));
	EXPECT_EQ(locked + (variant->insert ? 0 : NR), locked_pages());
	/* Locked in full after all; it is counted once. */
	EXPECT_EQ(0, mlock2(p, NR * page_size, 0));
	EXPECT_EQ(NR, count_mapped(p, NR));
	EXPECT_EQ(locked + (variant->insert ? 0 : NR), locked_pages());
}

TEST_F(mlock, R06_bad_flags)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);

	EXPECT_ERRNO(EINVAL, mlockall(0));
	EXPECT_ERRNO(EINVAL, mlockall(MCL_ONFAULT));
	EXPECT_ERRNO(EINVAL, mlockall(MCL_CURRENT | 8));
	EXPECT_FALSE(vma_has_flag(p, "lo"));
	EXPECT_EQ(0, count_mapped(p, NR));
}

/* What a child that locks all of its memory finds of a mapping. */
struct locked {
	int fd;
	int flags;
	char *old;		/* mapped by then; else it maps afterwards */
	bool marked;
	long present;
};

static int child_locks_all(void *arg)
{
	struct locked *l = arg;
	char *p = l->old;
	long locked;

	if (mlockall(l->flags))
		return 1;
	locked = locked_pages();
	if (!p) {
		p = mmap(NULL, NR * page_size, PROT_READ, MAP_SHARED, l->fd, 0);
		if (p == MAP_FAILED)
			return 2;
		if (locked_pages() - locked != (l->marked ? NR : 0))
			return 3;
	}
	if (vma_has_flag(p, "lo") != l->marked)
		return 4;
	if (count_mapped(p, NR) != l->present)
		return 5;
	return munlockall() || vma_has_flag(p, "lo") ? 6 : 0;
}

TEST_F(mlock, R06_current)
{
	struct locked l = {
		.fd = self->fd,
		.flags = MCL_CURRENT,
		.old = map_shared(_metadata, self->fd, 0, NR),
		.marked = !variant->insert,
		.present = NR,
	};

	EXPECT_EQ(0, in_child(child_locks_all, &l));
}

/* Not of what is mapped already, only of what is mapped from then on. */
TEST_F(mlock, R06_future)
{
	struct locked l = {
		.fd = self->fd,
		.flags = MCL_FUTURE,
		.marked = !variant->insert,
		.present = NR,
	};

	EXPECT_EQ(0, in_child(child_locks_all, &l));
	ASSERT_EQ(0, discard(self->fd, 0, NR));
	l.old = map_shared(_metadata, self->fd, 0, NR);
	l.marked = false;
	l.present = 0;
	EXPECT_EQ(0, in_child(child_locks_all, &l));
}

/*
 * A special mapping loses the mark, and with it the word that it is to be
 * locked on fault only: mmap makes it present (do_mmap(), which decides by the
 * flags before the driver has set its own).
 */
TEST_F(mlock, R06_future_on_fault)
{
	struct locked l = {
		.fd = self->fd,
		.flags = MCL_FUTURE | MCL_ONFAULT,
		.marked = !variant->insert,
		.present = variant->insert ? NR : 0,
	};

	EXPECT_EQ(0, in_child(child_locks_all, &l));
}

static int child_is_not_locked(void *arg)
{
	return vma_has_flag(arg, "lo") || locked_pages();
}

TEST_F(mlock, R07_munlock_munmap_fork)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	long locked = locked_pages(), mine = variant->insert ? 0 : NR;

	ASSERT_EQ(0, mlock(p, NR * page_size));
	ASSERT_EQ(locked + mine, locked_pages());
	EXPECT_EQ(0, in_child(child_is_not_locked, p));
	EXPECT_EQ(0, munlock(p, 2 * page_size));
	EXPECT_FALSE(vma_has_flag(p, "lo"));
	EXPECT_EQ(!variant->insert, vma_has_flag(p + 2 * page_size, "lo"));
	EXPECT_EQ(locked + (mine ? mine - 2 : 0), locked_pages());
	EXPECT_EQ(NR, count_mapped(p, NR));
	EXPECT_EQ(0, munmap(p + page_size, 3 * page_size));
	EXPECT_EQ(locked + (mine ? mine - 4 : 0), locked_pages());
	EXPECT_EQ(0, munmap(p, NR * page_size));
	EXPECT_EQ(locked, locked_pages());
}

/*
 * What faults into a locked VMA waits in a batch of its CPU, which holds a
 * reference, for the core to note that it is locked. Pages that are discarded
 * then are left to it, or come back: each is accounted for, none is used twice.
 */
TEST_F(mlock, R08_pages_in_batches)
{
	long held, forgotten;
	char *p;
	int i;

	for (i = 0; i < 20; i++) {
		p = map_shared(_metadata, self->fd, 0, NR);
		ASSERT_EQ(0, mlock2(p, NR * page_size, MLOCK_ONFAULT));
		EXPECT_EQ(-1, nonzero(p, NR * page_size));
		write_pages(p, NR, i + 1);
		held = pool_read("held");
		forgotten = pool_read("forgotten");
		ASSERT_EQ(0, discard(self->fd, 0, NR));
		EXPECT_EQ(0, count_mapped(p, NR));
		EXPECT_EQ(held + forgotten,
			  pool_read("held") + pool_read("forgotten"));
		EXPECT_EQ(pool_read("held"),
			  pool_read("cached") + pool_read("lent"));
		ASSERT_EQ(0, munmap(p, NR * page_size));
	}
}

TEST_HARNESS_MAIN
