# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # some of what is set is for the caller
#
# What counts as a report in the log of a guest's kernel. Sourced by common.sh.

# The guest writes this line to its kernel log right before the module goes in.
LOG_MARKER='mmapdemo: reports count from here'

# log_reports LOG - prints each kernel report: after the marker all kinds,
# before it (a stock kernel's boot on emulated hardware has its own noise) only
# what ends a kernel. True when there is one. Of the data races that KCSAN finds
# those count in which the module takes part: the core has many of its own.
log_reports()
{
	tr -d '\r' <"$1" | awk -v marker="$LOG_MARKER" '
		index($0, marker)		{ counts = 1 }
		# A program that dies of its own fault is no report.
		/ traps: /			{ next }
		/BUG: KCSAN: / && !/\[mmapdemo\]/ { next }
		# A core that gets no memory for the events of a module says so like
		# this, miscounts a reference on the way out, and goes on without
		# them. Only selftests/failing/failing_load.c makes that happen.
		/WARNING: (.* at )?kernel\/trace\/trace_events\.c:/ { next }
		/Kernel panic|Oops: / ||
		counts && /BUG: |WARNING: |KASAN: |UBSAN: |KFENCE: / ||
		counts && /general protection|unable to handle|page_table_check/ ||
		counts && /possible (circular|recursive|irq)|inconsistent lock state/ ||
		counts && /suspicious RCU|bad unlock balance|held lock freed/ ||
		counts && /lock held when returning|still has locks held/ ||
		counts && /scheduling while atomic|sleeping function called/ ||
		counts && /soft lockup|hard LOCKUP|blocked for more than/ ||
		counts && /rcu.*(stall|self-detected)|refcount_t: |list_(add|del) corruption/ ||
		counts && /Bad page|Bad rss-counter|Objects remaining|bad: scheduling/ ||
		counts && /kmemleak: .*(new suspected|disabled)/ ||
		counts && /mmapdemo: .* pages (leaked|missing)/ {
			print; found = 1
		}
		END { exit !found }'
}
