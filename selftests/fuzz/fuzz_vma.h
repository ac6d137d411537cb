/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The operations of fuzz.c on mappings. Each makes its calls; where nobody else
 * does anything at the same time (not model.loose), it also checks how they
 * went, and tells the model.
 */
#ifndef MMAPDEMO_FUZZ_VMA_H
#define MMAPDEMO_FUZZ_VMA_H

#include "fuzz_model.h"

#include <sys/wait.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif

/* A run of slots. */
struct run {
	size_t first, nr;
	char *addr;
	size_t len;
};

static inline struct run make_run(size_t first, size_t nr)
{
	struct run run = { .first = first % ARENA };

	run.nr = nr % ARENA + 1;
	if (run.nr > ARENA - run.first)
		run.nr = ARENA - run.first;
	run.addr = slot_addr(run.first);
	run.len = run.nr * page_size;
	return run;
}

/* Mostly short ones: long ones leave nothing for others. */
static inline struct run run_of(const struct op *op)
{
	return make_run(op->where, op->nr & 0x80 ? op->nr : op->nr % 8);
}

/*
 * Where threads race, each must know which page it stores to: the lower half of
 * the arena is mapped as it is, and the upper half is mapped anew all the time.
 */
static inline struct run run_to_map(size_t first, size_t nr)
{
	return make_run(model.loose ? ARENA / 2 + first % (ARENA / 2) : first, nr);
}

static inline bool is_known(size_t i)
{
	return !model.loose || i < ARENA / 2;
}

static inline size_t word_of(const struct op *op)
{
	static const __u16 places[] = { 0, 1, 63, 64, 255, 256, 510, 511 };

	return places[op->more % ARRAY_SIZE(places)] % words_per_page();
}

static inline int prot_of(__u8 how)
{
	static const int prots[] = {
		PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ,
		PROT_READ, PROT_NONE, PROT_WRITE, PROT_READ | PROT_EXEC,
		PROT_READ | PROT_WRITE | PROT_EXEC,
	};

	return prots[how % ARRAY_SIZE(prots)] & (model.exec ? ~0 : ~PROT_EXEC);
}

/* --- Accesses ---------------------------------------------------------- */

/*
 * One word; what the access gets is in trap_seen. The handler does not block
 * signals (setup() in fuzz_run.h): there is no mask to be saved, by two calls.
 */
static inline __u64 access_word(__u64 *p, const __u64 *value)
{
	static __thread __u64 word;

	word = 0;
	trap_seen = (struct trap){ 0 };
	trap_armed = 1;
	barrier();
	if (!sigsetjmp(trap_env, 0)) {
		if (value)
			*p = *value;
		else
			word = *p;
		barrier();
	}
	trap_armed = 0;
	return word;
}

static inline void load_slot(size_t i, size_t word)
{
	__u64 value = access_word((__u64 *)slot_addr(i) + word, NULL);

	if (!check_signal(i, false, trap_seen, word * sizeof(__u64)) ||
	    !is_known(i))
		return;
	check_words(&value, slot_words(i), model.slot[i].pgoff, word, 1, "load");
}

static inline void op_load(const struct op *op)
{
	struct run run = run_of(op);
	size_t i;

	for (i = 0; i < run.nr; i++)
		load_slot(run.first + i, word_of(op));
}

/* After a store to @i that went through. */
static inline void store_slot(size_t i, size_t word, __u64 value)
{
	if (model.slot[i].shared) {
		store_device(model.slot[i].pgoff, word, value);
		return;
	}
	copy_slot(i);
	copied_page(i)[word] = value;
}

static inline __u64 word_to_store(size_t i)
{
	return is_known(i) ? new_word(model.slot[i].pgoff) : 0;
}

static inline void op_store(const struct op *op)
{
	struct run run = run_of(op);
	size_t i;

	for (i = run.first; i < run.first + run.nr; i++) {
		__u64 *p = (__u64 *)slot_addr(i) + word_of(op);
		__u64 value = word_to_store(i);

		access_word(p, &value);
		if (check_signal(i, true, trap_seen, word_of(op) * sizeof(__u64)) &&
		    !model.loose)
			store_slot(i, word_of(op), value);
	}
}

/* By the kernel, which may step over the protection, as for a debugger. */
static inline void op_poke(const struct op *op)
{
	size_t i = op->where % ARENA, word = word_of(op);
	struct model_slot *slot = &model.slot[i];
	__u64 value = word_to_store(i);
	bool done = pwrite(model.mem, &value, sizeof(value),
			   (uintptr_t)((__u64 *)slot_addr(i) + word)) ==
		    sizeof(value);
	bool may = is_backed(slot) && (writable(slot) ||
		   (slot->mapped && !slot->shared && model.force));

	if (model.loose)
		return;
	if (done != may && (done || !at_cap()))
		mismatch("/proc/self/mem, slot %zu: %s", i,
			 done ? "written" : strerror(errno));
	if (done)
		store_slot(i, word, value);
}

/* --- mmap, munmap, mprotect -------------------------------------------- */

static inline bool any_mapped(struct run run)
{
	size_t i;

	for (i = run.first; i < run.first + run.nr; i++)
		if (model.slot[i].mapped)
			return true;
	return false;
}

/* Whether @error is one that this mmap(2) may give; 0: that it may succeed. */
static inline bool may_end_with(int error, int file, int prot, int flags,
				bool taken)
{
	int access = file & O_ACCMODE;
	bool closed = is_closed(file);
	bool denied = !closed && (access == O_WRONLY ||
		      (access == O_RDONLY && prot & PROT_WRITE &&
		       flags & MAP_SHARED));
	bool exists = flags & MAP_FIXED_NOREPLACE && taken;

	switch (error) {
	case 0:
		return !closed && !denied && !exists;
	case EBADF:
		return closed;
	case EACCES:
		return denied;
	case EEXIST:
		return exists && !closed;
	default:
		return false;
	}
}

static inline void op_mmap(const struct op *op)
{
	static const int more[] = {
		0, 0, 0, MAP_POPULATE, MAP_LOCKED, MAP_NORESERVE,
		MAP_POPULATE | MAP_NONBLOCK, 0,
	};
	struct run run = run_to_map(op->where, op->nr % 16);
	size_t n = op->fd % NR_FDS, i, pgoff = op->page % (NR + 4);
	int prot = prot_of(op->how);
	int flags = (op->how & 0x08 ? MAP_PRIVATE : MAP_SHARED) |
		    (op->how & 0x10 ? MAP_FIXED_NOREPLACE : MAP_FIXED) |
		    more[op->value % ARRAY_SIZE(more)];
	void *p = mmap(run.addr, run.len, prot, flags, model.fd[n],
		       pgoff * page_size);
	int error = p == MAP_FAILED ? errno : 0;

	if (model.loose)
		return;
	if (!may_end_with(error, model.flags[n], prot, flags, any_mapped(run)))
		mismatch("mmap: %s", strerror(error));
	if (error)
		return;
	for (i = 0; i < run.nr; i++)
		model.slot[run.first + i] = (struct model_slot){
			.mapped = true, .shared = flags & MAP_SHARED,
			.may_write = flags & MAP_PRIVATE ||
				     (model.flags[n] & O_ACCMODE) == O_RDWR,
			.prot = prot, .pgoff = pgoff + i,
		};
	if (flags & MAP_LOCKED)
		model.dev->was_pinned = true;
	if (flags & (MAP_POPULATE | MAP_LOCKED))
		look_for_copies(run.first, run.nr);
}

static inline void op_munmap(const struct op *op)
{
	struct run run = run_to_map(op->where, op->nr % 8);

	if (munmap(run.addr, run.len))
		mismatch("munmap: %s", strerror(errno));
	if (!model.loose)
		memset(&model.slot[run.first], 0, run.nr * sizeof(*model.slot));
}

static inline void op_mprotect(const struct op *op)
{
	struct run run = run_of(op);
	int prot = prot_of(op->how), error = 0, wanted = 0;
	size_t i;

	if (mprotect(run.addr, run.len, prot))
		error = errno;
	if (model.loose)
		return;
	/* VMA by VMA, up to the first that refuses. */
	for (i = run.first; !wanted && i < run.first + run.nr; i++) {
		struct model_slot *slot = &model.slot[i];

		if (!slot->mapped)
			wanted = ENOMEM;
		else if (prot & PROT_WRITE && !slot->may_write)
			wanted = EACCES;
		else
			slot->prot = prot;
	}
	if (error != wanted)
		mismatch("mprotect: %s, not %s", strerror(error),
			 strerror(wanted));
}

/* --- mremap ------------------------------------------------------------ */

/* What moves takes its copies along. */
static inline void move_slot(size_t from, size_t to, bool leave)
{
	struct model_slot *slot = &model.slot[from];

	model.slot[to] = *slot;
	if (slot->copied)
		memcpy(copied_page(to), copied_page(from), page_size);
	if (leave)
		slot->copied = false;
	else
		memset(slot, 0, sizeof(*slot));
}

static inline void grow_slot(size_t from, size_t i, size_t to)
{
	model.slot[to] = model.slot[from];
	model.slot[to].pgoff += i;
	model.slot[to].copied = false;
}

/* An error may come before or after the target was unmapped. */
static inline void check_failed_mremap(int error)
{
	struct model_slot found[ARENA];
	size_t i;

	if (error != EFAULT && error != EINVAL && error != ENOMEM &&
	    error != EAGAIN)
		mismatch("mremap: %s", strerror(error));
	read_mappings(found);
	for (i = 0; i < ARENA; i++) {
		if (is_like(&found[i], &model.slot[i]))
			continue;
		if (found[i].mapped)
			mismatch("a failed mremap has changed slot %zu", i);
		model.slot[i] = found[i];
	}
}

static inline void apply_mremap(struct run from, struct run to, int flags,
				size_t old)
{
	size_t i, kept = old < to.nr ? old : to.nr;

	if (to.first == from.first && !(flags & MREMAP_FIXED)) {
		for (i = to.nr; i < old; i++)
			memset(&model.slot[from.first + i], 0,
			       sizeof(*model.slot));
		for (i = old; i < to.nr; i++)
			grow_slot(from.first + old - 1, i - old + 1,
				  from.first + i);
		return;
	}
	if (!old) {
		for (i = 0; i < to.nr; i++)
			grow_slot(from.first, i, to.first + i);
		return;
	}
	for (i = kept; i < to.nr; i++)
		grow_slot(from.first, i, to.first + i);
	for (i = 0; i < kept; i++)
		move_slot(from.first + i, to.first + i, flags & MREMAP_DONTUNMAP);
	for (; i < old; i++)
		memset(&model.slot[from.first + i], 0, sizeof(*model.slot));
}

static inline void op_mremap(const struct op *op)
{
	struct run from = run_to_map(op->where, op->nr % 8), to;
	size_t old = from.nr;
	int flags = 0;
	void *p;

	if (op->how & 1) {
		flags = MREMAP_MAYMOVE | MREMAP_FIXED;
		to = run_to_map(op->page, op->value % 8);
		if (op->how & 2) {
			flags |= MREMAP_DONTUNMAP;
			to = run_to_map(op->page, from.nr - 1);
		} else if (op->how & 4) {
			old = 0;
		}
	} else {
		to = run_to_map(op->where, op->value % 12);
	}
	p = mremap(from.addr, old * page_size, to.len, flags, to.addr);
	if (model.loose)
		return;
	if (p == MAP_FAILED) {
		check_failed_mremap(errno);
		return;
	}
	apply_mremap(from, to, flags, old);
	/* What grows and is locked was populated. */
	look_for_copies(to.first, to.nr);
}

/* --- Advice ------------------------------------------------------------ */

static inline void op_madvise(const struct op *op)
{
	static const int advices[] = {
		MADV_DONTNEED, MADV_DONTNEED, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE, MADV_WILLNEED, MADV_RANDOM,
		MADV_SEQUENTIAL, MADV_DONTFORK, MADV_DOFORK, MADV_COLD,
		MADV_PAGEOUT, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLLAPSE,
		MADV_DONTDUMP, MADV_FREE, MADV_REMOVE, MADV_MERGEABLE,
	};
	struct run run = run_of(op);
	int advice = advices[op->how % ARRAY_SIZE(advices)];
	size_t i;

	/* Whether it succeeds is the core's concern; what is there after, ours. */
	madvise(run.addr, run.len, advice);
	if (model.loose)
		return;
	for (i = run.first; i < run.first + run.nr; i++) {
		struct model_slot *slot = &model.slot[i];

		if (advice == MADV_DONTFORK || advice == MADV_DOFORK)
			slot->not_in_child = advice == MADV_DONTFORK;
		if (advice == MADV_POPULATE_WRITE && slot->shared &&
		    slot->pgoff < model.dev->size)
			set_dirty(slot->pgoff, false);
	}
	look_for_copies(run.first, run.nr);
}

static inline void op_mlock(const struct op *op)
{
	struct run run = run_of(op);

	/* For a while a list of the core's holds what is locked (mm/mlock.c). */
	model.dev->was_pinned = true;
	/* Populates as well; errors are that of what cannot be populated. */
	switch (op->how % 3) {
	case 0:
		mlock(run.addr, run.len);
		break;
	case 1:
		mlock2(run.addr, run.len, MLOCK_ONFAULT);
		break;
	default:
		munlock(run.addr, run.len);
	}
	look_for_copies(run.first, run.nr);
}

static inline void op_msync(const struct op *op)
{
	static const int flags[] = {
		MS_SYNC, MS_SYNC, MS_ASYNC, MS_SYNC | MS_INVALIDATE,
	};
	int how = flags[op->how % ARRAY_SIZE(flags)], error = 0, wanted = 0;
	struct run run = run_of(op);
	size_t i;

	if (msync(run.addr, run.len, how))
		error = errno;
	if (model.loose)
		return;
	for (i = run.first; i < run.first + run.nr; i++) {
		const struct model_slot *slot = &model.slot[i];

		if (!slot->mapped)
			wanted = ENOMEM;
		else if (how & MS_SYNC && slot->pgoff < NR)
			set_synced(slot->pgoff);
	}
	/* MS_INVALIDATE refuses what is locked, wherever it is. */
	if (error != wanted && !(error == EBUSY && how & MS_INVALIDATE))
		mismatch("msync: %s, not %s", strerror(error), strerror(wanted));
}

#endif /* MMAPDEMO_FUZZ_VMA_H */
