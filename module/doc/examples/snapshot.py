#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Keeps a file a copy of the device while a program writes to it.

Usage: snapshot.py FILE COMMAND...

Everything is copied once. After that, the dirty log tells what has been written since,
through any mapping or call, and only that is copied. When the command has ended, the
two are compared byte by byte.

While the command runs, the copy may hold half of a write of several pages; to get a
consistent state, stop the writer for the last round, which is short. Discarded and
truncated pages (DISCARD, RESIZE) are not written, and not in the log.

Exit status: 0; 1: a call failed, the command failed, or the copy differs; 2: usage.
"""

import array
import fcntl
import os
import struct
import subprocess
import sys
import time

DEVICE = "/dev/mmapdemo"
# module/uapi/mmapdemo.h: struct mmapdemo_dirty_log, _IOWR(0xDA, 0x03, ...)
LAYOUT = "=QQQII"
DIRTY_LOG = 3 << 30 | struct.calcsize(LAYOUT) << 16 | 0xDA << 8 | 0x03
CLEAR = 0x1
EXTENTS = 512
CHUNK = 1 << 20


def harvest(device, size):
    """Yields (start, length) of all that was written since the last harvest."""
    extents = array.array("Q", bytes(16 * EXTENTS))
    start, left = 0, size
    while left:
        log = bytearray(struct.pack(LAYOUT, start, left, extents.buffer_info()[0], EXTENTS, CLEAR))
        fcntl.ioctl(device, DIRTY_LOG, log)
        start, left, _, found, _ = struct.unpack(LAYOUT, log)
        yield from zip(extents[:2 * found:2], extents[1:2 * found:2])


def stored(device):
    """Yields (start, length) of all data, without holes."""
    end = 0
    while True:
        try:
            start = os.lseek(device, end, os.SEEK_DATA)
            end = os.lseek(device, start, os.SEEK_HOLE)
        except OSError:     # ENXIO: no data from here on
            return
        yield start, end - start


def copy(device, file, extents):
    """Copies the extents; returns the number of bytes."""
    copied = 0
    for start, length in extents:
        for at in range(start, start + length, CHUNK):
            data = os.pread(device, min(CHUNK, start + length - at), at)
            if os.pwrite(file, data, at) != len(data):
                raise OSError("the copy is short: is the disk full?")
            copied += len(data)
    return copied


def same(device, file, size):
    return all(os.pread(device, CHUNK, at) == os.pread(file, CHUNK, at)
               for at in range(0, size, CHUNK))


def follow(device, file, size, writer):
    """Copies what is written until the writer ends; returns rounds and bytes."""
    rounds = copied = 0
    ended = False
    while not ended:
        # Checked before the harvest, which then has the writer's last write.
        ended = writer.poll() is not None
        # The harvest cleans a page before we read it. If it is written meanwhile, it is
        # in the next harvest, and is copied again.
        part = copy(device, file, harvest(device, size))
        rounds += 1
        copied += part
        if not part and not ended:
            time.sleep(0.01)
    return rounds, copied


def main():
    if len(sys.argv) < 3:
        print("usage: snapshot.py FILE COMMAND...", file=sys.stderr)
        return 2
    device = os.open(DEVICE, os.O_RDWR)
    file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    # Not os.fstat(device).st_size: that is 0 for a character device.
    size = os.lseek(device, 0, os.SEEK_END)
    os.ftruncate(file, size)

    # In this order, so that no write in between is missed.
    for _ in harvest(device, size):
        pass
    first = copy(device, file, stored(device))
    with subprocess.Popen(sys.argv[2:]) as writer:
        rounds, copied = follow(device, file, size, writer)

    equal = same(device, file, size)
    print(f"{first} bytes first, then {copied} in {rounds} rounds; the copy "
          f"{'equals the device' if equal else 'DIFFERS from the device'}")
    if writer.returncode:
        print(f"{sys.argv[2]} ended with {writer.returncode}", file=sys.stderr)
    return 0 if equal and not writer.returncode else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        sys.exit(f"snapshot.py: {error}")
