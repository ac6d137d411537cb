# SPDX-License-Identifier: GPL-2.0-only
"""What the charts have in common: how they look, and files that can be committed."""

import matplotlib

matplotlib.use("Agg")
# The same figures make the same file.
matplotlib.rcParams.update({"svg.hashsalt": "mmapdemo", "svg.fonttype": "none",
                            "font.family": "sans-serif", "font.size": 9,
                            "axes.spines.top": False, "axes.spines.right": False})

from matplotlib import pyplot  # noqa: E402  (the backend comes first)


def save(path, **options):
    """@path: a pathlib.Path; @options: for savefig()."""
    pyplot.savefig(path, metadata={"Date": None}, **options)
    # Without blanks at the ends of lines.
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("".join(line.rstrip() + "\n" for line in lines), encoding="utf-8")
