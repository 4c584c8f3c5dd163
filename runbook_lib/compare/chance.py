"""Say what chance explains: two shares, two quantiles. Assumes no distribution, and no I/O."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runbook_lib.steps.log_novelty import chance_of


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where a value lies; an end that the samples do not tell is 0 or infinite."""

    low: float
    high: float

    def apart_from(self, other: Interval) -> bool:
        """Say whether no value is in both."""
        return self.high < other.low or other.high < self.low

    def over(self, other: Interval) -> Interval:
        """Return where the ratio of two positive values lies."""
        low = self.low / other.high if np.isfinite(self.low) and other.high else 0.0
        known = np.isfinite(self.high) and other.low
        return Interval(low=low, high=self.high / other.low if known else np.inf)


def chance_of_shares(hits: int, tries: int, other_hits: int, other_tries: int) -> float:
    """Return how probable shares so far apart, or further, are where there is only one share behind both.

    Source: Przyborowski and Wilenski (1940), two-sided: twice the smaller tail. For shares near 1 it is
    careful: it takes the hits of a binomial for those of a Poisson distribution.
    """
    both, ratio = hits + other_hits, tries / (tries + other_tries)
    more = chance_of(hits, both, ratio)
    fewer = 1 - chance_of(hits + 1, both, ratio)
    return min(1.0, 2 * more, 2 * fewer)


def quantile_interval(values: NDArray[np.float64], quantile: float, level: float) -> Interval:
    """Return where a quantile lies; each end is beyond it with at most the probability `level`.

    Args:
        values: At least one, in order; infinite where what was awaited never came.
        quantile: 0 to 1.
        level: Probability of one end.

    Source: David and Nagaraja, Order Statistics, 3rd ed. (2003), §7.1: how many values lie below a quantile
    is binomial, whatever the distribution.
    """
    n = len(values)
    places = range(1, n + 1)
    below = bisect_right(places, level - 1, key=lambda place: -chance_of(place, n, quantile))
    above = bisect_left(places, -level, key=lambda place: -chance_of(place, n, quantile)) + 1
    return Interval(
        low=float(values[below - 1]) if below else 0.0,
        high=float(values[above - 1]) if above <= n else np.inf,
    )
