/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module parameters: see params.c.
 */
#ifndef _MMAPDEMO_PARAMS_H
#define _MMAPDEMO_PARAMS_H

#include <linux/fs.h>
#include <linux/math.h>
#include <linux/types.h>

#include "compat.h"

enum mmapdemo_mmap_hook {
	MMAPDEMO_HOOK_MMAP,
	MMAPDEMO_HOOK_MMAP_PREPARE,
};

enum mmapdemo_fault_mode {
	MMAPDEMO_FAULT_MAP_PAGES,
	MMAPDEMO_FAULT_INSERT,
};

#define MMAPDEMO_DEVICES_MAX	64

/*
 * The largest device that can be mapped as a whole. A 64-bit kernel has the
 * same limit as for files; a 32-bit kernel maps a character device up to
 * ULONG_MAX (mm/mmap.c, file_mmap_ok()).
 */
#define MMAPDEMO_SIZE_MAX \
	round_down((u64)(BITS_PER_LONG == 64 ? MAX_LFS_FILESIZE : ULONG_MAX), PAGE_SIZE)

struct attribute_group;

int mmapdemo_params_init(void);
const struct attribute_group **mmapdemo_param_groups(void);
u64 mmapdemo_param_size(unsigned int device);
u64 mmapdemo_param_pool_size(unsigned int device);
bool mmapdemo_param_dirty_log(unsigned int device);
enum mmapdemo_mmap_hook mmapdemo_param_mmap_hook(unsigned int device);
enum mmapdemo_fault_mode mmapdemo_param_fault_mode(unsigned int device);
unsigned long mmapdemo_param_fault_around(unsigned int device);
int mmapdemo_parse_size(const char *str, u64 *size);
#if IS_ENABLED(CONFIG_KUNIT)
int mmapdemo_fault_mode_set(const char *val);
#endif

#endif /* _MMAPDEMO_PARAMS_H */
