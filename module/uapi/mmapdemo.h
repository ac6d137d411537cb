/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The ioctls of /dev/mmapdemo. For C and C++, with no other header needed;
 * every struct has the same layout for 32-bit and 64-bit programs.
 *
 * Common errors: ENOTTY  unknown command
 *                EFAULT  an argument cannot be read or written
 *                EINVAL  an unknown flag, or padding that is not 0
 *                EBADF   the command changes the device, and the file is not
 *                        open for writing
 *                EINTR   it was killed
 * A command that fails changes nothing, but for one that is killed: a DISCARD
 * has then removed the first pages of its range, and a RESIZE has changed the
 * size, or not.
 */
#ifndef _UAPI_MMAPDEMO_H
#define _UAPI_MMAPDEMO_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct mmapdemo_info - result of MMAPDEMO_IOC_INFO
 * @size: size of the device in bytes
 * @pool_size: memory limit, in bytes
 * @page_size: page size in bytes; all ranges are multiples of it
 * @stored: bytes in stored pages
 * @dirty: bytes in pages of the dirty log: written since it was last cleared
 * @features: supported commands, MMAPDEMO_FEATURE_*
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
#define MMAPDEMO_FEATURE_DIRTY_LOG	0x4	/* not with the parameter dirty_log=0 */

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
 * struct mmapdemo_extent - a run of consecutive pages of the dirty log
 * @start: first byte
 * @len: bytes
 */
struct mmapdemo_extent {
	__u64 start;
	__u64 len;
};

/**
 * struct mmapdemo_dirty_log - argument and result of MMAPDEMO_IOC_DIRTY_LOG
 * @start: in: first byte of the range; out: where to continue: the end of the
 *	   range, or less if there is more
 * @len: in: bytes in the range; out: bytes left of it
 * @extents: user pointer to an array of struct mmapdemo_extent
 * @nr_extents: in: length of @extents; out: extents stored there
 * @flags: MMAPDEMO_DIRTY_LOG_CLEAR or 0
 */
struct mmapdemo_dirty_log {
	__u64 start;
	__u64 len;
	__u64 extents;
	__u32 nr_extents;
	__u32 flags;
};

/* Write-protect the returned pages and take them out of the log, each in one step. */
#define MMAPDEMO_DIRTY_LOG_CLEAR	0x1

/* MMAPDEMO_IOC_INFO - sizes, counts and features */
#define MMAPDEMO_IOC_INFO	_IOR(0xDA, 0x00, struct mmapdemo_info)

/*
 * MMAPDEMO_IOC_RESIZE - change the size, as ftruncate(2) does to a file
 *
 * What lies past the new end is lost, in every mapping and in private copies:
 * an access raises SIGBUS. Growing adds a hole.
 *
 * Errors: EINVAL @size is 0, not a multiple of the page size, or too large
 *         EFBIG  the device would grow beyond RLIMIT_FSIZE; also raises SIGXFSZ
 */
#define MMAPDEMO_IOC_RESIZE	_IOW(0xDA, 0x01, struct mmapdemo_resize)

/*
 * MMAPDEMO_IOC_DISCARD - punch a hole, as
 * FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE does in a file
 *
 * Afterwards every mapping of the range, in every process, reads zeros; private
 * copies stay. The pages go back to the pool, which makes room below its cap.
 *
 * Errors: EINVAL @start or @len is not a multiple of the page size; @len is 0;
 *                the range ends past the device
 */
#define MMAPDEMO_IOC_DISCARD	_IOW(0xDA, 0x02, struct mmapdemo_discard)

/*
 * MMAPDEMO_IOC_DIRTY_LOG - list the pages written since the log was last cleared
 *
 * Extents are in ascending order. If @extents is full, or after 4096 extents or
 * 65536 pages, the call succeeds with a @len that is not 0: call again with the
 * same struct and @nr_extents set anew. With MMAPDEMO_DIRTY_LOG_CLEAR no write is
 * missed: one that is not in this call's extents is in those of a later call.
 * Nothing else takes a page out of the log, and no sync does. If only a part of
 * @extents can be written, the call succeeds with that part, and the rest stays
 * in the log; if the struct cannot, it fails, and all of it does.
 *
 * Errors: EINVAL @start or @len is not a multiple of the page size; @len or
 *                @nr_extents is 0; the range ends past the largest possible
 *                device (past the end of this one, nothing is in the log)
 *         EBADF  with MMAPDEMO_DIRTY_LOG_CLEAR only
 *         EOPNOTSUPP the device keeps no dirty log
 *         ENOMEM out of memory
 */
#define MMAPDEMO_IOC_DIRTY_LOG	_IOWR(0xDA, 0x03, struct mmapdemo_dirty_log)

#endif /* _UAPI_MMAPDEMO_H */
