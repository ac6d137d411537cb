#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What users export, and where they keep the tree and the cache, changes nothing in
# what the scripts do; where the kernel's build cannot take it, a line says so.
# Runs on the host; builds for 6.12, and boots it once. Needs the package locales.
#
# Output: KTAP.
. "$(dirname "$0")/tools.bash"

TREE="$CACHE/environment/a tree, elsewhere"
LOCALE=de_DE.UTF-8

# What one of them set alone broke: for each, a command that met it.
FOR_PROGRAMS=(CDPATH=.:/ CPPFLAGS=-bogus LDFLAGS=-bogus GCC_EXEC_PREFIX=/nonexistent/
	'BASH_FUNC_sed%%=() { echo of the user; }' 'BASH_FUNC_cut%%=() { echo of the user; }')
FOR_MODULES=(KBUILD_OUTPUT=/nonexistent LLVM=-0 MAKEFLAGS=n)
# Some of these did harm elsewhere.
OTHERS=(CFLAGS=-bogus CC=false ARCH=arm CROSS_COMPILE=nothing-
	LANGUAGE=de MFLAGS=-j2 W=e C=2 V=1 GREP_COLOR=1 GREP_COLORS=mt=1 GREP_OPTIONS=--color=always
	POSIXLY_CORRECT=1 TMPDIR=/nonexistent PYTHONHOME=/nonexistent PYTHONPATH=/nonexistent PYTHONSTARTUP=/nonexistent
	PERL5OPT=-bogus XZ_OPT=--bogus XZ_DEFAULTS=--bogus TAR_OPTIONS=--bogus RSYNC_PROTECT_ARGS=0 TIME='%e s'
	GIT_DIR=/nonexistent EPOCHSECONDS=0 SHELLOPTS=noglob ANY_CACHE=1 LD_LIBRARY_PATH=/nonexistent CPATH=/nonexistent)

# in_scripts COMMAND - as a script runs it, once it has its environment
in_scripts()
{
	bash -c "set -euo pipefail; . '$TOP/scripts/lib/common.sh'; . '$TOP/scripts/lib/debs.sh'; $1"
}

# one_line PATTERN COMMAND... - it fails, and that is all it says
one_line()
{
	fails_saying "^mmapdemo: .*$1" "${@:2}" && [ "$(grep -vc '^make: ' "$TMP/said")" = 1 ]
}

# alone VARIABLES COMMAND... - with each of them it succeeds, and prints the same
alone()
{
	local variable rc=0
	local -n variables=$1

	shift
	"$@" >"$TMP/without" || rc=1
	for variable in "${variables[@]}"; do
		env "$variable" "$@" >"$TMP/alone" && cmp -s "$TMP/without" "$TMP/alone" && continue
		printf '%s:\n' "$variable"
		cat "$TMP/alone"
		rc=1
	done
	return $rc
}

make_locale()
{
	mkdir "$TMP/locale" && localedef -i de_DE -f UTF-8 "$TMP/locale/$LOCALE"
}

in_german()
{
	LOCPATH=$TMP/locale LC_ALL=$LOCALE LANGUAGE=de "$@"
}

decimal_point()
{
	[ "$(in_german in_scripts 'printf "%.1f " 0.5; awk "BEGIN { print 1 / 2 }"')" = '0.5 0.5' ]
}

# apt's words are read.
dependencies()
{
	[ "$(in_german in_scripts 'deb_depends locales "libc-bin|debconf.*" | head -n 1')" ]
}

# As make -j calls a script; what it told its own children is not for others.
strict_under_jobs()
{
	printf 'all:\n\t@STRICT=1 %q 6.12 module\n' "$TOP/scripts/kernels/build.sh" | make -j2 -f -
}

# Some read it before they do anything: make keeps it from them.
bash_env()
{
	echo 'echo of the user; exit 3' >"$TMP/bash-env"
	[ -d "$(BASH_ENV=$TMP/bash-env make -s -C "$TOP" kernel KERNEL=6.12)" ]
}

# What is in the cache is for all to read, as what a package has.
file_mode()
{
	[ "$(umask 077; in_scripts "touch '$TMP/made'; stat -c %a '$TMP/made'")" = 644 ]
}

temporary_files()
{
	TMPDIR=/nonexistent in_scripts mktemp && TMPDIR=tmp in_scripts mktemp && TMPDIR=$TOP in_scripts 'mktemp' |
		grep -F "$TOP/" | xargs rm
}

python()
{
	PYTHONHOME=/nonexistent in_scripts 'python3 -c "import json"' &&
		[ -z "$(PYTHONPATH=/nonexistent in_scripts 'python3 -c "import sys; print(*sys.path)" | grep nonexistent')" ]
}

seconds()
{
	# shellcheck disable=SC2016 # for in_scripts
	[ "$(TIME='%e s' in_scripts 'echo "${TIME-none}"')" = none ] &&
		[ "$(TIME=5 in_scripts 'echo "${TIME-none}"')" = 5 ] &&
		one_line 'TIME must be' env TIME=soon "$TOP/scripts/run/fuzz.sh" &&
		one_line 'HOURS must be' env HOURS=some "$TOP/scripts/run/stress.sh" soak
}

home()
{
	[ "$(env -u HOME -u XDG_CACHE_HOME bash -c "$(declare -f in_scripts); TOP='$TOP'; in_scripts 'echo \$CACHE'")" = \
		"$(getent passwd "$(id -u)" | cut -d: -f6)/.cache/mmapdemo" ]
}

# A user that nobody has heard of.
no_home()
{
	mkdir -p "$TMP/bin" && printf '#!/bin/sh\nexit 2\n' >"$TMP/bin/getent" && chmod +x "$TMP/bin/getent" &&
		one_line 'set HOME or XDG_CACHE_HOME' env -u HOME -u XDG_CACHE_HOME PATH="$TMP/bin:$PATH" \
			"$TOP/scripts/guest/vm.sh"
}

cache_refused()
{
	local name

	for name in 'a b' a:b a,b a%b "a'b"; do
		one_line "cannot handle a space" env XDG_CACHE_HOME="$TMP/$name" make -s -C "$TOP" vm &&
			[ ! -e "$TMP/$name" ] || return
	done
	one_line 'absolute path' env XDG_CACHE_HOME=here make -s -C "$TOP" vm
}

tree_refused()
{
	local target

	for target in modules load clean; do
		one_line "cannot handle a space.*: $TREE\$" make -s -C "$TREE" "$target" KDIR="$(headers)" || return
	done
	one_line "cannot handle a space.*: $TMP/a b\$" make -s -C "$TOP" modules KDIR="$TMP/a b"
}

headers()
{
	printf '%s/build\n' "$("$TOP/scripts/kernels/kernel.sh" 6.12)"
}

# What is in the kernel's packages but in none of their dependencies' would do for
# nothing: a cache of a kernel without has it fetched.
headers_missing()
{
	local kernel

	kernel=$("$TOP/scripts/kernels/kernel.sh" 6.12) && in_scripts "headers_complete '$kernel'" &&
		mkdir -p "$TMP/kernel/build" && cp "$kernel/build/Makefile" "$TMP/kernel/build/" &&
		sed -i 's/-common/-gone/' "$TMP/kernel/build/Makefile" &&
		in_scripts "! headers_complete '$TMP/kernel'"
}

# All of them at once, in a tree with a space and a comma, to which the guest writes.
everything()
{
	rm -f "$TREE/written"
	(
		umask 077
		cd "$TREE" && env -u HOME XDG_CACHE_HOME="${CACHE%/mmapdemo}" LOCPATH="$TMP/locale" LC_ALL=$LOCALE \
			BASH_ENV="$TMP/bash-env" "${FOR_PROGRAMS[@]}" "${FOR_MODULES[@]}" "${OTHERS[@]}" \
			MAKEFLAGS=-j2 RW=1 TIMEOUT=600 CMD='pwd; echo the guest >written; dd if=/dev/mmapdemo count=1 status=none | wc -c' \
			make -s vm </dev/null
	) >"$TMP/guest" 2>"$TMP/words" && [ "$(cat "$TMP/guest")" = "$(printf '%s\n512' "$TREE")" ] &&
		[ "$(cat "$TREE/written")" = 'the guest' ] && return
	cat "$TMP/guest" "$TMP/words"
	return 1
}

need locales:/usr/share/i18n/locales/de_DE rsync:rsync make:make
# CDPATH is for paths that are relative, as in scripts/kernels/build.sh.
cd "$TOP" || exit
copy_tree "$TREE"
"$TOP/scripts/kernels/build.sh" 6.12 module tour >/dev/null || exit
start 16
make_locale || exit
check "numbers have a point where the user's have a comma" decimal_point
check "apt's dependencies are read in any language" dependencies
check "no variable or function alone keeps a program from being built" \
	alone FOR_PROGRAMS scripts/kernels/build.sh 6.12 tour
check "nor one the module" alone FOR_MODULES scripts/kernels/build.sh 6.12 module
check "make -j is no warning" strict_under_jobs
check "what BASH_ENV names is not run" bash_env
check "the umask is the scripts' own" file_mode
check "TMPDIR counts only where it is a directory" temporary_files
check "PYTHONHOME and PYTHONPATH are not for the scripts" python
check "TIME in the format of GNU time is none of theirs, a bad number is named" seconds
check "without HOME it is that of the passwd" home
check "and where there is none, a line says what to set" no_home
check "a cache in a path that the kernel's build cannot take is refused" cache_refused
check "so is a tree, or a kernel, for make and make load" tree_refused
check "headers that lack a part are no kernel's" headers_missing
check "make vm runs a guest with all that at once, from such a tree" everything
rm -rf "$TREE"
ktap_finished
