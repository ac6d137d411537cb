#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The tools that people watch a kernel with understand the tracepoints of
# mmapdemo: trace-cmd, perf and bpftrace see what dd does to the device, in
# numbers; and what the tour does, in words.
#
# Output: KTAP. A tool that is not installed, or that this kernel cannot serve,
# is a skip that names what is missing.
. "$(dirname "$0")/lib.sh"

PAGE=$(getconf PAGE_SIZE)
TOUR=$(dirname "$0")/tour

# write_at PAGE - what makes two pages, from PAGE on, dirties and cleans them
write_at()
{
	echo "/bin/dd if=/dev/zero of=$DEVICE bs=$PAGE seek=$1 count=2 conv=fsync status=none"
}

# expect NUMBER PATTERN - so many lines of what the tool reported
expect()
{
	found=$(grep -cE "$2" "$TMP/report")
	[ "$found" = "$1" ] && return
	echo "$found lines, not $1, match: $2"
	return 1
}

expect_words()
{
	for pattern in 'mmapdemo_fault: .* kind=write outcome=page' \
		'mmapdemo_map_pages: .* outcome=mapped' 'mmapdemo_sigbus: .* reason=size'; do
		grep -qE "$pattern" "$TMP/report" && continue
		echo "no line matches: $pattern"
		return 1
	done
}

# trace_cmd COMMAND... - leaves its events in the report
trace_cmd()
{
	trace-cmd record -q -e mmapdemo -o "$TMP/dat" "$@" >/dev/null && trace-cmd report -i "$TMP/dat" >"$TMP/report"
}

trace_cmd_counts()
{
	# shellcheck disable=SC2046 # words
	trace_cmd $(write_at 3) && expect 1 'mmapdemo_make: +device=0 pgoff=3$' && expect 2 'mmapdemo_dirty: ' &&
		expect 2 'mmapdemo_clean: '
}

trace_cmd_words()
{
	trace_cmd "$TOUR" -f && expect_words
}

perf_counts()
{
	# shellcheck disable=SC2046 # words
	perf record -q -a -e 'mmapdemo:*' -o "$TMP/perf" -- $(write_at 5) >/dev/null &&
		perf script -i "$TMP/perf" >"$TMP/report" && expect 1 'mmapdemo:mmapdemo_make: device=0 pgoff=5' &&
		expect 2 'mmapdemo:mmapdemo_dirty: ' && expect 2 'mmapdemo:mmapdemo_clean: '
}

# By the names of fields, as people write their one-liners.
bpftrace_fields()
{
	bpftrace -c "$(write_at 7)" -e 'tracepoint:mmapdemo:mmapdemo_make { @made[args->pgoff] = count(); }
		tracepoint:mmapdemo:mmapdemo_dirty { @dirtied = sum(args->pgoff); }' >"$TMP/report" &&
		expect 1 '^@made\[7\]: 1$' && expect 1 '^@made\[8\]: 1$' && expect 1 '^@dirtied: 15$'
}

# check_tool NEEDS FILE PACKAGE PROGRAM DESCRIPTION COMMAND - skips as well where
# the kernel has not what NEEDS names, of which FILE is a sign
check_tool()
{
	needs=$1 file=$2
	shift 2
	if [ -e "$file" ]; then
		check_with "$@"
	else
		skip "$3" "needs $needs"
	fi
}

EVENTS=/sys/kernel/tracing/events/mmapdemo/mmapdemo_fault
plan 4
# It leaves the device empty, as each tour does.
"$TOUR" -f >/dev/null
check_tool CONFIG_FTRACE $EVENTS trace-cmd trace-cmd "trace-cmd counts what dd did" trace_cmd_counts
check_tool CONFIG_PERF_EVENTS $EVENTS/id linux-perf perf "perf counts what dd did" perf_counts
check_tool CONFIG_BPF_EVENTS /sys/kernel/btf/vmlinux bpftrace bpftrace "bpftrace knows the fields" bpftrace_fields
check_tool CONFIG_FTRACE $EVENTS trace-cmd trace-cmd "trace-cmd has words for what the tour did" trace_cmd_words
ktap_finished
