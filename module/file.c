// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file operations other than mmap and ioctl.
 *
 * read(2) and write(2) are coherent with every mapping because they use the
 * same pages. While copying they hold a reference to a page, but no lock that
 * ->fault takes: the user's buffer may be a mapping of this device, and then
 * the copy may run our fault handler.
 */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "compat.h"
#include "device.h"
#include "file.h"
#include "sync.h"
#include "write.h"

/* Pages that read(2) and write(2) look up at a time. */
#define IO_BATCH	16

/**
 * mmapdemo_open() - file_operations.open
 * @inode: the node that was opened; there may be several, made with mknod
 * @file: the new file; misc_open() has set private_data to the miscdevice
 *
 * Points the file at the one address_space that all nodes share. Every mapping
 * of the file is linked there, where a discard finds it.
 *
 * Context: process context.
 * Return: 0.
 */
static int mmapdemo_open(struct inode *inode, struct file *file)
{
	struct mmapdemo_device *dev =
		container_of(file->private_data, struct mmapdemo_device, misc);

	file->private_data = dev;
	file->f_mapping = mmapdemo_store_mapping(&dev->store);
	file->f_wb_err = filemap_sample_wb_err(file->f_mapping);
	/*
	 * Reads never wait, so preadv2(2) may pass RWF_NOWAIT. O_DIRECT makes no
	 * difference: there is no cache to go around (as in mm/shmem.c,
	 * shmem_file_open()).
	 */
	file->f_mode |= FMODE_NOWAIT | FMODE_CAN_ODIRECT;
	return 0;
}

/* Nothing to release: the store outlives every file. */
static int mmapdemo_release(struct inode *inode, struct file *file)
{
	return 0;
}

/**
 * mmapdemo_llseek() - file_operations.llseek
 * @file: an open /dev/mmapdemo
 * @offset: in bytes
 * @whence: SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA or SEEK_HOLE
 *
 * Context: process context, may sleep.
 * Return: the new position; -EINVAL: it would be out of range, or @whence is
 * unknown; -ENXIO: as mmapdemo_store_seek(); -EINTR: killed.
 */
static loff_t mmapdemo_llseek(struct file *file, loff_t offset, int whence)
{
	struct mmapdemo_store *store = &mmapdemo_device(file)->store;
	loff_t max = store->inode->i_sb->s_maxbytes;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_file_llseek_size(file, offset, whence, max,
						i_size_read(store->inode));

	if (mmapdemo_store_lock(store))
		return -EINTR;
	offset = mmapdemo_store_seek(store, offset, whence);
	if (offset >= 0)
		offset = vfs_setpos(file, offset, max);
	mmapdemo_store_unlock(store);
	return offset;
}

/* Return: how many of @count bytes at @pos are in its page and below @size. */
static size_t chunk_len(loff_t pos, size_t count, loff_t size)
{
	size_t len = min_t(size_t, count, PAGE_SIZE - offset_in_page(pos));

	return pos < size ? min_t(u64, len, size - pos) : 0;
}

/*
 * Copies up to the first byte that cannot be written. A single copy may stop
 * some bytes short of it (arm64), so repeat until nothing more is copied, as
 * copy_page_to_iter() does. The check of copy_to_iter() is for slab objects.
 * Return: bytes copied.
 */
static size_t copy_writable(struct folio *folio, size_t offset, size_t len,
			    struct iov_iter *to)
{
	void *from = kmap_local_folio(folio, offset);
	size_t copied = 0, n;

	do {
		n = _copy_to_iter(from + copied, len - copied, to);
		copied += n;
	} while (unlikely(n && copied < len));
	kunmap_local(from);
	return copied;
}

/*
 * Copies up to @len bytes of @folio, the page at @pos or NULL for a hole, to the
 * user. Return: bytes copied, fewer if the user's buffer faults; -EIO: the page
 * is poisoned.
 */
static __always_inline ssize_t
read_chunk(struct mmapdemo_store *store, struct folio *folio, loff_t pos,
	   size_t len, struct iov_iter *to)
{
	/*
	 * A hole reads as zeros, and stays a hole. Copy from the zero page, as
	 * tmpfs does: that is faster than clear_user(), which may also stop at
	 * another byte if the user's buffer ends early (arm64).
	 */
	if (!folio)
		return user_backed_iter(to) ?
		       copy_page_to_iter(ZERO_PAGE(0), offset_in_page(pos), len, to) :
		       iov_iter_zero(len, to);

	if (unlikely(folio_test_hwpoison(folio)))
		return -EIO;
	/* Make writes through user mappings visible here. */
	if (mapping_writably_mapped(mmapdemo_store_mapping(store)))
		flush_dcache_folio(folio);
	return copy_writable(folio, offset_in_page(pos), len, to);
}

/*
 * Copies up to the first byte that cannot be read; a single copy may stop some
 * bytes short of it (arm64, i386). Return: bytes copied.
 */
static size_t copy_readable(struct folio *folio, size_t offset, size_t len,
			    struct iov_iter *from)
{
	void *to = kmap_local_folio(folio, offset);
	size_t copied = _copy_from_iter(to, len, from);
	size_t left = len - copied;

	if (unlikely(left)) {
		left -= fault_in_iov_iter_readable(from, left);
		copied += _copy_from_iter(to + copied, left, from);
	}
	kunmap_local(to);
	return copied;
}

/*
 * Makes a page for the hole at @pos. The inode's lock, which is held, keeps it
 * in the store. Return: the page; -EFAULT: none of @len bytes can be read, and
 * no page was made; -ENOSPC; -ENOMEM; -EINTR.
 */
static struct folio *write_hole(struct mmapdemo_store *store, loff_t pos,
				size_t len, struct iov_iter *from)
{
	struct folio *folio;

	if (fault_in_iov_iter_readable(from, len) == len)
		return ERR_PTR(-EFAULT);
	folio = mmapdemo_store_grab(store, pos >> PAGE_SHIFT, NULL, NULL, true);
	if (!IS_ERR(folio)) {
		folio_unlock(folio);
		folio_put(folio);
	}
	return folio;
}

/*
 * Copies up to @len bytes from the user into @folio, the page at @pos. Return:
 * bytes copied, fewer if the user's buffer faults; -EIO: the page is poisoned.
 */
static ssize_t write_chunk(struct mmapdemo_store *store, struct folio *folio,
			   loff_t pos, size_t len, struct iov_iter *from)
{
	int err = mmapdemo_begin_write(store, folio);
	size_t copied;

	if (unlikely(err))
		return err;
	copied = copy_readable(folio, offset_in_page(pos), len, from);
	flush_dcache_folio(folio);
	/* After the last byte: see write.c. */
	if (copied)
		mmapdemo_end_write(store, folio, MMAPDEMO_WRITTEN);
	return copied;
}

static size_t iocb_chunk(const struct kiocb *iocb, const struct iov_iter *iter,
			 const struct mmapdemo_store *store)
{
	return chunk_len(iocb->ki_pos, iov_iter_count(iter),
			 i_size_read(store->inode));
}

/*
 * Copies the next chunk to or from @folio, or NULL for a hole, which a write
 * fills. Return: 0 to go on; or why to stop.
 */
static __always_inline int copy_chunk(struct mmapdemo_store *store,
				      struct folio *folio, struct kiocb *iocb,
				      struct iov_iter *iter, bool write)
{
	/* 0 at the end of the device, which may just have moved. */
	size_t len = iocb_chunk(iocb, iter, store);
	ssize_t copied;

	if (!len)
		return 0;
	if (write && !folio) {
		folio = write_hole(store, iocb->ki_pos, len, iter);
		if (IS_ERR(folio))
			return PTR_ERR(folio);
	}
	copied = write ? write_chunk(store, folio, iocb->ki_pos, len, iter) :
			 read_chunk(store, folio, iocb->ki_pos, len, iter);
	if (copied < 0)
		return copied;
	iocb->ki_pos += copied;
	return copied < len ? -EFAULT : 0;
}

/*
 * Copies page by page, up to the end of the buffer or of the device, and looks
 * pages up in batches. Out of line, as its array on the stack would slow down
 * short calls.
 */
static noinline int copy_run(struct mmapdemo_store *store, struct kiocb *iocb,
			     struct iov_iter *iter, bool write)
{
	struct folio *folios[IO_BATCH];
	unsigned int i, nr;
	int err = 0;

	while (!err && iocb_chunk(iocb, iter, store)) {
		size_t end = offset_in_page(iocb->ki_pos) + iov_iter_count(iter);
		pgoff_t pgoff = iocb->ki_pos >> PAGE_SHIFT;

		nr = mmapdemo_store_get_run(store, pgoff, folios,
					    min_t(size_t, IO_BATCH,
						  DIV_ROUND_UP(end, PAGE_SIZE)));
		if (!nr)
			err = copy_chunk(store, NULL, iocb, iter, write);
		for (i = 0; i < nr; i++) {
			/* Stop on error, or if the device shrank. */
			if (!err && iocb->ki_pos >> PAGE_SHIFT == pgoff + i)
				err = copy_chunk(store, folios[i], iocb, iter, write);
			folio_put(folios[i]);
		}
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return err;
}

/* Return: bytes copied since @iocb was at @start; if there are none, @err. */
static ssize_t copied_since(const struct kiocb *iocb, loff_t start, int err)
{
	return iocb->ki_pos - start ?: err;
}

static bool in_one_page(const struct kiocb *iocb, const struct iov_iter *iter)
{
	return offset_in_page(iocb->ki_pos) + iov_iter_count(iter) <= PAGE_SIZE;
}

/**
 * mmapdemo_read_iter() - file_operations.read_iter
 * @iocb: file and position; the position moves
 * @to: where the bytes go
 *
 * Context: process context, may sleep and fault.
 * Return: bytes read, short at the end of the device; 0 at the end; -EFAULT;
 * -EIO: a poisoned page.
 */
static ssize_t mmapdemo_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct mmapdemo_store *store = &mmapdemo_device(iocb->ki_filp)->store;
	loff_t start = iocb->ki_pos;
	struct folio *folio;
	int err;

	if (!in_one_page(iocb, to))
		return copied_since(iocb, start, copy_run(store, iocb, to, false));
	folio = mmapdemo_store_get(store, start >> PAGE_SHIFT);
	err = copy_chunk(store, folio, iocb, to, false);
	if (folio)
		folio_put(folio);
	return copied_since(iocb, start, err);
}

/* The inode's lock is held: what is in the store stays there. */
static ssize_t write_locked(struct mmapdemo_store *store, struct kiocb *iocb,
			    struct iov_iter *from)
{
	loff_t start = iocb->ki_pos;
	int err;

	if (in_one_page(iocb, from))
		err = copy_chunk(store, mmapdemo_store_peek(store, start >> PAGE_SHIFT),
				 iocb, from, true);
	else
		err = copy_run(store, iocb, from, true);
	return copied_since(iocb, start, err) ?: -ENOSPC;
}

/**
 * mmapdemo_write_iter() - file_operations.write_iter
 * @iocb: file and position; the position moves
 * @from: where the bytes come from
 *
 * The inode's lock serialises writes, as it does for a file. With O_SYNC or
 * RWF_DSYNC a sync follows.
 *
 * Context: process context, may sleep and fault.
 * Return: bytes written, short at the end of the device or the pool's cap;
 * -ENOSPC: at the end, or the pool is at its cap; -EFAULT; -EIO: a poisoned
 * page; -EFBIG: RLIMIT_FSIZE; -ENOMEM; -EINTR: killed; -EOPNOTSUPP: RWF_NOWAIT.
 */
static ssize_t mmapdemo_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct mmapdemo_store *store = &mmapdemo_device(iocb->ki_filp)->store;
	ssize_t ret;

	/* Filling a hole may have to wait for a page. */
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EOPNOTSUPP;

	ret = mmapdemo_store_lock(store);
	if (ret)
		return ret;
	ret = generic_write_checks(iocb, from);
	if (ret > 0) {
		mmapdemo_touch(iocb->ki_filp);
		ret = write_locked(store, iocb, from);
	}
	mmapdemo_store_unlock(store);
	return ret > 0 ? generic_write_sync(iocb, ret) : ret;
}

/**
 * mmapdemo_fsync() - file_operations.fsync: fsync(2) and msync(MS_SYNC)
 * @file: an open /dev/mmapdemo
 * @start: first byte of the range
 * @end: last byte of the range, inclusive
 * @datasync: ignored
 *
 * Context: process context, may sleep.
 * Return: 0; -EINTR: killed.
 */
static int mmapdemo_fsync(struct file *file, loff_t start, loff_t end,
			  int datasync)
{
	return mmapdemo_sync(&mmapdemo_device(file)->store, start >> PAGE_SHIFT,
			     end >> PAGE_SHIFT);
}

/* All but the operation that serves mmap(2). */
#define MMAPDEMO_FOPS							\
	/* Pins the module while a file is open, and so while a VMA exists. */ \
	.owner		= THIS_MODULE,					\
	.open		= mmapdemo_open,				\
	.release	= mmapdemo_release,				\
	.llseek		= mmapdemo_llseek,				\
	.read_iter	= mmapdemo_read_iter,				\
	.write_iter	= mmapdemo_write_iter,				\
	/* Copies: the pool could not reuse a page that sits in a pipe. */ \
	.splice_read	= copy_splice_read,				\
	.splice_write	= iter_file_splice_write,			\
	.fsync		= mmapdemo_fsync,				\
	.unlocked_ioctl	= mmapdemo_ioctl,				\
	.compat_ioctl	= compat_ptr_ioctl

const struct file_operations mmapdemo_fops = {
	MMAPDEMO_FOPS,
	.mmap		= mmapdemo_mmap,
};
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_fops);

#if MMAPDEMO_HAVE_MMAP_PREPARE
/* The core refuses an mmap(2) of a file that has both (fs.h, can_mmap_file()). */
static const struct file_operations mmapdemo_fops_prepare = {
	MMAPDEMO_FOPS,
	.mmap_prepare	= mmapdemo_mmap_prepare,
};
#endif

/**
 * mmapdemo_fops_with() - choose the file operations
 * @hook: the operation that serves mmap(2)
 *
 * Context: any.
 * Return: the file operations to register the device with.
 */
const struct file_operations *mmapdemo_fops_with(enum mmapdemo_mmap_hook hook)
{
#if MMAPDEMO_HAVE_MMAP_PREPARE
	if (hook == MMAPDEMO_HOOK_MMAP_PREPARE)
		return &mmapdemo_fops_prepare;
#endif
	return &mmapdemo_fops;
}
