// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handlers of a mapping, called by the core: each case maps a device of its
 * own and touches pages as a program does. Where a program gets SIGBUS, the
 * kernel's user accesses here get EFAULT.
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/random.h>

#include "mode_helpers.h"
#include "vma_helpers.h"

static void vma_has_the_flags_of_its_mode(struct kunit *test)
{
	unsigned long addr = map_shared(test, mode_of(test));
	struct vm_area_struct *vma;
	unsigned long flags = 0;

	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, addr);
	if (vma)
		flags = vma->vm_flags;
	mmap_read_unlock(current->mm);
	KUNIT_ASSERT_NOT_NULL(test, vma);
	KUNIT_EXPECT_EQ(test, flags & VM_SPECIAL,
			is_insert(test) ? VM_MIXEDMAP : 0);
}

static void vma_reads_zeros_first(struct kunit *test)
{
	unsigned long addr = map_shared(test, mode_of(test));
	struct vma_test *vt = test->priv;
	unsigned long page;

	for (page = 0; page < 10; page++)
		KUNIT_EXPECT_EQ(test, peek(addr, page), 0);
	KUNIT_EXPECT_EQ(test, store_count(store_of(test)), 10);
	KUNIT_EXPECT_EQ(test, vt->dev.store.nr_dirty, 0);
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_MMAP), 1);
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_FAULT_READ), 10);
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_MKWRITE), 0);
}

static void vma_makes_a_page_for_a_write(struct kunit *test)
{
	unsigned long addr = map_shared(test, mode_of(test));
	struct vma_test *vt = test->priv;

	KUNIT_EXPECT_EQ(test, poke(addr, 7, 0x77), 0);
	KUNIT_EXPECT_EQ(test, peek(addr, 7), 0x77);
	KUNIT_EXPECT_EQ(test, store_count(store_of(test)), 1);
	KUNIT_EXPECT_TRUE(test, store_is_dirty(store_of(test), 7));
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_FAULT_WRITE), 1);
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_FAULT_READ), 0);
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_MKWRITE), 1);
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_DIRTIED), 1);
}

static void vma_faults_past_the_end(struct kunit *test)
{
	unsigned long addr = map_shared(test, mode_of(test));
	struct vma_test *vt = test->priv;

	KUNIT_EXPECT_EQ(test, poke(addr, VMA_SLOTS - 1, 1), 0);
	KUNIT_EXPECT_EQ(test, peek(addr, VMA_SLOTS), -EFAULT);
	KUNIT_EXPECT_EQ(test, poke(addr, VMA_SLOTS, 1), -EFAULT);
	KUNIT_EXPECT_EQ(test, peek(addr, VMA_PAGES - 1), -EFAULT);
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_SIGBUS_SIZE), 3);
	KUNIT_EXPECT_EQ(test, store_count(store_of(test)), 1);
}

static void vma_faults_at_the_cap(struct kunit *test)
{
	unsigned long addr = map_shared(test, mode_of(test));
	struct vma_test *vt = test->priv;

	vt->dev.pool.cap = 2;
	KUNIT_EXPECT_EQ(test, poke(addr, 0, 0x10), 0);
	KUNIT_EXPECT_EQ(test, peek(addr, 1), 0);
	KUNIT_EXPECT_EQ(test, peek(addr, 2), -EFAULT);
	KUNIT_EXPECT_EQ(test, poke(addr, 3, 1), -EFAULT);
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_SIGBUS_CAP), 2);
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_SIGBUS_SIZE), 0);
	/* Stored data is not affected, and a discard makes room. */
	KUNIT_EXPECT_EQ(test, peek(addr, 0), 0x10);
	KUNIT_EXPECT_EQ(test, store_discard(store_of(test), 1, 2), 1);
	KUNIT_EXPECT_EQ(test, poke(addr, 3, 1), 0);
}

static void resize_to(struct kunit *test, pgoff_t nr_slots)
{
	struct mmapdemo_store *store = store_of(test);

	inode_lock(store->inode);
	mmapdemo_store_resize(store, (loff_t)nr_slots << PAGE_SHIFT);
	inode_unlock(store->inode);
}

static void vma_sees_a_resize(struct kunit *test)
{
	unsigned long addr = map_shared(test, mode_of(test));

	KUNIT_EXPECT_EQ(test, poke(addr, 4, 0x44), 0);
	KUNIT_EXPECT_EQ(test, poke(addr, 5, 0x55), 0);
	resize_to(test, 5);
	KUNIT_EXPECT_EQ(test, peek(addr, 4), 0x44);
	KUNIT_EXPECT_EQ(test, peek(addr, 5), -EFAULT);
	KUNIT_EXPECT_EQ(test, store_count(store_of(test)), 1);
	resize_to(test, VMA_PAGES);
	KUNIT_EXPECT_EQ(test, peek(addr, 5), 0);
	KUNIT_EXPECT_EQ(test, poke(addr, VMA_SLOTS, 1), 0);
}

/*
 * Killed as it waits for page 20: what lies past the end is out of reach, and a
 * worker takes it away. It cannot before we let go of the inode's lock.
 */
static void vma_sees_a_shrink_that_was_killed(struct kunit *test)
{
	unsigned long private = map_from(test, mode_of(test), MAP_PRIVATE, 0,
					 VMA_PAGES);
	unsigned long addr = map_shared(test, mode_of(test));
	struct mmapdemo_store *store = store_of(test);
	struct folio *folio;
	int err;

	KUNIT_EXPECT_EQ(test, poke(addr, 10, 0x10), 0);
	KUNIT_EXPECT_EQ(test, poke(addr, 30, 0x30), 0);
	KUNIT_EXPECT_EQ(test, poke(private, 30, 0x99), 0);
	folio = store_touch(store, 20, true);
	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	inode_lock(store->inode);
	folio_lock(folio);
	set_killed(true);
	err = mmapdemo_store_resize(store, 5 * PAGE_SIZE);
	set_killed(false);
	folio_unlock(folio);
	KUNIT_EXPECT_EQ(test, err, -EINTR);
	KUNIT_EXPECT_EQ(test, peek(addr, 10), -EFAULT);
	KUNIT_EXPECT_EQ(test, peek(addr, 30), -EFAULT);
	KUNIT_EXPECT_EQ(test, poke(addr, 30, 1), -EFAULT);
	inode_unlock(store->inode);
	flush_work(&store->trim);
	KUNIT_EXPECT_EQ(test, store_count(store), 0);
	KUNIT_EXPECT_EQ(test, peek(private, 30), -EFAULT);
	resize_to(test, VMA_PAGES);
	KUNIT_EXPECT_EQ(test, peek(addr, 30), 0);
	KUNIT_EXPECT_EQ(test, peek(private, 30), 0);
}

static void vma_sees_a_discard(struct kunit *test)
{
	unsigned long addr = map_shared(test, mode_of(test));
	unsigned long page;

	for (page = 0; page < 20; page++)
		KUNIT_EXPECT_EQ(test, poke(addr, page, 0x33), 0);
	KUNIT_EXPECT_EQ(test, store_discard(store_of(test), 5, 15), 10);
	for (page = 0; page < 20; page++)
		KUNIT_EXPECT_EQ(test, peek(addr, page),
				page >= 5 && page < 15 ? 0 : 0x33);
	KUNIT_EXPECT_EQ(test, store_of(test)->nr_dirty, 10);
}

static void vma_copies_a_private_page(struct kunit *test)
{
	unsigned long private = map_from(test, mode_of(test), MAP_PRIVATE, 0,
					 VMA_PAGES);
	unsigned long shared = map_shared(test, mode_of(test));
	struct vma_test *vt = test->priv;

	KUNIT_EXPECT_EQ(test, poke(shared, 2, 0x22), 0);
	KUNIT_EXPECT_EQ(test, poke(private, 2, 0x99), 0);
	KUNIT_EXPECT_EQ(test, poke(private, 3, 0x99), 0);
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_FAULT_COW), 2);
	KUNIT_EXPECT_EQ(test, peek(shared, 2), 0x22);
	KUNIT_EXPECT_EQ(test, peek(shared, 3), 0);
	/* The device has heard of the first one only. */
	KUNIT_EXPECT_EQ(test, store_of(test)->nr_dirty, 1);
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_MKWRITE), 1);
	/* A discard keeps private copies, a truncation removes them. */
	KUNIT_EXPECT_EQ(test, store_discard(store_of(test), 0, 9), 2);
	KUNIT_EXPECT_EQ(test, peek(private, 2), 0x99);
	KUNIT_EXPECT_EQ(test, peek(shared, 2), 0);
	resize_to(test, 1);
	KUNIT_EXPECT_EQ(test, peek(private, 2), -EFAULT);
}

static void vma_shares_pages_with_other_mappings(struct kunit *test)
{
	unsigned long one = map_shared(test, "map_pages");
	unsigned long two = map_from(test, mode_of(test), MAP_SHARED, 30, 10);

	KUNIT_EXPECT_NE(test, one, two);
	KUNIT_EXPECT_EQ(test, poke(one, 33, 0x33), 0);
	KUNIT_EXPECT_EQ(test, peek(two, 3), 0x33);
	KUNIT_EXPECT_EQ(test, poke(two, 4, 0x34), 0);
	KUNIT_EXPECT_EQ(test, peek(one, 34), 0x34);
	KUNIT_EXPECT_EQ(test, store_count(store_of(test)), 2);
}

/* Return: how many of the slots [@start, @end) are mapped. */
static unsigned long nr_mapped(struct mmapdemo_store *store, pgoff_t start,
			       pgoff_t end)
{
	unsigned long nr = 0;

	for (; start < end; start++) {
		struct folio *folio = mmapdemo_store_get(store, start);

		if (!folio)
			continue;
		nr += folio_mapped(folio);
		folio_put(folio);
	}
	return nr;
}

/* By default both modes map an aligned window of 64K: 16 pages of 4K. */
static void vma_maps_what_is_present_around_a_read(struct kunit *test)
{
	const unsigned long window = SZ_64K / PAGE_SIZE, end = 2 * window;
	unsigned long addr = map_shared(test, mode_of(test));
	struct mmapdemo_store *store = store_of(test);
	struct vma_test *vt = test->priv;
	unsigned long page;

	if (window < 2)
		kunit_skip(test, "needs pages smaller than 64K");
	/* All but the last page of two windows. */
	for (page = 0; page < end - 1; page++)
		KUNIT_ASSERT_FALSE(test, IS_ERR(store_touch(store, page, false)));
	KUNIT_EXPECT_EQ(test, nr_mapped(store, 0, end), 0);
	KUNIT_EXPECT_EQ(test, peek(addr, window + window / 2 - 1), 0);
	KUNIT_EXPECT_EQ(test, nr_mapped(store, 0, window), 0);
	KUNIT_EXPECT_EQ(test, nr_mapped(store, window, end), window - 1);
	for (page = window; page < end; page++)
		KUNIT_EXPECT_EQ(test, peek(addr, page), 0);
	/* One fault for the window, and one for the page that was missing. */
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_FAULT_READ) +
			counted(vt, STAT_MAP_PAGES), 2);
	KUNIT_EXPECT_EQ(test, counted(vt, STAT_INSERTED),
			is_insert(test) ? window : 0);
}

static void vma_finds_its_pages_after_a_split(struct kunit *test)
{
	unsigned long addr = map_shared(test, mode_of(test));
	struct vma_test *vt = test->priv;

	KUNIT_EXPECT_EQ(test, poke(addr, 0, 0x10), 0);
	KUNIT_EXPECT_EQ(test, poke(addr, 9, 0x19), 0);
	KUNIT_EXPECT_EQ(test, vm_munmap(addr + 4 * PAGE_SIZE, 4 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, peek(addr, 5), -EFAULT);
	KUNIT_EXPECT_EQ(test, store_discard(store_of(test), 9, 10), 1);
	KUNIT_EXPECT_EQ(test, poke(addr, 9, 0x29), 0);
	KUNIT_EXPECT_EQ(test, peek(addr, 0), 0x10);
	KUNIT_EXPECT_TRUE(test, store_is_dirty(store_of(test), 9));
	/* Two of three VMAs are left; then none. */
	KUNIT_EXPECT_EQ(test, 1 + counted(vt, STAT_VMA_OPEN) -
			counted(vt, STAT_VMA_CLOSE), 2);
	KUNIT_EXPECT_EQ(test, vm_munmap(addr, VMA_PAGES * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, 1 + counted(vt, STAT_VMA_OPEN),
			counted(vt, STAT_VMA_CLOSE));
	KUNIT_EXPECT_EQ(test, nr_mapped(store_of(test), 0, VMA_SLOTS), 0);
}

static void vma_sees_what_read_and_write_see(struct kunit *test)
{
	unsigned long addr = map_shared(test, mode_of(test));
	struct vma_test *vt = test->priv;
	loff_t pos = 6 * PAGE_SIZE;
	u8 byte = 0x66;

	KUNIT_EXPECT_EQ(test, peek(addr, 6), 0);
	KUNIT_EXPECT_EQ(test, kernel_write(vt->file, &byte, 1, &pos), 1);
	KUNIT_EXPECT_EQ(test, pos, 6 * PAGE_SIZE + 1);
	KUNIT_EXPECT_EQ(test, peek(addr, 6), 0x66);
	KUNIT_EXPECT_TRUE(test, store_is_dirty(store_of(test), 6));
	KUNIT_EXPECT_EQ(test, poke(addr, 6, 0x67), 0);
	pos = 6 * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, kernel_read(vt->file, &byte, 1, &pos), 1);
	KUNIT_EXPECT_EQ(test, byte, 0x67);
}

/* What a device of VMA_SLOTS pages should hold. */
struct model {
	u8 byte[VMA_SLOTS];
	bool dirty[VMA_SLOTS];
	bool unsynced[VMA_SLOTS];
};

/* Does a random step on the device and its model. Return: whether it worked. */
static bool model_step(struct vma_test *vt, unsigned long addr,
		       struct model *model, struct rnd_state *rnd)
{
	pgoff_t pgoff = prandom_u32_state(rnd) % VMA_SLOTS;
	pgoff_t nr = prandom_u32_state(rnd) % (VMA_SLOTS - pgoff) + 1;
	u8 byte = prandom_u32_state(rnd);
	loff_t pos = pgoff * PAGE_SIZE;

	switch (prandom_u32_state(rnd) % 16) {
	case 0:
		memset(model->byte + pgoff, 0, nr);
		memset(model->dirty + pgoff, 0, nr);
		memset(model->unsynced + pgoff, 0, nr);
		mmapdemo_store_discard(&vt->dev.store, pgoff, pgoff + nr);
		return true;
	case 1:
		memset(model->unsynced + pgoff, 0, nr);
		return !vfs_fsync_range(vt->file, pos, pos + nr * PAGE_SIZE - 1, 0);
	case 2 ... 3:
		model->byte[pgoff] = byte;
		model->dirty[pgoff] = true;
		model->unsynced[pgoff] = true;
		return kernel_write(vt->file, &byte, 1, &pos) == 1;
	case 4 ... 9:
		model->byte[pgoff] = byte;
		model->dirty[pgoff] = true;
		model->unsynced[pgoff] = true;
		return !poke(addr, pgoff, byte);
	default:
		return peek(addr, pgoff) == model->byte[pgoff];
	}
}

/* Random steps against a model: arrays of page contents and marks. */
static void vma_follows_its_model(struct kunit *test)
{
	unsigned long addr = map_shared(test, mode_of(test));
	struct mmapdemo_store *store = store_of(test);
	u64 seed = get_random_u64();
	unsigned long step, wrong = 0;
	struct model model = { };
	struct rnd_state rnd;
	pgoff_t pgoff;

	kunit_info(test, "seed %llu", seed);
	prandom_seed_state(&rnd, seed);
	for (step = 0; step < 3000; step++)
		wrong += !model_step(test->priv, addr, &model, &rnd);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	for (pgoff = 0; pgoff < VMA_SLOTS; pgoff++) {
		KUNIT_EXPECT_EQ(test, store_is_dirty(store, pgoff),
				model.dirty[pgoff]);
		KUNIT_EXPECT_EQ(test, store_is_unsynced(store, pgoff),
				model.unsynced[pgoff]);
		KUNIT_EXPECT_EQ(test, peek(addr, pgoff), model.byte[pgoff]);
	}
}

static struct kunit_case vma_cases[] = {
	KUNIT_CASE_PARAM(vma_has_the_flags_of_its_mode, mode_gen_params),
	KUNIT_CASE_PARAM(vma_reads_zeros_first, mode_gen_params),
	KUNIT_CASE_PARAM(vma_makes_a_page_for_a_write, mode_gen_params),
	KUNIT_CASE_PARAM(vma_faults_past_the_end, mode_gen_params),
	KUNIT_CASE_PARAM(vma_faults_at_the_cap, mode_gen_params),
	KUNIT_CASE_PARAM(vma_sees_a_resize, mode_gen_params),
	KUNIT_CASE_PARAM(vma_sees_a_shrink_that_was_killed, mode_gen_params),
	KUNIT_CASE_PARAM(vma_sees_a_discard, mode_gen_params),
	KUNIT_CASE_PARAM(vma_copies_a_private_page, mode_gen_params),
	KUNIT_CASE_PARAM(vma_shares_pages_with_other_mappings, mode_gen_params),
	KUNIT_CASE_PARAM(vma_maps_what_is_present_around_a_read,
			 mode_gen_params),
	KUNIT_CASE_PARAM(vma_finds_its_pages_after_a_split, mode_gen_params),
	KUNIT_CASE_PARAM(vma_sees_what_read_and_write_see, mode_gen_params),
	KUNIT_CASE_PARAM(vma_follows_its_model, mode_gen_params),
	{ }
};

static struct kunit_suite vma_suite = {
	.name = "mmapdemo_vma",
	.init = vma_test_init,
	.exit = vma_test_exit,
	.test_cases = vma_cases,
};

kunit_test_suite(vma_suite);
