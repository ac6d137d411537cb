#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# clangd knows what to do with each C file, once `make compile_commands.json` ran:
# the list has all of them, in the work tree, and clangd has nothing to say of them.
# Runs on the host, boots nothing.
#
# Output: KTAP.
. "$(dirname "$0")/tools.bash"

# sources DIRECTORY... - its C files, not those that a build left there
sources()
{
	find "${@/#/$TOP/}" -maxdepth 2 -name '*.c' ! -name '*.mod.c' | sort
}

listed()
{
	/usr/bin/python3 -c '
import json, sys
for command in json.load(open(sys.argv[1])):
    print(command["file"])' "$TOP/compile_commands.json" | sort
}

generate()
{
	rm -f "$TOP/compile_commands.json"
	make -C "$TOP" compile_commands.json
}

each_file_once()
{
	listed | diff <(sources module kunit selftests scripts) -
}

# clangd_finds_nothing DIRECTORY... - it ends with success only when it has no error,
# one in its own configuration excepted.
clangd_finds_nothing()
{
	local file rc=0

	for file in $(sources "$@"); do
		# One line is enough of what it tries out on each.
		clangd --check="$file" --check-lines=1 --log=error >"$TMP/clangd" 2>&1 &&
			! grep -q 'config error' "$TMP/clangd" && continue
		echo "$file:"
		cat "$TMP/clangd"
		rc=1
	done
	return $rc
}

need clangd:clangd make:make python3:/usr/bin/python3
start 5
cd "$TOP" || exit
check "make compile_commands.json" generate
check "it lists each C file of the work tree once" each_file_once
check "clangd finds no error in the module" clangd_finds_nothing module
check "clangd finds no error in the suites" clangd_finds_nothing kunit
check "clangd finds no error in the programs" clangd_finds_nothing selftests scripts
ktap_finished
