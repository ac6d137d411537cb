/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What mmapdemo_hold and the tests that use it agree on; hold.c has the rest.
 */
#ifndef MMAPDEMO_HOLD_H
#define MMAPDEMO_HOLD_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Which lock of the file's mapping. */
enum hold_what {
	HOLD_PAGE,		/* the folio lock of one present page */
	HOLD_INVALIDATE,	/* the invalidate_lock, exclusively */
	HOLD_INVALIDATE_SHARED,
	HOLD_INODE,		/* the inode's lock */
};

/**
 * struct hold_lock - a lock to take
 * @fd: an open file; of its mapping
 * @what: &enum hold_what
 * @pgoff: of the page, for %HOLD_PAGE
 */
struct hold_lock {
	__s32 fd;
	__u32 what;
	__u64 pgoff;
};

/**
 * struct hold_pin - a page to get, as get_user_pages() does
 * @addr: an address of the caller's
 * @write: whether it is to be written to
 * @pad: unused
 */
struct hold_pin {
	__u64 addr;
	__u32 write;
	__u32 pad;
};

/* Waits until it has the lock; an open file holds one. */
#define HOLD_IOC_LOCK	_IOW(0xDB, 0x01, struct hold_lock)
#define HOLD_IOC_UNLOCK	_IO(0xDB, 0x02)
/* With FOLL_NOWAIT. Returns 1, or 0: that would have taken a wait. */
#define HOLD_IOC_NOWAIT	_IOW(0xDB, 0x03, struct hold_pin)

#endif /* MMAPDEMO_HOLD_H */
