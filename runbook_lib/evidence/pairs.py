"""Count interleaved pairs of sessions in a form that does not grow with their number; judges nothing.

A run is watched in looks: pair number p belongs to look p // pairs_per_look, whoever measured it. The counts
are kept per look and not as one sum, for a judge that looks while the run goes on must find, when it judges
the archive again, the very moment at which the evidence was sufficient. A look's number follows from the
pair's number alone and counts are whole numbers, so shards merge to the same record in any order and any
grouping. The number of looks is bounded (by `pairs_per_look`), and so is the size of a look: a histogram of
the differences on a fixed grid, and two sums that tell whether the baseline itself was steady from look to
look.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from runbook_lib.evidence import Record

Grid = Literal["failures", "latencies"]

STEPS_PER_LOG = 100  # One step of a latency difference is a factor of e^0.01: 1 %.
FURTHEST = {"failures": 1, "latencies": 200}
SMALLEST_LOOK = 60
MOST_LOOKS = 256
_FURTHEST_LATENCY = 1_000


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One value of each revision, measured at the same time; None where it was not observed.

    A flag is 0 or 1. A latency is in seconds, infinite where the answer was awaited and never came.
    """

    candidate: float | None
    baseline: float | None


class Look(Record):
    """What was counted between two looks at the evidence.

    Attributes:
        number: Which look, from 0.
        steps: Pairs by their difference in steps of the grid; above 0 the candidate is worse.
        lost: Pairs of which one or both sides were not observed.
        baseline_sum: Sum of the baseline's values (flags, or log-latencies in steps).
        baseline_squares: Sum of their squares.
    """

    number: int = Field(ge=0)
    steps: dict[int, int] = Field(default_factory=dict)
    lost: int = Field(default=0, ge=0)
    baseline_sum: int = 0
    baseline_squares: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _steps_must_rise(self) -> Look:
        steps = list(self.steps)
        if steps != sorted(steps) or min(self.steps.values(), default=1) < 1:
            raise ValueError(f"look {self.number}: steps must rise, and each must have been seen")
        return self

    @cached_property
    def pairs(self) -> int:
        """Pairs that were observed on both sides."""
        return sum(self.steps.values())

    @cached_property
    def histogram(self) -> npt.NDArray[np.float64]:
        """Pairs by step, from the lowest to the highest; made once, for a judge looks again and again."""
        steps = np.array(list(self.steps), dtype=np.int64)
        pairs = np.zeros(steps[-1] - steps[0] + 1 if self.steps else 0)
        pairs[steps - steps[:1]] = list(self.steps.values())
        return pairs


class PairCounts(Record):
    """The evidence of one criterion, look by look in order; each look is there once."""

    grid: Grid
    looks: tuple[Look, ...] = ()

    @model_validator(mode="after")
    def _must_be_well_formed(self) -> PairCounts:
        numbers = [look.number for look in self.looks]
        if numbers != sorted(set(numbers)):
            raise ValueError(f"looks must be in order and each there once, not {numbers}")
        furthest = FURTHEST[self.grid]
        for look in self.looks:
            if look.steps and max(-next(iter(look.steps)), next(reversed(look.steps))) > furthest:
                raise ValueError(f"look {look.number}: {self.grid} have steps from -{furthest} to {furthest}")
        return self

    @property
    def pairs(self) -> int:
        """Pairs that were observed on both sides."""
        return sum(look.pairs for look in self.looks)

    @property
    def lost(self) -> int:
        """Pairs of which one or both sides were not observed."""
        return sum(look.lost for look in self.looks)


class Pairs(Record):
    """All pairs of one run, by the id of the criterion that compares them."""

    counts: dict[str, PairCounts] = Field(default_factory=dict)


def pairs_per_look(budget_pairs: int) -> int:
    """Return how many pairs a look takes: 60, or more where a large budget would make over 256 looks."""
    return max(SMALLEST_LOOK, math.ceil(budget_pairs / MOST_LOOKS))


def count_failures(look: int, pairs: Iterable[Pair]) -> PairCounts:
    """Count flags, 1 for a bad session and 0 for a good one, that were observed in one look."""
    observed, lost = _split(pairs)
    return _counts("failures", look, lost, ((int(c), int(b)) for c, b in observed))


def count_exceedances(look: int, pairs: Iterable[Pair], above_s: float) -> PairCounts:
    """Count latencies above a threshold that was fixed beforehand, such as a past baseline's percentile."""
    observed, lost = _split(pairs)
    return _counts("failures", look, lost, ((int(c > above_s), int(b > above_s)) for c, b in observed))


def count_breaches(look: int, pairs: Iterable[Pair]) -> PairCounts:
    """Count flags of what may never happen: on the candidate alone, whatever the baseline did."""
    seen = [pair.candidate for pair in pairs]
    return _counts("failures", look, seen.count(None), ((int(c), 0) for c in seen if c is not None))


def count_latencies(look: int, pairs: Iterable[Pair]) -> PairCounts:
    """Count the ratios of latencies in seconds; an answer that never came is slower than any other."""
    observed, lost = _split(pairs)
    return _counts("latencies", look, lost, ((_log_steps(c), _log_steps(b)) for c, b in observed))


def merge(*shards: PairCounts) -> PairCounts:
    """Return the counts of all shards together; their order does not matter.

    Raises:
        ValueError: If there are none, or if they were counted on different grids.
    """
    grids = {shard.grid for shard in shards}
    if len(grids) != 1:
        raise ValueError(f"shards of one criterion share one grid, these have {sorted(grids)}")
    together: dict[int, list[Look]] = {}
    for shard in shards:
        for look in shard.looks:
            together.setdefault(look.number, []).append(look)
    return PairCounts(
        grid=grids.pop(), looks=tuple(_together(together[number]) for number in sorted(together))
    )


def _together(looks: list[Look]) -> Look:
    if len(looks) == 1:
        return looks[0]
    steps: Counter[int] = Counter()
    for look in looks:
        steps.update(look.steps)
    return Look(
        number=looks[0].number,
        steps=dict(sorted(steps.items())),
        lost=sum(look.lost for look in looks),
        baseline_sum=sum(look.baseline_sum for look in looks),
        baseline_squares=sum(look.baseline_squares for look in looks),
    )


def _split(pairs: Iterable[Pair]) -> tuple[list[tuple[float, float]], int]:
    """Return the pairs that were observed on both sides, candidate first, and the number of the others."""
    every = list(pairs)
    both = [
        (each.candidate, each.baseline)
        for each in every
        if each.candidate is not None and each.baseline is not None
    ]
    return both, len(every) - len(both)


def _counts(grid: Grid, look: int, lost: int, values: Iterator[tuple[int, int]]) -> PairCounts:
    seen = list(values)
    furthest = FURTHEST[grid]
    steps = Counter(max(-furthest, min(furthest, candidate - baseline)) for candidate, baseline in seen)
    counted = Look(
        number=look,
        steps=dict(sorted(steps.items())),
        lost=lost,
        baseline_sum=sum(baseline for _, baseline in seen),
        baseline_squares=sum(baseline * baseline for _, baseline in seen),
    )
    return PairCounts(grid=grid, looks=(counted,))


def _log_steps(latency_s: float) -> int:
    """Return the logarithm of a latency in steps, within ±1,000: 45 microseconds to 6 hours."""
    if not latency_s >= 0:
        raise ValueError(f"a latency is 0 s or more, not {latency_s}")
    log = math.log(latency_s) if latency_s > 0 else -math.inf
    return round(max(-_FURTHEST_LATENCY, min(_FURTHEST_LATENCY, STEPS_PER_LOG * log)))
