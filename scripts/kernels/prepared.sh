# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A kernel that modules can be compiled for, without its being compiled itself.
# Sourced, after common.sh.
#
# In:  SOURCE  its source tree

# It is for the machine that most have: without the last of these it had 32 bits.
prepared_configuration()
{
	(cd "$TOP/scripts/kernels" && cat small.config pc.config x86_64.config)
}

# prepared COMPILER [MAKE_ARGUMENTS...] - prints a directory to build modules
# in: a 6.12 that is configured, with what is generated, and not compiled. It
# has KUnit, which Debian's kernel has not.
prepared()
{
	local compiler=$1 key dir

	shift
	key=$({ prepared_configuration && echo "$*"; } | sha256sum | cut -c1-8)
	dir=$CACHE/prepared/$(basename "$SOURCE")-$compiler-$("$compiler" -dumpversion)-$key
	lock prepare
	if [ ! -e "$dir/ready" ]; then
		mkdir -p "$dir"
		with_progress "preparing Linux 6.12 for $compiler" "$CACHE/logs/prepare.log" \
			"tail -n 1" prepare "$dir" "$@" || return
		touch "$dir/ready"
	fi
	unlock prepare
	printf '%s\n' "$dir"
}

prepare()
{
	local make=(make -C "$SOURCE" O="$1" "${@:2}")

	prepared_configuration >"$1/fragment"
	"${make[@]}" KCONFIG_ALLCONFIG="$1/fragment" allnoconfig &&
		"${make[@]}" -j"$(nproc)" modules_prepare
}
