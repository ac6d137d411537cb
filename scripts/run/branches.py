#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Says which branches of mmap the selftests have proven, and on which kernel.

Usage: branches.py KSRC RESULTS OUT KERNEL...
       branches.py --write|--check

selftests/branches.md lists the branches: a line "ID what happens" each, with
indented lines below: "Proven by: FILE: TEST, ...", or "Not proven: why" where no
test can reach it. A test names the entries that it proves in its own name, or in
the comment above it. --write takes the former lines from there; --check says which
are not as --write would have them, as "selftests/branches.md: error: ..." each.

An entry is proven on a kernel when a test that names it passed there and none
failed. RESULTS/KERNEL is what guest/tests.sh left of a run on KERNEL; the
debug kernel of a version counts for that version, too. KSRC is the kernel
source tree that has tools/testing/kunit. The table goes to OUT (Markdown) and
to stdout, then what is not as it should be; the last line is
"branches: N of M proven on 6.12".

Exit status: 0, or 1: a test failed that names an entry, an entry is named by no
test and has no reason, or a test names an entry that is not in the list; or with
--check a line is out of date.
"""

import collections
import pathlib
import re
import sys

SELFTESTS = pathlib.Path(__file__).resolve().parents[2] / "selftests"
LIST = SELFTESTS / "branches.md"
SCRIPT = pathlib.Path(__file__).resolve().relative_to(SELFTESTS.parent)
ID = re.compile(r"(?<![A-Za-z0-9])([A-X][0-9]{2})(?![0-9])")
# "TEST_F(fixture, name)", with what the comment right above it says.
TEST = re.compile(
    r"(?:/\*((?:(?!\*/).)*)\*/\n)?TEST(?:_F|_SIGNAL|_F_SIGNAL|_F_TIMEOUT)?"
    r"\(((?:\w+,\s*)?\w+)", re.S)


class Entry:
    def __init__(self, text):
        self.text = text
        self.reason = None
        self.tests = set()
        # kernel -> statuses of the tests that name it
        self.seen = collections.defaultdict(set)
        self.skips = {}

    def excluded(self):
        return "(X" in self.text

    def state(self, kernel):
        seen = self.seen[kernel]
        if "failed" in seen:
            return "failed"
        return next((s for s in ("passed", "skipped") if s in seen), "")


def read_list():
    entries, last = {}, None
    for line in LIST.read_text().splitlines():
        match = re.match(r"([A-X][0-9]{2}) (.*)", line)
        if match:
            last = entries[match[1]] = Entry(match[2])
        elif last and line.startswith("  Not proven: "):
            last.reason = line.partition(": ")[2]
        elif last and last.reason and line.startswith("  "):
            last.reason += " " + line.strip()
    return entries


def read_tests():
    """Yields (path, fixture, test, ids) for each test of the selftests."""
    for path in sorted(SELFTESTS.glob("*/*.c")):
        for comment, name in TEST.findall(path.read_text()):
            fixture, _, test = name.rpartition(",")
            ids = set(ID.findall(comment)) | set(ID.findall(test.replace("_", " ")))
            yield path, fixture or "global", test.strip(), ids


def read_sources():
    """(program, "fixture.test") -> ids"""
    return {(path.stem, f"{fixture}.{test}"): ids
            for path, fixture, test, ids in read_tests()}


def with_tests(text):
    """The list, with a line below each entry that says which tests name it."""
    tests = collections.defaultdict(lambda: collections.defaultdict(list))
    for path, _, test, ids in read_tests():
        for i in ids:
            tests[i][str(path.relative_to(SELFTESTS))].append(test)
    for line in text.splitlines():
        if line.startswith("  Proven by: "):
            continue
        yield line
        match = re.match(r"([A-X][0-9]{2}) ", line)
        if match and match[1] in tests:
            yield "  Proven by: " + "; ".join(f"{file}: {', '.join(names)}"
                                              for file, names in tests[match[1]].items())


def proven_by(lines):
    """entry -> the line that says which tests name it"""
    entry, found = None, {}
    for line in lines:
        if re.match(r"[A-X][0-9]{2} ", line):
            entry = line[:3]
        elif line.startswith("  Proven by: "):
            found[entry] = line.strip()
    return found


def stale(text):
    """Yields what --write would change."""
    old, new = proven_by(text.splitlines()), proven_by(with_tests(text))
    for entry in sorted(old.keys() | new.keys()):
        if old.get(entry) != new.get(entry):
            yield f"{entry} should say: {new.get(entry, 'nothing of a test')}"


def read_results(directory, tests):
    """Yields (ids, name, status, reason) for each case of a run."""
    # It takes KSRC from the command line as well.
    from summary import Status, cases, parse, skip_reason

    for path in sorted(directory.glob("results/kselftest/*")):
        for name, case in cases(parse(path), path.name):
            parts = case.name.split(".")
            key = path.name, f"{parts[0]}.{parts[-1]}"
            ids = tests.get(key) or set(ID.findall(name.replace("_", " ")))
            if case.status == Status.SKIPPED:
                yield ids, name, "skipped", skip_reason(path, case)
            elif case.status == Status.SUCCESS:
                yield ids, name, "passed", None
            else:
                yield ids, name, "failed", None


def version(kernel):
    return kernel.partition("-")[0]


def table(entries, kernels):
    """Markdown: a row per section, a column per kernel."""
    yield "| section | entries | " + " | ".join(kernels) + " | not proven |"
    yield "|---" * (len(kernels) + 3) + "|"
    for section in sorted({i[0] for i in entries}) + ["all"]:
        mine = {i: e for i, e in entries.items() if section in ("all", i[0])}
        row = [section, str(len(mine))]
        for kernel in kernels:
            row.append(str(sum(e.state(kernel) == "passed" for e in mine.values())))
        row.append(" ".join(i for i, e in mine.items()
                            if section != "all" and e.state("6.12") != "passed"))
        yield "| " + " | ".join(row) + " |"


def not_proven(entries, kernels):
    for name, entry in entries.items():
        for kernel in kernels:
            state = entry.state(kernel)
            if state == "skipped":
                yield f"{name} skipped on {kernel}: {entry.skips[kernel]}"
        if entry.reason:
            yield f"{name} not proven: {entry.reason}"


def problems(entries, tests, kernels, known):
    for name, entry in entries.items():
        for kernel in kernels:
            if entry.state(kernel) == "failed":
                yield f"{name} failed on {kernel}"
        if not entry.tests and not entry.reason:
            yield f"{name} is named by no test: {entry.text}"
    for (program, test), ids in tests.items():
        for name in sorted(ids - known):
            yield f"{program} {test} names {name}, which is not in branches.md"


def update_list(check):
    text = LIST.read_text()
    bad = list(stale(text)) if check else []
    for line in bad:
        print(f"selftests/branches.md: error: {line} ({SCRIPT} --write)")
    if not check:
        LIST.write_text("\n".join(with_tests(text)) + "\n")
    return bool(bad)


def main():
    if sys.argv[1:] in (["--write"], ["--check"]):
        return update_list(sys.argv[1] == "--check")
    results, out = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    names = sys.argv[4:]
    kernels = list(dict.fromkeys(version(k) for k in names))
    listed = read_list()
    entries = {i: e for i, e in listed.items() if not e.excluded()}
    tests = read_sources()
    for test, ids in tests.items():
        for i in ids & set(entries):
            entries[i].tests.add(test)
    for name in names:
        for ids, test, status, reason in read_results(results / name, tests):
            for i in ids & set(entries):
                entries[i].tests.add(test)
                entries[i].seen[version(name)].add(status)
                entries[i].skips[version(name)] = reason or ""

    rows = list(table(entries, kernels))
    notes = list(not_proven(entries, kernels))
    bad = list(problems(entries, tests, kernels, set(listed)))
    silent = [f"{p} {t}" for (p, t), ids in tests.items() if not ids]
    out.write_text("\n".join(rows + [""] + [f"- {n}" for n in notes + bad]) + "\n")
    print("\n".join(rows + notes + bad))
    print(f"{len(silent)} tests name no entry, as they prove something else: "
          f"{', '.join(silent)}")
    proven = sum(e.state("6.12") == "passed" for e in entries.values())
    print(f"branches: {proven} of {len(entries)} proven on 6.12")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
