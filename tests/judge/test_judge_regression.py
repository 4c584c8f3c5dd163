"""A failure that the fix must remove was there before and is gone now, or the reading says what is not so."""

from __future__ import annotations

import pytest
from measured import criterion, judged_run, measured, plan_of

from runbook_lib.evidence import Measurement, Role
from runbook_lib.plan.criterion import Criterion
from runbook_lib.verdict import Outcome, RegressionResult

PASS, INCONCLUSIVE, ERROR, FAIL = Outcome
REGRESSION = {"id": "lost", "title": "Lost sessions", "criterion": "one"}


def seen(outcome: Outcome, role: Role) -> list[Measurement]:
    """Return the measurements that give `at most 5` this outcome."""
    values: dict[Outcome, list[tuple[float | None, int]]] = {
        PASS: [(1, 100)], INCONCLUSIVE: [(None, 0)], ERROR: [], FAIL: [(9, 100)]
    }  # fmt: skip
    return [measured("load.failures", *each, role=role) for each in values[outcome]]


def regression(asked: Criterion, found: list[Measurement]) -> RegressionResult:
    (result,) = judged_run(plan_of(asked, regressions=(REGRESSION,)), found, {}).regressions
    return result


@pytest.mark.parametrize(
    ("before", "after", "reading"),
    [
        (FAIL, PASS, "failed before, passes now"),
        (PASS, PASS, "passed before: the fix was not exercised"),
        (INCONCLUSIVE, PASS, "passes now; the baseline was not observed well enough"),
        (ERROR, PASS, "passes now; the baseline was not observed well enough"),
        (FAIL, FAIL, "fails still"),
        (PASS, FAIL, "fails now"),
        (INCONCLUSIVE, FAIL, "fails now"),
        (ERROR, FAIL, "fails now"),
        (FAIL, INCONCLUSIVE, "not proven: the candidate was not observed well enough"),
        (PASS, ERROR, "not proven: the candidate was not observed well enough"),
        (ERROR, ERROR, "not proven: the candidate was not observed well enough"),
    ],
)  # fmt: skip
def test_every_before_and_after_has_its_reading(before: Outcome, after: Outcome, reading: str) -> None:
    result = regression(criterion(at_most=5), seen(before, "baseline") + seen(after, "candidate"))
    assert (result.before, result.after, result.reading) == (before, after, reading)
    assert (result.id, result.title, result.criterion) == ("lost", "Lost sessions", "one")


def test_the_baseline_is_held_against_the_absolute_bound_alone() -> None:
    found = [measured("load.failures", 9, role="baseline"), measured("load.failures", 4)]
    result = regression(criterion(at_most=5, baseline=0), found)
    assert (result.before, result.after) == (FAIL, PASS)


def test_a_bound_relative_to_the_baseline_does_not_spoil_the_absolute_one() -> None:
    found = [measured("load.failures", 4, role="baseline"), measured("load.failures", 4)]
    assert regression(criterion(at_most=5, baseline=0), found).before is PASS


def test_a_bound_relative_to_the_baseline_says_nothing_of_the_baseline_itself() -> None:
    found = [measured("load.failures", 9, role="baseline"), measured("load.failures", 4)]
    result = regression(criterion(baseline=0), found)
    assert (result.before, result.reading) == (
        INCONCLUSIVE, "passes now; the baseline was not observed well enough"
    )  # fmt: skip


def test_a_regression_never_changes_the_action() -> None:
    asked, found = criterion(at_most=5), seen(PASS, "candidate")
    assert judged_run(plan_of(asked), found, {}).action == "PROCEED_TO_PRODUCTION"
    assert judged_run(plan_of(asked, regressions=(REGRESSION,)), found, {}).action == "PROCEED_TO_PRODUCTION"
