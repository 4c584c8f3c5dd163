"""Say whether the baseline was steady from look to look: only then are its pairs as good as independent."""

from __future__ import annotations

import numpy as np

from runbook_lib.judge.betting import Array

_ENOUGH_LOOKS = 5
_STANDARD_ERRORS = 4.0


def excess(pairs: Array, sums: Array, squares: Array) -> Array:
    """Return, after each look, how many times the variance between looks is what independent sessions give.

    It is 1 while there are under 5 looks, or the ratio is within 4 standard errors of 1. Only the baseline is
    asked: nothing that a candidate does can then make the judge more patient with it.

    Args:
        pairs: Pairs by look, of shape (..., looks).
        sums: Sum of the baseline's values by look.
        squares: Sum of their squares by look.

    Source: Fisher's analysis of variance (1925), F = mean square between / mean square within, and Kish's
    design effect (Survey Sampling, 1965), by which the ratio divides the number of pairs.
    """
    looks, all_pairs = np.cumsum(pairs > 0, axis=-1), np.cumsum(pairs, axis=-1)
    of_means = np.cumsum(sums**2 / np.maximum(pairs, 1), axis=-1)
    between = of_means - np.cumsum(sums, axis=-1) ** 2 / np.maximum(all_pairs, 1)
    within = np.cumsum(squares, axis=-1) - of_means
    freedom = np.maximum(looks - 1, 1)
    spread = within / np.maximum(all_pairs - looks, 1)
    ratio = np.divide(between / freedom, spread, out=np.ones_like(spread), where=spread > 0)
    unsteady = (looks >= _ENOUGH_LOOKS) & (ratio > 1 + _STANDARD_ERRORS * np.sqrt(2 / freedom))
    return np.where(unsteady, ratio, 1.0)
