#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs all tests, and says which branches of mmap they have proven: branches.py
# has the details.
#
# Usage: branches.sh, with in the environment:
#   KERNELS='6.12-debug 6.12 6.1 7.3'  on which kernels
#   REUSE=1       take the results that the last run on each of them has left
# The last line on stdout is "branches: N of M proven on 6.12".
# Exit status: 0, or 1: a test failed, or an entry has neither test nor reason; 2 there
# is no such kernel or test.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"

export KERNELS=${KERNELS:-6.12-debug 6.12 6.1 7.3}
RC=0

known_tests
[ "${REUSE-}" ] || "$TOP/scripts/run/test.sh" || RC=1
# shellcheck disable=SC2086 # KERNELS is a list of words
python3 "$TOP/scripts/run/branches.py" "$(kselftest_source)" "$CACHE/results" \
	"$CACHE/results/branches.md" $KERNELS || RC=1
exit $RC
