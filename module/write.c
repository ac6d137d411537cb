// SPDX-License-Identifier: GPL-2.0-only
/*
 * The door: whatever changes what the device holds passes here, before it does
 * and after.
 *
 *   mmapdemo_touch()		the node's times; may block, so under no page's lock
 *   mmapdemo_begin_write()	before: may the page be written, is it still ours?
 *   ... the change ...		a PTE turns writable, bytes are copied
 *   mmapdemo_end_write()	after: the marks
 *
 * A page that is made for a hole gets its marks as it enters the store, and one
 * that is removed loses them as it leaves.
 *
 * Why no write is missed: a PTE of a shared mapping is writable only while its
 * page has all three marks, and a page loses one only after all its PTEs have
 * been write-protected. ->page_mkwrite sets the marks before the PTE becomes
 * writable; mmapdemo_clear_mark() write-protects before it clears. Both hold
 * the folio lock across their two steps, so the steps cannot interleave.
 * Writers without a PTE (write(2), or a device that got the page from
 * get_user_pages) set the marks after the last byte is written, not before: a
 * page that is cleared in between gets its mark again.
 *
 * The marks decide, never PG_dirty: others set that flag as they please (KVM,
 * with no word to the address_space). It is set with the second of the two
 * marks of a write, and cleared with either, for the sake of those who look at
 * it before they tell us of a write (mm/gup.c, unpin_user_pages_dirty_lock()).
 */
#include <linux/mm.h>
#include <linux/rmap.h>
#include <linux/timekeeping.h>

#include "compat.h"
#include "stats.h"
#include "trace.h"
#include "write.h"

/*
 * Whether the times of a node are already what they would be set to, which they are
 * for a few milliseconds: with file_update_time() to find out takes some hundred
 * instructions. It has more to look at where times are finer (multigrain), or come
 * with a version.
 */
static bool is_touched(const struct inode *inode)
{
	struct timespec64 now, mtime, ctime;

	if (is_mgtime(inode) || IS_I_VERSION(inode))
		return false;
	ktime_get_coarse_real_ts64(&now);
	mtime = inode_get_mtime(inode);
	ctime = inode_get_ctime(inode);
	return timespec64_equal(&now, &mtime) && timespec64_equal(&now, &ctime);
}

/**
 * mmapdemo_touch() - update the times of a device node
 * @file: a file opened through it
 *
 * Not if the node lives on a filesystem that is being frozen: ext4 would
 * complain, and xfs would make us wait for the thaw, with whatever locks we
 * hold (as in fs/pipe.c, pipe_write()). An error is of no concern to the write,
 * either: the node may be on a filesystem that is mounted read-only.
 *
 * Context: process context, may sleep in the node's filesystem. No lock of the
 * store but the inode's is held.
 */
void mmapdemo_touch(struct file *file)
{
	struct inode *inode = file_inode(file);

	if (!is_touched(inode) && sb_start_write_trylock(inode->i_sb)) {
		file_update_time(file);
		sb_end_write(inode->i_sb);
	}
}

/*
 * As xas_set_mark(), which sees to it that all nodes up to the root have the mark
 * as well. Where a neighbour in the same node has it, they do. This is most of
 * what a third mark costs a first write: make profile.
 */
static __always_inline void slot_set_mark(struct xa_state *xas, xa_mark_t mark)
{
	struct xa_node *node = xas->xa_node;
	unsigned long *slots = node ? node->marks[(__force unsigned int)mark] : NULL;

	if (slots && !bitmap_empty(slots, XA_CHUNK_SIZE))
		__set_bit(xas->xa_offset, slots);
	else
		xas_set_mark(xas, mark);
}

/* Sets @marks of a page that has @had; the xa_lock is held. */
static __always_inline void set_locked(struct mmapdemo_store *store,
				       struct folio *folio, struct xa_state *xas,
				       unsigned long had, unsigned long marks)
{
	unsigned long missing = marks & ~had;

	lockdep_assert_held(&xas->xa->xa_lock);
	if (missing & MMAPDEMO_UNSYNCED && !(marks & MMAPDEMO_WRITABLE))
		slot_set_mark(xas, PAGECACHE_TAG_DIRTY);
	if (likely(missing & MMAPDEMO_WRITABLE))
		slot_set_mark(xas, PAGECACHE_TAG_WRITEBACK);
	if (missing & MMAPDEMO_LOGGED) {
		slot_set_mark(xas, PAGECACHE_TAG_TOWRITE);
		trace_mmapdemo_dirty(store, folio->index);
		WRITE_ONCE(store->nr_dirty, store->nr_dirty + 1);
		mmapdemo_stat_inc(store->stats, STAT_DIRTIED);
	}
	WRITE_ONCE(folio->private, (void *)(had | marks));
	if (likely(((had | marks) & MMAPDEMO_WRITTEN) == MMAPDEMO_WRITTEN))
		folio_test_set_dirty(folio);
}

/**
 * mmapdemo_mark_new_locked() - set all marks of a new page
 * @store: the store
 * @folio: the page
 * @xas: positioned at its slot
 *
 * Context: the xa_lock of the store is held.
 */
void mmapdemo_mark_new_locked(struct mmapdemo_store *store, struct folio *folio,
			      struct xa_state *xas)
{
	set_locked(store, folio, xas, 0, MMAPDEMO_MARKS);
}

/* Clears @marks, all of which the page has; the xa_lock is held. */
static void clear_locked(struct mmapdemo_store *store, struct folio *folio,
			 unsigned long marks)
{
	XA_STATE(xas, &mmapdemo_store_mapping(store)->i_pages, folio->index);
	unsigned long left = (unsigned long)folio->private & ~marks;

	lockdep_assert_held(&xas.xa->xa_lock);
	xas_load(&xas);
	if (marks & MMAPDEMO_WRITABLE) {
		xas_clear_mark(&xas, PAGECACHE_TAG_WRITEBACK);
		/* Until now that said this, too. */
		if (left & MMAPDEMO_UNSYNCED)
			xas_set_mark(&xas, PAGECACHE_TAG_DIRTY);
	}
	if (marks & MMAPDEMO_UNSYNCED)
		xas_clear_mark(&xas, PAGECACHE_TAG_DIRTY);
	if (marks & MMAPDEMO_LOGGED) {
		xas_clear_mark(&xas, PAGECACHE_TAG_TOWRITE);
		WRITE_ONCE(store->nr_dirty, store->nr_dirty - 1);
	}
	WRITE_ONCE(folio->private, (void *)left);
	/* Fully ordered: pairs with the barrier in mmapdemo_end_write(). */
	folio_test_clear_dirty(folio);
}

/**
 * mmapdemo_drop_marks_locked() - clear all marks of a page that is removed
 * @store: the store
 * @folio: the page, still in its slot
 *
 * Context: the folio is locked and the xa_lock of the store is held.
 */
void mmapdemo_drop_marks_locked(struct mmapdemo_store *store, struct folio *folio)
{
	/* __xa_erase() clears those of the slot. */
	if (mmapdemo_marked(folio, MMAPDEMO_LOGGED))
		WRITE_ONCE(store->nr_dirty, store->nr_dirty - 1);
	WRITE_ONCE(folio->private, NULL);
	folio_test_clear_dirty(folio);
}

/**
 * mmapdemo_set_marks() - set marks of a page in the store
 * @store: the store
 * @folio: the page
 * @marks: %MMAPDEMO_UNSYNCED, ...
 *
 * Out of line, as it is seldom reached: munmap calls mmapdemo_dirty_folio() for
 * every dirty PTE.
 *
 * Context: as for mmapdemo_end_write(), which is what to call.
 * Return: whether the page lacked one of @marks.
 */
bool mmapdemo_set_marks(struct mmapdemo_store *store, struct folio *folio,
			unsigned long marks)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);
	XA_STATE(xas, &mapping->i_pages, folio->index);
	unsigned long had, flags;

	xas_lock_irqsave(&xas, flags);
	had = (unsigned long)folio->private;
	if (unlikely(folio->mapping != mapping || (had & marks) == marks)) {
		xas_unlock_irqrestore(&xas, flags);
		return false;
	}
	xas_load(&xas);
	set_locked(store, folio, &xas, had, marks);
	xas_unlock_irqrestore(&xas, flags);
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_set_marks);

/**
 * mmapdemo_dirty_folio() - the store's address_space_operations.dirty_folio
 * @mapping: the store's address_space
 * @folio: a page that was written
 *
 * Called by the core for every dirty PTE that it zaps (mm/memory.c,
 * zap_pte_range()) and after ->page_mkwrite, and by whoever unpins a page that
 * a device wrote to (mm/gup.c, unpin_user_pages_dirty_lock()).
 *
 * Context: as for mmapdemo_end_write().
 * Return: whether the page lacked a mark.
 */
bool mmapdemo_dirty_folio(struct address_space *mapping, struct folio *folio)
{
	return mmapdemo_end_write(mapping->host->i_private, folio, MMAPDEMO_WRITTEN);
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_dirty_folio);

/**
 * mmapdemo_clear_mark() - write-protect a page, and clear one of its marks
 * @store: the store
 * @folio: the page
 * @mark: %MMAPDEMO_UNSYNCED or %MMAPDEMO_LOGGED
 *
 * The next write through any mapping calls ->page_mkwrite again. A page that is
 * pinned may be written without a fault all the same: it keeps
 * %MMAPDEMO_WRITABLE, and with it %MMAPDEMO_UNSYNCED.
 *
 * Context: process context; the folio is locked.
 * Return: whether @mark was cleared; not if the page has left the store.
 */
bool mmapdemo_clear_mark(struct mmapdemo_store *store, struct folio *folio,
			 unsigned long mark)
{
	struct address_space *mapping = mmapdemo_store_mapping(store);

	if (folio->mapping != mapping || !mmapdemo_marked(folio, mark))
		return false;
	if (mmapdemo_marked(folio, MMAPDEMO_WRITABLE)) {
		/* Before the mark: see the head of this file. */
		folio_mkclean(folio);
		if (!folio_maybe_dma_pinned(folio))
			mark |= MMAPDEMO_WRITABLE;
		else
			mark &= ~MMAPDEMO_UNSYNCED;
	}
	if (!mark)
		return false;
	xa_lock_irq(&mapping->i_pages);
	clear_locked(store, folio, mark);
	if (mark & MMAPDEMO_LOGGED)
		trace_mmapdemo_clear(store, folio->index);
	else
		trace_mmapdemo_clean(store, folio->index);
	xa_unlock_irq(&mapping->i_pages);
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_clear_mark);
