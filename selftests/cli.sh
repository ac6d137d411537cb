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
CLI=${MMAPDEMO_CLI:-$HERE/../scripts/mmapdemo}

# need REASON COMMAND... - ends the script where COMMAND fails
need()
{
	reason=$1
	shift
	"$@" && return
	ktap_print_header
	ktap_skip_all "$reason"
	exit "$KSFT_SKIP"
}

need "only root may open the device" [ "$(id -u)" = 0 ]
need "install the package python3" [ -x $PYTHON ]
need "MMAPDEMO_CLI does not name scripts/mmapdemo" [ -e "$CLI" ]
# -ESB: no more than it needs, as that is what takes the time.
$PYTHON -ESB "$HERE/cli.py" "$CLI" "${KSFT:-$HERE/..}/kselftest" "$TMP"
