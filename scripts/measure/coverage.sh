#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests run of the module and of the core's functions on the way of a
# mapping: all tests on a kernel that counts with gcov, then a report.
#
# Usage: coverage.sh, with in the environment:
#   TIMEOUT=2400  seconds that the guest may take
#   REUSE=1       take the counts that the last run has left
# Tables, the lines of the module that did not run, and what falls short go to
# stdout and below the cache, in coverage/, which has the source with all
# counts as well (index.html). The last line is "coverage: module N % of lines,
# N % of branches; do_mmap N % of lines".
# Exit status: 0; 1 a test failed, a figure is below its goal, or a line that
# does not run is explained nowhere (coverage-notes.md).
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"

KERNEL=6.12-gcov
NOTES=$TOP/scripts/measure/coverage-notes.md
COUNTS=$CACHE/results/$KERNEL/gcov
REPORT=$CACHE/coverage
LOG=$CACHE/logs/coverage.log

# Version 2 has another name for it, and finds it inconsistent that a system
# call's function ends where its macro does.
lcov_options()
{
	case $(lcov --version) in
	*' version 1.'*) LCOV=(--rc lcov_branch_coverage=1) ;;
	*) LCOV=(--rc branch_coverage=1 --ignore-errors "inconsistent,inconsistent") ;;
	esac
	# Why these are no branches of ours, the notes say.
	LCOV+=(--rc 'lcov_excl_br_line=this_cpu_add|WARN(_ON)?\(')
}

run_lcov()
{
	"$@" >>"$LOG" 2>&1 || die "$1 failed; its log: $LOG" "$(tail -n 5 "$LOG")"
}

capture()
{
	local tracefile=$REPORT/all.info dir objects=()

	# Not of the KUnit suites, which include the module's headers.
	while read -r dir; do
		objects+=(--directory "$dir")
	done < <(find "$COUNTS" -path '*/tree/module' -o -path '*/build/mm')
	rm -rf "$REPORT"
	mkdir -p "$REPORT"
	: >"$LOG"
	run_lcov lcov "${LCOV[@]}" --capture "${objects[@]}" \
		--include "$TREE/module/*" --include "$KSRC/mm/*.c" \
		--output-file "$REPORT/captured.info"
	# A header is captured once for each file that includes it: summed here.
	run_lcov lcov "${LCOV[@]}" --add-tracefile "$REPORT/captured.info" \
		--output-file "$tracefile"
	run_lcov genhtml "${LCOV[@]}" --branch-coverage --title "mmapdemo on $KERNEL" \
		--prefix "$TREE" --prefix "$KSRC" --output-directory "$REPORT" "$tracefile"
	cp "$NOTES" "$REPORT/"
}

RC=0

KERNELS=$KERNEL known_tests
[ "${REUSE-}" ] || KERNELS=$KERNEL "$TOP/scripts/run/test.sh" || RC=1
[ -d "$COUNTS" ] || die "there are no counts of a test run: $COUNTS"
need lcov:lcov gcc:gcov python3:/usr/bin/python3
TREE=$("$TOP/scripts/kernels/build.sh" $KERNEL module)/tree
KSRC=$(readlink -f "$("$TOP/scripts/kernels/kernel.sh" $KERNEL)/src")
lcov_options
say "reading the counts"
capture
say "the report: $REPORT/index.html"
"$TOP/scripts/measure/coverage.py" "$REPORT/all.info" "$NOTES" "$TREE" "$KSRC" |
	tee "$REPORT/summary.txt" || RC=1
exit $RC
