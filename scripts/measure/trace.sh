#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs a program in the guest and shows what it did to the device: its events
# (module/trace.h), recorded by trace-cmd, as a picture and as a summary.
#
# Usage: trace.sh, with in the environment:
#   CMD='...'     what bash runs in the guest, with stdin, stdout and stderr of
#                 this script
#   OUT=trace     OUT.svg, OUT.txt and OUT.dat are written; a path is taken
#                 from where the user is
#   KERNEL, PARAMS, RW, TIMEOUT, CALLER
#                 as for vm.sh
# OUT.svg has time from left to right and the device's pages from top to bottom;
# any browser shows it. OUT.txt is printed, too, on stderr: stdout is the
# program's. OUT.dat is for trace-cmd report, or kernelshark.
# Exit status: the program's, or vm.sh's; 125 when nothing could be recorded.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"

export CALLER=${CALLER:-$PWD} KERNEL=${KERNEL:-6.12}
[ "${CMD-}" ] || die "there is nothing to trace: set CMD, as in" \
	"  make trace CMD='dd if=/dev/zero of=/dev/mmapdemo bs=4096 count=8'"
known_kernels "$KERNEL"
need_numbers TIMEOUT
need "${BOOT_GUEST[@]}" trace-cmd:trace-cmd python3:/usr/bin/python3 "$MATPLOTLIB"
OUT=$(cd "$CALLER" && realpath -m "${OUT:-trace}")
[ -w "$(dirname "$OUT")" ] || die "cannot write to $(dirname "$OUT"): choose another place with OUT="
mkdir -p "$CACHE/runs"
RUN=$(mktemp -d "$CACHE/runs/trace-XXXXXX")
trap 'rm -rf "$RUN"' EXIT
export RUN

TRACED=$CMD
CMD="$(printf %q "$TOP/scripts/guest/trace.sh") $(printf %q "$TRACED")" "$TOP/scripts/guest/vm.sh" && rc=0 || rc=$?
[ -s "$RUN/trace.dat" ] || exit "$rc"
cp "$RUN/trace.dat" "$OUT.dat"
trace-cmd report -t -i "$OUT.dat" >"$RUN/report" 2>"$RUN/report.err" || die "$(cat "$RUN/report.err")"
draw "$TOP/scripts/measure/trace.py" "$RUN/report" "$OUT" "$TRACED" \
	"Linux $(cat "$("$TOP/scripts/kernels/kernel.sh" "$KERNEL")/release")${PARAMS:+, $PARAMS}"
cat "$OUT.txt" >&2
say "the picture: $OUT.svg"
exit "$rc"
