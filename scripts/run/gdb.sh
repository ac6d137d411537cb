#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A guest under gdb, which knows the kernel's and the module's symbols and the
# kernel's own commands (lx-...), and stops it in the module's fault handler when
# a program there touches a page.
#
# Usage: gdb.sh, with in the environment:
#   CMD='...'          what bash runs in the guest; default: a program that maps
#                      the device and writes to page 7, every second
#   BREAK=FUNCTION     where to stop; default: mmapdemo_fault
#   GDB_COMMANDS=FILE  gdb's commands from the first stop on, and then the end;
#                      default: gdb's prompt
#   PARAMS='...'       module parameters
#   TIMEOUT=600        seconds after which the guest is ended; default: never
#   KERNEL=6.12-gdb    on which kernel, of those that are built from source; only
#                      the default has debug information
# The command's output, and the kernel's log at the end, go to files that are
# named at the start. When gdb ends, so does the guest.
# Exit status: gdb's; 1 when the guest did not come up; 2 there is no such kernel,
# function or file.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"

# A write to a shared mapping that is new asks the handler each time; for a read
# the core would map a page that exists by itself.
TOUCH='import mmap, os, time
fd = os.open("/dev/mmapdemo", os.O_RDWR)
while True:
    with mmap.mmap(fd, 64 * mmap.PAGESIZE) as mapping:
        mapping[7 * mmap.PAGESIZE] = 1
    time.sleep(1)'

# The module's symbols can be loaded when its memory is there, and not much
# later, for the breakpoint to be set before anybody opens the device. KVM knows
# software breakpoints only in memory that the kernel is in already.
gdb_setup()
{
	cat <<-END
		set pagination off
		set confirm off
		set filename-display basename
		set substitute-path $OUT/tree "$TOP"
		target remote $SCRATCH/socket
		thbreak do_init_module
		continue
		lx-symbols $OUT/tree/module
		cd $CALLER
		break $BREAK
		continue
	END
}

# can_break FILE - whether gdb finds in it what BREAK says
can_break()
{
	local said

	said=$(gdb -q -batch -nx -iex 'set auto-load no' -ex "break $BREAK" "$1" 2>/dev/null) || true
	[[ $said == 'Breakpoint 1 at '* ]]
}

check_break()
{
	local ko=$OUT/tree/module/mmapdemo.ko

	can_break "$ko" || can_break "$KERNEL_DIR/build/vmlinux" ||
		refuse "no function is called '$BREAK'; there are: $(nm "$ko" |
			awk '$2 ~ /[tT]/ && $3 ~ /^mmapdemo_/ { printf "%s ", $3 }')and the kernel's"
}

# Its own session: Ctrl-C is for gdb, and would end QEMU.
start_guest()
{
	CMD=${CMD:-"/usr/bin/python3 -c '$TOUCH'"} RW='' \
		QEMU_WORDS="-S -chardev socket,id=gdb,path=$(for_qemu "$SCRATCH/socket"),server=on,wait=off -gdb chardev:gdb" \
		setsid "$TOP/scripts/guest/vm.sh" </dev/null >"$CACHE/logs/gdb-guest" 2>&1 &
	GUEST=$!
	until [ -S "$SCRATCH/socket" ]; do
		! wait_for $GUEST 1 ||
			die "the guest did not come up:" "$(tail -n 5 "$CACHE/logs/gdb-guest")"
	done
}

end_guest()
{
	if [ -n "$GUEST" ]; then
		kill "$GUEST" 2>/dev/null || true
		wait "$GUEST" || true
	fi
	rm -rf "$SCRATCH"
}

BREAK=${BREAK:-mmapdemo_fault}
export KERNEL=${KERNEL:-6.12-gdb} CALLER=${CALLER:-$PWD}
known_built_kernels "$KERNEL"
need_numbers TIMEOUT
need_file GDB_COMMANDS
need gdb:gdb binutils:nm python3:/usr/bin/python3
KERNEL_DIR=$("$TOP/scripts/kernels/kernel.sh" "$KERNEL")
OUT=$("$TOP/scripts/kernels/build.sh" "$KERNEL" module)
check_break
GUEST=''
SCRATCH=$(mktemp -d)
trap end_guest EXIT
gdb_setup >"$SCRATCH/setup"
MODE=()
[ -z "${GDB_COMMANDS-}" ] || MODE=(-batch -x "$GDB_COMMANDS")
start_guest
say "the command's output: $CACHE/logs/gdb-guest; the kernel's log: lx-dmesg"
# Where lx-symbols looks for modules, next to where it is told to.
cd "$OUT/tree/module"
# Not exec: the guest is to end.
gdb -q -iex "add-auto-load-safe-path $KERNEL_DIR" -iex "add-auto-load-safe-path $KERNEL_DIR/src/" \
	"$KERNEL_DIR/build/vmlinux" -x "$SCRATCH/setup" "${MODE[@]}"
