# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# What the selftests in shell share. Sourced, after `plan` comes the tests.
#
# In:  MMAPDEMO_KO  the module's file, for tests that load it anew
#      KSFT         kselftest's directory, where it is not beside ours

# shellcheck source=/dev/null
. "${KSFT:-$(dirname "$0")/..}/kselftest/ktap_helpers.sh"

# They read what programs say.
export LC_ALL=C
unset CDPATH GREP_OPTIONS POSIXLY_CORRECT
[ -w "${TMPDIR:-/tmp}" ] || unset TMPDIR

# shellcheck disable=SC2034 # for the scripts
DEVICE=/dev/mmapdemo
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT

# skip_all REASON - ends the script, of which nothing has run
skip_all()
{
	ktap_print_header
	ktap_skip_all "$1"
	exit "$KSFT_SKIP"
}

# plan N - ends the script here when it cannot run at all
plan()
{
	[ "$(id -u)" = 0 ] || skip_all "only root may open the device"
	ktap_print_header
	ktap_set_plan "$1"
}

# skip DESCRIPTION REASON - kselftest's own ktap_test_skip has no room for that
skip()
{
	__ktap_test ok "$1" "SKIP $2"
	KTAP_CNT_SKIP=$((KTAP_CNT_SKIP + 1))
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
		skip "$1" "install the package $package"
	fi
}

loaded()
{
	grep -q '^mmapdemo ' /proc/modules
}

# module_parameters - those that the loaded module has, as insmod takes them; 0: it
# was not given
module_parameters()
{
	(cd /sys/module/mmapdemo/parameters && grep -Hvx 0 -- * | tr : =)
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
	[ -e "${MMAPDEMO_KO-}" ] || skip_all "MMAPDEMO_KO does not name the module's file"
}
