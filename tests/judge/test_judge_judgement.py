"""The criteria together give one action, the criterion that decided it, and a sentence that says so."""

from __future__ import annotations

import pytest
from measured import criterion, judged_run, measured, plan_of

from runbook_lib.evidence import Measurement
from runbook_lib.judge import Judgement
from runbook_lib.judge.bounds import headroom
from runbook_lib.judge.judgement import overall
from runbook_lib.plan.criterion import Criterion
from runbook_lib.verdict import Outcome

PASS, INCONCLUSIVE, ERROR, FAIL = Outcome
METRICS = ("load.failures", "session.conflicts", "isolation.leaks")
PROCEED = "PROCEED_TO_PRODUCTION"


def case(number: int, outcome: Outcome, critical: bool) -> tuple[Criterion, list[Measurement]]:
    """Return a criterion and the measurements that give it this outcome."""
    metric = METRICS[number]
    asked = criterion(metric, id=f"c{number}", title=f"Title {number}", at_most=5, critical=critical)
    seen = {
        PASS: [measured(metric, 1)],
        INCONCLUSIVE: [measured(metric, None, 0)],
        ERROR: [],
        FAIL: [measured(metric, 9)],
    }
    return asked, seen[outcome]


def judged(*cases: tuple[Outcome, bool]) -> Judgement:
    """Judge one criterion for each pair of outcome and critical."""
    made = [case(number, *each) for number, each in enumerate(cases)]
    found = [each for _, seen in made for each in seen]
    return judged_run(
        plan_of(*(asked for asked, _ in made)), found, {"probes": "it crashed", "metrics": "it crashed"}
    )


@pytest.mark.parametrize(
    ("cases", "action", "confidence", "deciding"),
    [
        ([(PASS, True)], PROCEED, "HIGH", "c0"),
        ([(PASS, True), (PASS, False)], PROCEED, "HIGH", "c0"),
        ([(FAIL, True)], "ROLLBACK", "HIGH", "c0"),
        ([(PASS, True), (FAIL, True)], "ROLLBACK", "HIGH", "c1"),
        ([(PASS, True), (FAIL, True), (FAIL, True)], "ROLLBACK", "HIGH", "c1"),
        ([(INCONCLUSIVE, True), (FAIL, True)], "ROLLBACK", "MEDIUM", "c1"),
        ([(ERROR, False), (FAIL, True)], "ROLLBACK", "MEDIUM", "c1"),
        ([(FAIL, False), (FAIL, True)], "ROLLBACK", "HIGH", "c1"),
        ([(INCONCLUSIVE, True), (PASS, True)], "INVESTIGATE", "LOW", "c0"),
        ([(PASS, True), (ERROR, True)], "INVESTIGATE", "LOW", "c1"),
        ([(INCONCLUSIVE, True), (ERROR, True)], "INVESTIGATE", "LOW", "c1"),
        ([(FAIL, False), (INCONCLUSIVE, True)], "INVESTIGATE", "LOW", "c1"),
        ([(PASS, True), (FAIL, False)], "INVESTIGATE", "LOW", "c1"),
        ([(PASS, True), (ERROR, False)], "INVESTIGATE", "LOW", "c1"),
        ([(PASS, True), (ERROR, False), (FAIL, False)], "INVESTIGATE", "LOW", "c2"),
        ([(PASS, True), (INCONCLUSIVE, False)], PROCEED, "MEDIUM", "c0"),
        ([(INCONCLUSIVE, False), (PASS, True), (PASS, False)], PROCEED, "MEDIUM", "c1"),
    ],
)  # fmt: skip
def test_the_action_follows_from_the_worst_outcome_and_from_what_is_critical(
    cases: list[tuple[Outcome, bool]], action: str, confidence: str, deciding: str
) -> None:
    result = judged(*cases)
    assert (result.action, result.confidence, result.deciding) == (action, confidence, deciding)
    assert tuple(each.outcome for each in result.criteria) == tuple(outcome for outcome, _ in cases)


@pytest.mark.parametrize(
    ("cases", "summary"),
    [
        ([(PASS, True), (FAIL, True)], "Title 1: FAIL, 9 is above 5"),
        ([(PASS, True), (INCONCLUSIVE, True)], "Title 1: INCONCLUSIVE, no data"),
        ([(ERROR, True)], "Title 0: ERROR, not observed: it crashed"),
        ([(PASS, True), (PASS, True)],
         "2 of 2 criteria pass; nearest to its bound: Title 0 "
         "(1 sessions over 100 sample(s), within the bound)"),
        ([(INCONCLUSIVE, False), (PASS, True)],
         "1 of 2 criteria pass; nearest to its bound: Title 1 "
         "(1 sessions over 100 sample(s), within the bound)"),
    ],
)  # fmt: skip
def test_the_summary_says_what_decided_and_why(cases: list[tuple[Outcome, bool]], summary: str) -> None:
    assert judged(*cases).summary == summary


def test_the_reason_of_a_step_that_left_nothing_is_given_or_said_to_be_unknown() -> None:
    plan = plan_of(criterion("isolation.leaks", at_most=0))
    assert judged_run(plan, [], {"probes": "the emulator died"}).criteria[0].reason == (
        "not observed: the emulator died"
    )
    assert judged_run(plan, [], {}).criteria[0].reason == (
        "not observed: the step probes left no evidence of isolation.leaks"
    )


def test_what_was_measured_on_the_baseline_is_never_taken_for_the_candidate() -> None:
    plan = plan_of(criterion("load.failures", at_most=5))
    result = judged_run(plan, [measured("load.failures", 0, role="baseline")], {})
    assert (result.action, result.criteria[0].outcome) == ("INVESTIGATE", ERROR)


def test_of_passed_criteria_the_critical_one_nearest_to_its_bound_decides() -> None:
    plan = plan_of(
        criterion("load.failures", id="far", at_most=10),
        criterion("load.answer_max_s", id="near", at_most=60),
        criterion("load.connect_max_s", id="nearest-but-not-critical", at_most=30, critical=False),
        criterion("deploy.ready", id="no-room-to-speak-of", at_least=1),
    )
    found = [
        measured("load.failures", 1), measured("load.answer_max_s", 54), measured("load.connect_max_s", 29.9),
        measured("deploy.ready", 1),
    ]  # fmt: skip
    assert judged_run(plan, found, {}).deciding == "near"


@pytest.mark.parametrize(
    ("bounds", "value", "baseline", "room"),
    [
        ({"at_most": 10}, 9, None, 0.1),
        ({"at_most": 10}, 10, None, 0),
        ({"at_most": 10, "baseline": 2}, 3, 2, 0.25),
        ({"at_most": 10, "baseline": "× 4"}, 9, 3, 0.1),
        ({"at_most": 10, "baseline": 2}, 5, None, 0.5),
        ({"at_most": 0}, 0, None, None),
        ({"at_least": 1}, 5, None, None),
        ({"baseline": "× 2"}, -4, -3, None),
    ],
)  # fmt: skip
def test_the_headroom_is_the_share_of_the_tightest_upper_bound_that_is_left(
    bounds: dict[str, float], value: float, baseline: float | None, room: float | None
) -> None:
    found = headroom(criterion(**bounds), value, baseline)
    assert found == (None if room is None else pytest.approx(room))


def test_the_worst_outcome_stands_for_all() -> None:
    assert overall([PASS, PASS]) is PASS
    assert overall([PASS, INCONCLUSIVE]) is INCONCLUSIVE
    assert overall([ERROR, INCONCLUSIVE, PASS]) is ERROR
    assert overall([ERROR, FAIL, PASS]) is FAIL


def test_an_empty_run_has_no_outcome() -> None:
    with pytest.raises(ValueError, match="empty"):
        overall([])


def test_what_would_change_a_rollback_counts_the_critical_failures_alone() -> None:
    others = [(FAIL, True), (FAIL, False), (INCONCLUSIVE, True)]
    assert judged(*others).would_change == "Title 0: it passes at 5 sessions or below"
    assert judged((FAIL, True), (FAIL, True), (FAIL, False)).would_change == (
        "Title 0: it passes at 5 sessions or below; 1 other criteria stand in the way likewise"
    )
    assert judged((INCONCLUSIVE, True), (FAIL, False), (PASS, True)).would_change.endswith(
        "; 1 other criteria stand in the way likewise"
    )


def test_nearest_to_its_bound_is_what_leaves_the_least_of_it_the_baselines_too() -> None:
    plan = plan_of(
        criterion("load.failures", id="far", at_most=100),
        criterion("session.conflicts", id="near", at_most=100, baseline=2),
        criterion("deploy.ready", id="none", at_least=1),
    )
    found = [
        measured("load.failures", 50), measured("session.conflicts", 4),
        measured("session.conflicts", 3, role="baseline"), measured("deploy.ready", 1),
    ]  # fmt: skip
    assert judged_run(plan, found).deciding == "near"


def test_of_criteria_that_leave_as_much_room_the_first_one_decides() -> None:
    plan = plan_of(
        criterion("deploy.ready", id="up", at_least=1), criterion("load.failures", id="no", at_most=9)
    )
    found = [measured("deploy.ready", 1), measured("load.failures", 0)]
    assert judged_run(plan, found).deciding == "up"


def test_a_bound_below_one_leaves_room_too() -> None:
    assert headroom(criterion("requests.error_ratio", at_most=0.5), 0.1, None) == pytest.approx(0.8)
