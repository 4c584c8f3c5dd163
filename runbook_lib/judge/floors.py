"""Find how fast a candidate's memory floor rises above its baseline's; compares nothing with a bound.

A garbage collector makes memory a sawtooth, and load moves it up and down. What a leak raises is the floor:
the least memory in each of 8 to 20 windows. Of two revisions under the same load, the difference of the
floors is free of the load, and its trend is Theil's and Sen's slope.

The test behind it wants windows that know nothing of each other, so each is as long as a cycle of the memory.
Where the series is too short for eight of these, the interval is widened by as much as the windows are too
short. The first quarter is left out: caches and allocators fill.

Source: Sen, JASA 63 (1968), 1379–1389 (slope and interval); Yue and Wang, Water Resources Management 18
(2004), 201–218 (fewer samples than it seems, where they know of each other).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runbook_lib.judge.ranks import Floats, RankInterval, slope_interval

_MOST_WINDOWS = 20
_FEWEST_WINDOWS = 8
_WARM_UP_SHARE = 0.25
# A sawtooth stays for half a cycle on one side of its line; the longest of many stays is longer than most.
_CYCLES_PER_STAY = 1.5


@dataclass(frozen=True, kw_only=True)
class MemoryPoint:
    """Memory of one instance, `at` minutes or sessions after the beginning."""

    at: float
    mib: float


@dataclass(frozen=True, kw_only=True)
class FloorTrend:
    """How fast the difference of the floors rises, in MiB a minute or a session.

    Attributes:
        slope: Candidate's less baseline's, with its interval.
        windows: How many windows both revisions have samples in.
        until: Last moment that both revisions have samples of.
    """

    slope: RankInterval
    windows: int
    until: float


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The judged part of one revision's samples: the rise of a straight line, and what it leaves."""

    at: Floats
    left: Floats
    rise: float

    def floors(self, edges: Floats) -> Floats:
        """Return the least memory in each window, NaN where there is no sample; the line's rise is kept."""
        middles = (edges[1:] + edges[:-1]) / 2
        window = np.searchsorted(edges, self.at, side="right") - 1
        least = np.full(len(middles), np.inf)
        np.minimum.at(least, window, self.left)
        return np.where(np.isinf(least), np.nan, least + self.rise * middles)


def floor_trend(
    candidate: Sequence[MemoryPoint], baseline: Sequence[MemoryPoint], level: float
) -> FloorTrend | None:
    """Return the trend of candidate's floors less baseline's; None where they have no time in common.

    Args:
        candidate: Its samples, in order.
        baseline: The same of the baseline, on the same clock or the same count.
        level: Probability that the true slope lies beyond one end of the interval.
    """
    series = (candidate, baseline)
    if not all(series):
        return None
    start, until = max(each[0].at for each in series), min(each[-1].at for each in series)
    begin = start + _WARM_UP_SHARE * (until - start)
    ours, theirs = (_part(points, begin, until) for points in series)
    if ours is None or theirs is None:
        return None
    cycle = _cycle(ours.at, ours.left - np.interp(ours.at, theirs.at, theirs.left))
    fewest = _fewest_windows(level)
    count = int(np.clip((until - begin) / cycle, fewest, _MOST_WINDOWS))
    edges = np.linspace(begin, until, count + 1)
    difference = ours.floors(edges) - theirs.floors(edges)
    seen = ~np.isnan(difference)
    middles = (edges[1:] + edges[:-1]) / 2
    found = slope_interval(middles[seen], difference[seen], level)
    too_short = max(1.0, count * cycle / (until - begin))
    return FloorTrend(slope=_widened(found, too_short), windows=int(np.sum(seen)), until=until)


def _part(points: Sequence[MemoryPoint], begin: float, until: float) -> _Part | None:
    """Return the samples from `begin` on and before `until` about their straight line; None without two."""
    judged = [point for point in points if begin <= point.at < until]
    at, mib = np.array([[point.at, point.mib] for point in judged]).reshape(-1, 2).T
    if not len(at) or at[0] == at[-1]:
        return None
    centred = at - at.mean()
    rise = float(centred @ mib / (centred @ centred))
    return _Part(at=at, left=mib - rise * at, rise=rise)


def _cycle(at: Floats, left: Floats) -> float:
    """Return how long values take to go up and down about their line, or to forget: by their longest stay."""
    above = left > np.median(left)
    turns = np.flatnonzero(above[1:] != above[:-1]) + 1
    stays = np.diff(at[np.concatenate(([0], turns, [len(at) - 1]))])
    return _CYCLES_PER_STAY * float(np.max(stays))


def _fewest_windows(level: float) -> int:
    """Return how many windows it takes for a row that only rises to be rarer than `level`, or 8."""
    count = _FEWEST_WINDOWS
    while level * math.factorial(count) < 1 and count < _MOST_WINDOWS:
        count += 1
    return count


def _widened(found: RankInterval, factor: float) -> RankInterval:
    middle = found.estimate
    return RankInterval(
        estimate=middle,
        low=middle - factor * (middle - found.low),
        high=middle + factor * (found.high - middle),
    )
