/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the system, or a process, may have at most: sysctls, capabilities, memory
 * cgroups, and how near a process is to them. A sysctl is everybody's: it is
 * changed for as few calls as possible, with nothing among them that can end
 * the test.
 */
#ifndef MMAPDEMO_RESOURCE_LIMITS_H
#define MMAPDEMO_RESOURCE_LIMITS_H

#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

#include "files.h"
#include "harness.h"
#include "process.h"

#define MAX_MAP_COUNT	"/proc/sys/vm/max_map_count"
#define MMAP_MIN_ADDR	"/proc/sys/vm/mmap_min_addr"
#define OVERCOMMIT	"/proc/sys/vm/overcommit_memory"

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

/* More pages than any machine of this one's memory can promise, yet not many. */
static inline size_t pages_beyond_memory(void)
{
	struct sysinfo info;

	if (sysinfo(&info))
		abort();
	return ((__u64)info.totalram + info.totalswap) * info.mem_unit / 4 * 5 /
	       page_size;
}

/*
 * Runs @call with the kernel's default of overcommit: what is obviously too
 * much is refused. Return: what @call returned.
 */
static inline int with_overcommit_guess(int (*call)(void *), void *arg)
{
	struct setting overcommit;
	int ret;

	setting_change(&overcommit, OVERCOMMIT, "0");
	ret = call(arg);
	setting_restore(&overcommit);
	return ret;
}

/* --- The most VMAs that a process may have -------------------------------- */

/*
 * vm.max_map_count, lowered to what the caller has for the length of one call.
 * The limit is everybody's: the caller makes itself many VMAs first, so that
 * nobody else comes near it. More than most processes have, and not a lot more:
 * a kernel that checks its VMAs at each change takes long to make them.
 */
#define MANY_MAPS	560

/* Return: whether the caller, a child, has MANY_MAPS VMAs more. */
static inline bool make_many_maps(void)
{
	char *p = mmap(NULL, MANY_MAPS * page_size, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int i;

	for (i = 0; p != MAP_FAILED && i < MANY_MAPS; i += 2)
		if (mprotect(p + i * page_size, page_size, PROT_READ))
			return false;
	return p != MAP_FAILED;
}

/*
 * Runs @call with room for @room more VMAs; in a child of the function below.
 * Return: what @call returned, with its errno.
 */
static inline int at_map_limit(int room, int (*call)(void *), void *arg)
{
	struct setting max;
	char limit[32];
	int ret, error;

	snprintf(limit, sizeof(limit), "%ld", map_count() + room);
	if (!setting_change(&max, MAX_MAP_COUNT, limit))
		abort();
	ret = call(arg);
	error = errno;
	setting_restore(&max);
	errno = error;
	return ret;
}

/* As in_child(); the limit is @fn's to change, and as before afterwards. */
static inline int in_child_with_map_limit(int (*fn)(void *), void *arg)
{
	char old[16] = "";
	int ret;

	if (read_file(MAX_MAP_COUNT, old, sizeof(old)))
		abort();
	ret = in_child(fn, arg);
	write_file(MAX_MAP_COUNT, old);
	return ret;
}

struct call_at_limit {
	int (*call)(void *arg);
	void *arg;
};

static inline int child_at_map_limit(void *arg)
{
	struct call_at_limit *c = arg;

	if (!make_many_maps())
		return 255;
	return at_map_limit(0, c->call, c->arg) ? errno : 0;
}

/*
 * Calls @call, which returns 0 or sets errno, in a child that has reached the
 * limit. Return: that errno; 0: it went well; 255: the limit cannot be reached.
 */
static inline int errno_at_map_limit(int (*call)(void *arg), void *arg)
{
	struct call_at_limit c = { call, arg };

	return in_child_with_map_limit(child_at_map_limit, &c);
}

/* --- A memory cgroup of the test's own, for a child to join --------------- */

#define CGROUP_ROOT	"/tmp/mmapdemo-cgroup2"
#define CGROUP		CGROUP_ROOT "/test/"
#define CGROUP_SUBTREE	CGROUP_ROOT "/cgroup.subtree_control"

/* Whether the root gives its groups memory to count for this test alone. */
static bool cgroup_is_new;

static inline void cgroup_remove(void)
{
	rmdir(CGROUP);
	if (cgroup_is_new)
		write_file(CGROUP_SUBTREE, "-memory");
	cgroup_is_new = false;
	umount(CGROUP_ROOT);
	rmdir(CGROUP_ROOT);
}

/*
 * Makes it, with room for @max bytes and no swap. Return: what is missing; NULL:
 * nothing. Either way cgroup_remove() is next.
 */
static inline const char *cgroup_make(const char *max)
{
	char controllers[256] = "";

	/* Of a test that was killed. */
	cgroup_remove();
	mkdir(CGROUP_ROOT, 0700);
	if (mount("none", CGROUP_ROOT, "cgroup2", 0, NULL))
		return "cgroup2";
	read_file(CGROUP_SUBTREE, controllers, sizeof(controllers));
	if (!strstr(controllers, "memory"))
		cgroup_is_new = !write_file(CGROUP_SUBTREE, "+memory");
	if (mkdir(CGROUP, 0700) || write_file(CGROUP "memory.max", max))
		return "a cgroup2 with the memory controller";
	write_file(CGROUP "memory.swap.max", "0");
	return NULL;
}

/* Puts the caller into it: what it takes from now on is charged. */
static inline bool cgroup_join(void)
{
	return !write_file(CGROUP "cgroup.procs", "0");
}

/* What is charged to it, in bytes. */
static inline long cgroup_charged(void)
{
	char text[32] = "-1";

	read_file(CGROUP "memory.current", text, sizeof(text));
	return atol(text);
}

#endif /* MMAPDEMO_RESOURCE_LIMITS_H */
