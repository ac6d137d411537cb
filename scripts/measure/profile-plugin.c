// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU's TCG that counts how often each instruction of a guest was
 * run while selftests/bench/bench.c measured. For profile.sh: there is no performance
 * counter in such a guest for perf to use, and of QEMU's own plugins Debian
 * packages none.
 *
 * Argument: out=FILE, which gets, for each measurement, a line "=" and then a
 * line "ADDRESS COUNT" for each instruction, the address in hexadecimal.
 * Needs a guest with one CPU, and QEMU 9.1 (version 3 of the plugin interface,
 * include/qemu/qemu-plugin.h, which Debian packages nowhere either).
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-plugin.h"

/* What bench_util.h's mark_start() and mark_stop() are to the CPU. */
static const unsigned char start_mark[] = { 0xb8, 0x01, 0x61, 0x6d, 0x6d };
static const unsigned char stop_mark[] = { 0xb8, 0x02, 0x61, 0x6d, 0x6d };

/* A hash table that is never full: what a boot and a benchmark run is less. */
#define COUNTER_BITS	22
#define NR_COUNTERS	(1U << COUNTER_BITS)

static struct counter {
	uint64_t address;
	uint64_t count;
} counters[NR_COUNTERS];

static bool counting;
static FILE *out;

/* An instruction may be translated many times. */
static struct counter *find_counter(uint64_t address)
{
	size_t i = (address * 0x9e3779b97f4a7c15ULL) >> (64 - COUNTER_BITS);

	while (counters[i].address && counters[i].address != address)
		i = (i + 1) % NR_COUNTERS;
	counters[i].address = address;
	return counters + i;
}

static void count(unsigned int cpu, void *counter)
{
	if (counting)
		((struct counter *)counter)->count++;
}

static void start(unsigned int cpu, void *data)
{
	size_t i;

	for (i = 0; i < NR_COUNTERS; i++)
		counters[i].count = 0;
	counting = true;
}

static void stop(unsigned int cpu, void *data)
{
	size_t i;

	counting = false;
	fprintf(out, "=\n");
	for (i = 0; i < NR_COUNTERS; i++)
		if (counters[i].count)
			fprintf(out, "%" PRIx64 " %" PRIu64 "\n",
				counters[i].address, counters[i].count);
	fflush(out);
}

static void instrument(struct qemu_plugin_insn *insn)
{
	unsigned char code[sizeof(start_mark)];

	qemu_plugin_register_vcpu_insn_exec_cb(insn, count, 0,
					       find_counter(qemu_plugin_insn_vaddr(insn)));
	if (qemu_plugin_insn_data(insn, code, sizeof(code)) != sizeof(code))
		return;
	if (!memcmp(code, start_mark, sizeof(code)))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, start, 0, NULL);
	else if (!memcmp(code, stop_mark, sizeof(code)))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, stop, 0, NULL);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i;

	for (i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
		instrument(qemu_plugin_tb_get_insn(tb, i));
}

int qemu_plugin_version = 3;

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	if (argc != 1 || strncmp(argv[0], "out=", 4))
		return -1;
	out = fopen(argv[0] + 4, "w");
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return out ? 0 : -1;
}
