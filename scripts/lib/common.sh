# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # some of what is set is for the caller
#
# What the host's scripts share: messages, locks, progress, copies of the tree, and
# what the files sourced below have. Sourced by them, never run.
#
# Sets: TOP (the repository), and what environment.sh says
#
# Messages go to stderr, so that a script's stdout carries results alone.

# This comes first: functions of the user's would change what the next lines do.
# shellcheck source=/dev/null # followed from here, it takes shellcheck minutes
. "${BASH_SOURCE[0]%/*}/environment.sh"

say()
{
	printf '[%3d s] %s\n' $((EPOCHSECONDS - MMAPDEMO_START)) "$*" >&2
}

die()
{
	printf 'mmapdemo: %s\n' "$@" >&2
	exit 1
}

own_environment
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
use_cache
# make knows it from PWD, which may be of a directory that is gone.
[ -d "${CALLER-}" ] || unset CALLER
# Scripts call each other; all count their seconds from the first one's start.
export MMAPDEMO_START=${MMAPDEMO_START:-$EPOCHSECONDS}

. "$TOP/scripts/lib/choices.sh"
. "$TOP/scripts/lib/packages.sh"
. "$TOP/scripts/lib/kernel_log.sh"

# for_qemu VALUE - as it is written into QEMU's options, where a comma ends it
for_qemu()
{
	printf '%s\n' "${1//,/,,}"
}

# build_root TREE - prints where what is made of a tree goes
build_root()
{
	printf '%s/build/%s\n' "$CACHE" "$(printf %s "$1" | sha256sum | cut -c1-8)"
}

# copy_tree DIRECTORY [WHAT...] - makes it a copy of the repository, or of WHAT in
# it, as nothing may be written into the work tree. What a build left in the copy
# is newer than its source, and stays.
copy_tree()
{
	local dir=$1

	shift
	[ $# != 0 ] || set -- ./
	mkdir -p "$dir"
	(cd "$TOP" && rsync -a --delete --exclude=/.git --exclude-from=.gitignore \
		.gitignore "$@" "$dir/")
}

# replaced OLD NEW - stdin, with NEW for each OLD. They may be anybody's words and
# paths, in which sed would find characters of its own.
replaced()
{
	local line

	# The last line may lack its newline.
	while IFS= read -r line || [ "$line" ]; do
		printf '%s\n' "${line//"$1"/"$2"}"
	done
}

# replace OLD NEW FILE - the same in a file
replace()
{
	replaced "$1" "$2" <"$3" >"$3.new"
	mv "$3.new" "$3"
}

# draw SCRIPT [ARGUMENT...] - by that Python; PATH may have another
draw()
{
	PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$@"
}

# arch_of KERNEL - sets what a kernel's name says of its machine: ARCH and, for
# each other one than x86-64, FOR_ARCH, what Kbuild is to be told; CROSS, the
# prefix of its compiler; IMAGE, what is booted of a kernel that was built; ROOT,
# where the guest's programs are when they cannot be ours (root.sh).
arch_of()
{
	FOR_ARCH=() CROSS='' ROOT='' IMAGE=arch/x86/boot/bzImage ARCH=x86_64
	case $1 in
	*-arm64*) ARCH=arm64 CROSS=aarch64-linux-gnu- IMAGE=arch/arm64/boot/Image ;;
	*-i386) ARCH=i386 CROSS=i686-linux-gnu- ;;
	*) return ;;
	esac
	FOR_ARCH=("ARCH=$ARCH" "CROSS_COMPILE=$CROSS")
	ROOT=$CACHE/root/$ARCH
}

# arch_of_programs KERNEL - the same of the guest's programs: with PROGRAMS=i386
# those of a 64-bit kernel are for 32 bits.
arch_of_programs()
{
	arch_of "${PROGRAMS:+-}${PROGRAMS:-$1}"
}

# KVM needs more than its device: without these flags it hangs.
can_kvm()
{
	grep -qwE 'vmx|svm' /proc/cpuinfo && [ -w /dev/kvm ]
}

# lock NAME, unlock NAME - one holder at a time; says why it waits. The end of
# the script unlocks as well.
declare -A LOCKS

lock()
{
	local fd

	exec {fd}>>"$CACHE/locks/$1"
	LOCKS[$1]=$fd
	flock -n "$fd" && return
	say "waiting for another run of mmapdemo that uses $1"
	flock "$fd"
}

unlock()
{
	local fd=${LOCKS[$1]}

	exec {fd}>&-
	unset "LOCKS[$1]"
}

# kselftest_source - prints the source tree whose kselftest and kunit.py serve
# the tests on every kernel: 6.1 lacks parts of its runner, and the results are
# to be of one form.
kselftest_source()
{
	readlink -f "$("$TOP/scripts/kernels/kernel.sh" --source 6.12)/src"
}

# For what gcov counts: the kernel's own CFLAGS_GCOV, and one pass less. That
# pass leads a jump past a test whose outcome is known from an earlier one, and
# gcov would say of the line with the test that it did not run.
GCOV_FLAGS='-fprofile-arcs -ftest-coverage -fno-tree-loop-im'
GCOV_FLAGS+=' -fprofile-update=prefer-atomic -fno-thread-jumps'

# with_progress LABEL LOG HOW_FAR COMMAND... - runs COMMAND with its output in
# LOG; HOW_FAR is a command that prints how far it got. Ends with LOG's last
# lines when COMMAND fails.
with_progress()
{
	local label=$1 log=$2 how_far=$3 pid rc tick=20 line

	shift 3
	[ -t 2 ] && tick=2
	say "$label"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	# shellcheck disable=SC2064 # the pid of now
	trap "kill $pid 2>/dev/null; exit 130" INT TERM
	while ! wait_for "$pid" $tick; do
		line="$label: $($how_far "$log")"
		if [ -t 2 ]; then
			printf '\r\033[K[%3d s] %s' $((EPOCHSECONDS - MMAPDEMO_START)) "$line" >&2
		else
			say "$line"
		fi
	done
	[ -t 2 ] && printf '\r\033[K' >&2
	wait "$pid" && rc=0 || rc=$?
	trap - INT TERM
	[ $rc = 0 ] && return
	tail -n 15 "$log" >&2
	printf 'mmapdemo: failed: %s\nthe whole log: %s\n' "$label" "$log" >&2
	return $rc
}

# end_children_on_ctrl_c - which does not reach what runs in the background of a script
end_children_on_ctrl_c()
{
	trap 'trap - TERM; kill 0; exit 130' INT TERM
}

# each_kernel COMMAND KERNEL... - one after the other; false when one was
each_kernel()
{
	local command=$1 kernel rc=0

	shift
	end_children_on_ctrl_c
	for kernel; do
		# In the background, because set -e ends it there at its first failure.
		"$command" "$kernel" &
		wait $! || rc=1
	done
	return $rc
}

# wait_for PID SECONDS - true as soon as PID has ended.
wait_for()
{
	local end=$((EPOCHSECONDS + $2))

	while kill -0 "$1" 2>/dev/null; do
		[ $EPOCHSECONDS -lt $end ] || return 1
		sleep 0.2
	done
}
