#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The part of the guest that runs below the host's root: loads the module,
# runs the user's command, and afterwards sees that the module goes away.
#
# Usage (by guest/init.sh): run.sh start | finish
# In:  /run/mmapdemo/settings, command            written by vm.sh
# Out: /run/mmapdemo/status     exit status of the command
#      /run/mmapdemo/problems   what went wrong when the module was unloaded
#      /run/mmapdemo/unloaded   the module's last line in the kernel log
#      /run/mmapdemo/gcov/      what gcov counted since the boot, if it did
#      /run/mmapdemo/finished   the guest got to its end
SHARE=/run/mmapdemo
# shellcheck source=/dev/null
. $SHARE/settings
COUNTS=/sys/kernel/debug/gcov
# In scripts/ there is one program, the command mmapdemo.
PATH=$TOP/scripts:$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin

# So that modprobe finds the modules that belong to this kernel.
mount_modules()
{
	local release

	release=$(uname -r)
	[ -d "$KERNEL_DIR/lib/modules/$release" ] || return
	mkdir -p "/lib/modules/$release"
	mount --bind "$KERNEL_DIR/lib/modules/$release" "/lib/modules/$release"
}

channel()
{
	local name

	name=$(grep -lx "$1" /sys/class/virtio-ports/*/name)
	name=${name%/name}
	printf '/dev/%s\n' "${name##*/}"
}

# A leak of the kernel's own boot is not the module's.
forget_boot_leaks()
{
	[ "$CHECK_LEAKS" ] && [ -w /sys/kernel/debug/kmemleak ] || return
	echo scan >/sys/kernel/debug/kmemleak
	echo clear >/sys/kernel/debug/kmemleak
}

# Nor is what the boot ran a test's doing.
forget_boot_counts()
{
	[ ! -w $COUNTS/reset ] || echo 1 >$COUNTS/reset
}

load_module()
{
	local dmesg_lines

	dmesg_lines=$(dmesg | wc -l)
	echo "$LOG_MARKER" >/dev/kmsg
	# shellcheck disable=SC2153 # vm.sh says which
	[ "$MODULE" != none ] || return 0
	# shellcheck disable=SC2086 # PARAMS is a list of words
	insmod "$MODULE" $PARAMS && return
	dmesg | tail -n +$((dmesg_lines + 2)) |
		grep 'mmapdemo: ' | grep -v taint >&2
	return 126
}

shell_or_command()
{
	if [ -s $SHARE/command ]; then
		exec bash $SHARE/command
	fi
	cat >/run/bashrc <<-'END'
		[ -f ~/.bashrc ] && . ~/.bashrc
		. "$TOP/scripts/package/mmapdemo.bash"
		PS1='guest:\w\$ '
	END
	printf 'Linux %s with /dev/mmapdemo. ' "$(uname -r)"
	if [ "$GUEST_RW" ]; then
		printf 'What you write below %s stays; all else\nvanishes with the guest.' "$GUEST_DIR"
	else
		printf 'All that you write vanishes with the\nguest (RW=1 keeps the current directory).'
	fi
	printf ' "exit" leaves.\n'
	exec bash --rcfile /run/bashrc -i
}

run()
{
	load_module || return
	cd "$GUEST_DIR" || cd /
	shell_or_command
}

run_on_terminal()
{
	local rows columns

	read -r rows columns <<<"$GUEST_SIZE"
	stty sane rows "$rows" cols "$columns"
	run
}

# Programs get pipes, which can be opened again (/dev/stdout), unlike a port.
run_on_pipes()
{
	local out err rc pids=()

	out=$(channel out) err=$(channel err)
	mkfifo /run/out /run/err
	cat /run/out >"$out" &
	pids+=($!)
	cat /run/err >"$err" &
	pids+=($!)
	if [ "$GUEST_MERGED" ]; then
		(run) < <(cat "$(channel in)") >/run/out 2>&1
		rc=$?
		: >/run/err
	else
		(run) < <(cat "$(channel in)") >/run/out 2>/run/err
		rc=$?
	fi
	wait "${pids[@]}"
	return $rc
}

start()
{
	local rc

	mount_modules
	forget_boot_leaks
	forget_boot_counts
	if [ "$GUEST_TERMINAL" ]; then
		setsid -cw bash "$0" on-terminal </dev/hvc0 >/dev/hvc0 2>&1
	else
		run_on_pipes
	fi
	rc=$?
	echo $rc >$SHARE/status
}

# A process that was just killed may need a moment to let go of the module.
unload()
{
	local module=$1 tries=25 message

	while ! message=$(rmmod "$module" 2>&1); do
		tries=$((tries - 1))
		if [ $tries = 0 ]; then
			echo "$message" >>$SHARE/problems
			return 1
		fi
		sleep 0.2
	done
}

# Of the kernel's objects, and of modules, though they are gone by now: the
# kernel keeps those counts, and adds to them when the module is loaded again.
save_counts()
{
	local file

	[ -d $COUNTS ] || return
	(cd $COUNTS && find . -name '*.gcda') | while read -r file; do
		mkdir -p "$SHARE/gcov/${file%/*}"
		# cp would trust the size, which debugfs says is 0.
		cat "$COUNTS/$file" >"$SHARE/gcov/$file"
		cp -d "$COUNTS/${file%.gcda}.gcno" "$SHARE/gcov/${file%.gcda}.gcno"
	done
}

finish()
{
	local module

	for module in mmapdemo_kunit mmapdemo; do
		grep -q "^$module " /proc/modules && unload $module
	done
	save_counts
	dmesg | grep -o 'mmapdemo: unloaded.*' | tail -n 1 >$SHARE/unloaded
	if [ "$CHECK_LEAKS" ] && [ -w /sys/kernel/debug/kmemleak ]; then
		# kmemleak looks only at what is older than five seconds, and is
		# sure only when it has seen it twice.
		sleep 6
		echo scan >/sys/kernel/debug/kmemleak
		echo scan >/sys/kernel/debug/kmemleak
		cat /sys/kernel/debug/kmemleak >$SHARE/kmemleak
		[ ! -s $SHARE/kmemleak ] || cat $SHARE/kmemleak >>$SHARE/problems
	fi
	: >$SHARE/finished
}

case $1 in
start) start ;;
on-terminal) run_on_terminal ;;
finish) finish ;;
esac
