# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# What the selftests in shell share. Sourced, after `plan` comes the tests.
#
# In:  MMAPDEMO_KO  the module's file, for tests that load it anew
#      KSFT         kselftest's directory, where it is not beside ours

# shellcheck source=/dev/null
. "${KSFT:-$(dirname "$0")/..}/kselftest/ktap_helpers.sh"

# shellcheck disable=SC2034 # for the scripts
DEVICE=/dev/mmapdemo
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT

# plan N - ends the script here when it cannot run at all
plan()
{
	ktap_print_header
	if [ "$(id -u)" != 0 ]; then
		ktap_skip_all "only root may open the device"
		exit "$KSFT_SKIP"
	fi
	ktap_set_plan "$1"
}

# check DESCRIPTION COMMAND... - what it prints becomes diagnostics
check()
{
	description=$1
	shift
	if "$@" >"$TMP/output" 2>&1; then
		ktap_test_pass "$description"
	else
		sed 's/^/# /' "$TMP/output"
		ktap_test_fail "$description"
	fi
}

# check_with PACKAGE PROGRAM DESCRIPTION COMMAND... - skips without PROGRAM
check_with()
{
	package=$1 program=$2
	shift 2
	if command -v "$program" >/dev/null; then
		check "$@"
	else
		__ktap_test ok "$1" "SKIP install the package $package"
		KTAP_CNT_SKIP=$((KTAP_CNT_SKIP + 1))
	fi
}

loaded()
{
	grep -q '^mmapdemo ' /proc/modules
}

# Leaves a line in the kernel log, for module_lines to start after.
log_mark()
{
	MARK="mmapdemo selftest $$, test $KTAP_TESTNO"
	echo "$MARK" >/dev/kmsg
}

# What the module itself has logged since log_mark; that a parameter was
# refused the kernel says as well, with a line of its own.
module_lines()
{
	dmesg | awk -v mark="$MARK" '
		index($0, mark) { found = 1; next }
		found && sub(/.*mmapdemo: /, "mmapdemo: ") && !/invalid for parameter/'
}

# need_module_file - ends the script when it cannot load the module anew
need_module_file()
{
	[ -e "${MMAPDEMO_KO-}" ] && return
	ktap_print_header
	ktap_skip_all "MMAPDEMO_KO does not name the module's file"
	exit "$KSFT_SKIP"
}
