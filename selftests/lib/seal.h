/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mseal(2), since Linux 6.10, where a long has 64 bits: in 32 there is no room
 * for the flag. Older C libraries have no name for it. Nothing lifts a seal but
 * the end of the process: it is always a child's.
 */
#ifndef MMAPDEMO_SEAL_H
#define MMAPDEMO_SEAL_H

#include <sys/syscall.h>

#ifndef SYS_mseal
#define SYS_mseal	462
#endif

/* Return: 0, or the errno. */
static inline int seal(void *p, size_t len, unsigned long flags)
{
	return syscall(SYS_mseal, p, len, flags) ? errno : 0;
}

/* Return: what every call of it fails with; 0: it need not fail. */
static inline int no_seal(void)
{
	return seal(NULL, 0, 0);
}

#define NEEDS_SEAL	"needs mseal(2): Linux 6.10, 64 bits"

#endif /* MMAPDEMO_SEAL_H */
