// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that a sealed mapping of the device can be used as ever: faults,
 * writes, syncs, advice, fork and the end of the process are none of a seal's
 * business, and what the device has there is not, either. Each test runs in
 * both fault modes.
 *
 * The ids (U02, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; mseal(2), Linux 6.10.
 */
#include "mmapdemo_test.h"
#include "mseal_util.h"
#include "race.h"

DEVICE_FIXTURE(mseal_use)

static int do_msync(struct sealed *s)
{
	return msync(s->p, NR * page_size, MS_SYNC) ? errno :
	       pool_read("unsynced") ? EIO : 0;
}

static int do_write(struct sealed *s)
{
	write_pages(s->p, NR, 'w');
	return pool_read("unsynced") != NR ? EIO : 0;
}

/* Also what drops page table entries: the device has the data. */
static int do_dontneed(struct sealed *s)
{
	if (madvise(s->p, NR * page_size, MADV_DONTNEED))
		return errno;
	return count_mapped(s->p, NR) || s->p[0] != 'w' ? EIO : 0;
}

static int do_populate(struct sealed *s)
{
	if (madvise(s->p, NR * page_size, MADV_POPULATE_WRITE))
		return errno;
	return count_mapped(s->p, NR) != NR ? EIO : 0;
}

/* Splits it, and the parts are sealed. */
static int do_advise_part(struct sealed *s)
{
	if (madvise(s->p + page_size, page_size, MADV_RANDOM))
		return errno;
	return count_vmas(s->p, NR) != 3 || !is_sealed(s->p) ||
	       !is_sealed(s->p + page_size) ||
	       !is_sealed(s->p + 2 * page_size) ? EIO : 0;
}

static int do_lock(struct sealed *s)
{
	return mlock(s->p, NR * page_size) || munlock(s->p, NR * page_size) ?
	       errno : 0;
}

static int do_seal_again(struct sealed *s)
{
	return seal(s->p, NR * page_size, 0);
}

/* A child of the child: the seal is inherited. */
static int inherits(void *arg)
{
	struct sealed *s = arg;

	return !is_sealed(s->p) || do_munmap(s) != EPERM || s->p[0] != 'w';
}

static int do_fork(struct sealed *s)
{
	return in_child(inherits, s) ? EIO : 0;
}

/* A seal is on the addresses, not on what the device has for them. */
static int do_discard(struct sealed *s)
{
	return discard(s->fd, 0, NR) ? errno :
	       nonzero(s->p, NR * page_size) >= 0 ? EIO : 0;
}

static int do_resize(struct sealed *s)
{
	struct trap trap;

	if (resize(s->fd, NR / 2))
		return errno;
	trap = touch(s->p + NR / 2 * page_size, -1);
	return resize(s->fd, s->end) ? errno :
	       trap.sig != SIGBUS || trap.code != BUS_ADRERR ? EIO : 0;
}

/* In this order. */
static const struct {
	const char *name;
	int (*fn)(struct sealed *s);
} allowed[] = {
	{ "writing", do_write },
	{ "msync", do_msync },
	{ "writing again", do_write },
	{ "MADV_DONTNEED", do_dontneed },
	{ "MADV_POPULATE_WRITE", do_populate },
	{ "mlock", do_lock },
	{ "MADV_RANDOM of a part", do_advise_part },
	{ "mseal again", do_seal_again },
	{ "fork", do_fork },
	{ "DISCARD", do_discard },
	{ "RESIZE", do_resize },
};

static int child_is_allowed(void *arg)
{
	struct sealed *s = arg;
	int wrong = 0, error;
	size_t i;

	sealed_map(s, 0);
	error = seal(s->p, NR * page_size, 0);
	if (error)
		return complain("mseal", error);
	for (i = 0; i < ARRAY_SIZE(allowed); i++) {
		error = allowed[i].fn(s);
		if (error)
			wrong += complain(allowed[i].name, error);
	}
	return wrong;
}

/* And the end of the process is not held up: every VMA is closed. */
TEST_F(mseal_use, U02_allowed)
{
	struct sealed s = { .fd = self->fd, .end = self->dev.nr_pages };
	long balance = vma_balance();

	if (no_seal())
		SKIP(return, NEEDS_SEAL);
	EXPECT_EQ(0, in_child(child_is_allowed, &s));
	EXPECT_EQ(balance, vma_balance());
}

static int child_seals_a_copy(void *arg)
{
	struct sealed *s = arg;
	char *p = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE, s->fd, 0);

	p[0] = 'p';
	if (mprotect(p, 2 * page_size, PROT_READ) || seal(p, 2 * page_size, 0))
		return 2;
	if (munmap(p, page_size) != -1 || errno != EPERM)
		return 3;
	/* Of a file, even copies that cannot be written may be dropped. */
	return madvise(p, page_size, MADV_DONTNEED) || p[0];
}

/* Q16: only read-only anonymous memory is spared such advice. */
TEST_F(mseal_use, Q16_U02_private_copies)
{
	struct sealed s = { .fd = self->fd };

	if (no_seal())
		SKIP(return, NEEDS_SEAL);
	EXPECT_EQ(0, in_child(child_seals_a_copy, &s));
}

TEST_HARNESS_MAIN
