#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The KUnit suites by the kernel's own way: the sources dropped, unchanged, into
# drivers/misc/mmapdemo/ of a copy of the kernel's tree, built in, and run by
# that tree's kunit.py in QEMU. Then a build as modules, as `make allmodconfig`
# configures them, in which a warning is an error.
#
# Usage: kunit-intree.sh, with in the environment:
#   KERNELS='6.1 6.12 7.3'   in which kernels' trees
#   TIMEOUT=600              seconds that each guest may take
# kunit.py's report of each kernel goes to stdout. What the kernel itself reports
# (a WARN, lockdep, ...) fails the run as well. Trees and builds stay below
# $CACHE/intree: the first run builds the kernels, later ones what has changed.
# Exit status: 0 all passed and was built, 1 something did not, 2 there is no such kernel.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"

KERNELS=${KERNELS:-6.1 6.12 7.3}
TIMEOUT=${TIMEOUT:-600}

# drop_in - the copy of the tree, with what this repository has today
drop_in()
{
	local misc=$SRC/drivers/misc

	if [ ! -e "$DIR/copied" ]; then
		rm -rf "$SRC"
		cp -al "$TREE" "$SRC"
		touch "$DIR/copied"
	fi
	# By contents: what differs gets today's date, so that make sees it.
	rsync -rl --checksum --delete --exclude-from="$TOP/.gitignore" "$TOP/.gitignore" "$TOP/Kbuild" \
		"$TOP/module" "$TOP/kunit" "$misc/mmapdemo/"
	# sed writes a new file: the cached tree, of which this is a link, keeps its own.
	grep -q mmapdemo "$misc/Makefile" ||
		sed -i "\$a obj-\$(CONFIG_MMAPDEMO)\t\t+= mmapdemo/" "$misc/Makefile"
	grep -q mmapdemo "$misc/Kconfig" ||
		sed -i '/^endmenu$/i source "drivers/misc/mmapdemo/module/Kconfig"' "$misc/Kconfig"
	# 7.3's kunit.py takes KVM wherever there is its device.
	can_kvm || sed -i "/'-accel', 'kvm',/d" "$SRC/tools/testing/kunit/kunit_kernel.py"
}

# kunit COMMAND [ARGUMENTS...]
kunit()
{
	local command=$1

	shift
	"$SRC/tools/testing/kunit/kunit.py" "$command" --arch=x86_64 --build_dir="$DIR/kunit" \
		--kunitconfig="$SRC/drivers/misc/mmapdemo/kunit" \
		--kunitconfig="$TOP/scripts/kernels/intree.config" "$@"
}

# kunit.py keeps from its caller how far make got.
objects_built()
{
	find "$DIR/$PART" -name '*.o' | awk 'END { print NR " objects" }'
}

build_suites()
{
	PART=kunit
	mkdir -p "$DIR/kunit"
	with_progress "$NAME: kernel with the suites (about 1100 objects)" \
		"$CACHE/logs/intree-$NAME.log" objects_built kunit build --jobs="$(nproc)"
}

run_suites()
{
	local reports

	say "$NAME: running the suites"
	# On a busy host the emulated machine's timer may seem dead.
	kunit exec --timeout="$TIMEOUT" --qemu_args='-smp 2' --kernel_args=no_timer_check \
		'mmapdemo*' </dev/null
	# kunit.py looks at results only.
	{
		printf '%s\n' "$LOG_MARKER"
		cat "$DIR/kunit/test.log"
	} >"$DIR/kernel.log"
	! reports=$(log_reports "$DIR/kernel.log") ||
		die "$NAME: the kernel reported (all of it: $DIR/kernel.log):" "$reports"
}

in_modules()
{
	make -C "$SRC" O="$DIR/modules" -j"$(nproc)" "$@"
}

# Without a vmlinux modpost knows none of the kernel's symbols: it may say so,
# and the build out of tree has them checked.
build_modules()
{
	local drop=drivers/misc/mmapdemo

	[ -e "$DIR/modules/.config" ] || in_modules allmodconfig
	in_modules modules_prepare
	in_modules W=1 KBUILD_MODPOST_WARN=1 "$drop/module/mmapdemo.ko" "$drop/kunit/mmapdemo_kunit.ko"
}

check_modules()
{
	local log=$CACHE/logs/intree-modules-$NAME.log

	PART=modules
	mkdir -p "$DIR/modules"
	with_progress "$NAME: as modules, with W=1 and allmodconfig" "$log" objects_built build_modules
	! grep 'drivers/misc/mmapdemo/.*warning: ' "$log" >&2 ||
		die "a warning fails this build; its log: $log"
}

check_kernel()
{
	NAME=$1
	TREE=$("$TOP/scripts/kernels/kernel.sh" --tree "$NAME")
	DIR=$CACHE/intree/$(basename "$TREE")
	SRC=$DIR/src
	mkdir -p "$DIR"
	lock "intree-$NAME"
	drop_in
	build_suites
	run_suites
	check_modules
}

# shellcheck disable=SC2086 # KERNELS is a list of words
known_kernels $KERNELS
need_numbers TIMEOUT
need "${KERNEL_BUILD[@]}" libssl-dev:/usr/include/openssl/opensslv.h python3:python3 rsync:rsync \
	qemu-system-x86:qemu-system-x86_64 qemu-system-data:/usr/share/qemu/qboot.rom
# shellcheck disable=SC2086
each_kernel check_kernel $KERNELS
