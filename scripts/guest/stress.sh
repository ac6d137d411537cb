#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Real tools on the device, and all the misfortune that a machine has for them,
# in rounds; run/stress.sh boots a guest with this as the command, and any other may
# call it there.
#
# Usage: stress.sh SECONDS [FUZZER]
# With FUZZER, what fuzz_build() has built, this runs after each round for as long,
# on the corpus that it has found so far.
# In:  MODULE   the module's file, which each round loads anew
# In a round, all at once: fio, whose mmap and psync engines verify what they
# wrote, each on a range of its own and several on one; fio that only reads and
# writes; stress-ng on the node and, for the memory around it, beside it, once
# more in a cgroup that swaps; what victims.py has; CPU 1 that goes and
# comes. Then all end, what had to stay is verified, and the module goes. The
# rounds differ in fault_mode, and in a pool that is smaller than the device.
# After the first the memory in use is measured, and compared after each other.
#
# Out: /run/mmapdemo/figures, what stress-figures.sh counts and measures.
# What is wrong goes to stderr. The module is left loaded with its defaults.
# Exit status: 0; 1 mismatches, reports, a drift of 1 MiB or more, or one of all
# these things has not happened even once.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"
. "$(dirname "$0")/../lib/fuzzer.sh"
. "$(dirname "$0")/stress-figures.sh"

PATH=$PATH:/usr/sbin:/sbin
SECONDS_MAX=$1 FUZZER=${2-}
CPU=/sys/devices/system/cpu/cpu1/online
# What has to happen for a run to be worth its name.
INGREDIENTS=(operations verified pages faults killed stopped oom_kills coredumps hotplugs swapped
	refused sigbus enospc)
[ -z "$FUZZER" ] || INGREDIENTS+=(executions)
DRIFT_MAX=1024

SIGBUS=()		# not every stress-ng has this
! stress-ng --help | grep -q -e --sigbus || SIGBUS=(--sigbus 1)
PIDS=() ASIDES=()

# --- What runs in a round ---------------------------------------------------

# at MIB LENGTH - fio's options for a range. This fio knows no offset on a device
# whose size it cannot find out: it begins at 0, but goes to the range alone.
at()
{
	local before=''

	[ "$1" = 0 ] || before=0/$1m:
	printf 'size=%dm\nrandom_distribution=zoned_abs:%s100/%dm\n' $(($1 + $2)) "$before" "$2"
}

# What fio, of which nobody is killed, has below 6 MiB; from 8 to 24 MiB it is
# for "mixed". Writers that share a range write the same to it.
verifying_jobs()
{
	cat <<-END
	[global]
	filename=/dev/mmapdemo
	bs=4k
	time_based
	runtime=$1
	randrepeat=0
	verify_fatal=1
	verify_backlog=64
	verify=crc32c
	[mmap-write]
	ioengine=mmap
	rw=randwrite
	$(at 0 1)
	[mmap-mixed]
	ioengine=mmap
	rw=randrw
	fsync=32
	$(at 1 1)
	[psync-write]
	ioengine=psync
	rw=randwrite
	$(at 2 1)
	[psync-mixed]
	ioengine=psync
	rw=randrw
	$(at 3 1)
	[same-mmap]
	ioengine=mmap
	rw=randwrite
	numjobs=2
	verify=pattern
	verify_pattern=%o
	$(at 4 2)
	[same-psync]
	ioengine=psync
	rw=randwrite
	verify=pattern
	verify_pattern=%o
	$(at 4 2)
	END
}

# keep, is_kept - content that nobody touches in between
keep()
{
	head -c 2M /dev/urandom >$DIR/kept
	dd if=$DIR/kept of=/dev/mmapdemo bs=1M seek=6 status=none
}

is_kept()
{
	cmp -n 2M $DIR/kept /dev/mmapdemo 0 6M >&2
}

# Whoever dies in this is started again.
mixed()
{
	while :; do
		fio --name=mixed --filename=/dev/mmapdemo --bs=4k --rw=randrw --size=24m \
			--random_distribution=zoned_abs:0/8m:100/16m --ioengine="$1" --time_based --runtime=600 >/dev/null 2>&1 || true
		sleep 0.5
	done
}

# stress-ng, as it starts, asks for the caches of each CPU, and dies when one goes
# meanwhile.
hotplug()
{
	local each nr

	for each in dev beside; do
		until [[ $(<$DIR/$each.out) = *'starting stressors'* ]]; do
			sleep 1
		done
	done
	nr=$(value_of $DIR/hotplugs hotplugs)
	while :; do
		if echo 0 >$CPU && echo 1 >$CPU; then
			nr=$((nr + 1))
			echo "hotplugs $nr" >>$DIR/hotplugs
		fi 2>/dev/null
		sleep $((2 + RANDOM % 3))
	done
}

# root's madvise would poison pages, which are gone for good.
as_nobody()
{
	cd $DIR/tmp
	exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

# Its programs are charged to the cgroup, which has no room for them but in swap. They
# are a group of processes of their own, for start_swapping.
swapping()
{
	echo $BASHPID >$DIR/cgroup/swap/cgroup.procs
	exec setsid stress-ng --temp-path $DIR/tmp --timeout "$1" --vm 1 --vm-bytes 20M
}

# launch NICENESS NAME COMMAND... - in the background, with its output in a file. This
# script's own priority is the highest, or its turn would come once a minute, on a slow
# kernel.
launch()
{
	local nice=$1 name=$2

	shift 2
	: >"$DIR/$name.out"	# now: hotplug is not to read that of the last round
	{
		renice -n "$nice" $BASHPID >/dev/null
		"$@"
	} >"$DIR/$name.out" 2>&1 &
}

# start NAME COMMAND... - it ends by itself, with status 0
start()
{
	launch 0 "$@"
	PIDS+=("$1:$!")
}

# start_aside NICENESS NAME COMMAND... - goes on until end_asides; with more than 0
# the others have more of the CPUs, with 15 they would have all
start_aside()
{
	launch "$@"
	ASIDES+=($!)
}

# kill_all PATTERN... - pkill's; who forks meanwhile leaves one that it has missed
kill_all()
{
	while pkill -KILL "$@"; do
		sleep 0.2
	done
}

end_asides()
{
	# The loops first, or they would start others. Bash has a word for each that is
	# killed, which nobody needs.
	{
		kill "${ASIDES[@]}" || true
		kill_all -f '^fio --name=mixed'
		kill_all stress-ng
		wait "${ASIDES[@]}" || true
	} 2>/dev/null
	ASIDES=()
	echo 1 >$CPU 2>/dev/null || true
	rm -rf $DIR/tmp/*
	! grep -h ' fail: ' $DIR/beside.out $DIR/swapping.out >&2 || mismatch "in stress-ng's own memory"
}

# start_swapping SECONDS - returns once pages go out: beside the others it might
# not get that far on a slow machine
start_swapping()
{
	local end=$((SECONDS + 60)) before

	before=$(value_of /proc/vmstat pswpout)
	start_aside 0 swapping swapping $(($1 + 120))
	until [ "$(value_of /proc/vmstat pswpout)" != "$before" ] || [ $SECONDS -gt $end ]; do
		sleep 0.5
	done
	renice -n 5 -g $! >/dev/null
}

# start_tools SECONDS - fio and stress-ng
start_tools()
{
	verifying_jobs "$1" >$DIR/jobs
	start fio fio --output=$DIR/fio --output-format=terse --terse-version=3 $DIR/jobs
	start dev stress-ng -v --temp-path $DIR/tmp --timeout "$1" --metrics-brief \
		--dev 1 --dev-file /dev/mmapdemo
	start_aside 5 beside as_nobody stress-ng -v --temp-path $DIR/tmp --timeout $(($1 + 120)) \
		--vm 1 --vm-bytes 8M --mmap 1 --mmap-bytes 4M --fork 1 --madvise 1 --mlock 1 \
		--msync 1 --msync-bytes 1M "${SIGBUS[@]}"
}

# start_misfortune SECONDS
start_misfortune()
{
	start victims nice -n -10 "$(dirname "$0")/victims.py" "$1" $DIR
	start_aside 5 mixed-mmap mixed mmap
	start_aside 5 mixed-psync mixed psync
	start_aside 0 hotplug hotplug 9<&-
}

# end_all SECONDS - waits for all these, but no longer than that
end_all()
{
	local each name pid rc end=$((EPOCHSECONDS + $1))

	for each in "${PIDS[@]}"; do
		name=${each%:*} pid=${each#*:}
		while ! wait_for "$pid" 2; do
			look
			if [ $EPOCHSECONDS -gt $end ]; then
				mismatch "$name does not end"
				ps -eo pid,stat,wchan:30,args >&2
				kill -KILL "$pid"
			fi
		done
		wait "$pid" && rc=0 || rc=$?
		[ $rc = 0 ] || {
			mismatch "$name ended with status $rc"
			grep -v metrc: "$DIR/$name.out" | tail -n 15 >&2
		}
		grep -h 'stress: mismatch' "$DIR/$name.out" >&2 || true
	done
	PIDS=()
}

# What is only known at the end.
look_at_results()
{
	local dev read written

	look
	read -r read written < <(awk -F';' '$1 == 3 { r += $6; w += $47 } END { print int(r / 4), int(w / 4) }' $DIR/fio)
	dev=$(awk '$4 == "dev" { print $5 }' $DIR/dev.out)
	[ "${dev:-0}" != 0 ] || mismatch "stress-ng did nothing to the node"
	NOW[verified]=$read
	NOW[operations]=$((NOW[operations] + read + written + ${dev:-0}))
}

# --- A round ----------------------------------------------------------------

# load NUMBER - as it is to be in this round
load()
{
	local params=(fault_mode=map_pages size=64M)

	[ $(($1 % 2)) = 0 ] || params[0]=fault_mode=insert
	[ $(($1 % 3)) != 1 ] || params+=(pool_size=9M)
	insmod "${MMAPDEMO_KO:-$MODULE}" "${params[@]}"
}

# A process that was just killed may need a moment to let go of it.
unload()
{
	local tries=100

	while ! rmmod mmapdemo 2>$DIR/rmmod; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || {
			mismatch "$(cat $DIR/rmmod)"
			grep -ls '/dev/mmapdemo' /proc/[0-9]*/maps >&2 || true
			ps -eo pid,ppid,stat,args >&2
			return 1
		}
		sleep 0.1
	done
}

# round NUMBER SECONDS
round()
{
	local end

	load "$1" || return
	exec 9</dev/mmapdemo
	# Where the pool is small, these have their pages before it is full.
	dd if=/dev/zero of=/dev/mmapdemo bs=1M count=6 status=none
	keep
	start_swapping "$2"
	start_tools "$2"
	start_misfortune "$2"
	end=$((SECONDS + $2))
	while [ $SECONDS -lt $end ]; do
		sleep 2
		look
	done
	end_all 900
	end_asides
	look_at_results
	is_kept || mismatch "what nobody has touched since it was written"
	exec 9>&-
	unload || return
	add_up
	BEFORE[rounds]=$((${BEFORE[rounds]:-0} + 1))
}

# fuzz SECONDS - what it finds ends it, and is left for the host
fuzz()
{
	local pid

	mkdir -p $DIR/fuzz/corpus
	# shellcheck disable=SC2086 # a list of words
	insmod "${MMAPDEMO_KO:-$MODULE}" $FUZZ_PARAMS
	bash -c "$(fuzz_command "$FUZZER" $DIR/fuzz "-max_total_time=$1" $DIR/fuzz/corpus \
		$DIR/fuzz/seeds "$TOP/selftests/fuzz/corpus")" >$DIR/fuzz.out 2>&1 &
	pid=$!
	until wait_for $pid 2; do
		look
	done
	wait $pid || {
		mismatch "the fuzzer ended with status $?"
		grep '^# ' $DIR/fuzz.out | tail -n 80 >&2
		cp $DIR/fuzz/found-* /run/mmapdemo/ || true
	}
	look
	read_values $DIR/fuzz/figures
	NOW[executions]=${VALUE[executions]:-0}
	NOW[operations]=${VALUE[operations]:-0}
	unload
	add_up
}

# --- The whole --------------------------------------------------------------

# The disk is filled once, so that swapping takes no memory later.
make_swap()
{
	[ -b /dev/ram0 ] || modprobe brd rd_nr=1 rd_size=65536
	dd if=/dev/zero of=/dev/ram0 bs=1M status=none 2>/dev/null || true
	mkswap /dev/ram0 >/dev/null
	swapon /dev/ram0
}

make_cgroups()
{
	mkdir -p $DIR/cgroup
	mount -t cgroup2 none $DIR/cgroup
	echo +memory >$DIR/cgroup/cgroup.subtree_control
	mkdir -p $DIR/cgroup/oom $DIR/cgroup/swap
	echo 24M >$DIR/cgroup/oom/memory.max
	echo 0 >$DIR/cgroup/oom/memory.swap.max
	echo 12M >$DIR/cgroup/swap/memory.max
}

prepare()
{
	rm -rf $DIR
	mkdir -p $DIR/tmp
	chmod 777 $DIR/tmp
	: >$DIR/hotplugs
	make_cgroups
	make_swap
	OOM_KILLS=$(value_of $DIR/cgroup/oom/memory.events oom_kill)
	SWAPPED=$(value_of /proc/vmstat pswpout)
	echo $DIR/core.%p >/proc/sys/kernel/core_pattern
	# The kernel forgets its first lines in the end.
	dmesg -w >$DIR/kernel.log &
	WATCH=$!
	! grep -q '^mmapdemo ' /proc/modules || rmmod mmapdemo
}

cleanup()
{
	kill "$WATCH" || true
	swapoff /dev/ram0
	umount -l $DIR/cgroup
	grep -q '^mmapdemo ' /proc/modules || insmod "${MMAPDEMO_KO:-$MODULE}"
}

# missing - prints what has not happened yet; true when there is something
missing()
{
	local name none=1

	read_values $FIGURES
	for name in "${INGREDIENTS[@]}"; do
		[ "${VALUE[$name]}" = 0 ] || continue
		echo "stress: never happened: $name"
		none=0
	done
	return $none
}

# verdict - what is wrong, in words; true when nothing is
verdict()
{
	local rc=0

	! missing >&2 || rc=1
	[ "${VALUE[mismatches]}${VALUE[reports]}" = 00 ] || rc=1
	[ "${VALUE[drift]#-}" -lt $DRIFT_MAX ] || {
		echo "stress: memory in use has changed by ${VALUE[drift]} KiB" >&2
		rc=1
	}
	return $rc
}

SECONDS=0
renice -n -15 $$ >/dev/null
prepare
# To begin and end a round takes as long again, on a slow machine several times:
# with an eighth there are some all the same. None is longer than a minute.
LENGTH=$((SECONDS_MAX / 8))
# Half of a soak is the fuzzer's.
[ -z "$FUZZER" ] || LENGTH=$((LENGTH / 2))
LENGTH=$((LENGTH < 10 ? 10 : LENGTH > 60 ? 60 : LENGTH))
NUMBER=0
# On a slow machine a round may be too short for some of it: then there are more.
while [ $SECONDS -lt "$SECONDS_MAX" ] || [ $NUMBER -lt 2 ] ||
	{ [ $NUMBER -lt 12 ] && missing >/dev/null; }; do
	round $NUMBER $LENGTH || break
	[ -z "$FUZZER" ] || fuzz $LENGTH || break
	measure
	look
	NUMBER=$((NUMBER + 1))
done
look
cleanup
verdict
