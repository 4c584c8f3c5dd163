"""Turn counts of pairs into arrays, and a bound into what each cell of their grid wins a gambler."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from runbook_lib.evidence.pairs import FURTHEST, STEPS_PER_LOG, Grid, PairCounts
from runbook_lib.judge.betting import Array

# A latency ratio beyond 3.7 counts as 3.7: slower still tells no more, and one freak session decides nothing.
_CLIP_STEPS = 130
# Twice as slow; the clip is then still within the grid.
_FURTHEST_BOUND_STEPS = 69
_STAKES: dict[Grid, tuple[float, ...]] = {
    # A stake of (R - 1) / (R + 1) suits a candidate with R times the failures: here R = 1.5, 2, 3.5 and 9.
    "failures": (0.2, 0.35, 0.55, 0.8),
    # Suits slowdowns beyond the bound of about 0.05, 0.1, 0.2 and 0.4 standard deviations of a pair.
    "latencies": (0.1, 0.2, 0.4, 0.8),
}
# Most of the money is where a regression should be found soon; a small one takes long, whoever bets.
_PURSES: dict[Grid, tuple[float, ...]] = {
    "failures": (1 / 6, 1 / 6, 1 / 3, 1 / 3),
    "latencies": (1 / 4, 1 / 4, 1 / 4, 1 / 4),
}


@dataclass(frozen=True, kw_only=True)
class Table:
    """Counts of one criterion as arrays, with any number of leading axes (runs) before the looks.

    Attributes:
        cells: Pairs by look and step of the grid, of shape (..., looks, cells), the worst cell last.
        lost: Pairs not observed, by look.
        sums: The baseline's sum by look.
        squares: The baseline's sum of squares by look.
    """

    cells: Array
    lost: Array
    sums: Array
    squares: Array

    @property
    def pairs(self) -> Array:
        """Observed pairs by look."""
        pairs: Array = self.cells.sum(axis=-1)
        return pairs

    @property
    def at_worst(self) -> Array:
        """The cells as they would be if every lost pair had been as bad as can be."""
        if not self.lost.any():
            return self.cells
        cells = self.cells.copy()
        cells[..., -1] += self.lost
        return cells


def table(counts: PairCounts) -> Table:
    """Return the counts of one run as arrays."""
    looks, furthest = counts.looks, FURTHEST[counts.grid]
    cells = np.zeros((len(looks), 2 * furthest + 1))
    for row, look in zip(cells, looks, strict=True):
        first = furthest + next(iter(look.steps), 0)
        row[first : first + look.histogram.size] = look.histogram
    return Table(
        cells=cells,
        lost=np.array([look.lost for look in looks], dtype=np.float64),
        sums=np.array([look.baseline_sum for look in looks], dtype=np.float64),
        squares=np.array([look.baseline_squares for look in looks], dtype=np.float64),
    )


@lru_cache(maxsize=1024)
def stakes(grid: Grid, bound: float, *, doubt_the_candidate: bool) -> Array:
    """Return what one pair in each cell wins each gambler against the hypothesis that `bound` is kept.

    Args:
        grid: What was counted.
        bound: The mean difference in question: a share for failures, the log of a ratio for latencies.
        doubt_the_candidate: Bet that the difference is above the bound; else that it is below.
    """
    steps = np.arange(-FURTHEST[grid], FURTHEST[grid] + 1)
    if grid == "failures":
        gains = (steps - bound) / (1 + abs(bound))
    else:
        gains = np.clip((steps - _whole_steps(bound, doubt_the_candidate)) / _CLIP_STEPS, -1, 1)
    return _frozen(np.outer(gains if doubt_the_candidate else -gains, _STAKES[grid]))


def _whole_steps(bound: float, doubt_the_candidate: bool) -> int:
    """Return the bound in whole steps, for an equal clip on both sides of it; rounded the harder way."""
    steps = round(STEPS_PER_LOG * bound, 6)
    return math.ceil(steps) if doubt_the_candidate else math.floor(steps)


@cache
def purses(grid: Grid) -> Array:
    """Return the fortune that each gambler starts with; together they have 1."""
    return _frozen(np.array(_PURSES[grid]))


@cache
def ladder(grid: Grid) -> Array:
    """Return the bounds, rising, among which a confidence interval is looked for."""
    if grid == "latencies":
        return _frozen(np.arange(-_FURTHEST_BOUND_STEPS, _FURTHEST_BOUND_STEPS + 1) / STEPS_PER_LOG)
    rungs = np.geomspace(1e-4, 1.0, 201)
    return _frozen(np.concatenate([-rungs[::-1], [0.0], rungs]))


@cache
def ladder_logs(grid: Grid, *, doubt_the_candidate: bool) -> Array:
    """Return ln(1 + stake) for every bound of the ladder, of shape (cells, bounds, gamblers)."""
    every = [stakes(grid, bound, doubt_the_candidate=doubt_the_candidate) for bound in ladder(grid).tolist()]
    return _frozen(np.log1p(np.stack(every, axis=1)))


def _frozen(array: Array) -> Array:
    array.setflags(write=False)
    return array
