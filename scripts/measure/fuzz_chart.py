#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Draws how much of the module a run of the fuzzer has reached, and when.

Usage: fuzz_chart.py LINES ALL CAPTION FILE.svg, by fuzz.sh
LINES has a line "seconds number" for each line of the module that was met, in order;
ALL is how many there are.
"""

import sys
from pathlib import Path

import svg
from svg import pyplot


def main(lines, every, caption, path):
    points = [tuple(map(float, x.split())) for x in Path(lines).read_text(encoding="ascii").splitlines()]
    minutes = [0] + [x / 60 for x, _ in points]
    met = [0] + [y for _, y in points]
    _, axes = pyplot.subplots(figsize=(7, 3))
    axes.step(minutes, met, where="post", color="#1f77b4")
    axes.axhline(int(every), color="#999999", linestyle=(0, (1, 3)))
    axes.annotate(f"all {every}", (0, int(every)), va="bottom", color="#777777", fontsize=8)
    axes.set_xlabel("minutes")
    axes.set_ylabel("lines of the module")
    axes.set_ylim(0, int(every) * 1.1)
    axes.set_xlim(left=0)
    axes.set_title(caption, loc="left", fontsize=9)
    pyplot.tight_layout()
    svg.save(Path(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
