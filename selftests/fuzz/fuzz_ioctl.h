/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The operations of fuzz.c by ioctl, with good and bad arguments. See fuzz_vma.h.
 */
#ifndef MMAPDEMO_FUZZ_IOCTL_H
#define MMAPDEMO_FUZZ_IOCTL_H

#include "fuzz_file.h"

/* What is wrong with an argument; mostly nothing. */
enum flaw { UNALIGNED = 1, FLAGS, PAD };

static inline enum flaw flaw_of(const struct op *op)
{
	return op->how >> 5;
}

static inline int ioctl_error(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? errno : 0;
}

/* Whether @error is right, given which mistakes the call has. */
static inline void check_ioctl(const char *name, int error, int flags, bool bad)
{
	bool no_right = is_closed(flags) || (flags & O_ACCMODE) == O_RDONLY;

	if (error == 0 ? no_right || bad :
	    error == EBADF ? !no_right :
	    error == EINVAL ? !bad : true)
		mismatch("%s: %s", name, strerror(error));
}

static inline void op_resize(const struct op *op)
{
	size_t n = op->fd % NR_FDS, size = op->page % (NR + 1);
	struct mmapdemo_resize arg = {
		.size = size * page_size +
			(flaw_of(op) == UNALIGNED ? op->more : 0),
		.flags = flaw_of(op) == FLAGS ? op->more : 0,
		.pad = flaw_of(op) == PAD ? op->more : 0,
	};
	bool bad = !arg.size || arg.size % page_size || arg.flags || arg.pad;
	int error = ioctl_error(model.fd[n], MMAPDEMO_IOC_RESIZE, &arg);

	if (model.loose)
		return;
	check_ioctl("RESIZE", error, model.flags[n], bad);
	if (!error)
		resize_device(size);
}

static inline void op_discard(const struct op *op)
{
	size_t n = op->fd % NR_FDS, page = op->page % NR, nr = op->nr % NR, i;
	struct mmapdemo_discard arg = {
		.start = page * page_size +
			 (flaw_of(op) == UNALIGNED ? op->more : 0),
		.len = nr * page_size,
		.flags = flaw_of(op) == FLAGS ? op->more : 0,
		.pad = flaw_of(op) == PAD ? op->more : 0,
	};
	int error = ioctl_error(model.fd[n], MMAPDEMO_IOC_DISCARD, &arg);

	if (model.loose)
		return;
	check_ioctl("DISCARD", error, model.flags[n], arg.start % page_size ||
		    !nr || page + nr > model.dev->size || arg.flags || arg.pad);
	for (i = page; !error && i < page + nr; i++)
		drop_page(i);
}

/* What the log said of pages [@page, @next). */
static inline void check_log(const struct mmapdemo_extent *extent, size_t nr,
			     size_t page, size_t next, bool clear)
{
	size_t i, at = page;

	for (i = 0; i < nr; i++) {
		size_t first = extent[i].start / page_size;
		size_t end = first + extent[i].len / page_size;

		if (first < at || end <= first || end > next || end > NR)
			mismatch("DIRTY_LOG: extent %zu: pages %zu to %zu, of %zu to %zu",
				 i, first, end, page, next);
		for (; at < first; at++)
			if (model.dev->must_be_dirty[at])
				mismatch("DIRTY_LOG lacks page %zu", at);
		for (; at < end; at++)
			if (!model.dev->may_be_dirty[at])
				mismatch("DIRTY_LOG has page %zu", at);
	}
	for (; at < next && at < NR; at++)
		if (model.dev->must_be_dirty[at])
			mismatch("DIRTY_LOG lacks page %zu", at);
	for (i = page; clear && i < next && i < NR; i++)
		set_clean(i);
}

/* Into the buffer, or to where only some of the extents can be written. */
static inline void op_dirty_log(const struct op *op)
{
	size_t n = op->fd % NR_FDS, page = op->page % (NR + 2);
	size_t nr = op->nr % NR, room = 1 + op->value % 8;
	bool clear = op->how & 1;
	struct mmapdemo_extent *extents =
		(struct mmapdemo_extent *)buffer_end[thread] - room;
	struct mmapdemo_dirty_log arg = {
		.start = page * page_size +
			 (flaw_of(op) == UNALIGNED ? op->more : 0),
		.len = nr * page_size,
		.nr_extents = room,
		.flags = (clear ? MMAPDEMO_DIRTY_LOG_CLEAR : 0) |
			 (flaw_of(op) == FLAGS ? op->more & ~1 : 0),
	};
	int flags = model.flags[n], error;
	bool bad = arg.start % page_size || !nr ||
		   arg.flags & ~MMAPDEMO_DIRTY_LOG_CLEAR;

	if (op->how & 0x10)
		extents += op->more % (room + 1);
	arg.extents = (uintptr_t)extents;
	error = ioctl_error(model.fd[n], MMAPDEMO_IOC_DIRTY_LOG, &arg);
	if (model.loose)
		return;
	/* To look needs no right. */
	if (!clear && !is_closed(flags))
		flags = O_RDWR;
	if (error == EFAULT && op->how & 0x10)
		return;
	check_ioctl("DIRTY_LOG", error, flags, bad);
	if (!error)
		check_log(extents, arg.nr_extents, page, arg.start / page_size,
			  clear);
}

static inline void op_info(const struct op *op)
{
	struct mmapdemo_info now = info();
	size_t i, stored = 0, dirty = 0;
	long unsynced = 0;

	(void)op;
	if (model.loose)
		return;
	for (i = 0; i < NR; i++) {
		stored += model.dev->stored[i];
		dirty += model.dev->must_be_dirty[i];
		unsynced += model.dev->must_be_unsynced[i];
	}
	if (now.size != model.dev->size * page_size)
		mismatch("INFO: size %llu, not %zu", now.size,
			 model.dev->size * page_size);
	if (now.stored > now.pool_size || now.stored > now.size ||
	    now.stored < stored * page_size)
		mismatch("INFO: %llu bytes stored, at least %zu were", now.stored,
			 stored * page_size);
	if (now.dirty > now.stored || now.dirty < dirty * page_size)
		mismatch("INFO: %llu bytes dirty, at least %zu were, %llu stored",
			 now.dirty, dirty * page_size, now.stored);
	if (pool_read("unsynced") < unsynced)
		mismatch("%ld pages unsynced, at least %ld were",
			 pool_read("unsynced"), unsynced);
}

#endif /* MMAPDEMO_FUZZ_IOCTL_H */
