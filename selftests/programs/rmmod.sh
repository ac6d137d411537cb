#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The module stays while the device is open or mapped, goes after the last
# close, and has every page back then: also from a process that was killed.
#
# Output: KTAP. Needs MMAPDEMO_KO; leaves the module loaded as it was.
. "$(dirname "$0")/lib.sh"

PYTHON=/usr/bin/python3

# start_holder HOW - a process that has the device and says when it is ready.
# "mapped": with the descriptor closed; "dirty": with every page written.
start_holder()
{
	mkfifo "$TMP/ready" "$TMP/go"
	$PYTHON - "$1" "$TMP/ready" "$TMP/go" <<-'END' &
		import mmap, os, sys
		how, ready, go = sys.argv[1:]
		fd = os.open("/dev/mmapdemo", os.O_RDWR)
		size = os.lseek(fd, 0, os.SEEK_END)
		mapping = mmap.mmap(fd, size)
		if how == "dirty":
		    for at in range(0, size, mmap.PAGESIZE):
		        mapping[at] = 1
		os.close(fd)
		open(ready, "w").write("ready\n")
		open(go).read()
	END
	HOLDER=$!
	cat "$TMP/ready"
}

end_holder()
{
	echo >"$TMP/go"
	wait "$HOLDER"
	rm "$TMP/ready" "$TMP/go"
}

rmmod_refuses()
{
	! rmmod mmapdemo 2>"$TMP/rmmod" && grep -i 'in use' "$TMP/rmmod" && loaded
}

# all_back MINIMUM - rmmod works, and the module's last line counts the pages
all_back()
{
	log_mark
	rmmod mmapdemo || return
	! loaded || return
	last=$(module_lines | tail -n 1)
	echo "$last"
	pages=$(echo "$last" |
		sed -n 's/.*unloaded: \([0-9]*\) pages were allocated, all are back$/\1/p')
	[ -n "$pages" ] && [ "$pages" -ge "$1" ]
}

while_open()
{
	exec 3<$DEVICE
	rmmod_refuses
	rc=$?
	exec 3<&-
	return $rc
}

while_mapped()
{
	start_holder mapped
	rmmod_refuses
	rc=$?
	end_holder
	return $rc
}

after_kill()
{
	pages=$(($(cat /sys/module/mmapdemo/parameters/size) / $(getconf PAGESIZE)))
	start_holder dirty
	kill -KILL "$HOLDER"
	wait "$HOLDER" 2>/dev/null
	rm "$TMP/ready" "$TMP/go"
	all_back $pages
}

need_module_file
plan 5
loaded || insmod "$MMAPDEMO_KO"
PARAMETERS=$(module_parameters)
check "rmmod refuses while the device is open" while_open
check "rmmod works after the last close" all_back 0
insmod "$MMAPDEMO_KO"
check_with python3 $PYTHON "rmmod refuses while it is mapped, descriptor closed" while_mapped
check "rmmod works after the last munmap" all_back 0
insmod "$MMAPDEMO_KO"
check_with python3 $PYTHON "every page is back from a killed process" after_kill
# shellcheck disable=SC2086 # words
loaded || insmod "$MMAPDEMO_KO" $PARAMETERS
ktap_finished
