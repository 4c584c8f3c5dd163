"""Say, after each look, whether more pairs of sessions could still change the verdict."""

from __future__ import annotations

from collections.abc import Mapping

from runbook_lib.evidence.pairs import PairCounts
from runbook_lib.judge.by_pairs import spec_of
from runbook_lib.judge.paired import weighed
from runbook_lib.judge.risk import risks
from runbook_lib.plan import Plan
from runbook_lib.verdict import Outcome


def settled(plan: Plan, pairs: Mapping[str, PairCounts]) -> bool:
    """Say whether a critical paired criterion has failed, or none is open any more."""
    risk = risks(plan)
    outcomes = {
        criterion: weighed(spec_of(criterion), pairs[criterion.id]).outcome(
            risk[criterion.id].alpha, risk[criterion.id].pass_alpha
        )
        for criterion in plan.criteria
        if criterion.paired
    }
    failed = any(criterion.critical and outcome is Outcome.FAIL for criterion, outcome in outcomes.items())
    return failed or Outcome.INCONCLUSIVE not in outcomes.values()
