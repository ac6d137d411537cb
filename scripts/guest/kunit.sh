#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The KUnit suites of one guest, after mmapdemo was loaded: loads their module,
# and keeps what KUnit said meanwhile as /run/mmapdemo/results/kunit/mmapdemo_kunit.
# That is of the kernel's log: debugfs has it as well, but 6.1's keeps 512 bytes
# of a case.
#
# Usage: kunit.sh BUILD_DIRECTORY
# Exit status: 0 the suites ran, and may have failed; 1 else.
set -euo pipefail
SUITES=$1/tree/kunit/mmapdemo_kunit.ko
RESULTS=/run/mmapdemo/results/kunit
MARK='mmapdemo: the KUnit suites come now'

mkdir -p $RESULTS
echo "# kunit: mmapdemo_kunit.ko"
echo "$MARK" >/dev/kmsg
# The suites run while the module is being loaded.
insmod "$SUITES"
dmesg -t | sed "1,/^$MARK/d" >/tmp/kunit
# 6.1 gives the suites of a module no plan.
grep -q '^KTAP version' /tmp/kunit ||
	printf 'KTAP version 1\n1..%d\n' "$(grep -cE '^(not )?ok ' /tmp/kunit)" >$RESULTS/mmapdemo_kunit
cat /tmp/kunit >>$RESULTS/mmapdemo_kunit
rmmod mmapdemo_kunit
