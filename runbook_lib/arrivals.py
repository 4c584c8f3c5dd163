"""Say when the pairs of a load are meant to start: a Poisson process whose rate may ramp, hold and spike."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from runbook_lib.plan.load import Load

_SLOWEST_PER_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """When a pair of sessions, one on each revision, is meant to start.

    Attributes:
        number: Its number, from 0.
        at_s: Seconds after the load's beginning at which the first of the two starts.
        gap_s: How long after it the second one starts.
    """

    number: int
    at_s: float
    gap_s: float


def arrivals(load: Load) -> Iterator[Arrival]:
    """Yield the pairs of the whole load in order; the same for the same seed.

    The second session of a pair comes half a mean gap after the first, so that all sessions together are
    spread as evenly as one revision's.

    Source: time change of a unit Poisson process; Ross, Introduction to Probability Models, section 5.4.1.
    """
    lots = random.Random(f"{load.seed} arrivals")  # noqa: S311 - repeatable on purpose
    segments = _segments(load)
    segment, passed = next(segments), 0.0
    for number in range(load.sessions):
        passed += lots.expovariate(1.0)
        while passed >= segment.arrivals:
            passed -= segment.arrivals
            following = next(segments, None)
            if following is None:
                return
            segment = following
        into_s = segment.when(passed)
        rate_per_s = max(segment.rate_at(into_s), _SLOWEST_PER_S)
        yield Arrival(number=number, at_s=segment.start_s + into_s, gap_s=1 / (2 * rate_per_s))


@dataclass(frozen=True, kw_only=True)
class _Segment:
    """A stretch in which the rate changes in a straight line. `arrivals` are those expected in it."""

    start_s: float
    rate_per_s: float
    slope: float
    arrivals: float

    def when(self, passed: float) -> float:
        """Return how many seconds into it so many arrivals are expected."""
        root = math.sqrt(max(0.0, self.rate_per_s**2 + 2 * self.slope * passed))
        return 2 * passed / (self.rate_per_s + root) if passed else 0.0

    def rate_at(self, into_s: float) -> float:
        return self.rate_per_s + self.slope * into_s


def _segments(load: Load) -> Iterator[_Segment]:
    if not load.stages:
        yield _Segment(start_s=0, rate_per_s=load.rate_per_s, slope=0, arrivals=math.inf)
        return
    start_s, before_per_s = 0.0, load.rate_per_s
    for stage in load.stages:
        if stage.duration_s > 0:
            slope = (stage.rate_per_s - before_per_s) / stage.duration_s
            expected = (before_per_s + stage.rate_per_s) / 2 * stage.duration_s
            yield _Segment(start_s=start_s, rate_per_s=before_per_s, slope=slope, arrivals=expected)
        start_s, before_per_s = start_s + stage.duration_s, stage.rate_per_s
