# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # VALUE is a list by names
#
# What guest/stress.sh counts, and the memory that it measures. Sourced by it after
# common.sh, which has VALUE and read_values().
#
# In:   since prepare() of that script OOM_KILLS and SWAPPED, the counts at its start
# Sets: DIR, where its files are
# Out:  /run/mmapdemo/figures, `name value` lines, renewed every two seconds:
#   seconds     since the start
#   rounds      that have ended
#   operations  of fio (4 KiB each), stress-ng on the node, the workers, the fuzzer
#   executions  inputs of the fuzzer
#   verified    of these fio's reads whose content it verified
#   pages       that went into the store, or out of it by a discard or a resize
#   faults      killed  stopped  oom_kills  coredumps  hotplugs  swapped (pages)
#   refused     attempts to unload the module while it was in use
#   sigbus      at the pool's cap or past the end     enospc  writes at the cap
#   mismatches  content, or an end of a program, that is not as it must be
#   reports     of the kernel since the module was loaded first
#   drift       KiB in use, more than after the first round

DIR=/tmp/mmapdemo-stress
FIGURES=/run/mmapdemo/figures
STATS=/sys/kernel/debug/mmapdemo/stats
PAGE_KIB=$(($(getconf PAGESIZE) / 1024))
NAMES=(seconds rounds operations executions verified pages faults killed stopped oom_kills coredumps hotplugs
	swapped refused sigbus enospc mismatches reports drift)

declare -A BEFORE NOW	# figures of the rounds that have ended, and of this one
BASELINE=

mismatch()
{
	echo "stress: mismatch: $*" >&2
	BEFORE[mismatches]=$((${BEFORE[mismatches]:-0} + 1))
}

# value_of FILE NAME
value_of()
{
	read_values "$1"
	echo "${VALUE[$2]:-0}"
}

look()
{
	local name

	if [ -e $DIR/victims ]; then
		read_values $DIR/victims
		for name in operations mismatches killed stopped coredumps refused enospc; do
			NOW[$name]=${VALUE[$name]:-0}
		done
	fi
	if [ -e $STATS ]; then
		read_values $STATS
		NOW[pages]=$((VALUE[pool_allocated] + VALUE[pool_recycled] + VALUE[discarded]))
		NOW[faults]=$((VALUE[fault_read] + VALUE[fault_write] + VALUE[fault_cow]))
		NOW[sigbus]=$((VALUE[sigbus_size] + VALUE[sigbus_cap]))
	fi
	# These count on over all rounds.
	BEFORE[seconds]=$SECONDS
	read_values $DIR/hotplugs
	BEFORE[hotplugs]=${VALUE[hotplugs]:-0}
	read_values $DIR/cgroup/oom/memory.events
	BEFORE[oom_kills]=$((VALUE[oom_kill] - OOM_KILLS))
	read_values /proc/vmstat
	BEFORE[swapped]=$((VALUE[pswpout] - SWAPPED))
	if [ $DIR/kernel.log -nt $DIR/scanned ]; then
		: >$DIR/scanned
		BEFORE[reports]=$(log_reports $DIR/kernel.log | wc -l) || true
	fi
	write_figures
}

write_figures()
{
	local name

	for name in "${NAMES[@]}"; do
		printf '%s %d\n' "$name" $((${BEFORE[$name]:-0} + ${NOW[$name]:-0}))
	done >$FIGURES.new
	# Whoever reads it on the host finds either the old or the new.
	mv $FIGURES.new $FIGURES
}

# The round's own become part of the others.
add_up()
{
	local name

	for name in "${!NOW[@]}"; do
		BEFORE[$name]=$((${BEFORE[$name]:-0} + ${NOW[$name]}))
	done
	NOW=()
	rm -f $DIR/victims
}

# What is neither free, on per-CPU lists included, nor can be dropped, nor a
# program's: in KiB. With KASAN what slab has freed stays with it for long, and
# the stacks that it keeps become more and more, in pools of four pages
# (lib/stackdepot.c): there kmemleak looks at slab.
memory_used()
{
	local kasan=0 depot=/sys/kernel/debug/stackdepot/stats

	if [ -e $depot ]; then kasan=1; else depot=/dev/null; fi
	awk -v kib="$PAGE_KIB" -v kasan=$kasan '
		$1 == "pages" && $2 == "free"		{ free += $3 }
		$1 == "count:"				{ free += $2 }
		$1 == "pools:"				{ free += 4 * $2 }
		FILENAME == "/proc/vmstat" && /^nr_(file_pages|anon_pages) / { free += $2 }
		$1 == "MemTotal:"			{ total = $2 }
		/^(SReclaimable|KernelStack|PageTables):/ { other += $2 }
		$1 == "SUnreclaim:" && kasan		{ other += $2 }
		END	{ print total - free * kib - other }' /proc/zoneinfo /proc/vmstat /proc/meminfo $depot
}

# measure - sets the drift; what has just ended is not all back at once, and the huge
# zero page (2 MiB, mm/huge_memory.c) stays until it is asked for
measure()
{
	local used least=

	echo 2 >/proc/sys/vm/drop_caches
	for _ in 1 2 3 4 5 6; do
		cat /proc/sys/vm/stat_refresh
		used=$(memory_used)
		[ "$least" ] && [ "$least" -le "$used" ] || least=$used
		[ -z "$BASELINE" ] || [ $((least - BASELINE)) -gt 128 ] || break
		sleep 1
	done
	: "${BASELINE:=$least}"
	BEFORE[drift]=$((least - BASELINE))
}
