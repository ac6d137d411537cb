/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A Linux security module for as long as a file is open: a BPF program on the
 * LSM hook of mmap(2) that refuses the calls of one process. Written out, as
 * there is nothing to compile; what it is attached to has a number in the type
 * information of the running kernel (BTF).
 */
#ifndef MMAPDEMO_LSM_H
#define MMAPDEMO_LSM_H

#include <linux/bpf.h>
#include <linux/btf.h>
#include <sys/syscall.h>

#include "harness.h"

#define VMLINUX_BTF	"/sys/kernel/btf/vmlinux"

/* Return: all of a file, for free(), and its length; NULL: it cannot be read. */
static inline char *read_whole(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY);
	size_t size = 1 << 20;
	char *text = malloc(size);
	ssize_t got;

	*len = 0;
	while ((got = read(fd, text + *len, size - *len)) > 0) {
		*len += got;
		if (*len == size)
			text = realloc(text, size *= 2);
	}
	close(fd);
	if (got == 0)
		return text;
	free(text);
	return NULL;
}

/* How many bytes follow the struct btf_type of @type. */
static inline size_t btf_extra(const struct btf_type *type)
{
	size_t nr = BTF_INFO_VLEN(type->info);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return sizeof(__u32);
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return nr * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return nr * sizeof(struct btf_enum);
	case BTF_KIND_ENUM64:
		return nr * sizeof(struct btf_enum64);
	case BTF_KIND_FUNC_PROTO:
		return nr * sizeof(struct btf_param);
	case BTF_KIND_DATASEC:
		return nr * sizeof(struct btf_var_secinfo);
	default:
		return 0;
	}
}

/* Return: the number of the function @name; 0: there is none. */
static inline __u32 btf_function(const char *name)
{
	const struct btf_header *header;
	__u32 id = 0, found = 0;
	const char *p, *end;
	char *btf;
	size_t len;

	btf = read_whole(VMLINUX_BTF, &len);
	if (!btf)
		return 0;
	header = (void *)btf;
	p = btf + header->hdr_len + header->type_off;
	end = p + header->type_len;
	while (p < end && !found) {
		const struct btf_type *type = (void *)p;
		const char *its = btf + header->hdr_len + header->str_off +
				  type->name_off;

		id++;
		if (BTF_INFO_KIND(type->info) == BTF_KIND_FUNC &&
		    !strcmp(its, name))
			found = id;
		p += sizeof(*type) + btf_extra(type);
	}
	free(btf);
	return found;
}

static inline int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

#define INSN(op, to, from, jump, value) {				\
	.code = (op), .dst_reg = (to), .src_reg = (from),		\
	.off = (jump), .imm = (value)					\
}

/* Return: a program that gives the caller's process @error, others 0; or -1. */
static inline int lsm_load(const char *hook, int error)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0,
		     BPF_FUNC_get_current_pid_tgid),
		INSN(BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_0, 0, 0, 32),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 2, getpid()),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, -error),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_LSM,
		.expected_attach_type = BPF_LSM_MAC,
		.attach_btf_id = btf_function(hook),
		.insns = (uintptr_t)insns,
		.insn_cnt = ARRAY_SIZE(insns),
		.license = (uintptr_t)"GPL",
	};

	return attr.attach_btf_id ? bpf(BPF_PROG_LOAD, &attr) : -1;
}

/*
 * From now on mmap(2) fails with @error in this process, if the kernel has BPF
 * among its active LSMs. Return: what close() ends it with; -1: no such thing.
 */
static inline int lsm_refuse_mmap(int error)
{
	union bpf_attr attr = { };
	int prog = lsm_load("bpf_lsm_mmap_file", error), link;

	if (prog < 0)
		return -1;
	attr.raw_tracepoint.prog_fd = prog;
	link = bpf(BPF_RAW_TRACEPOINT_OPEN, &attr);
	close(prog);
	return link;
}

#endif /* MMAPDEMO_LSM_H */
