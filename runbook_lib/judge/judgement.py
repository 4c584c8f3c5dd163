"""Bring the criteria together into one action, with the criterion that decided it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runbook_lib.catalogue import describe
from runbook_lib.evidence import Measurement, Role
from runbook_lib.judge.bounds import headroom
from runbook_lib.judge.criterion import judge_criterion
from runbook_lib.judge.regression import judge_regression
from runbook_lib.plan import Criterion, Plan
from runbook_lib.verdict import Action, Confidence, CriterionResult, Outcome, RegressionResult


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


def judge(plan: Plan, measurements: Iterable[Measurement], unseen: Mapping[str, str]) -> Judgement:
    """Judge a run.

    Args:
        plan: The criteria and the regressions.
        measurements: Everything that the steps observed.
        unseen: For each step that left no evidence, the reason.
    """
    measured = {(found.metric, found.role): found for found in measurements}
    results = tuple(_judge_one(criterion, measured, unseen) for criterion in plan.criteria)
    action = _action(results)
    deciding = _nearest(plan, results) if action == "PROCEED_TO_PRODUCTION" else _worst(results)
    return Judgement(
        action=action,
        confidence=_confidence(action, results),
        deciding=deciding.id,
        summary=_summary(action, deciding, results),
        would_change=_would_change(action, deciding, results),
        criteria=results,
        regressions=_regressions(plan, measured, results),
    )


def _judge_one(
    criterion: Criterion, measured: Mapping[tuple[str, Role], Measurement], unseen: Mapping[str, str]
) -> CriterionResult:
    step = describe(criterion.metric).step
    return judge_criterion(
        criterion,
        measured.get((criterion.metric, "candidate")),
        measured.get((criterion.metric, "baseline")),
        unseen.get(step, f"the step {step} left no evidence of {criterion.metric}"),
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
    """Say how complete the evidence is; until the sequential judge, this is no error probability."""
    if action == "INVESTIGATE":
        return "LOW"
    unknown = {Outcome.INCONCLUSIVE, Outcome.ERROR}
    return "MEDIUM" if any(result.outcome in unknown for result in results) else "HIGH"


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
    plan: Plan, measured: Mapping[tuple[str, Role], Measurement], results: tuple[CriterionResult, ...]
) -> tuple[RegressionResult, ...]:
    criteria = {criterion.id: criterion for criterion in plan.criteria}
    outcomes = {result.id: result.outcome for result in results}
    return tuple(
        judge_regression(
            regression,
            criteria[regression.criterion],
            measured.get((criteria[regression.criterion].metric, "baseline")),
            outcomes[regression.criterion],
        )
        for regression in plan.regressions
    )
