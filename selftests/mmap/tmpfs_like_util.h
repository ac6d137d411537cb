/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The operations of tmpfs_like.c: each does one thing to one side, as the
 * step says, and notes all that a program could notice of it.
 */
#ifndef MMAPDEMO_TMPFS_LIKE_UTIL_H
#define MMAPDEMO_TMPFS_LIKE_UTIL_H

#include "mmapdemo_test.h"
#include "uffd.h"

#include <stdatomic.h>

#define ARENA	48	/* pages; nothing else is mapped as far again behind */

struct side {
	int rw, ro;
	bool device;
	char *base;
	int uffd;	/* -1: none */
	atomic_ulong told;	/* what its reader has heard: see tmpfs_like_uffd.h */
};

struct outcome {
	long ret;		/* in the arena: from its start */
	long error;
	long sig, code, where;	/* of the signal, likewise */
	long value;		/* what was read, or a sum of it */
	long start;		/* the position that a call began at */
	long told;		/* how often somebody waited for the userfaultfd */
};

struct step {
	const struct op *op;
	size_t page, nr, to;	/* in the arena, and as well in the file */
	size_t byte;
	size_t cut;		/* of a write: what lies past the end */
	unsigned int choice[4];
};

struct op {
	const char *name;
	void (*run)(const struct side *side, const struct step *step,
		    struct outcome *outcome);
	unsigned int weight;
};

#define CHOOSE(drawn, ...) ({						\
	static const int choices_[] = { __VA_ARGS__ };			\
									\
	choices_[(drawn) % ARRAY_SIZE(choices_)];			\
})

static inline int open_again(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags);
}

/* The size, with the position where it was. */
static inline off_t lseek_size(int fd)
{
	off_t position = lseek(fd, 0, SEEK_CUR), size = lseek(fd, 0, SEEK_END);

	lseek(fd, position, SEEK_SET);
	return size;
}

static inline char *place(const struct side *side, size_t page)
{
	return side->base + page * page_size;
}

/* Addresses from the arena's start; any other, and no address, as it is. */
static inline long relative(const struct side *side, void *p)
{
	if (p == MAP_FAILED)
		return -1;
	if ((char *)p < side->base || (char *)p >= place(side, 2 * ARENA))
		return -2;
	return (char *)p - side->base;
}

static inline void note(struct outcome *outcome, long ret)
{
	outcome->ret = ret;
	outcome->error = ret == -1 ? errno : 0;
}

static inline long sum(const char *p, long len)
{
	long sum = 0;

	for (; len > 0; len--)
		sum = sum * 31 + *p++;
	return sum;
}

/* Reads the byte, or writes it with @value not negative. */
static inline void access_byte(const struct side *side, char *p,
			       int value, struct outcome *outcome)
{
	struct trap trap = touch(p, value);

	outcome->sig = trap.sig;
	outcome->code = trap.code;
	outcome->where = trap.sig ? relative(side, trap.addr) : 0;
	if (!trap.sig && value < 0)
		outcome->value = *p;
}

static void op_touch(const struct side *side, const struct step *step,
		     struct outcome *outcome)
{
	access_byte(side, place(side, step->page) + step->byte,
		    step->choice[0] % 2 ? (int)(step->choice[1] % 128) : -1,
		    outcome);
}

static inline off_t mmap_offset(const struct step *step)
{
	/* With more than one page, the last goes on past the end of any file. */
	const off_t odd[] = {
		1, -4096, 1 << 30, -(1 << 30),
		(INT64_MAX / page_size - 1) * page_size,
	};

	if (step->choice[3] / 64 % 32)
		return step->to * page_size;
	return odd[step->choice[3] / 2048 % ARRAY_SIZE(odd)];
}

/* Whether a mapping would be of a range that no file can have. */
static inline bool mmap_ends_past_files(const struct step *step)
{
	__u64 end = mmap_offset(step) + step->nr * page_size;

	return end > INT64_MAX;
}

static void op_mmap(const struct side *side, const struct step *step,
		    struct outcome *outcome)
{
	int prot = CHOOSE(step->choice[0], PROT_READ, PROT_READ | PROT_WRITE,
			  PROT_READ | PROT_WRITE, PROT_NONE, PROT_WRITE);
	int flags = CHOOSE(step->choice[1], MAP_SHARED, MAP_SHARED,
			   MAP_SHARED, MAP_PRIVATE, MAP_PRIVATE,
			   MAP_SHARED_VALIDATE, 0);
	int more = CHOOSE(step->choice[2], 0, 0, 0, MAP_POPULATE, MAP_LOCKED,
			  MAP_NORESERVE, MAP_POPULATE | MAP_NONBLOCK,
			  MAP_SYNC, 1 << 24, MAP_GROWSDOWN, MAP_HUGETLB);
	int where = CHOOSE(step->choice[3] / 16, MAP_FIXED, MAP_FIXED,
			   MAP_FIXED_NOREPLACE);
	int fd = step->choice[3] % 4 ? side->rw : side->ro;

	note(outcome, relative(side, mmap(place(side, step->page),
					  step->nr * page_size - step->byte % 2,
					  prot, flags | more | where, fd,
					  mmap_offset(step))));
}

static void op_munmap(const struct side *side, const struct step *step,
		      struct outcome *outcome)
{
	note(outcome, munmap(place(side, step->page), step->nr * page_size));
}

static void op_mprotect(const struct side *side, const struct step *step,
			struct outcome *outcome)
{
	int prot = CHOOSE(step->choice[0], PROT_READ, PROT_READ | PROT_WRITE,
			  PROT_READ | PROT_WRITE, PROT_NONE, PROT_WRITE);

	note(outcome, mprotect(place(side, step->page), step->nr * page_size,
			       prot));
}

/* MADV_GUARD_* by number: they are newer than some headers. */
static inline int madvise_advice(const struct step *step)
{
	return CHOOSE(step->choice[0], MADV_NORMAL, MADV_RANDOM,
		      MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED,
		      MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_DONTFORK,
		      MADV_DOFORK, MADV_MERGEABLE, MADV_UNMERGEABLE,
		      MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP,
		      MADV_DODUMP, MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_COLD,
		      MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_READ,
		      MADV_POPULATE_WRITE, MADV_POPULATE_WRITE,
		      24 /* MADV_DONTNEED_LOCKED */, 102, 103, 99);
}

/*
 * In 7.3 a guard page is not installed over a page that is write-protected, nor
 * refused: the call starts again, for ever (mm/madvise.c, madvise_guard_install()).
 */
static inline void before_guard(const struct side *side, const struct step *step)
{
	size_t i;

	for (i = 0; side->uffd >= 0 && i < step->nr; i++)
		lift(side->uffd, place(side, step->page + i), 1);
}

static void op_madvise(const struct side *side, const struct step *step,
		       struct outcome *outcome)
{
	if (madvise_advice(step) == MADV_GUARD_INSTALL)
		before_guard(side, step);
	note(outcome, madvise(place(side, step->page), step->nr * page_size,
			      madvise_advice(step)));
}

static void op_mlock(const struct side *side, const struct step *step,
		     struct outcome *outcome)
{
	char *p = place(side, step->page);
	size_t len = step->nr * page_size;

	switch (step->choice[0] % 4) {
	case 0:
		note(outcome, mlock(p, len));
		break;
	case 1:
		note(outcome, mlock2(p, len, MLOCK_ONFAULT));
		break;
	default:
		note(outcome, munlock(p, len));
	}
}

static void op_msync(const struct side *side, const struct step *step,
		     struct outcome *outcome)
{
	int flags = CHOOSE(step->choice[0], MS_SYNC, MS_ASYNC, MS_INVALIDATE,
			   MS_SYNC | MS_INVALIDATE, 0, MS_SYNC | MS_ASYNC);

	note(outcome, msync(place(side, step->page), step->nr * page_size,
			    flags));
}

static void op_mincore(const struct side *side, const struct step *step,
		       struct outcome *outcome)
{
	unsigned char vec[ARENA] = { };

	note(outcome, mincore(place(side, step->page), step->nr * page_size,
			      vec));
	outcome->value = sum((char *)vec, step->nr);
}

/*
 * What the kernel places by itself is longer than any hole in the arena, so
 * that it does not land there; it is looked at, and goes.
 */
static void op_mremap(const struct side *side, const struct step *step,
		      struct outcome *outcome)
{
	char *p = place(side, step->page);
	size_t old_len = step->nr * page_size, new_len = old_len;
	int flags = CHOOSE(step->choice[0], 0, 0, MREMAP_MAYMOVE,
			   MREMAP_MAYMOVE | MREMAP_FIXED,
			   MREMAP_MAYMOVE | MREMAP_FIXED,
			   MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
			   MREMAP_FIXED, MREMAP_DONTUNMAP, 64);
	void *q;

	if (flags == MREMAP_MAYMOVE)
		new_len = 3 * ARENA * page_size;
	else if (step->choice[1] % 2)
		new_len = (1 + step->choice[2] % 6) * page_size;
	if (step->choice[1] % 16 == 15 && flags & MREMAP_FIXED)
		old_len = 0;
	if (step->to + new_len / page_size > ARENA && flags & MREMAP_FIXED)
		new_len = page_size;
	q = mremap(p, old_len, new_len, flags, place(side, step->to));
	note(outcome, relative(side, q));
	if (outcome->ret != -2)
		return;
	access_byte(side, (char *)q + (step->choice[3] % ARENA) * page_size,
		    -1, outcome);
	munmap(q, new_len);
}

/* How many VMAs there are, or begin, where a mremap is to start. */
static inline long vmas_of_step(const struct side *side, const struct step *step)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char *first = place(side, step->page), *start, *end, line[512];
	long nr = 0;

	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%p-%p", (void **)&start, (void **)&end) == 2)
			nr += start < first + step->nr * page_size &&
			      end > first;
	}
	fclose(maps);
	return nr;
}

static inline size_t write_len(const struct step *step)
{
	return step->nr * page_size / (1 + step->choice[0] % 3) - step->cut;
}

/* A buffer in the arena itself, or one that is always good. */
static inline char *buffer(const struct side *side, const struct step *step)
{
	static char *good;

	if (step->choice[1] % 2)
		return place(side, step->to) + step->byte % 64;
	if (!good)
		good = malloc(ARENA * page_size);
	memset(good, step->choice[2], ARENA * page_size);
	return good;
}

static void op_read(const struct side *side, const struct step *step,
		    struct outcome *outcome)
{
	char *p = buffer(side, step);
	off_t offset = step->page * page_size + step->byte;
	ssize_t len;

	if (step->choice[3] % 2)
		len = pread(side->rw, p, write_len(step), offset);
	else
		len = read(side->rw, p, write_len(step));
	note(outcome, len);
	if (step->choice[1] % 2 == 0)
		outcome->value = sum(p, len);
}

static void op_write(const struct side *side, const struct step *step,
		     struct outcome *outcome)
{
	char *p = buffer(side, step);

	if (step->choice[3] % 2) {
		outcome->start = step->page * page_size + step->byte;
		note(outcome, pwrite(side->rw, p, write_len(step),
				     outcome->start));
	} else {
		outcome->start = lseek(side->rw, 0, SEEK_CUR);
		note(outcome, write(side->rw, p, write_len(step)));
	}
}

static void op_lseek(const struct side *side, const struct step *step,
		     struct outcome *outcome)
{
	int whence = CHOOSE(step->choice[0], SEEK_SET, SEEK_CUR, SEEK_END,
			    SEEK_DATA, SEEK_DATA, SEEK_HOLE, SEEK_HOLE, 99);
	off_t offset = step->page * page_size + step->byte;

	if (step->choice[1] % 4 == 0)
		offset = CHOOSE(step->choice[2], 0, -1, 1, -4096, -(1 << 30));
	note(outcome, lseek(side->rw, offset, whence));
}

/* tmpfs has it since 6.6. */
static void op_direct(const struct side *side, const struct step *step,
		      struct outcome *outcome)
{
	bool direct = step->choice[0] % 2 && !kernel_before(6, 6);

	note(outcome, fcntl(side->rw, F_SETFL, direct ? O_DIRECT : 0));
}

static void op_resize(const struct side *side, const struct step *step,
		      struct outcome *outcome)
{
	size_t nr = 1 + step->choice[0] % ARENA;

	note(outcome, side->device ? resize(side->rw, nr) :
		      ftruncate(side->rw, nr * page_size));
}

static void op_discard(const struct side *side, const struct step *step,
		       struct outcome *outcome)
{
	note(outcome, side->device ? discard(side->rw, step->page, step->nr) :
		      fallocate(side->rw, FALLOC_FL_PUNCH_HOLE |
				FALLOC_FL_KEEP_SIZE, step->page * page_size,
				step->nr * page_size));
}

/* The same touch in a child, which has its own copy of what is private. */
static void op_fork(const struct side *side, const struct step *step,
		    struct outcome *outcome)
{
	pid_t pid = fork();

	if (!pid) {
		op_touch(side, step, outcome);
		_exit(0);
	}
	note(outcome, pid > 0 && waitpid(pid, NULL, 0) == pid);
}

static inline void run_step(const struct side *side, const struct step *step,
			    struct outcome *outcome)
{
	unsigned long told = side->told;

	step->op->run(side, step, outcome);
	outcome->told = side->told - told;
}

static inline void print_step(unsigned long n, const struct step *step)
{
	fprintf(stderr, "# step %lu: %s page %zu nr %zu to %zu byte %zu choice %u %u %u %u\n",
		n, step->op->name, step->page, step->nr, step->to, step->byte,
		step->choice[0], step->choice[1], step->choice[2],
		step->choice[3]);
}

static inline void print_outcome(const char *name, const struct outcome *o)
{
	fprintf(stderr, "#   %s: %ld, errno %ld, signal %ld code %ld at %lx, value %ld, told %ld\n",
		name, o->ret, o->error, o->sig, o->code, o->where, o->value,
		o->told);
}

#endif /* MMAPDEMO_TMPFS_LIKE_UTIL_H */
