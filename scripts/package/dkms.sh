#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The module in DKMS on this machine, at the user's own request: dkms builds it
# for the kernel that runs here, and again for each one that is installed later.
#
# Usage: dkms.sh install | remove
#   install  this tree's source, in place of what DKMS has of mmapdemo
#   remove   all that DKMS has of it, and the source in /usr/src
# Neither loads the module, nor unloads it. Root, or sudo, does the work; what
# dkms says of it goes to stdout.
# Exit status: 0, or 1 after the explanation.
set -euo pipefail
# shellcheck disable=SC2034 # for common.sh
ANY_CACHE=1
. "$(dirname "$0")/../lib/common.sh"

PATH=$PATH:/usr/sbin:/sbin
RELEASE=$(uname -r)

# versions - those that DKMS has, one on a line
versions()
{
	dkms status -m mmapdemo | sed -nE 's|^mmapdemo[/, ]+([^,: ]+).*|\1|p' | sort -u
}

# The package's files are dpkg's, and only it may take them away.
no_package()
{
	# shellcheck disable=SC2016 # dpkg-query fills that in
	[ "$(dpkg-query -W -f '${db:Status-Status}' mmapdemo-dkms 2>/dev/null)" != installed ] ||
		die "the package mmapdemo-dkms is installed, and has the module in DKMS already;" \
			"to have it from here, remove that first: sudo apt-get purge mmapdemo-dkms"
}

remove_versions()
{
	local version

	for version in $1; do
		as_root dkms remove "mmapdemo/$version" --all
		as_root rm -rf "/usr/src/mmapdemo-$version"
	done
}

# What a build or an editor left in the tree is none of DKMS's business.
copy_source()
{
	as_root rsync -r --delete --delete-excluded --chmod=D755,F644 --exclude=/doc \
		--exclude-from="$TOP/.gitignore" "$TOP/module/" "$1/"
}

explain_build()
{
	local log=/var/lib/dkms/mmapdemo/$1/build/make.log

	[ ! -e "$log" ] || tail -n 15 "$log" >&2
	die "dkms could not build and install it for Linux $RELEASE (above)" \
		"make dkms-remove takes it out of DKMS again"
}

# With Secure Boot, modprobe will say no more than "Key was rejected".
explain_secure_boot()
{
	[[ $(mokutil --sb-state 2>/dev/null) == *'SecureBoot enabled'* ]] || return 0
	say "Secure Boot is on: the machine has to know the key that dkms signs with," \
		"see module/doc/install.md"
}

install()
{
	local version build=/lib/modules/$RELEASE/build

	no_package
	[ -e "$build/Makefile" ] || "$TOP/scripts/package/load.sh" explain-headers "$build"
	need dkms:dkms rsync:rsync
	version=$(. "$TOP/module/dkms.conf" && echo "$PACKAGE_VERSION")
	remove_versions "$(versions)"
	copy_source "/usr/src/mmapdemo-$version"
	as_root dkms add "mmapdemo/$version"
	as_root dkms install "mmapdemo/$version" || explain_build "$version"
	explain_secure_boot
	say "DKMS has mmapdemo $version; sudo modprobe mmapdemo loads it"
}

remove()
{
	local versions

	no_package
	versions=$(command -v dkms >/dev/null && versions) || true
	[ "$versions" ] || die "DKMS has no mmapdemo"
	remove_versions "$versions"
	[ ! -e /sys/module/mmapdemo ] ||
		say "the module itself is still loaded; make unload takes it out"
}

case ${1-} in
install | remove) "$1" ;;
*) refuse "usage: dkms.sh install | remove" ;;
esac
