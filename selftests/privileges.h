/* SPDX-License-Identifier: GPL-2.0-only */
/* Taking from a child what root may do; there is no way back. */
#ifndef MMAPDEMO_PRIVILEGES_H
#define MMAPDEMO_PRIVILEGES_H

#include "mmapdemo_test.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* Takes one capability, CAP_..., from the caller. Return: whether it is gone. */
static inline bool drop_capability(int cap)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return false;
	data[cap / 32].effective &= ~(1U << cap % 32);
	return !syscall(SYS_capset, &header, data);
}

/* Limits what the caller may mlock to @len bytes. */
static inline bool limit_memlock(size_t len)
{
	struct rlimit limit = { len, len };

	return drop_capability(CAP_IPC_LOCK) &&
	       !setrlimit(RLIMIT_MEMLOCK, &limit);
}

#endif /* MMAPDEMO_PRIVILEGES_H */
