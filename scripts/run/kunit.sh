#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The KUnit suites alone, as a module: builds it with mmapdemo.ko, loads both in
# a guest, and has kunit.py report what KUnit said there.
#
# Usage: kunit.sh, with in the environment:
#   KERNELS='6.1-kunit 6.12-debug 7.3-kunit'  on which kernels
#   TIMEOUT=600                         seconds that each guest may take
# kunit.py's report of each kernel goes to stdout.
# Exit status: 0 all passed, 1 something did not, or a kernel reported something;
# 2 there is no such kernel, or it has no KUnit.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"

KERNELS=${KERNELS:-6.1-kunit 6.12-debug 7.3-kunit}
export TIMEOUT=${TIMEOUT:-600} CHECK_LEAKS=1 CALLER=$TOP

kunit_kernel()
{
	local name=$1 results=$CACHE/results/kunit-$1 ktap ksrc out rc=0

	ksrc=$(kselftest_source)
	say "$name: building module and suites"
	out=$(STRICT=1 "$TOP/scripts/kernels/build.sh" "$name" module)
	[ -e "$out/tree/kunit/mmapdemo_kunit.ko" ] || die "kernel $name has no KUnit"
	rm -rf "$results"
	KERNEL=$name PARAMS='' RW='' RUN=$results \
		CMD="$(printf %q "$TOP/scripts/guest/kunit.sh") $out" \
		"$TOP/scripts/guest/vm.sh" </dev/null >&2 || rc=$?
	ktap=$results/results/kunit/mmapdemo_kunit
	[ -e "$ktap" ] || die "$name: no suite has results; the guest's files: $results"
	say "$name: kunit.py parses $ktap"
	"$ksrc/tools/testing/kunit/kunit.py" parse "$ktap" || rc=1
	return $rc
}

# shellcheck disable=SC2086 # KERNELS is a list of words
known_built_kernels $KERNELS
need_numbers TIMEOUT
need python3:/usr/bin/python3
# shellcheck disable=SC2086
each_kernel kunit_kernel $KERNELS
