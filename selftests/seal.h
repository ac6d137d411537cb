/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mseal(2), since Linux 6.10; older C libraries have no name for it. Nothing
 * lifts a seal but the end of the process: it is always a child's.
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

#endif /* MMAPDEMO_SEAL_H */
