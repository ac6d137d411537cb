#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Breaks the module on purpose, one mistake at a time, and sees whether the
# tests notice. Each selftests/mutants/PART/NAME.patch is one mistake: what it is,
# "Tests:" with the selftests that are to notice it, "Seconds:" where those that
# race need longer than 4 each, "Kernel:" where it takes another than the others
# to see it (lockdep's), and the patch, which is applied to a copy.
#
# Usage: mutants.sh [NAME...]      default: all; with in the environment:
#   KERNEL=6.12   on which kernel
#   JOBS=2        how many guests at a time; default: one per CPU
# A mutant is caught when one of its tests fails, when the guest hangs or dies,
# when the kernel reports something, or when the module does not unload
# cleanly. First the unbroken module must pass all those tests.
# The last line on stdout is "mutants: N of M caught".
# Exit status: 0 all were caught, 1 one was not, or could not be tried; 2 there is no
# such mutant or kernel.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"

KERNEL=${KERNEL:-6.12}
JOBS=${JOBS:-$(nproc)}
export KERNEL

tests_of()
{
	sed -n 's/^Tests: //p' "$@" | tr ' ' '\n' | sort -u | tr '\n' ' '
}

seconds_of()
{
	[ "$1" = unbroken ] || sed -n 's/^Seconds: //p' "$(mutant_patch "$1")"
}

kernel_of()
{
	{ [ "$1" = unbroken ] || sed -n 's/^Kernel: //p' "$(mutant_patch "$1")"; } | grep . || echo "$KERNEL"
}

# make_mutant NAME - the broken mmapdemo.ko; NAME may be "unbroken"
make_mutant()
{
	local dir=$WORK/$1 kernel

	kernel=$("$TOP/scripts/kernels/kernel.sh" "$(kernel_of "$1")")
	mkdir -p "$dir"
	cp -r "$TOP/module" "$dir/"
	if [ "$1" != unbroken ]; then
		patch -s --no-backup-if-mismatch -d "$dir" -p1 <"$(mutant_patch "$1")" >"$dir/log" 2>&1 ||
			return
	fi
	make -C "$kernel/build" M="$dir/module" modules >>"$dir/log" 2>&1
}

# run_tests NAME TIMEOUT TESTS - how they end; what they print goes to
# $WORK/NAME/log
run_tests()
{
	local dir=$WORK/$1 rc=0 seconds

	seconds=$(seconds_of "$1")
	KERNEL=$(kernel_of "$1") MODULE=$dir/module/mmapdemo.ko TIMEOUT=$2 RUN=$dir/run CHECK_LEAKS='' PARAMS='' RW='' \
		CMD="cd $OUT/selftests/mmapdemo
			export MMAPDEMO_KO=$dir/module/mmapdemo.ko MMAPDEMO_SECONDS=${seconds:-4}
			export MMAPDEMO_HOLD_KO=$OUT/tree/kunit/mmapdemo_hold.ko
			rc=0
			for test in $3; do ./\$test || rc=1; done
			exit \$rc" \
		"$TOP/scripts/guest/vm.sh" </dev/null >>"$dir/log" 2>&1 || rc=$?
	return $rc
}

# noticed_by NAME STATUS - in words, from the log
noticed_by()
{
	local log=$WORK/$1/log

	case $2 in
	124) echo "a hang" ;;
	125) echo "the kernel: $(log_reports "$WORK/$1/run/kernel.log" | head -n 1 |
		sed 's/^\[[^]]*\] *//' | cut -c1-60)" ;;
	*) sed -n 's/^not ok [0-9]* \([^ ]*\).*/\1/p' "$log" | head -n 3 | tr '\n' ' ' ;;
	esac
}

# try NAME - says how it ended, in one line on stdout
try()
{
	local rc=0 seconds

	if ! make_mutant "$1"; then
		printf 'BROKEN    %s: does not apply, or does not build: %s\n' "$1" "$(tail -n 1 "$WORK/$1/log")"
		return
	fi
	# A mutant that hangs does so for all of it: no more than the tests may need.
	seconds=$(seconds_of "$1")
	run_tests "$1" $((120 + 10 * ${seconds:-4})) "$(tests_of "$(mutant_patch "$1")")" || rc=$?
	if ! grep -q "$LOG_MARKER" "$WORK/$1/run/kernel.log"; then
		printf 'BROKEN    %s: the guest did not come up: %s\n' "$1" "$(tail -n 1 "$WORK/$1/log")"
	elif [ $rc = 0 ]; then
		printf 'SURVIVED  %s: %s\n' "$1" "$(head -n 1 "$(mutant_patch "$1")")"
	else
		printf 'caught    %s: %s\n' "$1" "$(noticed_by "$1" $rc)"
	fi
}

if [ "${1-}" = --try ]; then
	try "$2" | tee -a "$WORK/results"
	exit
fi

if [ $# = 0 ]; then
	for patch in "$TOP"/selftests/mutants/*/*.patch; do
		set -- "$@" "$(basename "$patch" .patch)"
	done
fi
known_mutants "$@"
known_kernels "$KERNEL"
need_numbers JOBS

need patch:patch make:make gcc:gcc
OUT=$("$TOP/scripts/kernels/build.sh" "$KERNEL" module selftests)
mkdir -p "$CACHE/runs"
WORK=$(mktemp -d "$CACHE/runs/mutants-XXXXXX")
export OUT WORK

say "the unbroken module"
make_mutant unbroken || die "the module does not build" "$(tail -n 5 "$WORK/unbroken/log")"
patches=()
for name; do
	patches+=("$(mutant_patch "$name")")
done
run_tests unbroken 1200 "$(tests_of "${patches[@]}")" || {
	grep -B 8 -E '^not ok|^mmapdemo:' "$WORK/unbroken/log" | tail -n 30 >&2
	die "the unbroken module fails; the whole log: $WORK/unbroken/log"
}
say "$# mutants, $JOBS at a time"
printf '%s\0' "$@" | xargs -0 -n 1 -P "$JOBS" "$0" --try
caught=$(grep -c '^caught' "$WORK/results" || true)
if [ "$caught" = $# ]; then
	rm -rf "$WORK"
else
	echo "what each printed: $WORK/NAME/log"
fi
printf 'mutants: %d of %d caught\n' "$caught" $#
[ "$caught" = $# ]
