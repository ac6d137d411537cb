#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes tables, a verdict and charts of what selftests/bench/bench.c has printed.

Usage: bench.py FIGURES OUT NAME=VALUE...

FIGURES is the program's output: lines of group, operation, subject, repetition,
value and unit. OUT is a directory, which gets bench.json with all figures,
bench.md with the tables, and bench.svg with the charts; the tables go to stdout
as well. Each NAME=VALUE says where the figures come from: a kernel, a commit.

The last line is "bench: N of M goals met". Exit status: 0, or 3: not all met.
"""

import collections
import json
import pathlib
import statistics
import sys

import bench_charts

# Ratios are to this subject, in the same boot.
REFERENCE = "memfd"

GROUPS = {
    "pages": "Cost by operation: instructions of the guest per page, or per call "
    "of mmap and fork",
    "dirty": "Finding and cleaning the dirty pages of 1 GiB that is all mapped: "
    "instructions per dirty page",
    "growth": "First write of a fresh page, by the size of the mapping: "
    "instructions per page",
    "memory": "The kernel's memory, apart from the pages themselves: bytes per page",
    "scaling": "Faults, or pages read in sequence, that two threads on two CPUs get done, "
    "for one that a single thread does",
}

NOTES = {
    "pages": """\
device: fault_mode=map_pages; insert: fault_mode=insert; nolog: fault_mode=map_pages
with dirty_log=0; shared and private: anonymous memory; udmabuf: a memfd's pages by /dev/udmabuf; vgem: a buffer of
/dev/dri/card0. The pages of "first" operations are present and not mapped, except
where it says "fresh"; they came one by one, or where it says so by write(2) of 1M.
"logged": the device's pages were clean, each write enters its dirty log. "write
after cleaning" is after fsync and a harvest of that log on the device, and after a
reset of the soft-dirty bits elsewhere; "after read" only the device has a fault. A
random read finds no neighbour mapped.""",
    "dirty": """\
device: MMAPDEMO_IOC_DIRTY_LOG; memfd: /proc/self/pagemap with its soft-dirty bits,
and clear_refs; PAGEMAP_SCAN: that ioctl, on a memfd under userfaultfd. No two dirty
pages are neighbours.""",
    "growth": """\
Up to 64 MiB all of it is touched; of a larger mapping 64 MiB, in runs of 2 MiB,
evenly over its length.""",
    "memory": """\
Growth of slab, page tables, vmalloc and per-CPU memory in /proc/meminfo, for
512 MiB that write(2) stores, and for 64 GiB of holes that are mapped and read.""",
    "scaling": """\
Wall clock, the best of all rounds: whatever else the host does can only lower it.
2.00 would be ideal. All threads use one open file, and one mapping.""",
}


class Goal:
    """A limit for the device: of its figure, or of its ratio to a peer's."""

    def __init__(self, operation, limit, peer=None, peer_operation=None, at_least=False,
                 subject="device", unit="bytes"):
        self.operation, self.limit, self.at_least = operation, limit, at_least
        self.subject, self.unit = subject, unit
        self.peer, self.peer_operation = peer, peer_operation or operation

    def judge(self, figures):
        """Sets value, which is None where something was not measured, and met."""
        self.value = figures.median(self.operation, self.subject)
        if self.peer and self.value is not None:
            other = figures.median(self.peer_operation, self.peer)
            self.value = self.value / other if other else None
        self.met = self.value is not None and (
            self.value >= self.limit if self.at_least else self.value <= self.limit)

    def versus(self):
        if not self.peer:
            return self.unit
        if self.peer_operation == self.operation:
            return f"x {self.peer}"
        return f"x {self.peer}, {self.peer_operation}"

    def row(self):
        sign = ">=" if self.at_least else "<="
        value = "not measured" if self.value is None else number(self.value)
        who = "" if self.subject == "device" else f" ({self.subject})"
        return [self.operation + who, value, f"{sign} {self.limit:.2f}", self.versus(),
                "met" if self.met else "NOT MET"]


GOALS = [
    # The harder one: a page of a peer comes from the system each time.
    Goal("first write, empty pool", 0.60, "memfd", "first write, fresh"),
    Goal("first write, empty pool", 0.97, "private", "first write, fresh"),
    Goal("first write, empty pool", 0.55, "memfd", "first write, fresh", subject="nolog"),
    Goal("first write, sequential", 0.88, "memfd", subject="nolog"),
    # No fault: the loop, and nothing else.
    Goal("write after read", 10, subject="nolog", unit="instructions"),
    Goal("first read, sequential", 0.82, "memfd"),
    Goal("first read, sequential", 0.15, "udmabuf"),
    Goal("first read, random", 0.82, "memfd"),
    Goal("first write, sequential", 0.90, "memfd"),
    Goal("write after read", 1.10, "memfd", "write after cleaning"),
    Goal("MADV_POPULATE_READ", 0.90, "memfd"),
    Goal("munmap, touched", 0.83, "memfd"),
    Goal("read(2), 4K", 0.82, "memfd"),
    Goal("read(2), 64K", 0.82, "memfd"),
    Goal("read(2), 1M", 0.82, "memfd"),
    Goal("write(2), 4K", 0.70, "memfd"),
    Goal("write(2), 64K", 0.68, "memfd"),
    Goal("write(2), 1M", 0.40, "memfd"),
    Goal("harvest + clean, 1 % dirty", 0.20, "memfd"),
    # Linear: a dirty page costs the same, however many of them there are.
    Goal("harvest + clean, 10 % dirty", 1.10, "device", "harvest + clean, 1 % dirty"),
    Goal("harvest + clean, 1 % dirty", 1.10, "device", "harvest + clean, 0.1 % dirty"),
    Goal("disjoint pages, present", 0.95, "memfd", at_least=True),
    Goal("disjoint pages, fresh", 0.95, "memfd", at_least=True),
    Goal("disjoint pages, read in sequence", 0.95, "memfd", at_least=True),
    Goal("metadata per stored page", 16, None),
    # None; but the kernel's memory grows by some pages of others meanwhile.
    Goal("metadata per hole", 0.01, None),
]


class Figures:
    def __init__(self, path):
        # groups[group][operation][subject] is a list of values, or a reason.
        self.groups = collections.defaultdict(lambda: collections.defaultdict(dict))
        self.units = {}
        with open(path, encoding="utf-8") as file:
            for line in file:
                self.add(*line.rstrip("\n").split("\t"))

    def add(self, group, operation, subject, repetition, value, unit):
        cells = self.groups[group][operation]
        if repetition == "-":
            cells[subject] = unit
        else:
            cells.setdefault(subject, []).append(float(value))
            self.units[operation] = unit

    def cell(self, operation, subject):
        for operations in self.groups.values():
            if operation in operations:
                return operations[operation].get(subject)
        return None

    def median(self, operation, subject):
        cell = self.cell(operation, subject)
        return statistics.median(cell) if isinstance(cell, list) else None

    def ratio(self, operation, subject):
        value = self.median(operation, subject)
        reference = self.median(operation, REFERENCE)
        # Of what is next to nothing there is no ratio.
        if value is None or reference is None or reference < 1e-2:
            return None
        return value / reference

    def spread(self, operation, subject):
        """The range of the repetitions, in percent of their median."""
        cell, median = self.cell(operation, subject), self.median(operation, subject)
        return (max(cell) - min(cell)) / median * 100 if number(median) != "0.00" else 0

    def subjects(self, group):
        names = {}
        for cells in self.groups[group].values():
            names.update(dict.fromkeys(cells))
        return list(names)

    def as_dict(self):
        return {group: {operation: self.operation_as_dict(operation, cells)
                        for operation, cells in operations.items()}
                for group, operations in self.groups.items()}

    def operation_as_dict(self, operation, cells):
        subjects = {
            name: {"median": self.median(operation, name), "min": min(cell),
                   "max": max(cell), "ratio": self.ratio(operation, name),
                   "values": cell}
            if isinstance(cell, list) else {"reason": cell}
            for name, cell in cells.items()}
        return {"unit": self.units.get(operation), "subjects": subjects}


def number(value):
    # Adding 0 makes 0 of -0.
    return f"{value:.0f}" if abs(value) >= 100 else f"{round(value, 2) + 0:.2f}"


def table_rows(figures, group):
    """A header, then a row per operation: values, ratios, and the widest range."""
    subjects = figures.subjects(group)
    yield ["", *subjects, "range"]
    for operation in figures.groups[group]:
        row, spread = [operation], 0
        for subject in subjects:
            value = figures.median(operation, subject)
            ratio = figures.ratio(operation, subject)
            text = "" if value is None else number(value)
            row.append(text if ratio is None else f"{text} {ratio:5.2f}")
            if value is not None:
                spread = max(spread, figures.spread(operation, subject))
        yield [*row, f"{spread:.1f} %" if group != "scaling" else ""]


def plain(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        cells = [cell.ljust(width) if not i else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        yield "  ".join(cells).rstrip()


def markdown(rows):
    align = ["---", *["---:"] * (len(rows[0]) - 1)]
    for row in [rows[0], align, *rows[1:]]:
        yield "| " + " | ".join(" ".join(cell.split()) for cell in row) + " |"


def goal_rows():
    return [["goal", "measured", "limit", "of", ""], *(goal.row() for goal in GOALS)]


def last_line():
    return f"bench: {sum(goal.met for goal in GOALS)} of {len(GOALS)} goals met"


def print_tables(figures):
    print(f"Each figure: the median, and its ratio to {REFERENCE}; the range is that of "
          "the\nrepetitions in percent of their median, the widest in the row.\n")
    for group in figures.groups:
        print(GROUPS[group], NOTES[group], sep="\n")
        print(*plain(list(table_rows(figures, group))), "", sep="\n")
    print(*plain(goal_rows()), "", sep="\n")


def write_markdown(path, figures, origin):
    lines = ["# What it costs", "",
             "Made by `make bench`: a figure is the median of the repetitions, behind it",
             f"its ratio to {REFERENCE} in the same boot; the range is that of the",
             "repetitions, in percent of the median, the widest in the row. An empty cell:",
             "the subject cannot do that. `bench.json`, which `make bench` leaves in the",
             "cache, says why, and has each repetition.", "",
             *(f"- {name}: {value}" for name, value in origin.items()), "",
             "![the charts](bench.svg)", "", "## The goals", "",
             *markdown(goal_rows()), "", last_line()]
    for group in figures.groups:
        lines += ["", f"## {GROUPS[group]}", "", NOTES[group], "",
                  *markdown(list(table_rows(figures, group)))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    figures = Figures(sys.argv[1])
    out = pathlib.Path(sys.argv[2])
    origin = dict(pair.split("=", 1) for pair in sys.argv[3:])
    for goal in GOALS:
        goal.judge(figures)
    goals = [dict(vars(goal), goal=" ".join(goal.row()[:4])) for goal in GOALS]
    (out / "bench.json").write_text(json.dumps(
        {"origin": origin, "goals": goals, "groups": figures.as_dict()}, indent=1) + "\n")
    write_markdown(out / "bench.md", figures, origin)
    limits = {goal.operation: goal.limit for goal in GOALS
              if goal.subject == "device" and goal.peer == REFERENCE and goal.peer_operation == goal.operation}
    bench_charts.draw(figures, limits, out / "bench.svg")
    print_tables(figures)
    print(last_line())
    sys.exit(0 if all(goal.met for goal in GOALS) else 3)


if __name__ == "__main__":
    main()
