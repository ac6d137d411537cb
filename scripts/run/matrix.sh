#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# All tests on every kernel under test, and a table of how they ended.
#
# Usage: matrix.sh [full], with in the environment:
#   KERNELS='6.1 ...'  on which kernels; default: those of x86-64 that have no
#                      special purpose, and with "full" those of other machines
#   TESTS, TIMEOUT, MMAPDEMO_...  as for test.sh
# Stdout has what failed and what was skipped and why, then the table; the last
# line is "matrix: N passed, N failed, N skipped on N kernels".
# Exit status: 0 nothing failed, 1 something did, 2 there is no such kernel or test.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"

OTHERS='6.12-arm64 6.12-arm64-64k 6.12-i386 6.12+i386'
export KERNELS=${KERNELS:-6.1 6.12 6.12-debug 7.3 7.3+mmap_prepare ${1:+$OTHERS}}
LOG=$CACHE/logs/matrix.log
RC=0

row()
{
	printf '| %-18s | %-10s | %7s | %7s | %7s |\n' "$@"
}

known 'kind of matrix' full "$@"
known_tests
"$TOP/scripts/run/test.sh" | tee "$LOG" || RC=1
printf '\n'
row kernel suite passed failed skipped
row ------ ----- ------: ------: -------:
for kernel in $KERNELS; do
	python3 "$TOP/scripts/run/summary.py" --table "$(kselftest_source)" "$kernel" \
		"$CACHE/results/$kernel/results" |
		while read -r suite passed failed skipped; do
			row "$kernel" "$suite" "$passed" "$failed" "$skipped"
		done
done
printf '\nmatrix: %s on %d kernels\n' "$(tail -n 1 "$LOG")" "$(wc -w <<<"$KERNELS")"
exit $RC
