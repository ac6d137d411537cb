/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The operations of fuzz.c on files: read and write, pipes, seek,
 * open and close, parameters. See fuzz_vma.h.
 */
#ifndef MMAPDEMO_FUZZ_FILE_H
#define MMAPDEMO_FUZZ_FILE_H

#include "fuzz_vma.h"

#include <sys/sendfile.h>
#include <sys/uio.h>

#define IO_PAGES	4	/* the most that one call reads or writes */

/*
 * The end of a buffer, in front of a page which nobody may touch: one for each
 * thread, @thread is who runs.
 */
static __u64 *buffer_end[2];
static __thread int thread;

/* A place of the device, in words; @nr of them, in the buffer's end or not. */
struct place {
	size_t page, word, nr;
	off_t offset;
	size_t avail;		/* words of the buffer that can be touched */
	__u64 *words;
};

static inline struct place place_of(const struct op *op)
{
	static const __u16 lengths[] = { 1, 2, 256, 511, 512, 513, 1024, 1536 };
	struct place at = {
		.page = op->page % (NR + 2),
		.word = word_of(op),
		.nr = lengths[op->nr % ARRAY_SIZE(lengths)],
	};

	at.offset = at.page * page_size + at.word * sizeof(__u64);
	at.avail = at.nr;
	if (op->how & 0x10)
		at.avail = op->value % (at.nr + 1);
	at.words = buffer_end[thread] - at.avail;
	return at;
}

/* How many words of @at the device has. */
static inline size_t words_left(const struct place *at)
{
	size_t first = at->page * words_per_page() + at->word;
	size_t all = model.dev->size * words_per_page();
	size_t left = first < all ? all - first : 0;

	return left < at->nr ? left : at->nr;
}

static inline size_t page_at(const struct place *at, size_t i)
{
	return at->page + (at->word + i) / words_per_page();
}

static inline size_t word_at(const struct place *at, size_t i)
{
	return (at->word + i) % words_per_page();
}

static inline void check_place(const struct place *at, const __u64 *words,
			       size_t nr, const char *what)
{
	size_t i;

	for (i = 0; i < nr; i++)
		check_words(words + i, device_words(page_at(at, i)),
			    page_at(at, i), word_at(at, i), 1, what);
}

static inline void make_words(const struct place *at)
{
	size_t i;

	for (i = 0; i < at->avail; i++)
		at->words[i] = new_word(page_at(at, i));
}

static inline void store_place(const struct place *at, const __u64 *words,
			       size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		store_device(page_at(at, i), word_at(at, i), words[i]);
}

/* What a call gets of the @left words that the device has. */
static inline long expected_bytes(const struct place *at, size_t left)
{
	if (left && !at->avail)
		return -EFAULT;
	return (left < at->avail ? left : at->avail) * sizeof(__u64);
}

/* Both in the order in which the core and the device look. */
static inline long expected_read(const struct place *at, int flags)
{
	if (is_closed(flags) || (flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	return expected_bytes(at, words_left(at));
}

static inline long expected_write(const struct place *at, int flags)
{
	size_t left = words_left(at);

	if (is_closed(flags) || (flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if (flags & O_APPEND || !left)
		return -ENOSPC;
	return expected_bytes(at, left);
}

static inline void op_read(const struct op *op)
{
	struct place at = place_of(op);
	size_t n = op->fd % NR_FDS;
	bool ask = !model.loose && op->how & 0x20;
	__u64 stored = ask ? info().stored : 0;
	long got, wanted;

	memset(at.words, 0xff, at.avail * sizeof(__u64));
	got = pread(model.fd[n], at.words, at.nr * sizeof(__u64), at.offset);
	if (got < 0)
		got = -errno;
	if (model.loose) {
		if (got > 0)
			check_place(&at, at.words, got / sizeof(__u64), "pread");
		return;
	}
	wanted = expected_read(&at, model.flags[n]);
	if (got != wanted)
		mismatch("pread: %ld, not %ld", got, wanted);
	if (got > 0)
		check_place(&at, at.words, got / sizeof(__u64), "pread");
	if (ask && info().stored != stored)
		mismatch("pread has made a page");
}

/* With O_SYNC a sync follows. */
static inline void sync_place(const struct place *at, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		set_synced(page_at(at, i));
}

/* What a write has stored, which at the pool's cap may be less than it should. */
static inline void check_written(const struct place *at, const __u64 *words,
				 int flags, long got, const char *what)
{
	long wanted = expected_write(at, flags);

	if (got > 0) {
		store_place(at, words, got / sizeof(__u64));
		if (flags & O_SYNC)
			sync_place(at, got / sizeof(__u64));
	}
	if (got == wanted)
		return;
	if (wanted > 0 && (got == -ENOSPC || (got > 0 && got < wanted)) &&
	    at_cap())
		return;
	mismatch("%s: %ld, not %ld", what, got, wanted);
}

static inline void op_write(const struct op *op)
{
	struct place at = place_of(op);
	size_t n = op->fd % NR_FDS;
	long got;

	make_words(&at);
	got = pwrite(model.fd[n], at.words, at.nr * sizeof(__u64), at.offset);
	if (got < 0)
		got = -errno;
	if (!model.loose)
		check_written(&at, at.words, model.flags[n], got, "pwrite");
}

/*
 * From a mapping of the page itself, or into it, which no lock of the device may
 * be held across. What is stored does not change; but it may be written.
 */
static inline void op_self(const struct op *op)
{
	size_t i = op->where % (ARENA / 2), page = model.slot[i].pgoff;
	struct model_slot *slot = &model.slot[i];
	bool write = op->how & 1;
	long got;

	/* Of a private copy the device would get another content. */
	if (!slot->mapped || page >= NR || (write && slot->copied))
		return;
	if (write)
		got = pwrite(model.fd[0], slot_addr(i), page_size,
			     page * page_size);
	else
		got = pread(model.fd[0], slot_addr(i), page_size,
			    page * page_size);
	if (model.loose || page >= model.dev->size)
		return;
	if (write || slot->shared) {
		set_dirty(page, got > 0);
	} else if (got > 0) {
		/* All of a copy is now as the device, or what was read of it. */
		if (got == (long)page_size)
			slot->copied = false;
		copy_slot(i);
	}
	if (got != (long)page_size && (write ? readable(slot) : writable(slot)) &&
	    !at_cap())
		mismatch("%s by the page itself: %ld", write ? "pwrite" : "pread",
			 got);
}

/* --- Pipes ------------------------------------------------------------- */

/* What the device has, by splice or sendfile: pages that are copies. */
static inline void op_splice_out(const struct op *op)
{
	struct place at = place_of(op);
	size_t n = op->fd % NR_FDS;
	long got, wanted;
	loff_t pos = at.offset;
	int p[2];

	if (model.loose)
		return;
	at.avail = at.nr;
	if (pipe2(p, O_NONBLOCK))
		mismatch("pipe: %s", strerror(errno));
	if (op->how & 1)
		got = sendfile(p[1], model.fd[n], &at.offset,
			       at.nr * sizeof(__u64));
	else
		got = splice(model.fd[n], &pos, p[1], NULL,
			     at.nr * sizeof(__u64), SPLICE_F_NONBLOCK);
	if (got < 0)
		got = -errno;
	wanted = expected_read(&at, model.flags[n]);
	if (got != wanted)
		mismatch("splice from the device: %ld, not %ld", got, wanted);
	if (got > 0) {
		at.words = buffer_end[thread] - at.nr;
		if (read(p[0], at.words, got) != got)
			mismatch("the pipe has less than was spliced");
		check_place(&at, at.words, got / sizeof(__u64), "splice");
	}
	close(p[0]);
	close(p[1]);
}

static inline void op_splice_in(const struct op *op)
{
	struct place at = place_of(op);
	size_t n = op->fd % NR_FDS, len;
	loff_t pos = at.offset;
	long got;
	int p[2];

	if (model.loose)
		return;
	at.avail = at.nr;
	at.words = buffer_end[thread] - at.nr;
	len = at.nr * sizeof(__u64);
	make_words(&at);
	if (pipe2(p, O_NONBLOCK) || write(p[1], at.words, len) != (long)len)
		mismatch("pipe: %s", strerror(errno));
	got = splice(p[0], NULL, model.fd[n], &pos, len, SPLICE_F_NONBLOCK);
	if (got < 0)
		got = -errno;
	/* The core does not splice to a file that appends. */
	if (model.flags[n] >= 0 && model.flags[n] & O_APPEND)
		at.nr = 0;
	if (at.nr)
		check_written(&at, at.words, model.flags[n], got, "splice");
	else if (got != -EINVAL)
		mismatch("splice to a file that appends: %ld", got);
	close(p[0]);
	close(p[1]);
}

/* Pages by reference, which outlive whatever happens to them from now on. */
static inline void op_vmsplice(const struct op *op)
{
	size_t i = op->where % (ARENA / 2);
	struct iovec part = {
		(__u64 *)slot_addr(i) + word_of(op), sizeof(__u64),
	};

	if (model.loose || model.piped == ARRAY_SIZE(model.piped_page) ||
	    model.child)
		return;
	if (vmsplice(model.pipe[1], &part, 1, SPLICE_F_NONBLOCK) !=
	    sizeof(__u64)) {
		/* What can only be written is not read by the core. */
		if (model.slot[i].prot & PROT_READ &&
		    is_backed(&model.slot[i]) && !at_cap())
			mismatch("vmsplice of slot %zu: %s", i, strerror(errno));
		return;
	}
	model.dev->was_pinned = true;
	model.piped_page[model.piped++] = model.slot[i].pgoff;
}

static inline void op_drain(const struct op *op)
{
	__u64 word;
	size_t i;

	(void)op;
	if (model.loose || model.child)
		return;
	for (i = 0; i < model.piped; i++) {
		if (read(model.pipe[0], &word, sizeof(word)) != sizeof(word))
			mismatch("the pipe: %s", strerror(errno));
		/* It may have been stored to meanwhile. */
		check_tag(word, model.piped_page[i], "a page in a pipe");
	}
	model.piped = 0;
}

/* --- Seek, sync, open, parameters --------------------------------------- */

static inline void op_seek(const struct op *op)
{
	size_t page = op->page % (NR + 2), i;
	bool data = op->how & 1;
	off_t at = lseek(model.fd[0], page * page_size + op->more,
			 data ? SEEK_DATA : SEEK_HOLE);

	if (model.loose)
		return;
	if (page >= model.dev->size) {
		if (at != -1 || errno != ENXIO)
			mismatch("lseek behind the end: %ld", (long)at);
		return;
	}
	/* Pages may exist that hold zeros; no data is in a hole. */
	if (at == -1 && (!data || errno != ENXIO))
		mismatch("lseek: %s", strerror(errno));
	for (i = page; data && i < (at < 0 ? model.dev->size : at / page_size);
	     i++)
		if (model.dev->stored[i])
			mismatch("SEEK_DATA missed page %zu", i);
	if (!data && at / page_size < model.dev->size &&
	    model.dev->stored[at / page_size])
		mismatch("SEEK_HOLE found page %ld", (long)(at / page_size));
}

/* What it cleans is none of the log's: nothing leaves that by a sync. */
static inline void op_fsync(const struct op *op)
{
	size_t n = op->fd % NR_FDS, i;
	bool open = !is_closed(model.flags[n]);
	int ret = op->how & 1 ? fsync(model.fd[n]) : fdatasync(model.fd[n]);

	if (model.loose)
		return;
	if (ret ? open || errno != EBADF : !open)
		mismatch("fsync: %s", ret ? strerror(errno) : "it went well");
	for (i = 0; !ret && i < NR; i++)
		set_synced(i);
	/* Who holds a page may write to it at any time. */
	if (!ret && !model.dev->was_pinned && pool_read("unsynced"))
		mismatch("fsync has left %ld pages", pool_read("unsynced"));
}

/* Not the first one, by which the fuzzer itself asks. */
static inline void op_open(const struct op *op)
{
	static const int modes[] = {
		O_RDWR, O_RDONLY, O_WRONLY, O_PATH, O_RDWR | O_APPEND,
		O_RDWR | O_NONBLOCK, O_RDWR | O_SYNC, -1,
	};
	size_t n = op->fd % (NR_FDS - 1) + 1;
	int flags = modes[op->how % ARRAY_SIZE(modes)];

	/* A number that is free may become anybody's. */
	if (model.loose)
		return;
	if (model.flags[n] >= 0 && close(model.fd[n]))
		mismatch("close: %s", strerror(errno));
	model.flags[n] = flags;
	model.fd[n] = -1;
	if (flags < 0)
		return;
	model.fd[n] = open(DEVICE, flags);
	if (model.fd[n] < 0)
		mismatch("open: %s", strerror(errno));
}

static inline void op_mode(const struct op *op)
{
	static const char *const around[] = { "65536", "4096", "16384", "2097152" };
	bool insert = op->how & 1;

	if (insert != model.insert)
		write_file(FAULT_MODE, insert ? "insert" : "map_pages");
	model.insert = insert;
	/* Fails where a page is larger. */
	if (op->value % ARRAY_SIZE(around) != model.around)
		write_file(FAULT_WINDOW,
			   around[op->value % ARRAY_SIZE(around)]);
	model.around = op->value % ARRAY_SIZE(around);
}

/* Memory is short: what is spare in the pool goes. */
static inline void op_shrink(const struct op *op)
{
	(void)op;
	write_file("/proc/sys/vm/drop_caches", "2");
}

#endif /* MMAPDEMO_FUZZ_FILE_H */
