"""Judge the same simulated sessions as other tools would, each looking as often as its users do."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import lgamma
from statistics import NormalDist

import numpy as np
from ours import Array, first
from world import LOOK, Observed

Judge = Callable[[Observed], Array]


def fixed_threshold(seen: Observed) -> Array:
    """Fail when over 3 measurements of 60 sessions have under 98 % successes (Argo Rollouts, Flagger)."""
    bad = _by_look(seen.candidate).sum(axis=2) > 0.02 * LOOK
    return first(np.cumsum(bad, axis=1) > 3)


def mann_whitney(seen: Observed) -> Array:
    """Fail by a Mann-Whitney test of points of 60 sessions, one-sided 1 %, every 10 points, as Kayenta.

    Source: Mann and Whitney (1947), normal approximation without correction for ties.
    """
    candidate, baseline = (_by_look(side).mean(axis=2) for side in (seen.candidate, seen.baseline))
    ones, others = candidate[:, :, None], baseline[:, None, :]
    above = (ones > others) + 0.5 * (ones == others)
    wins = np.diagonal(above.cumsum(axis=1).cumsum(axis=2), axis1=1, axis2=2)
    points = np.arange(1, candidate.shape[1] + 1, dtype=np.float64)
    z = (wins - points**2 / 2) / np.sqrt(points**2 * (2 * points + 1) / 12)
    return first((z > NormalDist().inv_cdf(0.99)) & (points % 10 == 0))


def fisher_peeking(seen: Observed) -> Array:
    """Fail when Fisher's exact test, one-sided, is below 5 % at any look."""
    candidate, baseline = (_by_look(side).sum(axis=2).cumsum(axis=1).astype(int) for side in _sides(seen))
    sure = np.zeros(candidate.shape, dtype=bool)
    for look in range(candidate.shape[1]):
        worst, together = candidate[:, look], candidate[:, look] + baseline[:, look]
        sessions = (look + 1) * LOOK
        sure[:, look] = [
            _fisher_p(sessions, int(k), int(c)) < 0.05 for c, k in zip(worst, together, strict=True)
        ]
    return first(sure)


def bayes_peeking(seen: Observed) -> Array:
    """Fail when the candidate's rate is above the baseline's with a posterior of 95 % at any look.

    Both posteriors, Beta(1 + failures, 1 + successes), are taken as normal.
    """
    sessions = np.arange(1, seen.candidate.shape[1] // LOOK + 1) * LOOK
    moments = []
    for side in _sides(seen):
        a = 1 + _by_look(side).sum(axis=2).cumsum(axis=1)
        mean = a / (sessions + 2)
        moments.append((mean, mean * (1 - mean) / (sessions + 3)))
    (mean_c, variance_c), (mean_b, variance_b) = moments
    return first((mean_c - mean_b) / np.sqrt(variance_c + variance_b) > NormalDist().inv_cdf(0.95))


OF_FAILURES: dict[str, Judge] = {
    "fixed 98 %, 3 failures (Argo, Flagger)": fixed_threshold,
    "Mann-Whitney, 60-session points (Kayenta)": mann_whitney,
    "Fisher 5 %, peeking": fisher_peeking,
    "Bayes P > .95, peeking": bayes_peeking,
}
OF_LATENCIES: dict[str, Judge] = {"Mann-Whitney, 60-session points (Kayenta)": mann_whitney}


def _sides(seen: Observed) -> tuple[Array, Array]:
    return seen.candidate.astype(np.float64), seen.baseline.astype(np.float64)


def _by_look(side: Array) -> Array:
    runs, pairs = side.shape
    return side[:, : pairs // LOOK * LOOK].reshape(runs, -1, LOOK).astype(np.float64)


@cache
def _fisher_p(sessions: int, together: int, candidate: int) -> float:
    """Return the probability of at least `candidate` of `together` failures among half of all sessions."""
    at_least = range(candidate, min(together, sessions) + 1)
    logs = [_log_choose(sessions, k) + _log_choose(sessions, together - k) for k in at_least]
    return float(np.exp(np.array(logs) - _log_choose(2 * sessions, together)).sum())


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
