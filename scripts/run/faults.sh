#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Fails each allocation that a call to the device makes, one at a time: of
# insmod and rmmod, open, mmap, each kind of fault, fork, read, write, splice,
# the ioctls, ... (selftests/failing/failing*.c), with failslab and fail_page_alloc.
#
# Usage: faults.sh, with in the environment:
#   KERNEL=6.12-debug  on which kernel; it needs CONFIG_FAULT_INJECTION
#   TIMEOUT=2400       seconds that the guest may take
# On stdout: a line for each call, with how many allocations were made to fail
# and how many of those the call could not do without; then what failed. A
# kernel report, a leak that kmemleak finds, a module that does not unload and
# a guest that hangs count as one failure. The last line is "faults: N injection
# points, N failures".
# Exit status: 0 no failure, 1 there is one, 2 there is no such kernel, or it cannot inject any.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"

export KERNEL=${KERNEL:-6.12-debug} TIMEOUT=${TIMEOUT:-2400} CHECK_LEAKS=1 CALLER=$TOP
LOG=$CACHE/logs/faults.log

progress()
{
	local line

	while IFS= read -r line; do
		printf '%s\n' "$line"
		case $line in
		*injection\ points*) say "${line#*:*:}" ;;
		esac
	done >"$LOG"
}

# The harness begins such a line with where it is: FILE:LINE:TEST.
table()
{
	printf '%-12s %-12s %-28s %7s %7s\n' program 'fault mode' call points errors
	awk '/^# Starting/ { next }
		/^# program/ { program = $3 }
		/RUN / { n = split($3, part, "."); mode = n > 2 ? part[2] : "" }
		/ injection points, / {
			split($2, where, ":")
			sub(/^.*:/, "", $2)
			printf "%-12s %-12s %-28s %7d %7d\n", program, mode, where[3], $2, $5
		}' "$LOG"
}

known_built_kernels "$KERNEL"
need_numbers TIMEOUT
need gcc:gcc libc6-dev:/usr/include/stdio.h
OUT=$(STRICT=1 "$TOP/scripts/kernels/build.sh" "$KERNEL" module selftests)
export CMD="cd $OUT/selftests/mmapdemo
	export MMAPDEMO_KO=$OUT/tree/module/mmapdemo.ko
	rc=0
	for program in failing*; do
		echo \"# program \$program\"
		./\$program || rc=1
	done
	exit \$rc"
RC=0
"$TOP/scripts/guest/vm.sh" </dev/null 2>&1 | progress || RC=$?
table
FAILURES=$(grep -c '^not ok' "$LOG" || true)
if [ "$FAILURES" = 0 ] && [ $RC != 0 ]; then
	FAILURES=1
fi
if [ "$FAILURES" != 0 ]; then
	printf 'all of it: %s\n' "$LOG"
	grep -E '^not ok|^mmapdemo: |Expected|TIMED OUT|allocation [0-9]' "$LOG" | tail -n 20 || true
fi
POINTS=$(awk '/ injection points, / { sub(/^.*:/, "", $2); n += $2 } END { print n + 0 }' "$LOG")
printf 'faults: %d injection points, %d failures\n' "$POINTS" "$FAILURES"
[ "$FAILURES" = 0 ]
