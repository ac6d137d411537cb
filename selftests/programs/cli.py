#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Each command of scripts/mmapdemo against the device.

Usage (by cli.sh): cli.py SCRIPT KSELFTEST_DIRECTORY TEMPORARY_DIRECTORY

Output: KTAP.
"""

import contextlib
import json
import os
import re
import select
import shutil
import signal
import stat
import sys
import time
import traceback

from cli_util import (DEBUGFS, DEVICE, PAGE, SCRIPT, Result, cli, cli_json, device_size, empty,
                      pool, read, run, same, start, state, wait, write_pages)

KSFT, TMP = sys.argv[2:]
sys.path.insert(0, KSFT)
import ksft  # noqa: E402  (the path is known only now)

MODULE = "/sys/module/mmapdemo"
KIB = PAGE // 1024
NOBODY = 65534

# Of 64 pages 10 hold data, of which 5 are dirty: "X".
PATTERN = "..OXO...O...XXXXOO"


def pattern(pages=64):
    empty(pages)
    write_pages((2, 3), (8, 1), (16, 2), clean=True)
    write_pages((3, 1), (12, 4))


def extents(*runs):
    return [{"start": first * PAGE, "len": number * PAGE} for first, number in runs]


def lines(*runs):
    return "".join(f"{first * PAGE} {number * PAGE}\n" for first, number in runs)


# --- Commands that only look, at the pattern ---------------------------------

def info_as_text():
    found = dict(line.split(maxsplit=1) for line in cli("info").splitlines())
    same("resize discard dirty_log", found.pop("features"))
    same(f"{PAGE} ({KIB}K)", found["page_size"])
    same({"size": 64 * PAGE, "pool_size": pool("cap") * PAGE, "page_size": PAGE,
          "stored": 10 * PAGE, "dirty": 5 * PAGE},
         {name: int(value.split()[0]) for name, value in found.items()})


def info_as_json():
    expected = {"size": 64 * PAGE, "pool_size": pool("cap") * PAGE, "page_size": PAGE,
                "stored": 10 * PAGE, "dirty": 5 * PAGE,
                "features": ["resize", "discard", "dirty_log"]}
    same(expected, cli_json("info"))
    same(expected, json.loads(cli("--json", "info")))


def dirty_as_text():
    same(lines((3, 1), (12, 4)), cli("dirty"))
    same(lines((12, 2)), cli("dirty", 4 * PAGE, 10 * PAGE))
    same("", cli("dirty", 20 * PAGE, 44 * PAGE))
    same(5, pool("dirty"))


def dirty_as_json():
    same({"cleared": False, "extents": extents((3, 1), (12, 4))}, cli_json("dirty"))
    same({"cleared": False, "extents": []}, cli_json("dirty", 0, PAGE))


def map_page_by_page():
    first, legend = cli("map").splitlines()
    same("0 " + PATTERN.ljust(64, "."), first.lstrip())
    same(f"each character: a page ({KIB}K)  . hole  O clean  X dirty", legend)
    same(f"{8 * KIB}K O...XXXX", cli("map", 8 * PAGE, 8 * PAGE).splitlines()[0].lstrip())


def map_as_json():
    same({"start": 0, "len": 64 * PAGE, "page_size": PAGE,
          "data": extents((2, 3), (8, 1), (12, 6)), "dirty": extents((3, 1), (12, 4))},
         cli_json("map"))


def on_terminal(*args):
    """What it says there; a small map fits into the terminal's buffer."""
    ours, terminal = os.openpty()
    cli(*args, out=terminal)
    os.close(terminal)
    text = b""
    # EIO is the end.
    with contextlib.suppress(OSError), open(ours, "rb", buffering=0) as file:
        while True:
            text += file.read(4096)
    return text.decode().replace("\r", "")


def map_in_colour():
    plain, coloured = cli("map"), on_terminal("map")
    assert "\033" not in plain
    assert "\033[1;31mXXXX\033[m\033[32mOO\033[m" in coloured, coloured
    same(plain, re.sub(r"\033\[[0-9;]*m", "", coloured))
    os.environ["NO_COLOR"] = "1"
    same(plain, on_terminal("map"))


def stats_as_text():
    text = read(f"{DEBUGFS}/stats") + read(f"{DEBUGFS}/pool")
    same([line.split() for line in text.splitlines()],
         [line.split() for line in cli("stats").splitlines() if line.startswith(" ")])


def stats_as_json():
    found = cli_json("stats")
    same(["stats", "pool"], list(found))
    for name, values in found.items():
        same(read(f"{DEBUGFS}/{name}").split(),
             [word for pair in values.items() for word in map(str, pair)])


# --- What is refused ---------------------------------------------------------

def refuses(status, message, *args, **how):
    """What the device refused takes one line; bad usage has the usage as well."""
    result = run(*map(str, args), **how)
    assert result.status == status and re.search(message, result.err), f"{args}: {result}"
    same("", result.out)
    assert status != 1 or result.err.count("\n") == 1, result.err


def device_refuses():
    refuses(1, "MMAPDEMO_IOC_RESIZE: Invalid argument: .*page size", "resize", PAGE + 1)
    refuses(1, "MMAPDEMO_IOC_RESIZE: Invalid argument", "resize", "8E")
    refuses(1, "MMAPDEMO_IOC_DISCARD: Invalid argument", "discard", 0, 65 * PAGE)
    refuses(1, "MMAPDEMO_IOC_DIRTY_LOG: Invalid argument", "dirty", "--clear", 0, PAGE + 1)
    refuses(1, "MMAPDEMO_IOC_DIRTY_LOG: Invalid argument", "map", 0, 0)
    refuses(1, "past the device", "map", PAGE, 64 * PAGE)


def bad_usage():
    for size in "12Q", "-1", "08", "16E", "":
        refuses(2, "is no size", "resize", size)
    refuses(2, "required: COMMAND")
    refuses(2, "invalid choice", "erase", 0, PAGE)
    refuses(2, "required: LENGTH", "discard", 0)
    refuses(2, "OFFSET needs a LENGTH", "dirty", "--clear", 0)
    refuses(2, "unrecognized arguments", "dirty", "--clea")
    refuses(2, "no number of seconds", "stats", "--watch", 0)


def no_device():
    os.mkfifo(f"{TMP}/fifo")
    os.mknod(f"{TMP}/nobody", stat.S_IFCHR, os.makedev(10, 250))
    refuses(1, "No such file or directory: load the module", "--device", f"{TMP}/none", "info")
    refuses(1, "No such device: load the module", "--device", f"{TMP}/nobody", "info")
    refuses(1, "not a character device", "--device", f"{TMP}/fifo", "info")
    refuses(1, "MMAPDEMO_IOC_RESIZE: .*: /dev/null is no mmapdemo",
            "resize", "1M", "--device=/dev/null")


def no_rights():
    refuses(1, "stats: Permission denied: use sudo", "stats", uid=NOBODY)
    refuses(1, "mmapdemo: Permission denied: use sudo", "resize", "1M", uid=NOBODY)


def full_disk():
    full = os.open("/dev/full", os.O_WRONLY)
    for args in ["info"], ["map", "--json"]:
        same(Result(1, "", "mmapdemo: stdout: No space left on device\n"), run(*args, out=full))
    os.close(full)


# --- What else it says -------------------------------------------------------

def says_version():
    """In the tree; and, as a program, away from it."""
    expected = f"mmapdemo {read(MODULE + '/version')}"
    same(expected, cli("info", "--version"))
    shutil.copy(SCRIPT, f"{TMP}/mmapdemo")
    same(expected, cli("--version", program=f"{TMP}/mmapdemo"))


def completes():
    """The completion knows what --help lists."""
    listed = re.findall(r"^    ([a-z]+) |^  .*(--[a-z]+)", cli("--help"), re.M)
    script = ('. "$1" && COMP_WORDS=(mmapdemo "") COMP_CWORD=1 && _mmapdemo &&'
              'printf "%s\n" "${COMPREPLY[@]}"')
    words = cli("-c", script, "bash", f"{os.path.dirname(SCRIPT)}/package/mmapdemo.bash", program="/bin/bash")
    same(sorted(command or option for command, option in listed), sorted(words.split()))


class Watcher:
    """The command with its output in a pipe."""

    def __init__(self, *args):
        self.pipe, out = os.pipe()
        self.pid = start(args, out)
        self.text = ""
        os.close(out)

    def read_until(self, wanted):
        end = time.monotonic() + 60
        while not re.search(wanted, self.text):
            assert select.select([self.pipe], [], [], max(0, end - time.monotonic()))[0], self.text
            part = os.read(self.pipe, 65536).decode()
            assert part, f"it has ended: {self.text}"
            self.text += part


def stats_watched():
    empty()
    watcher = Watcher("stats", "--watch", "0.2")
    # What there was before comes first.
    watcher.read_until("forgotten")
    write_pages((40, 1))
    watcher.read_until(r" s  .*dirtied \+1")
    os.kill(watcher.pid, signal.SIGINT)
    same(-signal.SIGINT, wait(watcher.pid))
    os.close(watcher.pipe)


def stats_watched_as_json():
    """Each line is one, at once; and the end of its reader ends it."""
    watcher = Watcher("stats", "--json", "--watch", "0.1")
    watcher.read_until("(.*\n){3}")
    os.close(watcher.pipe)
    same(-signal.SIGPIPE, wait(watcher.pid))
    first, second, third = map(json.loads, watcher.text.splitlines()[:3])
    assert 0 == first["seconds"] < second["seconds"] < third["seconds"], watcher.text
    assert "mkwrite" in third["stats"] and "stored" in third["pool"], watcher.text


# --- Commands that change the device -----------------------------------------

def discards():
    pattern()
    same("", cli("discard", 3 * PAGE, 10 * PAGE))
    same((6, 3), (pool("stored"), pool("dirty")))
    same(extents((13, 2)), [cli_json("discard", 13 * PAGE, 2 * PAGE)])
    same(4, pool("stored"))


def dirty_cleared():
    pattern()
    same(lines((12, 2)), cli("dirty", "--clear", 8 * PAGE, 6 * PAGE))
    same(3, pool("dirty"))
    same({"cleared": True, "extents": extents((3, 1), (14, 2))}, cli_json("dirty", "--clear"))
    same((0, ""), (pool("dirty"), cli("dirty")))
    write_pages((14, 1))
    same(lines((14, 1)), cli("dirty"))


def dirty_resumes():
    """More extents than one call returns, and just as many."""
    empty(1024)
    runs = [(page, 1) for page in range(0, 600, 2)]
    write_pages(*runs)
    same(lines(*runs), cli("dirty"))
    same(lines(*runs[:256]), cli("dirty", 0, 512 * PAGE))
    same(lines(*runs), cli("dirty", "--clear"))
    same((0, 300), (pool("dirty"), pool("stored")))


def map_scaled():
    """Two pages a character, in as many lines as there may be."""
    pattern(2048)
    *rows, legend = cli("map").splitlines()
    same(["0 " + ".xo.o.XXO".ljust(64, ".")], [row.lstrip() for row in rows[:1]])
    same(["." * 64] * 15, [row.split()[1] for row in rows[1:]])
    assert re.search("each character: 2 pages .*  o x some of them", legend), legend
    # A page each, where a line has room for 144.
    os.environ["COLUMNS"] = "160"
    wide = cli("map")
    os.environ["COLUMNS"] = "80"
    same(16, wide.count("\n"))


def resizes():
    same(("", 2097152), (cli("resize", "2M"), device_size()))
    same(("", 1048576), (cli("resize", "1024k"), device_size()))
    same(({"size": 262144}, 262144), (cli_json("resize", "0x40000"), device_size()))


def another_node():
    node = f"{TMP}/node"
    os.mknod(node, stat.S_IFCHR | 0o600, os.stat(DEVICE).st_rdev)
    same(cli("--json", "info"), cli("--json", "info", "--device", node))
    cli("--device", node, "resize", 32 * PAGE)
    same(32 * PAGE, device_size())


# -----------------------------------------------------------------------------

def unchanged(test):
    """It succeeds, and leaves the device as it is."""
    def test_and_compare():
        before = state()
        test()
        same(before, state())
    return test_and_compare


# What only looks at the device, or is refused, finds it as the first has left it.
TESTS = {
    "a device with holes, clean and dirty pages": pattern,
    "info says what is so": info_as_text,
    "info --json": info_as_json,
    "dirty lists extents": dirty_as_text,
    "dirty --json": dirty_as_json,
    "map: holes, clean and dirty pages are where they are": map_page_by_page,
    "map --json": map_as_json,
    "map has colours on a terminal only": map_in_colour,
    "stats says what debugfs says": stats_as_text,
    "stats --json": stats_as_json,
    "what the device refuses changes nothing": unchanged(device_refuses),
    "bad usage changes nothing": unchanged(bad_usage),
    "no device, and what is none": unchanged(no_device),
    "no rights": unchanged(no_rights),
    "a full disk is an error": full_disk,
    "--version": says_version,
    "completion": completes,
    "stats --watch says what changes": stats_watched,
    "stats --watch --json": stats_watched_as_json,
    "discard": discards,
    "dirty --clear cleans what it lists": dirty_cleared,
    "dirty goes on where the buffer was full": dirty_resumes,
    "map of many pages": map_scaled,
    "resize": resizes,
    "another node, before and after the command": another_node,
}

ksft.print_header()
ksft.set_plan(len(TESTS))
for description, test in TESTS.items():
    try:
        test()
        ksft.test_result_pass(description)
    except Exception:
        for line in traceback.format_exc().splitlines():
            ksft.print_msg(line)
        ksft.test_result_fail(description)
cli("discard", 0, device_size())
cli("resize", read(f"{MODULE}/parameters/size").strip())
ksft.finished()
