# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # what is set is for the caller
#
# Which QEMU runs the guests. Sourced, after common.sh and debs.sh.
#
# A kernel patches its own code while another CPU runs it (static keys, the
# function tracer). With QEMU 7.2's TCG that CPU now and then goes on meeting a
# breakpoint that is gone, and the guest hangs, or dies: seen on a busy host, and
# not with 10.0. QEMU 8.1 changed the place ("accel/tcg: Always lock pages
# before translation"). Where the machine's is older, that of Debian's backports
# is unpacked into the cache, and runs with the libraries of the installed one.

# That has the plugins that profile-plugin.c is written for.
QEMU_PLUGINS=9.1

# use_qemu ARCH [MINIMUM] - sets QEMU_PROGRAM. With MINIMUM there is no going on with
# an older one.
use_qemu()
{
	local name=qemu-system-x86_64 package=qemu-system-x86 newer

	[ "$1" != arm64 ] || name=qemu-system-aarch64 package=qemu-system-arm
	need "$package:$name"
	QEMU_PROGRAM=$(command -v "$name")
	# KVM translates nothing; to count instructions takes TCG all the same.
	if qemu_is_new "${2:-8.1}" || { [ -z "${2-}" ] && can_kvm && [ -z "${ICOUNT-}" ]; }; then return; fi
	newer=$CACHE/qemu/$package
	if [ -e "$newer" ] || qemu_fetch "$package" "$newer"; then
		QEMU_PROGRAM=$newer/usr/bin/$name
	fi
	qemu_is_new "${2:-8.1}" && return
	[ -z "${2-}" ] ||
		die "this needs QEMU $2, and there is $(qemu_version): install a newer $package"
	say "no newer QEMU to be had, going on with $(qemu_version): see scripts/lib/qemu.sh"
}

qemu_version()
{
	"$QEMU_PROGRAM" --version | sed -n '1s/.* version \([0-9.]*\).*/\1/p'
}

# qemu_is_new MINIMUM
qemu_is_new()
{
	printf '%s\n' "$1" "$(qemu_version)" | sort -VC
}

# qemu_fetch PACKAGE DIR - false when there is none to be had
qemu_fetch()
{
	local rc=0

	lock qemu
	[ -e "$2" ] || (qemu_unpack "$1" "$2") || rc=1
	unlock qemu
	return $rc
}

# Its data is found beside it; without a network card it needs no more than this.
qemu_unpack()
{
	local codename

	# Another distribution's suites are not on Debian's mirrors.
	codename=$(. /etc/os-release && [ "${ID-}" = debian ] && printf '%s' "$VERSION_CODENAME") ||
		return
	rm -rf "$2.new"
	mkdir -p "$2.new"
	use_suite "$codename-backports" &&
		deb_fetch "$CACHE/debs/qemu" "$1" qemu-system-common qemu-system-data seabios &&
		deb_unpack "$CACHE/debs/qemu" "$2.new" &&
		"$2.new/usr/bin/${QEMU_PROGRAM##*/}" --version >/dev/null &&
		mv "$2.new" "$2"
}
