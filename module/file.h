/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The file operations: file.c has most, ioctl.c, vma.c and prepare.c one each.
 */
#ifndef _MMAPDEMO_FILE_H
#define _MMAPDEMO_FILE_H

#include <linux/fs.h>

#include "compat.h"
#include "params.h"

extern const struct file_operations mmapdemo_fops;
const struct file_operations *mmapdemo_fops_with(enum mmapdemo_mmap_hook hook);
long mmapdemo_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
int mmapdemo_mmap(struct file *file, struct vm_area_struct *vma);
#if MMAPDEMO_HAVE_MMAP_PREPARE
int mmapdemo_mmap_prepare(struct vm_area_desc *desc);
#endif

#endif /* _MMAPDEMO_FILE_H */
