#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The module in the kernel that runs here, at the user's own request; says in
# plain words what to do when the kernel or the machine refuses.
#
# Usage: load.sh load | unload | explain-headers KDIR
# In:  PARAMS='...'  module parameters
# Exit status: 0, or 1 after the explanation.
set -euo pipefail
# shellcheck disable=SC2034 # for common.sh
ANY_CACHE=1
. "$(dirname "$0")/../lib/common.sh"

MODULE=$TOP/module/mmapdemo.ko
DEVICE=/dev/mmapdemo

loaded()
{
	grep -q '^mmapdemo ' /proc/modules
}

explain_headers()
{
	local release

	release=$(uname -r)
	if [ "$1" != "/lib/modules/$release/build" ]; then
		die "$1 has no Makefile: it is no kernel build directory"
	fi
	die "the headers of the running kernel ($release) are missing. Install them:" \
		"  Debian, Ubuntu   sudo apt-get install linux-headers-$release" \
		"  Fedora           sudo dnf install kernel-devel-$release" \
		"  Arch             sudo pacman -S linux-headers" \
		"or name another build directory: make KDIR=..." \
		"(\`make demo\` and \`make vm\` need none of this)"
}

explain_load()
{
	case $1 in
	*'Key was rejected'* | *'Required key not available'* | *'Operation not permitted'*)
		die "the kernel takes only signed modules (Secure Boot, or lockdown): $1" \
			"sign it with a key that the machine knows (on Debian: mokutil --import)," \
			"or try the device in a guest: make vm"
		;;
	*'Invalid module format'*)
		die "it was built for another kernel than the one that runs: $1" \
			"make clean, then make load"
		;;
	esac
	# The module's own line says what is allowed; the kernel adds another.
	as_root dmesg 2>/dev/null | grep 'mmapdemo: ' | grep -v 'invalid for parameter' |
		tail -n 1 >&2 || true
	die "insmod failed: $1"
}

load()
{
	local message

	loaded && die "mmapdemo is loaded already; make unload takes it out"
	# shellcheck disable=SC2086 # PARAMS is a list of words
	message=$(as_root insmod "$MODULE" ${PARAMS-} 2>&1) || explain_load "$message"
	[ -c $DEVICE ] || die "loaded, but $DEVICE did not appear: is devtmpfs mounted on /dev?"
	say "loaded: $(ls -l $DEVICE)"
	say "only root may open it; make unload takes it out"
}

# users - processes that have the device open or mapped
users()
{
	# shellcheck disable=SC2016 # the inner shell's
	as_root sh -c 'for p in /proc/[0-9]*; do
		{ ls -l "$p/fd"; cat "$p/maps"; } 2>/dev/null | grep -q "$0" &&
			printf "  %s %.60s\n" "${p#/proc/}" "$(tr "\000\n" "  " <"$p/cmdline")"
	done; true' $DEVICE
}

unload()
{
	local message

	loaded || die "mmapdemo is not loaded"
	if ! message=$(as_root rmmod mmapdemo 2>&1); then
		die "$message" "these processes have $DEVICE open or mapped:" "$(users)"
	fi
	say "unloaded"
}

case ${1-} in
load | unload) "$1" ;;
explain-headers) explain_headers "$2" ;;
*) refuse "usage: load.sh load | unload | explain-headers KDIR" ;;
esac
