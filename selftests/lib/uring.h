/* SPDX-License-Identifier: GPL-2.0-only */
/* An io_uring with fixed buffers, one request at a time. */
#ifndef MMAPDEMO_URING_H
#define MMAPDEMO_URING_H

#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "harness.h"

struct uring {
	int fd;
	struct io_uring_params params;
	struct io_uring_sqe *sqes;
	char *rings;		/* both, as kernels map them since 5.4 */
	size_t len;
};

#define URING_ENTRIES	4

static inline unsigned int *uring_word(const struct uring *u, __u32 offset)
{
	return (unsigned int *)(u->rings + offset);
}

/* Return: whether the kernel has io_uring, and lets us use it. */
static inline bool uring_open(struct uring *u)
{
	const int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;

	memset(u, 0, sizeof(*u));
	u->fd = syscall(SYS_io_uring_setup, URING_ENTRIES, &u->params);
	if (u->fd < 0)
		return false;
	u->len = u->params.cq_off.cqes +
		 u->params.cq_entries * sizeof(struct io_uring_cqe);
	u->rings = mmap(NULL, u->len, prot, flags, u->fd, IORING_OFF_SQ_RING);
	u->sqes = mmap(NULL, URING_ENTRIES * sizeof(*u->sqes), prot, flags,
		       u->fd, IORING_OFF_SQES);
	return u->rings != MAP_FAILED && u->sqes != MAP_FAILED;
}

/* Pins @len bytes until the ring is closed. Return: 0, or as io_uring_register(2). */
static inline int uring_pin(const struct uring *u, void *p, size_t len)
{
	struct iovec iov = { p, len };

	return syscall(SYS_io_uring_register, u->fd, IORING_REGISTER_BUFFERS,
		       &iov, 1);
}

/*
 * Reads from @fd into a part of what is pinned, or writes from there
 * (IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED). Return: bytes; negative: an errno.
 */
static inline int uring_transfer(const struct uring *u, int op, int fd, void *p,
				 size_t len, off_t pos)
{
	const struct io_sqring_offsets *sq = &u->params.sq_off;
	const struct io_cqring_offsets *cq = &u->params.cq_off;
	unsigned int tail = *uring_word(u, sq->tail);
	unsigned int slot = tail & *uring_word(u, sq->ring_mask);
	unsigned int head = *uring_word(u, cq->head);
	const struct io_uring_cqe *cqes =
		(struct io_uring_cqe *)(u->rings + cq->cqes);

	u->sqes[slot] = (struct io_uring_sqe){
		.opcode = op, .fd = fd, .addr = (uintptr_t)p, .len = len, .off = pos,
	};
	uring_word(u, sq->array)[slot] = slot;
	__atomic_store_n(uring_word(u, sq->tail), tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, u->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	__atomic_store_n(uring_word(u, cq->head), head + 1, __ATOMIC_RELEASE);
	return cqes[head & *uring_word(u, cq->ring_mask)].res;
}

/* Its mappings hold it, and what it has pinned, as well. */
static inline void uring_close(struct uring *u)
{
	munmap(u->rings, u->len);
	munmap(u->sqes, URING_ENTRIES * sizeof(*u->sqes));
	close(u->fd);
}

#endif /* MMAPDEMO_URING_H */
