/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What /proc/meminfo shows of the pool: see meminfo.c.
 */
#ifndef _MMAPDEMO_MEMINFO_H
#define _MMAPDEMO_MEMINFO_H

struct folio;
struct list_head;

void mmapdemo_meminfo_add_one(struct folio *folio, long used, long spare);
void mmapdemo_meminfo_add(struct list_head *pages, long used, long spare);

#endif /* _MMAPDEMO_MEMINFO_H */
