/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vm.max_map_count, the most VMAs that a process may have, lowered to what the
 * caller has for the length of one call. The limit is everybody's: the caller
 * makes itself many VMAs first, so that nobody else comes near it.
 */
#ifndef MMAPDEMO_MAP_LIMIT_H
#define MMAPDEMO_MAP_LIMIT_H

#include "attempt.h"

/*
 * More than most processes have. Nor can it be a lot more: a kernel that checks
 * its VMAs at each change takes long to make them.
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
	char old[16] = "", limit[16];
	int ret, error;

	if (read_file(MAX_MAP_COUNT, old, sizeof(old)))
		abort();
	snprintf(limit, sizeof(limit), "%ld", map_count() + room);
	write_file(MAX_MAP_COUNT, limit);
	ret = call(arg);
	error = errno;
	write_file(MAX_MAP_COUNT, old);
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

#endif /* MMAPDEMO_MAP_LIMIT_H */
