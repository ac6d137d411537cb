# SPDX-License-Identifier: GPL-2.0-only
"""What lives dangerously in a round of stress.py. Imported, never run.

Workers read, write, copy, sync, harvest, discard and resize the device, next to fio and
stress-ng. Every byte that they write is the tag of its page, so every byte that they
read is 0 or that tag. Meanwhile at random one is killed, or stopped for a while, and
so is fio; a process that has the device mapped eats memory in a cgroup until the OOM
killer comes; another dumps core, and its core is searched for what it had written;
the module is asked to go.

Needs: the cgroup DIR/cgroup/oom, core_pattern DIR/core.%p
"""

import array
import ctypes
import errno
import fcntl
import mmap
import os
import random
import resource
import runpy
import signal
import struct
import time

from figures import DIR, write

DEVICE = "/dev/mmapdemo"
PAGE = mmap.PAGESIZE
MIB = 1 << 20

# What is whose: below FIRST fio, then the workers', but for the page that ends up in a
# core; the device's end moves between TAIL and END.
FIRST, CORE, TAIL, END = 24 * MIB, 39 * MIB, 40 * MIB, 64 * MIB
WORKERS = 3
# Whose counts are whose: the workers' come first.
ROW_OTHERS, ROW_MISFORTUNE, ROW_HOTPLUG, ROWS = range(WORKERS, WORKERS + 4)

# For its ioctls
COMMAND = runpy.run_path(os.path.dirname(os.path.abspath(__file__)) + "/../mmapdemo")


def tag(offset):
    return offset // PAGE % 255 + 1


# --- What a worker does: each one thing, to a range of the device. That a call is
# refused, because of what the others do, is nobody's concern.

class Worker:
    def __init__(self, counts):
        self.counts = counts
        self.fd = os.open(DEVICE, os.O_RDWR)

    def call(self, name, *values):
        ioctl = COMMAND[name]
        fcntl.ioctl(self.fd, COMMAND["request"](ioctl), struct.pack(ioctl.layout, *values))

    def check(self, data, offset, what):
        """Of the bytes of one page."""
        if data.count(0) + data.count(tag(offset)) != len(data):
            wrong = set(data) - {0, tag(offset)}
            self.counts.mismatch(f"{what}, offset {offset:#x}: {sorted(wrong)[:8]}, not 0 or {tag(offset)}")

    def read(self, offset, length):
        with mmap.mmap(self.fd, length, offset=offset, prot=mmap.PROT_READ) as pages:
            for at in range(0, length, PAGE):
                self.check(pages[at:at + PAGE], offset + at, "mapping")

    def write(self, offset, length):
        with mmap.mmap(self.fd, length, offset=offset) as pages:
            for at in range(0, length, PAGE):
                pages[at + random.randrange(PAGE)] = tag(offset + at)
                self.check(pages[at:at + PAGE], offset + at, "mapping, after a write")
            if random.randrange(2):
                pages.flush()
            if random.randrange(2):
                pages.madvise(mmap.MADV_DONTNEED)

    def copy(self, offset, length):
        with mmap.mmap(self.fd, length, flags=mmap.MAP_PRIVATE, offset=offset) as pages:
            pages[0] = tag(offset)
            self.check(pages[:PAGE], offset, "private copy")
            if pages[0] != tag(offset):
                self.counts.mismatch(f"private copy, offset {offset:#x}: lost")

    def pread(self, offset, length):
        data = os.pread(self.fd, length, offset)
        for at in range(0, len(data), PAGE):
            self.check(data[at:at + PAGE], offset + at, "read")

    def pwrite(self, offset, length):
        os.pwrite(self.fd, b"".join(bytes([tag(offset + at)]) * PAGE for at in range(0, length, PAGE)),
                  offset)

    def discard(self, offset, length):
        self.call("DISCARD", offset, length, 0, 0)

    def harvest(self, offset, length):
        extents = array.array("Q", bytes(8 * 16))
        self.call("DIRTY_LOG", offset, length, extents.buffer_info()[0], 8, COMMAND["CLEAR"])

    def sync(self, _offset, _length):
        """Of all that anybody has written, which may be a while to be killed in."""
        os.fsync(self.fd)

    def fork(self, offset, length):
        """The child has a mapping from here, which may end in SIGBUS."""
        with mmap.mmap(self.fd, length, offset=offset) as pages:
            pid = os.fork()
            if not pid:
                for at in range(0, length, PAGE):
                    self.check(pages[at:at + PAGE], offset + at, "mapping, in a child")
                    pages[at] = tag(offset + at)
                os._exit(0)
            self.ended(os.waitpid(pid, 0)[1])

    def ended(self, status):
        if status not in (0, signal.SIGBUS):
            self.counts.mismatch(f"a child ended with status {status:#x}")

    def resize(self, _offset, _length):
        self.call("RESIZE", random.randrange(TAIL, END + 1, PAGE), 0, 0)

    def beyond(self, _offset, length):
        """Where the device may have ended."""
        self.fork(random.randrange(TAIL, END, PAGE), length)

    def work(self):
        operations = (self.read, self.write, self.copy, self.pread, self.pwrite, self.discard,
                      self.harvest, self.sync, self.fork, self.resize, self.beyond)
        while True:
            nr = random.randint(1, 16)
            offset = random.randrange(FIRST, CORE - nr * PAGE, PAGE)
            try:
                random.choice(operations)(offset, nr * PAGE)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    self.counts.add("enospc")
            self.counts.add("operations")


# --- What happens to them

def child(counts, row, run):
    """A process that runs run(), and does not return from it."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        # Only who sends the signals is to be in time.
        os.setpriority(os.PRIO_PROCESS, 0, 0)
        counts.row = row
        random.seed()
        run()
        status = 0
    except BaseException as error:
        counts.mismatch(f"{run}: {error!r}")
    finally:
        os._exit(status)


def eat_memory():
    """What is mapped of the device is not charged; what is anonymous is."""
    write(DIR + "/cgroup/oom/cgroup.procs", 0)
    write("/proc/self/oom_score_adj", 1000)
    device = os.open(DEVICE, os.O_RDWR)
    pages = mmap.mmap(device, MIB, offset=FIRST)
    eaten = mmap.mmap(-1, 64 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for at in range(0, 64 * MIB, PAGE):
        pages[at % MIB] = tag(FIRST + at % MIB)
        eaten[at] = 1


def dump_core():
    """With shared mappings of files, and of anonymous memory, alone."""
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    write("/proc/self/coredump_filter", "0xa")
    fd = os.open(DEVICE, os.O_RDWR)
    pages = mmap.mmap(fd, PAGE, offset=CORE)
    pages[:] = bytes([tag(CORE)]) * PAGE
    os.abort()


class Misfortune:
    """Happens to workers, fio and others at random; each kind in its own time."""

    def __init__(self, counts):
        self.counts = counts
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.workers = {}
        self.stopped = []
        self.others = {}
        for row in range(WORKERS):
            self.start_worker(row)

    def start_worker(self, row):
        self.workers[child(self.counts, row, lambda: Worker(self.counts).work())] = row

    def pids_of(self, prefix):
        """Of programs whose command line begins with this."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if file.read(len(prefix)) == prefix:
                        yield int(pid)
            except OSError:
                pass

    def signal_one(self, pids, which):
        try:
            pid = random.choice(pids)
            os.kill(pid, which)
            return pid
        except (IndexError, ProcessLookupError):
            return None

    def kill_worker(self):
        # Who it was is counted where its end is seen.
        self.signal_one(list(self.workers), signal.SIGKILL)

    def kill_mixed(self):
        if self.signal_one(list(self.pids_of(b"fio\0--name=mixed")), signal.SIGKILL):
            self.counts.add("killed")

    def stop(self):
        for pid in self.stopped:
            self.signal_one([pid], signal.SIGCONT)
        self.stopped = []
        for pids in list(self.workers), list(self.pids_of(b"fio\0")):
            pid = self.signal_one(pids, signal.SIGSTOP)
            if pid:
                self.stopped.append(pid)
                self.counts.add("stopped")

    def rmmod(self):
        if not self.libc.delete_module(b"mmapdemo", os.O_NONBLOCK):
            self.counts.mismatch("the module was unloaded while it was in use")
        elif ctypes.get_errno() in (errno.EWOULDBLOCK, errno.EBUSY):
            self.counts.add("refused")

    def start_other(self, name, run):
        """One of each kind at a time."""
        if name not in self.others.values():
            self.others[child(self.counts, ROW_OTHERS, run)] = name

    def oom(self):
        self.start_other("oom", eat_memory)

    def core(self):
        self.start_other("core", dump_core)

    def check_core(self, pid):
        path = f"{DIR}/core.{pid}"
        try:
            with open(path, "rb") as file:
                data = file.read()
            os.unlink(path)
        except OSError:
            return
        self.counts.add("coredumps")
        if bytes([tag(CORE)]) * PAGE not in data:
            self.counts.mismatch("a core has not what its process had written to the device")

    def bury(self, pid, status):
        if pid in self.workers:
            row = self.workers.pop(pid)
            if status == signal.SIGKILL:
                self.counts.add("killed")
            elif status != signal.SIGBUS:
                self.counts.mismatch(f"a worker ended with status {status:#x}")
            self.start_worker(row)
            return
        name = self.others.pop(pid, None)
        if name == "core" and status & 0x7f == signal.SIGABRT:
            self.check_core(pid)
        elif status & 0x7f != signal.SIGBUS and not (name == "oom" and status == signal.SIGKILL):
            self.counts.mismatch(f"{name} ended with status {status:#x}")

    def bury_all(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self.bury(pid, status)

    def slowness(self):
        """How much slower than an emulated CPU without debugging aids this is: there a
        child comes and goes in 20 ms. Who is killed shall have done something before.
        """
        start = time.monotonic()
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
        return min(max((time.monotonic() - start) / 0.02, 1), 30)

    def run(self, seconds):
        # What, and after how many seconds again, on average
        plan = [(self.rmmod, 0.2), (self.kill_worker, 0.7), (self.stop, 0.5), (self.kill_mixed, 1.5),
                (self.oom, 3), (self.core, 3)]
        now = time.monotonic()
        end = now + seconds
        slowness = self.slowness()
        due = {what: now + random.random() for what, _ in plan}
        while now < end:
            for what, pause in plan:
                if due[what] <= now:
                    what()
                    due[what] = now + pause * random.uniform(0.5, 1.5) * slowness
            self.bury_all()
            # The CPU is the workers' for at least as long.
            time.sleep(max(0.05, time.monotonic() - now))
            now = time.monotonic()
        self.finish()

    def finish(self):
        """None is left that could be found stopped, or in the device."""
        for pid in self.stopped:
            self.signal_one([pid], signal.SIGCONT)
        for pid in list(self.workers):
            self.signal_one([pid], signal.SIGKILL)
        for pid, name in list(self.others.items()):
            self.bury(pid, os.waitpid(pid, 0)[1])
