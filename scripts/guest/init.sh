#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The guest's /init, in the initramfs that vm.sh makes: turns the host's root,
# or one that root.sh made, into the guest's, with a writable layer in memory on
# top, and hands over to guest/run.sh in there. Runs as process 1 on busybox
# alone.
/bin/busybox --install -s /bin
export PATH=/bin

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null

for module in /modules/*; do
	[ -e "$module" ] && insmod "$module"
done

# Nobody changes the host's root for the guest: it may cache all it likes.
p9=trans=virtio,version=9p2000.L,msize=512000
mount -t 9p -o $p9,cache=loose,ro root /lower
mount -t 9p -o $p9,cache=none run /share
# shellcheck source=/dev/null
. /share/settings
mount -t tmpfs -o size=75% rw /rw
mkdir /rw/upper /rw/work
# Not by its name, in which there may be a comma.
mkdir /base
mount -o bind "/lower$ROOT" /base
mount -t overlay -o "lowerdir=/base,upperdir=/rw/upper,workdir=/rw/work" overlay /guest
if [ "$ROOT" ]; then
	for dir in "$TOP" "$CACHE"; do
		mkdir -p "/guest$dir"
		mount -o bind "/lower$dir" "/guest$dir"
	done
fi

mount -t proc proc /guest/proc
mount -t sysfs sysfs /guest/sys
mount -t debugfs debugfs /guest/sys/kernel/debug
mount -t tracefs tracefs /guest/sys/kernel/tracing
mount -t devtmpfs dev /guest/dev
mkdir -p /guest/dev/pts /guest/dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /guest/dev/pts
mount -t tmpfs shm /guest/dev/shm
mount -t tmpfs run /guest/run
ln -sf /proc/self/fd /guest/dev/fd
ln -sf /proc/self/fd/0 /guest/dev/stdin
ln -sf /proc/self/fd/1 /guest/dev/stdout
ln -sf /proc/self/fd/2 /guest/dev/stderr
mkdir /guest/run/mmapdemo /guest/run/lock
mount -o move /share /guest/run/mmapdemo
ifconfig lo up
echo mmapdemo >/proc/sys/kernel/hostname

if [ "$GUEST_RW" ]; then
	mount -t 9p -o $p9,cache=mmap work "/guest$GUEST_DIR"
fi

busybox=/bin/busybox
$busybox chroot /guest /bin/bash "$TOP/scripts/guest/run.sh" start
# What the command left running must not keep the module in use.
kill -9 -1
$busybox chroot /guest /bin/bash "$TOP/scripts/guest/run.sh" finish
$busybox sync
# With -no-reboot this ends QEMU, also where the kernel cannot power off.
$busybox reboot -f
