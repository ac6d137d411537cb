#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Sums up KTAP files with the kernel's own parser.

Usage: summary.py [--table] KSRC KERNEL RESULTS

Prints each failed test with the lines that say why, and each skip with its
reason; the last line is "PASSED FAILED SKIPPED". With --table it prints such a
line for KUnit and one for kselftest, with their names in front, and nothing
else. KSRC is the kernel source tree that has tools/testing/kunit; RESULTS is
what guest/tests.sh filled.
"""

import collections
import contextlib
import io
import pathlib
import sys

TABLE = sys.argv[1] == "--table"
if TABLE:
    del sys.argv[1]
sys.path.insert(0, sys.argv[1] + "/tools/testing/kunit")
# The parser prints as it goes, to the stdout that it finds when it is imported.
with contextlib.redirect_stdout(io.StringIO()):
    import kunit_parser  # noqa: E402  (the path is known only now)

Status = kunit_parser.TestStatus


def parse(path):
    lines = path.read_text(errors="backslashreplace").splitlines()
    return kunit_parser.parse_run_tests(lines)


def cases(test, name):
    """Yields (name, test) for each test without subtests."""
    for sub in test.subtests:
        if sub.subtests:
            yield from cases(sub, f"{name} {sub.name}")
        else:
            yield f"{name} {sub.name or '(a result that was planned)'}", sub


def skip_reason(path, test):
    """The parser drops it; both of kselftest's forms are looked for."""
    for line in path.read_text(errors="backslashreplace").splitlines():
        before, mark, reason = line.partition("# SKIP")
        if mark and (test.name in before or test.name in reason):
            return reason.replace(test.name, "").strip() or "no reason given"
    return "no reason given"


def runner_words(listing, name):
    """How a selftest ended that failed without a failed test of its own."""
    lines = listing.read_text(errors="backslashreplace").splitlines()
    return [x for x in lines if x.startswith("not ok") and f": {name}" in x]


class Summary:
    def __init__(self, kernel):
        self.kernel = kernel
        self.passed = self.failed = self.skipped = 0

    def fail(self, name, why, path):
        self.failed += 1
        print(f"FAILED  {self.kernel}: {name}")
        for line in why[-12:]:
            print(f"        {line.strip()}")
        print(f"        (all of it: {path})")

    def add_file(self, path, name):
        """Counts a file of KTAP; says whether anything in it failed."""
        before = self.failed
        root = parse(path)
        found = list(cases(root, name))
        skipped = collections.defaultdict(list)
        for case, test in found:
            if test.status == Status.SUCCESS:
                self.passed += 1
            elif test.status == Status.SKIPPED:
                self.skipped += 1
                skipped[skip_reason(path, test)].append(case)
            else:
                self.fail(case, test.log, path)
        for reason, names in skipped.items():
            # Most often it is what a whole program needs.
            for case in names if len(names) < 3 else [f"{name}, {len(names)} tests"]:
                print(f"skipped {self.kernel}: {case}: {reason}")
        if not found:
            self.add_empty(path, name)
        elif root.counts.errors and self.failed == before:
            self.fail(name, ["plan and results do not match"], path)
        return self.failed > before

    def add_empty(self, path, name):
        """A file without a test: all was skipped, or it died early."""
        text = path.read_text(errors="backslashreplace")
        _, mark, reason = text.partition("1..0 # SKIP")
        if mark:
            self.skipped += 1
            print(f"skipped {self.kernel}: {name}: {reason.splitlines()[0].strip()}")
        else:
            self.fail(name, text.splitlines() or ["it printed nothing"], path)

    def add_runner(self, results):
        """Each selftest's own file, and the runner's word on how it ended."""
        listing = results / "kselftest.ktap"
        ends = parse(listing).subtests if listing.exists() else []
        for end in ends:
            # A guest that died left the last one without a name.
            name = end.name.split()[-1] if end.name else "(the last one)"
            path = results / "kselftest" / name
            if not path.exists():
                self.fail(name, end.log, listing)
            elif not self.add_file(path, name) and not end.ok_status():
                self.fail(name, runner_words(listing, name), listing)
        if not ends:
            self.fail("kselftest", ["the runner printed no result"], listing)


def add_kunit(summary, results):
    for path in sorted((results / "kunit").glob("*")):
        summary.add_file(path, path.name)


def main():
    results = pathlib.Path(sys.argv[3])
    summary = Summary(sys.argv[2])
    add_kunit(summary, results)
    summary.add_runner(results)
    print(summary.passed, summary.failed, summary.skipped)


def table():
    results = pathlib.Path(sys.argv[3])
    for name, add in (("KUnit", add_kunit), ("kselftest", Summary.add_runner)):
        summary = Summary(sys.argv[2])
        with contextlib.redirect_stdout(io.StringIO()):
            add(summary, results)
        print(name, summary.passed, summary.failed, summary.skipped)


if __name__ == "__main__":
    table() if TABLE else main()
