#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A kernel that takes signed modules only refuses ours as it is built, and one
# that is signed with a key that it does not know; signed with a key that the
# firmware knows it loads and works. First a kernel that is told so on its
# command line, then Secure Boot: QEMU with a firmware, OVMF, that has it on, and
# that has in its db the key which Debian's package ovmf brings for such tests. (It
# takes the kernel itself from QEMU, signed by that key or not; the kernel is told
# all the same.) The steps are those of module/doc/install.md.
#
# Usage: signing.sh, on the host; it boots 6.12 and 6.1
# In:  KERNELS  other ones
# Output: KTAP; a guest's results are indented.
. "$(dirname "$0")/tools.bash"

OVMF=/usr/share/OVMF
SNAKEOIL=/usr/share/ovmf/PkKek-1-snakeoil

# --- On the host -----------------------------------------------------------

# The keys, and a copy of the firmware's variables for each guest to write to.
prepare()
{
	cp $OVMF/OVMF_VARS_4M.snakeoil.fd "$TMP/vars" &&
		openssl rsa -in $SNAKEOIL.key -passin pass:snakeoil -out "$TMP/known.key" &&
		openssl x509 -in $SNAKEOIL.pem -outform DER -out "$TMP/known.pub" &&
		openssl req -new -x509 -nodes -days 2 -subj '/CN=nobody knows it' -newkey rsa:2048 \
			-keyout "$TMP/unknown.key" -outform DER -out "$TMP/unknown.pub"
}

# check_signing DESCRIPTION KERNEL PART - that part of this test in a guest
check_signing()
{
	local dir

	dir=$("$TOP/scripts/kernels/build.sh" "$2" module)/tree/module
	check_guest "$1" "$2" "$3" "$dir/mmapdemo.ko" "$TMP"
}

# --- In the guest: KEYS, and the module as it was built --------------------

# sign_with KEY - makes $TMP/KEY.ko
sign_with()
{
	cp "$MODULE" "$TMP/$1.ko" &&
		"$MODULES/build/scripts/sign-file" sha256 "$KEYS/$1.key" "$KEYS/$1.pub" "$TMP/$1.ko" &&
		modinfo -F signer "$TMP/$1.ko"
}

refused()
{
	dmesg -C
	fails_saying 'Key was rejected by service' insmod "$1" &&
		dmesg | grep "Loading of $2 is rejected" && [ ! -e /dev/mmapdemo ]
}

unsigned_refused()
{
	refused "$MODULE" 'unsigned module'
}

unknown_refused()
{
	sign_with unknown && refused "$TMP/unknown.ko" 'module with unavailable key'
}

# Debian's kernel has the key from the firmware's db, in its platform keyring. Of
# a module whose signature it knows it notes no taint E (unsigned).
known_taken()
{
	sign_with known && insmod "$TMP/known.ko" && in_use &&
		[ $(($(cat /proc/sys/kernel/tainted) >> 13 & 1)) = 0 ] && rmmod mmapdemo
}

# A signature does not survive a change of what it signs.
changed_refused()
{
	cp "$TMP/known.ko" "$TMP/changed.ko" &&
		printf x | dd of="$TMP/changed.ko" bs=1 seek=4096 conv=notrunc status=none &&
		fails_saying 'Key was rejected by service' insmod "$TMP/changed.ko"
}

locked_down()
{
	mount -t securityfs securityfs /sys/kernel/security &&
		cat /sys/kernel/security/lockdown &&
		grep -qF '[integrity]' /sys/kernel/security/lockdown &&
		dmesg | grep 'Secure boot enabled'
}

# Lockdown hides files of debugfs that anybody might write to.
counters_readable()
{
	insmod "$TMP/known.ko" && grep mmap /sys/kernel/debug/mmapdemo/stats && rmmod mmapdemo
}

# DKMS has a key of its own (dkms.sh); here it is told to take one that is known.
dkms_known_key()
{
	printf '%s\n' "mok_signing_key=$KEYS/known.key" "mok_certificate=$KEYS/known.pub" \
		>/etc/dkms/framework.conf.d/key.conf
	make -C "$TOP" dkms-install && modprobe_works "$VERSION" && make -C "$TOP" dkms-remove
}

both_refused()
{
	check "an unsigned module is refused" unsigned_refused
	check "one that is signed with a key that the kernel does not know, too" unknown_refused
}

enforced()
{
	plan 2
	both_refused
}

locked()
{
	check "Secure Boot has locked the kernel down" locked_down
	both_refused
	check "signed with a key of the firmware's db it is taken, and works" known_taken
	check "a module that was changed after it was signed is refused" changed_refused
	check "the counters in debugfs can be read" counters_readable
}

secure_boot()
{
	plan 6
	locked
}

# The build takes a minute or two; one kernel's is enough.
secure_boot_dkms()
{
	plan 7
	locked
	check "dkms signs with a known key when it is told to" dkms_known_key
}

# in_guest PART MODULE KEYS
in_guest()
{
	MODULE=$2 KEYS=$3
	few_modules
	link_headers
	"$1"
	ktap_finished
}

if [ "${1-}" = guest ]; then
	shift
	in_guest "$@"
	exit
fi
need dkms:dkms ovmf:$OVMF/OVMF_VARS_4M.snakeoil.fd openssl:openssl kmod:modinfo
KERNELS=${KERNELS:-6.12 6.1}
start $((2 + $(wc -w <<<"$KERNELS")))
check "keys and firmware" prepare
FIRMWARE="-drive if=pflash,unit=0,format=raw,readonly=on,file=$OVMF/OVMF_CODE_4M.fd
	-drive if=pflash,unit=1,format=raw,file=$(for_qemu "$TMP/vars")"
first=${KERNELS%% *}
APPEND=module.sig_enforce=1 check_signing "module.sig_enforce=1" "$first" enforced
QEMU_WORDS=$FIRMWARE check_signing "Secure Boot and DKMS, Linux $first" "$first" secure_boot_dkms
for kernel in ${KERNELS#"$first"}; do
	QEMU_WORDS=$FIRMWARE check_signing "Secure Boot, Linux $kernel" "$kernel" secure_boot
done
ktap_finished
