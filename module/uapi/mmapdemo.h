/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The ioctls of /dev/mmapdemo. Usable from C and C++ with nothing else
 * included; every struct has the same layout for 32-bit and 64-bit programs.
 */
#ifndef _UAPI_MMAPDEMO_H
#define _UAPI_MMAPDEMO_H

#include <linux/ioctl.h>
#include <linux/types.h>

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

/*
 * MMAPDEMO_IOC_DISCARD - drop the pages of a range, as
 * FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE does to a file
 *
 * Every mapping of the range reads zeros afterwards, in every process;
 * copies that private mappings made for themselves stay. The pages go back
 * to the pool, which makes room below its cap.
 *
 * Errors: EBADF  the file is not open for writing
 *         EFAULT the argument cannot be read
 *         EINVAL @flags or @pad is not 0; @start or @len is not a multiple of
 *                the page size; @len is 0; the range ends past the device
 */
#define MMAPDEMO_IOC_DISCARD	_IOW(0xDA, 0x02, struct mmapdemo_discard)

#endif /* _UAPI_MMAPDEMO_H */
