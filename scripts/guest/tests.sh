#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# All tests of one guest; test.sh boots it with this as the command, after
# mmapdemo was loaded. What goes to stdout is for the eye; the results are
# files below /run/mmapdemo/results:
#   kunit/mmapdemo_kunit  what KUnit said
#   kselftest/NAME        what a selftest printed
#   kselftest.ktap        what kselftest's runner said of all of them
#
# Usage: tests.sh BUILD_DIRECTORY [SELFTEST...]
# With names it runs those selftests only.
set -u
BUILD=$1
shift
RESULTS=/run/mmapdemo/results
export MMAPDEMO_KO=$BUILD/tree/module/mmapdemo.ko
export MMAPDEMO_CLI=${0%/*}/../mmapdemo
export MMAPDEMO_HOOKS_KO=$BUILD/tree/kunit/mmapdemo_hooks.ko
export MMAPDEMO_HOLD_KO=$BUILD/tree/kunit/mmapdemo_hold.ko
mkdir -p $RESULTS/kselftest

kunit()
{
	[ -e "$BUILD/tree/kunit/mmapdemo_kunit.ko" ] || return
	"$(dirname "$0")/kunit.sh" "$BUILD" || echo "not ok: KUnit"
}

kselftests()
{
	local log name chosen=()

	for name; do
		chosen+=(--test "mmapdemo:$name")
	done
	"$BUILD/selftests/run_kselftest.sh" --per-test-log "${chosen[@]}" | tee $RESULTS/kselftest.ktap
	cut -d: -f2 "$BUILD/selftests/kselftest-list.txt" | while read -r name; do
		log=/tmp/$name
		[ ! -e "$log" ] || sed 's/^# //' "$log" >"$RESULTS/kselftest/$name"
	done
}

[ $# != 0 ] || kunit
kselftests "$@"
