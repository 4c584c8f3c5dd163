"""Draw counts of pairs for the judge: by exact numbers, or by seed."""

from __future__ import annotations

import random
from collections.abc import Callable

from runbook_lib.evidence.pairs import Pair, PairCounts, count_failures, count_latencies, merge
from runbook_lib.judge.paired_spec import PairedSpec

SHARE = PairedSpec(kind="share", tolerance=0, margin=0.01)
TAIL = PairedSpec(kind="tail", tolerance=0.01, margin=0.03)
LATENCY = PairedSpec(kind="latency", tolerance=1.03, margin=1.10)
ZERO = PairedSpec(kind="zero", tolerance=0, margin=0.01)

LOOK = 60


def failures(pairs: int, candidate: float, baseline: float) -> PairCounts:
    """Return looks of 60 pairs of which these shares fail, spread as evenly as can be."""
    return _looks(
        pairs,
        count_failures,
        lambda at: Pair(candidate=_nth(at, candidate), baseline=_nth(at + 37, baseline)),
    )


def latencies(pairs: int, ratio: float, seed: int = 1, spread: float = 0.3) -> PairCounts:
    """Return looks of 60 pairs of log-normal latencies; the candidate's are slower by a ratio."""
    chance = random.Random(seed)  # noqa: S311
    return _looks(
        pairs,
        count_latencies,
        lambda _: Pair(
            candidate=ratio * chance.lognormvariate(0, spread), baseline=chance.lognormvariate(0, spread)
        ),
    )


def flags(pairs: int, candidate: float, baseline: float, seed: int) -> PairCounts:
    """Return looks of 60 pairs that fail by chance."""
    chance = random.Random(seed)  # noqa: S311
    return _looks(
        pairs,
        count_failures,
        lambda _: Pair(candidate=chance.random() < candidate, baseline=chance.random() < baseline),
    )


def _nth(at: int, share: float) -> int:
    return int((at + 1) * share) - int(at * share)


def _looks(
    pairs: int, count: Callable[[int, list[Pair]], PairCounts], draw: Callable[[int], Pair]
) -> PairCounts:
    drawn = [draw(at) for at in range(pairs)]
    return merge(*(count(at // LOOK, drawn[at : at + LOOK]) for at in range(0, pairs, LOOK)))
