"""Say of each failure that the fix must remove whether it was there before and is gone now."""

from __future__ import annotations

from runbook_lib.evidence import Measurement
from runbook_lib.judge.criterion import find
from runbook_lib.plan import Regression
from runbook_lib.plan.criterion import Criterion
from runbook_lib.verdict import Outcome, RegressionResult


def judge_regression(
    regression: Regression, criterion: Criterion, baseline: Measurement | None, after: Outcome
) -> RegressionResult:
    """Hold the baseline against the criterion's absolute bound, and compare with the candidate's outcome."""
    before = _before(criterion, baseline)
    return RegressionResult(
        id=regression.id,
        title=regression.title,
        criterion=criterion.id,
        before=before,
        after=after,
        reading=_reading(before, after),
    )


def _before(criterion: Criterion, baseline: Measurement | None) -> Outcome:
    """Return the baseline's outcome; a bound that is relative to the baseline says nothing of itself."""
    if criterion.at_most is None and criterion.at_least is None:
        return Outcome.INCONCLUSIVE
    alone = criterion.model_copy(update={"baseline": None})
    return find(alone, baseline, None, unseen="").outcome


def _reading(before: Outcome, after: Outcome) -> str:
    if after is Outcome.FAIL:
        return "fails still" if before is Outcome.FAIL else "fails now"
    if after is not Outcome.PASS:
        return "not proven: the candidate was not observed well enough"
    if before is Outcome.FAIL:
        return "failed before, passes now"
    if before is Outcome.PASS:
        return "passed before: the fix was not exercised"
    return "passes now; the baseline was not observed well enough"
