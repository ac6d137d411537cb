#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Real tools on the device, and all the misfortune that a machine has for them, in rounds.

Usage: stress.py SECONDS [COMMAND PARAMETER...]
run/stress.sh boots a guest with this as the command, and any other may call it there.
With COMMAND, the fuzzer's (lib/fuzzer.sh), and its parameters for the module, this runs
after each round for as long, on the corpus that it has found so far.
In:  MODULE   the module's file, which each round loads anew

In a round, all at once: fio, whose mmap and psync engines verify what they wrote, each
on a range of its own and several on one; fio that only reads and writes; stress-ng on
the node and, for the memory around it, beside it, once more in a cgroup that swaps; what
victims.py has; CPU 1 that goes and comes. Then all end, what had to stay is verified, and
the module goes. The rounds differ in fault_mode, and in a pool that is smaller than the
device. After the first the memory in use is measured, and compared after each other.

Out: /run/mmapdemo/figures, what figures.py counts and measures, renewed each second.
What is wrong goes to stderr. The module is left loaded with its defaults.
Exit status: 0; 1 mismatches, reports, a drift of 1 MiB or more, or one of all these
things has not happened even once.
"""

import glob
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

from figures import DIR, LOG, Counts, Figures, values_of, write
from victims import DEVICE, MIB, ROW_HOTPLUG, ROW_MISFORTUNE, ROW_OTHERS, ROWS, Misfortune, child

CPU = "/sys/devices/system/cpu/cpu1/online"
MODULE = os.environ.get("MMAPDEMO_KO") or os.environ["MODULE"]
# What has to happen for a run to be worth its name.
INGREDIENTS = ("operations", "verified", "pages", "faults", "killed", "stopped", "oom_kills",
               "coredumps", "hotplugs", "swapped", "refused", "sigbus", "enospc")
DRIFT_MAX = 1024

# What fio, of which nobody is killed, has below 6 MiB; from 8 to 24 MiB it is for
# "mixed". Writers that share a range write the same to it.
SAME = ["verify=pattern", "verify_pattern=%o"]
JOBS = [
    # name, engine, what it does, first MiB, MiBs, the rest
    ("mmap-write", "mmap", "randwrite", 0, 1, []),
    ("mmap-mixed", "mmap", "randrw", 1, 1, ["fsync=32"]),
    ("psync-write", "psync", "randwrite", 2, 1, []),
    ("psync-mixed", "psync", "randrw", 3, 1, []),
    ("same-mmap", "mmap", "randwrite", 4, 2, ["numjobs=2", *SAME]),
    ("same-psync", "psync", "randwrite", 4, 2, SAME),
]


def at(first, length):
    """fio's options for a range. This fio knows no offset on a device whose size it cannot
    find out: it begins at 0, but goes to the range alone."""
    before = f"0/{first}m:" if first else ""
    return [f"size={first + length}m", f"random_distribution=zoned_abs:{before}100/{length}m"]


def verifying_jobs(seconds):
    lines = ["[global]", f"filename={DEVICE}", "bs=4k", "time_based", f"runtime={seconds}", "randrepeat=0",
             "verify_fatal=1", "verify_backlog=64", "verify=crc32c"]
    for name, engine, what, first, length, rest in JOBS:
        lines += [f"[{name}]", f"ioengine={engine}", f"rw={what}", *rest, *at(first, length)]
    return "\n".join(lines) + "\n"


def output(name):
    with open(f"{DIR}/{name}.out", encoding="utf-8", errors="replace") as file:
        return file.read()


def tell(lines):
    print(*lines, sep="\n", file=sys.stderr, flush=True)


def kill_all(*pattern):
    """Who forks meanwhile leaves one that pkill has missed."""
    while not subprocess.call(["pkill", "-KILL", *pattern]):
        time.sleep(0.2)


def load(*parameters):
    subprocess.check_call(["insmod", MODULE, *parameters])


def loaded():
    return os.path.exists("/sys/module/mmapdemo")


def swapping():
    """Charged to the cgroup, which has no room for it but in swap."""
    write(DIR + "/cgroup/swap/cgroup.procs", 0)
    # A group of processes of its own, for start_swapping().
    os.setsid()


def as_nobody():
    """root's madvise would poison pages, which are gone for good."""
    os.chdir(DIR + "/tmp")
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


class Stress:
    def __init__(self, fuzzer, parameters):
        self.fuzzer = fuzzer
        self.parameters = parameters
        self.counts = Counts(ROWS)
        self.figures = Figures(self.counts)
        self.running = {}       # what ends by itself, and with status 0: name -> process
        self.asides = {}        # what goes on until end_asides()

    # --- What runs in a round

    def launch(self, processes, name, command, nice=0, prepare=None):
        """In the background, with its output in a file. Our own priority is the highest,
        or our turn would come once a minute, on a slow kernel."""
        def run():
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            os.dup2(os.open(f"{DIR}/{name}.out", os.O_WRONLY), 1)
            os.dup2(1, 2)
            os.setpriority(os.PRIO_PROCESS, 0, nice)
            # Python ignores that, and what it starts would.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            if prepare:
                prepare()
            os.execvp(command[0], command)
        write(f"{DIR}/{name}.out", "")  # now: hotplug() is not to read that of the last round
        processes[name] = child(self.counts, ROW_OTHERS, run)

    def start_swapping(self, seconds):
        """Returns once pages go out: beside the others it might not get that far on a slow
        machine."""
        end = time.monotonic() + 60
        before = values_of("/proc/vmstat")["pswpout"]
        self.launch(self.asides, "swapping", ["stress-ng", "--temp-path", DIR + "/tmp", "--timeout",
                                              str(seconds + 120), "--vm", "1", "--vm-bytes", "20M"],
                    prepare=swapping)
        while values_of("/proc/vmstat")["pswpout"] == before and time.monotonic() < end:
            time.sleep(0.5)
        os.setpriority(os.PRIO_PGRP, self.asides["swapping"], 5)

    def start_tools(self, seconds):
        tool = ["stress-ng", "-v", "--temp-path", DIR + "/tmp", "--timeout"]
        write(DIR + "/jobs", verifying_jobs(seconds))
        self.launch(self.running, "fio", ["fio", "--output=" + DIR + "/fio.json", "--output-format=json",
                                          DIR + "/jobs"])
        self.launch(self.running, "dev", [*tool, str(seconds), "--metrics-brief", "--dev", "1",
                                          "--dev-file", DEVICE])
        beside = [*tool, str(seconds + 120), *"--vm 1 --vm-bytes 8M --mmap 1 --mmap-bytes 4M --fork 1"
                  " --madvise 1 --mlock 1 --msync 1 --msync-bytes 1M".split()]
        # Not every stress-ng has this.
        if b"--sigbus" in subprocess.check_output(["stress-ng", "--help"]):
            beside += ["--sigbus", "1"]
        # With more than 0 the others have more of the CPUs, with 15 they would have all.
        self.launch(self.asides, "beside", beside, 5, as_nobody)

    def start_misfortune(self, seconds):
        def run():
            os.setpriority(os.PRIO_PROCESS, 0, -10)
            Misfortune(self.counts).run(seconds)
        self.running["victims"] = child(self.counts, ROW_MISFORTUNE, run)
        self.asides["hotplug"] = child(self.counts, ROW_HOTPLUG, self.hotplug)

    def mixed(self):
        """Whoever dies in this is started again."""
        for engine in "mmap", "psync":
            name = "mixed-" + engine
            if name not in self.asides or os.waitpid(self.asides[name], os.WNOHANG)[0]:
                self.launch(self.asides, name, [
                    "fio", "--name=mixed", "--filename=" + DEVICE, "--bs=4k", "--rw=randrw", "--size=24m",
                    "--random_distribution=zoned_abs:0/8m:100/16m", "--ioengine=" + engine, "--time_based",
                    "--runtime=600"], 5)

    def hotplug(self):
        """stress-ng, as it starts, asks for the caches of each CPU, and dies when one goes
        meanwhile."""
        while not all("starting stressors" in output(name) for name in ("dev", "beside")):
            time.sleep(1)
        while True:
            try:
                write(CPU, 0)
                write(CPU, 1)
                self.counts.add("hotplugs")
            except OSError:
                pass
            time.sleep(random.randint(2, 4))

    def end_running(self, seconds, meanwhile=lambda: None):
        """Waits for all these, but no longer than that."""
        end = time.monotonic() + seconds
        for name, pid in self.running.items():
            while not (status := os.waitpid(pid, os.WNOHANG))[0]:
                meanwhile()
                self.figures.save()
                time.sleep(1)
                if time.monotonic() > end:
                    end = float("inf")
                    self.counts.mismatch(f"{name} does not end")
                    subprocess.call(["ps", "-eo", "pid,stat,wchan:30,args"], stdout=sys.stderr)
                    os.kill(pid, signal.SIGKILL)
            if status[1]:
                self.counts.mismatch(f"{name} ended with status {os.waitstatus_to_exitcode(status[1])}")
                if name != "victims":
                    tell([line for line in output(name).splitlines() if "metrc:" not in line][-15:])
        self.running.clear()

    def end_asides(self):
        for pid in self.asides.values():
            os.kill(pid, signal.SIGKILL)
        # Or pkill would find them for ever.
        for pid in self.asides.values():
            os.waitpid(pid, 0)
        self.asides.clear()
        kill_all("-f", "^fio --name=mixed")
        kill_all("stress-ng")
        try:
            write(CPU, 1)
        except OSError:
            pass
        empty_tmp()
        failures = re.findall(".* fail: .*", output("beside") + output("swapping"))
        if failures:
            tell(failures)
            self.counts.mismatch("in stress-ng's own memory")

    def count_tools(self):
        """What is only known at the end. fio's file may begin with words of its own."""
        with open(DIR + "/fio.json", encoding="utf-8") as file:
            jobs = json.loads(re.search(r"^\{.*^\}", file.read(), re.S | re.M)[0])["jobs"]
        read, written = (sum(job[how]["io_bytes"] for job in jobs) // 4096 for how in ("read", "write"))
        dev = re.search(r"\] dev +([1-9]\d*)", output("dev"))
        if not dev:
            self.counts.mismatch("stress-ng did nothing to the node")
        self.counts.add("verified", read)
        self.counts.add("operations", read + written + int(dev[1] if dev else 0))

    # --- A round

    def round(self, number, seconds):
        load("size=64M", "fault_mode=" + ("map_pages", "insert")[number % 2],
             *["pool_size=9M"] * (number % 3 == 1))
        device = os.open(DEVICE, os.O_RDWR)
        # Where the pool is small, these have their pages before it is full.
        os.pwrite(device, bytes(6 * MIB), 0)
        # Nobody touches this in between.
        kept = os.urandom(2 * MIB)
        os.pwrite(device, kept, 6 * MIB)
        self.start_swapping(seconds)
        self.start_tools(seconds)
        self.start_misfortune(seconds)
        self.end_running(seconds + 900, self.mixed)
        self.end_asides()
        self.count_tools()
        if os.pread(device, 2 * MIB, 6 * MIB) != kept:
            self.counts.mismatch("what nobody has touched since it was written")
        os.close(device)
        self.unload()
        self.counts.add("rounds")

    def unload(self):
        """A process that was just killed may need a moment to let go of it."""
        self.figures.before_unload()
        for _ in range(100):
            rmmod = subprocess.run(["rmmod", "mmapdemo"], capture_output=True, text=True, check=False)
            if not rmmod.returncode:
                return
            time.sleep(0.1)
        self.counts.mismatch(rmmod.stderr)
        subprocess.call(f"grep -ls {DEVICE} /proc/[0-9]*/maps; ps -eo pid,ppid,stat,args", shell=True,
                        stdout=sys.stderr)
        sys.exit(1)

    def fuzz(self, seconds):
        """What it finds ends it, and is left for the host."""
        os.makedirs(DIR + "/fuzz/corpus", exist_ok=True)
        load(*self.parameters)
        self.launch(self.running, "fuzz", ["bash", "-c", f"{self.fuzzer} -max_total_time={seconds}"])
        before = self.counts.sum("mismatches")
        self.end_running(seconds + 3600)
        if self.counts.sum("mismatches") != before:
            tell([line for line in output("fuzz").splitlines() if line.startswith("# ")][-80:])
            for path in glob.glob(DIR + "/fuzz/found-*"):
                shutil.copy(path, "/run/mmapdemo/")
        found = values_of(DIR + "/fuzz/figures")
        self.counts.add("executions", found["executions"])
        self.counts.add("operations", found["operations"])
        self.unload()

    # --- The whole

    def missing(self):
        """What has not happened yet."""
        figures = self.figures.all()
        return [name for name in (*INGREDIENTS, *["executions"] * bool(self.fuzzer)) if not figures[name]]

    def run(self, seconds):
        # To begin and end a round takes as long again, on a slow machine several times: with
        # an eighth there are some all the same. None is longer than a minute. Half of a soak
        # is the fuzzer's.
        length = min(max(seconds // (16 if self.fuzzer else 8), 10), 60)
        end = time.monotonic() + seconds
        number = 0
        # On a slow machine a round may be too short for some of it: then there are more.
        while time.monotonic() < end or number < 2 or number < 12 and self.missing():
            self.round(number, length)
            if self.fuzzer:
                self.fuzz(length)
            self.figures.measure()
            number += 1

    def verdict(self):
        """The exit status; what is wrong, in words."""
        figures = self.figures.all()
        missing = self.missing()
        for name in missing:
            tell([f"stress: never happened: {name}"])
        drifted = abs(figures["drift"]) >= DRIFT_MAX
        if drifted:
            tell([f"stress: memory in use has changed by {figures['drift']} KiB"])
        return int(bool(missing or drifted or figures["mismatches"] or figures["reports"]))


def empty_tmp():
    shutil.rmtree(DIR + "/tmp", ignore_errors=True)
    os.makedirs(DIR + "/tmp", exist_ok=True)
    os.chmod(DIR + "/tmp", 0o777)


def make_cgroups():
    group = DIR + "/cgroup"
    os.makedirs(group)
    subprocess.check_call(["mount", "-t", "cgroup2", "none", group])
    write(group + "/cgroup.subtree_control", "+memory")
    for name, limits in {"oom": {"memory.max": "24M", "memory.swap.max": 0}, "swap": {"memory.max": "12M"}}.items():
        os.makedirs(f"{group}/{name}", exist_ok=True)
        for limit, value in limits.items():
            write(f"{group}/{name}/{limit}", value)


def make_swap():
    """The disk is filled once, so that swapping takes no memory later."""
    if not os.path.exists("/dev/ram0"):
        subprocess.check_call(["modprobe", "brd", "rd_nr=1", "rd_size=65536"])
    subprocess.call("dd if=/dev/zero of=/dev/ram0 bs=1M status=none 2>/dev/null", shell=True)
    subprocess.check_call("mkswap /dev/ram0 >/dev/null && swapon /dev/ram0", shell=True)


def main():
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    os.environ["LC_ALL"] = "C"
    os.setpriority(os.PRIO_PROCESS, 0, -15)
    shutil.rmtree(DIR, ignore_errors=True)
    empty_tmp()
    make_cgroups()
    make_swap()
    write("/proc/sys/kernel/core_pattern", DIR + "/core.%p")
    if loaded():
        subprocess.check_call(["rmmod", "mmapdemo"])
    stress = Stress(" ".join(sys.argv[2:3]), sys.argv[3:])
    # The kernel forgets its first lines in the end.
    with open(LOG, "wb") as log, subprocess.Popen(["dmesg", "-w"], stdout=log) as watch:
        try:
            stress.run(int(sys.argv[1]))
            return stress.verdict()
        finally:
            watch.kill()
            stress.figures.save()
            subprocess.call(["swapoff", "/dev/ram0"])
            subprocess.call(["umount", "-l", DIR + "/cgroup"])
            if not loaded():
                load()


if __name__ == "__main__":
    sys.exit(main())
