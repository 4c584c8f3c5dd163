"""Estimate from pairs how different the revisions are, what is ruled out, and what is still needed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from runbook_lib.evidence.pairs import FURTHEST, STEPS_PER_LOG, Grid
from runbook_lib.judge.betting import Array, evidence_needed, log_fortune
from runbook_lib.judge.cells import Table, ladder, ladder_logs, purses, stakes

# What the mixture over gamblers costs, in units of log evidence.
_PRICE_OF_MIXING = 1.0
_STEPS_PER_UNIT = {"failures": 1, "latencies": STEPS_PER_LOG}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Differences as the betting knows them: shares for failures, logs of ratios for latencies.

    Attributes:
        mean: The mean difference of the pairs.
        low: No difference below it is compatible with the pairs.
        high: No difference above it is.
        smallest_effect: Found about half the time by so many pairs.
        pairs_needed: About how many more would settle the criterion at the rate seen until now; None if none
            would.
    """

    mean: float
    low: float
    high: float
    smallest_effect: float
    pairs_needed: int | None


def estimate(
    grid: Grid,
    seen: Table,
    excess: float,
    *,
    tolerance: float,
    margin: float,
    alpha: float,
    pass_alpha: float,
) -> Estimate:
    """Estimate from the counts of one run with at least one pair.

    Args:
        grid: What was counted.
        seen: The counts.
        excess: By how much an unsteady baseline divides the number of pairs.
        tolerance: The bound for FAIL.
        margin: The bound for PASS.
        alpha: Probability of a wrong FAIL, and of a true difference below `low`.
        pass_alpha: Probability of a wrong PASS, and of a true difference above `high`.
    """
    cells, at_worst = seen.cells.sum(axis=0), seen.at_worst.sum(axis=0)
    pairs = float(cells.sum())
    steps = np.arange(-FURTHEST[grid], FURTHEST[grid] + 1) / _STEPS_PER_UNIT[grid]
    mean = float(cells @ steps) / pairs
    variance = float(cells @ steps**2) / pairs - mean**2
    needed = min(
        _pairs_to(alpha, cells, stakes(grid, tolerance, doubt_the_candidate=True)),
        _pairs_to(pass_alpha, at_worst, stakes(grid, margin, doubt_the_candidate=False)),
    )
    left = excess * needed - pairs
    return Estimate(
        mean=mean,
        low=_low(grid, cells, excess, alpha),
        high=_high(grid, at_worst, excess, pass_alpha),
        smallest_effect=tolerance + _effect(variance, pairs / excess, alpha),
        pairs_needed=max(1, math.ceil(left)) if math.isfinite(left) else None,
    )


def _low(grid: Grid, cells: Array, excess: float, alpha: float) -> float:
    """Return the highest bound of the ladder that the pairs reject as too low: all that is kept is above it.

    Source: Waudby-Smith and Ramdas (2024): the confidence set is every m with K_t(m) < 1/alpha.
    """
    rejected = _log_e(grid, cells, doubt_the_candidate=True) / excess >= evidence_needed(alpha)
    return float(ladder(grid)[rejected].max(initial=ladder(grid)[0]))


def _high(grid: Grid, cells: Array, excess: float, alpha: float) -> float:
    rejected = _log_e(grid, cells, doubt_the_candidate=False) / excess >= evidence_needed(alpha)
    return float(ladder(grid)[rejected].min(initial=ladder(grid)[-1]))


def _log_e(grid: Grid, cells: Array, *, doubt_the_candidate: bool) -> Array:
    """Return the log e-value against every bound of the ladder."""
    logs = ladder_logs(grid, doubt_the_candidate=doubt_the_candidate)
    width, bounds, gamblers = logs.shape
    gains = (cells @ logs.reshape(width, -1)).reshape(bounds, 1, gamblers)
    return log_fortune(gains, purses(grid))[:, 0]


def _pairs_to(alpha: float, cells: Array, stake: Array) -> float:
    """Return how many pairs like these in all make evidence of 1/alpha; infinite if they make none.

    Source: Kelly, A new interpretation of information rate (1956): wealth grows by the mean of ln(1 + λ x).
    """
    growth = float((cells @ np.log1p(stake)).max() / cells.sum())
    return (_PRICE_OF_MIXING + evidence_needed(alpha)) / growth if growth > 0 else math.inf


def _effect(variance: float, pairs: float, alpha: float) -> float:
    """Return the mean difference beyond the tolerance whose evidence comes to 1/alpha in so many pairs.

    The growth of the best bet is about effect² / (2 · second moment), and an effect of failures brings as
    much variance.

    Source: Waudby-Smith and Ramdas (2024): the aGRAPA bet λ = μ / (σ² + μ²), whose growth is solved for μ.
    """
    share = (_PRICE_OF_MIXING + evidence_needed(alpha)) / pairs
    return share + math.sqrt(share**2 + 2 * variance * share) if alpha else math.inf
