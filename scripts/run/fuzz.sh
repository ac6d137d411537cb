#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Fuzzes the device: libFuzzer makes sequences of operations (selftests/fuzz/fuzz.c),
# guided by what KCOV says of the module's code, on the kernel with KASAN, lockdep
# and the other debugging aids.
#
# Usage: fuzz.sh, with in the environment:
#   TIME=600     seconds to fuzz for
#   INPUT=FILE   run this input, and no others, RUNS (20) times: threads race in it
#   FRESH=1      start from the inputs in selftests/fuzz/corpus; else also from
#                those that earlier runs have found, in the cache. With FRESH=all
#                from neither
#   SAVE=1       leave in selftests/fuzz/corpus the fewest inputs that reach what
#                all of them reach, and the chart in module/doc
#   MUTANT=NAME  break the module by selftests/mutants/*/NAME.patch first
# What it finds ends it: a result that the model of fuzz.c does not expect
# ("MISMATCH"), a report of the kernel, a guest that dies or hangs. The input is
# left in that directory; the last lines say how to run it once more, and how to
# make it a test. The last line on stdout is
#   fuzz: N executions, N operations, N of N lines of the module, N reports, N mismatches
# where lines are those at which a basic block begins.
# Exit status: 0 nothing was found, 1 something was, 2 there is no such input or mutant.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"
. "$(dirname "$0")/../lib/fuzzer.sh"

TIME=${TIME:-600} INPUT=${INPUT-}

# --- How far it is ---------------------------------------------------------

# met - how many lines were met, and how many there are; with an argument, after
# how many seconds each was
met()
{
	awk -v list="${1-}" '
		FNR == NR { lines[$1] = lines[$1] " " $2; if (!($2 in all)) { all[$2]; total++ } next }
		{
			n = split(lines[$2], line, " ")
			for (i = 1; i <= n; i++)
				if (!(line[i] in met)) {
					met[line[i]]
					count++
					if (list)
						print $1, count
				}
		}
		END { if (!list) print count + 0, total + 0 }' "$FUZZ_DIR/lines" "$RUN/coverage"
}

figure()
{
	awk -v name="$1" '$1 == name { print $2; found = 1 } END { if (!found) print 0 }' "$RUN/figures" 2>/dev/null || echo 0
}

# By a loop in with_progress
# shellcheck disable=SC2317 # called by with_progress
progress()
{
	local lines='' all

	[ ! -s "$RUN/coverage" ] || read -r lines all < <(met)
	if [ "$lines" ]; then
		echo "$(figure executions) executions, $(figure operations) operations, $lines of $all lines, $(find "$RUN/corpus" -type f | wc -l) inputs"
	else
		echo booting
	fi
}

# --- Running it ------------------------------------------------------------

# guest LABEL TIMEOUT ARGUMENT... - the fuzzer, in a guest
guest()
{
	local label=$1 limit=$2

	shift 2
	KERNEL=$FUZZ_KERNEL MODULE=$FUZZ_DIR/tree/module/mmapdemo.ko PARAMS=$FUZZ_PARAMS RW='' RUN=$RUN \
		TIMEOUT=$limit CHECK_LEAKS=1 QEMU_WORDS=$(fuzz_current "$RUN/current") \
		CMD="exec 2>&1; $(fuzz_command "$FUZZ_DIR/fuzz" /run/mmapdemo "$@")" \
		with_progress "$label" "$LOG" progress "$TOP/scripts/guest/vm.sh" || RC=1
}

# What was found, for the eye; and the input, by its name
tell()
{
	local input

	grep -E '^# |^==|ERROR: |^mmapdemo: ' "$LOG" | tail -n 80
	input=${INPUT:-$(find "$RUN" -maxdepth 1 -name 'found-*' | head -n 1)}
	if [ -z "$input" ]; then
		# The guest is dead, or would have left it: its length, and itself.
		input=$RUN/found-current
		tail -c +5 "$RUN/current" | head -c "$(od -An -tu4 -N4 "$RUN/current")" >"$input"
	fi
	[ -z "$input" ] || cat <<-END
		the input: $input
		once more: make fuzz INPUT=$input
		as a test: cp $input selftests/fuzz/corpus/NAME, then make test TESTS=fuzz
	END
	echo "all that was said: $LOG"
}

save()
{
	local small=$RUN/small

	rm -rf "$small"
	mkdir "$small"
	guest "keeping the fewest inputs that reach as much" 3600 -set_cover_merge=1 /run/mmapdemo/small "${START[@]}"
	[ $RC = 0 ] || return
	rm -rf "$TOP/selftests/fuzz/corpus"
	cp -r "$small" "$TOP/selftests/fuzz/corpus"
	need python3:/usr/bin/python3 "$MATPLOTLIB"
	draw "$TOP/scripts/measure/fuzz_chart.py" "$RUN/lines" "$LINES_ALL" "$RESULT" "$TOP/module/doc/fuzz.svg"
	say "selftests/fuzz/corpus: $(find "$small" -type f | wc -l) inputs; module/doc/fuzz.svg"
}

need_numbers TIME RUNS
need_seed MMAPDEMO_SEED
need_file INPUT
fuzz_build
RUN=$CACHE/fuzz${MUTANT:+-$MUTANT}
START=(/run/mmapdemo/corpus /run/mmapdemo/seeds)
[ "${FRESH-}" = all ] || START+=("$TOP/selftests/fuzz/corpus")
LOG=$CACHE/logs/$(basename "$RUN").log
RC=0
lock "$(basename "$RUN")"
[ -z "${FRESH-}" ] || rm -rf "$RUN/corpus"
mkdir -p "$RUN/corpus"
rm -f "$RUN"/{figures,coverage,current,unloaded}
# The input may be one of them.
[ "$INPUT" ] || rm -f "$RUN"/found-*
if [ "$INPUT" ]; then
	cp "$INPUT" "$RUN/input"
	guest "running $INPUT" 600 "-runs=${RUNS:-20}" /run/mmapdemo/input
else
	guest "fuzzing for $TIME s" $((TIME + 600)) "-max_total_time=$TIME" "-seed=${MMAPDEMO_SEED:-0}" \
		"${START[@]}"
fi
[ $RC = 0 ] || tell
read -r LINES_MET LINES_ALL < <(met)
RESULT="$(figure executions) executions, $(figure operations) operations, $LINES_MET of $LINES_ALL lines of the module"
met list >"$RUN/lines"
REPORTS=$(log_reports "$RUN/kernel.log" | wc -l) || true
MISMATCHES=$(grep -c '^# MISMATCH' "$LOG" || true)
[ ! "${SAVE-}" ] || [ $RC != 0 ] || save
printf 'fuzz: %s, %s reports, %s mismatches\n' "$RESULT" "$REPORTS" "$MISMATCHES"
exit $RC
