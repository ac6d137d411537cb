#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make gdb stops in the module's fault handler when a program in the guest touches
# a page, with what a debugger is to know there: lines of the work tree's source,
# the way through the core, the arguments, and the kernel's own objects.
# Runs on the host; boots one guest of 6.12-gdb.
#
# Output: KTAP.
. "$(dirname "$0")/tools.bash"

# Two pages that are far apart: fault-around is for reads, each write has a fault.
TOUCH='import mmap, os
fd = os.open("/dev/mmapdemo", os.O_RDWR)
mapping = mmap.mmap(fd, 64 * mmap.PAGESIZE, offset=8 * mmap.PAGESIZE)
mapping[3 * mmap.PAGESIZE] = mapping[34 * mmap.PAGESIZE] = 1'

gdb_commands()
{
	cat <<-'END'
		printf "first: pgoff %lu by %s\n", vmf->pgoff, $lx_current().comm
		backtrace
		info source
		lx-lsmod
		continue
		printf "second: pgoff %lu\n", vmf->pgoff
	END
}

# Its temporary files are below ours, which tells its QEMU from others.
run_gdb()
{
	gdb_commands >"$TMP/commands"
	TMPDIR=$TMP CMD="exec /usr/bin/python3 -c '$TOUCH'" GDB_COMMANDS=$TMP/commands TIMEOUT=300 \
		make -s -C "$TOP" gdb >"$TMP/gdb" 2>&1 </dev/null
}

# gdb_said REGEX - and all that it said, where it did not
gdb_said()
{
	grep -E "$1" "$TMP/gdb" || { cat "$TMP/gdb"; return 1; }
}

# An address stands before a function's name, unless it was inlined.
frame()
{
	gdb_said "^#$1 +(0x[0-9a-f]+ in )?$2 \\(.* at $3:[0-9]+\$"
}

backtrace_leads_through_the_core()
{
	frame 0 mmapdemo_fault fault.c && frame '[0-9]+' handle_mm_fault memory.c &&
		frame '[0-9]+' exc_page_fault fault.c
}

# It was told to end, and may need a moment.
no_qemu_is_left()
{
	local tries=10

	while pgrep -af "path=$TMP/"; do
		tries=$((tries - 1))
		[ $tries != 0 ] || return 1
		sleep 0.5
	done
}

break_in_nothing()
{
	local rc=0

	BREAK=nonsense "$TOP/scripts/run/gdb.sh" >"$TMP/refused" 2>&1 </dev/null || rc=$?
	cat "$TMP/refused"
	[ $rc = 2 ] && ! grep -q booting "$TMP/refused" &&
		grep -q "^mmapdemo: no function is called 'nonsense'; there are: .*mmapdemo_fault" "$TMP/refused"
}

start 8
check "make gdb runs gdb's commands, and ends" run_gdb
check "it stops in mmapdemo_fault, called by the core's handle_mm_fault" backtrace_leads_through_the_core
check "vmf->pgoff is the page that the program touched" gdb_said '^first: pgoff 11 by python3$'
check "it stops again for the next page" gdb_said '^second: pgoff 42$'
check "the source is the work tree's" gdb_said "^Located in $TOP/module/fault.c\$"
check "lx-lsmod shows mmapdemo" gdb_said '^0x[0-9a-f]+ mmapdemo +[0-9]+ +[1-9]'
check "no QEMU is left" no_qemu_is_left
check "a function that there is not is refused, and nothing boots" break_in_nothing
ktap_finished
