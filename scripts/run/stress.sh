#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Real tools (fio, stress-ng) on the device, with processes that are killed and
# stopped, the OOM killer, coredumps, CPU hotplug and attempts to unload the
# module all along: what guest/stress.py does, in a guest, and what came of it.
#
# Usage: stress.sh [soak], with in the environment:
#   KERNELS='6.12 6.12-debug'  on which kernels, one after the other
#   TIME=600                   seconds for each, and no less than two rounds;
#                              boot and the search for leaks come on top
#   MODULE=FILE                the mmapdemo.ko to load; default: it is built
#   HOURS=1                    soak: for how long, in all
# With "soak" the fuzzer takes turns with that, on the one kernel that it runs on.
# stdout has a table, a line each 20 s, and for each kernel the line
#   KERNEL: N operations, N faults, N killed, N OOM kills, N coredumps, N
#   hotplugs, N unloads refused, N mismatches, N reports, drift N KiB
# The last one is the same of all, after "stress: ", or "soak: " with the inputs that
# the fuzzer has run; its drift is the largest.
# Exit status: 0; 1 a mismatch, a report of a kernel, memory that is gone, a
# guest that died, or something of this list that never happened; 2 there is no such
# kernel or file.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"
. "$(dirname "$0")/../lib/fuzzer.sh"

KERNELS=${KERNELS:-6.12 6.12-debug}
TIME=${TIME:-600}
WHAT=stress FUZZER=()
COLUMNS_SHOWN=(seconds operations pages faults killed oom_kills hotplugs refused reports mismatches drift)
declare -A TOTAL VALUE
FAILED=''

# read_values FILE - its `name value` lines, into VALUE; none, where there is no FILE
read_values()
{
	local name value

	VALUE=()
	[ -e "$1" ] || return 0
	while read -r name value; do
		VALUE[$name]=$value
	done <"$1"
}

# show NAME FILE - prints a line of the table for each 20 s, until killed
show()
{
	local name seconds=-1

	printf '%-10s' "$1"
	printf ' %10s' "${COLUMNS_SHOWN[@]}"
	echo
	while sleep 20; do
		read_values "$2"
		[ "${VALUE[seconds]--1}" != "$seconds" ] || continue
		seconds=${VALUE[seconds]}
		printf '%-10s' "$1"
		for name in "${COLUMNS_SHOWN[@]}"; do
			printf ' %10s' "${VALUE[$name]-}"
		done
		echo
	done
}

# summary PREFIX - of VALUE, in one line
summary()
{
	printf '%s: %d operations, ' "$1" "${VALUE[operations]-0}"
	[ ${#FUZZER[@]} = 0 ] || printf '%d executions, ' "${VALUE[executions]-0}"
	printf '%d faults, %d killed, %d OOM kills, %d coredumps, %d hotplugs, ' "${VALUE[faults]-0}" "${VALUE[killed]-0}" \
		"${VALUE[oom_kills]-0}" "${VALUE[coredumps]-0}" "${VALUE[hotplugs]-0}"
	printf '%d unloads refused, %d mismatches, %d reports, drift %d KiB\n' "${VALUE[refused]-0}" \
		"${VALUE[mismatches]-0}" "${VALUE[reports]-0}" "${VALUE[drift]-0}"
}

add_up()
{
	local name

	for name in "${!VALUE[@]}"; do
		case $name in
		drift) [ "${VALUE[drift]#-}" -lt "${TOTAL[drift]-0}" ] || TOTAL[drift]=${VALUE[drift]#-} ;;
		*) TOTAL[$name]=$((${TOTAL[$name]-0} + ${VALUE[$name]})) ;;
		esac
	done
}

# stress_kernel NAME
stress_kernel()
{
	local kernel=$1 run=$CACHE/results/$WHAT-$1 rc=0 table words=''

	lock "results-$WHAT-$kernel"
	rm -rf "$run"
	mkdir -p "$run"
	[ ${#FUZZER[@]} = 0 ] || words=$(fuzz_current "$run/current")
	# The size of a RAM disk is the kernel's to know where it is built in.
	show "$kernel" "$run/figures" &
	table=$!
	KERNEL=$kernel PARAMS='' RW='' RUN=$run TIMEOUT=$((TIME * 2 + 900)) CHECK_LEAKS=1 CALLER=$TOP \
		APPEND='brd.rd_nr=1 brd.rd_size=65536' QEMU_WORDS=$words \
		CMD=$(printf '%q ' "$TOP/scripts/guest/stress.py" "$TIME" "${FUZZER[@]}") \
		"$TOP/scripts/guest/vm.sh" </dev/null >&2 || rc=$?
	kill $table
	wait $table 2>/dev/null || true
	read_values "$run/figures"
	VALUE[reports]=$(log_reports "$run/kernel.log" | wc -l) || true
	[ $rc = 0 ] || {
		FAILED+=" $kernel"
		say "$kernel: failed, with status $rc; its files are in $run"
	}
	unlock "results-$WHAT-$kernel"
}

known 'kind of stress' soak "$@"
if [ "${1-}" = soak ]; then
	HOURS=${HOURS:-1}
	need_decimal HOURS
	TIME=$(awk -v hours="$HOURS" 'BEGIN { printf "%d\n", hours * 3600 }')
	fuzz_build
	WHAT=soak KERNELS=$FUZZ_KERNEL
	# guest/stress.py looks there for what it leaves.
	out=/tmp/mmapdemo-stress/fuzz
	# shellcheck disable=SC2206 # a list of words
	FUZZER=("$(fuzz_command "$FUZZ_DIR/fuzz" $out $out/corpus $out/seeds "$TOP/selftests/fuzz/corpus")" $FUZZ_PARAMS)
	export MODULE=$FUZZ_DIR/tree/module/mmapdemo.ko
	COLUMNS_SHOWN=("${COLUMNS_SHOWN[@]:0:2}" executions "${COLUMNS_SHOWN[@]:2}")
else
	# shellcheck disable=SC2086 # KERNELS is a list of words
	known_kernels $KERNELS
	need_numbers TIME
	[ "${MODULE-}" = none ] || need_file MODULE
fi
need fio:fio stress-ng:stress-ng python3:/usr/bin/python3 procps:pkill
for kernel in $KERNELS; do
	"$TOP/scripts/kernels/kernel.sh" "$kernel" >/dev/null
done
lines=()
for kernel in $KERNELS; do
	stress_kernel "$kernel"
	lines+=("$(summary "$kernel")")
	add_up
done
printf '%s\n' "${lines[@]}"
VALUE=()
for name in "${!TOTAL[@]}"; do
	VALUE[$name]=${TOTAL[$name]}
done
summary $WHAT
[ ! "$FAILED" ]
