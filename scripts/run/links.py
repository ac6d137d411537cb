#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Whether what the Markdown files of a tree point at is there.

Usage: links.py TREE

Checks each relative link, to a file and to a heading in it, and each file of the tree
that is named as `code`. Names with capitals in place of a part (NAME.c), and what a
build makes, are left alone.

Output: "FILE:LINE: error: ..." for each that leads nowhere, paths from TREE.
Exit status: 0.
"""

import os
import pathlib
import re
import sys

FENCE = re.compile(r"^ *```.*?^ *```$", re.S | re.M)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
NAMED = re.compile(r"(?:module|kunit|selftests|scripts)/[\w.*/-]+")
PLACEHOLDER = re.compile(r"(?<![A-Z])[A-Z]{3,}(?![A-Z]|\.md)|\.ko$")


def blank(found):
    """Keeps the lines' numbers."""
    return "\n" * found[0].count("\n")


def anchors(path):
    """The names that GitHub gives to a file's headings."""
    names = set()
    for heading in re.findall(r"^#+ +(.*)$", FENCE.sub(blank, path.read_text()), re.M):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w -]", "", words).lower().replace(" ", "-")
        number = sum(re.fullmatch(re.escape(name) + r"(-\d+)?", other) is not None
                     for other in names)
        names.add(f"{name}-{number}" if number else name)
    return names


def broken(tree, page):
    """Yields where in the text, and what is wrong there."""
    text = FENCE.sub(blank, page.read_text())
    for found in LINK.finditer(text):
        if re.match("[a-z]+:", found[1]):
            continue
        path, _, anchor = found[1].partition("#")
        target = page.parent / path if path else page
        if not target.exists():
            yield text, found, f"there is no {found[1]}"
        elif anchor and anchor not in anchors(target):
            yield text, found, f"there is no heading for {found[1]}"
    for found in CODE.finditer(text):
        name = found[1]
        if NAMED.fullmatch(name) and not PLACEHOLDER.search(name) and not any(tree.glob(name)):
            yield text, found, f"there is no {name}"


def main():
    tree = pathlib.Path(sys.argv[1])
    for directory, below, files in os.walk(tree):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(files):
            page = pathlib.Path(directory, name)
            if page.suffix != ".md":
                continue
            for text, found, message in broken(tree, page):
                line = text.count("\n", 0, found.start()) + 1
                print(f"{page.relative_to(tree)}:{line}: error: {message}")


if __name__ == "__main__":
    main()
