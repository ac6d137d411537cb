#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What a mapping of the device costs, next to one of a memfd, of anonymous
# memory, of /dev/udmabuf and of a DRM device (vgem), all in the same boot. Its
# clock counts the guest's instructions, so that the figures are the same
# whatever the host does. A second boot, with two CPUs and the wall clock,
# shows what a second thread adds.
#
# Usage: bench.sh, with in the environment:
#   KERNEL=6.12   on which kernel
#   TIMEOUT=1800  seconds that each guest may take
#   REUSE=1       tables and charts of the figures that the last run has left
#   SAVE=1        put them into module/doc, too
#   STRICT=1      fail when a goal is not met
# The module has its default parameters, but for a pool that can hold 1 GiB;
# the guest has 2 GiB. Tables go to stdout, and below the cache, in bench/, with
# charts and all repetitions as JSON. The last line is "bench: N of M goals met".
# Exit status: 0 all was measured, whatever the goals say; 1 not so, or with
# STRICT a goal is not met.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"
. "$(dirname "$0")/../lib/debs.sh"
. "$(dirname "$0")/../lib/qemu.sh"

export KERNEL=${KERNEL:-6.12} TIMEOUT=${TIMEOUT:-1800}
OUT=$CACHE/bench
DOC=$TOP/module/doc

# part WHAT ICOUNT - appends what the program says in a guest to the figures. Its
# mappings are where they are each time: the search for a gap is part of mmap.
part()
{
	CALLER=$TOP RW='' PARAMS='devices=2 dirty_log=1,0 pool_size=1G' ICOUNT=$2 \
		CMD="modprobe -q vgem; setarch -R $program $1" \
		"$TOP/scripts/guest/vm.sh" </dev/null >>"$OUT/figures" || die "the guest failed at: bench $1"
}

# What was measured where, a line each.
origin()
{
	printf '%s\n' "commit=$(git -C "$TOP" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)" \
		"kernel=Linux $(cat "$("$TOP/scripts/kernels/kernel.sh" "$KERNEL")/release")" \
		"emulator=QEMU $(qemu_version)" \
		"date=$(date -u +%F)"
}

measure()
{
	local program

	ICOUNT=1 use_qemu x86_64
	program=$("$TOP/scripts/kernels/build.sh" "$KERNEL" module bench | tail -n 1)/bench
	rm -f "$OUT/figures"
	say "one CPU, by instructions"
	part count 1
	say "two CPUs, by the wall clock"
	part scale ''
	origin >"$OUT/origin"
}

known_kernels "$KERNEL"
need_numbers TIMEOUT
need python3:/usr/bin/python3 "$MATPLOTLIB"
mkdir -p "$OUT"
[ "${REUSE-}" ] || measure
[ -s "$OUT/origin" ] || die "no earlier run left figures in $OUT"
mapfile -t ORIGIN <"$OUT/origin"
draw "$TOP/scripts/measure/bench.py" "$OUT/figures" "$OUT" "${ORIGIN[@]}" && rc=0 || rc=$?
say "charts: $OUT/bench.svg; everything: $OUT/bench.json"
if [ "${SAVE-}" ] && [ "$rc" != 1 ]; then
	mkdir -p "$DOC"
	cp "$OUT/bench.md" "$OUT/bench.svg" "$DOC/"
	say "saved: ${DOC#"$TOP/"}/bench.md, bench.svg"
fi
case $rc in
3) [ ! "${STRICT-}" ] ;;
*) exit "$rc" ;;
esac
