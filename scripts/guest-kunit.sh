#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The KUnit suites of one guest, after mmapdemo was loaded: loads their module,
# and keeps what KUnit's debugfs says of each suite as
# /run/mmapdemo/results/kunit/SUITE.
#
# Usage: guest-kunit.sh BUILD_DIRECTORY
# Exit status: 0 each suite has its results, which may be failures; 1 else.
set -euo pipefail
SUITES=$1/tree/kunit/mmapdemo_kunit.ko
RESULTS=/run/mmapdemo/results/kunit

mkdir -p $RESULTS
echo "# kunit: mmapdemo_kunit.ko"
# The suites run while the module is being loaded.
insmod "$SUITES"
for suite in /sys/kernel/debug/kunit/mmapdemo*/; do
	cat "$suite/results" >"$RESULTS/$(basename "$suite")"
done
rmmod mmapdemo_kunit
