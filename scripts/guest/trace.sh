#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Records the events of mmapdemo while a command runs; measure/trace.sh boots a guest
# with this as the command.
#
# Usage: trace.sh COMMAND
# Out: /run/mmapdemo/trace.dat, for trace-cmd report
# Exit status: the command's; 125 the kernel or trace-cmd cannot record.
set -u
DATA=/tmp/mmapdemo-trace

if [ ! -d /sys/kernel/tracing/events/mmapdemo ]; then
	echo 'mmapdemo: this kernel has no tracepoints (CONFIG_TRACEPOINTS)' >&2
	exit 125
fi
mkdir -p $DATA
# Each CPU's buffer holds some 200,000 events, for bursts that are faster than
# the recorder; its files are on a tmpfs, as it splices, which 9p does not do.
# It has no way to return the command's status.
# shellcheck disable=SC2016 # the inner shell's own
trace-cmd record -q -e mmapdemo -b 16384 -o $DATA/trace.dat \
	bash -c 'bash -c "$1" >&3 2>&4 3>&- 4>&-; echo $? >"$2"' trace "$1" $DATA/status \
	3>&1 4>&2 >$DATA/log 2>&1
if [ ! -s $DATA/status ] || ! cp $DATA/trace.dat /run/mmapdemo/trace.dat; then
	cat $DATA/log >&2
	exit 125
fi
exit "$(cat $DATA/status)"
