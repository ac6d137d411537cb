# SPDX-License-Identifier: GPL-2.0-only
"""What cli.py's tests use: runs scripts/mmapdemo, and looks at the device.

Starting Python takes an emulated guest about a second. So cli.py is started once:
for each command it forks a child that has Python, and the script, compiled, already.
"""

import collections
import json
import os
import sys
import traceback
import zlib

SCRIPT = sys.argv[1]
DEVICE = "/dev/mmapdemo"
DEBUGFS = "/sys/kernel/debug/mmapdemo"
PAGE = os.sysconf("SC_PAGESIZE")
# A map is drawn for this width, with 64 characters in a line.
os.environ["COLUMNS"] = "80"
Result = collections.namedtuple("Result", "status out err")

with open(SCRIPT, encoding="utf-8") as source:
    CODE = compile(source.read(), SCRIPT, "exec")
# For what it imports, at once or late: a child has it, and may have no right to read it.
LOADED = {"__name__": "loaded", "__file__": SCRIPT}
exec(CODE, LOADED)
LOADED["command_line"]()


# --- Running the command -----------------------------------------------------

def execute(args, program, uid):
    """In a child, which it never leaves."""
    status = 1
    try:
        os.setuid(uid)
        if program:
            os.execv(program, [program, *args])
        sys.argv = [SCRIPT, *args]
        exec(CODE, {"__name__": "__main__", "__file__": SCRIPT})
        status = 0
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
        finally:
            os._exit(status)


def start(args, out, err=2, program=None, uid=0):
    """Returns the child's process number."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.dup2(out, 1)
        os.dup2(err, 2)
        # With the other end of its own pipe it would not notice that we close ours.
        os.closerange(3, 256)
        execute(args, program, uid)
    return pid


def wait(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def take(fd):
    """What the children have written to a memfd."""
    text = os.pread(fd, os.fstat(fd).st_size, 0).decode()
    os.close(fd)
    return text


def run(*args, out=None, **how):
    result, errors = os.memfd_create("out"), os.memfd_create("err")
    status = wait(start(args, result if out is None else out, errors, **how))
    return Result(status, take(result), take(errors))


def cli(*args, **how):
    """What the command prints; it has to succeed."""
    words = [str(arg) for arg in args]
    result = run(*words, **how)
    assert result.status == 0 and not result.err, f"{words}: {result}"
    return result.out


def cli_json(*args, **how):
    return json.loads(cli(*args, "--json", **how))


# --- The device as others see it ---------------------------------------------

def same(expected, actual):
    assert expected == actual, f"\nexpected:  {expected!r}\nbut it is: {actual!r}"


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def pool(name):
    """In pages, as the module counts them."""
    return int(dict(line.split() for line in read(f"{DEBUGFS}/pool").splitlines())[name])


def device_size():
    with open(DEVICE, "rb") as device:
        return device.seek(0, os.SEEK_END)


def state():
    """What a command that is refused may not change."""
    with open(DEVICE, "rb") as device:
        return read(f"{DEBUGFS}/pool"), zlib.crc32(device.read())


def write_pages(*runs, clean=False):
    """Each run is a first page and a number of pages."""
    with open(DEVICE, "r+b", buffering=0) as device:
        for first, number in runs:
            same(number * PAGE, os.pwrite(device.fileno(), bytes(number * PAGE), first * PAGE))
    if clean:
        cli("dirty", "--clear")


def empty(pages=64):
    """A device of that size, with nothing in it."""
    cli("resize", pages * PAGE)
    cli("discard", 0, pages * PAGE)
    same(0, pool("stored"))
