/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An AF_XDP socket whose packet memory (UMEM) is a program's own, and gets the
 * packets that the loopback interface receives.
 */
#ifndef MMAPDEMO_XDP_H
#define MMAPDEMO_XDP_H

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "harness.h"
#include "newer_uapi.h"

/* Packets that may be under way, and so the length of the rings. */
#define XDP_PACKETS	4

struct xdp {
	int fd;			/* the socket; it holds the memory */
	int link;		/* what sends the packets of loopback there */
	struct xdp_mmap_offsets offsets;
	char *fill, *rx;
};

static inline int sys_bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* Return: a map with the one socket; negative: there is no such thing. */
static inline int xdp_make_map(int socket)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_XSKMAP, .key_size = 4, .value_size = 4,
		.max_entries = 1,
	};
	int map = sys_bpf(BPF_MAP_CREATE, &attr);
	__u32 key = 0;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = map;
	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)&socket;
	return map < 0 || sys_bpf(BPF_MAP_UPDATE_ELEM, &attr) ? -1 : map;
}

/* return bpf_redirect_map(map, 0, XDP_PASS); */
static inline int xdp_make_program(int map)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_FD, .imm = map },
		{ },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3,
		  .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_XDP, .insns = (uintptr_t)insns,
		.insn_cnt = ARRAY_SIZE(insns), .license = (uintptr_t)"GPL",
	};

	return sys_bpf(BPF_PROG_LOAD, &attr);
}

/* Return: whether packets of loopback go to the socket from now on. */
static inline bool xdp_attach(struct xdp *x)
{
	int map = xdp_make_map(x->fd), program = xdp_make_program(map);
	union bpf_attr attr = {
		.link_create = {
			.prog_fd = program, .attach_type = BPF_XDP,
			.target_ifindex = if_nametoindex("lo"),
			.flags = XDP_FLAGS_SKB_MODE,
		},
	};

	x->link = sys_bpf(BPF_LINK_CREATE, &attr);
	close(program);
	close(map);
	return x->link >= 0;
}

/* Return: whether there is such a socket now, and loopback is up. */
static inline bool xdp_open(struct xdp *x)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	memset(x, 0, sizeof(*x));
	x->link = -1;
	x->fd = socket(AF_XDP, SOCK_RAW, 0);
	if (x->fd < 0)
		return false;
	return !ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &lo);
}

/* Makes @p its memory, a packet a page. Return: 0, or as setsockopt(2). */
static inline int xdp_pin(const struct xdp *x, void *p, size_t len)
{
	struct xdp_umem_reg umem = {
		.addr = (uintptr_t)p, .len = len, .chunk_size = page_size,
	};

	return setsockopt(x->fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem));
}

static inline size_t xdp_fill_len(const struct xdp *x)
{
	return x->offsets.fr.desc + XDP_PACKETS * sizeof(__u64);
}

static inline size_t xdp_rx_len(const struct xdp *x)
{
	return x->offsets.rx.desc + XDP_PACKETS * sizeof(struct xdp_desc);
}

static inline char *xdp_map_ring(const struct xdp *x, size_t len, off_t which)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		    x->fd, which);
}

/* Return: whether the socket, with memory, receives from now on. */
static inline bool xdp_start(struct xdp *x)
{
	struct sockaddr_xdp lo = {
		.sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY,
		.sxdp_ifindex = if_nametoindex("lo"),
	};
	const int rings[] = {
		XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING,
	};
	socklen_t len = sizeof(x->offsets);
	int nr = XDP_PACKETS, tries, err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rings); i++)
		if (setsockopt(x->fd, SOL_XDP, rings[i], &nr, sizeof(nr)))
			return false;
	if (getsockopt(x->fd, SOL_XDP, XDP_MMAP_OFFSETS, &x->offsets, &len))
		return false;
	x->fill = xdp_map_ring(x, xdp_fill_len(x), XDP_UMEM_PGOFF_FILL_RING);
	x->rx = xdp_map_ring(x, xdp_rx_len(x), XDP_PGOFF_RX_RING);
	if (x->fill == MAP_FAILED || x->rx == MAP_FAILED)
		return false;
	/* A worker may still be at the socket that had the interface before. */
	for (tries = 0; tries < 100; tries++) {
		err = bind(x->fd, (struct sockaddr *)&lo, sizeof(lo));
		if (!err || errno != EBUSY)
			break;
		usleep(10000);
	}
	return !err && xdp_attach(x);
}

/*
 * Sends @len bytes to ourselves, into page @n of the memory. Return: the offset in
 * the memory at which they are now; negative: nothing came.
 */
static inline long xdp_transfer(const struct xdp *x, size_t n, const void *bytes,
				size_t len)
{
	const struct xdp_ring_offset *fill = &x->offsets.fr, *rx = &x->offsets.rx;
	__u32 *filled = (__u32 *)(x->fill + fill->producer);
	__u32 *received = (__u32 *)(x->rx + rx->producer);
	__u32 *taken = (__u32 *)(x->rx + rx->consumer);
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), tries;
	const struct xdp_desc *desc;

	((__u64 *)(x->fill + fill->desc))[*filled % XDP_PACKETS] = n * page_size;
	__atomic_store_n(filled, *filled + 1, __ATOMIC_RELEASE);
	if (sendto(fd, bytes, len, 0, (struct sockaddr *)&to, sizeof(to)) != (ssize_t)len)
		abort();
	close(fd);
	for (tries = 0; tries < 1000; tries++) {
		if (__atomic_load_n(received, __ATOMIC_ACQUIRE) == *taken) {
			usleep(10000);
			continue;
		}
		desc = (struct xdp_desc *)(x->rx + rx->desc) + *taken % XDP_PACKETS;
		/* The headers come before. */
		n = desc->addr + desc->len - len;
		__atomic_store_n(taken, *taken + 1, __ATOMIC_RELEASE);
		return n;
	}
	return -1;
}

static inline void xdp_close(struct xdp *x)
{
	close(x->link);
	close(x->fd);
	/* The rings hold the socket, too. */
	munmap(x->fill, xdp_fill_len(x));
	munmap(x->rx, xdp_rx_len(x));
}

#endif /* MMAPDEMO_XDP_H */
