"""Share the chance of a wrong ROLLBACK out among the criteria that compare pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from runbook_lib.judge.multiplicity import shares
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
        if found.outcome is Outcome.FAIL:
            return min(1.0, math.exp(-found.against) / self.share)
        return math.exp(-found.favour) if found.outcome is Outcome.PASS else None


def risks(plan: Plan) -> dict[str, Risk]:
    """Return the risk of each paired criterion, by its id."""
    paired = [(criterion.id, criterion.paired.weight) for criterion in plan.criteria if criterion.paired]
    parts = shares([weight for _, weight in paired])
    judging = plan.judging
    return {
        name: Risk(share=part, alpha=judging.alpha * part, pass_alpha=judging.pass_alpha)
        for (name, _), part in zip(paired, parts, strict=True)
    }
