#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2034,SC2054 # variables used by name; commas of QEMU
#
# Boots a kernel in QEMU with the host's files and mmapdemo loaded, and runs a
# command there, or a shell. Where the guest's programs cannot be the host's
# (arm64, i386), it gets Debian's (root.sh), and of the host's files this tree
# and the cache.
#
# Usage: vm.sh, with everything in the environment:
#   CALLER=DIR      the directory to be in; default: the current one
#   KERNEL=6.12     which kernel (kernel.sh lists them)
#   PROGRAMS=i386   give an x86-64 kernel programs of 32 bits
#   CMD='...'       what bash runs in the guest; empty: an interactive shell
#   PARAMS='...'    module parameters
#   MODULE=FILE     the mmapdemo.ko to load; default: it is built from this tree;
#                   none: it boots without
#   RW=1            that directory is writable; else what the guest
#                   writes goes to its memory and vanishes with it
#   TIMEOUT=600     seconds after which the guest is ended; default: never
#   RUN=DIR         a directory that the guest may write to (/run/mmapdemo
#                   there) and that stays; default: a temporary one
#   ICOUNT=1        count instructions: one CPU of QEMU's default model, and
#                   each instruction moves the clock on by 1 ns, so that what
#                   is timed in the guest is the same whatever the host does
#   PLUGIN=FILE,... a plugin that QEMU's TCG loads, and its arguments
#   APPEND='...'    words to add to the kernel's command line
#   QEMU_WORDS='...'
#                   words to add to QEMU's
#   CHECK_LEAKS=1   ask kmemleak after the module has gone (slow)
#   MMAPDEMO_...=   what the tests look for; the guest gets it as it is
#
# The guest's command has stdin, stdout and stderr of this script, over
# channels of their own; the kernel's log goes to a file.
#
# Exit status: the command's; 2 there is no such kernel or file; 124 TIMEOUT
# passed; 125 the guest died, the kernel reported something, or the module did not
# unload cleanly; 126 the module did not load.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"
. "$(dirname "$0")/../lib/debs.sh"
. "$(dirname "$0")/../lib/qemu.sh"

KERNEL=${KERNEL:-6.12}
CALLER=${CALLER:-$PWD}

# On a busy host an emulated CPU may stand still for long without anything
# being wrong, at boot its timer may seem dead, and later its TSC unstable.
PATIENCE='watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120 no_timer_check tsc=reliable'

accelerator()
{
	if [ "${ICOUNT-}" ]; then
		echo tcg,thread=single
	elif [ "$MACHINE" != arm64 ] && can_kvm; then
		echo kvm
	else
		echo tcg,thread=multi
	fi
}

# busybox-static is taken from its package, not installed: it would replace an
# installed busybox.
busybox()
{
	if [ ! -x "$CACHE/busybox" ]; then
		lock busybox
		deb_newest busybox-static stable
		deb_fetch "$CACHE/debs" "$PACKAGE"
		dpkg-deb --fsys-tarfile "$CACHE"/debs/busybox-static*.deb |
			tar -xO --wildcards '*/bin/busybox' >"$CACHE/busybox.new"
		chmod +x "$CACHE/busybox.new"
		mv "$CACHE/busybox.new" "$CACHE/busybox"
	fi
}

make_initramfs()
{
	local root=$RUN_PRIVATE/initramfs busybox=$CACHE/busybox module n=100

	# The host's makes the archive; the guest's may be for another machine.
	[ -z "$ROOT" ] || busybox=$ROOT/bin/busybox
	mkdir -p "$root"/{bin,modules,proc,sys,dev,share,lower,rw,guest}
	cp "$busybox" "$root/bin/busybox"
	cp "$TOP/scripts/guest/init.sh" "$root/init"
	chmod +x "$root/init"
	while read -r module; do
		n=$((n + 1))
		case $module in
		*.xz) xz -dc "$module" >"$root/modules/$n-$(basename "$module" .xz)" ;;
		*) cp "$module" "$root/modules/$n-$(basename "$module")" ;;
		esac
	done <"$KERNEL_DIR/boot-modules"
	(cd "$root" && find . | "$CACHE/busybox" cpio -o -H newc 2>/dev/null | gzip -1) \
		>"$RUN_PRIVATE/initramfs.gz"
}

# What the guest's scripts need to know; they source it.
write_settings()
{
	local name names size

	mapfile -t names < <(compgen -e MMAPDEMO_)
	size=$(stty size 2>/dev/null) || size='24 80'
	printf '%s' "${CMD-}" >"$RUN/command"
	GUEST_DIR=$CALLER GUEST_RW=${RW:+1} GUEST_TERMINAL=$TERMINAL GUEST_MERGED=$MERGED GUEST_SIZE=$size
	for name in TOP CACHE ROOT KERNEL_DIR MODULE PARAMS LOG_MARKER CHECK_LEAKS TERM HOME XDG_CACHE_HOME PATH \
		GUEST_DIR GUEST_RW GUEST_TERMINAL GUEST_MERGED GUEST_SIZE "${names[@]}"; do
		printf 'export %s=%q\n' "$name" "${!name-}"
	done >"$RUN/settings"
}

# Whether the guest gets two NUMA nodes: where the kernel leaves pages on their node,
# and faults are those of the program alone.
two_nodes()
{
	[ ! "${ICOUNT-}" ] && [ "$MACHINE" != arm64 ] &&
		grep -qs '^CONFIG_X86_64_ACPI_NUMA=y' "$KERNEL_DIR/build/.config" &&
		! grep -q '^CONFIG_NUMA_BALANCING=y' "$KERNEL_DIR/build/.config"
}

qemu_arguments()
{
	local machine=(-machine q35) cpus=(-cpu max -smp 2)
	local console=ttyS0 clock='' node

	if [ "$MACHINE" = arm64 ]; then
		# The cheap way to sign pointers: the real one doubles the time.
		machine=(-machine "virt,gic-version=3")
		cpus=(-cpu "max,pauth-impdef=on" -smp 2)
		console=ttyAMA0
	fi
	if [ "${ICOUNT-}" ]; then
		# The largest CPU model clears a page by one string instruction
		# that counts as 4096. With another clock than the TSC time goes
		# in steps of whole ticks.
		cpus=(-smp 1 -icount "shift=0,sleep=off")
		clock=clocksource=tsc
	fi
	QEMU=("$QEMU_PROGRAM" "${machine[@]}" "${cpus[@]}" -accel "$ACCEL" -m 2G
		-nodefaults -no-user-config -display none -no-reboot
		-kernel "$KERNEL_DIR/vmlinuz" -initrd "$RUN_PRIVATE/initramfs.gz"
		-append "console=$console oops=panic panic=-1 random.trust_cpu=on kunit.autorun=1 $clock $PATIENCE${APPEND:+ $APPEND}"
		-chardev "file,id=log,path=$(for_qemu "$LOG")" -serial chardev:log
		-device virtio-serial-pci
		-fsdev "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"
		-device virtio-9p-pci,fsdev=root,mount_tag=root
		-fsdev "local,id=run,path=$(for_qemu "$RUN"),security_model=none,multidevs=remap"
		-device virtio-9p-pci,fsdev=run,mount_tag=run)
	# A socket for each node: on one, the CPUs would share a cache across nodes.
	! two_nodes || QEMU+=(-smp 2,sockets=2)
	! two_nodes || for node in 0 1; do
		QEMU+=(-object "memory-backend-ram,id=memory$node,size=1G" -numa "node,memdev=memory$node,cpus=$node")
	done
	[ -z "${PLUGIN-}" ] || QEMU+=(-plugin "$PLUGIN")
	# shellcheck disable=SC2206 # a list of words
	QEMU+=(${QEMU_WORDS-})
	[ -z "${RW-}" ] || QEMU+=(
		-fsdev "local,id=work,path=$(for_qemu "$CALLER"),security_model=none,multidevs=remap"
		-device virtio-9p-pci,fsdev=work,mount_tag=work)
}

# A terminal on both ends is passed through as one; everything else keeps
# stdin, stdout and stderr apart, and every byte as it is.
boot_with_terminal()
{
	"${LIMIT[@]}" "${QEMU[@]}" -chardev stdio,id=user,signal=off -device virtconsole,chardev=user
}

boot_with_pipes()
{
	local readers=() input=/dev/fd/0 channels rc

	# Files in between, because what QEMU cannot get rid of at once, as it
	# may be with a pipe, is lost when the guest ends.
	touch "$RUN_PRIVATE/out" "$RUN_PRIVATE/err"
	channels=(-chardev stdio,id=in,signal=off
		-device virtserialport,chardev=in,name=in
		-chardev "file,id=out,path=$(for_qemu "$RUN_PRIVATE/out"),append=on"
		-device virtserialport,chardev=out,name=out
		-chardev "file,id=err,path=$(for_qemu "$RUN_PRIVATE/err"),append=on"
		-device virtserialport,chardev=err,name=err)
	[ ! -t 0 ] || input=/dev/null
	"${LIMIT[@]}" "${QEMU[@]}" "${channels[@]}" <$input &
	QEMU_PID=$!
	# Not where gdb has stopped it (gdb.sh).
	[[ " ${QEMU_WORDS-} " = *' -S '* ]] || end_hung_boot "$QEMU_PID" &
	readers+=($!)
	# Who no longer reads (`| head`) wants the guest to end as well.
	{ follow "$QEMU_PID" "$RUN_PRIVATE/out" || kill "$QEMU_PID"; } 2>/dev/null &
	readers+=($!)
	follow "$QEMU_PID" "$RUN_PRIVATE/err" >&2 &
	readers+=($!)
	wait "$QEMU_PID" && rc=0 || rc=$?
	QEMU_PID=
	wait "${readers[@]}" || true
	return $rc
}

# end_hung_boot PID - Now and then a timer of an emulated CPU never fires, and the
# guest waits for it for ever. On a busy host a boot takes up to three minutes.
end_hung_boot()
{
	local end=$((EPOCHSECONDS + 480))

	while kill -0 "$1" 2>/dev/null && ! grep -qsF "$LOG_MARKER" "$LOG"; do
		if [ $EPOCHSECONDS -gt $end ]; then
			touch "$RUN_PRIVATE/hung"
			kill "$1"
			return
		fi
		sleep 1
	done
}

# follow PID FILE - all of FILE, as it grows, until PID has ended
follow()
{
	tail -c +1 -f -s 0.1 --pid="$1" "$2"
}

boot()
{
	say "booting Linux $(cat "$KERNEL_DIR/release") (${ACCEL%,*})"
	if [ "$TERMINAL" ]; then boot_with_terminal; else boot_with_pipes; fi
}

# Now and then an emulated CPU still runs an instruction that another one has
# patched (the kernel's static keys), and meets a breakpoint that is gone: one
# boot in a hundred on a busy host. With no module of ours in it yet, it is no
# verdict on that.
died_in_boot()
{
	{ [ -e "$RUN_PRIVATE/hung" ] || grep -q 'Kernel panic' "$LOG"; } && ! grep -qF "$LOG_MARKER" "$LOG"
}

last_log_lines()
{
	printf 'the end of the kernel log (%s):\n' "$LOG" >&2
	tail -n 20 "$LOG" | tr -d '\r' | cut -c1-160 >&2
}

# verdict QEMU_STATUS - the exit status of the whole run, with its reasons
verdict()
{
	local rc reports

	[ "$1" != 130 ] || return 130
	rc=$(cat "$RUN/status" 2>/dev/null) || rc=
	if [ "$1" = 124 ] || [ "$1" = 137 ]; then
		printf 'mmapdemo: the guest was ended after %s s\n' "$TIMEOUT" >&2
		last_log_lines
		return 124
	fi
	if reports=$(log_reports "$LOG"); then
		printf 'mmapdemo: the kernel reported (all of it: %s):\n%s\n' "$LOG" "$reports" >&2
		return 125
	fi
	if [ -z "$rc" ] || [ ! -e "$RUN/finished" ]; then
		echo "mmapdemo: the guest ended too early" >&2
		last_log_lines
		return 125
	fi
	if [ -s "$RUN/problems" ]; then
		sed 's/^/mmapdemo: /' "$RUN/problems" >&2
		return 125
	fi
	return "$rc"
}

known_kernels "$KERNEL"
known_programs
need_numbers TIMEOUT
[ "${MODULE-}" = none ] || need_file MODULE
arch_of "$KERNEL"
if [ "$ARCH" = x86_64 ]; then need "${BOOT_GUEST[@]}"; else need xz-utils:xz; fi
use_qemu "$ARCH" ${PLUGIN:+"$QEMU_PLUGINS"}
KERNEL_DIR=$("$TOP/scripts/kernels/kernel.sh" "$KERNEL")
MODULE=${MODULE:-$("$TOP/scripts/kernels/build.sh" "$KERNEL" module)/tree/module/mmapdemo.ko}
busybox
MACHINE=$ARCH
arch_of_programs "$KERNEL"
[ -z "$ROOT" ] || "$TOP/scripts/guest/root.sh" "$ARCH"

TERMINAL='' MERGED=''
[ -t 0 ] && [ -t 1 ] && TERMINAL=1
[ /dev/fd/1 -ef /dev/fd/2 ] && MERGED=1
LIMIT=()
[ -z "${TIMEOUT-}" ] || LIMIT=(timeout --foreground -k 5 "$TIMEOUT")
ACCEL=$(accelerator)

mkdir -p "$CACHE/runs"
find "$CACHE/logs" -name 'guest-*' -mtime +7 -delete
RUN_PRIVATE=$(mktemp -d "$CACHE/runs/XXXXXX")
QEMU_PID=
trap '[ -z "$QEMU_PID" ] || kill "$QEMU_PID" || true; rm -rf "$RUN_PRIVATE"' EXIT
RUN=${RUN:-$RUN_PRIVATE/share}
mkdir -p "$RUN"
rm -f "$RUN"/{status,finished,problems}
LOG=$CACHE/logs/guest-$KERNEL-$(basename "$RUN_PRIVATE").log

make_initramfs
write_settings
qemu_arguments
boot && rc=0 || rc=$?
if died_in_boot; then
	mv "$LOG" "$LOG.died"
	say "the kernel died before mmapdemo was loaded ($LOG.died); once more"
	boot && rc=0 || rc=$?
fi
verdict "$rc" && rc=0 || rc=$?
cp "$LOG" "$RUN/kernel.log"
exit "$rc"
