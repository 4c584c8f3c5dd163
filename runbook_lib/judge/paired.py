"""Judge one criterion by its pairs at any look: worse than tolerated, within the margin, or not yet known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from runbook_lib.evidence.pairs import PairCounts
from runbook_lib.judge.betting import evidence_needed
from runbook_lib.judge.cells import Table, table
from runbook_lib.judge.estimates import Estimate, estimate
from runbook_lib.judge.paired_spec import PairedSpec
from runbook_lib.judge.weighing import Weights, weigh
from runbook_lib.verdict import Outcome

PASS_ALPHA = 0.02


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


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """The pairs of one criterion and the evidence that they make: weighed once, whatever is asked of it."""

    spec: PairedSpec
    counts: PairCounts
    seen: Table
    weights: Weights

    def against(self) -> float:
        """Return the highest evidence of any look for "worse than tolerated"."""
        return float(self.weights.against.max(initial=0.0))

    def favour(self) -> float:
        """Return the evidence of the last look for "within the margin"."""
        return float(self.weights.favour[-1]) if self.counts.looks else 0.0

    def outcome(self, alpha: float, pass_alpha: float) -> Outcome:
        """Return FAIL if any look was sure of it, PASS if the last one is, else INCONCLUSIVE."""
        if self.against() >= evidence_needed(alpha):
            return Outcome.FAIL
        return Outcome.PASS if self.favour() >= evidence_needed(pass_alpha) else Outcome.INCONCLUSIVE


def weighed(spec: PairedSpec, counts: PairCounts) -> Weighed:
    """Weigh the pairs of one criterion; may be asked at every look, and again years later.

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
    return Weighed(spec=spec, counts=counts, seen=seen, weights=weights_of(spec, seen))


def weights_of(spec: PairedSpec, seen: Table) -> Weights:
    """Weigh the counts of one run, or of many, against what is asked."""
    weights = weigh(spec.grid, spec.on_grid(spec.tolerance), spec.on_grid(spec.margin), seen)
    if spec.kind != "zero":
        return weights
    happened = np.cumsum(seen.cells[..., -1], axis=-1) > 0
    return replace(weights, against=np.where(happened, math.inf, 0.0))


def judge_pairs(
    spec: PairedSpec, counts: PairCounts, alpha: float, pass_alpha: float = PASS_ALPHA
) -> PairedFinding:
    """Weigh the pairs of one criterion and say everything that they show; see `finding`."""
    return finding(weighed(spec, counts), alpha, pass_alpha)


def finding(pairs: Weighed, alpha: float, pass_alpha: float) -> PairedFinding:
    """Return what the pairs say at the last look.

    Args:
        pairs: What was seen until now.
        alpha: The criterion's share of the probability of a wrong ROLLBACK; with 0 only what may never happen
            can fail.
        pass_alpha: The probability of a wrong PASS at the margin.
    """
    spec, counts = pairs.spec, pairs.counts
    outcome = pairs.outcome(alpha, pass_alpha)
    found = _estimate(pairs, alpha, pass_alpha) if counts.pairs else None
    return PairedFinding(
        spec=spec,
        outcome=outcome,
        observed=spec.off_grid(found.mean) if found else None,
        interval=_interval(spec, outcome, found) if found else None,
        against=pairs.against(),
        favour=pairs.favour(),
        alpha=alpha,
        pass_alpha=pass_alpha,
        pairs=counts.pairs,
        lost=counts.lost,
        excess=float(pairs.weights.excess[-1]) if counts.looks else 1.0,
        smallest_effect=_smallest_effect(spec, counts.pairs, found) if found else None,
        pairs_needed=found.pairs_needed if found and outcome is Outcome.INCONCLUSIVE else None,
    )


def _estimate(pairs: Weighed, alpha: float, pass_alpha: float) -> Estimate:
    spec = pairs.spec
    return estimate(
        spec.grid,
        pairs.seen,
        float(pairs.weights.excess[-1]),
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
