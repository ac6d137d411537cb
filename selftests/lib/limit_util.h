/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the system, or a process, may have at most: sysctls, capabilities, and
 * how near a process is to them. A sysctl is everybody's: change it for as few
 * calls as possible, with nothing among them that can end the test.
 */
#ifndef MMAPDEMO_LIMIT_UTIL_H
#define MMAPDEMO_LIMIT_UTIL_H

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define MAX_MAP_COUNT	"/proc/sys/vm/max_map_count"
#define MMAP_MIN_ADDR	"/proc/sys/vm/mmap_min_addr"
#define OVERCOMMIT	"/proc/sys/vm/overcommit_memory"

static inline long sysctl_read(const char *path)
{
	char text[32] = "-1";

	read_file(path, text, sizeof(text));
	return atol(text);
}

static inline int sysctl_write(const char *path, long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", value);
	return write_file(path, text);
}

/* Both limits, so that no privilege but CAP_SYS_RESOURCE brings them back. */
static inline bool limit(int resource, rlim_t value)
{
	struct rlimit limits = { value, value };

	return !setrlimit(resource, &limits);
}

/* Takes one capability from the caller, who stays root in all else. */
static inline bool drop_capability(int cap)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		return false;
	data[CAP_TO_INDEX(cap)].effective &= ~CAP_TO_MASK(cap);
	return !syscall(SYS_capset, &header, data);
}

/* Limits what the caller may mlock to @len bytes. */
static inline bool limit_memlock(size_t len)
{
	return drop_capability(CAP_IPC_LOCK) && limit(RLIMIT_MEMLOCK, len);
}

/* The VMAs of the caller, as the kernel counts them: [vsyscall] is none. */
static inline long map_count(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	long count = 0;

	while (fgets(line, sizeof(line), maps))
		count += !strstr(line, "[vsyscall]");
	fclose(maps);
	return count;
}

#endif /* MMAPDEMO_LIMIT_UTIL_H */
