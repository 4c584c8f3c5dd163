"""Bring many paired criteria to one action whose probability of being wrong is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from runbook_lib.judge.paired import PairedFinding
from runbook_lib.verdict import Action, Confidence, Outcome

ROLLBACK_ALPHA = 0.01
# A little more than 1 in 100 and 1 in 20: evidence that just suffices must not fail by its last binary digit.
_HIGH = 0.01 * (1 + 1e-9)
_MEDIUM = 0.05 * (1 + 1e-9)


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """A finding with its place among the others.

    Attributes:
        id: The criterion.
        critical: Whether it can decide by itself.
        share: Its share of the probability of a wrong ROLLBACK, 0 to 1; all shares add up to at most 1.
        finding: What the pairs say.
    """

    id: str
    critical: bool
    share: float
    finding: PairedFinding


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What all pairs together say.

    Attributes:
        action: What to do.
        confidence: HIGH is wrong at most 1 in 100 times, MEDIUM 1 in 20, LOW is not enough evidence.
        wrong_at_most: Bound for the probability that the action is wrong; None for INVESTIGATE.
        deciding: Id of the criterion that settled it.
    """

    action: Action
    confidence: Confidence
    wrong_at_most: float | None
    deciding: str


def shares(weights: Sequence[float]) -> tuple[float, ...]:
    """Return each criterion's share of the probability of a wrong ROLLBACK, in proportion to its weight.

    Holds whatever the criteria have to do with each other. A weight of 0 suits what may never happen: it
    needs no statistics to fail.

    Source: weighted Bonferroni, Genovese, Roeder and Wasserman, False discovery control with p-value
    weighting (Biometrika, 2006): reject where p_i ≤ w_i alpha / m, the w_i averaging 1.

    Raises:
        ValueError: If a weight is negative or not finite.
    """
    total = sum(weights)
    if any(not 0 <= weight < math.inf for weight in weights):
        raise ValueError(f"weights are 0 or more, not {list(weights)}")
    return tuple(weight / total if total else 0.0 for weight in weights)


def decide(standings: Sequence[Weighed]) -> Decision:
    """Return ROLLBACK for a critical FAIL, PROCEED if every critical one passes and no other fails.

    PROCEED needs no correction for their number: the candidate is unfit if any one criterion is, and that one
    must pass by mistake. E-values of different criteria are never multiplied, for their sessions are the
    same.

    Source: intersection-union test, Berger, Multiparameter hypothesis testing and acceptance sampling (1982).

    Raises:
        ValueError: If none is critical: nothing was asked, so nothing has passed.
    """
    critical = [each for each in standings if each.critical]
    if not critical:
        raise ValueError("at least one criterion must be critical: with none, nothing could be decided")
    outcomes = [each.finding.outcome for each in critical]
    if Outcome.FAIL in outcomes:
        worst = min(critical, key=_wrong_fail)
        return _decision("ROLLBACK", worst, _wrong_fail(worst))
    if set(outcomes) == {Outcome.PASS} and all(each.finding.outcome != Outcome.FAIL for each in standings):
        weakest = max(critical, key=_wrong_pass)
        return _decision("PROCEED_TO_PRODUCTION", weakest, _wrong_pass(weakest))
    open_ones = max(
        standings, key=lambda each: (each.critical and each.finding.outcome, each.finding.outcome)
    )
    return Decision(action="INVESTIGATE", confidence="LOW", wrong_at_most=None, deciding=open_ones.id)


def _decision(action: Action, deciding: Weighed, wrong_at_most: float) -> Decision:
    confidence: Confidence = "LOW"
    if wrong_at_most <= _MEDIUM:
        confidence = "HIGH" if wrong_at_most <= _HIGH else "MEDIUM"
    return Decision(action=action, confidence=confidence, wrong_at_most=wrong_at_most, deciding=deciding.id)


def _wrong_fail(standing: Weighed) -> float:
    """Return a bound for the probability of such evidence from a harmless candidate; 1 unless it failed."""
    if standing.finding.outcome is not Outcome.FAIL:
        return 1.0
    if math.isinf(standing.finding.against):
        return 0.0
    return min(1.0, math.exp(-standing.finding.against) / standing.share)


def _wrong_pass(standing: Weighed) -> float:
    """Return a bound for the probability of such evidence from a candidate at the margin."""
    return min(1.0, math.exp(-standing.finding.favour))
