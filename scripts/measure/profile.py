#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes tables of the instructions that profile.sh has counted.

Usage: profile.py DIRECTORY

DIRECTORY has symbols (/proc/kallsyms of the guest), counts (what
profile-plugin.c wrote) and figures (what selftests/bench/bench.c printed). Stdout gets
Markdown: for each operation a table of functions, with the instructions per page
in each of them, on each subject.
"""

import bisect
import collections
import pathlib
import sys

MODULE = "mmapdemo"


class Symbols:
    def __init__(self, path):
        functions = []
        for line in path.read_text().splitlines():
            address, kind, name, *module = line.split()
            if kind in "tTwW":
                functions.append((int(address, 16), name, module == [f"[{MODULE}]"]))
        functions.sort()
        self.addresses = [function[0] for function in functions]
        self.functions = functions

    def find(self, address):
        """The function's name, and whether it is the module's."""
        i = bisect.bisect_right(self.addresses, address) - 1
        # Half of the addresses are the program's.
        if address < 1 << 63 or i < 0:
            return "(the program)", False
        return self.functions[i][1:]


def sections(path):
    """One dictionary of address and count for each measurement."""
    for section in path.read_text().split("=\n")[1:]:
        lines = (line.split() for line in section.splitlines())
        yield {int(address, 16): int(count) for address, count in lines}


def profiles(directory):
    """Operation, subject, and instructions per page by function, or why there are none."""
    symbols = Symbols(directory / "symbols")
    counts = list(sections(directory / "counts"))
    figures = [line.split("\t") for line in
               (directory / "figures").read_text().splitlines()]
    # Before the repetitions that are printed there is one to warm up.
    start = 0
    while figures:
        _, operation, subject, _, value, reason = figures[0]
        if value == "-":
            yield operation, subject, reason
            del figures[0]
            continue
        repetitions = sum(figure[1:3] == [operation, subject] for figure in figures)
        last = counts[start + repetitions]
        start += repetitions + 1
        figures = figures[repetitions:]
        pages = sum(last.values()) / float(value)
        functions = collections.Counter()
        for address, count in last.items():
            functions[symbols.find(address)] += count / pages
        yield operation, subject, functions


def table(operation, subjects):
    """Functions that take an instruction or more, the largest first."""
    columns = {name: profile for name, profile in subjects.items()
               if not isinstance(profile, str)}
    print(f"\n## {operation}\n")
    for name, reason in subjects.items():
        if name not in columns:
            print(f"None of {name}: {reason}.\n")
    if not columns:
        return
    names = set().union(*columns.values())
    names = sorted(names, key=lambda name: -max(c[name] for c in columns.values()))
    print(f"| function | {' | '.join(columns)} |")
    print("| --- |" + " ---: |" * len(columns))
    for what, of_module in ("all", None), ("the module", True), ("the core", False):
        row = [sum(n for name, n in c.items() if of_module in (None, name[1]))
               for c in columns.values()]
        print(f"| **{what}** | " + " | ".join(f"{n:.0f}" for n in row) + " |")
    for name in names:
        row = [c[name] for c in columns.values()]
        if max(row) >= 1:
            label = f"{name[0]} [{MODULE}]" if name[1] else name[0]
            print(f"| `{label}` | " + " | ".join(f"{n:.0f}" if n >= 0.5 else "" for n in row) + " |")


def main():
    operations = collections.defaultdict(dict)
    for operation, subject, functions in profiles(pathlib.Path(sys.argv[1])):
        operations[operation][subject] = functions
    print("# Where the instructions are\n\nMade by `make profile`: instructions of the "
          "guest per page, by function.")
    for operation, subjects in operations.items():
        table(operation, subjects)


if __name__ == "__main__":
    main()
