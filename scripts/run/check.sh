#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# All static checks: what the kernel's own tools say of the module, the suites
# and the selftests, what shellcheck and Python say of the scripts, whether the
# patches apply, whether man can format the man page and gcc compile its
# examples, whether the other pages' links lead somewhere, whether what users
# meet is documented, whether branches.md knows the tests, and whether Python and
# syzkaller are told the same as programs are.
#
# Usage: check.sh [CHECK...]     default: all that checks() below lists
# The tools are those of Linux 6.12, or build for it; checkpatch is taken from
# the newest source in the cache as well. Each check has a line on stdout with
# its number of findings, and then the findings; the last line on stdout is
# "check: N findings". A check that could not do its work, or left a file out,
# is a finding, too.
# Exit status: 0 no finding, 1 some, 2 there is no such check.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"
. "$(dirname "$0")/../kernels/prepared.sh"

# Where syzkaller is told; next to it, the numbers.
SYZLANG=module/doc/syzkaller/mmapdemo.txt
# Where users are told, next to the man page.
OVERVIEW=module/doc/parameters.md

# NAME | for the user | what a finding looks like, in the check's output
checks()
{
	cat <<-'TABLE'
	checkpatch|checkpatch --strict|: (ERROR|WARNING|CHECK):
	gcc|gcc, W=1|[Ww]arning: |WARNING: |[Ee]rror: |ERROR: |undefined reference
	clang|clang, W=1|[Ww]arning: |WARNING: |[Ee]rror: |ERROR: |undefined reference
	sparse|sparse|: (warning|error): |:    (expected|got)
	kerneldoc|kernel-doc -Wall|[Ww]arning: |[Ee]rror:
	headers|headers, each alone|: (error|warning):
	coccicheck|coccicheck|^[^ ]+:[0-9]+:[0-9]+-[0-9]+:
	shellcheck|shellcheck|: (note|warning|error):
	python|Python's compiler|: error:
	patches|patches that apply|: error:
	manpage|man --warnings|(warning|error):
	links|links in Markdown|: error:
	documented|names users meet|: error:
	branches|branches and their tests|: error:
	ioctls|ioctls in Python|: (fatal )?error:
	syzkaller|what syzkaller is told|: (fatal )?error:
	TABLE
}

# --- What the checks read, and build in ------------------------------------

# llvm_version - prints the oldest version of clang that is here or that apt
# has, of those that are newer than the oldest that the kernel takes.
llvm_version()
{
	local oldest

	oldest=$(SRCARCH=x86 sh "$SOURCE/scripts/min-tool-version.sh" llvm)
	{
		compgen -c clang-
		apt-cache pkgnames clang- 2>/dev/null
	} | sort -V | awk -F- -v oldest="${oldest%%.*}" '
		/^clang-[0-9]+$/ && $2 > oldest && !found { found = $2 }
		END { print found }'
}

# compile CHECK BUILD_DIRECTORY MAKE_ARGUMENTS... - builds module and suites in
# $OUT/CHECK. No kernel has been built there whose symbols modpost could find,
# so that it misses all that are not the module's; make test sees to them.
compile()
{
	local name=$1 build=$2

	shift 2
	copy_tree "$OUT/$name" Kbuild module kunit
	make -k -j"$(nproc)" -C "$build" M="$OUT/$name" KBUILD_MODPOST_WARN=1 "$@" modules 2>&1 |
		grep -vE 'WARNING: (Module.symvers is missing|modpost: .* (undefined!|unresolved symbol))'
}

sources()
{
	(cd "$TOP" && printf '%s\n' module/*.c kunit/*.c) | grep -v '\.mod\.c$'
}

# expect_each TEST... - complains of each file on stdin for which TEST, with
# the file's name in place of {}, fails.
expect_each()
{
	local file

	while read -r file; do
		"${@//\{\}/$file}" || printf '%s: error: the check has left it out\n' "$file"
	done
}

# --- The checks: what they print is their log, what they say is progress ---

check_checkpatch()
{
	local newest source dir sources=("$SOURCE")

	newest=$(compgen -G "$CACHE/source/*/ready" | sort -V | tail -n 1)
	[ "${newest%/ready}" -ef "$SOURCE" ] || sources+=("${newest%/ready}")
	for source in "${sources[@]}"; do
		# One copy each: checkpatch keeps notes where it was called.
		dir=$OUT/checkpatch-$(basename "$source")
		copy_tree "$dir"
		(cd "$dir" && checkpatch "$source" >"$dir.log" 2>&1) &
	done
	wait
	for source in "${sources[@]}"; do
		dir=$OUT/checkpatch-$(basename "$source")
		cat "$dir.log"
		(cd "$dir" && { kernel_files; ls module/compat.h module/trace.h selftests/fuzz/fuzz_engine.h; selftest_files; script_files; }) |
			expect_each grep -qF "{} total: " "$dir.log"
	done
}

# What some files are not asked, and why:
# - compat.h is the file that knows kernel versions, which takes a test of
#   LINUX_VERSION_CODE; and that is to checkpatch one constant and another.
# - trace.h is laid out as the headers below include/trace/events are.
# - To a program, ENOSYS says that the kernel lacks the system call: it may ask.
# - What fixtures have in common is in macros around the harness's FIXTURE() and
#   its kin. These are definitions, for which there is no do-while loop, and
#   what they take is a name, which has no side effects when it is used twice.
# Of scripts it knows little; they have shellcheck.
checkpatch()
{
	local run

	run=(perl "$1/scripts/checkpatch.pl" --root="$1" --strict --show-types --emacs
		--summary-file --typedefsfile="$TOP/scripts/run/checkpatch-types")
	kernel_files | xargs "${run[@]}" -f
	"${run[@]}" --ignore LINUX_VERSION_CODE,CONSTANT_COMPARISON -f module/compat.h
	"${run[@]}" --ignore OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT -f module/trace.h
	selftest_files | xargs "${run[@]}" -f \
		--ignore ENOSYS,MULTISTATEMENT_MACRO_USE_DO_WHILE,MACRO_ARG_REUSE
	# Names that libFuzzer has chosen.
	"${run[@]}" --ignore CAMELCASE -f selftests/fuzz/fuzz_engine.h
	script_files | xargs "${run[@]}" --types SPDX_LICENSE_TAG -f
}

kernel_files()
{
	find module kunit -name '*.[ch]' ! -name compat.h ! -name trace.h -o -name Kbuild -o -name Kconfig
}

selftest_files()
{
	find selftests -name '*.[ch]' ! -name fuzz_engine.h
}

script_files()
{
	find scripts selftests module/doc/examples .ci Makefile Kbuild -type f ! -name '*.[ch]' ! -name '*.md' \
		! -name '*.patch' ! -name .gitignore ! -name settings ! -path 'selftests/fuzz/corpus/*'
}

check_gcc()
{
	local build

	build=$(prepared gcc) && compile gcc "$build" W=1 || return
	sources | sed 's/c$/o/' | expect_each test -e "$OUT/gcc/{}"
}

check_clang()
{
	local version build

	version=$(llvm_version)
	need "clang-$version:clang-$version" "lld-$version:ld.lld-$version" \
		"llvm-$version:llvm-ar-$version"
	build=$(prepared "clang-$version" LLVM="-$version") &&
		compile clang "$build" LLVM="-$version" W=1 || return
	sources | sed 's/c$/o/' | expect_each test -e "$OUT/clang/{}"
}

# C=2: what needs no compiling as well.
check_sparse()
{
	local build log=$OUT/sparse.log rc=0

	build=$(prepared gcc) || return
	compile sparse "$build" C=2 CF=-D__CHECK_ENDIAN__ >"$log" || rc=$?
	cat "$log"
	# Where the build finds sparse too old, it goes on without.
	sources | expect_each grep -qF "  CHECK   $OUT/sparse/{}" "$log"
	return $rc
}

check_kerneldoc()
{
	(cd "$TOP" && "$SOURCE/scripts/kernel-doc" -none -Wall -Werror \
		module/*.[ch] module/uapi/*.h kunit/*.[ch] 2>&1)
}

# Those of the selftests; the module's are its own build's.
check_headers()
{
	make -s -k -j"$(nproc)" --no-print-directory -C "$TOP/selftests" KSRC="$SOURCE" \
		OUTPUT="$OUT/headers" headers 2>&1 | sed 's|^[^ ]*\.h:|selftests/&|'
}

check_coccicheck()
{
	copy_tree "$OUT/coccicheck" Kbuild module kunit
	RULES=$OUT/coccicheck-rules BUILD=$(prepared gcc) || return
	export OUT RULES BUILD
	rm -rf "$RULES"
	mkdir -p "$RULES"
	# Not those that coccinelle needs another language for.
	grep -rLi ocaml "$SOURCE/scripts/coccinelle" --include='*.cocci' | sort >"$RULES/list"
	with_progress "coccicheck: $(wc -l <"$RULES/list") rules" "$RULES/log" rules_done \
		xargs -a "$RULES/list" -n 1 -P "$(nproc)" "$0" --rule || return
	cat "$RULES"/*.cocci
}

rules_done()
{
	printf '%d rules done\n' "$(find "$RULES" -name '*.cocci' | wc -l)"
}

# One rule, by this script as xargs calls it; some loop for ever on some code.
check_rule()
{
	local log rc=0

	log=$RULES/$(basename "$1")
	timeout 120 make -s -C "$BUILD" M="$OUT/coccicheck" coccicheck MODE=report COCCI="$1" \
		J=1 >"$log.new" 2>&1 || rc=$?
	# It fails, or it skips the rule, or spatch lets it down without a word.
	if [ $rc != 0 ] || ! grep -q -- ' -D report ' "$log.new"; then
		printf '%s: error: the rule was not checked (%d)\n' "$1" $rc >>"$log.new"
	fi
	mv "$log.new" "$log"
}

check_shellcheck()
{
	(cd "$TOP" && shellcheck -f gcc .ci/run scripts/*/*.sh scripts/*/*.bash selftests/programs/*.sh \
		selftests/tools/*.sh selftests/tools/*.bash module/dkms.conf 2>&1)
}

check_python()
{
	local file message

	for file in "$TOP"/{scripts/*,selftests/programs,module/doc/examples}/*.py "$TOP/scripts/mmapdemo"; do
		message=$(PYTHONPYCACHEPREFIX=$OUT/python python3 -W error -m py_compile "$file" 2>&1) ||
			printf '%s\n%s: error: %s\n' "$message" "${file#"$TOP/"}" "${message##*$'\n'}"
	done
}

# A patch that no longer applies would be noticed by whoever needs it.
check_patches()
{
	local file

	for file in "$TOP"/selftests/mutants/*/*.patch "$TOP"/module/doc/*.patch; do
		patch -s -f --dry-run -d "$TOP" -p1 <"$file" >/dev/null ||
			printf '%s: error: it does not apply\n' "${file#"$TOP/"}"
	done
}

# The command is the one that the Linux man-pages project checks its pages with.
check_manpage()
{
	local page=$TOP/module/doc/mmapdemo.4 dir=$OUT/manpage

	{ LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" >/dev/null; } 2>&1 || return
	rm -rf "$dir"
	mkdir -p "$dir"
	man_examples "$dir" <"$page"
	gcc -fsyntax-only -Wall -Wextra -I "$TOP/module/uapi" "$dir"/*.c 2>&1
}

# man_examples DIRECTORY - the programs of a man page on stdin, marked and named
# as the Linux man-pages project does it, each in a file of its name
man_examples()
{
	awk -v dir="$1" '
		/^\.\\" SRC BEGIN/	{ gsub(/[()]/, "", $4); file = dir "/" $4 }
		/^\.\\" SRC END/	{ file = "" }
		file && !/^\./		{ gsub(/\\-/, "-"); gsub(/\\e/, "\\"); print >file }'
}

check_links()
{
	python3 "$TOP/scripts/run/links.py" "$TOP"
}

# What somebody adds to the interface is to be found where users look.
check_documented()
{
	local name file files

	interface | while read -r name files; do
		for file in module/doc/mmapdemo.4 $files; do
			grep -qw "$name" "$TOP/$file" ||
				printf '%s: error: it does not mention %s\n' "$file" "$name"
		done
	done
}

# interface - each name that users meet, and where it must be, next to the man
# page: ioctls, what goes with them, parameters, counters, tracepoints
interface()
{
	sed -nE -e 's|^#define (MMAPDEMO_IOC_[A-Z_]+).*|\1 '"$OVERVIEW"' selftests/file/layout.h '"$SYZLANG"'|p' \
		-e 's|^#define (MMAPDEMO_[A-Z_]+)\t.*|\1 '"$SYZLANG"'|p' \
		-e 's|^struct (mmapdemo_[a-z_]+) \{|\1 selftests/file/layout.h|p' "$TOP/module/uapi/mmapdemo.h"
	sed -nE 's|^module_param[a-z_]*\(([a-z_]+),.*|\1 '"$OVERVIEW"' selftests/lib/reload.h|p' "$TOP/module/params.c"
	sed -nE 's|^\t\[STAT_[A-Z_]+\]\t*= "(.*)",|\1 '"$OVERVIEW"'|p' "$TOP/module/stats.c"
	sed -nE 's/^(TRACE_EVENT\(|DEFINE_EVENT\([a-z_]+, )(mmapdemo_[a-z_]+),$/\2/p' "$TOP/module/trace.h"
}

# Which test proves what, as the tests themselves say.
check_branches()
{
	python3 "$TOP/scripts/run/branches.py" --check
}

# The command and the example are one file each, to be taken elsewhere, and have the
# numbers themselves. All other Python takes the command's.
check_ioctls()
{
	python3 -B - "$TOP" <<-'PYTHON' | gcc -fsyntax-only -I "$TOP/module/uapi" -x c - 2>&1
		import runpy
		import sys

		def claim(file, name, value):
		    print(f'#line 1 "{file}"\n_Static_assert(MMAPDEMO_{name} == {value}, "{name}");')

		print('#include "mmapdemo.h"')
		file = "scripts/mmapdemo"
		command = runpy.run_path(f"{sys.argv[1]}/{file}")
		for ioctl in command.values():
		    if isinstance(ioctl, command["Ioctl"]):
		        claim(file, f"IOC_{ioctl.name}", command["request"](ioctl))
		for bit, feature in command["FEATURES"].items():
		    claim(file, f"FEATURE_{feature.upper()}", bit)
		claim(file, "DIRTY_LOG_CLEAR", command["CLEAR"])
		file = "module/doc/examples/snapshot.py"
		example = runpy.run_path(f"{sys.argv[1]}/{file}")
		claim(file, "IOC_DIRTY_LOG", example["DIRTY_LOG"])
		claim(file, "DIRTY_LOG_CLEAR", example["CLEAR"])
	PYTHON
}

# syzkaller itself is not in Debian. A name that has no value is no error to it:
# it leaves out the calls that use it.
check_syzkaller()
{
	local arch name

	diff <(header_fields <"$TOP/module/uapi/mmapdemo.h") <(syzlang_fields <"$TOP/$SYZLANG") |
		sed -n "s|^< \(.*\)|$SYZLANG: error: it lacks \1|p; s|^> \(.*\)|$SYZLANG: error: it has \1|p"
	syzlang_names <"$TOP/$SYZLANG" | sort -u | while read -r name; do
		grep -q "^$name = " "$TOP/$SYZLANG.const" ||
			printf '%s: error: it has no value for %s\n' "$SYZLANG.const" "$name"
	done
	for arch in 386:-m32 amd64:-m64 arm64:-m64; do
		syzlang_asserts "${arch%:*}" | gcc "${arch#*:}" -fsyntax-only -fno-diagnostics-show-caret \
			-I "$TOP/module/uapi" -I "/usr/include/$(gcc -print-multiarch)" -x c - 2>&1
	done
}

# Both: structs and their fields, in order, and the bits of each.
header_fields()
{
	awk '/^struct .*\{$/ { name = $2 }
		/^\};/ { name = "" }
		name && /^\t__u/ { print name, substr($2, 1, length($2) - 1), substr($1, 4) }'
}

syzlang_fields()
{
	awk '/^[a-z_]+ \{$/ { name = $1 }
		/^\}/ { name = "" }
		name && match($0, /(int|ptr)(32|64)/) { print name, $1, substr($0, RSTART + 3, 2) }'
}

# syzlang_names - what a description on stdin takes from the .const file
syzlang_names()
{
	sed -nE -e '/^(#|include|define)/d' -e 's/^([a-z0-9]+)\$.*/&\n__NR_\1/' -e '/[A-Z]/p' |
		grep -oE '\b(__NR_[a-z0-9]+|[A-Z]+_[A-Z_]+)\b'
}

# syzlang_asserts ARCH - a C program that compiles if the .const file is right
# for ARCH, one of syzkaller's names. An arm64's numbers are the generic ones.
# To syzkaller mmap is mmap2 where there is one.
syzlang_asserts()
{
	case $1 in
	arm64) echo '#include <asm-generic/unistd.h>' ;;
	*) echo '#include <asm/unistd.h>' ;;
	esac
	cat <<-'C'
		#include <linux/fcntl.h>
		#include <linux/mman.h>
		#include "mmapdemo.h"
		#ifdef __NR_mmap2
		#undef __NR_mmap
		#define __NR_mmap __NR_mmap2
		#endif
	C
	sed -n 's/^define/#define/p' "$TOP/$SYZLANG"
	awk -F ' = ' -v arch="$1" -v file="$SYZLANG.const" '
		/^[A-Z_].* = / {
			value = ""
			n = split($2, values, ", ")
			for (i = 1; i <= n; i++) {
				last = split(values[i], words, ":")
				if (last == 1 && !value || index(":" values[i], ":" arch ":"))
					value = words[last]
			}
			if (value != "???")
				printf "#line %d \"%s\"\n_Static_assert((__u64)(%s) == %sULL, \"%s, %s\");\n",
					NR, file, $1, value, $1, arch
		}' "$TOP/$SYZLANG.const"
}

# ---------------------------------------------------------------------------

# run_check NAME LABEL PATTERN - adds to TOTAL
run_check()
{
	local log=$CACHE/logs/check-$1.log rc=0 findings number

	say "$2"
	"check_$1" >"$log" || rc=$?
	sed -i "s|$OUT/[^/]*/||g; s|$SOURCE/||g" "$log"
	[ $rc = 0 ] || grep -qE "$3" "$log" ||
		printf '%s: error: it ended with %d: %s\n' "$1" $rc "$(tail -n 1 "$log")" >>"$log"
	# Two versions of a tool may find the same.
	findings=$(grep -E "$3|^[^ ]+: error: " "$log" | awk '!seen[$0]++ { print "  " $0 }') || true
	# What sparse had expected belongs to the line before.
	number=$(grep -vcE ':    (expected|got)|^$' <<<"$findings") || true
	printf '%-24s %4d\n' "$2" "$number"
	[ "$number" = 0 ] && return
	printf '%s\n' "$findings"
	say "$2: $number findings, the whole log: $log"
	# Or make would have nothing to do, and nothing to say, next time.
	rm -rf "${OUT:?}/$1"
	TOTAL=$((TOTAL + number))
}

if [ "${1-}" = --rule ]; then
	check_rule "$2"
	exit
fi

known check "$(checks | cut -d'|' -f1)" "$@"
need "${KERNEL_BUILD[@]}" rsync:rsync sparse:sparse coccinelle:spatch \
	shellcheck:shellcheck python3:/usr/bin/python3 patch:patch man-db:man groff-base:groff
SOURCE=$(kselftest_source)
OUT=$(build_root "$TOP")/check
mkdir -p "$OUT"
lock check
TOTAL=0
while IFS='|' read -r name label pattern <&3; do
	[ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
	run_check "$name" "$label" "$pattern"
done 3< <(checks)
printf 'check: %d findings\n' "$TOTAL"
[ "$TOTAL" = 0 ]
