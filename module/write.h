/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The door for writes, and the marks that they leave: see write.c.
 */
#ifndef _MMAPDEMO_WRITE_H
#define _MMAPDEMO_WRITE_H

#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/xarray.h>

#include "store.h"

/*
 * What the store knows of a page, one meaning each: written since the last sync;
 * may be written without a fault; written since the log was cleared.
 *
 * Bit n of folio->private says so. Mark n of the page's slot says where to look,
 * so that a walk visits few pages, with one saving: a page that may be written
 * without a fault is unsynced, too, and needs no mark to say it. Bits and marks
 * change under the xa_lock. cachestat(2) takes the first mark for dirty, and the
 * second for under writeback.
 */
#define MMAPDEMO_UNSYNCED	BIT((__force unsigned int)PAGECACHE_TAG_DIRTY)
#define MMAPDEMO_WRITABLE	BIT((__force unsigned int)PAGECACHE_TAG_WRITEBACK)
#define MMAPDEMO_LOGGED		BIT((__force unsigned int)PAGECACHE_TAG_TOWRITE)

/* What a write sets; a PTE that becomes writable sets all three. */
#define MMAPDEMO_WRITTEN	(MMAPDEMO_UNSYNCED | MMAPDEMO_LOGGED)
#define MMAPDEMO_MARKS		(MMAPDEMO_WRITTEN | MMAPDEMO_WRITABLE)

/* Return: whether a page has all of @marks; may be out of date without a lock. */
static inline bool mmapdemo_marked(const struct folio *folio, unsigned long marks)
{
	return ((unsigned long)READ_ONCE(folio->private) & marks) == marks;
}

/**
 * mmapdemo_begin_write() - before the content of a page changes
 * @store: the store
 * @folio: the page
 *
 * Context: the folio is locked, or the inode's lock is held.
 * Return: 0; -ENOENT: the page has left the store; -EIO: it is poisoned.
 */
static inline int mmapdemo_begin_write(struct mmapdemo_store *store,
				       struct folio *folio)
{
	if (unlikely(folio->mapping != mmapdemo_store_mapping(store)))
		return -ENOENT;
	return unlikely(folio_test_hwpoison(folio)) ? -EIO : 0;
}

bool mmapdemo_set_marks(struct mmapdemo_store *store, struct folio *folio,
			unsigned long marks);

/**
 * mmapdemo_end_write() - the content of a page has changed, or is about to with
 * no further word
 * @store: the store
 * @folio: the page
 * @marks: %MMAPDEMO_WRITTEN after the last byte; %MMAPDEMO_MARKS before a PTE
 *	   becomes writable
 *
 * Context: any; a page-table lock may be held. The page may be leaving the
 * store: then its data is gone, and there is nothing to note.
 * Return: whether the page lacked one of @marks.
 */
static inline bool mmapdemo_end_write(struct mmapdemo_store *store,
				      struct folio *folio, unsigned long marks)
{
	if (!store->log)
		return false;
	/*
	 * The caller wrote to the page, and we read its marks; who clears a
	 * mark does so, and then reads the page. Without a barrier on each
	 * side, both could miss the write.
	 */
	smp_mb();
	return !mmapdemo_marked(folio, marks) &&
	       mmapdemo_set_marks(store, folio, marks);
}

void mmapdemo_touch(struct file *file);
bool mmapdemo_dirty_folio(struct address_space *mapping, struct folio *folio);
void mmapdemo_mark_new_locked(struct mmapdemo_store *store, struct folio *folio,
			      struct xa_state *xas);
void mmapdemo_drop_marks_locked(struct mmapdemo_store *store, struct folio *folio);
bool mmapdemo_clear_mark(struct mmapdemo_store *store, struct folio *folio,
			 unsigned long mark);

#endif /* _MMAPDEMO_WRITE_H */
