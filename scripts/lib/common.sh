# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # some of what is set is for the caller
#
# What the host's scripts share: messages, packages, locks, the cache, and the
# scan of a kernel log. Sourced by them, never run.
#
# In:  XDG_CACHE_HOME   where the cache goes (default ~/.cache)
#      ANY_CACHE=1      set by a script that has Linux's build make nothing there
# Sets: TOP (the repository), CACHE; and the environment: what is not listed in
#       own_environment() is gone, and the locale is C
#
# Messages go to stderr, so that a script's stdout carries results alone.

# bash takes functions from the environment as well.
# shellcheck disable=SC2046 # a list of words
unset -f $(compgen -A function)

# own_environment - Of what a user exports some would change what these scripts do,
# or read: a locale, CDPATH, make's and the compiler's flags, ... Kept is what they
# take by intention, or tell each other.
own_environment()
{
	local name

	unset BASH_ENV
	set +o posix
	for name in $(compgen -e); do
		case $name in
		# The user, the terminal, the way into the network
		PATH | PWD | SHLVL | HOME | USER | LOGNAME | TERM | TMPDIR | XDG_CACHE_HOME) ;;
		SUDO_* | YES | CI | APT_CONFIG | DEBIAN_MIRROR | DEBFULLNAME | DEBEMAIL) ;;
		http_proxy | https_proxy | ftp_proxy | all_proxy | no_proxy) ;;
		HTTP_PROXY | HTTPS_PROXY | FTP_PROXY | ALL_PROXY | NO_PROXY) ;;
		# What the heads of the scripts list
		KERNEL | KERNELS | PROGRAMS | MODULE | PARAMS | CMD | CALLER | RW | RUN | TIMEOUT) ;;
		ICOUNT | PLUGIN | APPEND | QEMU_WORDS | CHECK_LEAKS | STRICT | TESTS | TOOLS | SOAK) ;;
		TIME | HOURS | INPUT | RUNS | FRESH | MUTANT | JOBS | BREAK | GDB_COMMANDS) ;;
		OUT | OPERATIONS | REUSE | SAVE | MMAPDEMO_*) ;;
		# For those of their own processes that xargs starts, and for tests
		WORK | RULES | BUILD | KSFT | KERNEL_DIR) ;;
		# They are bash's own: readonly, or of no use once they were unset.
		BASH?* | EPOCH* | SHELLOPTS | SECONDS | RANDOM) export -n "${name?}" ;;
		*) unset "$name" ;;
		esac
	done
	export PATH LC_ALL=C
	umask 022
	# GNU time has its format in there; ours is a number.
	[[ ${TIME-} != *%* ]] || unset TIME
	if [[ ${TMPDIR-} != /* ]] || [ ! -d "$TMPDIR" ] || [ ! -w "$TMPDIR" ] || unfit_for_build "$TMPDIR"; then
		unset TMPDIR
	fi
	[ -n "${HOME-}" ] || HOME=$(getent passwd "$(id -u)" | cut -d: -f6) || HOME=
	[ -z "$HOME" ] || export HOME
}

# unfit_for_build PATH - make and Kbuild know no way to quote most of these; a
# comma they take for the next option of the preprocessor.
unfit_for_build()
{
	[[ $1 == *[][:space:]:,%\#\$\;\&\|\<\>\(\)\`\'\"\\*?[]* ]]
}

# use_cache - sets CACHE, and sees that it can be one
use_cache()
{
	CACHE=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}/mmapdemo
	[[ $CACHE == /?*/mmapdemo ]] ||
		die "there is no place for the cache: set HOME, or XDG_CACHE_HOME, to an absolute path"
	! unfit_for_build "$CACHE" || [ "${ANY_CACHE-}" ] ||
		die "Linux's build takes no path with a space, a comma, a colon or the like; set XDG_CACHE_HOME to a place without, as the cache cannot be $CACHE"
	mkdir -p "$CACHE/logs" "$CACHE/locks"
}

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

# --- What the user has chosen ----------------------------------------------
# A name that matches nothing, and a number that is none, get one line, before
# anything is installed, fetched, built or booted for them.

# refuse MESSAGE
refuse()
{
	printf 'mmapdemo: %s\n' "$1" >&2
	exit 2
}

# known WHAT NAMES NAME... - refuses a NAME that is not one of NAMES, a line each
known()
{
	local what=$1 names=$2 between=' ' name

	shift 2
	[[ $names != *' '* ]] || between='; '
	for name; do
		[[ $'\n'$names$'\n' == *$'\n'"$name"$'\n'* ]] ||
			refuse "no $what is called '$name'; there are: ${names//$'\n'/$between}"
	done
}

# known_kernels NAME...
known_kernels()
{
	local names

	names=$("$TOP/scripts/kernels/kernel.sh" --list)
	known kernel "$names" "${@:-}"
}

# known_built_kernels NAME... - Debian's images have no KUnit, no fault injection and
# no symbols for a debugger.
known_built_kernels()
{
	local names

	known_kernels "$@"
	names=$("$TOP/scripts/kernels/kernel.sh" --list source)
	known 'kernel that is built from source' "$names" "$@"
}

# known_mutants NAME...
known_mutants()
{
	known mutant "$(basename -as .patch "$TOP"/selftests/mutants/*.patch)" "$@"
}

known_programs()
{
	known 'kind of PROGRAMS' i386 ${PROGRAMS:+"$PROGRAMS"}
}

# known_tests - what test.sh is told, for all who run it
known_tests()
{
	local names

	names=$("$TOP/scripts/kernels/kernel.sh" --list)
	# Two of them in a second way: with that mmap_hook, with programs of 32 bits.
	names+=$'\n7.3+mmap_prepare\n6.12+i386'
	# shellcheck disable=SC2086 # a list of words
	set -- $KERNELS
	known kernel "$names" "${@:-}"
	if [ "${TESTS-}" ]; then
		need make:make
		names=$(MAKEFLAGS='' make -s -C "$TOP/selftests" list)
		# shellcheck disable=SC2086 # a list of words
		known selftest "$names" $TESTS
	fi
	need_numbers TIMEOUT SOAK MMAPDEMO_CYCLES MMAPDEMO_INPUTS MMAPDEMO_STEPS
	need_decimal MMAPDEMO_SECONDS
	need_seed MMAPDEMO_SEED
}

# need_numbers VARIABLE... - whole ones above 0, where they are set; of no more digits
# than they can be reckoned with
need_numbers()
{
	local name

	for name; do
		[[ ${!name:-1} =~ ^[1-9][0-9]{0,8}$ ]] ||
			refuse "$name must be a whole number above 0, not '${!name}'"
	done
}

# need_decimal VARIABLE - 0.1 and the like as well
need_decimal()
{
	[[ ${!1:-1} =~ ^[0-9]{1,9}(\.[0-9]+)?$ && ${!1:-1} == *[1-9]* ]] ||
		refuse "$1 must be a number above 0, as in 2 or 0.5, not '${!1}'"
}

# need_seed VARIABLE - of 32 bits; it may be 0
need_seed()
{
	[[ ${!1:-0} =~ ^[0-9]{1,10}$ ]] || refuse "$1 must be a whole number, not '${!1}'"
}

# need_file VARIABLE - makes it an absolute path; it may be one from where the user is
need_file()
{
	local path

	[ "${!1-}" ] || return 0
	path=$(cd "${CALLER:-$PWD}" && readlink -e -- "${!1}") || path=
	[[ -r $path && ! -d $path ]] || refuse "$1: there is no file '${!1}' that can be read"
	printf -v "$1" %s "$path"
}

# ---------------------------------------------------------------------------

as_root()
{
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

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

# For need: what draws, by the Python that it is for.
MATPLOTLIB=python3-matplotlib:/usr/lib/python3/dist-packages/matplotlib/__init__.py

# For need: what the build of a module takes besides its compiler. W=1 has kernel-doc
# run, and perl-base lacks a part of it.
MODULE_BUILD=(make:make libc6-dev:/usr/include/stdio.h libelf1:/usr/lib/x86_64-linux-gnu/libelf.so.1
	perl:pod2usage)

# For need: what the build of a kernel takes.
KERNEL_BUILD=("${MODULE_BUILD[@]}" gcc:gcc bison:bison flex:flex bc:bc libelf-dev:/usr/include/libelf.h)

# replaced OLD NEW - stdin, with NEW for each OLD. They may be anybody's words and
# paths, in which sed would find characters of its own.
replaced()
{
	local line

	while IFS= read -r line; do
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

# need PACKAGE:WITNESS... - installs the packages whose witness (a command, or
# a file when it starts with a slash) is missing.
need()
{
	local item witness missing=()

	for item; do
		witness=${item#*:}
		case $witness in
		/*) [ -e "$witness" ] ;;
		*) PATH=$PATH:/usr/sbin:/sbin command -v "$witness" >/dev/null ;;
		esac || missing+=("${item%%:*}")
	done
	[ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
}

# In: YES=1  do not ask
install_packages()
{
	command -v apt-get >/dev/null ||
		die "please install what Debian has in these packages, then run this again:" "  $*"
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
		die "please run this as root, then this command again:" "  apt-get install $*"
	may_install "$@" || die "nothing was installed; this needs the packages: $*"
	say "installing with apt: $*"
	apt_install "$@" ||
		die "apt could not install all of: $*" "its log: $CACHE/logs/apt.log"
}

# may_install PACKAGE... - asks, where there is somebody to be asked. Not of stdin:
# a script that another one calls has none.
may_install()
{
	local answer tty

	[ -t 2 ] && [ "$(id -u)" != 0 ] && [ -z "${CI-}${YES-}" ] || return 0
	{ exec {tty}<>/dev/tty; } 2>/dev/null || return 0
	printf 'mmapdemo: sudo apt-get install %s [Y/n] ' "$*" >&"$tty"
	read -r answer <&"$tty" || answer=n
	exec {tty}>&-
	[[ $answer = @(|[Yy]*) ]]
}

apt_install()
{
	local install=(env DEBIAN_FRONTEND=noninteractive apt-get -qy -o DPkg::Lock::Timeout=300
		--no-install-recommends install "$@")

	# A fresh machine has no package lists, or lists whose packages are gone.
	as_root "${install[@]}" >"$CACHE/logs/apt.log" 2>&1 || {
		apt_update && as_root "${install[@]}" >>"$CACHE/logs/apt.log" 2>&1
	}
}

apt_update()
{
	say "apt-get update"
	as_root apt-get -q update >>"$CACHE/logs/apt.log" 2>&1
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

# need_compiler - for the kernel, and the guest's programs, of arch_of
need_compiler()
{
	case $CROSS in
	'') need gcc:gcc libc6-dev:/usr/include/stdio.h ;;
	*) need "gcc-${CROSS%-}:${CROSS}gcc" \
		"libc6-dev-$ARCH-cross:/usr/${CROSS%-}/include/stdio.h" ;;
	esac
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
	say "waiting for another run of mmapdemo that works on: $1"
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

# The guest writes this line to its kernel log right before the module goes in.
LOG_MARKER='mmapdemo: reports count from here'

# log_reports LOG - prints each kernel report: after the marker all kinds,
# before it (a stock kernel's boot on emulated hardware has its own noise) only
# what ends a kernel. True when there is one. Of the data races that KCSAN finds
# those count in which the module takes part: the core has many of its own.
log_reports()
{
	tr -d '\r' <"$1" | awk -v marker="$LOG_MARKER" '
		index($0, marker)		{ counts = 1 }
		# A program that dies of its own fault is no report.
		/ traps: /			{ next }
		/BUG: KCSAN: / && !/\[mmapdemo\]/ { next }
		# A core that gets no memory for the events of a module says so like
		# this, miscounts a reference on the way out, and goes on without
		# them. Only selftests/failing/failing_load.c makes that happen.
		/WARNING: (.* at )?kernel\/trace\/trace_events\.c:/ { next }
		/Kernel panic|Oops: / ||
		counts && /BUG: |WARNING: |KASAN: |UBSAN: |KFENCE: / ||
		counts && /general protection|unable to handle|page_table_check/ ||
		counts && /possible (circular|recursive|irq)|inconsistent lock state/ ||
		counts && /suspicious RCU|bad unlock balance|held lock freed/ ||
		counts && /lock held when returning|still has locks held/ ||
		counts && /scheduling while atomic|sleeping function called/ ||
		counts && /soft lockup|hard LOCKUP|blocked for more than/ ||
		counts && /rcu.*(stall|self-detected)|refcount_t: |list_(add|del) corruption/ ||
		counts && /Bad page|Bad rss-counter|Objects remaining|bad: scheduling/ ||
		counts && /kmemleak: .*(new suspected|disabled)/ ||
		counts && /mmapdemo: .* pages (leaked|missing)/ {
			print; found = 1
		}
		END { exit !found }'
}
