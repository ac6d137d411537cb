#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Module parameters: each bad value makes insmod fail with EINVAL, with one
# line in the kernel log that names parameter, value and range, and with
# nothing left behind; good ones take effect; those that are writable at run
# time refuse and accept the same.
#
# Output: KTAP. Needs MMAPDEMO_KO; leaves the module loaded with its defaults.
. "$(dirname "$0")/lib.sh"

PARAMETERS=/sys/module/mmapdemo/parameters

nothing_left()
{
	! loaded || { echo "the module is loaded"; return 1; }
	for path in $DEVICE /sys/kernel/debug/mmapdemo /sys/class/misc/mmapdemo; do
		[ ! -e "$path" ] || { echo "$path was left behind"; return 1; }
	done
}

# one_line PARAMETER=VALUE RANGE - the log since log_mark
one_line()
{
	module_lines >"$TMP/lines"
	[ "$(wc -l <"$TMP/lines")" = 1 ] && grep -qF "$1" "$TMP/lines" &&
		grep -qE "$2" "$TMP/lines" && return
	echo "expected one line with $1 and its range, got:"
	cat "$TMP/lines"
	return 1
}

# refuses PARAMETER=VALUE RANGE - at insmod
refuses()
{
	log_mark
	if message=$(insmod "$MMAPDEMO_KO" "$1" 2>&1); then
		echo "insmod took it"
		rmmod mmapdemo
		return 1
	fi
	# kmod's words for EINVAL
	case $message in
	*"Invalid parameters"* | *"Invalid argument"*) ;;
	*) echo "not EINVAL: $message"; return 1 ;;
	esac
	one_line "$1" "$2" && nothing_left
}

# takes PARAMETER=VALUE RESULT - at insmod; RESULT: what it reads as
takes()
{
	insmod "$MMAPDEMO_KO" "$1" || return
	got=$(cat "$PARAMETERS/${1%%=*}")
	rmmod mmapdemo && [ "$got" = "$2" ] && return
	echo "reads as $got"
	return 1
}

size_is_real()
{
	insmod "$MMAPDEMO_KO" size=132K || return
	bytes=$(dd if=$DEVICE bs=4K status=none | wc -c)
	rmmod mmapdemo
	echo "$bytes bytes"
	[ "$bytes" = $((132 * 1024)) ]
}

# refuses_now PARAMETER VALUE RANGE - at run time
refuses_now()
{
	before=$(cat "$PARAMETERS/$1")
	log_mark
	if sh -c 'printf "%s" "$1" >"$2"' sh "$2" "$PARAMETERS/$1" 2>"$TMP/error"; then
		echo "was taken"
		return 1
	fi
	cat "$TMP/error"
	[ "$(cat "$PARAMETERS/$1")" = "$before" ] && one_line "$1=$2" "$3"
}

takes_now()
{
	echo "$2" >"$PARAMETERS/$1" && [ "$(cat "$PARAMETERS/$1")" = "$3" ]
}

SIZES="0 1 4097 -1 abc 64X 0x 1.5M 99999999999999999999 16E"
SIZE_RANGE='multiple of the page size.*[0-9]+ to [0-9]+'
AROUNDS="3000 0 4M 12288 2049"
AROUND_RANGE='power of 2.*[0-9]+ to 2097152'
MODE_RANGE='map_pages.*insert'

bad_at_insmod()
{
	for value in $SIZES ''; do
		check "insmod refuses size=$value" refuses "size=$value" "$SIZE_RANGE"
	done
	# The same code reads it; what is left to see is that it is used.
	for value in 0 4097 abc; do
		check "insmod refuses pool_size=$value" refuses "pool_size=$value" "$SIZE_RANGE"
	done
	for value in $AROUNDS; do
		check "insmod refuses fault_around=$value" \
			refuses "fault_around=$value" "$AROUND_RANGE"
	done
	check "insmod refuses fault_mode=foo" refuses fault_mode=foo "$MODE_RANGE"
}

good_at_insmod()
{
	check "size=128K" takes size=128K 131072
	check "size=0x20000" takes size=0x20000 131072
	check "size=8m" takes size=8m 8388608
	check "pool_size=1G" takes pool_size=1G 1073741824
	check "fault_mode=insert" takes fault_mode=insert insert
	check "fault_around=2M" takes fault_around=2M 2097152
	check "size is what a reader meets" size_is_real
}

at_run_time()
{
	for value in $AROUNDS; do
		check "fault_around refuses $value at run time" \
			refuses_now fault_around "$value" "$AROUND_RANGE"
	done
	check "fault_mode refuses foo at run time" refuses_now fault_mode foo "$MODE_RANGE"
	check "fault_around takes 128K at run time" takes_now fault_around 128K 131072
	check "fault_mode takes insert at run time" takes_now fault_mode insert insert
	check "fault_mode takes map_pages at run time" takes_now fault_mode map_pages map_pages
}

need_module_file
count=$(echo "$SIZES" | wc -w)
arounds=$(echo "$AROUNDS" | wc -w)
plan $((count + 1 + 3 + arounds + 1 + 7 + arounds + 4))
if loaded; then rmmod mmapdemo; fi
bad_at_insmod
good_at_insmod
insmod "$MMAPDEMO_KO"
at_run_time
rmmod mmapdemo
insmod "$MMAPDEMO_KO"
ktap_finished
