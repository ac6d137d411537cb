# SPDX-License-Identifier: GPL-2.0-only
"""What stress.py counts, and the memory that it measures. Imported, never run.

Out: /run/mmapdemo/figures, `name value` lines, NAMES:
  seconds     since the start
  rounds      that have ended
  operations  of fio (4 KiB each), stress-ng on the node, the workers, the fuzzer
  executions  inputs of the fuzzer
  verified    of these fio's reads whose content it verified
  pages       that went into the store, or out of it by a discard or a resize
  faults      killed  stopped  oom_kills  coredumps  hotplugs  swapped (pages)
  refused     attempts to unload the module while it was in use
  sigbus      at the pool's cap or past the end     enospc  writes at the cap
  mismatches  content, or an end of a program, that is not as it must be
  reports     of the kernel since the module was loaded first
  drift       KiB in use, more than after the first round
"""

import collections
import mmap
import os
import subprocess
import sys
import time

DIR = "/tmp/mmapdemo-stress"
FIGURES = "/run/mmapdemo/figures"
STATS = "/sys/kernel/debug/mmapdemo/stats"
OOM_EVENTS = DIR + "/cgroup/oom/memory.events"
DEPOT = "/sys/kernel/debug/stackdepot/stats"
LOG = DIR + "/kernel.log"
COMMON = os.path.dirname(os.path.abspath(__file__)) + "/../lib/common.sh"

NAMES = ("seconds", "rounds", "operations", "executions", "verified", "pages", "faults", "killed",
         "stopped", "oom_kills", "coredumps", "hotplugs", "swapped", "refused", "sigbus", "enospc",
         "mismatches", "reports", "drift")


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(text))


def values_of(path):
    """Its `name value` lines; all are 0 where there is no such file."""
    try:
        with open(path, encoding="ascii") as file:
            lines = [line.split() for line in file]
    except FileNotFoundError:
        lines = []
    return collections.Counter({words[0].rstrip(":"): int(words[1]) for words in lines
                                if len(words) > 1 and words[1].isdigit()})


class Counts:
    """Counters in memory that is shared with all children. Each process that counts has a
    row of its own, as nobody waits for anybody."""

    def __init__(self, rows):
        self.row = rows     # ours is one more
        self.cells = memoryview(mmap.mmap(-1, (rows + 1) * len(NAMES) * 8)).cast("Q")

    def add(self, name, nr=1):
        self.cells[self.row * len(NAMES) + NAMES.index(name)] += nr

    def sum(self, name):
        return sum(self.cells[NAMES.index(name)::len(NAMES)])

    def mismatch(self, what):
        self.add("mismatches")
        print(f"stress: mismatch: {what}", file=sys.stderr, flush=True)


class Figures:
    """All that NAMES has: what is counted, and what the kernel says."""

    def __init__(self, counts):
        self.counts = counts
        self.start = time.monotonic()
        self.oom_kills = values_of(OOM_EVENTS)["oom_kill"]
        self.swapped = values_of("/proc/vmstat")["pswpout"]
        self.unloaded = collections.Counter()   # what modules that have gone had counted
        self.baseline = None
        self.reports = self.drift = 0

    def of_module(self):
        stats = values_of(STATS)
        return collections.Counter({
            "pages": stats["pool_allocated"] + stats["pool_recycled"] + stats["discarded"],
            "faults": stats["fault_read"] + stats["fault_write"] + stats["fault_cow"],
            "sigbus": stats["sigbus_size"] + stats["sigbus_cap"],
        })

    def before_unload(self):
        self.unloaded += self.of_module()

    def all(self):
        return {
            **{name: self.counts.sum(name) for name in NAMES},
            "seconds": int(time.monotonic() - self.start),
            "oom_kills": values_of(OOM_EVENTS)["oom_kill"] - self.oom_kills,
            "swapped": values_of("/proc/vmstat")["pswpout"] - self.swapped,
            **(self.unloaded + self.of_module()),
            "reports": self.reports,
            "drift": self.drift,
        }

    def save(self):
        write(FIGURES + ".new", "".join(f"{name} {value}\n" for name, value in self.all().items()))
        # Whoever reads it on the host finds either the old or the new.
        os.rename(FIGURES + ".new", FIGURES)

    def measure(self):
        """What has just ended is not all back at once, and the huge zero page (2 MiB,
        mm/huge_memory.c) stays until it is asked for."""
        found = subprocess.check_output(["bash", "-c", '. "$1" && log_reports "$2"; :', "bash", COMMON, LOG])
        self.reports = found.count(b"\n")
        write("/proc/sys/vm/drop_caches", 2)
        least = memory_used()
        for _ in range(5):
            if self.baseline is not None and least - self.baseline <= 128:
                break
            time.sleep(1)
            least = min(least, memory_used())
        if self.baseline is None:
            self.baseline = least
        self.drift = least - self.baseline
        self.save()


def memory_used():
    """What is neither free, on per-CPU lists included, nor can be dropped, nor a
    program's: in KiB. With KASAN what slab has freed stays with it for long, and the
    stacks that it keeps become more and more, in pools of four pages (lib/stackdepot.c):
    there kmemleak looks at slab."""
    with open("/proc/sys/vm/stat_refresh", "rb") as file:
        file.read()
    vmstat, meminfo = values_of("/proc/vmstat"), values_of("/proc/meminfo")
    pages = vmstat["nr_file_pages"] + vmstat["nr_anon_pages"] + 4 * values_of(DEPOT)["pools"]
    with open("/proc/zoneinfo", encoding="ascii") as file:
        for words in map(str.split, file):
            if words[:2] == ["pages", "free"] or words[0] == "count:":
                pages += int(words[-1])
    other = meminfo["SReclaimable"] + meminfo["KernelStack"] + meminfo["PageTables"]
    if os.path.exists(DEPOT):
        other += meminfo["SUnreclaim"]
    return meminfo["MemTotal"] - pages * mmap.PAGESIZE // 1024 - other
