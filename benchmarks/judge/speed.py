"""Measure how long one look at twelve criteria takes, and that it does not depend on the number of pairs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from figure import Figure
from world import SPREAD, TWELVE, Asked

from runbook_lib.evidence.pairs import FURTHEST, STEPS_PER_LOG, Look, PairCounts
from runbook_lib.judge.paired import judge_pairs
from runbook_lib.judge.paired_spec import PairedSpec


def speed() -> Iterator[Figure]:
    """How long a look takes; every look but the last was looked at before."""
    ordinary, few, many = _look_ms(60, 15, 150_000)
    yield Figure(name="one look at 12 criteria after 4,000 pairs, ms", value=ordinary, at_most=5)
    yield Figure(
        name="67 looks: 10 million pairs over 1,000 pairs, ratio of times", value=many / few, at_most=1.2
    )


def _look_ms(*pairs_per_look: int) -> list[float]:
    """Return the milliseconds of processor time for all criteria after 67 looks, each the best of 200.

    One after the other in turn, so that whatever else the machine does slows them all.
    """
    rng = np.random.default_rng(67)
    total = [0.0] * len(pairs_per_look)
    for each in TWELVE:
        counts = [_counted(each, pairs, rng) for pairs in pairs_per_look]
        took = [[_judging_ms(each.spec, seen) for seen in counts] for _ in range(200)]
        total = [sum(pair) for pair in zip(total, np.min(took, axis=0).tolist(), strict=True)]
    return total


def _judging_ms(spec: PairedSpec, seen: PairCounts) -> float:
    since = time.process_time()
    judge_pairs(spec, seen, 0.001)
    return 1000 * (time.process_time() - since)


def _counted(asked: Asked, pairs_per_look: int, rng: np.random.Generator) -> PairCounts:
    """Draw the counts themselves: as pairs, ten million would be a bench of something else."""
    grid = asked.spec.grid
    steps = np.arange(-FURTHEST[grid], FURTHEST[grid] + 1)
    if grid == "latencies":
        odds = np.exp(-((steps / STEPS_PER_LOG) ** 2) / (4 * SPREAD**2))
    else:
        odds = np.array([asked.rate, 1 - 2 * asked.rate, asked.rate])
    looks = rng.multinomial(pairs_per_look, odds / odds.sum(), size=67)
    return PairCounts(grid=grid, looks=tuple(_look(number, steps, row) for number, row in enumerate(looks)))


def _look(number: int, steps: npt.NDArray[np.int64], pairs: npt.NDArray[np.int64]) -> Look:
    seen = pairs > 0
    histogram = dict(zip(steps[seen].tolist(), pairs[seen].tolist(), strict=True))
    return Look(number=number, steps=histogram, baseline_squares=int(pairs.sum()))
