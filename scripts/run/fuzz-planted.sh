#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Whether the fuzzer finds mistakes: breaks the module in five ways, one at a time,
# and lets it look for each, with none of the inputs that it has found before.
#
# Usage: fuzz-planted.sh [NAME...]   of selftests/mutants; default: the five
#   TIME=600  seconds for each, in the environment
# The last line on stdout is "fuzz-planted: N of N found".
# Exit status: 0 at least three of five were found, 1 fewer, 2 there is no such mutant.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"

# A missing lock, a wrong bound, a page that is not zeroed, a reference that
# leaks, a dirty mark that is lost.
[ $# != 0 ] || set -- insert-no-lock discard-one-too-far no-zeroing reference-leaked harvest-lost
export TIME=${TIME:-600} FRESH=all
known_mutants "$@"
need_numbers TIME

# found_by LOG - in words
found_by()
{
	grep -hE -m 1 '^# (MISMATCH|REPORT): |^mmapdemo: the guest ended' "$1" | sed 's/^# //' | cut -c1-100 || true
}

FOUND=0
for name; do
	start=$EPOCHSECONDS
	log=$CACHE/logs/fuzz-$name.log
	# A run that failed for another reason has found nothing.
	if MUTANT=$name "$TOP/scripts/run/fuzz.sh" >"$log.said" || [ -z "$(found_by "$log")" ]; then
		printf 'missed  %s: %s\n' "$name" "$(tail -n 1 "$log.said")"
	else
		FOUND=$((FOUND + 1))
		printf 'found   %s, %s, %d s with build and boot: %s\n' "$name" \
			"$(tail -n 1 "$log.said" | grep -oE '[0-9]+ executions')" $((EPOCHSECONDS - start)) "$(found_by "$log")"
	fi
done
printf 'fuzz-planted: %d of %d found\n' $FOUND $#
[ $((5 * FOUND)) -ge $((3 * $#)) ]
