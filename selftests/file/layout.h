/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The layout of each struct that an ioctl takes: the same for C and C++, and
 * for 32-bit and 64-bit programs. Whoever compiles this has checked it.
 */
#ifndef MMAPDEMO_LAYOUT_H
#define MMAPDEMO_LAYOUT_H

#include "../../module/uapi/mmapdemo.h"

/* Before C23, static_assert() takes a header that 32-bit programs may lack. */
#define LAYOUT_ASSERT(claim)	extern int layout_is_right[(claim) ? 1 : -1]

#define LAYOUT_SIZE(type, size) \
	LAYOUT_ASSERT(sizeof(struct type) == (size))
#define LAYOUT_FIELD(type, field, offset, size)				\
	LAYOUT_ASSERT(__builtin_offsetof(struct type, field) == (offset) && \
		      sizeof(((struct type *)0)->field) == (size))

LAYOUT_SIZE(mmapdemo_info, 48);
LAYOUT_FIELD(mmapdemo_info, size, 0, 8);
LAYOUT_FIELD(mmapdemo_info, pool_size, 8, 8);
LAYOUT_FIELD(mmapdemo_info, page_size, 16, 8);
LAYOUT_FIELD(mmapdemo_info, stored, 24, 8);
LAYOUT_FIELD(mmapdemo_info, dirty, 32, 8);
LAYOUT_FIELD(mmapdemo_info, features, 40, 8);

LAYOUT_SIZE(mmapdemo_resize, 16);
LAYOUT_FIELD(mmapdemo_resize, size, 0, 8);
LAYOUT_FIELD(mmapdemo_resize, flags, 8, 4);
LAYOUT_FIELD(mmapdemo_resize, pad, 12, 4);

LAYOUT_SIZE(mmapdemo_discard, 24);
LAYOUT_FIELD(mmapdemo_discard, start, 0, 8);
LAYOUT_FIELD(mmapdemo_discard, len, 8, 8);
LAYOUT_FIELD(mmapdemo_discard, flags, 16, 4);
LAYOUT_FIELD(mmapdemo_discard, pad, 20, 4);

LAYOUT_SIZE(mmapdemo_extent, 16);
LAYOUT_FIELD(mmapdemo_extent, start, 0, 8);
LAYOUT_FIELD(mmapdemo_extent, len, 8, 8);

LAYOUT_SIZE(mmapdemo_dirty_log, 32);
LAYOUT_FIELD(mmapdemo_dirty_log, start, 0, 8);
LAYOUT_FIELD(mmapdemo_dirty_log, len, 8, 8);
LAYOUT_FIELD(mmapdemo_dirty_log, extents, 16, 8);
LAYOUT_FIELD(mmapdemo_dirty_log, nr_extents, 24, 4);
LAYOUT_FIELD(mmapdemo_dirty_log, flags, 28, 4);

/* The commands: direction, size, type and number. */
LAYOUT_ASSERT(MMAPDEMO_IOC_INFO == 0x8030da00);
LAYOUT_ASSERT(MMAPDEMO_IOC_RESIZE == 0x4010da01);
LAYOUT_ASSERT(MMAPDEMO_IOC_DISCARD == 0x4018da02);
LAYOUT_ASSERT(MMAPDEMO_IOC_DIRTY_LOG == 0xc020da03);

#endif /* MMAPDEMO_LAYOUT_H */
