#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The tests that run on the host, selftests/tools/*.sh: of make trace, the package and
# the like. Most boot guests of their own.
#
# Usage: test-tools.sh, with in the environment:
#   TOOLS='trace gdb'  these alone
# What they print goes to stdout, and prove's summary at the end.
# Exit status: 0 nothing failed, 1 something did, 2 there is no such test.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"

mapfile -t NAMES < <(basename -as .sh "$TOP"/selftests/tools/*.sh)
# shellcheck disable=SC2206 # a list of words
CHOSEN=(${TOOLS-})
known 'test of tools' "$(printf '%s\n' "${NAMES[@]}")" "${CHOSEN[@]}"
[ ${#CHOSEN[@]} != 0 ] || CHOSEN=("${NAMES[@]}")
need perl:prove
cd "$TOP"
CHOSEN=("${CHOSEN[@]/#/selftests/tools/}")
prove -v --timer "${CHOSEN[@]/%/.sh}" || exit 1
