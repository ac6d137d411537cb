#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# `make demo`: from a fresh machine to the guided tour of /dev/mmapdemo, in a
# guest with Debian's kernel. Nothing is loaded into the kernel that runs here.
#
# In (environment): PARAMS (module parameters), KERNEL (default 6.12)
# Exit status: 0 only if every step did what it says; 2 there is no such kernel.
set -euo pipefail
. "$(dirname "$0")/../lib/common.sh"

export KERNEL=${KERNEL:-6.12} TIMEOUT=${TIMEOUT:-300}
step()
{
	say "step $1 of 5: $2"
}

known_kernels "$KERNEL"
need_numbers TIMEOUT
step 1 "the tools: QEMU, a compiler"
need "${BOOT_GUEST[@]}"
step 2 "Linux $KERNEL, into $CACHE (not installed here)"
"$TOP/scripts/kernels/kernel.sh" "$KERNEL" >/dev/null
step 3 "the module and the tour"
out=$("$TOP/scripts/kernels/build.sh" "$KERNEL" module tour)
step 4 "the guest: load the module, walk the tour"
mkdir -p "$CACHE/results"
RUN=$(mktemp -d "$CACHE/results/demo-XXXXXX")
trap 'rm -rf "$RUN"' EXIT
export RUN
CALLER=$TOP RW='' CMD="$out/tour" "$TOP/scripts/guest/vm.sh" || {
	rc=$?
	say "the demo failed (status $rc)"
	exit $rc
}
step 5 "the module is gone again; the kernel's log had no report"
[ ! -s "$RUN/unloaded" ] || say "its last words: $(cat "$RUN/unloaded")"
say "done. Next: make vm, for a shell in that guest with your own programs"
