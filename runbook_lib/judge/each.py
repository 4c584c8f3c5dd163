"""Judge every criterion of a plan, each in the way that its metric asks for."""

from __future__ import annotations

from collections.abc import Mapping

from runbook_lib.catalogue import describe
from runbook_lib.judge.by_leak import judge_by_leak
from runbook_lib.judge.by_pairs import judge_by_pairs
from runbook_lib.judge.by_starts import judge_by_starts
from runbook_lib.judge.criterion import judge_criterion
from runbook_lib.judge.risk import Risk, risks
from runbook_lib.judge.seen import Seen
from runbook_lib.plan import Plan
from runbook_lib.plan.criterion import Criterion
from runbook_lib.verdict import CriterionResult


def judge_each(plan: Plan, seen: Seen) -> tuple[CriterionResult, ...]:
    """Return the results in the plan's order."""
    risk = risks(plan)
    return tuple(_judge_one(plan, criterion, risk, seen) for criterion in plan.criteria)


def _judge_one(plan: Plan, criterion: Criterion, risk: Mapping[str, Risk], seen: Seen) -> CriterionResult:
    candidate, baseline = seen.of(criterion.metric), seen.of(criterion.metric, "baseline")
    unseen = seen.why_unseen(criterion.metric)
    if criterion.paired:
        counts = seen.pairs.get(criterion.id)
        return judge_by_pairs(criterion, counts, risk[criterion.id], candidate, baseline, unseen)
    if describe(criterion.metric).leak:
        return judge_by_leak(criterion, seen.memory, plan.judging.alpha, unseen)
    if criterion.history:
        return judge_by_starts(criterion, seen.starts, plan.judging.alpha, candidate, baseline, unseen)
    return judge_criterion(criterion, candidate, baseline, unseen)
