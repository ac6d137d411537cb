#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Where the instructions are that `make bench` counts: per function of the guest's
# kernel, for the device next to a peer.
#
# Usage: profile.sh, with in the environment:
#   OPERATIONS='write after read; ...'  which of the benchmark's, by name;
#                 default: those whose goal is not met
#   KERNEL=6.12   on which kernel
#   TIMEOUT=600   seconds that the guest may take
#   SAVE=1        put the table into module/doc, too
# Stdout gets a table for each operation: instructions per page in each function,
# on the device and on memfd, where that can do it, and what the module and the core
# add up to. It is
# Markdown, and left in the cache, in bench/profile.md.
# Needs QEMU 9.1, for its plugins.
# Exit status: 0; 1 the guest failed; 2 there is no such operation or kernel.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"
. "$(dirname "$0")/../lib/debs.sh"
. "$(dirname "$0")/../lib/qemu.sh"

export KERNEL=${KERNEL:-6.12} TIMEOUT=${TIMEOUT:-600}
OPERATIONS=${OPERATIONS:-first read, random; first write, sequential; write after read; write after cleaning;
	munmap, touched; write(2), 4K}
OUT=$CACHE/bench

# What OPERATIONS names, a line each and once, without the blanks around it.
operations()
{
	tr ';' '\n' <<<"$OPERATIONS" | while read -r operation; do
		printf '%s\n' "$operation"
	done | awk '$0 != "" && !seen[$0]++'
}

# The program itself says what it can measure.
known_operations()
{
	local names

	gcc -D_FILE_OFFSET_BITS=64 -I "$TOP/module/uapi" -iquote "$TOP/selftests/lib" -pthread \
		-o "$OUT/profile/bench" "$TOP/selftests/bench/bench.c"
	names=$("$OUT/profile/bench" list)
	mapfile -t operations < <(operations)
	known operation "$names" "${operations[@]:-}"
}

# Each operation on the device, and on memfd, as arguments for the program.
arguments()
{
	for operation in "${operations[@]}"; do
		printf "'%s' device '%s' memfd " "$operation" "$operation"
	done
}

known_kernels "$KERNEL"
need_numbers TIMEOUT
need gcc:gcc libc6-dev:/usr/include/stdio.h python3:/usr/bin/python3
mkdir -p "$OUT/profile"
known_operations
ICOUNT=1 use_qemu x86_64 "$QEMU_PLUGINS"
gcc -shared -fPIC -O2 -Wall -o "$OUT/profile/plugin.so" "$TOP/scripts/measure/profile-plugin.c"
program=$("$TOP/scripts/kernels/build.sh" "$KERNEL" module bench | tail -n 1)/bench
say "counting: $(operations | paste -sd ';' | sed 's/;/; /g')"
CALLER=$TOP RW='' PARAMS='devices=2 dirty_log=1,0 pool_size=1G' ICOUNT=1 RUN=$OUT/profile \
	PLUGIN=$(for_qemu "$OUT/profile/plugin.so"),out=$(for_qemu "$OUT/profile/counts") \
	CMD="echo 0 >/proc/sys/kernel/kptr_restrict; cat /proc/kallsyms >/run/mmapdemo/symbols
		setarch -R $program profile $(arguments)" \
	"$TOP/scripts/guest/vm.sh" </dev/null >"$OUT/profile/figures" || die "the guest failed"
/usr/bin/python3 "$TOP/scripts/measure/profile.py" "$OUT/profile" >"$OUT/profile.md"
cat "$OUT/profile.md"
[ -z "${SAVE-}" ] || cp "$OUT/profile.md" "$TOP/module/doc/profile.md"
