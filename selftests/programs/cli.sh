#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# scripts/mmapdemo says what is so, does what it is told, and refuses what makes
# no sense, changing nothing. The tests are in cli.py.
#
# In:  MMAPDEMO_CLI  the script; default: the one of this tree
# Output: KTAP. Leaves the device empty, with the size that it was loaded with.
HERE=$(dirname "$0")
. "$HERE/lib.sh"

PYTHON=/usr/bin/python3
CLI=${MMAPDEMO_CLI:-$HERE/../../scripts/mmapdemo}

[ "$(id -u)" = 0 ] || skip_all "only root may open the device"
[ -x $PYTHON ] || skip_all "install the package python3"
[ -e "$CLI" ] || skip_all "MMAPDEMO_CLI does not name scripts/mmapdemo"
# -ESB: no more than it needs, as that is what takes the time.
$PYTHON -ESB "$HERE/cli.py" "$CLI" "${KSFT:-$HERE/..}/kselftest" "$TMP"
