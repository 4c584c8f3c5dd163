"""Bring the criteria together into one action, with the criterion that decided it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runbook_lib.judge.bounds import headroom
from runbook_lib.judge.each import judge_each
from runbook_lib.judge.regression import judge_regression
from runbook_lib.judge.seen import Seen
from runbook_lib.plan import Plan
from runbook_lib.plan.criterion import Criterion
from runbook_lib.verdict import Action, Confidence, CriterionResult, Outcome, RegressionResult

# A little more than 1 in 100 and 1 in 20: evidence that just suffices must not fail by its last binary digit.
_HIGH, _MEDIUM = 0.01 * (1 + 1e-9), 0.05 * (1 + 1e-9)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the judge says of one run. `deciding` is the id of the criterion that settled the action."""

    action: Action
    confidence: Confidence
    deciding: str
    summary: str
    would_change: str
    criteria: tuple[CriterionResult, ...]
    regressions: tuple[RegressionResult, ...]


def overall(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the worst outcome.

    Raises:
        ValueError: If there are none: an empty run has not passed.
    """
    return max(outcomes)


def judge(plan: Plan, seen: Seen) -> Judgement:
    """Judge a run by its plan's criteria and regressions."""
    results = judge_each(plan, seen)
    action = _action(results)
    deciding = _nearest(plan, results) if action == "PROCEED_TO_PRODUCTION" else _worst(results)
    return Judgement(
        action=action,
        confidence=_confidence(action, results),
        deciding=deciding.id,
        summary=_summary(action, deciding, results),
        would_change=_would_change(action, deciding, results),
        criteria=results,
        regressions=_regressions(plan, seen, results),
    )


def _action(results: tuple[CriterionResult, ...]) -> Action:
    """ROLLBACK for a critical FAIL; PROCEED if all critical ones PASS and the others are at worst unknown."""
    critical = overall(result.outcome for result in results if result.critical)
    if critical is Outcome.FAIL:
        return "ROLLBACK"
    worst = overall(result.outcome for result in results)
    if critical is Outcome.PASS and worst <= Outcome.INCONCLUSIVE:
        return "PROCEED_TO_PRODUCTION"
    return "INVESTIGATE"


def _confidence(action: Action, results: tuple[CriterionResult, ...]) -> Confidence:
    """HIGH is wrong at most 1 in 100 times, MEDIUM 1 in 20; what is unknown makes it MEDIUM at best.

    Only the comparison of pairs has a chance of error that is known; a bound that was broken was broken.
    """
    if action == "INVESTIGATE":
        return "LOW"
    critical = [result for result in results if result.critical]
    wrong = _wrong_fail(critical) if action == "ROLLBACK" else _wrong_pass(critical)
    unknown = any(result.outcome in (Outcome.INCONCLUSIVE, Outcome.ERROR) for result in results)
    if wrong > _MEDIUM:
        return "LOW"
    return "MEDIUM" if unknown or wrong > _HIGH else "HIGH"


def _wrong_fail(critical: Sequence[CriterionResult]) -> float:
    return min(result.wrong_at_most or 0.0 for result in critical if result.outcome is Outcome.FAIL)


def _wrong_pass(critical: Sequence[CriterionResult]) -> float:
    """Return the largest: an unfit candidate has to pass by mistake where it is unfit."""
    return max(result.wrong_at_most or 0.0 for result in critical)


def _worst(results: tuple[CriterionResult, ...]) -> CriterionResult:
    """Return the worst critical criterion, or the worst of all where the critical ones passed."""
    return max(results, key=lambda result: (result.critical and result.outcome, result.outcome))


def _nearest(plan: Plan, results: tuple[CriterionResult, ...]) -> CriterionResult:
    """Return the passed critical criterion that is nearest to its bound, or the first of them."""
    passed = [pair for pair in zip(plan.criteria, results, strict=True) if pair[1].critical]
    return min(passed, key=lambda pair: _room(*pair))[1]


def _room(criterion: Criterion, result: CriterionResult) -> float:
    room = None if result.observed is None else headroom(criterion, result.observed, result.baseline)
    return 1.0 if room is None else room


def _summary(action: Action, deciding: CriterionResult, results: tuple[CriterionResult, ...]) -> str:
    """Say in one sentence what decided."""
    if action != "PROCEED_TO_PRODUCTION":
        return f"{deciding.title}: {deciding.outcome.name}, {deciding.reason}"
    passed = sum(result.outcome is Outcome.PASS for result in results)
    nearest = f"{deciding.title} ({deciding.reason})"
    return f"{passed} of {len(results)} criteria pass; nearest to its bound: {nearest}"


def _would_change(action: Action, deciding: CriterionResult, results: tuple[CriterionResult, ...]) -> str:
    """Say in one sentence what would make the action another one."""
    if action == "PROCEED_TO_PRODUCTION":
        return f"nearest to a failure is {deciding.title}: {deciding.would_change}"
    rollback = action == "ROLLBACK"
    blocking = {Outcome.FAIL} if rollback else set(Outcome) - {Outcome.PASS}
    others = sum(r.outcome in blocking and (r.critical or not rollback) for r in results) - 1
    likewise = f"; {others} other criteria stand in the way likewise" if others else ""
    return f"{deciding.title}: {deciding.would_change}{likewise}"


def _regressions(
    plan: Plan, seen: Seen, results: tuple[CriterionResult, ...]
) -> tuple[RegressionResult, ...]:
    criteria = {criterion.id: criterion for criterion in plan.criteria}
    outcomes = {result.id: result.outcome for result in results}
    return tuple(
        judge_regression(
            regression,
            criteria[regression.criterion],
            seen.of(criteria[regression.criterion].metric, "baseline"),
            outcomes[regression.criterion],
        )
        for regression in plan.regressions
    )
