/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What /proc/meminfo shows of the pool: see meminfo.c.
 */
#ifndef _MMAPDEMO_MEMINFO_H
#define _MMAPDEMO_MEMINFO_H

struct folio;

void mmapdemo_meminfo_add(struct folio **pages, unsigned int nr, long used, long spare);

#endif /* _MMAPDEMO_MEMINFO_H */
