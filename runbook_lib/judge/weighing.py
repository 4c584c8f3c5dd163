"""Weigh the pairs of one criterion for and against the candidate, look by look, for one run or thousands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runbook_lib.evidence.pairs import Grid
from runbook_lib.judge.betting import Array, block_gains, log_fortune, pair_gains
from runbook_lib.judge.cells import Table, purses, stakes
from runbook_lib.judge.steadiness import excess


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The logs of both e-values after each look, of shape (..., looks).

    Attributes:
        against: Evidence that the difference is above the tolerance.
        favour: Evidence that it is below the margin, were every lost pair a bad one.
        excess: The baseline's variance between looks over what independent sessions give; 1 while steady.
    """

    against: Array
    favour: Array
    excess: Array


def weigh(grid: Grid, tolerance: float, margin: float, seen: Table) -> Weights:
    """Weigh the counts of one criterion; bounds are shares for failures, logs of ratios for latencies."""
    unsteady = excess(seen.pairs, seen.sums, seen.squares)
    evidence = _of_failures if grid == "failures" else _of_latencies
    doubt = stakes(grid, tolerance, doubt_the_candidate=True)
    trust = stakes(grid, margin, doubt_the_candidate=False)
    return Weights(
        against=evidence(seen.cells, doubt, unsteady),
        favour=evidence(seen.at_worst, trust, unsteady),
        excess=unsteady,
    )


def _of_failures(cells: Array, stake: Array, unsteady: Array) -> Array:
    """Bet on every pair; an unsteady baseline divides the number of pairs by its excess variance.

    Looks as a whole cannot be bet on: a tolerance of rare failures is no symmetric hypothesis.
    """
    return log_fortune(pair_gains(cells, stake), purses("failures")) / unsteady


def _of_latencies(cells: Array, stake: Array, unsteady: Array) -> Array:
    """Bet on every pair, which finds much soon; while the baseline is unsteady, whole looks must prove it
    too.

    Drift cannot fool a bet on whole looks. Asking for more can but lower the evidence, so that the choice of
    when to ask costs no validity.
    """
    on_pairs = log_fortune(pair_gains(cells, stake), purses("latencies"))
    if (unsteady == 1).all():
        return on_pairs
    on_looks = log_fortune(block_gains(cells, stake), purses("latencies"))
    return np.where(unsteady > 1, np.minimum(on_pairs, on_looks), on_pairs)
