/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Many processes that do the same at the same time, and are watched from
 * outside: which of them wait, and whether they die when they are killed.
 */
#ifndef MMAPDEMO_CROWD_H
#define MMAPDEMO_CROWD_H

#include "harness.h"
#include "process.h"

#define CROWD	64

/* How long anybody waits for them to get where they are to be, in seconds. */
#define CROWD_PATIENCE	60

struct crowd {
	int nr;
	pid_t pid[CROWD];
	long switches[CROWD];	/* how often each had given up its CPU */
	int go;			/* the end of a pipe: closed, they begin */
	int done;		/* how many have ended by themselves, with 0 */
	int killed;		/* ... by SIGKILL */
};

/* What each of them does, where; false, or not 0: it failed. */
struct crowd_job {
	bool (*prepare)(void *arg);	/* or NULL */
	int (*act)(void *arg);
	void *arg;
	int not_theirs;		/* a file that they are not to have; or -1 */
};

static inline void crowd_run(const struct crowd_job *job, int ready, int go)
{
	char byte;

	/* It does not outlive its parent. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(job->not_theirs);
	if (job->prepare && !job->prepare(job->arg))
		_exit(1);
	close(ready);
	if (read(go, &byte, 1))
		_exit(1);
	_exit(job->act(job->arg));
}

/* Returns when all are prepared. */
static inline void crowd_start(struct crowd *crowd, int nr,
			       const struct crowd_job *job)
{
	int ready[2], go[2], i;
	char byte;

	if (pipe(ready) || pipe(go))
		abort();
	*crowd = (struct crowd){ .nr = nr, .go = go[1] };
	for (i = 0; i < nr; i++) {
		crowd->pid[i] = fork();
		if (!crowd->pid[i]) {
			close(ready[0]);
			close(go[1]);
			crowd_run(job, ready[1], go[0]);
		}
		if (crowd->pid[i] < 0)
			abort();
	}
	close(ready[1]);
	close(go[0]);
	if (read(ready[0], &byte, 1))
		abort();
	close(ready[0]);
}

static inline void crowd_go(struct crowd *crowd)
{
	close(crowd->go);
}

/* Counts who has ended; with WNOHANG in @flags, by now. */
static inline int crowd_reap(struct crowd *crowd, int flags)
{
	int i, status, alive = 0;

	for (i = 0; i < crowd->nr; i++) {
		if (!crowd->pid[i])
			continue;
		if (waitpid(crowd->pid[i], &status, flags) != crowd->pid[i]) {
			alive++;
			continue;
		}
		crowd->pid[i] = 0;
		crowd->done += WIFEXITED(status) && !WEXITSTATUS(status);
		crowd->killed += WIFSIGNALED(status) &&
				 WTERMSIG(status) == SIGKILL;
	}
	return alive;
}

/*
 * Whether it sleeps where no signal but SIGKILL, if any, can wake it, and has
 * not been awake since the last look.
 */
static inline bool stands_still(pid_t pid, long *switches)
{
	static const char name[] = "\nvoluntary_ctxt_switches:";
	char path[64], text[4096], *line;
	long before = *switches;
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = open(path, O_RDONLY);
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len < 0 ? 0 : len] = '\0';
	line = strstr(text, name);
	*switches = line ? atol(line + sizeof(name) - 1) : -1;
	return strstr(text, "\nState:\tD") && *switches == before;
}

/* Return: how many wait, when those who do not have ended. */
static inline int crowd_waiting(struct crowd *crowd)
{
	double end = seconds() + CROWD_PATIENCE;
	int i, alive, waiting;

	do {
		usleep(10000);
		alive = crowd_reap(crowd, WNOHANG);
		waiting = 0;
		for (i = 0; i < crowd->nr; i++)
			if (crowd->pid[i])
				waiting += stands_still(crowd->pid[i],
							&crowd->switches[i]);
	} while (waiting < alive && seconds() < end);
	return waiting;
}

static inline void crowd_kill(struct crowd *crowd)
{
	int i;

	for (i = 0; i < crowd->nr; i++)
		if (crowd->pid[i])
			kill(crowd->pid[i], SIGKILL);
}

/* Return: how many are left after @limit seconds at most. */
static inline int crowd_left(struct crowd *crowd, double limit)
{
	double end = seconds() + limit;
	int left;

	while ((left = crowd_reap(crowd, WNOHANG)) && seconds() < end)
		usleep(1000);
	return left;
}

static inline int crowd_pause(void *arg)
{
	(void)arg;
	return pause();
}

/*
 * Seconds that as many take to die that wait for nothing of ours: what is due to
 * the machine and to the kernel's own checks, which take most of the time that
 * an exit takes on a kernel with all of them.
 */
static inline double crowd_toll(void)
{
	const struct crowd_job job = { .act = crowd_pause, .not_theirs = -1 };
	struct crowd crowd;
	double start;

	crowd_start(&crowd, CROWD, &job);
	crowd_go(&crowd);
	usleep(100000);
	start = seconds();
	crowd_kill(&crowd);
	crowd_reap(&crowd, 0);
	return seconds() - start;
}

/*
 * Return: how many are left a second after they are killed; or, where the machine
 * takes longer than that to end so many at all, after twice its time on top.
 */
static inline int crowd_survivors(struct crowd *crowd)
{
	int left;

	crowd_kill(crowd);
	left = crowd_left(crowd, 1);
	return left ? crowd_left(crowd, 2 * crowd_toll()) : 0;
}

#endif /* MMAPDEMO_CROWD_H */
