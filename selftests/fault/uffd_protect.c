// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what a userfaultfd hears of a mapping of the device since 7.3, with
 * synchronous protection: who writes, or with RWP accesses, a page that is
 * protected waits until that is lifted, and then the dirty log has what was
 * written. And that it is the same of a memfd, by the same test.
 *
 * The ids (V03, ...) name the branches of mmap that a test proves.
 * Needs: see mmapdemo_test.h; Linux 7.3 with CONFIG_USERFAULTFD and
 * CONFIG_PTE_MARKER_UFFD_WP; for RWP a 64-bit kernel.
 */
#include "uffd_util.h"

SHARED_FIXTURE(uffd_protect)

/* V08: the message comes before the write, and before the log has it. */
TEST_F(uffd_protect, V08_write_waits)
{
	struct watched *w = &self->w;
	long mkwrite = stat_read("mkwrite");
	struct accessor a;

	ASSERT_EQ(0, watched_clean(w));
	read_pages(w->p, WRITTEN);
	ASSERT_EQ(0, watch(w->uffd, w->p, NR, WP));
	ASSERT_EQ(0, protect(w->uffd, w->p, 2));
	ASSERT_TRUE(start_waiting_write(w, &a, w->p + page_size, 7));
	EXPECT_EQ(-1, bad_read(w->fd, 0, WRITTEN, 0));
	EXPECT_TRUE(watched_log_is(w, 0));
	EXPECT_EQ(mkwrite, stat_read("mkwrite"));

	EXPECT_EQ(0, lift(w->uffd, w->p + page_size, 1));
	EXPECT_EQ(0, end_access(&a));
	EXPECT_EQ(7, watched_byte(w, 1));
	EXPECT_TRUE(watched_log_is(w, PAGES(1, 1)));
	EXPECT_EQ(mkwrite + !w->memfd, stat_read("mkwrite"));

	/* Neither reads wait, nor writes beside it. */
	read_pages(w->p, NR);
	write_pages(w->p + 2 * page_size, 1, 8);
	EXPECT_TRUE(uffd_is_silent(w->uffd));
	EXPECT_TRUE(watched_log_is(w, PAGES(1, 2)));
}

/*
 * V08: of a hole as well. The page is there when the write waits, and in the log:
 * that it is not written yet, nobody who reads the log need know.
 */
TEST_F(uffd_protect, V08_write_to_a_hole_waits)
{
	struct watched *w = &self->w;
	char *hole = w->p + WRITTEN * page_size;
	struct accessor a;

	ASSERT_EQ(0, watched_clean(w));
	ASSERT_EQ(0, watch(w->uffd, w->p, NR, WP));
	ASSERT_EQ(0, protect(w->uffd, w->p, NR));
	EXPECT_FALSE(is_mapped(hole));
	EXPECT_EQ(0, read_byte(hole));
	EXPECT_TRUE(uffd_is_silent(w->uffd));
	ASSERT_TRUE(start_waiting_write(w, &a, hole, 7));
	EXPECT_EQ(0, watched_byte(w, WRITTEN));
	EXPECT_EQ(0, lift(w->uffd, hole, 1));
	EXPECT_EQ(0, end_access(&a));
	EXPECT_EQ(7, watched_byte(w, WRITTEN));
	EXPECT_TRUE(watched_log_is(w, PAGES(WRITTEN, 1)));

	/* One that nobody has read before. */
	hole += page_size;
	ASSERT_TRUE(start_waiting_write(w, &a, hole, 8));
	EXPECT_TRUE(watched_log_is(w, PAGES(WRITTEN, 2)));
	/* Cleared meanwhile, it comes again with the write. */
	EXPECT_EQ(0, watched_clean(w));
	EXPECT_TRUE(watched_log_is(w, 0));
	EXPECT_EQ(0, lift(w->uffd, hole, 1));
	EXPECT_EQ(0, end_access(&a));
	EXPECT_EQ(8, watched_byte(w, WRITTEN + 1));
	EXPECT_TRUE(watched_log_is(w, PAGES(WRITTEN + 1, 1)));
}

/*
 * V08, I03: a page that was writable is protected, and lifted, as it was. If it was
 * cleaned meanwhile, the next write is noticed all the same.
 */
TEST_F(uffd_protect, V08_I03_cleaned_while_protected)
{
	struct watched *w = &self->w;
	long mkwrite;

	ASSERT_EQ(0, watch(w->uffd, w->p, NR, WP));
	write_pages(w->p, 2, 1);
	mkwrite = stat_read("mkwrite");
	ASSERT_EQ(0, protect(w->uffd, w->p, 2));
	ASSERT_EQ(0, lift(w->uffd, w->p, 2));
	write_pages(w->p, 2, 2);
	EXPECT_EQ(mkwrite, stat_read("mkwrite"));

	ASSERT_EQ(0, protect(w->uffd, w->p, 2));
	ASSERT_EQ(0, watched_clean(w));
	ASSERT_EQ(0, lift(w->uffd, w->p, 2));
	EXPECT_TRUE(watched_log_is(w, 0));
	write_pages(w->p, 1, 3);
	EXPECT_TRUE(watched_log_is(w, PAGES(0, 1)));
	EXPECT_EQ(mkwrite + !w->memfd, stat_read("mkwrite"));
	EXPECT_TRUE(uffd_is_silent(w->uffd));
}

/* V08: a sync that write-protects as well does not lift it. */
TEST_F(uffd_protect, V08_cleaning_keeps_protection)
{
	struct watched *w = &self->w;
	struct accessor a;

	ASSERT_EQ(0, watch(w->uffd, w->p, NR, WP));
	write_pages(w->p, 1, 1);
	ASSERT_EQ(0, protect(w->uffd, w->p, 1));
	ASSERT_EQ(0, msync(w->p, page_size, MS_SYNC));
	ASSERT_EQ(0, watched_clean(w));
	ASSERT_TRUE(start_waiting_write(w, &a, w->p, 7));
	ASSERT_EQ(0, watched_clean(w));
	EXPECT_EQ(1, watched_byte(w, 0));
	EXPECT_EQ(0, lift(w->uffd, w->p, 1));
	EXPECT_EQ(0, end_access(&a));
	EXPECT_TRUE(watched_log_is(w, PAGES(0, 1)));
}

/* V08: lifted with DONTWAKE, who waits does so until WAKE. */
TEST_F(uffd_protect, V08_wake)
{
	struct watched *w = &self->w;
	struct accessor a;

	ASSERT_EQ(0, watch(w->uffd, w->p, NR, WP));
	ASSERT_EQ(0, protect(w->uffd, w->p, NR));
	ASSERT_TRUE(start_waiting_write(w, &a, w->p, 7));
	EXPECT_EQ(0, write_protect(w->uffd, w->p, 1,
				   UFFDIO_WRITEPROTECT_MODE_DONTWAKE));
	usleep(100000);
	EXPECT_FALSE(a.done);
	EXPECT_EQ(0, uffd_wake(w->uffd, w->p, 1));
	EXPECT_EQ(0, end_access(&a));
	EXPECT_EQ(7, watched_byte(w, 0));

	/* Woken with nothing lifted, it asks again. */
	ASSERT_TRUE(start_waiting_write(w, &a, w->p + page_size, 8));
	EXPECT_EQ(0, uffd_wake(w->uffd, w->p + page_size, 1));
	EXPECT_TRUE(uffd_waits_at(w->uffd, w->p + page_size, WRITE_WAITS));
	EXPECT_EQ(0, lift(w->uffd, w->p + page_size, 1));
	EXPECT_EQ(0, end_access(&a));
}

/* V08: a page that is discarded leaves a protected hole, as on tmpfs. */
TEST_F(uffd_protect, V08_discard_keeps_protection)
{
	struct watched *w = &self->w;
	struct accessor a;

	ASSERT_EQ(0, watch(w->uffd, w->p, NR, WP));
	read_pages(w->p, WRITTEN);
	ASSERT_EQ(0, protect(w->uffd, w->p, 3));
	ASSERT_TRUE(start_waiting_write(w, &a, w->p, 7));
	/* Also below one who waits. */
	ASSERT_EQ(0, watched_punch(w, 0, 2));
	EXPECT_FALSE(is_mapped(w->p));
	EXPECT_TRUE(uffd_is_silent(w->uffd));
	EXPECT_EQ(0, read_byte(w->p));
	EXPECT_EQ(0, lift(w->uffd, w->p, 1));
	EXPECT_EQ(0, end_access(&a));
	EXPECT_EQ(7, watched_byte(w, 0));

	ASSERT_TRUE(start_waiting_write(w, &a, w->p + page_size, 8));
	EXPECT_EQ(0, watched_byte(w, 1));
	EXPECT_EQ(0, lift(w->uffd, w->p, NR));
	EXPECT_EQ(0, end_access(&a));
	EXPECT_EQ(8, watched_byte(w, 1));
	EXPECT_EQ(-1, bad_read(w->fd, 2, WRITTEN - 2, 0));
}

/* V08: past the end there is a signal, and no message; it comes and goes with it. */
TEST_F(uffd_protect, V08_past_the_end)
{
	struct watched *w = &self->w;
	struct accessor a;

	ASSERT_EQ(0, watch(w->uffd, w->p, NR, WP));
	read_pages(w->p, WRITTEN);
	ASSERT_EQ(0, protect(w->uffd, w->p, NR));
	ASSERT_TRUE(start_waiting_write(w, &a, w->p + 2 * page_size, 7));
	ASSERT_EQ(0, watched_resize(w, 1));
	EXPECT_EQ(0, lift(w->uffd, w->p + 2 * page_size, 1));
	EXPECT_EQ(SIGBUS, end_access(&a));
	EXPECT_TRAP(w->p + page_size, 1, SIGBUS, BUS_ADRERR, w->p + page_size);
	EXPECT_TRAP(w->p + page_size, -1, SIGBUS, BUS_ADRERR, w->p + page_size);
	EXPECT_TRUE(uffd_is_silent(w->uffd));

	ASSERT_EQ(0, watched_resize(w, NR));
	ASSERT_TRUE(start_waiting_write(w, &a, w->p + page_size, 7));
	EXPECT_EQ(0, lift(w->uffd, w->p, NR));
	EXPECT_EQ(0, end_access(&a));
	EXPECT_EQ(7, watched_byte(w, 1));
}

/* V08: a file's hole that the pool has no page for: SIGBUS, and no message. */
TEST_F(uffd_protect, V08_pool_at_its_cap)
{
	struct watched *w = &self->w;
	char *hole = w->p + WRITTEN * page_size;

	if (w->memfd)
		SKIP(return, "a memfd has no cap");
	ASSERT_EQ(0, resize(w->fd, NR + pool_read("cap")));
	ASSERT_TRUE(fill_pool(w->fd, NR, 0));
	ASSERT_EQ(0, watch(w->uffd, w->p, NR, WP));
	ASSERT_EQ(0, protect(w->uffd, w->p, NR));
	EXPECT_TRAP(hole, 1, SIGBUS, BUS_ADRERR, hole);
	EXPECT_TRUE(uffd_is_silent(w->uffd));
}

/* V08: only who writes through this mapping: not write(2), not through another. */
TEST_F(uffd_protect, V08_others_do_not_wait)
{
	struct watched *w = &self->w;
	char *other = map_shared(_metadata, w->fd, 0, NR);

	ASSERT_EQ(0, watched_clean(w));
	ASSERT_EQ(0, watch(w->uffd, w->p, NR, WP));
	ASSERT_EQ(0, protect(w->uffd, w->p, NR));
	write_pages(other, 1, 7);
	ASSERT_EQ(1, pwrite(w->fd, "8", 1, page_size));
	EXPECT_EQ(7, w->p[0]);
	EXPECT_EQ('8', w->p[page_size]);
	EXPECT_TRUE(watched_log_is(w, PAGES(0, 2)));
	EXPECT_TRUE(uffd_is_silent(w->uffd));
	munmap(other, NR * page_size);
}

/* A pread or pwrite of two pages, in a thread. */
struct transfer {
	int fd;
	char *p;
	size_t pgoff;
	ssize_t ret;
};

static void *read_pages_of(void *arg)
{
	struct transfer *t = arg;

	t->ret = pread(t->fd, t->p, 2 * page_size, t->pgoff * page_size);
	return NULL;
}

static void *write_pages_of(void *arg)
{
	struct transfer *t = arg;

	t->ret = pwrite(t->fd, t->p, 2 * page_size, t->pgoff * page_size);
	return NULL;
}

/* V08: the kernel waits in the same way, in the middle of a read(2). */
TEST_F(uffd_protect, V08_read_to_it_waits)
{
	struct watched *w = &self->w;
	struct transfer r = { .fd = w->fd, .p = w->p, .pgoff = 2 };
	pthread_t thread;

	ASSERT_EQ(0, watched_clean(w));
	ASSERT_EQ(0, watch(w->uffd, w->p, NR, WP));
	ASSERT_EQ(0, protect(w->uffd, w->p + page_size, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_pages_of, &r));
	ASSERT_TRUE(uffd_waits_at(w->uffd, w->p + page_size, WRITE_WAITS));
	/* Nobody else waits for who waits. */
	ASSERT_EQ(0, watched_clean(w));
	ASSERT_EQ(0, watched_punch(w, WRITTEN, 1));
	EXPECT_EQ(0, lift(w->uffd, w->p + page_size, 1));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(2 * page_size, r.ret);
	EXPECT_EQ(-1, bad_page(w->p, 2, 2, 0));
	EXPECT_TRUE(watched_log_is(w, PAGES(1, 1)));
}

/* V08: of a private mapping it is the copy that waits. */
TEST_F(uffd_protect, V08_private)
{
	struct watched *w = &self->w;
	char *p = map_private(_metadata, w->fd, 0, NR);
	struct accessor a;

	ASSERT_EQ(0, watched_clean(w));
	ASSERT_EQ(0, watch(w->uffd, p, NR, WP));
	ASSERT_EQ(0, protect(w->uffd, p, NR));
	ASSERT_TRUE(start_waiting_write(w, &a, p, 7));
	EXPECT_EQ(0, lift(w->uffd, p, 1));
	EXPECT_EQ(0, end_access(&a));
	EXPECT_EQ(7, p[0]);
	ASSERT_EQ(0, protect(w->uffd, p, 1));
	ASSERT_TRUE(start_waiting_write(w, &a, p, 8));
	EXPECT_EQ(0, lift(w->uffd, p, 1));
	EXPECT_EQ(0, end_access(&a));
	EXPECT_EQ(-1, bad_read(w->fd, 0, WRITTEN, 0));
	EXPECT_TRUE(watched_log_is(w, 0));
	munmap(p, NR * page_size);
}

/* V08: nothing is mapped that nobody has asked for. */
TEST_F(uffd_protect, V08_no_fault_around)
{
	struct watched *w = &self->w;

	ASSERT_EQ(0, watch(w->uffd, w->p, NR, WP));
	read_pages(w->p, 1);
	EXPECT_EQ(1, count_mapped(w->p, NR));
	EXPECT_EQ(0, unwatch(w->uffd, w->p, NR));
	read_pages(w->p + page_size, 1);
	EXPECT_EQ(WRITTEN, count_mapped(w->p, NR));
}

#define ACCESS_WAITS	UFFD_PAGEFAULT_FLAG_RWP

/* Return: a userfaultfd that has it, and watches; negative: an errno. */
static int watch_all(struct watched *w, __u64 features)
{
	int uffd = open_uffd(UFFD_FEATURE_RWP | features), error;

	error = uffd < 0 ? -uffd : watch(uffd, w->p, NR, RWP);
	if (error && uffd >= 0)
		close(uffd);
	return error ? -error : uffd;
}

#define NEEDS_RWP	"needs CONFIG_USERFAULTFD_RWP, and with it 64 bits"

/* V09: with RWP who reads waits, too; the log hears of writes alone. */
TEST_F(uffd_protect, V09_access_waits)
{
	struct watched *w = &self->w;
	struct accessor a;
	int uffd;

	if (!kernel_is_64bit())
		SKIP(return, NEEDS_RWP);
	uffd = watch_all(w, 0);
	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, watched_clean(w));
	read_pages(w->p, 2);
	ASSERT_EQ(0, protect_from_all(uffd, w->p, 2, true));
	start_access(&a, w->p, -1);
	ASSERT_TRUE(uffd_waits_at(uffd, w->p, ACCESS_WAITS));
	EXPECT_FALSE(a.done);
	EXPECT_EQ(0, protect_from_all(uffd, w->p, 1, false));
	EXPECT_EQ(0, end_access(&a));
	EXPECT_TRUE(watched_log_is(w, 0));

	start_access(&a, w->p + page_size, 7);
	ASSERT_TRUE(uffd_waits_at(uffd, w->p + page_size,
				  ACCESS_WAITS | UFFD_PAGEFAULT_FLAG_WRITE));
	EXPECT_TRUE(watched_log_is(w, 0));
	EXPECT_EQ(0, protect_from_all(uffd, w->p, NR, false));
	EXPECT_EQ(0, end_access(&a));
	EXPECT_EQ(7, watched_byte(w, 1));
	EXPECT_TRUE(watched_log_is(w, PAGES(1, 1)));

	/* Of what is not mapped there is nothing to protect. */
	ASSERT_EQ(0, protect_from_all(uffd, w->p, NR, true));
	ASSERT_EQ(0, watched_punch(w, 0, 1));
	EXPECT_EQ(0, read_byte(w->p));
	write_pages(w->p + WRITTEN * page_size, 1, 8);
	EXPECT_TRUE(uffd_is_silent(uffd));
	close(uffd);
}

/* V09: so does a write(2) that takes its bytes from there. */
TEST_F(uffd_protect, V09_write_from_it_waits)
{
	struct watched *w = &self->w;
	struct transfer t = { .fd = w->fd, .p = w->p, .pgoff = WRITTEN };
	pthread_t thread;
	int uffd;

	if (!kernel_is_64bit())
		SKIP(return, NEEDS_RWP);
	uffd = watch_all(w, 0);
	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, watched_clean(w));
	read_pages(w->p, 2);
	ASSERT_EQ(0, protect_from_all(uffd, w->p + page_size, 1, true));
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_pages_of, &t));
	ASSERT_TRUE(uffd_waits_at(uffd, w->p + page_size, ACCESS_WAITS));
	/* What it has copied so far is there. */
	EXPECT_EQ(0, memcmp(w->p, w->p + WRITTEN * page_size, page_size));
	EXPECT_EQ(0, protect_from_all(uffd, w->p, 2, false));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(2 * page_size, t.ret);
	EXPECT_EQ(0, memcmp(w->p, w->p + WRITTEN * page_size, 2 * page_size));
	EXPECT_TRUE(watched_log_is(w, PAGES(WRITTEN, 2)));
	close(uffd);
}

/* V09, I03: cleaned meanwhile, and lifted by nobody, the next write is noticed. */
TEST_F(uffd_protect, V09_I03_cleaned_while_protected)
{
	struct watched *w = &self->w;
	int uffd;

	if (!kernel_is_64bit())
		SKIP(return, NEEDS_RWP);
	uffd = watch_all(w, UFFD_FEATURE_RWP_ASYNC);
	ASSERT_LE(0, uffd);
	write_pages(w->p, 2, 1);
	ASSERT_EQ(0, protect_from_all(uffd, w->p, 2, true));
	write_pages(w->p, 1, 2);
	ASSERT_EQ(0, protect_from_all(uffd, w->p, 2, true));
	ASSERT_EQ(0, watched_clean(w));
	EXPECT_EQ(1, read_byte(w->p + page_size));
	EXPECT_TRUE(watched_log_is(w, 0));
	write_pages(w->p, 1, 3);
	EXPECT_TRUE(watched_log_is(w, PAGES(0, 1)));
	write_pages(w->p + page_size, 1, 3);
	EXPECT_TRUE(watched_log_is(w, PAGES(0, 2)));
	EXPECT_EQ(3, watched_byte(w, 1));
	EXPECT_TRUE(uffd_is_silent(uffd));
	close(uffd);
}

TEST_HARNESS_MAIN
