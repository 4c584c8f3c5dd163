"""Weigh evidence by betting against a hypothesis: arithmetic on counts, of one run or of many side by side.

A gambler who doubts the hypothesis stakes on each pair. Were it true, no strategy would make money on
average, so a fortune of 20 times the start is as surprising as a p-value of 0.05, however often one looks.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def evidence_needed(alpha: float) -> float:
    """Return the log e-value at which a hypothesis is rejected; no evidence is enough for an alpha of 0."""
    return -math.log(alpha) if alpha else math.inf


def pair_gains(counts: Array, stakes: Array) -> Array:
    """Return the log of what each gambler wins in each look by betting on every pair of it.

    A fair bet under the hypothesis that the mean gain is at most 0, for independent pairs.

    Args:
        counts: Pairs by look and cell, of shape (..., looks, cells).
        stakes: What one pair in a cell wins each gambler, as a share of the fortune, above -1; (cells,
            gamblers).

    Source: Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting (JRSS B, 2024):
    the capital process K_t(m) = Π (1 + λ_i (x_i − m)).
    """
    gains: Array = counts @ np.log1p(stakes)
    return gains


def block_gains(counts: Array, stakes: Array) -> Array:
    """Return the log of what each gambler wins in each look by one bet on the look as a whole; at most ln 2.

    A fair bet under the hypothesis that a look is as likely as its mirror image, in which candidate and
    baseline have changed places; the pairs of a look may depend on each other in any way. With W(x) the
    fortune that bets on the pairs would make of look x, it pays 2 W(x) / (W(x) + W(-x)).

    Args:
        counts: Pairs by look and cell, of shape (..., looks, cells).
        stakes: As for pairs, between -1 and 1; a mirrored pair wins the opposite.

    Source: Koning, Post-hoc and anytime valid permutation and group invariance testing (arXiv 2310.01153):
    e(x) = T(x) / mean of T over the orbit of x, here with T = W and the orbit {x, −x}.
    """
    odds = counts @ (2 * np.arctanh(stakes))
    gains: Array = math.log(2) - np.logaddexp(0, -odds)
    return gains


def log_fortune(gains: Array, purses: Array) -> Array:
    """Return the log of all gamblers' fortune after each look: the e-process.

    Having many gamblers needs no choice of the best stake beforehand. Under the hypothesis, they ever own
    1/alpha with a probability of at most alpha.

    Args:
        gains: Logs of what was won, of shape (..., looks, gamblers).
        purses: What each gambler starts with, 1 in all.

    Source: Ville, Étude critique de la notion de collectif (1939): P(sup E_t ≥ 1/alpha) ≤ alpha; the mixture
    of stakes is Robbins' method, in Waudby-Smith and Ramdas (2024) a convex combination of capital processes.
    """
    fortunes = np.cumsum(gains, axis=-2)
    best = fortunes.max(axis=-1, keepdims=True)
    together: Array = np.log(np.exp(fortunes - best) @ purses) + best[..., 0]
    return together
