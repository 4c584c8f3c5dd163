"""Decide whether a candidate leaks memory by the minute or by the session, more than a loaded baseline does.

Waiting shows a leak by the minute in half an hour. Load shows one by the session in minutes: the count of
sessions served takes the place of time, and all else stays as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from runbook_lib.judge.floors import FloorTrend, MemoryPoint, floor_trend
from runbook_lib.judge.ranks import RankInterval
from runbook_lib.verdict import Outcome


@dataclass(frozen=True, kw_only=True)
class LeakSpec:
    """How much growth above the baseline's is allowed: in MiB a minute, or in KiB a session."""

    per: Literal["minute", "session"]
    at_most: float

    @property
    def unit(self) -> str:
        """The unit of `at_most` and of a finding's slope."""
        return "MiB/min" if self.per == "minute" else "KiB/session"

    @property
    def per_mib(self) -> float:
        """How many of the unit's bytes are in a MiB."""
        return 1.0 if self.per == "minute" else 1024.0


@dataclass(frozen=True, kw_only=True)
class LeakSeries:
    """Memory of both revisions, in order: over minutes on one clock, or over each one's own sessions."""

    candidate: tuple[MemoryPoint, ...]
    baseline: tuple[MemoryPoint, ...]

    @property
    def samples(self) -> int:
        """How many samples the poorer of the two has."""
        return min(len(self.candidate), len(self.baseline))


@dataclass(frozen=True, kw_only=True)
class LeakFinding:
    """What the series says of a leak; numbers are None where it says nothing.

    Attributes:
        slope: How much faster the candidate's memory grows than the baseline's, in the spec's unit.
        interval: Holds the true slope; beyond each end with at most alpha / looks.
        samples: Memory samples of the poorer revision.
        smallest_seen: A leak of this much would have been found by now.
        still_needed: About how many more minutes or sessions would settle it; None once settled.
    """

    outcome: Outcome
    reason: str
    unit: str
    samples: int
    slope: float | None = None
    interval: tuple[float, float] | None = None
    smallest_seen: float | None = None
    still_needed: float | None = None


def judge_leak(spec: LeakSpec, series: LeakSeries, *, looks: int, alpha: float) -> LeakFinding:
    """Return FAIL where the leak is above the bound for sure, PASS where it is within it for sure.

    Args:
        spec: The bound.
        series: What was sampled so far.
        looks: How often at most this is asked while the series grows; each look spends its share of alpha.
        alpha: Probability of a wrong FAIL over all looks, and of a wrong PASS.
    """
    trend = floor_trend(series.candidate, series.baseline, alpha / looks)
    if trend is None or not math.isfinite(trend.slope.low + trend.slope.high):
        reason = f"too few memory samples in common: {len(series.candidate)} of the candidate"
        reason += f", {len(series.baseline)} of the baseline"
        return LeakFinding(
            outcome=Outcome.INCONCLUSIVE, reason=reason, unit=spec.unit, samples=series.samples
        )
    return _finding(spec, series, trend, _in_unit(trend.slope, spec.per_mib))


def _finding(spec: LeakSpec, series: LeakSeries, trend: FloorTrend, slope: RankInterval) -> LeakFinding:
    outcome = _outcome(spec.at_most, slope)
    smallest_seen = spec.at_most + slope.estimate - slope.low
    needed = _still_needed(spec.at_most, slope, trend.until) if outcome is Outcome.INCONCLUSIVE else None
    return LeakFinding(
        outcome=outcome,
        reason=_reason(spec, slope, outcome, smallest_seen, needed),
        unit=spec.unit,
        samples=series.samples,
        slope=slope.estimate,
        interval=(slope.low, slope.high),
        smallest_seen=smallest_seen,
        still_needed=needed,
    )


def _outcome(at_most: float, slope: RankInterval) -> Outcome:
    if slope.low > at_most:
        return Outcome.FAIL
    return Outcome.PASS if slope.high <= at_most else Outcome.INCONCLUSIVE


def _still_needed(at_most: float, slope: RankInterval, until: float) -> float | None:
    """Return how much longer it takes until the end on the bound's side is nearer than the bound.

    The interval shrinks at least as fast as the observation grows. None where the estimate is on the bound.
    """
    distance = abs(slope.estimate - at_most)
    reach = slope.high - slope.estimate if slope.estimate < at_most else slope.estimate - slope.low
    return until * (reach / distance - 1) if distance else None


def _reason(
    spec: LeakSpec, slope: RankInterval, outcome: Outcome, smallest_seen: float, needed: float | None
) -> str:
    seen = f"memory grows {slope.estimate:.2g} {spec.unit} faster than the baseline's"
    seen += f" ({slope.low:.2g} to {slope.high:.2g})"
    if outcome is Outcome.FAIL:
        return f"{seen}, above {spec.at_most:g}"
    if outcome is Outcome.PASS:
        return f"{seen}, within {spec.at_most:g}"
    more = "" if needed is None else f"; about {math.ceil(needed)} more {spec.per}s would settle it"
    return (
        f"{seen}: cannot tell from {spec.at_most:g} yet, only a leak of {smallest_seen:.2g} would show{more}"
    )


def _in_unit(slope: RankInterval, per_mib: float) -> RankInterval:
    return RankInterval(estimate=per_mib * slope.estimate, low=per_mib * slope.low, high=per_mib * slope.high)
