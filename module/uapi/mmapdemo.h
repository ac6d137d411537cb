/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The ioctls of /dev/mmapdemo. Usable from C and C++ with nothing else
 * included; every struct has the same layout for 32-bit and 64-bit programs.
 *
 * Common errors: ENOTTY  no such command
 *                EFAULT  an argument cannot be read, or written
 *                EINVAL  a flag that is not known, or padding that is not 0
 *                EBADF   the command changes something, and the file is not
 *                        open for writing
 * A command that fails has changed nothing.
 */
#ifndef _UAPI_MMAPDEMO_H
#define _UAPI_MMAPDEMO_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct mmapdemo_info - result of MMAPDEMO_IOC_INFO
 * @size: size of the device in bytes
 * @pool_size: the most bytes that its pages may take
 * @page_size: bytes in a page: the unit of every range
 * @stored: bytes in pages that exist
 * @dirty: bytes in pages that were written since they were last cleaned
 * @features: which of the commands below there are, MMAPDEMO_FEATURE_*
 */
struct mmapdemo_info {
	__u64 size;
	__u64 pool_size;
	__u64 page_size;
	__u64 stored;
	__u64 dirty;
	__u64 features;
};

#define MMAPDEMO_FEATURE_RESIZE		0x1
#define MMAPDEMO_FEATURE_DISCARD	0x2
#define MMAPDEMO_FEATURE_DIRTY_LOG	0x4

/**
 * struct mmapdemo_resize - argument of MMAPDEMO_IOC_RESIZE
 * @size: new size in bytes, a multiple of the page size, not 0
 * @flags: must be 0
 * @pad: must be 0
 */
struct mmapdemo_resize {
	__u64 size;
	__u32 flags;
	__u32 pad;
};

/**
 * struct mmapdemo_discard - argument of MMAPDEMO_IOC_DISCARD
 * @start: first byte of the range, a multiple of the page size
 * @len: bytes in the range, a multiple of the page size, not 0
 * @flags: must be 0
 * @pad: must be 0
 */
struct mmapdemo_discard {
	__u64 start;
	__u64 len;
	__u32 flags;
	__u32 pad;
};

/**
 * struct mmapdemo_extent - dirty pages that follow each other
 * @start: first byte
 * @len: bytes
 */
struct mmapdemo_extent {
	__u64 start;
	__u64 len;
};

/**
 * struct mmapdemo_dirty_log - argument and result of MMAPDEMO_IOC_DIRTY_LOG
 * @start: in: first byte of the range; out: where to go on: the range's end,
 *	   or less when @extents was full
 * @len: in: bytes in the range; out: bytes that are left of it
 * @extents: user pointer to an array of struct mmapdemo_extent
 * @nr_extents: in: room in @extents; out: how many were stored
 * @flags: MMAPDEMO_DIRTY_LOG_CLEAR or 0
 */
struct mmapdemo_dirty_log {
	__u64 start;
	__u64 len;
	__u64 extents;
	__u32 nr_extents;
	__u32 flags;
};

/* Clean what is returned, and write-protect it, in one step per page. */
#define MMAPDEMO_DIRTY_LOG_CLEAR	0x1

/* MMAPDEMO_IOC_INFO - sizes, counts and features */
#define MMAPDEMO_IOC_INFO	_IOR(0xDA, 0x00, struct mmapdemo_info)

/*
 * MMAPDEMO_IOC_RESIZE - change the size, as ftruncate(2) does to a file
 *
 * What lies behind the new end is gone, in every mapping and in private copies:
 * touching it raises SIGBUS. Growing adds a hole.
 *
 * Errors: EINVAL @size is 0, not a multiple of the page size, or too large
 *         EFBIG  @size is a growth beyond RLIMIT_FSIZE; SIGXFSZ is raised, too
 */
#define MMAPDEMO_IOC_RESIZE	_IOW(0xDA, 0x01, struct mmapdemo_resize)

/*
 * MMAPDEMO_IOC_DISCARD - drop the pages of a range, as
 * FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE does to a file
 *
 * Every mapping of the range reads zeros afterwards, in every process;
 * copies that private mappings made for themselves stay. The pages go back
 * to the pool, which makes room below its cap.
 *
 * Errors: EINVAL @start or @len is not a multiple of the page size; @len is 0;
 *                the range ends past the device
 */
#define MMAPDEMO_IOC_DISCARD	_IOW(0xDA, 0x02, struct mmapdemo_discard)

/*
 * MMAPDEMO_IOC_DIRTY_LOG - which pages were written since they were cleaned
 *
 * Extents come in rising order. When @extents is full the call succeeds with
 * @len not 0 yet: call again with the same struct and @nr_extents set anew.
 * With MMAPDEMO_DIRTY_LOG_CLEAR no write is missed: one that is not in this
 * call's extents makes its page dirty for a later call. When @extents can be
 * written in part only, the call succeeds with that part, and the rest is dirty
 * still.
 *
 * Errors: EINVAL @start or @len is not a multiple of the page size; @len or
 *                @nr_extents is 0; the range ends past the largest device that
 *                there can be (past the end of this one there is nothing dirty)
 *         EBADF  with MMAPDEMO_DIRTY_LOG_CLEAR only
 *         ENOMEM no memory for the harvest
 */
#define MMAPDEMO_IOC_DIRTY_LOG	_IOWR(0xDA, 0x03, struct mmapdemo_dirty_log)

#endif /* _UAPI_MMAPDEMO_H */
