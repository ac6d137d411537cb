#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The first commands on a machine that has Debian 13's minimal base, git and make, and
# nothing else: they install what they need, and work; and 7.3 is Debian's prebuilt
# one there. Runs on the host, as root. The base is kept below the cache, in debian13;
# each run begins with a copy of it, and an empty cache in there.
#
# Output: KTAP.
. "$(dirname "$0")/tools.bash"
. "$TOP/scripts/lib/debs.sh"

BASE=$CACHE/debian13/base
ROOT=$CACHE/debian13/root

# get_base - apt is to go into the network in the way that it does here
get_base()
{
	rm -rf "$BASE.new"
	debootstrap --variant=minbase --include=git,make,ca-certificates --keyring="$KEYRING" \
		trixie "$BASE.new" "$MIRROR" >"$CACHE/logs/debian13.log" 2>&1 ||
		{ tail -n 5 "$CACHE/logs/debian13.log"; return 1; }
	printf 'deb %s trixie main\n' "$MIRROR" >"$BASE.new/etc/apt/sources.list"
	apt-config dump | grep '^Acquire::' >"$BASE.new/etc/apt/apt.conf"
	mv "$BASE.new" "$BASE"
}

fresh_machine()
{
	[ -e "$BASE" ] || get_base || return
	rm -rf "$ROOT"
	cp -a "$BASE" "$ROOT" && cp -L /etc/resolv.conf /etc/hosts "$ROOT/etc/" &&
		copy_tree "$ROOT/home/mmapdemo"
}

# there COMMAND... - in the tree, on that machine. With the namespaces go the mounts,
# and whatever still runs.
there()
{
	# shellcheck disable=SC2016 # for that shell
	unshare --mount --pid --fork --kill-child bash -c '
		mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
		exec chroot "$0" env -i -C /home/mmapdemo HOME=/root TERM=dumb LANG=C.UTF-8 \
			PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			${http_proxy:+"http_proxy=$http_proxy"} "$@"' "$ROOT" "$@" </dev/null
}

vm_runs()
{
	there make -s vm CMD='echo guest runs' | tee "$TMP/said" && grep -qx 'guest runs' "$TMP/said"
}

prebuilt()
{
	there make -s kernel KERNEL=7.3 | tee "$TMP/said" &&
		grep -q '/kernels/7\.3/7\.3\.[0-9]*+deb13-amd64$' "$TMP/said" &&
		[ ! -e "$ROOT/root/.cache/mmapdemo/source" ]
}

boots_prebuilt()
{
	there make -s vm KERNEL=7.3 CMD='uname -r; cat /sys/module/mmapdemo/version' | tee "$TMP/said" &&
		grep -q '^7\.3\..*-amd64$' "$TMP/said" && grep -qx "$VERSION" "$TMP/said"
}

[ "$(id -u)" = 0 ] || skip_all "only root can make a root file system for Debian 13"
[ "$(uname -m)" = x86_64 ] || skip_all "its kernels are those of x86-64"
MIRROR=$(mirror_of trixie 2>&1) || skip_all "$MIRROR"
need debootstrap:debootstrap util-linux:unshare
KEYRING=$(keyring 2>&1) || skip_all "$KEYRING"
mkdir -p "$CACHE/debian13"
lock debian13
start 6
check "a minimal Debian 13" fresh_machine
check "make demo" there make demo
check "make vm" vm_runs
check "its 7.3 is the prebuilt one" prebuilt
check "no compiler's warning from the module for it" there env STRICT=1 scripts/kernels/build.sh 7.3 module
check "it boots, with the module" boots_prebuilt
rm -rf "$ROOT"
ktap_finished
