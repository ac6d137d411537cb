#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes a root file system for guests of another architecture, in the cache:
# the programs that the tests and the guest's scripts need, as Debian has them,
# unpacked and not configured, which would take a machine to run them.
#
# Usage: root.sh ARCH        arm64 or i386; it goes to root/ARCH
# Exit status: 0, or 1 with the end of mmdebstrap's log on stderr.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"
. "$(dirname "$0")/../lib/debs.sh"

PACKAGES=base-passwd,bash,busybox-static,coreutils,dash,diffutils,findutils,fio,gawk
PACKAGES+=,grep,kmod,libc-bin,mount,perl-base,procps,python3,sed,util-linux

progress()
{
	du -sm "$ROOT.new" 2>/dev/null | awk '{ print $1 " of about 300 MB" }'
}

# The same release as this machine's, or its C library may be newer; of another
# distribution's the nearest.
make_root()
{
	local suite mirror

	suite=$(. /etc/os-release && [ "${ID-}" = debian ] && echo "$VERSION_CODENAME") ||
		suite=$(runs_debian13 && echo trixie || echo bookworm)
	mirror=$(mirror_of "$suite")
	as_root rm -rf "$ROOT" "$ROOT.new"
	# shellcheck disable=SC2016 # mmdebstrap gives its hooks the directory as $1
	with_progress "unpacking Debian's programs for $1" "$CACHE/logs/root-$1.log" progress \
		as_root mmdebstrap --variant=extract --architectures="$1" --include=$PACKAGES \
		--extract-hook='cp $1/usr/share/base-passwd/passwd.master $1/etc/passwd' \
		--extract-hook='cp $1/usr/share/base-passwd/group.master $1/etc/group' \
		--extract-hook='ln -sf gawk $1/usr/bin/awk' \
		--extract-hook='mkdir -p $1/root' \
		"$suite" "$ROOT.new" "$mirror"
	as_root mv "$ROOT.new" "$ROOT"
}

[ $# = 1 ] || refuse "usage: root.sh ARCH"
known architecture $'arm64\ni386' "$1"
ROOT=$CACHE/root/$1
mkdir -p "$CACHE/root"
lock "root-$1"
[ -e "$ROOT" ] || {
	need mmdebstrap:mmdebstrap
	make_root "$1"
}
