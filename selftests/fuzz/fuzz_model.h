/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What fuzz.c knows of the device and of its own mappings: what must be read
 * where, which access must raise which signal, which pages must be in the
 * dirty log, and how many at least a sync has yet to clean.
 *
 * The device's side is in shared memory, as a child that changes the device
 * changes it for its parent; the mappings' side is each process's own.
 *
 * Each word that is ever stored carries the tag of its page, so that also where
 * threads race, and nobody knows what a word should be, each must be 0 or
 * have the right tag: a page that was not zeroed, or is mapped at another
 * place, is noticed.
 */
#ifndef MMAPDEMO_FUZZ_MODEL_H
#define MMAPDEMO_FUZZ_MODEL_H

#include "mmapdemo_test.h"

#include <stdarg.h>

#define NR	32	/* pages of the device, at most */
#define ARENA	48	/* pages of addresses in which mappings are made */
#define NR_FDS	4

/* One operation, as it lies in the input. */
struct op {
	__u8 code;
	__u8 where;	/* page of the arena */
	__u8 nr;	/* how many pages */
	__u8 page;	/* page of the device, or a second place */
	__u8 fd;
	__u8 how;	/* which variant */
	__u8 value;
	__u8 more;
};

/* The device, for all processes. */
struct model_device {
	__u64 ops;		/* that were run, in all inputs */
	size_t size;		/* pages */
	size_t smallest;	/* that it was since the last fork; 0: unknown */
	bool stored[NR];	/* something may be stored: else all is 0 */
	bool must_be_dirty[NR];
	bool may_be_dirty[NR];
	bool must_be_unsynced[NR];
	bool was_pinned;	/* a page, by others than mappings */
	__u64 word[];		/* NR pages of them */
};

/* A page of the arena. */
struct model_slot {
	bool mapped, shared;
	bool may_write;		/* the core's VM_MAYWRITE */
	bool copied;		/* has a private copy, in model.copies */
	bool not_in_child;
	__u8 prot;
	size_t pgoff;
};

struct model {
	struct model_device *dev;
	struct model_slot slot[ARENA];
	__u64 *copies;		/* ARENA pages */
	char *arena;
	int fd[NR_FDS], flags[NR_FDS];
	int mem, pagemap;	/* of /proc/self */
	int pipe[2];
	size_t piped;		/* words in the pipe, in piped_page's order */
	size_t piped_page[8];
	bool insert;		/* fault_mode, and which fault_around */
	unsigned int around;
	bool exec;		/* pages of the device may be executed */
	bool force;		/* /proc/self/mem steps over protections */
	bool loose;		/* others run as well: nothing can be foretold */
	bool was_loose;
	bool child;
	unsigned int seq;	/* of the words */
};

static struct model model;

static inline size_t words_per_page(void)
{
	return page_size / sizeof(__u64);
}

static inline __u64 *device_page(size_t pgoff)
{
	return model.dev->word + pgoff * words_per_page();
}

static inline __u64 *copied_page(size_t i)
{
	return model.copies + i * words_per_page();
}

static inline char *slot_addr(size_t i)
{
	return model.arena + i * page_size;
}

/* Whether a file that was opened with @flags, or -1, is none to the core's calls. */
static inline bool is_closed(int flags)
{
	return flags < 0 || flags & O_PATH;
}

/* What a mismatch says first: prints the operations up to now, see fuzz_run.h. */
static void (*print_operations)(void);

static inline __noreturn __printf(1, 2) void mismatch(const char *format, ...)
{
	va_list args;

	print_operations();
	fprintf(stderr, "# MISMATCH: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	/* A parent says so as well; else this ends in the engine's handler. */
	if (model.child)
		_exit(99);
	abort();
}

/* --- Words ------------------------------------------------------------- */

#define TAG_SHIFT	48

static inline __u64 tag_of(size_t pgoff)
{
	return (__u64)(0x4d00 | pgoff) << TAG_SHIFT;
}

static inline __u64 new_word(size_t pgoff)
{
	return tag_of(pgoff) | __atomic_add_fetch(&model.seq, 1, __ATOMIC_RELAXED);
}

/*
 * Where threads race, a word may be seen half-way: copied byte by byte, the tag,
 * in the last bytes, comes last.
 */
static inline void check_tag(__u64 word, size_t pgoff, const char *what)
{
	__u64 tag = word >> TAG_SHIFT;

	if (tag >> 8 ? tag << TAG_SHIFT != tag_of(pgoff) : tag && tag != pgoff)
		mismatch("%s of page %zu gives %#llx, a word of another page",
			 what, pgoff, word);
}

/* Compares @words of page @pgoff, from word @first on, to @expected or to 0. */
static inline void check_words(const __u64 *words, const __u64 *expected,
			       size_t pgoff, size_t first, size_t nr,
			       const char *what)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		__u64 wanted = expected ? expected[first + i] : 0;

		if (model.loose)
			check_tag(words[i], pgoff, what);
		else if (words[i] != wanted)
			mismatch("%s of page %zu, word %zu: %#llx, not %#llx",
				 what, pgoff, first + i, words[i], wanted);
	}
}

/* --- Figures of the device --------------------------------------------- */

static inline struct mmapdemo_info info(void)
{
	struct mmapdemo_info info;

	if (ioctl(model.fd[0], MMAPDEMO_IOC_INFO, &info))
		mismatch("MMAPDEMO_IOC_INFO: %s", strerror(errno));
	return info;
}

/*
 * Whether the pool's cap explains that there was no page. Discarded pages that
 * others hold count as well, and nobody knows for how long: those in a pipe, and
 * those on a list of the core's for what is locked and unlocked (mm/mlock.c), which
 * is that of another CPU.
 */
static inline bool at_cap(void)
{
	struct mmapdemo_info now = info();

	return now.stored == now.pool_size || model.dev->was_pinned;
}

/*
 * Has the core empty its lists on all CPUs, which it does before it moves a page
 * (mm/migrate.c, do_pages_move()). Return: whether no page of the device is lent to
 * anybody then; also if the kernel cannot do that.
 */
static inline bool settle(void)
{
	static char page;
	void *pages[] = { &page };
	int node = 0, status, tries;

	for (tries = 0; tries < 100 && pool_read("lent"); tries++) {
		if (syscall(SYS_move_pages, 0, 1UL, pages, &node, &status, 0) &&
		    errno == ENOSYS)
			return true;
		usleep(1000);
	}
	return tries < 100;
}

/* --- What happens to pages --------------------------------------------- */

static inline void set_dirty(size_t pgoff, bool must)
{
	model.dev->may_be_dirty[pgoff] = true;
	if (must) {
		model.dev->must_be_dirty[pgoff] = true;
		model.dev->must_be_unsynced[pgoff] = true;
	}
}

/* A sync may have been at it; it takes nothing out of the log. */
static inline void set_synced(size_t pgoff)
{
	model.dev->must_be_unsynced[pgoff] = false;
}

static inline void set_clean(size_t pgoff)
{
	model.dev->may_be_dirty[pgoff] = false;
	model.dev->must_be_dirty[pgoff] = false;
}

static inline void store_device(size_t pgoff, size_t word, __u64 value)
{
	struct model_device *dev = model.dev;

	if (!dev->stored[pgoff])
		memset(device_page(pgoff), 0, page_size);
	dev->stored[pgoff] = true;
	device_page(pgoff)[word] = value;
	set_dirty(pgoff, true);
}

/* NULL: all zeros. */
static inline const __u64 *device_words(size_t pgoff)
{
	return pgoff < NR && model.dev->stored[pgoff] ? device_page(pgoff) : NULL;
}

/* A private mapping gets a page of its own. */
static inline void copy_slot(size_t i)
{
	const __u64 *from = device_words(model.slot[i].pgoff);

	if (model.slot[i].copied)
		return;
	if (from)
		memcpy(copied_page(i), from, page_size);
	else
		memset(copied_page(i), 0, page_size);
	model.slot[i].copied = true;
}

static inline void drop_page(size_t pgoff)
{
	model.dev->stored[pgoff] = false;
	set_clean(pgoff);
	set_synced(pgoff);
}

/* Private copies behind a new end are gone as well. */
static inline void drop_copies(size_t size)
{
	size_t i;

	for (i = 0; i < ARENA; i++)
		if (model.slot[i].pgoff >= size)
			model.slot[i].copied = false;
}

static inline void resize_device(size_t size)
{
	size_t i;

	for (i = size; i < model.dev->size; i++)
		drop_page(i);
	model.dev->size = size;
	if (size < model.dev->smallest)
		model.dev->smallest = size;
	drop_copies(size);
}

/* What is at a slot now: its words, or NULL for zeros. */
static inline const __u64 *slot_words(size_t i)
{
	return model.slot[i].copied ? copied_page(i) :
	       device_words(model.slot[i].pgoff);
}

static inline bool readable(const struct model_slot *slot)
{
	/* On no machine of ours can a page be written and not read. */
	return slot->mapped && slot->prot & (PROT_READ | PROT_WRITE);
}

static inline bool writable(const struct model_slot *slot)
{
	return slot->mapped && slot->prot & PROT_WRITE;
}

/* Whether there is anything to access behind a slot, if it may be. */
static inline bool is_backed(const struct model_slot *slot)
{
	return slot->copied || slot->pgoff < model.dev->size;
}

/* The signal's code that an access must get; 0: none, but for the cap. */
static inline int expected_signal(const struct model_slot *slot, bool write,
				  int *code)
{
	*code = slot->mapped ? SEGV_ACCERR : SEGV_MAPERR;
	if (write ? !writable(slot) : !readable(slot))
		return SIGSEGV;
	*code = BUS_ADRERR;
	return is_backed(slot) ? 0 : SIGBUS;
}

/* Return: whether the access went through, which the model then has to know. */
static inline bool check_signal(size_t i, bool write, struct trap seen,
				size_t offset)
{
	const struct model_slot *slot = &model.slot[i];
	int code, sig;

	if (model.loose)
		return !seen.sig;
	sig = expected_signal(slot, write, &code);
	if (!sig && seen.sig == SIGBUS && at_cap())
		return false;
	if (seen.sig != sig || (sig && seen.code != code))
		mismatch("%s of slot %zu (page %zu of %zu): signal %d code %d, not %d code %d",
			 write ? "store" : "load", i, slot->pgoff,
			 model.dev->size, seen.sig, seen.code, sig,
			 sig ? code : 0);
	if (sig && seen.addr != slot_addr(i) + offset)
		mismatch("slot %zu: the signal is about %p", i, seen.addr);
	return !sig;
}

/* --- Looking at what cannot be foretold -------------------------------- */

/*
 * Which slots have a private copy after a call that may have made or dropped some:
 * the page table says, as what is not the device's page is a copy.
 */
static inline void look_for_copies(size_t first, size_t nr)
{
	const __u64 present = 1ULL << 63, swapped = 1ULL << 62, file = 1ULL << 61;
	__u64 entry[ARENA];
	size_t i;

	if (model.loose)
		return;
	if (pread(model.pagemap, entry, nr * sizeof(*entry),
		  (uintptr_t)slot_addr(first) / page_size * sizeof(*entry)) !=
	    (ssize_t)(nr * sizeof(*entry)))
		mismatch("pagemap: %s", strerror(errno));
	for (i = first; i < first + nr; i++) {
		bool copy = entry[i - first] & (present | swapped) &&
			    !(entry[i - first] & file);

		if (!model.slot[i].mapped || model.slot[i].shared)
			continue;
		if (copy)
			copy_slot(i);
		else
			model.slot[i].copied = false;
	}
}

/* What /proc says of the arena. Who may make it writable, it does not say. */
static inline void read_mappings(struct model_slot found[ARENA])
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long long start, end, offset;
	char line[512], perms[5];
	size_t i;

	memset(found, 0, ARENA * sizeof(*found));
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx %4s %llx", &start, &end, perms,
			   &offset) != 4 || start < (uintptr_t)model.arena ||
		    end > (uintptr_t)slot_addr(ARENA))
			continue;
		i = (start - (uintptr_t)model.arena) / page_size;
		for (; start < end; start += page_size, offset += page_size) {
			found[i].mapped = true;
			found[i].shared = perms[3] == 's';
			found[i].prot = (perms[0] == 'r' ? PROT_READ : 0) |
					(perms[1] == 'w' ? PROT_WRITE : 0) |
					(perms[2] == 'x' ? PROT_EXEC : 0);
			found[i++].pgoff = offset / page_size;
		}
	}
	fclose(maps);
}

static inline bool is_like(const struct model_slot *a, const struct model_slot *b)
{
	return a->mapped == b->mapped &&
	       (!a->mapped || (a->shared == b->shared && a->prot == b->prot &&
			       a->pgoff == b->pgoff));
}

static inline void unmap_all(void)
{
	munmap(model.arena, ARENA * page_size);
	memset(model.slot, 0, sizeof(model.slot));
}

#endif /* MMAPDEMO_FUZZ_MODEL_H */
