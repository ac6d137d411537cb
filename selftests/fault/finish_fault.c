// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what the core does when it puts a page into a page table: one of two
 * threads is first, the other one's work is undone without a trace, and what is
 * mapped is accounted for. Each test runs in both fault modes.
 *
 * The ids (K01, ...) name the branches of mmap that a test proves.
 * Needs: CONFIG_PROC_PAGE_MONITOR; two CPUs to be worth its time; see
 * mmapdemo_test.h.
 */
#include "mmapdemo_test.h"
#include "proc.h"

#include <pthread.h>

#define NR	32
#define ROUNDS	10
#define RACERS	2

DEVICE_FIXTURE(finish_fault)

struct racer {
	pthread_t thread;
	char *p;
	int value;		/* to write; negative: to read */
	pthread_barrier_t *barrier;
	int *arrived;		/* how many have, at each of the pages */
};

/*
 * So that all touch the same page at once: who was awake waits for who is
 * being woken. Not for long: on a busy host that one may come late.
 */
static void meet(struct racer *racer, int page)
{
	int *arrived = &racer->arrived[page], spins = 20000;

	pthread_barrier_wait(racer->barrier);
	__atomic_fetch_add(arrived, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(arrived, __ATOMIC_ACQUIRE) < RACERS && spins)
		spins--;
}

static void *touch_each_page(void *arg)
{
	struct racer *racer = arg;
	int i;

	for (i = 0; i < NR; i++) {
		meet(racer, i);
		if (racer->value < 0)
			read_pages(racer->p + i * page_size, 1);
		else
			write_pages(racer->p + i * page_size, 1, racer->value);
	}
	return NULL;
}

/* Two threads touch each page of @p, one byte from each other. */
static void race(struct __test_metadata *_metadata, char *p, bool write)
{
	struct racer racer[RACERS];
	pthread_barrier_t barrier;
	int i, arrived[NR] = { 0 };

	pthread_barrier_init(&barrier, NULL, RACERS);
	for (i = 0; i < RACERS; i++) {
		racer[i].p = p + i;
		racer[i].value = write ? 'a' + i : -1;
		racer[i].barrier = &barrier;
		racer[i].arrived = arrived;
		ASSERT_EQ(0, pthread_create(&racer[i].thread, NULL,
					    touch_each_page, &racer[i]));
	}
	for (i = 0; i < RACERS; i++) {
		ASSERT_EQ(0, pthread_join(racer[i].thread, NULL))
			TH_LOG("thread %d", i);
	}
	for (i = 0; write && i < NR; i++) {
		ASSERT_EQ(0, memcmp(p + i * page_size, "ab", RACERS))
			TH_LOG("page %d", i);
	}
}

/* Every page is there once, mapped once, and nobody has kept a reference. */
static void expect_one_of_each(struct __test_metadata *_metadata,
			       FIXTURE_DATA(finish_fault) *self, char *p,
			       bool shared)
{
	int i;

	EXPECT_EQ(NR, pool_read("stored"));
	EXPECT_EQ(NR, count_mapped(p, NR));
	for (i = 0; i < NR; i++)
		EXPECT_EQ(1, page_mapcount(p + i * page_size));
	EXPECT_EQ(shared ? 0L : (long)(NR * page_size / 1024),
		  smaps_kib(p, "Anonymous"));
	/* The pool takes back none to which there is another reference. */
	EXPECT_EQ(0, discard(self->fd, 0, NR));
	EXPECT_EQ(0, pool_read("lent"));
	EXPECT_EQ(pool_read("cached"), pool_read("held"));
}

/* K01: of two threads that read or write a fresh page one puts in the PTE. */
TEST_F(finish_fault, K01_shared)
{
	char *p;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		p = map_shared(_metadata, self->fd, 0, NR);
		race(_metadata, p, i % 2);
		expect_one_of_each(_metadata, self, p, true);
		ASSERT_EQ(0, munmap(p, NR * page_size));
	}
}

/* K01: of two threads that copy a page one's copy stays. */
TEST_F(finish_fault, K01_private)
{
	char *p;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		p = map_private(_metadata, self->fd, 0, NR);
		race(_metadata, p, true);
		expect_one_of_each(_metadata, self, p, false);
		ASSERT_EQ(0, munmap(p, NR * page_size));
	}
}

/*
 * J06: of two threads that write to a page that is there, both may be heard of
 * by ->page_mkwrite, and one then finds the PTE changed. The page is logged
 * once, unlocked, and neither write is lost.
 */
TEST_F(finish_fault, J06_two_writers)
{
	char *p = map_shared(_metadata, self->fd, 0, NR);
	long twice = 0, mkwrite, dirtied;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		read_pages(p, NR);
		mkwrite = stat_read("mkwrite");
		dirtied = stat_read("dirtied");
		race(_metadata, p, true);
		mkwrite = stat_read("mkwrite") - mkwrite;
		EXPECT_LE(NR, mkwrite);
		EXPECT_GE(RACERS * NR, mkwrite);
		EXPECT_EQ(dirtied + NR, stat_read("dirtied"));
		EXPECT_EQ(NR, pool_read("dirty"));
		twice += mkwrite - NR;
		/* From here on the pages can be written. */
		mkwrite = stat_read("mkwrite");
		write_pages(p, NR, 'a');
		EXPECT_EQ(mkwrite, stat_read("mkwrite"));
		/* Takes the lock of each, and cleans it. */
		ASSERT_EQ(0, clean_all(self->fd));
		EXPECT_EQ(0, pool_read("dirty"));
	}
	TH_LOG("%ld of %d pages asked twice", twice, ROUNDS * NR);
}

/* A figure of the whole system, in pages, with all CPUs' shares in it. */
static long system_pages(const char *name)
{
	write_file("/proc/sys/vm/stat_refresh", "1");
	return read_figure("/proc/vmstat", name);
}

/* What is mapped, in KiB: in figures that may be some tens of pages behind. */
struct rss {
	long file, shmem, anon, system, vma;
};

static struct rss read_rss(const char *p)
{
	return (struct rss){
		.file	= status_kib("RssFile"),
		.shmem	= status_kib("RssShmem"),
		.anon	= status_kib("RssAnon"),
		.system	= system_pages("nr_mapped") * (long)page_size / 1024,
		.vma	= smaps_kib(p, "Rss"),
	};
}

/*
 * Before 6.2 a thread keeps what it mapped to itself for 64 faults
 * (mm/memory.c, check_sync_rss_stat()), of 16 pages each, if they are a file's.
 */
static void settle_rss(struct __test_metadata *_metadata)
{
	size_t nr = 128;
	char *p = map(_metadata, -1, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, 0, nr);

	write_pages(p, nr, 1);
	munmap(p, nr * page_size);
}

#define MANY	512		/* pages; no page table has fewer */

/*
 * K04: what is mapped counts as pages of a file, as they are not swapbacked:
 * for the process, for the VMA, and for the system. Unmapped, it does not.
 */
TEST_F(finish_fault, K04_rss)
{
	char *p = map_shared(_metadata, self->fd, 0, MANY);
	long half = MANY * page_size / 1024 / 2;
	struct rss old, new;

	/* The first time brings in the code that does it. */
	old = read_rss(p);
	settle_rss(_metadata);
	old = read_rss(p);
	write_pages(p, MANY, 1);
	new = read_rss(p);
	EXPECT_FALSE(page_has_flag(p, KPF_SWAPBACKED));
	EXPECT_EQ(0, old.vma);
	EXPECT_EQ(2 * half, new.vma);
	EXPECT_LT(old.file + half, new.file);
	EXPECT_GT(old.file + 3 * half, new.file);
	EXPECT_GT(old.shmem + half, new.shmem);
	EXPECT_GT(old.anon + half, new.anon);
	EXPECT_LT(old.system + half, new.system);

	ASSERT_EQ(0, madvise(p, MANY * page_size, MADV_DONTNEED));
	new = read_rss(p);
	EXPECT_EQ(0, new.vma);
	EXPECT_GT(old.file + half, new.file);
	EXPECT_GT(old.system + half, new.system);
}

/* K04: the first page of its surroundings brings their page table along. */
TEST_F(finish_fault, K04_page_table)
{
	char *p = mmap(far_away(4), MANY * page_size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED_NOREPLACE, self->fd, 0);
	long kib = page_size / 1024, levels = table_levels(), table;

	ASSERT_NE(MAP_FAILED, p);
	table = status_kib("VmPTE");
	table = status_kib("VmPTE");
	p[0] = 1;
	/* Its own, and at most those that lead there from the highest. */
	EXPECT_LE(table + kib, status_kib("VmPTE"));
	EXPECT_GE(table + (levels - 1) * kib, status_kib("VmPTE"));
	table = status_kib("VmPTE");
	write_pages(p, MANY, 1);
	EXPECT_EQ(table, status_kib("VmPTE"));
}

TEST_HARNESS_MAIN
