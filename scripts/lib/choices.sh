# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # some of what is set is for the caller
#
# Checks what the user has chosen. A name that matches nothing, and a number that is
# none, are refused in one line and with exit status 2, before anything is installed,
# downloaded, built or booted. Sourced by common.sh.

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
	known mutant "$(basename -as .patch "$TOP"/selftests/mutants/*/*.patch)" "$@"
}

# mutant_patch NAME - its file
mutant_patch()
{
	echo "$TOP"/selftests/mutants/*/"$1.patch"
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
	[[ -r $path && ! -d $path ]] || refuse "$1: cannot read '${!1}'"
	printf -v "$1" %s "$path"
}
