# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The fuzzer (selftests/fuzz/fuzz.c) and a module for it: what fuzz.sh and stress.sh
# share. Sourced after common.sh.
#
# In:   MUTANT  break the module by selftests/mutants/*/NAME.patch first
# Sets: FUZZ_KERNEL, the kernel that it runs on; FUZZ_PARAMS, the module's
#       parameters; FUZZ_CURRENT, where in the guest is what fuzz_current shares

# shellcheck disable=SC2034 # for whoever sources this
FUZZ_KERNEL=6.12-debug
# Small: all that can happen at the end and at the cap is near.
# shellcheck disable=SC2034
FUZZ_PARAMS='size=2M pool_size=48K'
FUZZ_CURRENT=/sys/bus/pci/devices/0000:00:10.0

# fuzz_build - sets FUZZ_DIR, a directory with tree/module/mmapdemo.ko; fuzz; and
# lines: of each call of KCOV's the offset in the module's code that it reports, and
# a line of the module that it stands for (several, where functions are inlined).
fuzz_build()
{
	known_mutants ${MUTANT:+"$MUTANT"}
	need "${MODULE_BUILD[@]}" gcc:gcc patch:patch binutils:addr2line rsync:rsync clang:clang \
		libclang-rt-dev:"$(fuzz_runtime)"
	FUZZ_DIR=$(build_root "$TOP")/fuzz${MUTANT:+-$MUTANT}
	mkdir -p "$FUZZ_DIR"
	lock "build-$(basename "$(build_root "$TOP")")-fuzz${MUTANT:+-$MUTANT}"
	fuzz_build_module
	fuzz_build_program
	fuzz_find_lines
	unlock "build-$(basename "$(build_root "$TOP")")-fuzz${MUTANT:+-$MUTANT}"
}

# What libclang-rt-dev is for; clang knows where it would be, once it is there.
fuzz_runtime()
{
	clang -print-file-name=libclang_rt.fuzzer-x86_64.a 2>/dev/null || echo /none
}

fuzz_build_module()
{
	local kernel log=$FUZZ_DIR/module.log

	kernel=$("$TOP/scripts/kernels/kernel.sh" "$FUZZ_KERNEL")
	copy_tree "$FUZZ_DIR/tree" module
	if [ "${MUTANT-}" ]; then
		patch -s --no-backup-if-mismatch -d "$FUZZ_DIR/tree" -p1 <"$(mutant_patch "$MUTANT")"
	fi
	# Of the kernel nothing else is measured: what it does is not ours.
	make -C "$kernel/build" M="$FUZZ_DIR/tree/module" KCOV_INSTRUMENT=y KCFLAGS=-g modules >"$log" 2>&1 ||
		die "the module does not build; the log: $log" "$(tail -n 5 "$log")"
}

fuzz_build_program()
{
	local ksft

	ksft=$(kselftest_source)/tools/testing/selftests
	# The program's own code is not to be covered: no -fsanitize but to link.
	clang -O2 -Wall -Wextra -D_GNU_SOURCE= -DFUZZER -isystem "$ksft" -iquote "$TOP/selftests/lib" -c \
		-o "$FUZZ_DIR/fuzz.o" "$TOP/selftests/fuzz/fuzz.c"
	clang -fsanitize=fuzzer -pthread -o "$FUZZ_DIR/fuzz" "$FUZZ_DIR/fuzz.o"
}

fuzz_find_lines()
{
	local at ko=$FUZZ_DIR/tree/module/mmapdemo.ko

	# What KCOV reports is the address behind the call; whose line is asked for is
	# the call's.
	readelf -rW "$ko" | awk '/^Relocation section/ { text = /\.rela\.text/ && !/\.rela\.text\./ }
		text && /__sanitizer_cov_trace_pc/ { print $1 }' | while read -r at; do
		printf '%x %x\n' $((0x$at + 4)) $((0x$at + 3))
	done >"$FUZZ_DIR/calls"
	cut -d' ' -f2 "$FUZZ_DIR/calls" | addr2line -a -i -j .text -e "$ko" |
		awk -v calls="$FUZZ_DIR/calls" '
			/^0x/ { getline <calls; at = $1; next }
			match($1, /\/module\/[a-z_]+\.[ch]:[0-9]+/) {
				print at, substr($1, RSTART + 8, RLENGTH - 8)
			}' >"$FUZZ_DIR/lines"
	[ -s "$FUZZ_DIR/lines" ] || die "no line of the module is known for any address"
}

# fuzz_current FILE - words for QEMU: FILE is what the fuzzer leaves the input in
# that it runs, also where the guest dies of it: its length (32 bits), and itself
fuzz_current()
{
	truncate -s 1M "$1"
	printf '%s %s\n' "-object memory-backend-file,id=current,share=on,size=1M,mem-path=$(for_qemu "$1")" \
		"-device ivshmem-plain,memdev=current,addr=0x10"
}

# fuzz_command PROGRAM DIRECTORY ARGUMENT... - what a guest's shell runs: PROGRAM
# with what it needs, and its files in DIRECTORY: figures, coverage, found-..., and
# seeds/, inputs to start from
fuzz_command()
{
	local program=$1 out=$2

	shift 2
	printf 'echo 1 >%s/enable; FUZZ_CURRENT=%s/resource2 FUZZ_OUT=%q' "$FUZZ_CURRENT" "$FUZZ_CURRENT" "$out"
	printf ' %q' "$program" -handle_segv=0 -handle_bus=0 -rss_limit_mb=0 -max_len=256 \
		-use_cmp=0 -reload=0 -timeout=120 "-artifact_prefix=$out/found-" "$@"
	echo
}
