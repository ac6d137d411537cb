#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make deb, and what becomes of its package on a machine: lintian has nothing to
# say; dpkg installs it, upgrades it to a higher version, and purges it; its
# module, header, command, man pages and examples are of use in between.
#
# Usage: deb.sh, on the host; it boots 6.12
# In:  KERNELS  other ones
# Output: KTAP; a guest's results are indented.
. "$(dirname "$0")/tools.bash"

NEWER=$VERSION.1
EXAMPLES=/usr/share/doc/mmapdemo-dkms/examples
# udevadm asks no udevd whose root is not that of process 1, as in this guest.
export SYSTEMD_IGNORE_CHROOT=1

# --- On the host -----------------------------------------------------------

files_here()
{
	(cd "$TOP" && find . -path ./.git -prune -o -print | sort)
}

builds()
{
	local before

	before=$(files_here)
	DEB=$(make -s -C "$TOP" deb) && [ -f "$DEB" ] && [ "$before" = "$(files_here)" ] &&
		[ "$(dpkg-deb -f "$DEB" Package Version)" = "$(printf '%s\n' \
			'Package: mmapdemo-dkms' "Version: $VERSION")" ]
}

# The time of the last change stands in for that of the build.
builds_the_same()
{
	cp "$DEB" "$TMP/first.deb" && make -s -C "$TOP" deb >/dev/null && cmp "$TMP/first.deb" "$DEB"
}

# That it is one place shows in that the package of a tree in which nothing else
# was changed has the new version everywhere.
builds_newer()
{
	mkdir "$TMP/newer" &&
		rsync -a --exclude=/.git --exclude-from="$TOP/.gitignore" "$TOP/" "$TMP/newer/" &&
		sed -i "s/^\(#define MMAPDEMO_VERSION\).*/\1 \"$NEWER\"/" "$TMP/newer/module/device.h" &&
		mv "$("$TMP/newer/scripts/package/deb.sh")" "$TMP/newer.deb" &&
		[ "$(dpkg-deb -f "$TMP/newer.deb" Version)" = "$NEWER" ]
}

# Whatever their characters mean to sed or the shell. The package of before is left.
# shellcheck disable=SC2016 # it is a name
names_maintainer()
{
	local name='A & B | C/D \1 $HOME "E"' rc=0

	DEBFULLNAME=$name DEBEMAIL='a&b@c.example' make -s -C "$TOP" deb >/dev/null &&
		[ "$(dpkg-deb -f "$DEB" Maintainer)" = "$name <a&b@c.example>" ] || rc=1
	dpkg-deb -f "$DEB" Maintainer
	cp "$TMP/first.deb" "$DEB"
	return $rc
}

lintian_clean()
{
	lintian --allow-root --fail-on error,warning "$DEB"
}

# --- In the guest ----------------------------------------------------------

# dpkg_installs FILE VERSION - man-db's own database would take a minute.
dpkg_installs()
{
	rm -f /var/lib/man-db/auto-update
	DEBIAN_FRONTEND=noninteractive dpkg -i "$1" && installed "$2" &&
		[ "$(ls -d /usr/src/mmapdemo-*)" = "/usr/src/mmapdemo-$2" ]
}

header_compiles()
{
	echo '#include <mmapdemo.h>
		int main(void) { return MMAPDEMO_IOC_INFO == MMAPDEMO_IOC_RESIZE; }' |
		gcc -Wall -Werror -fsyntax-only -x c -
}

man_pages()
{
	man -w 4 mmapdemo && man -w 1 mmapdemo && man 1 mmapdemo | grep 'mmapdemo(4)'
}

# The command says the version of the module that is loaded.
command_works()
{
	modprobe mmapdemo &&
		[ "$(mmapdemo --version)" = "mmapdemo $VERSION" ] &&
		mmapdemo info && rmmod mmapdemo &&
		fails_saying /dev/mmapdemo mmapdemo info
}

completion_works()
{
	bash -c '. /usr/share/bash-completion/completions/mmapdemo && complete -p mmapdemo'
}

# As it says at its top: it changes nothing, until a value in it is changed.
modprobe_example()
{
	local parameters=/sys/module/mmapdemo/parameters before after

	modprobe mmapdemo && before=$(grep -r . $parameters | sort) && rmmod mmapdemo &&
		cp $EXAMPLES/modprobe.conf /etc/modprobe.d/mmapdemo.conf && modprobe mmapdemo &&
		after=$(grep -r . $parameters | sort) && rmmod mmapdemo && [ "$before" = "$after" ] &&
		sed -i 's/ size=64M/ size=32M/' /etc/modprobe.d/mmapdemo.conf && modprobe mmapdemo &&
		[ "$(cat $parameters/size)" = $((32 << 20)) ] && rmmod mmapdemo &&
		rm /etc/modprobe.d/mmapdemo.conf
}

# node_is MODE GROUP - of a module that is loaded now, when udev is done with it
node_is()
{
	modprobe mmapdemo && udevadm settle && stat -c '%a %U %G' /dev/mmapdemo &&
		[ "$(stat -c '%a %U %G' /dev/mmapdemo)" = "$1 root $2" ]
}

opens_as()
{
	setpriv --reuid=nobody --regid=nogroup --groups "$1" head -c 1 /dev/mmapdemo >/dev/null
}

without_rule()
{
	/lib/systemd/systemd-udevd --daemon && node_is 600 root && rmmod mmapdemo
}

udev_rule()
{
	groupadd --system mmapdemo && cp $EXAMPLES/60-mmapdemo.rules /etc/udev/rules.d/ &&
		udevadm control --reload && node_is 660 mmapdemo && opens_as mmapdemo &&
		! opens_as users && rmmod mmapdemo && rm /etc/udev/rules.d/60-mmapdemo.rules
}

make_keeps_off()
{
	fails_saying 'mmapdemo-dkms is installed' make -C "$TOP" dkms-install &&
		fails_saying 'mmapdemo-dkms is installed' make -C "$TOP" dkms-remove &&
		installed "$VERSION"
}

purges()
{
	DEBIAN_FRONTEND=noninteractive dpkg -P mmapdemo-dkms && nothing_left &&
		! find /etc /usr/bin /usr/include /usr/share /var/lib -name '*mmapdemo*' | grep .
}

# in_guest PACKAGE NEWER_PACKAGE
in_guest()
{
	plan 13
	few_modules
	link_headers
	check "dpkg installs it, and dkms builds the module" dpkg_installs "$1" "$VERSION"
	check "modprobe loads it, and the device works" modprobe_works "$VERSION"
	check "a program finds the header" header_compiles
	check "man finds both pages" man_pages
	check "the command works" command_works
	check "bash completes it" completion_works
	check "the example for modprobe.d" modprobe_example
	check "the node is root's alone" without_rule
	check "the udev rule lets its group in, and nobody else" udev_rule
	check "make dkms-install and dkms-remove leave it to dpkg" make_keeps_off
	check "dpkg upgrades it" dpkg_installs "$2" "$NEWER"
	check "modprobe loads the higher version" modprobe_works "$NEWER"
	check "dpkg purges it, and nothing is left" purges
	ktap_finished
}

if [ "${1-}" = guest ]; then
	in_guest "$2" "$3"
	exit
fi
need dkms:dkms lintian:lintian udev:/lib/systemd/systemd-udevd gcc:gcc man-db:man kmod:modinfo
KERNELS=${KERNELS:-6.12}
start $((5 + $(wc -w <<<"$KERNELS")))
check "make deb makes the package, and leaves nothing in the tree" builds
check "two builds of it are the same" builds_the_same
check "DEBFULLNAME and DEBEMAIL are taken as they are" names_maintainer
check "a tree with a higher version makes a higher package" builds_newer
check "lintian has no error and no warning" lintian_clean
for kernel in $KERNELS; do
	check_guest "the package on Linux $kernel" "$kernel" "$DEB" "$TMP/newer.deb"
done
rm -rf "$(build_root "$TMP/newer")"
ktap_finished
