"""Choose which points of a long line are drawn: as many as a screen can show, the extremes among them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

MOST_POINTS = 1500
"""Points of one line: finer than a screen can show, and a report of a million sessions stays small."""


def evenly(count: int, most: int = MOST_POINTS) -> np.ndarray:
    """Return which of so many values are taken: all of a few, evenly spread and both ends of many."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))


def extremes(*lines: Sequence[float], most: int = MOST_POINTS) -> np.ndarray:
    """Return which points are taken of lines over one axis: both ends, and of each span all lines' extremes.

    Args:
        lines: Values at the same places, equally many of each.
        most: At most so many places, and never fewer than the two ends.
    """
    count = len(lines[0])
    if count <= most:
        return np.arange(count)
    edges = np.linspace(0, count, max(1, (most - 2) // (2 * len(lines))) + 1).astype(int)
    taken = {0, count - 1}
    for values in (np.asarray(line, dtype=float) for line in lines):
        for start, end in pairwise(edges.tolist()):
            taken |= {start + int(values[start:end].argmin()), start + int(values[start:end].argmax())}
    return np.array(sorted(taken))
