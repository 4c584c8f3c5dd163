"""Make up the sessions of a service with twelve correlated criteria: the truth to measure judges against.

Latencies are log-normal with a spread of 0.5, all of it a session's own: nothing of it cancels in a pair,
which is the worst case for pairing. On top comes load, which both sessions of a pair share (an
Ornstein-Uhlenbeck process of 20 %, remembered for 120 pairs), and drift, which they do not share (half of its
variance on either side). The criteria of a session hang together through one hidden trait of it, with which
log-latencies correlate by 0.7 and failures by 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from runbook_lib.judge.paired_spec import PairedSpec

Values = npt.NDArray[np.float32]

LOOK = 60
SPREAD = 0.5
_LOAD, _LOAD_MEMORY_PAIRS = 0.2, 120


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One criterion: what it asks, its weight for ROLLBACK, and the baseline's rate of failures, if any."""

    name: str
    spec: PairedSpec
    weight: float
    rate: float = 0.0


def _share(name: str, rate: float, weight: float) -> Asked:
    return Asked(name=name, spec=PairedSpec(kind="share", tolerance=0, margin=0.01), weight=weight, rate=rate)


def _latency(name: str, weight: float) -> Asked:
    return Asked(name=name, spec=PairedSpec(kind="latency", tolerance=1.03, margin=1.10), weight=weight)


def _tail(name: str, rate: float, tolerance: float, margin: float) -> Asked:
    return Asked(
        name=name, spec=PairedSpec(kind="tail", tolerance=tolerance, margin=margin), weight=1, rate=rate
    )


def _zero(name: str) -> Asked:
    return Asked(name=name, spec=PairedSpec(kind="zero", tolerance=0, margin=0.01), weight=0)


TWELVE = (
    _share("errors", 0.005, 5),
    _share("contract", 0.002, 1),
    _share("sequence", 0.001, 3),
    _share("logins", 0.002, 1),
    _share("drops", 0.002, 1),
    _zero("isolation"),
    _zero("conflicts"),
    _latency("connect", 1),
    _latency("first event", 1),
    _latency("answer", 2),
    _tail("answer tail", 0.05, 0.01, 0.03),
    _tail("connect tail", 0.01, 0.005, 0.02),
)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """How the candidate differs from the baseline, and how the world disturbs them.

    Attributes:
        name: For the tables.
        rates: The candidate's failure rates that differ.
        slower: The candidate's latencies over the baseline's.
        drift: Standard deviation of the log-ratio between the revisions, as it wanders around 0.
        drift_memory_pairs: After how many pairs the drift has forgotten 63 % of where it was.
        load: Whether both revisions share a changing load.
        freak_share: Share of sessions that are slower by a factor of e^1.5 on average: a heavy tail.
        spread: Standard deviation of a session's log-latency.
    """

    name: str
    rates: Mapping[str, float] = field(default_factory=dict)
    slower: float = 1.0
    drift: float = 0.0
    drift_memory_pairs: int = 60
    load: bool = True
    freak_share: float = 0.0
    spread: float = SPREAD


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The sessions of one criterion in many runs: flags, or log-latencies; each of shape (runs, pairs)."""

    candidate: Values
    baseline: Values


def simulate(
    scenario: Scenario, asked: tuple[Asked, ...], runs: int, pairs: int, rng: np.random.Generator
) -> dict[str, Observed]:
    """Return what was observed of every criterion."""
    load = wander(_LOAD, _LOAD_MEMORY_PAIRS, runs, pairs, rng) if scenario.load else np.float32(0)
    sides = []
    for candidate in (True, False):
        drift = wander(scenario.drift / 2**0.5, scenario.drift_memory_pairs, runs, pairs, rng)
        trait = rng.standard_normal((runs, pairs), dtype=np.float32)
        shift = load + drift + np.float32(np.log(scenario.slower) if candidate else 0)
        sides.append({each.name: _values(scenario, each, candidate, trait, shift, rng) for each in asked})
    return {
        each.name: Observed(candidate=sides[0][each.name], baseline=sides[1][each.name]) for each in asked
    }


def wander(spread: float, memory_pairs: int, runs: int, pairs: int, rng: np.random.Generator) -> Values:
    """Return stationary Ornstein-Uhlenbeck processes, of shape (runs, pairs)."""
    if not spread:
        return np.zeros((1, 1), dtype=np.float32)
    kept = np.exp(-1 / memory_pairs)
    steps = rng.standard_normal((pairs, runs), dtype=np.float32) * np.float32(spread * (1 - kept**2) ** 0.5)
    steps[0] *= np.float32((1 - kept**2) ** -0.5)
    for at in range(1, pairs):
        steps[at] += np.float32(kept) * steps[at - 1]
    return np.ascontiguousarray(steps.T)


def _values(
    scenario: Scenario, asked: Asked, candidate: bool, trait: Values, shift: Values, rng: np.random.Generator
) -> Values:
    own = rng.standard_normal(trait.shape, dtype=np.float32)
    if asked.spec.kind in ("share", "zero"):
        rate = scenario.rates.get(asked.name, asked.rate) if candidate else asked.rate
        return _flags(np.float32(0.5) * trait + np.float32(0.75**0.5) * own, rate)
    latency = shift + np.float32(scenario.spread) * (np.float32(0.7) * trait + np.float32(0.51**0.5) * own)
    if scenario.freak_share:
        freaks = rng.random(trait.shape, dtype=np.float32) < scenario.freak_share
        latency += freaks * rng.exponential(1.5, trait.shape).astype(np.float32)
    if asked.spec.kind == "latency":
        return latency
    calm = (scenario.spread**2 + (_LOAD**2 if scenario.load else 0)) ** 0.5
    return (latency > calm * NormalDist().inv_cdf(1 - asked.rate)).astype(np.float32)


def _flags(trait: Values, rate: float) -> Values:
    if rate == 0:
        return np.zeros_like(trait)
    return (trait < NormalDist().inv_cdf(rate)).astype(np.float32)
