/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vm.max_map_count, the most VMAs that a process may have, lowered to what the
 * caller has for the length of one call. The limit is everybody's: the caller
 * makes itself many VMAs first, so that nobody else comes near it.
 */
#ifndef MMAPDEMO_MAP_LIMIT_H
#define MMAPDEMO_MAP_LIMIT_H

#include "attempt.h"

#define MAX_MAP_COUNT	"/proc/sys/vm/max_map_count"
#define MANY_MAPS	1000

/* What the kernel counts for the caller; [vsyscall] is nobody's VMA. */
static inline int map_count(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	int count = 0;

	while (fgets(line, sizeof(line), maps))
		count += !strstr(line, "[vsyscall]");
	fclose(maps);
	return count;
}

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
 * Return: what @call returned.
 */
static inline int at_map_limit(int room, int (*call)(void *), void *arg)
{
	char old[16] = "", limit[16];
	int ret;

	if (read_file(MAX_MAP_COUNT, old, sizeof(old)))
		abort();
	snprintf(limit, sizeof(limit), "%d", map_count() + room);
	write_file(MAX_MAP_COUNT, limit);
	ret = call(arg);
	write_file(MAX_MAP_COUNT, old);
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

#endif /* MMAPDEMO_MAP_LIMIT_H */
