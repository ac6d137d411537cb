/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernels under test know, and headers of the system may be too old for. */
#ifndef MMAPDEMO_NEWER_UAPI_H
#define MMAPDEMO_NEWER_UAPI_H

#include <linux/const.h>
#include <linux/fs.h>
#include <linux/kernel-page-flags.h>
#include <linux/userfaultfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifndef KPF_ARCH
#define KPF_ARCH		38
#endif
#ifndef SOL_XDP
#define SOL_XDP			283
#endif
#ifndef SYS_mseal
#define SYS_mseal		462
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif

#ifndef SYS_cachestat
#define SYS_cachestat		451
struct cachestat_range {
	__u64 off;
	__u64 len;
};

struct cachestat {
	__u64 nr_cache;
	__u64 nr_dirty;
	__u64 nr_writeback;
	__u64 nr_evicted;
	__u64 nr_recently_evicted;
};
#endif

#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	_BITULL(15)
#endif
#ifndef UFFDIO_POISON
#define UFFDIO_POISON		_IOWR(UFFDIO, 0x08, struct uffdio_poison)
struct uffdio_poison {
	struct uffdio_range range;
	__u64 mode;
	__s64 updated;
};
#endif
#ifndef UFFDIO_MOVE
#define UFFDIO_MOVE		_IOWR(UFFDIO, 0x05, struct uffdio_move)
struct uffdio_move {
	__u64 dst;
	__u64 src;
	__u64 len;
	__u64 mode;
	__s64 move;
};
#endif
#ifndef UFFDIO_RWPROTECT
#define UFFD_FEATURE_RWP	_BITULL(17)
#define UFFD_FEATURE_RWP_ASYNC	_BITULL(18)
#define UFFD_PAGEFAULT_FLAG_RWP	_BITULL(3)
#define UFFDIO_REGISTER_MODE_RWP	_BITULL(3)
#define UFFDIO_RWPROTECT_MODE_RWP	_BITULL(0)
#define UFFDIO_RWPROTECT	_IOWR(UFFDIO, 0x09, struct uffdio_rwprotect)
struct uffdio_rwprotect {
	struct uffdio_range range;
	__u64 mode;
};
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

#endif /* MMAPDEMO_NEWER_UAPI_H */
