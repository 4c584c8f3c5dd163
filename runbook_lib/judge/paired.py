"""Judge one criterion by its pairs at any look: worse than tolerated, within the margin, or not yet known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from runbook_lib.judge.betting import evidence_needed
from runbook_lib.judge.cells import Table, table
from runbook_lib.judge.estimates import Estimate, estimate
from runbook_lib.judge.weighing import Weights, weigh
from runbook_lib.pairs import Grid, PairCounts
from runbook_lib.verdict import Outcome

Kind = Literal["share", "tail", "latency", "zero"]

PASS_ALPHA = 0.02
_SLOWEST = 1.99


@dataclass(frozen=True, kw_only=True)
class PairedSpec:
    """What one criterion asks of the pairs.

    Attributes:
        kind: `share` of bad sessions, `tail` (share of slow ones), `latency`, or `zero` (may never happen).
        tolerance: FAIL is a candidate that is worse than this for sure. A share 0 to 1 by which candidate
            exceeds baseline; for latency a ratio to the baseline's, e.g. 1.03.
        margin: PASS is a candidate that is better than this for sure; in the same unit, above the tolerance.
    """

    kind: Kind
    tolerance: float
    margin: float

    def __post_init__(self) -> None:
        if self.kind == "latency" and not 1 <= self.tolerance < self.margin <= _SLOWEST:
            raise ValueError(f"latency needs 1 <= tolerance < margin <= {_SLOWEST}, not {self}")
        if self.kind != "latency" and not 0 <= self.tolerance < self.margin < 1:
            raise ValueError(f"{self.kind} needs 0 <= tolerance < margin < 1, not {self}")
        if self.kind == "zero" and self.tolerance > 0:
            raise ValueError(f"zero tolerates nothing, not {self.tolerance:g}")

    @property
    def unit(self) -> Literal["times", "ratio"]:
        """The unit of its differences: candidate by baseline, or candidate less baseline."""
        return "times" if self.kind == "latency" else "ratio"

    @property
    def grid(self) -> Grid:
        """The grid that its pairs are counted on."""
        return "latencies" if self.kind == "latency" else "failures"

    def on_grid(self, bound: float) -> float:
        """Return a bound as the betting knows it: a share, or the log of a ratio."""
        return math.log(bound) if self.kind == "latency" else bound

    def off_grid(self, difference: float) -> float:
        """Return a difference in the unit of the criterion."""
        return math.exp(difference) if self.kind == "latency" else difference


@dataclass(frozen=True, kw_only=True)
class PairedFinding:
    """What the pairs say of one criterion. Differences are shares 0 to 1; for latency ratios to the baseline.

    Attributes:
        spec: What was asked.
        outcome: FAIL as soon as any look was sure of it; PASS if the last look is; else INCONCLUSIVE.
        observed: The mean difference (latency: geometric mean ratio); None without pairs.
        interval: What cannot be ruled out: below at `alpha`, above at `pass_alpha`; None without pairs.
        against: Highest log e-value of any look for "worse than tolerated"; infinite after a forbidden event.
        favour: Log e-value of the last look for "within the margin", every lost pair being counted as bad.
        alpha: Probability of a wrong FAIL at most.
        pass_alpha: Probability of a wrong PASS at most.
        pairs: Pairs observed on both sides.
        lost: Pairs of which a side was not observed.
        excess: The baseline's variance between looks over what independent sessions give; 1 while steady.
        smallest_effect: The smallest difference that so many pairs find about half the time; None without
            pairs.
        pairs_needed: About how many more pairs would settle it; None if settled, or if none would.
    """

    spec: PairedSpec
    outcome: Outcome
    observed: float | None
    interval: tuple[float, float] | None
    against: float
    favour: float
    alpha: float
    pass_alpha: float
    pairs: int
    lost: int
    excess: float
    smallest_effect: float | None
    pairs_needed: int | None


def judge_pairs(
    spec: PairedSpec, counts: PairCounts, alpha: float, pass_alpha: float = PASS_ALPHA
) -> PairedFinding:
    """Judge a criterion at the last look; may be asked at every look, and again years later.

    Args:
        spec: What is asked.
        counts: What was seen until now.
        alpha: The criterion's share of the probability of a wrong ROLLBACK; with 0 only what may never happen
            can fail.
        pass_alpha: The probability of a wrong PASS at the margin.

    Raises:
        ValueError: If the pairs were counted for another kind of criterion.
    """
    if counts.grid != spec.grid:
        raise ValueError(f"{spec.kind} is judged by {spec.grid}, these pairs count {counts.grid}")
    if spec.kind == "zero" and any(look.baseline_sum for look in counts.looks):
        raise ValueError(
            "zero is judged by breaches of the candidate alone, these pairs count the baseline's too"
        )
    seen = table(counts)
    weights = weights_of(spec, seen)
    against = float(weights.against.max(initial=0.0))
    favour = float(weights.favour[-1]) if counts.looks else 0.0
    outcome = _outcome(against >= evidence_needed(alpha), favour >= evidence_needed(pass_alpha))
    found = _estimate(spec, seen, weights, alpha, pass_alpha) if counts.pairs else None
    return PairedFinding(
        spec=spec,
        outcome=outcome,
        observed=spec.off_grid(found.mean) if found else None,
        interval=_interval(spec, outcome, found) if found else None,
        against=against,
        favour=favour,
        alpha=alpha,
        pass_alpha=pass_alpha,
        pairs=counts.pairs,
        lost=counts.lost,
        excess=float(weights.excess[-1]) if counts.looks else 1.0,
        smallest_effect=_smallest_effect(spec, counts.pairs, found) if found else None,
        pairs_needed=found.pairs_needed if found and outcome is Outcome.INCONCLUSIVE else None,
    )


def weights_of(spec: PairedSpec, seen: Table) -> Weights:
    """Weigh the counts of one run, or of many, against what is asked."""
    weights = weigh(spec.grid, spec.on_grid(spec.tolerance), spec.on_grid(spec.margin), seen)
    if spec.kind != "zero":
        return weights
    happened = np.cumsum(seen.cells[..., -1], axis=-1) > 0
    return replace(weights, against=np.where(happened, math.inf, 0.0))


def _outcome(worse_than_tolerated: bool, within_the_margin: bool) -> Outcome:
    if worse_than_tolerated:
        return Outcome.FAIL
    return Outcome.PASS if within_the_margin else Outcome.INCONCLUSIVE


def _estimate(spec: PairedSpec, seen: Table, weights: Weights, alpha: float, pass_alpha: float) -> Estimate:
    return estimate(
        spec.grid,
        seen,
        float(weights.excess[-1]),
        tolerance=spec.on_grid(spec.tolerance),
        margin=spec.on_grid(spec.margin),
        alpha=alpha,
        pass_alpha=pass_alpha,
    )


def _smallest_effect(spec: PairedSpec, pairs: int, found: Estimate) -> float:
    """Return the difference that is found half the time; what may never happen, by happening once."""
    return math.log(2) / pairs if spec.kind == "zero" else spec.off_grid(found.smallest_effect)


def _interval(spec: PairedSpec, outcome: Outcome, found: Estimate) -> tuple[float, float]:
    """Return the interval of the last look; what an outcome has ruled out stays ruled out."""
    low, high = spec.off_grid(found.low), spec.off_grid(found.high)
    if outcome is Outcome.FAIL or spec.kind == "zero":
        low = max(low, spec.tolerance)
    if outcome is Outcome.PASS:
        high = min(high, spec.margin)
    return low, max(low, high)
