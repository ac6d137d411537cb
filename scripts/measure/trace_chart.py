# SPDX-License-Identifier: GPL-2.0-only
"""The picture of trace.py: pages from top to bottom, time from left to right."""

import textwrap

import numpy
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator

import svg
from svg import pyplot

# What is marked at a page: name in the legend, marker, colour.
MARKS = {
    "read": ("fault, read", "o", "#1f6fd0"),
    "write": ("fault, write", "s", "#d0302f"),
    "cow": ("fault, private write", "D", "#8a3fb0"),
    "around": ("fault-around", "o", "#59b3e6"),
    "insert": ("window inserted", "o", "#59b3e6"),
    "mkwrite": ("first write noticed", "^", "#e08a00"),
    "sigbus": ("SIGBUS", "X", "#000000"),
}
# What is a line across the pages of a range.
RANGES = {
    "mmap": ("mmap", "#2f8f4e", "-"),
    "vma_open": ("VMA copied (open)", "#86c497", "-"),
    "vma_close": ("VMA gone (close)", "#555555", "--"),
    "discard": ("discard", "#a0522d", ":"),
}
EXISTS, DIRTY = "#e3e6ea", "#f6c76b"
# More marks than that are drawn as pixels, or no browser would show them soon.
VECTOR_MAX = 5000


class Rows:
    """Where pages are in the picture. Those between that nothing happens to are
    left out: a gap takes as much room as GAP pages.
    """

    GAP = 3

    def __init__(self, pages):
        self.clusters = []
        for page in sorted(pages) or [0]:
            if self.clusters and page - self.clusters[-1][1] <= 2 * self.GAP:
                self.clusters[-1][1] = page
            else:
                self.clusters.append([page, page])
        xs, ys, row = [], [], 0
        for first, last in self.clusters:
            xs += [first, last + 0.999]
            ys += [row, row + last - first + 0.999]
            row += last - first + 1 + self.GAP
        self._xs, self._ys = xs, ys
        self.number = row - self.GAP

    def __call__(self, page):
        return numpy.interp(page, self._xs, self._ys)

    def gaps(self):
        """The middle of each gap."""
        return [(self._ys[i] + self._ys[i + 1]) / 2 for i in range(1, len(self._ys) - 1, 2)]

    def ticks(self):
        """Pages with a label: the ends of each cluster, and some in between."""
        step = 2 ** max(0, int(numpy.ceil(numpy.log2(max(self.number, 1) / 24))))
        for first, last in self.clusters:
            yield from sorted({first, last} | {x for x in range(-(-first // step) * step, last, step)
                                               if x - first >= step / 2 and last - x >= step / 2})


class Times:
    """Where times are in the picture. A long one in which nothing happens is
    shortened.
    """

    def __init__(self, times):
        total = times[-1] - times[0] if times else 0
        pairs = [(a, b) for a, b in zip(times, times[1:]) if b - a > total / 8]
        busy = total - sum(b - a for a, b in pairs)
        self.breaks = pairs if busy else []
        xs, ys = [times[0] if times else 0], [0]
        for first, end in self.breaks:
            ys += [ys[-1] + first - xs[-1]]
            ys += [ys[-1] + busy / 8]
            xs += [first, end]
        xs.append(max(times[-1], xs[-1]) if times else 1)
        ys.append(ys[-1] + xs[-1] - xs[-2])
        self._xs, self._ys = xs, ys

    def __call__(self, time):
        return numpy.interp(time, self._xs, self._ys)

    def ticks(self):
        """Times with a label, between the breaks."""
        whole = self._ys[-1] or 1
        before = -whole
        for i in range(0, len(self._xs), 2):
            first, last = self._xs[i:i + 2]
            number = max(1, round(10 * (self._ys[i + 1] - self._ys[i]) / whole))
            for tick in MaxNLocator(number, steps=[1, 2, 5, 10]).tick_values(first, last):
                # Each label needs some room.
                if first <= tick <= last and self(tick) - before > whole / 25:
                    before = self(tick)
                    yield tick


def pages_of(kinds):
    """The pages that something happened to. Of a range its first one is enough: it
    may be a mapping that nobody touches.
    """
    return {x.fields["pgoff"] for events in kinds.values() for x in events if "pgoff" in x.fields}


def draw_spans(axes, rows, when, spans, colour, share, label):
    """A bar for each page while it is something, @share of its row high."""
    bars = [(when(x.start), when(x.end) - when(x.start), rows(x.page)) for x in spans]
    if bars:
        left, width, row = zip(*bars)
        axes.barh(row, width, left=left, height=share, color=colour, linewidth=0, zorder=1,
                  label=label, rasterized=len(bars) > VECTOR_MAX)


def draw_ranges(axes, rows, when, kinds):
    for kind, (label, colour, style) in RANGES.items():
        found = kinds.get(kind)
        if not found:
            continue
        low = [rows(x.fields["pgoff"]) - 0.5 for x in found]
        high = [rows(x.fields["pgoff"] + x.fields["nr_pages"] - 1) + 0.5 for x in found]
        axes.vlines([when(x.time) for x in found], low, high, color=colour, linestyle=style,
                    linewidth=1.6, zorder=2, label=f"{label}: {len(found)}")
    sizes = kinds.get("resize")
    if sizes:
        axes.scatter([when(x.time) for x in sizes], [rows(x.fields["to"]) - 0.5 for x in sizes], marker="_",
                     s=160, color="#a0522d", linewidths=2, zorder=4, label=f"resize, to here: {len(sizes)}")


def last_of_window(fields):
    if "nr_pages" in fields:
        return fields["first"] + fields["nr_pages"] - 1
    # What it has put in; where it met holes, that began later.
    return max(fields["pgoff"], fields["first"] + fields["inserted"] - 1)


def draw_marks(axes, rows, when, kinds, size):
    for kind, (label, marker, colour) in MARKS.items():
        found = kinds.get(kind)
        if not found:
            continue
        if kind in ("around", "insert"):
            axes.vlines([when(x.time) for x in found],
                        [rows(x.fields["first"]) - 0.4 for x in found],
                        [rows(last_of_window(x.fields)) + 0.4 for x in found],
                        color=colour, linewidth=2.5, alpha=0.6, zorder=2)
        hollow = {"facecolors": "none", "edgecolors": colour, "linewidths": 1.2} if kind == "mkwrite" else {
            "color": colour, "linewidths": 0}
        axes.scatter([when(x.time) for x in found], [rows(x.fields["pgoff"]) for x in found],
                     marker=marker, s=size * {"mkwrite": 3, "sigbus": 2}.get(kind, 1),
                     zorder={"mkwrite": 4, "sigbus": 4, "insert": 2.5}.get(kind, 3),
                     label=f"{label}: {len(found)}", rasterized=len(found) > VECTOR_MAX, **hollow)


def draw_tasks(axes, when, kinds, tasks):
    """A lane per task: who did it."""
    styles = [(kind, colour, 40) for kind, (_, _, colour) in MARKS.items()]
    styles += [(kind, colour, 90) for kind, (_, colour, _) in RANGES.items()]
    for kind, colour, size in styles:
        points = [(when(x.time), tasks.index(x.task)) for x in kinds.get(kind, ())]
        if points:
            axes.scatter(*zip(*points), marker="|", s=size, color=colour,
                         rasterized=len(points) > VECTOR_MAX)
    axes.set_yticks(range(len(tasks)), tasks)
    axes.set_ylim(len(tasks) - 0.5, -0.5)
    axes.grid(axis="y", color="#eeeeee", linewidth=0.6)


def scale_pages(axes, rows):
    ticks = list(rows.ticks())
    axes.set_yticks([rows(x) for x in ticks], [str(x) for x in ticks])
    axes.set_ylim(rows.number - 0.3, -0.7)
    axes.set_ylabel("page of the device (pgoff)")
    for gap in rows.gaps():
        axes.axhline(gap, color="#999999", linewidth=0.7, linestyle=(0, (1, 3)), zorder=0)


def scale_times(axes, when):
    ticks = list(when.ticks())
    axes[-1].xaxis.set_major_locator(FixedLocator([when(x) for x in ticks]))
    axes[-1].xaxis.set_major_formatter(FixedFormatter([f"{x:g}" for x in ticks]))
    axes[-1].set_xlabel("ms")
    for first, end in when.breaks:
        middle = (when(first) + when(end)) / 2
        for one in axes:
            one.axvline(middle, color="#999999", linewidth=0.7, linestyle=(0, (1, 3)), zorder=0)
        axes[0].annotate(f"{end - first:.3g} ms idle", (middle, 1), xycoords=("data", "axes fraction"),
                         ha="center", va="bottom", color="#777777", fontsize=8)


def layout(rows, tasks):
    """The axes of the pages, and of the tasks if there are several."""
    height = min(max(2.6, rows.number * 0.16), 9)
    lanes = 0.22 * tasks + 0.1 if tasks > 1 else 0
    figure = pyplot.figure(figsize=(11, height + lanes + 1.3))
    grid = figure.add_gridspec(2 if lanes else 1, 1, height_ratios=[height, lanes] if lanes else [1],
                               hspace=0.08)
    upper = figure.add_subplot(grid[0])
    lower = figure.add_subplot(grid[1], sharex=upper) if lanes else None
    if lower:
        upper.tick_params(axis="x", labelbottom=False)
    row_points = height * 0.8 * 72 / max(rows.number, 1)
    return upper, lower, min(max(row_points * 0.5, 2), 6) ** 2


def draw(events, kinds, pages, command, where, path):
    """@events: in order of time; @kinds: lists of them, by what they are marked as;
    @pages: a trace.Pages; @command, @where: for the title; @path: the SVG to write.
    """
    tasks = list(dict.fromkeys(x.task for x in events))
    rows, when = Rows(pages_of(kinds)), Times([x.time for x in events])
    upper, lower, size = layout(rows, len(tasks))
    draw_spans(upper, rows, when, pages.exists, EXISTS, 0.9, f"page exists: {len(pages.exists)}")
    draw_spans(upper, rows, when, pages.dirty, DIRTY, 0.45, f"in the dirty log: {len(pages.dirty)}")
    draw_ranges(upper, rows, when, kinds)
    draw_marks(upper, rows, when, kinds, size)
    scale_pages(upper, rows)
    if lower:
        draw_tasks(lower, when, kinds, tasks)
    scale_times([x for x in (upper, lower) if x], when)
    upper.set_title(textwrap.shorten(command, 110) + "\n" + where, loc="left", pad=14)
    if events:
        upper.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1), labelspacing=0.7)
    svg.save(path, bbox_inches="tight", dpi=150)
