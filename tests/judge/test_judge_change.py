"""What would change an outcome, and what a look could have overlooked, in words and figures."""

from __future__ import annotations

from typing import Any

import pytest
from measured import criterion, judged_run, measured, plan_of

from runbook_lib.judge.criterion import judge_criterion
from runbook_lib.verdict import CriterionResult


def judged(
    bounds: dict[str, Any], found: dict[str, Any] | None, before: float | None = None
) -> CriterionResult:
    candidate = measured("load.failures", **{"value": 0, **found}) if found is not None else None
    baseline = None if before is None else measured("load.failures", before, role="baseline")
    return judge_criterion(criterion(**bounds), candidate, baseline, "the step was not run")


@pytest.mark.parametrize(
    ("bounds", "found", "before", "sentence"),
    [
        ({"at_most": 5}, {}, None, "it fails above 5 sessions"),
        ({"at_most": 5, "baseline": 2}, {}, 1, "it fails above 3 sessions"),
        ({"at_most": 5, "baseline": 2}, {}, 9, "it fails above 5 sessions"),
        ({"at_least": 0, "at_most": 5}, {}, None, "it fails below 0 sessions or above 5 sessions"),
        ({"at_most": 5}, {"value": 6}, None, "it passes at 5 sessions or below"),
        ({"at_least": 1}, {}, None, "it passes at 1 sessions or above"),
        ({"at_most": 5, "baseline": 2}, {"value": 6}, 1, "it passes at 3 sessions or below"),
        ({"at_least": 1, "at_most": 5}, {"value": 6}, None,
         "it passes at 1 sessions or above and at 5 sessions or below"),
        ({"at_most": 5, "min_samples": 7}, {"samples": 7, "missing": 1}, None,
         "the 1 missing observation(s) have to be made"),
        ({"at_most": 5}, {"failed": 1}, None, "it passes with at most 0 attempt(s) that end without a value"),
        ({"at_most": 5, "min_samples": 7}, {"samples": 3}, None,
         "4 more sample(s) within the bound make it pass"),
        ({"at_most": 5, "must_have_data": True}, {"value": None, "samples": 0}, None,
         "1 more sample(s) within the bound make it pass"),
        ({"at_most": 5}, {"missing": 2}, None, "the 2 missing observation(s) have to be made"),
        ({"baseline": 2}, {}, None, "a baseline to compare with has to be observed"),
        ({"at_most": 5}, {"value": 6, "own": 2}, None, "a look without lag of our own has to be made"),
        ({"at_most": 5}, None, None, "the step metrics has to come to its end"),
    ],
)  # fmt: skip
def test_each_outcome_says_what_would_make_it_another(
    bounds: dict[str, Any], found: dict[str, Any] | None, before: float | None, sentence: str
) -> None:
    assert judged(bounds, found, before).would_change == sentence


def test_a_count_that_may_be_none_says_which_rate_it_could_not_have_overlooked() -> None:
    rate = judged({"at_most": 0}, {"samples": 59}).detectable
    assert rate == pytest.approx(0.0495, abs=1e-4)
    assert (1 - rate) ** 59 == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("bounds", "found"),
    [({"at_most": 1}, {}), ({"at_most": 0}, {"value": None, "samples": 0}), ({"at_most": 0}, None)],
)
def test_where_some_may_be_bad_or_nothing_was_seen_no_rate_is_claimed(
    bounds: dict[str, Any], found: dict[str, Any] | None
) -> None:
    assert judged(bounds, found).detectable is None


def test_what_lacks_samples_says_how_many() -> None:
    assert judged({"at_most": 0, "min_samples": 30}, {"samples": 12}).needed == 18
    assert judged({"at_most": 0, "min_samples": 30}, {"samples": 30}).needed is None
    assert judged({"at_most": 0, "min_samples": 30}, {"samples": 12, "value": 1}).needed is None


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ((0, 0), "nearest to a failure is One: it fails above 0 sessions"),
        ((1, 0), "One: it passes at 0 sessions or below"),
        ((1, 1), "One: it passes at 0 sessions or below; 1 other criteria stand in the way likewise"),
        ((None, 0), "One: 1 more sample(s) within the bound make it pass"),
    ],
)
def test_the_verdict_says_what_would_make_it_another(values: tuple[float | None, ...], sentence: str) -> None:
    metrics = ("load.failures", "golden_path.failures")
    plan = plan_of(criterion(metrics[0], at_most=0), criterion(metrics[1], at_most=0, id="two", title="Two"))
    found = [
        measured(metric, value, samples=0 if value is None else 9)
        for metric, value in zip(metrics, values, strict=True)
    ]
    assert judged_run(plan, found, {}).would_change == sentence
