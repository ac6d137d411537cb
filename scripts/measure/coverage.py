#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Judges what lcov captured: tables, what is not covered, a last line.

Usage: coverage.py TRACEFILE NOTES TREE KSRC

TRACEFILE is lcov's, as geninfo(1) describes it; lcov itself knows no figures
of a part of a file, which is what the functions of the core need. NOTES is
coverage-notes.md, which explains its own form. TREE is the directory of which
module/ is the module, KSRC the kernel's source tree.

Exit status: 0, or 1: a figure is below its goal, a line of the module is
neither covered nor explained, or a note fits no line.
"""

import collections
import os
import re
import sys

GOAL_LINES, GOAL_BRANCHES, GOAL_DO_MMAP = 95, 90, 90

# The way of a mapping through the core.
CORE = {
    "mm/mmap.c": "do_mmap mmap_region __mmap_region",
    "mm/vma.c": "vms_gather_munmap_vmas vms_complete_munmap_vmas "
    "vma_merge_new_range vma_merge_existing_range vma_expand commit_merge "
    "vma_prepare vma_complete __split_vma vma_modify vma_merge_extend "
    "copy_vma vma_needs_dirty_tracking vma_wants_writenotify",
    "mm/memory.c": "handle_pte_fault do_fault do_read_fault do_fault_around "
    "do_cow_fault do_shared_fault __do_fault finish_fault set_pte_range "
    "do_page_mkwrite fault_dirty_shared_page do_wp_page wp_page_shared "
    "wp_page_reuse wp_page_copy copy_page_range copy_pte_range "
    "unmap_page_range zap_pte_range vm_insert_pages insert_pages",
    "mm/filemap.c": "filemap_map_pages next_uptodate_folio "
    "filemap_map_folio_range filemap_map_order0_folio",
    "mm/mprotect.c": "mprotect_fixup change_pte_range can_change_pte_writable",
    "mm/mremap.c": "vma_to_resize mremap_to move_vma move_page_tables move_ptes",
}

Function = collections.namedtuple("Function", "name first last")


class Note:
    """Lines of a function, quoted, some of them marked; and what of them."""

    def __init__(self, path, function, where):
        self.path, self.function, self.where = path, function, where
        self.excerpt, self.marked, self.reason = [], [], ""

    def quote(self, line):
        if line[:1] == ">":
            self.marked.append(len(self.excerpt))
        self.excerpt.append(line.removeprefix(">").strip())

    def place(self, source):
        """Returns the numbers of the marked lines; None: it does not fit."""
        found = []
        for function in source.functions if source else []:
            if function.name != self.function:
                continue
            text = [source.line(n) for n in range(function.first, function.last + 1)]
            found += [function.first + i for i in range(len(text))
                      if text[i:i + len(self.excerpt)] == self.excerpt]
        if len(found) != 1 or not self.marked:
            return None
        return {found[0] + i for i in self.marked}


class Source:
    """A file: its text, its functions, what was counted in it."""

    def __init__(self, name, path):
        self.name = name
        with open(path, encoding="utf-8") as file:
            self.text = [line.rstrip("\n") for line in file]
        self.lines = {}
        self.branches = []
        self.functions = list(self.find_functions())

    def find_functions(self):
        """As the kernel's style has it: both braces in the first column."""
        first = name = None
        for number, line in enumerate(self.text, 1):
            head = re.match(r"(?:[a-z_][^()]*[\s*])?(\w+)\(", line)
            if head and not line.endswith(";"):
                first, name = number, head[1]
            elif line == "}" and first:
                yield Function(name, first, number)
                first = None

    def function_at(self, number):
        for function in self.functions:
            if function.first <= number <= function.last:
                return function.name
        return ""

    def line(self, number):
        return self.text[number - 1].strip()


def read_tracefile(path, roots):
    """Returns {name: Source}; a name is relative to the root it lies in."""
    sources = {}
    source = None
    with open(path, encoding="utf-8") as file:
        for record in file:
            kind, _, rest = record.strip().partition(":")
            fields = rest.split(",")
            if kind == "SF":
                root = next(r for r in roots if rest.startswith(r + "/"))
                name = os.path.relpath(rest, root)
                source = sources.setdefault(name, Source(name, rest))
            elif kind == "DA":
                source.lines[int(fields[0])] = int(fields[1])
            elif kind == "BRDA":
                source.branches.append(fields[-1] not in ("-", "0"))
    return sources


def read_notes(path):
    """A heading names file and function, a block quotes, what follows explains."""
    notes = []
    where = None
    quoting = False
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            heading = re.match(r"### (\S+): (\w+)\(\)$", line)
            if line.startswith("```"):
                quoting = not quoting
                if quoting and where:
                    notes.append(Note(*where, f"{path}:{number}"))
            elif quoting and where:
                notes[-1].quote(line)
            elif line.startswith("#"):
                where = heading.groups() if heading else None
            elif where and notes:
                notes[-1].reason += line
    return notes


def percent(hit, total):
    """Never 100 where something is missing; of nothing, all."""
    return hit * 100 // total if total else 100


def figures(hits):
    hits = list(hits)
    return sum(hits), len(hits)


class Report:
    def __init__(self, sources, notes):
        self.sources = sources
        self.failures = []
        self.noted = collections.defaultdict(set)
        for note in notes:
            numbers = note.place(sources.get(note.path))
            if numbers is None:
                self.failures.append(f"{note.where}: this note fits no line, or several")
            elif not note.reason:
                self.failures.append(f"{note.where}: this note gives no reason")
            else:
                self.noted[note.path] |= numbers

    def module_table(self):
        """Prints it; returns percent of lines and of branches."""
        sums = [0, 0, 0, 0]
        print(f"{'file of the module':30} {'lines':>15} {'branches':>15}")
        for name in sorted(n for n in self.sources if n.startswith("module/")):
            source = self.sources[name]
            row = [*figures(c > 0 for c in source.lines.values()),
                   *figures(source.branches)]
            sums = [a + b for a, b in zip(sums, row)]
            self.module_row(name, row)
        self.module_row("all", sums)
        return percent(*sums[:2]), percent(*sums[2:])

    @staticmethod
    def module_row(name, row):
        print(f"{name:30} {row[0]:5}/{row[1]:3} {percent(*row[:2]):3} % "
              f"{row[2]:5}/{row[3]:3} {percent(*row[2:]):3} %")

    def core_table(self):
        """Prints it; returns percent of do_mmap's lines."""
        do_mmap = 0
        print(f"\n{'function of the core':42} {'lines':>15}  out of reach")
        for name, functions in CORE.items():
            for function in functions.split():
                hit, total, out = self.function_figures(name, function)
                if not total:
                    self.failures.append(f"{name}: no line of {function}() was counted")
                elif function == "do_mmap":
                    do_mmap = percent(hit, total)
                print(f"{name:14} {function:27} {hit:5}/{total:3} "
                      f"{percent(hit, total):3} %{f'{out:14}' if out else ''}")
        return do_mmap

    def function_figures(self, name, function):
        """Lines that ran, lines, and lines that a note takes out of both."""
        source = self.sources.get(name)
        counted = {
            n: c for f in (source.functions if source else []) if f.name == function
            for n, c in source.lines.items() if f.first <= n <= f.last}
        reach = {n: c for n, c in counted.items() if n not in self.noted[name]}
        return (*figures(c > 0 for c in reach.values()), len(counted) - len(reach))

    def uncovered(self):
        print("\nlines of the module that did not run:")
        for name in sorted(n for n in self.sources if n.startswith("module/")):
            source = self.sources[name]
            for number in sorted(n for n, c in source.lines.items() if not c):
                where = f"{name}:{number} {source.function_at(number)}()"
                print(f"  {where}: {source.line(number)}")
                if number not in self.noted[name]:
                    self.failures.append(f"{where} did not run, and no note says why")

    def judge(self, lines, branches, do_mmap):
        for what, value, goal in (
                ("lines of the module", lines, GOAL_LINES),
                ("branches of the module", branches, GOAL_BRANCHES),
                ("lines of do_mmap", do_mmap, GOAL_DO_MMAP)):
            if value < goal:
                self.failures.append(f"{what}: {value} %, the goal is {goal} %")
        print()
        for failure in self.failures:
            print(f"FAILED  {failure}")
        print(f"coverage: module {lines} % of lines, {branches} % of branches; "
              f"do_mmap {do_mmap} % of lines")
        return 1 if self.failures else 0


def main():
    tracefile, notes, *roots = sys.argv[1:]
    report = Report(read_tracefile(tracefile, roots), read_notes(notes))
    module = report.module_table()
    do_mmap = report.core_table()
    report.uncovered()
    sys.exit(report.judge(*module, do_mmap))


if __name__ == "__main__":
    main()
