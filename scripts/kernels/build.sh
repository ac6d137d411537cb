#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds for a kernel of the cache, outside the work tree, and prints the
# directory: several kernels do not collide, and the tree stays clean.
#
# Usage: build.sh KERNEL module|tour|bench|selftests...
#   module     -> tree/module/mmapdemo.ko, tree/kunit/mmapdemo_kunit.ko where
#                 the kernel has KUnit; for a kernel whose name ends in -gcov
#                 both count their lines, which no ordinary build does
#   tour       -> tour
#   bench      -> bench
#   selftests  -> selftests/, as kselftest's install makes it; one for all
#                 kernels of an architecture, and left alone where nothing
#                 changed: a guest may be running them
# In:  STRICT=1       a compiler's warning fails the build
#      PROGRAMS=i386  tour and selftests are for 32 bits on an x86-64 kernel
# Exit status: 0; 1 with the compiler's words on stderr; 2 there is no such thing.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"

# build LOG COMMAND...
build()
{
	local log=$1 rc=0

	shift
	"$@" >"$log" 2>&1 || rc=$?
	# The file names as the user has them, not the copies'.
	grep -E '(warning|error|WARNING|ERROR): |\*\*\* |undefined reference' "$log" | replaced "$OUT/tree/" '' | head -n 20 >&2 || true
	[ $rc = 0 ] || die "the build failed; its log: $log"
	if [ "${STRICT-}" ] && grep -qi 'warning' "$log"; then
		# Or make would have nothing to do, and nothing to say, next time.
		rm -rf "$OUT/tree" "$ALL/selftests-objects"
		die "a warning fails this build; its log: $log"
	fi
}

build_module()
{
	local compiler counting=()

	arch_of "$KERNEL"
	[[ $KERNEL != *-gcov ]] || counting=(GCOV_PROFILE=y CFLAGS_GCOV="$GCOV_FLAGS")
	compiler=$(grep -oE 'gcc-[0-9]+$' "$KERNEL_DIR/build/.kernelvariables" 2>/dev/null) || true
	need "${MODULE_BUILD[@]}" rsync:rsync "${compiler:-gcc}:${compiler:-gcc}"
	need_compiler
	copy_tree "$OUT/tree" Kbuild module kunit
	build "$OUT/module.log" make -C "$KERNEL_DIR/build" M="$OUT/tree" W=1 "${FOR_ARCH[@]}" "${counting[@]}" \
		modules
}

# build_program NAME - one that needs no kernel source
build_program()
{
	arch_of_programs "$KERNEL"
	need_compiler
	build "$OUT/$1.log" "${CROSS}gcc" -O2 -Wall -Wextra -D_FILE_OFFSET_BITS=64 \
		-I"$TOP/module/uapi" -iquote "$TOP/selftests/lib" -pthread -o "$OUT/$1" "$TOP/selftests/$1/$1.c"
}

build_tour()
{
	build_program tour
}

build_bench()
{
	build_program bench
}

# The layout is kselftest's own: its runner, a list, a directory of tests.
build_selftests()
{
	local ksrc kselftest make list=$ALL/selftests/kselftest-list.txt

	arch_of_programs "$KERNEL"
	need make:make rsync:rsync
	need_compiler
	lock "selftests-$(basename "$BUILD")-$ARCH"
	ksrc=$(kselftest_source)
	kselftest=$ksrc/tools/testing/selftests
	make=(--no-print-directory -C "$TOP/selftests" KSRC="$ksrc" "${FOR_ARCH[@]}"
		OUTPUT="$ALL/selftests-objects" INSTALL_PATH="$ALL/selftests/mmapdemo")
	mkdir -p "$ALL/selftests-objects"
	build "$ALL/selftests.log" make "${make[@]}" -j"$(nproc)" all
	if [ ! -e "$list" ] || [ "$(find "$ALL/selftests-objects" "$TOP/selftests" -newer "$list" -print -quit)" ]; then
		rm -rf "$ALL/selftests"
		mkdir "$ALL/selftests"
		cp -r "$kselftest/kselftest" "$kselftest/run_kselftest.sh" "$ALL/selftests/"
		build "$ALL/selftests.log" make "${make[@]}" install
		make -s "${make[@]}" COLLECTION=mmapdemo emit_tests >"$list"
	fi
	ln -sfn "$ALL/selftests" "$OUT/selftests"
	unlock "selftests-$(basename "$BUILD")-$ARCH"
}

[ $# -ge 2 ] || refuse "usage: build.sh KERNEL module|tour|bench|selftests..."
KERNEL=$1
shift
known_kernels "$KERNEL"
known 'thing to build' $'module\ntour\nbench\nselftests' "$@"
known_programs
KERNEL_DIR=$("$TOP/scripts/kernels/kernel.sh" "$KERNEL")
arch_of_programs "$KERNEL"
BUILD=$(build_root "$TOP")
OUT=$BUILD/$KERNEL${PROGRAMS:++$PROGRAMS}-$(basename "$KERNEL_DIR")
ALL=$BUILD/$ARCH
mkdir -p "$OUT"
lock "build-$(basename "$BUILD")-$KERNEL${PROGRAMS-}"
for what; do
	"build_$what"
done
printf '%s\n' "$OUT"
