// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that whoever waits for one of the device's locks dies when it is
 * killed: within a second, 64 at a time, with the lock held by another all that
 * while (kunit/hold.c).
 *
 * Needs: see mmapdemo_test.h; mmapdemo_hold.ko.
 */
#include "mmapdemo_test.h"
#include "crowd.h"
#include "hold.h"

#include <sys/uio.h>

/* Pages that hold data: the last of them is what is waited for; and a hole. */
#define STORED	4
#define PAGE	(STORED - 1)
#define HOLE	40
#define NR	64
#define SEED	3

/* Where they wait. */
struct place {
	int fd, other;		/* the device; another file, of a page */
	char *shared, *private;	/* mappings */
	size_t pgoff;
};

FIXTURE(killed_waiting) {
	struct device dev;
	int fd, holder;
	struct place place;
};

FIXTURE_VARIANT(killed_waiting) {
	enum hold_what what;
	size_t pgoff;
	bool (*prepare)(void *place);
	int (*act)(void *place);
	bool insert;
	bool full;		/* no page is left */
};

FIXTURE_SETUP(killed_waiting)
{
	struct place *place = &self->place;

	self->holder = hold_setup(_metadata);
	device_setup(_metadata, &self->dev, variant->insert);
	self->fd = self->dev.fd;
	ASSERT_TRUE(fill(self->fd, 0, STORED, SEED));
	place->fd = self->fd;
	place->pgoff = variant->pgoff;
	place->shared = map_shared(_metadata, self->fd, 0, NR);
	place->private = map_private(_metadata, self->fd, 0, NR);
	place->other = memfd_create("other", 0);
	ASSERT_EQ(0, ftruncate(place->other, page_size));
	if (variant->full) {
		ASSERT_EQ(0, resize(self->fd, 2 * self->dev.nr_pages));
		ASSERT_TRUE(fill_pool(self->fd, NR, 0));
	}
}

FIXTURE_TEARDOWN_PARENT(killed_waiting)
{
	device_reopen(_metadata, &self->dev);
	device_teardown(_metadata, &self->dev);
	hold_teardown(_metadata);
}

static char *page_of(const struct place *place)
{
	return place->shared + place->pgoff * page_size;
}

static off_t offset_of(const struct place *place)
{
	return place->pgoff * page_size;
}

/* --- Faults -------------------------------------------------------------- */

static int do_load(void *place)
{
	read_byte(page_of(place));
	return 0;
}

/* Then the page table has an entry, which is not writable. */
static bool load_first(void *place)
{
	return !do_load(place);
}

static int do_store(void *place)
{
	write_byte(page_of(place), 1);
	return 0;
}

static int do_store_private(void *arg)
{
	struct place *place = arg;

	write_byte(place->private + offset_of(place), 1);
	return 0;
}

/* The kernel's own store to user memory. */
static int do_read_into(void *arg)
{
	struct place *place = arg;

	return pread(place->other, page_of(place), 1, 0) != 1;
}

/* get_user_pages(): the fault of a caller that has let go of nothing ... */
static int do_vm_read(void *place)
{
	return process_peek(getpid(), page_of(place)) < 0;
}

/* ... and of one that does not let us let go of the address space. */
static int do_debugger(void *place)
{
	int fd = open("/proc/self/mem", O_RDWR);

	return pwrite(fd, "x", 1, (uintptr_t)page_of(place)) != 1;
}

static int do_populate_read(void *place)
{
	return madvise(page_of(place), page_size, MADV_POPULATE_READ);
}

static int do_populate_write(void *place)
{
	return madvise(page_of(place), page_size, MADV_POPULATE_WRITE);
}

static int do_lock(void *place)
{
	return mlock(page_of(place), page_size);
}

#define WAITS(lock, page, call) { .what = lock, .pgoff = page, .act = call, }
#define PAGE_WAITS(call)	WAITS(HOLD_PAGE, PAGE, call)
#define HOLE_WAITS(call)	WAITS(HOLD_INVALIDATE, HOLE, call)

/* For the lock of a page that is there, and for a hole to be filled. */
FIXTURE_VARIANT_ADD(killed_waiting, load_of_page) PAGE_WAITS(do_load);
FIXTURE_VARIANT_ADD(killed_waiting, load_of_hole) HOLE_WAITS(do_load);
FIXTURE_VARIANT_ADD(killed_waiting, store_of_page) PAGE_WAITS(do_store);
FIXTURE_VARIANT_ADD(killed_waiting, store_of_hole) HOLE_WAITS(do_store);
FIXTURE_VARIANT_ADD(killed_waiting, private_store_of_page) PAGE_WAITS(do_store_private);
FIXTURE_VARIANT_ADD(killed_waiting, private_store_of_hole) HOLE_WAITS(do_store_private);
FIXTURE_VARIANT_ADD(killed_waiting, read_into_of_page) PAGE_WAITS(do_read_into);
FIXTURE_VARIANT_ADD(killed_waiting, read_into_of_hole) HOLE_WAITS(do_read_into);
FIXTURE_VARIANT_ADD(killed_waiting, vm_read_of_page) PAGE_WAITS(do_vm_read);
FIXTURE_VARIANT_ADD(killed_waiting, vm_read_of_hole) HOLE_WAITS(do_vm_read);
FIXTURE_VARIANT_ADD(killed_waiting, debugger_of_page) PAGE_WAITS(do_debugger);
FIXTURE_VARIANT_ADD(killed_waiting, debugger_of_hole) HOLE_WAITS(do_debugger);
FIXTURE_VARIANT_ADD(killed_waiting, populate_read_of_page) PAGE_WAITS(do_populate_read);
FIXTURE_VARIANT_ADD(killed_waiting, populate_read_of_hole) HOLE_WAITS(do_populate_read);
FIXTURE_VARIANT_ADD(killed_waiting, populate_write_of_page) PAGE_WAITS(do_populate_write);
FIXTURE_VARIANT_ADD(killed_waiting, populate_write_of_hole) HOLE_WAITS(do_populate_write);
FIXTURE_VARIANT_ADD(killed_waiting, mlock_of_page) PAGE_WAITS(do_lock);
FIXTURE_VARIANT_ADD(killed_waiting, mlock_of_hole) HOLE_WAITS(do_lock);

/* The same handler, in the other mode. */
FIXTURE_VARIANT_ADD(killed_waiting, insert_load_of_page) {
	.insert = true, .what = HOLD_PAGE, .pgoff = PAGE, .act = do_load,
};

FIXTURE_VARIANT_ADD(killed_waiting, insert_store_of_hole) {
	.insert = true, .what = HOLD_INVALIDATE, .pgoff = HOLE, .act = do_store,
};

/* ->page_mkwrite */
FIXTURE_VARIANT_ADD(killed_waiting, store_after_load) {
	.what = HOLD_PAGE, .pgoff = PAGE, .prepare = load_first, .act = do_store,
};

/* At the cap, for others who might give a page back. */
FIXTURE_VARIANT_ADD(killed_waiting, store_at_the_cap) {
	.what = HOLD_INVALIDATE_SHARED, .pgoff = HOLE, .full = true, .act = do_store,
};

/* --- Calls ---------------------------------------------------------------- */

static int do_write(void *arg)
{
	struct place *place = arg;

	return pwrite(place->fd, "x", 1, offset_of(place)) != 1;
}

static int do_write_sync(void *arg)
{
	struct place *place = arg;
	struct iovec iov = { "x", 1 };

	return pwritev2(place->fd, &iov, 1, offset_of(place), RWF_DSYNC) != 1;
}

/* In the copy of what it writes. */
static int do_write_from(void *arg)
{
	struct place *place = arg;

	return pwrite(place->fd, page_of(place), 1, 0) != 1;
}

static int do_splice(void *arg)
{
	struct place *place = arg;
	loff_t offset = offset_of(place);
	int p[2];

	return pipe(p) || write(p[1], "x", 1) != 1 ||
	       splice(p[0], NULL, place->fd, &offset, 1, 0) != 1;
}

static int do_fsync(void *arg)
{
	struct place *place = arg;

	return fsync(place->fd);
}

static int do_msync(void *place)
{
	return msync(page_of(place), page_size, MS_SYNC);
}

static int do_discard(void *arg)
{
	struct place *place = arg;

	return discard(place->fd, place->pgoff, 1);
}

static int do_shrink(void *arg)
{
	struct place *place = arg;

	return resize(place->fd, place->pgoff);
}

static int do_grow(void *arg)
{
	struct place *place = arg;

	return resize(place->fd, lseek(place->fd, 0, SEEK_END) / page_size + 1);
}

static int do_seek_data(void *arg)
{
	struct place *place = arg;

	return lseek(place->fd, 0, SEEK_DATA) < 0;
}

static int do_seek_hole(void *arg)
{
	struct place *place = arg;

	return lseek(place->fd, 0, SEEK_HOLE) < 0;
}

static int do_harvest(void *arg)
{
	struct place *place = arg;

	return !log_bits(place->fd, MMAPDEMO_DIRTY_LOG_CLEAR);
}

FIXTURE_VARIANT_ADD(killed_waiting, write) WAITS(HOLD_INODE, PAGE, do_write);
FIXTURE_VARIANT_ADD(killed_waiting, write_to_hole) HOLE_WAITS(do_write);
FIXTURE_VARIANT_ADD(killed_waiting, write_that_syncs) PAGE_WAITS(do_write_sync);
FIXTURE_VARIANT_ADD(killed_waiting, write_from_mapping) PAGE_WAITS(do_write_from);
FIXTURE_VARIANT_ADD(killed_waiting, splice) WAITS(HOLD_INODE, PAGE, do_splice);
FIXTURE_VARIANT_ADD(killed_waiting, fsync) PAGE_WAITS(do_fsync);
FIXTURE_VARIANT_ADD(killed_waiting, msync) PAGE_WAITS(do_msync);
FIXTURE_VARIANT_ADD(killed_waiting, discard) WAITS(HOLD_INODE, PAGE, do_discard);
FIXTURE_VARIANT_ADD(killed_waiting, discard_of_any) WAITS(HOLD_INVALIDATE, PAGE, do_discard);
FIXTURE_VARIANT_ADD(killed_waiting, discard_of_page) PAGE_WAITS(do_discard);
FIXTURE_VARIANT_ADD(killed_waiting, shrink) WAITS(HOLD_INODE, PAGE, do_shrink);
FIXTURE_VARIANT_ADD(killed_waiting, shrink_of_any) WAITS(HOLD_INVALIDATE, PAGE, do_shrink);
FIXTURE_VARIANT_ADD(killed_waiting, shrink_of_page) PAGE_WAITS(do_shrink);
FIXTURE_VARIANT_ADD(killed_waiting, grow) WAITS(HOLD_INODE, PAGE, do_grow);
FIXTURE_VARIANT_ADD(killed_waiting, grow_of_any) WAITS(HOLD_INVALIDATE, PAGE, do_grow);
FIXTURE_VARIANT_ADD(killed_waiting, seek_data) WAITS(HOLD_INODE, PAGE, do_seek_data);
FIXTURE_VARIANT_ADD(killed_waiting, seek_hole) WAITS(HOLD_INODE, PAGE, do_seek_hole);
FIXTURE_VARIANT_ADD(killed_waiting, harvest) PAGE_WAITS(do_harvest);

/* All that they wait for is held until the last one is gone, or is not. */
TEST_F(killed_waiting, dies)
{
	const struct crowd_job job = {
		.prepare = variant->prepare, .act = variant->act,
		.arg = &self->place, .not_theirs = self->holder,
	};
	struct crowd crowd;
	int left;

	crowd_start(&crowd, CROWD, &job);
	ASSERT_EQ(0, hold(self->holder, self->fd, variant->what,
			  variant->pgoff));
	crowd_go(&crowd);
	EXPECT_EQ(CROWD, crowd_waiting(&crowd));
	left = crowd_survivors(&crowd);
	ASSERT_EQ(0, let_go(self->holder));
	EXPECT_EQ(0, left)
		TH_LOG("%d of %d outlived SIGKILL by a second", left, CROWD);
	crowd_reap(&crowd, 0);
	EXPECT_EQ(CROWD, crowd.killed);

	/* What nobody was about to change. */
	EXPECT_EQ(-1, bad_read(self->fd, 1, PAGE - 1, SEED));
}

TEST_HARNESS_MAIN
