/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sync: see sync.c.
 */
#ifndef _MMAPDEMO_SYNC_H
#define _MMAPDEMO_SYNC_H

#include <linux/types.h>

struct mmapdemo_store;

int mmapdemo_sync(struct mmapdemo_store *store, pgoff_t start, pgoff_t last);

#endif /* _MMAPDEMO_SYNC_H */
