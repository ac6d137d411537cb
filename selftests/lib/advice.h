/* SPDX-License-Identifier: GPL-2.0-only */
/* madvise(2) with all that the kernels under test know, whatever libc does. */
#ifndef MMAPDEMO_ADVICE_H
#define MMAPDEMO_ADVICE_H

#include "mmapdemo_test.h"

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

/* Return: 0, or the errno. */
static inline int advise(char *p, size_t len, int advice)
{
	return madvise(p, len, advice) ? errno : 0;
}

#endif /* MMAPDEMO_ADVICE_H */
