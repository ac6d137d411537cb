#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make trace runs a program in a guest, with its own input, output and status,
# and what it writes of it is true: the counts, the pages, the picture's marks.
# Runs on the host; boots a guest of 6.12 four times.
#
# Output: KTAP.
. "$(dirname "$0")/tools.bash"

# 4 pages written, all of them synced, 3 of them taken out of the log, of which
# one is written again; a private copy of another; 8 more read by a child; 2
# discarded, both of them dirty.
PROGRAM='import array, fcntl, mmap, os, struct, sys
fd = os.open("/dev/mmapdemo", os.O_RDWR)
page = mmap.PAGESIZE
shared = mmap.mmap(fd, 16 * page)
private = mmap.mmap(fd, 2 * page, flags=mmap.MAP_PRIVATE)
for i in range(4):
    shared[i * page] = 1
shared.flush()
extents = array.array("Q", bytes(16))
fcntl.ioctl(fd, 0xc020da03, struct.pack("QQQII", 0, 3 * page, extents.buffer_info()[0], 1, 1))
shared[2 * page] = 2
private[page] = 3
if os.fork() == 0:
    for i in range(4, 12):
        shared[i * page]
    os._exit(0)
os.wait()
fcntl.ioctl(fd, 0x4018da02, struct.pack("QQII", 2 * page, 2 * page, 0, 0))
print("read:", sys.stdin.read())
sys.exit(3)'

run_trace()
{
	local rc=0

	printf '%s' "$PROGRAM" >"$TMP/program.py"
	printf 'its input' | CALLER=$TMP OUT=here CMD="/usr/bin/python3 $TMP/program.py" "$TOP/scripts/measure/trace.sh" \
		>"$TMP/said" 2>"$TMP/progress" || rc=$?
	cat "$TMP/progress"
	[ $rc = 3 ]
}

it_had_its_channels()
{
	[ "$(cat "$TMP/said")" = 'read: its input' ]
}

# in_summary REGEX... - each matches a line of it
in_summary()
{
	local regex

	for regex; do
		grep -qE "$regex" "$TMP/here.txt" && continue
		echo "no line matches: $regex"
		cat "$TMP/here.txt"
		return 1
	done
}

# The columns: mmap, open, close, read, write, cow, around, mkwrite, sigbus. A
# child has copies of both mappings; what it does is a task of its own.
tasks()
{
	in_summary '^python3-[0-9]+ +2 +2 +2 +- +4 +1 +- +5 +-$' '^python3-[0-9]+ +- +- +2 +8 +- +- +- +- +-$' \
		'^all +2 +2 +4 +8 +4 +1 +- +5 +-$'
}

pages()
{
	in_summary '^made: +12 pages, 10 of them exist' '^dirty: +5 times .* 3 times one was taken out; 0 are in it' \
		'^synced: +4 times' '^gone: +2 pages, by 1 discards' '^pages: +0-11$'
}

# svg_has FILE TEXT... - it is an image, and each is a text in it
svg_has()
{
	(cd "$TMP" && /usr/bin/python3 - "$@") <<-'END'
		import sys
		from xml.etree import ElementTree
		root = ElementTree.parse(sys.argv[1]).getroot()
		assert root.tag == "{http://www.w3.org/2000/svg}svg", root.tag
		texts = {"".join(x.itertext()) for x in root.iter("{http://www.w3.org/2000/svg}text")}
		missing = set(sys.argv[2:]) - texts
		assert not missing, (missing, texts)
	END
}

legend()
{
	svg_has here.svg 'fault, read: 8' 'fault, write: 4' 'fault, private write: 1' 'first write noticed: 5' \
		'mmap: 2' 'VMA gone (close): 4' 'discard: 1' 'in the dirty log: 5' 'page exists: 12'
}

# Its own format, for those who want to go on with it.
data()
{
	[ "$(trace-cmd report -i "$TMP/here.dat" | grep -c 'mmapdemo_make: ')" = 12 ]
}

nothing_touched()
{
	OUT=$TMP/empty CMD=true "$TOP/scripts/measure/trace.sh" </dev/null && grep -q '^no event' "$TMP/empty.txt" &&
		svg_has empty.svg 'true'
}

# However many lines its command has.
sigbus()
{
	OUT=$TMP/sigbus PARAMS=size=1M CMD=$'cd /\n/usr/bin/python3 -c "import mmap, os\nfd = os.open(\'/dev/mmapdemo\', os.O_RDWR)
mmap.mmap(fd, 2 << 20)[1 << 20]"' "$TOP/scripts/measure/trace.sh" </dev/null
	[ $? = $((128 + 7)) ] && grep -q '^sigbus: 1 for size$' "$TMP/sigbus.txt" && svg_has sigbus.svg 'SIGBUS: 1'
}

# The three commands of README.md, for a program of one's own.
newcomer()
{
	cd "$TMP" && cat >my-program.c <<-'END'
		#include <fcntl.h>
		#include <sys/mman.h>
		int main(void)
		{
		        int fd = open("/dev/mmapdemo", O_RDWR);
		        char *p = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		        p[0] = p[40000] = 1;
		        return p[20000];
		}
	END
	git clone -q "$TOP" mmapdemo && mv my-program.c mmapdemo && cd mmapdemo &&
		cc -o my-program my-program.c &&
		make trace CMD=./my-program && cp trace.svg "$TMP/own.svg" &&
		svg_has own.svg 'fault, write: 2' 'fault, read: 1' && ! git status --short | grep -v my-program
}

no_command()
{
	! OUT=$TMP/none CMD='' "$TOP/scripts/measure/trace.sh" && [ ! -e "$TMP/none.svg" ]
}

start 10
check "make trace returns the program's status" run_trace
check "the program has its input and output" it_had_its_channels
check "the summary has each task's faults" tasks
check "the summary has the pages, and what became of them" pages
check "the picture's legend has the same" legend
check "trace-cmd reads the data" data
check "a program that touches nothing has an empty picture" nothing_touched
check "a program that dies of SIGBUS has a picture with the reason" sigbus
check "three commands lead from a clone to the picture of a program of one's own" newcomer
check "without a command it says so" no_command
ktap_finished
