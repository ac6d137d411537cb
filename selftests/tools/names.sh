#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A name that matches nothing, and a number that is none, end a command at once, with
# one line that says what there is, and status 2; nothing is fetched, built or booted.
# Runs on the host.
#
# Output: KTAP.
. "$(dirname "$0")/tools.bash"

# What a user types | what there is instead. Scripts that make has no target for, or
# not with names, are called by their own.
commands()
{
	cat <<-'TABLE'
	make kernel KERNEL=nonsense|there are: .*6.12-debug .*7.3
	make demo KERNEL=nonsense|there are: .*6.12
	make vm KERNEL=nonsense CMD=true|there are: .*6.12
	make trace KERNEL=nonsense CMD=true|there are: .*6.12
	make bench KERNEL=nonsense|there are: .*6.12
	make profile KERNEL=nonsense|there are: .*6.12
	make faults KERNEL=nonsense|there are: .*6.12-debug
	make faults KERNEL=6.12|built from source .* there are: .*6.12-debug
	make mutants KERNEL=nonsense|there are: .*6.12
	make gdb KERNEL=nonsense|there are: .*6.12-gdb
	make gdb KERNEL=6.12|built from source .* there are: .*6.12-gdb
	make compile_commands.json KERNEL=nonsense|there are: .*7.3
	make compile_commands.json KERNEL=6.1|built from source .* there are: .*7.3
	make test KERNELS=nonsense|there are: .*6.12-debug .*6.12+i386
	make test KERNELS='6.12 nonsense'|there are: .*6.12
	KERNELS=' ' test.sh|there are: .*6.12
	make test KERNELS=6.12+nonsense|there are: .*7.3+mmap_prepare
	make test KERNELS=6.12+mmap_prepare|there are: .*7.3+mmap_prepare
	make matrix KERNELS=nonsense|there are: .*7.3+mmap_prepare
	make branches KERNELS=nonsense|there are: .*7.3
	make branches KERNELS=nonsense REUSE=1|there are: .*7.3
	make kunit KERNELS=nonsense|there are: .*7.3
	make kunit KERNELS=6.12|built from source .* there are: .*7.3
	make kunit-intree KERNELS=nonsense|there are: .*7.3
	make stress KERNELS=nonsense|there are: .*6.12-debug
	make test TESTS=nonsense|there are: .*cli.sh .*mapping
	make test TESTS='mapping nonsense'|called 'nonsense'; there are: .*mapping
	make test TESTS=cli|there are: .*cli.sh
	make matrix TESTS=nonsense|there are: .*mapping
	make branches TESTS=nonsense|there are: .*mapping
	make coverage TESTS=nonsense|there are: .*mapping
	make test-tools TOOLS=nonsense|there are: .*gdb .*trace
	make test-tools TOOLS='gdb nonsense'|there are: .*gdb .*trace
	make fuzz MUTANT=nonsense|there are: .*no-zeroing
	make soak MUTANT=nonsense|there are: .*no-zeroing
	make profile OPERATIONS=nonsense|there are: .*first read, random; .*write(2), 4K
	make profile OPERATIONS='first read, random; nonsense'|called 'nonsense'; there are: 
	make profile OPERATIONS='first read'|there are: .*first read, random
	make profile OPERATIONS=' ;'|there are: .*first read, random
	make fuzz INPUT=/nonexistent|cannot read '/nonexistent'
	make fuzz INPUT=module|cannot read 'module'
	make gdb GDB_COMMANDS=/nonexistent|cannot read '/nonexistent'
	make vm MODULE=/nonexistent CMD=true|cannot read '/nonexistent'
	make stress MODULE=/nonexistent|cannot read '/nonexistent'
	make vm PROGRAMS=nonsense CMD=true|there are: i386
	make demo TIMEOUT=abc|TIMEOUT must be a whole number
	make vm TIMEOUT=-1 CMD=true|TIMEOUT must be a whole number
	make trace TIMEOUT=0 CMD=true|TIMEOUT must be a whole number
	make gdb TIMEOUT=abc|TIMEOUT must be a whole number
	make test TIMEOUT=1.5|TIMEOUT must be a whole number
	make kunit TIMEOUT=abc|TIMEOUT must be a whole number
	make kunit-intree TIMEOUT=abc|TIMEOUT must be a whole number
	make coverage TIMEOUT=abc|TIMEOUT must be a whole number
	make faults TIMEOUT=abc|TIMEOUT must be a whole number
	make bench TIMEOUT=abc|TIMEOUT must be a whole number
	make profile TIMEOUT=abc|TIMEOUT must be a whole number
	make fuzz TIME=abc|TIME must be a whole number
	make fuzz TIME=08|TIME must be a whole number
	make fuzz-planted TIME=abc|TIME must be a whole number
	make stress TIME=99999999999999999999|TIME must be a whole number
	make fuzz RUNS=abc|RUNS must be a whole number
	make soak HOURS=abc|HOURS must be a number
	make soak HOURS=0,1|HOURS must be a number
	make soak HOURS=0.0|HOURS must be a number
	make mutants JOBS=abc|JOBS must be a whole number
	make test SOAK=abc|SOAK must be a whole number
	make test MMAPDEMO_SECONDS=abc|MMAPDEMO_SECONDS must be a number
	make test MMAPDEMO_SEED=abc|MMAPDEMO_SEED must be a whole number
	make test MMAPDEMO_STEPS=abc|MMAPDEMO_STEPS must be a whole number
	make test MMAPDEMO_INPUTS=abc|MMAPDEMO_INPUTS must be a whole number
	make test MMAPDEMO_CYCLES=abc|MMAPDEMO_CYCLES must be a whole number
	make fuzz MMAPDEMO_SEED=abc|MMAPDEMO_SEED must be a whole number
	kernel.sh|usage: kernel.sh
	kernel.sh nonsense|there are: .*6.12
	kernel.sh --tree nonsense|there are: .*6.12
	build.sh 6.12|usage: build.sh
	build.sh nonsense module|there are: .*6.12
	build.sh 6.12 nonsense|there are: .*selftests
	check.sh nonsense|there are: .*checkpatch .*shellcheck
	check.sh python nonsense|there are: .*checkpatch .*shellcheck
	mutants.sh nonsense|there are: .*no-zeroing
	fuzz-planted.sh no-zeroing nonsense|there are: .*no-zeroing
	stress.sh nonsense|there are: soak
	matrix.sh nonsense|there are: full
	root.sh nonsense|there are: arm64
	load.sh nonsense|usage: load.sh
	dkms.sh nonsense|usage: dkms.sh
	TABLE
}

# Without what `make test-tools` was called with, and with a cache in which a kernel
# would have to be fetched or built.
run()
{
	(
		cd "$TOP" || exit
		env -i PATH="$PATH" XDG_CACHE_HOME="$TMP/cache" timeout 30 bash -c "$1" </dev/null
	)
}

# make has a line of its own, with the status of what it has run.
status()
{
	case $1 in
	make) sed -n 's/^make: \*\*\* .* Error \([0-9]*\)$/\1/p' "$TMP/err" ;;
	*) echo "$2" ;;
	esac
}

# A program that says what it can measure is all that was made.
nothing_was_made()
{
	! find "$TMP/cache/mmapdemo" -mindepth 1 ! -path '*/mmapdemo/logs' ! -path '*/mmapdemo/locks' \
		! -path '*/mmapdemo/bench*' | grep .
}

# refused COMMAND PATTERN
refused()
{
	local rc=0

	rm -rf "$TMP/cache"
	run "$1" >"$TMP/out" 2>"$TMP/err" || rc=$?
	cat "$TMP/out" "$TMP/err"
	[ ! -s "$TMP/out" ] && [ "$(status "${1%% *}" $rc)" = 2 ] &&
		[ "$(grep -vc '^make: ' "$TMP/err")" = 1 ] &&
		grep -q "^mmapdemo: .*$2" "$TMP/err" && nothing_was_made
}

# --- What must not be refused ----------------------------------------------

each_kernel()
{
	local names

	names=$(kernel.sh --list) || return
	# shellcheck disable=SC2086 # a list of words
	(known_kernels $names) && (KERNELS="$names 7.3+mmap_prepare 6.12+i386" && known_tests)
}

# The mutants' patches name selftests, too.
# shellcheck disable=SC2034 # known_tests takes them by their names
each_test()
{
	(KERNELS=6.12 TESTS=$(sed -n 's/^Tests: //p' "$TOP"/selftests/mutants/*/*.patch) && known_tests) &&
		(KERNELS=6.12 TESTS=$(cd "$TOP" && make -s -C selftests list) && known_tests)
}

# numbers KIND... NUMBER... - KIND has nothing to say against each NUMBER
numbers()
{
	# shellcheck disable=SC2034 # by its name
	for X in "${@:2}"; do
		("$1" X) || return
	done
}

each_number()
{
	numbers need_numbers 1 600 999999999 '' && numbers need_decimal 1 0.1 10.25 '' &&
		numbers need_seed 0 4294967295 ''
}

a_file()
{
	(
		CALLER=$TOP/module INPUT=main.c
		cd / && need_file INPUT && [ "$INPUT" = "$(readlink -f "$TOP/module/main.c")" ]
	)
}

PATH=$(find "$TOP/scripts" -type d -printf '%p:')$PATH
start $(($(commands | wc -l) + 4))
while IFS='|' read -r command there_is <&3; do
	check "refused: $command" refused "$command" "$there_is"
done 3< <(commands)
check "each kernel's name is taken" each_kernel
check "each selftest's name is taken" each_test
check "numbers are taken" each_number
check "a file is found from where the user is" a_file
ktap_finished
