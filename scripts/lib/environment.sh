# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # some of what is set is for the caller
#
# The environment that a script works in, and its cache. Sourced by common.sh.
#
# In:   XDG_CACHE_HOME   where the cache goes (default ~/.cache)
#       ANY_CACHE=1      set by a script that builds nothing of the kernel's there
# Sets: CACHE; and the environment: what own_environment() does not list is gone, and
#       the locale is C

# bash takes functions from the environment as well.
# shellcheck disable=SC2046 # a list of words
unset -f $(compgen -A function)

# own_environment - drops what users export for other programs, and what would change
# what these scripts do or read: a locale, CDPATH, flags of make and the compiler, ...
# What the scripts take on purpose, or tell each other, is listed below and stays.
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
		die "there is no place for the cache: set HOME or XDG_CACHE_HOME to an absolute path"
	! unfit_for_build "$CACHE" || [ "${ANY_CACHE-}" ] ||
		die "the kernel's build cannot handle a space, comma, colon or the like in a path; set XDG_CACHE_HOME to another directory, as this one has one: $CACHE"
	mkdir -p "$CACHE/logs" "$CACHE/locks"
}
