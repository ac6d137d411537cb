#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# All tests on each kernel: builds module, suites and selftests, boots the
# kernel once, runs everything there, and sums up.
#
# Usage: test.sh, with in the environment:
#   KERNELS='6.12-debug 7.3 6.12 6.1'
#                              on which kernels; 7.3+mmap_prepare is 7.3 with
#                              the module's mmap_hook=mmap_prepare, 6.12+i386
#                              is 6.12 with programs of 32 bits
#   TIMEOUT=2400               seconds that each guest may take
#   TESTS='mapping dirty'      these selftests alone, and no KUnit suites
#   SOAK=300                   and make soak, on its kernel, for so many seconds,
#                              in a guest beside the others; default: not at all.
#                              It counts as one test
#   MMAPDEMO_...=              for the tests (module/doc/testing.md)
# The last line on stdout is "N passed, N failed, N skipped". A kernel report,
# a leak, a module that does not unload and a guest that dies or hangs each
# count as one failed test.
# Exit status: 0 nothing failed, 1 something did, 2 there is no such kernel or test.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"

KERNELS=${KERNELS:-6.12-debug 7.3 6.12 6.1}
export TIMEOUT=${TIMEOUT:-2400} CHECK_LEAKS=1 CALLER=$TOP
PASSED=0 FAILED=0 SKIPPED=0

# heartbeat KERNEL NUMBER - passes on what the guest says of its NUMBER of
# selftests, and says after some silence what it is still at.
heartbeat()
{
	local line last=boot since=$EPOCHSECONDS rc

	while :; do
		IFS= read -r -t 20 line && rc=0 || rc=$?
		if [ $rc = 0 ]; then
			last=$line since=$EPOCHSECONDS
			case $line in
			ok* | 'not ok'*) say "$1: $line (of $2)" ;;
			'# '*) say "$1: $line" ;;
			esac
		elif [ $rc -gt 128 ]; then
			say "$1: ... for $((EPOCHSECONDS - since)) s at: $last"
		else
			return 0
		fi
	done
}

# test_kernel NAME - its report goes to stdout; the last line is "PASSED FAILED
# SKIPPED"
test_kernel()
{
	local name=$1 kernel=${1%%+*} results=$CACHE/results/$1 params=''
	local ksrc number out rc summary passed failed skipped

	case $name in
	*+i386) export PROGRAMS=i386 ;;
	*+*) params=mmap_hook=${name#*+} ;;
	esac
	# The results are where the next run of any tree will put its own.
	lock "results-$name"
	ksrc=$(kselftest_source)
	say "$name: building module and tests"
	out=$(STRICT=1 "$TOP/scripts/kernels/build.sh" "$kernel" module selftests)
	number=$(wc -w <<<"${TESTS:-$(cat "$out/selftests/kselftest-list.txt")}")
	rm -rf "$results"
	KERNEL=$kernel PARAMS=$params RW='' RUN=$results \
		CMD="$(printf %q "$TOP/scripts/guest/tests.sh") $out ${TESTS-}" \
		"$TOP/scripts/guest/vm.sh" </dev/null | heartbeat "$name" "$number" && rc=0 || rc=$?
	summary=$(python3 "$TOP/scripts/run/summary.py" "$ksrc" "$name" "$results/results")
	read -r passed failed skipped < <(tail -n 1 <<<"$summary")
	sed '$d' <<<"$summary"
	if [ $rc != 0 ]; then
		failed=$((failed + 1))
		printf 'FAILED  %s: the guest (above; its files are in %s)\n' "$name" "$results"
	fi
	say "$name: $passed passed, $failed failed, $skipped skipped"
	printf '%d %d %d\n' "$passed" "$failed" "$skipped"
}

# soak - as test_kernel
soak()
{
	if HOURS=$(awk -v s="$SOAK" 'BEGIN { print s / 3600 }') "$TOP/scripts/run/stress.sh" soak >"$REPORTS/soak.said"; then
		tail -n 1 "$REPORTS/soak.said"
		echo 1 0 0
	else
		printf 'FAILED  the soak (above): %s\n0 1 0\n' "$(tail -n 1 "$REPORTS/soak.said")"
	fi
}

known_tests
need "${BOOT_GUEST[@]}" python3:/usr/bin/python3 fio:fio trace-cmd:trace-cmd
for kernel in $KERNELS; do
	"$TOP/scripts/kernels/kernel.sh" "${kernel%%+*}" >/dev/null
done
kselftest_source >/dev/null

# Two guests side by side: each is idle, or busy on one CPU, for long. What takes
# longest begins first, so that none is alone at the end.
mkdir -p "$CACHE/runs"
REPORTS=$(mktemp -d "$CACHE/runs/test-XXXXXX")
trap 'rm -rf "$REPORTS"' EXIT
end_children_on_ctrl_c
for kernel in ${SOAK:+soak} $KERNELS; do
	while [ "$(jobs -rp | wc -l)" -ge 2 ]; do
		wait -n || true
	done
	if [ "$kernel" = soak ]; then
		soak >"$REPORTS/soak" &
	else
		test_kernel "$kernel" >"$REPORTS/$kernel" &
	fi
done
wait

for kernel in $KERNELS ${SOAK:+soak}; do
	sed '$d' "$REPORTS/$kernel"
	# A run that ended before it could count is one failure.
	read -r passed failed skipped < <(tail -n 1 "$REPORTS/$kernel" | grep -xE '[0-9]+ [0-9]+ [0-9]+' ||
		echo 0 1 0)
	PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
done
printf '%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
[ "$FAILED" = 0 ]
