#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The programs of module/doc/examples do what they say.
#
# In:  MMAPDEMO_CLI  scripts/mmapdemo; default: the one of this tree
# Output: KTAP. A program that could not be built, or run, is a skip that names the
# package. Leaves data in the device.
HERE=$(dirname "$0")
. "$HERE/lib.sh"

EXAMPLES=$HERE/examples
PYTHON=/usr/bin/python3
CLI=${MMAPDEMO_CLI:-$HERE/../../scripts/mmapdemo}

same()
{
	[ "$1" = "$2" ] && return
	printf 'expected: %s\nbut it is: %s\n' "$1" "$2"
	return 1
}

# pool NAME - pages, as the module counts them
pool()
{
	awk -v name="$1" '$1 == name { print $2 }' /sys/kernel/debug/mmapdemo/pool
}

device_size()
{
	dd if=$DEVICE bs=1M status=none | wc -c
}

# What other tests have left in the first page is no mutex. The programs wait for the
# lock under which it is made, so that they begin at the same time.
mutex_of_two_programs()
{
	dd if=/dev/zero of=$DEVICE bs=64K count=1 status=none || return
	exec 9<$DEVICE
	flock 9
	"$EXAMPLES/mutex" add 300000 9<&- &
	first=$!
	"$EXAMPLES/mutex" add 300000 9<&- &
	sleep 1
	exec 9<&-
	wait $first && wait $! && same 600000 "$("$EXAMPLES/mutex" show)"
}

mutex_of_a_dead_program()
{
	"$EXAMPLES/mutex" die
	same 137 $? || return
	"$EXAMPLES/mutex" show >"$TMP/out" 2>"$TMP/err" &&
		same 600000 "$(cat "$TMP/out")" &&
		grep 'undoing its half-done addition' "$TMP/err" &&
		"$EXAMPLES/mutex" add 5 && same 600005 "$("$EXAMPLES/mutex" show 2>&1)"
}

# Another kind of program would take the bytes for a mutex.
mutex_refuses()
{
	printf 'no mutex' | dd of=$DEVICE status=none &&
		! "$EXAMPLES/mutex" show 2>"$TMP/err" &&
		grep 'holds something else' "$TMP/err"
}

# Holes, and what was there before; and both ways of writing, meanwhile.
snapshot()
{
	dd if=/dev/urandom of=$DEVICE bs=4097 seek=2500 count=9 status=none || return
	$PYTHON "$EXAMPLES/snapshot.py" "$TMP/copy" sh -c "$1" sh $DEVICE >"$TMP/snapshot"
	same 0 $? && cat "$TMP/snapshot" &&
		grep -q ' in [0-9]* rounds; the copy equals the device$' "$TMP/snapshot" &&
		dd if=$DEVICE bs=1M status=none | cmp - "$TMP/copy"
}

# In what dd has done by then there are several rounds.
snapshot_of_write()
{
	# shellcheck disable=SC2016 # for the other shell
	snapshot 'for i in 1 2 3 4 5 6 7 8; do
		dd if=/dev/urandom of="$1" bs=5000 seek=$i count=100 status=none || exit; done' &&
		[ "$(sed 's/.* in \([0-9]*\) rounds.*/\1/' "$TMP/snapshot")" -gt 2 ]
}

# For two seconds, as long as that may be for the guest.
snapshot_of_mmap()
{
	# shellcheck disable=SC2016 # for the other shell
	snapshot 'fio --name=snapshot --filename="$1" --ioengine=mmap --rw=randwrite --bs=4k \
		--size=4M --time_based --runtime=2 --thread --output-format=terse --aux-path=/tmp >/dev/null'
}

# Dropped pages are not in the log: it has to find that the copy differs.
snapshot_notices()
{
	printf data | dd of=$DEVICE status=none
	$PYTHON "$EXAMPLES/snapshot.py" "$TMP/copy" $PYTHON "$CLI" discard 0 64K >"$TMP/out"
	same 1 $? && grep 'DIFFERS' "$TMP/out"
}

snapshot_of_a_failure()
{
	$PYTHON "$EXAMPLES/snapshot.py" "$TMP/copy" false 2>"$TMP/err"
	same 1 $? && same 'false ended with 1' "$(cat "$TMP/err")"
}

sigbus()
{
	size=$(device_size) stored=$(pool stored)
	"$EXAMPLES/sigbus" 300 >"$TMP/sigbus"
	same 0 $? && cat "$TMP/sigbus" &&
		grep -q '^[1-9][0-9]* copies, 300 met SIGBUS, 0 wrong$' "$TMP/sigbus" &&
		same "$size $stored" "$(device_size) $(pool stored)"
}

# Extents that begin and end within a page, and one of several parts.
words()
{
	seq 300000 >"$TMP/text"
	"$PYTHON" -IS "$CLI" discard 0 "$(device_size)" &&
		dd if="$TMP/text" of=$DEVICE bs=5000 seek=3 status=none &&
		dd if="$TMP/text" of=$DEVICE bs=1M seek=30 count=1 status=none || return
	stored=$(pool stored)
	same "$(tr '\0' ' ' <$DEVICE | wc -w)" "$("$EXAMPLES/words")" && same "$stored" "$(pool stored)"
}

plan 9
check "mutex: two programs add to one sum" mutex_of_two_programs
check "mutex: one that died while it held it" mutex_of_a_dead_program
check "mutex: no mutex is no mutex" mutex_refuses
check_with python3 $PYTHON "snapshot.py: equal after write(2)" snapshot_of_write
check_with fio fio "snapshot.py: equal after stores to a mapping" snapshot_of_mmap
check_with python3 $PYTHON "snapshot.py: says so when it is not equal" snapshot_notices
check_with python3 $PYTHON "snapshot.py: fails with its command" snapshot_of_a_failure
check "sigbus: what is gone is an error, what is there is right" sigbus
check_with golang-go "$EXAMPLES/words" "words: as many as wc finds, and no more pages" words
ktap_finished
