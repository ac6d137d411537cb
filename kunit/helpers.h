/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MMAPDEMO_KUNIT_HELPERS_H
#define _MMAPDEMO_KUNIT_HELPERS_H

#include <linux/highmem.h>
#include <linux/string.h>

#include "../module/mmapdemo.h"

/* Fills a page with @byte. */
static inline void folio_fill(struct folio *folio, u8 byte)
{
	void *addr = kmap_local_folio(folio, 0);

	memset(addr, byte, PAGE_SIZE);
	kunmap_local(addr);
}

/* Return: whether each byte of the page is @byte. */
static inline bool folio_is_filled(struct folio *folio, u8 byte)
{
	void *addr = kmap_local_folio(folio, 0);
	bool filled = !memchr_inv(addr, byte, PAGE_SIZE);

	kunmap_local(addr);
	return filled;
}

#endif /* _MMAPDEMO_KUNIT_HELPERS_H */
