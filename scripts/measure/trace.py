# SPDX-License-Identifier: GPL-2.0-only
"""What happened to the device, from its events: a summary, and a picture.

Usage: trace.py REPORT OUT COMMAND WHERE

REPORT is what `trace-cmd report -t` printed, COMMAND and WHERE are what was
traced on which kernel. Writes OUT.txt and OUT.svg. scripts/measure/trace.sh calls it;
the events are those of module/trace.h. Exit status: 0, also without any event.
"""

import re
import sys
from collections import Counter, namedtuple
from pathlib import Path

import trace_chart

LINE = re.compile(r"\s*(?P<task>.+-\d+)\s+\[\d+\]\s+(?P<time>[\d.]+):\s+mmapdemo_(?P<name>\w+):\s*(?P<fields>.*)")
LOST = re.compile(r"(\d+) EVENTS (?:DROPPED|LOST)", re.IGNORECASE)

# Milliseconds since the first one; fields are numbers where they can be.
Event = namedtuple("Event", "time task name fields")
# A page that existed, or was dirty, for a while.
Span = namedtuple("Span", "page start end")


def number(text):
    try:
        return int(text, 0)
    except ValueError:
        return text


def read_events(path):
    """The events in the order of time, and how many were lost."""
    lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    found = [x for x in map(LINE.match, lines) if x]
    begin = float(found[0]["time"]) if found else 0
    events = [Event((float(x["time"]) - begin) * 1000, x["task"], x["name"],
                    {k: number(v) for k, v in
                     (field.split("=", 1) for field in x["fields"].split())})
              for x in found]
    return events, sum(int(n) for n in LOST.findall("\n".join(lines)))


class Pages:
    """For each page, when it existed, and when it was in the dirty log."""

    def __init__(self, events):
        self.exists, self.dirty = [], []
        self._made, self._dirtied = {}, {}
        for event in events:
            self._take(event)
        self.left, self.left_dirty = len(self._made), len(self._dirtied)
        if events:
            self._remove(0, None, events[-1].time)

    def _take(self, event):
        page = event.fields.get("pgoff")
        if event.name == "make":
            self._made[page] = event.time
        elif event.name == "dirty":
            self._dirtied[page] = event.time
        elif event.name == "clear":
            self._end(self._dirtied, self.dirty, page, event.time)
        elif event.name == "discard":
            self._remove(page, page + event.fields["nr_pages"], event.time)
        elif event.name == "resize":
            self._remove(event.fields["to"], None, event.time)

    def _remove(self, first, end, time):
        for open_spans, spans in ((self._made, self.exists), (self._dirtied, self.dirty)):
            for page in [x for x in open_spans if x >= first and (end is None or x < end)]:
                self._end(open_spans, spans, page, time)

    @staticmethod
    def _end(open_spans, spans, page, time):
        if page in open_spans:
            spans.append(Span(page, open_spans.pop(page), time))


def kind_of(event):
    """What a mark in the picture, and a column of the summary, stands for."""
    if event.name == "fault":
        return event.fields["kind"]
    if event.name == "sigbus":
        return "sigbus"
    if event.name == "map_pages":
        # What it left to ->fault is an event of its own.
        return "around" if event.fields["outcome"] == "mapped" else None
    return event.name


def by_kind(events):
    kinds = {}
    for event in events:
        kinds.setdefault(kind_of(event), []).append(event)
    kinds.pop(None, None)
    return kinds


COLUMNS = ("mmap", "vma_open", "vma_close", "read", "write", "cow", "around", "mkwrite",
           "sigbus")


def runs(pages):
    """Page numbers as people write them: 0-3, 7."""
    found = []
    for page in sorted(pages):
        if found and page == found[-1][1] + 1:
            found[-1][1] = page
        else:
            found.append([page, page])
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in found]
    return ", ".join(shown[:12]) + (f", and {len(shown) - 12} ranges more" if len(shown) > 12 else "")


def task_table(events):
    counts = {}
    for event in events:
        counts.setdefault(event.task, Counter())[kind_of(event)] += 1
    width = max([len(x) for x in counts] + [len("all")])
    yield " ".join([" " * width] + [f"{x:>9}" for x in COLUMNS])
    rows = list(counts.items())
    if len(rows) > 1:
        rows.append(("all", sum(counts.values(), Counter())))
    for task, row in rows:
        yield " ".join([f"{task:<{width}}"] + [f"{row[x] or '-':>9}" for x in COLUMNS])


def summary(events, lost, pages, command, where):
    yield f"traced: {command}"
    yield f"where:  {where}"
    if not events:
        yield "no event: the program did not touch /dev/mmapdemo"
        return
    names = Counter(x.name for x in events)
    removed = sum(x.fields["removed"] for x in events if x.name in ("discard", "resize"))
    reasons = Counter(x.fields["reason"] for x in events if x.name == "sigbus")
    inserted = sum(max(x.fields["inserted"], 0) for x in events if x.name == "insert")
    yield f"events: {len(events)} in {events[-1].time:.1f} ms" + (f", {lost} LOST" if lost else "")
    yield ""
    yield from task_table(events)
    yield ""
    yield f"made:   {names['make']} pages, {pages.left} of them exist at the end"
    yield (f"dirty:  {names['dirty']} times a page entered the dirty log, {names['clear']} times one was "
           f"taken out; {pages.left_dirty} are in it at the end")
    yield f"synced: {names['clean']} times a page was cleaned"
    yield f"gone:   {removed} pages, by {names['discard']} discards and {names['resize']} resizes"
    if inserted:
        yield f"insert: {inserted} PTEs put in by the fault handler"
    if reasons:
        yield "sigbus: " + ", ".join(f"{n} for {reason}" for reason, n in reasons.items())
    touched = {x.fields["pgoff"] for x in events if x.name in ("fault", "map_pages", "mkwrite", "make")}
    yield f"pages:  {runs(touched)}"


def main(report, out, command, where):
    events, lost = read_events(report)
    pages = Pages(events)
    text = "\n".join(summary(events, lost, pages, command, where))
    Path(out + ".txt").write_text(text + "\n", encoding="utf-8")
    trace_chart.draw(events, by_kind(events), pages, command, where, Path(out + ".svg"))


if __name__ == "__main__":
    main(*sys.argv[1:])
