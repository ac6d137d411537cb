# SPDX-License-Identifier: GPL-2.0-only
"""The charts of bench.py: device and peers side by side. Imported, never run."""

import svg
from svg import pyplot

# Marker, colour and size; what comes later lies on top.
STYLE = {
    "vgem": ("v", "#b5402f", 30),
    "udmabuf": ("^", "#d97a1f", 30),
    "private": ("D", "#86c497", 22),
    "shared": ("s", "#2f8f4e", 22),
    "memfd": ("|", "#333333", 60),
    "PAGEMAP_SCAN": ("x", "#777777", 30),
    "nolog": ("o", "#b9b3e8", 40),
    "insert": ("o", "#8fb3e8", 40),
    "device": ("o", "#1f4e9c", 40),
}
RATIOS = [0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5]


def number_axis(axis, ticks):
    """Numbers as people write them, on a scale that is logarithmic."""
    axis.set_ticks(ticks, [f"{x:g}" for x in ticks])
    axis.set_ticks([], minor=True)


def draw_ratios(axes, figures, group, limits):
    """A row per operation, in it a mark per subject at its ratio to memfd."""
    # Where memfd has next to nothing to do there is no scale for a ratio.
    operations = [x for x in figures.groups[group]
                  if (figures.ratio(x, "device") or 99) < RATIOS[-1]]
    for subject in (x for x in STYLE if x in figures.subjects(group)):
        marker, colour, size = STYLE[subject]
        points = [(figures.ratio(x, subject), y) for y, x in enumerate(operations)
                  if figures.ratio(x, subject) is not None]
        axes.scatter(*zip(*points), marker=marker, color=colour, s=size,
                     label=subject, zorder=3)
    goals = [(limits[x], y) for y, x in enumerate(operations) if x in limits]
    axes.scatter(*zip(*goals), marker="|", color="#d01c1c", s=130, linewidths=1.5,
                 label="goal for the device", zorder=4)
    axes.axvline(1, color="#333333", linewidth=0.8, zorder=1)
    axes.set_xscale("log")
    number_axis(axes.xaxis, RATIOS)
    axes.set_yticks(range(len(operations)), operations)
    axes.invert_yaxis()
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_title("instructions, as a ratio to memfd (left is better)", loc="left")


def draw_lines(axes, figures, group, x_of, title, xlabel):
    for subject in figures.subjects(group):
        _, colour, _ = STYLE[subject]
        points = [(x_of(x), figures.median(x, subject)) for x in figures.groups[group]
                  if figures.median(x, subject) is not None]
        axes.plot(*zip(*points), marker="o", markersize=4, color=colour, label=subject)
    axes.set_xscale("log")
    number_axis(axes.xaxis, [x_of(x) for x in figures.groups[group]])
    axes.set_title(title, loc="left")
    axes.set_xlabel(xlabel)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.legend(frameon=False)


def draw(figures, limits, path):
    """@limits: what the device's ratio to memfd is to be, by operation."""
    pyplot.figure(figsize=(10, 10))
    ratios = pyplot.subplot2grid((3, 2), (0, 0), rowspan=2, colspan=2)
    draw_ratios(ratios, figures, "pages", limits)
    ratios.legend(frameon=False, ncols=8, loc="upper center", bbox_to_anchor=(0.4, -0.04))
    dirty = pyplot.subplot2grid((3, 2), (2, 0))
    draw_lines(dirty, figures, "dirty", lambda name: float(name.split()[3]),
               "finding dirty pages of 1 GiB:\ninstructions per dirty page",
               "dirty pages, %")
    dirty.set_yscale("log")
    growth = pyplot.subplot2grid((3, 2), (2, 1))
    draw_lines(growth, figures, "growth", lambda name: float(name.split()[2]),
               "first write of a fresh page:\ninstructions per page",
               "size of the mapping, MiB")
    growth.set_ylim(bottom=0)
    pyplot.tight_layout()
    svg.save(path)
