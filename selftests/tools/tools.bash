# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests share that run on the host, most because they boot guests
# themselves. Sourced. Some are their guest's command, too: with "guest" before its
# arguments such a test is in there, and its results are the subtests of one of the
# host's.
#
# In:   KSFT  kselftest's directory; the host tells the guest
# Sets: VERSION, the module's, and in the guest RELEASE and MODULES

set -o pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"
export KSFT=${KSFT:-$(kselftest_source)/tools/testing/selftests}
. "$TOP/selftests/programs/lib.sh"

# shellcheck disable=SC2034 # for the tests
VERSION=$(. "$TOP/module/dkms.conf" && echo "$PACKAGE_VERSION")
RELEASE=$(uname -r)
MODULES=/lib/modules/$RELEASE

# start N - on the host, where the user need not be root
start()
{
	ktap_print_header
	ktap_set_plan "$1"
}

# check_guest DESCRIPTION KERNEL [ARGUMENT...] - boots KERNEL without the module,
# for this test with these arguments
check_guest()
{
	local description=$1 kernel=$2 self

	shift 2
	self=$(readlink -f "$0")
	if KERNEL=$kernel MODULE=none TIMEOUT=${TIMEOUT:-1800} CMD="KSFT=$KSFT $(printf %q "$self") guest $*" \
		"$TOP/scripts/guest/vm.sh" </dev/null 2>"$TMP/words" | sed -u 's/^/    /'; then
		ktap_test_pass "$description"
	else
		sed 's/^/# /' "$TMP/words"
		ktap_test_fail "$description"
	fi
}

# --- In the guest ----------------------------------------------------------

# The headers are in the cache, and nothing in the guest has installed them.
link_headers()
{
	ln -sfn "$KERNEL_DIR/build" "$MODULES/build"
}

# depmod reads each module that there is, and most are compressed: minutes, on an
# emulated CPU, each time that DKMS calls it. Some are left for it.
few_modules()
{
	mkdir -p "$TMP/kernel/net" && cp -r "$MODULES/kernel/net/9p" "$TMP/kernel/net/" &&
		mount --bind "$TMP/kernel" "$MODULES/kernel" && depmod
}

# fails_saying PATTERN COMMAND...
fails_saying()
{
	local pattern=$1

	shift
	if "$@" >"$TMP/said" 2>&1 </dev/null; then
		echo "it did not fail"
		return 1
	fi
	cat "$TMP/said"
	grep -q -- "$pattern" "$TMP/said"
}

in_use()
{
	printf 'a page of it' | dd of=/dev/mmapdemo bs=1 seek=8192 status=none &&
		[ "$(dd if=/dev/mmapdemo bs=1 skip=8192 count=12 status=none)" = 'a page of it' ]
}

# The module that modprobe finds is ours, and works.
modprobe_works()
{
	modprobe mmapdemo && [ "$(cat /sys/module/mmapdemo/version)" = "$1" ] && in_use &&
		rmmod mmapdemo
}

# installed VERSION - by DKMS, that version and no other
installed()
{
	[ "$(dkms status -m mmapdemo)" = "mmapdemo/$1, $RELEASE, $(uname -m): installed" ]
}

# nothing_left - of the module, in the places that DKMS uses
nothing_left()
{
	! find /usr/src /var/lib/dkms "$MODULES" -name 'mmapdemo*' | grep . &&
		[ -z "$(dkms status -m mmapdemo)" ] &&
		! modprobe -n mmapdemo
}
