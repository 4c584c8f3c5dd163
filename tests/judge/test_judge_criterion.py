"""Every kind of criterion at, above and below its bound, with too few samples, with none, and unseen."""

from __future__ import annotations

from typing import Any

import pytest
from measured import BOUNDED, criterion, measured

from runbook_lib.catalogue import describe
from runbook_lib.evidence import Measurement
from runbook_lib.judge.criterion import judge_criterion
from runbook_lib.verdict import Outcome

PASS, INCONCLUSIVE, ERROR, FAIL = Outcome
RATIO = "requests.error_ratio"


def judged(
    asked: Any, candidate: Measurement | None, baseline: Measurement | None = None
) -> tuple[Outcome, str]:
    result = judge_criterion(asked, candidate, baseline, "the step was not run")
    return result.outcome, result.reason


@pytest.mark.parametrize(
    ("bounds", "value", "baseline", "outcome", "reason"),
    [
        ({"at_most": 5}, 4.9, None, PASS, "4.9 sessions over 100 sample(s), within the bound"),
        ({"at_most": 5}, 5, None, PASS, "5 sessions over 100 sample(s), within the bound"),
        ({"at_most": 5}, 5.1, None, FAIL, "5.1 is above 5"),
        ({"at_most": 0}, 0, None, PASS, "0 sessions over 100 sample(s), within the bound"),
        ({"at_most": 0}, 1, None, FAIL, "1 is above 0"),
        ({"at_least": 5}, 5.1, None, PASS, "5.1 sessions over 100 sample(s), within the bound"),
        ({"at_least": 5}, 5, None, PASS, "5 sessions over 100 sample(s), within the bound"),
        ({"at_least": 5}, 4.9, None, FAIL, "4.9 is below 5"),
        ({"at_least": 1, "at_most": 5}, 0.9, None, FAIL, "0.9 is below 1"),
        ({"at_least": 1, "at_most": 5}, 3, None, PASS, "3 sessions over 100 sample(s), within the bound"),
        ({"at_least": 1, "at_most": 5}, 5.1, None, FAIL, "5.1 is above 5"),
        ({"baseline": 2}, 4.9, 3, PASS, "4.9 sessions over 100 sample(s), within the bound"),
        ({"baseline": 2}, 5, 3, PASS, "5 sessions over 100 sample(s), within the bound"),
        ({"baseline": 2}, 5.1, 3, FAIL, "5.1 is above baseline + 2 (baseline 3)"),
        ({"baseline": 0}, 3.1, 3, FAIL, "3.1 is above baseline + 0 (baseline 3)"),
        ({"baseline": 2}, -1, -3, PASS, "-1 sessions over 100 sample(s), within the bound"),
        ({"baseline": 2}, -0.9, -3, FAIL, "-0.9 is above baseline + 2 (baseline -3)"),
        ({"baseline": "× 2"}, 5.9, 3, PASS, "5.9 sessions over 100 sample(s), within the bound"),
        ({"baseline": "× 2"}, 6, 3, PASS, "6 sessions over 100 sample(s), within the bound"),
        ({"baseline": "× 2"}, 6.1, 3, FAIL, "6.1 is above baseline × 2 (baseline 3)"),
        ({"baseline": "× 2"}, 0, 0, PASS, "0 sessions over 100 sample(s), within the bound"),
        ({"baseline": "× 2"}, 0.1, 0, FAIL, "0.1 is above baseline × 2 (baseline 0)"),
        ({"baseline": "× 2"}, -3, -3, INCONCLUSIVE,
         "the baseline -3 is below zero, so a ratio to it says nothing: use at_most_increase"),
        ({"at_most": 5, "baseline": 2}, 5.1, 9, FAIL, "5.1 is above 5"),
        ({"at_most": 5, "baseline": 2}, 4, 1, FAIL, "4 is above baseline + 2 (baseline 1)"),
        ({"at_most": 5, "baseline": 2}, 3, 1, PASS, "3 sessions over 100 sample(s), within the bound"),
        ({"at_most": 5, "baseline": 2}, 3, None, INCONCLUSIVE, "no baseline to compare with"),
        ({"at_most": 5, "baseline": 2}, 6, None, FAIL, "6 is above 5"),
        ({"baseline": 2}, 99, None, INCONCLUSIVE, "no baseline to compare with"),
    ],
)  # fmt: skip
def test_a_bound_holds_up_to_its_own_value_and_not_beyond(
    bounds: dict[str, Any], value: float, baseline: float | None, outcome: Outcome, reason: str
) -> None:
    before = None if baseline is None else measured("load.failures", baseline, role="baseline")
    assert judged(criterion(**bounds), measured("load.failures", value), before) == (outcome, reason)


@pytest.mark.parametrize(
    ("fields", "candidate", "outcome", "reason"),
    [
        pytest.param({"min_samples": 50}, {"samples": 49}, INCONCLUSIVE,
                     "only 49 sample(s), at least 50 are needed", id="one sample too few"),
        pytest.param({"min_samples": 50}, {"samples": 50}, PASS,
                     "0 sessions over 50 sample(s), within the bound", id="just enough samples"),
        pytest.param({"min_samples": 50}, {"samples": 49, "value": 9}, FAIL, "9 is above 5",
                     id="too few samples, and bad"),
        pytest.param({}, {"value": 6, "own": 1}, INCONCLUSIVE,
                     "6 is above 5, but 1 sessions of it may be the observer's own lag", id="our own lag"),
        pytest.param({}, {"value": 6, "own": 0.9}, FAIL, "6 is above 5", id="above even without our own lag"),
        pytest.param({}, {"value": 5, "own": 1}, PASS, "5 sessions over 100 sample(s), within the bound",
                     id="within the bound in spite of our own lag"),
        pytest.param({}, {"value": 6, "own": 1, "failed": 1}, FAIL,
                     "1 attempt(s) ended without a value, at most 0 may", id="our own lag and a failed one"),
        pytest.param({}, {"value": None, "samples": 0}, INCONCLUSIVE, "no data", id="no data"),
        pytest.param({}, {"value": None, "samples": 0, "note": "the log was empty"}, INCONCLUSIVE,
                     "no data: the log was empty", id="no data, with a note"),
        pytest.param({}, {"value": None, "samples": 9}, INCONCLUSIVE, "no data",
                     id="samples without a value"),
        pytest.param({}, {"value": 0, "samples": 0}, INCONCLUSIVE, "no data", id="a value without samples"),
        pytest.param({}, {"value": 9, "samples": 0}, INCONCLUSIVE, "no data",
                     id="a bad value without samples"),
        pytest.param({"must_have_data": True}, {"value": None, "samples": 0}, FAIL, "no data",
                     id="must have data"),
        pytest.param({"must_have_data": True}, {"value": 0, "samples": 0}, FAIL, "no data",
                     id="must have data, a value without samples"),
        pytest.param({"must_have_data": True}, {"samples": 1}, PASS,
                     "0 sessions over 1 sample(s), within the bound", id="must have data, and has"),
        pytest.param({}, {"missing": 1}, INCONCLUSIVE, "1 observation(s) are missing", id="missing"),
        pytest.param({}, {"missing": 2, "note": "test_a skipped"}, INCONCLUSIVE,
                     "2 observation(s) are missing: test_a skipped", id="missing, with a note"),
        pytest.param({}, {"missing": 1, "value": 9}, FAIL, "9 is above 5", id="missing, and bad"),
        pytest.param({}, {"failed": 1}, FAIL, "1 attempt(s) ended without a value, at most 0 may",
                     id="failed"),
        pytest.param({}, {"failed": 3, "value": None, "samples": 0, "note": "refused"}, FAIL,
                     "3 attempt(s) ended without a value, at most 0 may: refused", id="all failed"),
        pytest.param({"failure_limit": 2}, {"failed": 2}, PASS,
                     "0 sessions over 100 sample(s), within the bound", id="failed as often as allowed"),
        pytest.param({"failure_limit": 2}, {"failed": 3}, FAIL,
                     "3 attempt(s) ended without a value, at most 2 may", id="failed once too often"),
        pytest.param({"failure_limit": 2}, {"failed": 2, "value": None, "samples": 0}, INCONCLUSIVE,
                     "no data", id="all failed within the limit"),
        pytest.param({}, {"value": 9, "note": "user-3 got none"}, FAIL, "9 is above 5: user-3 got none",
                     id="bad, with an example"),
    ],
)  # fmt: skip
def test_what_is_known_to_be_bad_comes_first_then_what_is_not_known_and_only_then_a_pass(
    fields: dict[str, Any], candidate: dict[str, Any], outcome: Outcome, reason: str
) -> None:
    seen = measured("load.failures", **{"value": 0, **candidate})
    assert judged(criterion(at_most=5, **fields), seen) == (outcome, reason)


def test_a_criterion_that_was_not_observed_is_an_error_even_where_data_must_be() -> None:
    expected = (ERROR, "not observed: the step was not run")
    assert judged(criterion(at_most=5), None) == expected
    assert judged(criterion(at_most=5, must_have_data=True), None, measured("load.failures", 0)) == expected


@pytest.mark.parametrize(
    ("baseline", "reason"),
    [
        ({"value": None, "samples": 0}, "no baseline to compare with"),
        ({"value": None, "samples": 0, "note": "the first"}, "no baseline to compare with: the first"),
        ({"value": 3, "samples": 0}, "no baseline to compare with"),
    ],
)  # fmt: skip
def test_a_baseline_without_data_is_none(baseline: dict[str, Any], reason: str) -> None:
    before = measured("load.failures", role="baseline", **baseline)
    for value in (0, 99):
        found = judged(criterion(baseline=2), measured("load.failures", value), before)
        assert found == (INCONCLUSIVE, reason)


@pytest.mark.parametrize(
    ("metric", "bounds", "value", "words"),
    [
        (RATIO, {"at_most": 0.05}, 0.0125, "1.25 %"),
        (RATIO, {"at_most": 0.05}, 0, "0 %"),
        ("deploy.ready", {"at_least": 1}, 1, "ready"),
        ("deploy.ready", {"at_least": 0}, 0, "not ready"),
    ],
)
def test_a_share_and_a_state_are_said_in_words(
    metric: str, bounds: dict[str, Any], value: float, words: str
) -> None:
    reason = f"{words} over 100 sample(s), within the bound"
    assert judged(criterion(metric, **bounds), measured(metric, value)) == (PASS, reason)


@pytest.mark.parametrize("metric", BOUNDED)
def test_every_metric_of_the_catalogue_can_be_judged(metric: str) -> None:
    asked = criterion(metric, at_most=1, min_samples=3)
    assert judged(asked, measured(metric, 1))[0] is PASS
    assert judged(asked, measured(metric, 1.01))[0] is FAIL
    assert judged(asked, measured(metric, 1, samples=2))[0] is INCONCLUSIVE
    assert judged(asked, measured(metric, None, samples=0))[0] is INCONCLUSIVE
    assert judged(asked, None)[0] is ERROR


def test_a_result_has_all_that_a_reader_needs_to_check_it() -> None:
    asked = criterion(
        RATIO, id="errors", title="Errors", group="deployment", at_most=0.05, at_least=0, baseline=0.01,
        critical=False,
    )  # fmt: skip
    seen = measured(RATIO, 0.03, samples=400, evidence=("evidence/series.parquet",))
    result = judge_criterion(asked, seen, measured(RATIO, 0.01, role="baseline"), "")
    assert (result.id, result.title, result.group) == ("errors", "Errors", "deployment")
    assert not result.critical
    assert (result.metric, result.unit, result.cell) == (RATIO, "ratio", describe(RATIO).cell)
    assert result.bound == "≥ 0 and ≤ 0.05 and ≤ baseline + 0.01"
    assert (result.observed, result.baseline, result.samples) == (0.03, 0.01, 400)
    assert result.effect == pytest.approx(0.02)
    assert result.evidence == ("evidence/series.parquet",)
    assert (result.outcome, result.reason) == (FAIL, "0.03 is above baseline + 0.01 (baseline 0.01)")


def test_a_result_without_data_has_none_rather_than_zero() -> None:
    result = judge_criterion(criterion(baseline="× 1.5"), None, None, "why")
    assert (result.observed, result.baseline, result.effect, result.samples) == (None, None, None, 0)
    assert result.bound == "≤ baseline × 1.5"
