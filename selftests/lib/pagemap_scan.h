/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PAGEMAP_SCAN, and the userfaultfd feature that it takes to notice writes, also
 * where the system's headers are older than Linux 6.7.
 */
#ifndef MMAPDEMO_PAGEMAP_SCAN_H
#define MMAPDEMO_PAGEMAP_SCAN_H

#include <linux/const.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>

#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	_BITULL(15)
#endif
#ifndef PAGEMAP_SCAN
struct page_region {
	__u64 start;
	__u64 end;
	__u64 categories;
};

struct pm_scan_arg {
	__u64 size;
	__u64 flags;
	__u64 start;
	__u64 end;
	__u64 walk_end;
	__u64 vec;
	__u64 vec_len;
	__u64 max_pages;
	__u64 category_inverted;
	__u64 category_mask;
	__u64 category_anyof_mask;
	__u64 return_mask;
};

#define PAGEMAP_SCAN		_IOWR('f', 16, struct pm_scan_arg)
#define PM_SCAN_WP_MATCHING	_BITULL(0)
#define PM_SCAN_CHECK_WPASYNC	_BITULL(1)
#define PAGE_IS_WRITTEN		_BITULL(1)
#define PAGE_IS_FILE		_BITULL(2)
#define PAGE_IS_PRESENT		_BITULL(3)
#endif

#endif /* MMAPDEMO_PAGEMAP_SCAN_H */
