#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds the module for every kernel whose headers this machine's apt offers,
# from 6.1 on: what a user has who runs any of them. No kernel is fetched, and
# nothing is booted.
#
# Usage: headers.sh
# A line on stdout for each package; then the warnings and errors that the
# builds gave. The last line is "headers: N packages, N with a warning or an
# error". The headers are kept below the cache, in headers/.
# Exit status: 0 no build said anything, 1 one did, or failed.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"
. "$(dirname "$0")/../lib/debs.sh"

PACKAGES_RE='linux-headers-([7-9]|6\.[1-9])[^ ]*-(amd64|686-pae)'

# prepare PACKAGE - its headers, ready to build with
prepare()
{
	local release=${1#linux-headers-} dir=$CACHE/headers/$1 packages

	[ ! -e "$dir/ready" ] || ! headers_complete "$dir" || return 0
	rm -f "$dir/ready"
	mapfile -t packages < <(deb_depends "$1" 'linux-(headers|kbuild)-.*')
	deb_fetch "$dir/debs" "$1" "${packages[@]}"
	deb_unpack "$dir/debs" "$dir"
	rm -r "$dir/debs"
	headers_link "$dir" "$release"
	headers_complete "$dir" || die "apt lists too few dependencies of $1: ${packages[*]}"
	touch "$dir/ready"
}

compile()
{
	local dir=$CACHE/headers/$1 compiler

	compiler=$(grep -oE 'gcc-[0-9]+$' "$dir/build/.kernelvariables" 2>/dev/null) || true
	need "${compiler:-gcc}:${compiler:-gcc}"
	rm -rf "$dir/tree"
	mkdir "$dir/tree"
	cp -r "$TOP/Kbuild" "$TOP/module" "$TOP/kunit" "$dir/tree/"
	# BTF would need the package's vmlinux, which headers_link() drops.
	make -s -C "$dir/build" M="$dir/tree" W=1 CONFIG_DEBUG_INFO_BTF_MODULES= modules \
		>"$dir/log" 2>&1
}

need "${MODULE_BUILD[@]}"
[ "$(ls /var/lib/apt/lists/*Packages* 2>/dev/null)" ] || apt_update
lock headers
# Meta packages, which follow the newest kernel, have no minor version.
mapfile -t PACKAGES < <(apt-cache pkgnames linux-headers- | grep -xE "$PACKAGES_RE" |
	grep -E '[0-9]+\.[0-9]+\.[0-9]+' | sort -V)
[ ${#PACKAGES[@]} != 0 ] || die "this machine's apt offers no headers of 6.1 or later"
COUNT=0 BAD=0
for package in "${PACKAGES[@]}"; do
	COUNT=$((COUNT + 1))
	say "$package ($COUNT of ${#PACKAGES[@]})"
	prepare "$package"
	rc=0
	compile "$package" || rc=$?
	if [ $rc = 0 ] && ! [ -s "$CACHE/headers/$package/log" ]; then
		printf '%-45s no warning\n' "$package"
	else
		BAD=$((BAD + 1))
		printf '%-45s make ended with %d:\n' "$package" $rc
		sed 's/^/    /' "$CACHE/headers/$package/log"
	fi
done
printf 'headers: %d packages, %d with a warning or an error\n' $COUNT $BAD
[ $BAD = 0 ]
