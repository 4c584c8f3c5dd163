"""Weigh the pairs of one criterion for and against the candidate, look by look, for one run or thousands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runbook_lib.judge.betting import Array, block_gains, log_fortune, pair_gains
from runbook_lib.judge.cells import Table, purses, stakes
from runbook_lib.judge.steadiness import excess
from runbook_lib.pairs import Grid


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
    doubt = stakes(grid, tolerance, doubt_the_candidate=True)
    trust = stakes(grid, margin, doubt_the_candidate=False)
    against = _by_pairs_or_blocks(seen.cells, doubt, purses(grid), unsteady > 1)
    if grid == "latencies":
        favour = _by_pairs_or_blocks(seen.at_worst, trust, purses(grid), unsteady > 1)
    else:
        # Rare failures are skewed: at the margin, a look without any is likelier than its mirror image.
        favour = log_fortune(pair_gains(seen.at_worst, trust), purses(grid)) / unsteady
    return Weights(against=against, favour=favour, excess=unsteady)


def _by_pairs_or_blocks(cells: Array, stake: Array, purse: Array, unsteady: npt.NDArray[np.bool_]) -> Array:
    """Bet on the pairs of a look, which finds much soon, or on the look as a whole, which drift cannot fool.

    The looks before it choose: what is known beforehand may, so the bet stays fair. And while the baseline is
    unsteady, whole looks alone must prove it too: asking for more can but lower the evidence.
    """
    on_pairs = pair_gains(cells, stake)
    if not unsteady.any():
        return log_fortune(on_pairs, purse)
    on_blocks = block_gains(cells, stake)
    known_before = np.roll(unsteady, 1, axis=-1)
    known_before[..., :1] = False
    chosen = log_fortune(np.where(known_before[..., None], on_blocks, on_pairs), purse)
    return np.where(unsteady, np.minimum(chosen, log_fortune(on_blocks, purse)), chosen)
