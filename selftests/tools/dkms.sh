#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make dkms-install and dkms-remove, with Debian's dkms and Debian's kernels: the
# module is built, found by modprobe, works, comes back with a new kernel, and
# goes without a trace; what is missing is named.
#
# Usage: dkms.sh, on the host; it boots 6.1 and 6.12
# In:  KERNELS  other ones
# Output: KTAP; a guest's results are indented.
. "$(dirname "$0")/tools.bash"

make_it()
{
	make --no-print-directory -C "$TOP" "$@"
}

without_headers()
{
	fails_saying "linux-headers-$RELEASE" make_it dkms-install && nothing_left
}

# A directory is there, and no build directory.
with_wrong_headers()
{
	mkdir "$TMP/headers" && ln -sfn "$TMP/headers" "$MODULES/build" &&
		without_headers
}

# As on a distribution that is none of Debian's relatives.
without_dkms()
{
	local rc=0

	link_headers
	mkdir "$TMP/hidden"
	mv /usr/sbin/dkms /usr/bin/apt-get "$TMP/hidden/"
	fails_saying '^mmapdemo:   dkms$' make_it dkms-install || rc=$?
	mv "$TMP/hidden/dkms" /usr/sbin/
	mv "$TMP/hidden/apt-get" /usr/bin/
	return $rc
}

# It is DKMS that fails, and the reason is in a log of its.
with_broken_headers()
{
	mkdir -p "$TMP/broken/include"
	printf 'modules clean:\n\t@echo the headers are broken; false\n' >"$TMP/broken/Makefile"
	ln -sfn "$TMP/broken" "$MODULES/build"
	fails_saying 'the headers are broken' make_it dkms-install &&
		grep -q 'make dkms-remove' "$TMP/said" && make_it dkms-remove && nothing_left
}

# Without make, as is the custom with other modules.
takes_a_tree()
{
	dkms add "$TOP/module" && [ "$(dkms status -m mmapdemo)" = "mmapdemo/$VERSION: added" ] &&
		make_it dkms-remove && nothing_left
}

install()
{
	link_headers
	make_it dkms-install && installed "$VERSION"
}

# What Secure Boot needs; module/doc/install.md names key and certificate.
signed()
{
	[ "$(modinfo -F signer mmapdemo)" = 'DKMS module signing key' ] &&
		openssl x509 -inform DER -in /var/lib/dkms/mok.pub -noout
}

# The package of a kernel calls this when it is installed; here it is the same
# kernel, for which DKMS has nothing any more.
comes_with_a_kernel()
{
	dkms unbuild "mmapdemo/$VERSION" -k "$RELEASE" && ! modprobe -n mmapdemo &&
		/etc/kernel/postinst.d/dkms "$RELEASE" && installed "$VERSION"
}

remove()
{
	make_it dkms-remove && nothing_left
}

in_guest()
{
	plan 11
	few_modules
	check "without headers, their package is named" without_headers
	check "so it is when another directory is in their place" with_wrong_headers
	check "without dkms, its package is named" without_dkms
	check "when the build fails, its log is shown, and dkms-remove cleans up" with_broken_headers
	check "dkms adds the tree itself" takes_a_tree
	check "dkms-install, and dkms status says installed" install
	check "modprobe loads it, and the device works" modprobe_works "$VERSION"
	check "dkms has signed it" signed
	check "autoinstall builds it for a new kernel" comes_with_a_kernel
	check "dkms-remove leaves nothing" remove
	check "and a second one says so" fails_saying 'DKMS has no mmapdemo' make_it dkms-remove
	ktap_finished
}

if [ "${1-}" = guest ]; then
	in_guest
	exit
fi
need dkms:dkms make:make rsync:rsync openssl:openssl kmod:modinfo
KERNELS=${KERNELS:-6.1 6.12}
start "$(wc -w <<<"$KERNELS")"
for kernel in $KERNELS; do
	check_guest "dkms on Linux $kernel" "$kernel"
done
ktap_finished
