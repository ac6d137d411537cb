/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tmpfs_like.c does with userfaultfd: a side's mappings are watched, and a
 * thread lifts the protection of each page that somebody waits for, and counts.
 */
#ifndef MMAPDEMO_TMPFS_LIKE_UFFD_H
#define MMAPDEMO_TMPFS_LIKE_UFFD_H

#include "tmpfs_like_util.h"

#include <pthread.h>

static void *side_answer(void *arg)
{
	struct pollfd wait = { .events = POLLIN };
	struct side *side = arg;
	struct uffd_msg msg;
	char *p;

	wait.fd = side->uffd;
	while (poll(&wait, 1, -1) == 1) {
		if (read(side->uffd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		/* Before it goes on, and is looked at. */
		side->told++;
		p = (char *)(uintptr_t)msg.arg.pagefault.address;
		if (msg.event != UFFD_EVENT_PAGEFAULT ||
		    lift(side->uffd, p, 1))
			abort();
	}
	return NULL;
}

/*
 * Before 7.3 the device cannot be watched like that: then nothing is. Return:
 * whether it went well.
 */
static inline bool side_watch(struct side *side)
{
	pthread_t thread;

	side->uffd = kernel_before(7, 3) ? -1 : open_uffd(0);
	return side->uffd < 0 ||
	       !pthread_create(&thread, NULL, side_answer, side);
}

/* Unwatched mappings are not protected either; new ones are unwatched. */
static void op_uffd(const struct side *side, const struct step *step,
		    struct outcome *outcome)
{
	char *p = place(side, step->page);

	if (side->uffd < 0)
		return;
	switch (step->choice[0] % 8) {
	case 0:
		outcome->error = unwatch(side->uffd, p, step->nr);
		break;
	case 1:
		outcome->error = lift(side->uffd, p, step->nr);
		break;
	case 2:
	case 3:
		outcome->error = protect(side->uffd, p, step->nr);
		break;
	default:
		outcome->error = watch(side->uffd, p, step->nr, WP) ?:
				 protect(side->uffd, p, step->nr);
	}
}

#endif /* MMAPDEMO_TMPFS_LIKE_UFFD_H */
