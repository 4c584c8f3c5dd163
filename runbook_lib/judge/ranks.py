"""Turn pairwise effects into an estimate and an exact interval that assumes no distribution.

A rank test counts on how many pairs an effect is below zero. Without an effect the distribution of that count
is known exactly; so an interval that leaves out as many effects at each end as chance explains holds the true
one. With tied values the interval, ends included, is too wide rather than too narrow.

Source: Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd ed. (2014), §4.1–4.3 (Mann,
Whitney, Hodges, Lehmann) and §9.1–9.3 (Kendall, Theil); Noether, JASA 62 (1967), 184–188 (ties).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class RankInterval:
    """The median effect; each end is beyond the true effect with at most the level's probability.

    Where there are too few values to say anything, the ends are infinite.
    """

    estimate: float
    low: float
    high: float


def slope_interval(x: Floats, y: Floats, level: float) -> RankInterval:
    """Return the slope of `y` over distinct `x`: Theil's and Sen's, by the Mann–Kendall test."""
    later, earlier = np.tril_indices(len(x), -1)
    slopes = (y[later] - y[earlier]) / (x[later] - x[earlier])
    return _interval(slopes, kendall_null(len(x)), level)


def shift_interval(ours: Floats, theirs: Floats, level: float) -> RankInterval:
    """Return how far `ours` lie above `theirs`: Hodges' and Lehmann's shift, by the Mann–Whitney test."""
    shifts = np.subtract.outer(ours, theirs).ravel()
    return _interval(shifts, mann_whitney_null(len(ours), len(theirs)), level)


def kendall_null(n: int) -> Floats:
    """Return the probability of each number of falling pairs, 0 to n(n − 1)/2, in a row without a trend."""
    null = np.ones(1)
    for place in range(2, n + 1):
        null = np.convolve(null, np.full(place, 1 / place))
    return null


def mann_whitney_null(n: int, m: int) -> Floats:
    """Return the probability of each number of pairs lost, 0 to n·m, between two samples of one kind."""
    # ways[taken] counts the choices of that many of the ranks so far, by what they add to the pairs won.
    ways = [np.zeros(n * m + 1) for _ in range(n + 1)]
    ways[0][0] = 1.0
    for rank in range(n + m):
        for taken in range(min(n, rank + 1), 0, -1):
            won = rank - taken + 1
            if won <= m:
                ways[taken][won:] += ways[taken - 1][: n * m + 1 - won]
    return ways[n] / math.comb(n + m, n)


def _interval(effects: Floats, null: Floats, level: float) -> RankInterval:
    ordered = np.sort(effects)
    cut = int(np.searchsorted(np.cumsum(null), level * (1 + 1e-9), side="right"))
    if not cut or not len(ordered):
        middle = float(np.median(ordered)) if len(ordered) else math.nan
        return RankInterval(estimate=middle, low=-math.inf, high=math.inf)
    return RankInterval(
        estimate=float(np.median(ordered)), low=float(ordered[cut - 1]), high=float(ordered[-cut])
    )
