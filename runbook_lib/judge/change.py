"""Say what would change an outcome, and what a look like this one could have overlooked."""

from __future__ import annotations

from runbook_lib.catalogue import describe
from runbook_lib.evidence import Measurement
from runbook_lib.judge.bounds import upper_limit
from runbook_lib.plan.criterion import Criterion
from runbook_lib.verdict import Outcome

SURE = 0.95
"""Chance with which a defect of the smallest detectable rate would have shown itself."""


def detectable_rate(criterion: Criterion, candidate: Measurement | None) -> float | None:
    """Return the smallest share of bad samples that would have broken the bound with 95 %, 0 to 1.

    None where the metric does not count bad ones among its samples, or some are allowed.

    Source: Hanley and Lippman-Hand, If nothing goes wrong, is everything all right? (JAMA 1983): the exact
    form 1 - 0.05^(1/n) of the rule of three.
    """
    counts = describe(criterion.metric).counts
    if not counts or candidate is None or criterion.at_most != 0 or not candidate.samples:
        return None
    return float(1 - (1 - SURE) ** (1 / candidate.samples))


def would_change(
    criterion: Criterion, outcome: Outcome, found: Measurement | None, before: float | None
) -> str:
    """Return in one sentence what would make the outcome another one.

    Args:
        criterion: What was asked.
        outcome: What came of it.
        found: Its metric on the candidate.
        before: The same on the baseline, in the metric's unit.
    """
    metric = describe(criterion.metric)
    if found is None or outcome is Outcome.ERROR:
        return f"the step {metric.step} has to come to its end"
    if outcome is Outcome.PASS:
        return f"it fails {_beyond(criterion, before)}"
    if found.failed > criterion.failure_limit:
        return f"it passes with at most {criterion.failure_limit} attempt(s) that end without a value"
    if outcome is Outcome.FAIL and found.samples:
        return f"it passes {_within(criterion, before)}"
    lacking = criterion.min_samples - found.samples
    if lacking > 0:
        return f"{lacking} more sample(s) within the bound make it pass"
    if found.missing:
        return f"the {found.missing} missing observation(s) have to be made"
    if found.own:
        return "a look without lag of our own has to be made"
    return "a baseline to compare with has to be observed"


def _beyond(criterion: Criterion, before: float | None) -> str:
    upper, unit = upper_limit(criterion, before), describe(criterion.metric).unit
    above = [] if upper is None else [f"above {upper:.4g} {unit}"]
    below = [] if criterion.at_least is None else [f"below {criterion.at_least:.4g} {unit}"]
    return " or ".join((*below, *above))


def _within(criterion: Criterion, before: float | None) -> str:
    upper, unit = upper_limit(criterion, before), describe(criterion.metric).unit
    at_most = [] if upper is None else [f"at {upper:.4g} {unit} or below"]
    at_least = [] if criterion.at_least is None else [f"at {criterion.at_least:.4g} {unit} or above"]
    return " and ".join((*at_least, *at_most))
