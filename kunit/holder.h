/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Another thread that holds a lock while a case does what has to wait for it:
 * lockdep would not let one thread do both.
 */
#ifndef _MMAPDEMO_KUNIT_HOLDER_H
#define _MMAPDEMO_KUNIT_HOLDER_H

#include <linux/completion.h>
#include <linux/rwsem.h>
#include <linux/workqueue.h>

/**
 * struct holder - the thread
 * @work: runs it
 * @sem: the lock
 * @exclusive: how it is held
 * @held: it has got it
 * @release: it shall let go
 */
struct holder {
	struct work_struct work;
	struct rw_semaphore *sem;
	bool exclusive;
	struct completion held, release;
};

static inline void holder_work(struct work_struct *work)
{
	struct holder *holder = container_of(work, struct holder, work);

	if (holder->exclusive)
		down_write(holder->sem);
	else
		down_read(holder->sem);
	complete(&holder->held);
	wait_for_completion(&holder->release);
	if (holder->exclusive)
		up_write(holder->sem);
	else
		up_read(holder->sem);
}

/* Returns once it has the lock. @holder is on the stack. */
static inline void holder_start(struct holder *holder, struct rw_semaphore *sem,
				bool exclusive)
{
	holder->sem = sem;
	holder->exclusive = exclusive;
	init_completion(&holder->held);
	init_completion(&holder->release);
	INIT_WORK_ONSTACK(&holder->work, holder_work);
	schedule_work(&holder->work);
	wait_for_completion(&holder->held);
}

static inline void holder_end(struct holder *holder)
{
	complete(&holder->release);
	flush_work(&holder->work);
	destroy_work_on_stack(&holder->work);
}

#endif /* _MMAPDEMO_KUNIT_HOLDER_H */
