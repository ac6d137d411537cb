// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what becomes of a mapping of the device that a userfaultfd watches, and
 * of who waits there: fork, SIGKILL, the end of the watch; that it is the same of
 * a memfd; and that the calls which fill pages fill none of the device.
 *
 * The ids (V03, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; Linux 7.3 with CONFIG_USERFAULTFD and
 * CONFIG_PTE_MARKER_UFFD_WP.
 */
#include "crowd.h"
#include "uffd_util.h"

SHARED_FIXTURE(uffd_life)

/* What a child writes where, and whether it is told when. */
struct child_write {
	char *p;
	int value;
	int go;		/* it reads a byte from there first; -1: it does not */
};

static int child_writes(void *arg)
{
	const struct child_write *c = arg;
	char byte;

	if (c->go >= 0 && read(c->go, &byte, 1) != 1)
		return 1;
	return !can_write(c->p, c->value);
}

/* V08: a child is not watched, unless the userfaultfd asks for it. */
TEST_F(uffd_life, V08_child)
{
	struct watched *w = &self->w;
	struct child_write write = { .p = w->p, .value = 7, .go = -1 };
	struct accessor a;

	ASSERT_EQ(0, watched_clean(w));
	ASSERT_EQ(0, watch(w->uffd, w->p, NR, WP));
	read_pages(w->p, WRITTEN);
	ASSERT_EQ(0, protect(w->uffd, w->p, NR));
	EXPECT_EQ(0, in_child(child_writes, &write));
	EXPECT_TRUE(uffd_is_silent(w->uffd));
	EXPECT_EQ(7, w->p[0]);
	EXPECT_TRUE(watched_log_is(w, PAGES(0, 1)));
	ASSERT_TRUE(start_waiting_write(w, &a, w->p, 8));
	EXPECT_EQ(0, lift(w->uffd, w->p, 1));
	EXPECT_EQ(0, end_access(&a));
}

struct forker {
	pthread_t thread;
	struct child_write write;
	int status;
};

static void *fork_and_wait(void *arg)
{
	struct forker *f = arg;

	f->status = in_child(child_writes, &f->write);
	return NULL;
}

/* Forks, with @uffd to hear of it. Return: the child's userfaultfd; -1: no. */
static int start_fork(struct forker *f, int uffd)
{
	struct uffd_msg msg;

	/* fork(2) returns when somebody has read the message. */
	if (pthread_create(&f->thread, NULL, fork_and_wait, f))
		abort();
	return uffd_wait(uffd, &msg) && msg.event == UFFD_EVENT_FORK ?
	       (int)msg.arg.fork.ufd : -1;
}

static int end_fork(struct forker *f)
{
	pthread_join(f->thread, NULL);
	return f->status;
}

/*
 * V08: with EVENT_FORK it is watched by one of its own, and the page tables are
 * copied: what they allow is noticed, too.
 */
TEST_F(uffd_life, V08_watched_child)
{
	struct watched *w = &self->w;
	int uffd = open_uffd(UFFD_FEATURE_EVENT_FORK), go[2], theirs;
	struct forker f = { };

	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, watch(uffd, w->p, NR, WP));
	write_pages(w->p, 2, 1);
	ASSERT_EQ(0, protect(uffd, w->p, 1));

	f.write = (struct child_write){ .p = w->p, .value = 7, .go = go[0] };
	theirs = start_fork(&f, uffd);
	ASSERT_LE(0, theirs);
	ASSERT_EQ(0, watched_clean(w));
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_TRUE(uffd_waits_at(theirs, w->p, WRITE_WAITS));
	EXPECT_EQ(1, w->p[0]);
	EXPECT_TRUE(watched_log_is(w, 0));
	EXPECT_EQ(0, lift(theirs, w->p, 1));
	EXPECT_EQ(0, end_fork(&f));
	EXPECT_EQ(7, w->p[0]);
	EXPECT_TRUE(watched_log_is(w, PAGES(0, 1)));
	close(theirs);

	/* A PTE that was writable when it was copied. */
	write_pages(w->p + page_size, 1, 2);
	f.write.p = w->p + page_size;
	theirs = start_fork(&f, uffd);
	ASSERT_LE(0, theirs);
	ASSERT_EQ(0, watched_clean(w));
	ASSERT_EQ(1, write(go[1], "", 1));
	EXPECT_EQ(0, end_fork(&f));
	EXPECT_TRUE(watched_log_is(w, PAGES(1, 1)));
	EXPECT_EQ(7, w->p[page_size]);
	close(theirs);
	close(uffd);
}

/* A child of its own that waits, and whose message nobody answers. */
static pid_t start_waiting_child(struct watched *w)
{
	int ready[2], uffd;
	struct accessor a;
	char byte = 0;
	pid_t pid;

	if (pipe(ready))
		abort();
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		uffd = open_uffd(0);
		if (watch(uffd, w->p, NR, WP) || protect(uffd, w->p, NR))
			_exit(1);
		start_access(&a, w->p, 7);
		if (uffd_waits_at(uffd, w->p, WRITE_WAITS))
			byte = 1;
		if (write(ready[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		byte = 0;
	close(ready[0]);
	if (byte)
		return pid;
	end_waiting(pid);
	return -1;
}

/* V08: who waits can be killed, and holds up nobody. */
TEST_F(uffd_life, V08_killed)
{
	struct watched *w = &self->w;
	struct crowd crowd = { .nr = 1 };

	crowd.pid[0] = start_waiting_child(w);
	ASSERT_LT(0, crowd.pid[0]);
	EXPECT_EQ(0, watched_clean(w));
	EXPECT_EQ(0, watched_punch(w, 0, 1));
	EXPECT_EQ(0, crowd_survivors(&crowd));
	EXPECT_EQ(1, crowd.killed);
	EXPECT_EQ(0, watched_byte(w, 0));
}

static int child_installs_guard(void *arg)
{
	const struct watched *w = arg;

	if (watch(w->uffd, w->p, NR, WP) || protect(w->uffd, w->p, NR))
		return 1;
	madvise(w->p, page_size, MADV_GUARD_INSTALL);
	return 0;
}

/*
 * V08: the core never gets a guard page into the place of a protected one, and
 * never gives up. It is the same on tmpfs, and can be killed.
 */
TEST_F(uffd_life, V08_guard_over_protection)
{
	struct watched child = self->w;
	struct crowd crowd = { .nr = 1 };

	crowd.pid[0] = fork();
	if (!crowd.pid[0]) {
		child.uffd = open_uffd(UFFD_FEATURE_WP_HUGETLBFS_SHMEM);
		_exit(child_installs_guard(&child));
	}
	ASSERT_LT(0, crowd.pid[0]);
	EXPECT_EQ(1, crowd_left(&crowd, 1));
	EXPECT_EQ(0, watched_punch(&self->w, 0, 1));
	EXPECT_EQ(0, crowd_survivors(&crowd));
	EXPECT_EQ(1, crowd.killed);
}

/* V08: the end of the watch is that of the protection. */
TEST_F(uffd_life, V08_unwatched)
{
	struct watched *w = &self->w;
	struct accessor a;

	ASSERT_EQ(0, watch(w->uffd, w->p, NR, WP));
	read_pages(w->p, WRITTEN);
	ASSERT_EQ(0, protect(w->uffd, w->p, NR));
	ASSERT_TRUE(start_waiting_write(w, &a, w->p, 7));
	ASSERT_EQ(0, watched_clean(w));
	EXPECT_EQ(0, unwatch(w->uffd, w->p, NR));
	EXPECT_EQ(0, uffd_wake(w->uffd, w->p, NR));
	EXPECT_EQ(0, end_access(&a));
	write_pages(w->p + 2 * page_size, 4, 8);
	EXPECT_TRUE(uffd_is_silent(w->uffd));
	EXPECT_TRUE(watched_log_is(w, PAGES(0, 1) | PAGES(2, 4)));
	EXPECT_EQ(ENOENT, protect(w->uffd, w->p, NR));
}

/* V08: so is the end of the userfaultfd, which wakes by itself. */
TEST_F(uffd_life, V08_closed)
{
	struct watched *w = &self->w;
	struct accessor a;

	ASSERT_EQ(0, watch(w->uffd, w->p, NR, WP));
	ASSERT_EQ(0, protect(w->uffd, w->p, NR));
	ASSERT_TRUE(start_waiting_write(w, &a, w->p, 7));
	ASSERT_EQ(0, watched_clean(w));
	close(w->uffd);
	EXPECT_EQ(0, end_access(&a));
	write_pages(w->p + page_size, 1, 8);
	EXPECT_TRUE(watched_log_is(w, PAGES(0, 2)));
}

/* V08: one who waits has the module, by the mapping alone. */
TEST_F(uffd_life, V08_module_stays)
{
	struct watched *w = &self->w;
	struct accessor a;
	char *p;
	int fd;

	if (w->memfd || module_users() < 0)
		SKIP(return, "needs a module");
	fd = open(DEVICE, O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, munmap(w->p, NR * page_size));
	ASSERT_EQ(2, module_users());
	p = map_shared(_metadata, fd, 0, NR);
	close(fd);
	ASSERT_EQ(0, watch(w->uffd, p, NR, WP));
	ASSERT_EQ(0, protect(w->uffd, p, NR));
	ASSERT_TRUE(start_waiting_write(w, &a, p, 7));
	EXPECT_EQ(2, module_users());
	EXPECT_ERRNO(EWOULDBLOCK, syscall(SYS_delete_module, "mmapdemo",
					  O_NONBLOCK));
	EXPECT_EQ(0, lift(w->uffd, p, 1));
	EXPECT_EQ(0, end_access(&a));
	EXPECT_EQ(0, munmap(p, NR * page_size));
	EXPECT_EQ(1, module_users());
}

/* V08: with SIGBUS, who writes gets that, and nobody waits. */
TEST_F(uffd_life, V08_sigbus)
{
	struct watched *w = &self->w;
	int uffd = open_uffd(UFFD_FEATURE_SIGBUS);

	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, watched_clean(w));
	ASSERT_EQ(0, watch(uffd, w->p, NR, WP));
	read_pages(w->p, 1);
	ASSERT_EQ(0, protect(uffd, w->p, NR));
	EXPECT_TRAP(w->p, 1, SIGBUS, BUS_ADRERR, w->p);
	EXPECT_TRUE(watched_log_is(w, 0));
	EXPECT_EQ(0, lift(uffd, w->p, 1));
	EXPECT_TRUE(can_write(w->p, 1));
	close(uffd);
}

static void *drop_pages(void *arg)
{
	struct watched *w = arg;

	return (void *)(long)madvise(w->p, page_size, MADV_DONTNEED);
}

/* V08: madvise is told of, discard is not: it is for files what punching holes is. */
TEST_F(uffd_life, V08_event_remove)
{
	struct watched *w = &self->w;
	int uffd = open_uffd(UFFD_FEATURE_EVENT_REMOVE);
	struct uffd_msg msg;
	pthread_t thread;
	void *ret;

	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, watch(uffd, w->p, NR, WP));
	ASSERT_EQ(0, watched_punch(w, 1, 1));
	EXPECT_TRUE(uffd_is_silent(uffd));
	ASSERT_EQ(0, pthread_create(&thread, NULL, drop_pages, w));
	ASSERT_TRUE(uffd_wait(uffd, &msg));
	EXPECT_EQ(UFFD_EVENT_REMOVE, msg.event);
	EXPECT_EQ((uintptr_t)w->p, msg.arg.remove.start);
	EXPECT_EQ((uintptr_t)w->p + page_size, msg.arg.remove.end);
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
	close(uffd);
}

static int go_on(int uffd, char *p)
{
	struct uffdio_continue go_on = { .range = { (uintptr_t)p, page_size } };

	return ioctl(uffd, UFFDIO_CONTINUE, &go_on) ? errno : 0;
}

static int poison(int uffd, char *p)
{
	struct uffdio_poison poison = { .range = { (uintptr_t)p, page_size } };

	return ioctl(uffd, UFFDIO_POISON, &poison) ? errno : 0;
}

static int move_to(int uffd, char *p)
{
	struct uffdio_move move = {
		.dst = (uintptr_t)p, .len = page_size,
		.src = (uintptr_t)mmap(NULL, page_size, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	};

	return ioctl(uffd, UFFDIO_MOVE, &move) ? errno : 0;
}

/* What each call gives: at a hole of a memfd, past its end, and of the device. */
static const struct filler {
	const char *name;
	int (*call)(int uffd, char *p);
	int memfd, past_end, device, private;
} fillers[] = {
	{ "COPY", uffd_copy, 0, ENOMEM, ENOMEM, EFAULT },
	{ "ZEROPAGE", uffd_zero, 0, ENOMEM, ENOMEM, EFAULT },
	{ "CONTINUE", go_on, EFAULT, EFAULT, EINVAL, EINVAL },
	{ "POISON", poison, 0, EFAULT, EFAULT, EFAULT },
	{ "MOVE", move_to, EINVAL, EINVAL, EINVAL, EINVAL },
};

/*
 * V10: to the core all of the device lies past the end of its node, whose size is
 * 0. CONTINUE, which needs more of the driver, is not there at all.
 */
TEST_F(uffd_life, V10_calls_that_fill)
{
	struct watched *w = &self->w;
	char *shared = map_shared(_metadata, w->fd, 0, NR + 1);
	char *private = map_private(_metadata, w->fd, 0, NR);
	long held = pool_read("held"), stored = pool_read("stored");
	char *hole = shared + WRITTEN * page_size;
	const struct filler *f;

	ASSERT_EQ(0, watched_clean(w));
	ASSERT_EQ(0, watch(w->uffd, shared, NR + 1, WP));
	ASSERT_EQ(0, watch(w->uffd, private, NR, WP));
	for (f = fillers; f < fillers + ARRAY_SIZE(fillers); f++) {
		EXPECT_EQ(w->memfd ? f->memfd : f->device,
			  f->call(w->uffd, hole)) TH_LOG("%s", f->name);
		EXPECT_EQ(w->memfd ? f->past_end : f->device,
			  f->call(w->uffd, shared + NR * page_size))
			TH_LOG("%s past the end", f->name);
		if (!w->memfd) {
			EXPECT_EQ(f->private, f->call(w->uffd, private))
				TH_LOG("%s, private", f->name);
		}
		EXPECT_EQ(0, madvise(hole, page_size, MADV_DONTNEED));
		EXPECT_EQ(0, watched_punch(w, WRITTEN, 1));
	}
	EXPECT_EQ(held, pool_read("held"));
	EXPECT_EQ(stored, pool_read("stored"));
	EXPECT_TRUE(watched_log_is(w, 0));
	EXPECT_EQ(-1, bad_page(shared, 0, WRITTEN, 0));
	munmap(shared, (NR + 1) * page_size);
	munmap(private, NR * page_size);
}

TEST_HARNESS_MAIN
