"""Share the chance of a wrong ROLLBACK out among the criteria that compare pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from runbook_lib.catalogue import describe
from runbook_lib.judge.paired import PairedFinding
from runbook_lib.plan import Plan
from runbook_lib.verdict import Outcome


@dataclass(frozen=True, kw_only=True)
class Risk:
    """How often one criterion may be wrong.

    Attributes:
        share: Its part of the plan's alpha, 0 to 1.
        alpha: Chance of a wrong FAIL of this criterion, at most.
        pass_alpha: Chance of a wrong PASS of this criterion, at most.
    """

    share: float
    alpha: float
    pass_alpha: float

    def wrong_at_most(self, found: PairedFinding) -> float | None:
        """Return a bound for the chance of evidence like this from the other kind of candidate.

        Of a FAIL, for all criteria together; None while nothing is settled.
        """
        if math.isinf(found.against):
            return 0.0
        if found.outcome is Outcome.FAIL:
            return min(1.0, math.exp(-found.against) / self.share)
        return math.exp(-found.favour) if found.outcome is Outcome.PASS else None


def risks(plan: Plan) -> dict[str, Risk]:
    """Return the risk of each paired criterion, by its id; what may never happen leaves nothing to chance."""
    weights = {
        criterion.id: 0.0 if describe(criterion.metric).paired == "zero" else criterion.paired.weight
        for criterion in plan.criteria
        if criterion.paired
    }
    judging = plan.judging
    return {
        name: Risk(share=part, alpha=judging.alpha * part, pass_alpha=judging.pass_alpha)
        for name, part in zip(weights, shares(list(weights.values())), strict=True)
    }


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
