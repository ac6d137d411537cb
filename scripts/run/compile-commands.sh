#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Writes compile_commands.json, in which clangd, and so an editor, reads how each
# C file is compiled: those of the module and the suites as the kernel's own
# gen_compile_commands.py says it, those of the selftests as their Makefile does.
#
# Usage: compile-commands.sh, with in the environment:
#   KERNEL=7.3-kunit
#               for which kernel, of those that are built from source (kernel.sh
#               lists them); default: a 6.12 that is configured and not compiled
# Nothing is compiled in the work tree.
# Exit status: 0; 1 with the compiler's words on stderr; 2 there is no such kernel.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"
. "$(dirname "$0")/../kernels/prepared.sh"

# What a build of the module asks for. The paths are then made those of the work
# tree, which the user opens, instead of those of the copy that was compiled.
kernel_commands()
{
	local tree=$OUT/tree log=$OUT/build.log

	copy_tree "$tree" Kbuild module kunit
	make -C "$1" M="$tree" -j"$(nproc)" compile_commands.json >"$log" 2>&1 ||
		die "the build failed; its log: $log" "$(grep -E 'error|\*\*\*' "$log" | head -n 5)"
	replaced "$tree/" "$TOP/" <"$tree/compile_commands.json"
}

# What make calls the compiler with for a selftest, a word to a line.
selftest_words()
{
	# shellcheck disable=SC2016 # make fills that in
	make -s --no-print-directory -C "$TOP/selftests" KSRC="$SOURCE" OUTPUT="$OUT" \
		--eval='words:; @printf "%s\n" $(CC) $(CPPFLAGS) $(CFLAGS)' words
}

# with_programs WORD... - the list on stdin, and what runs in user space
with_programs()
{
	/usr/bin/python3 -c '
import glob, json, sys
top, *words = sys.argv[1:]
commands = json.load(sys.stdin)
for file in sorted(glob.glob(top + "/selftests/*/*.c") + glob.glob(top + "/scripts/*/*.c")):
    commands.append({"directory": top + "/selftests", "file": file,
                     "arguments": [*words, "-c", file]})
json.dump(commands, sys.stdout, indent=1)' "$TOP" "$@"
}

[ -z "${KERNEL-}" ] || known_built_kernels "$KERNEL"
need "${KERNEL_BUILD[@]}" rsync:rsync python3:/usr/bin/python3
SOURCE=$(kselftest_source)
OUT=$(build_root "$TOP")/clangd${KERNEL:+-$KERNEL}
mkdir -p "$OUT"
lock "clangd-$(basename "$(dirname "$OUT")")"
if [ "${KERNEL-}" ]; then
	BUILD=$("$TOP/scripts/kernels/kernel.sh" "$KERNEL")/build
else
	BUILD=$(prepared gcc)
fi
kernel_commands "$BUILD" >"$OUT/kernel.json"
mapfile -t WORDS < <(selftest_words)
with_programs "${WORDS[@]}" <"$OUT/kernel.json" >"$OUT/all.json"
mv "$OUT/all.json" "$TOP/compile_commands.json"
say "$(grep -c '"file":' "$TOP/compile_commands.json") files in compile_commands.json"
