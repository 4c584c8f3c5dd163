"""The start-up criterion: its bounds always hold, and enough earlier starts make it sharp."""

from __future__ import annotations

from datetime import timedelta
from itertools import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measured import NOON, criterion, measured, plan_of

from runbook_lib.evidence.starts import Start, Starts
from runbook_lib.judge import Seen, judge
from runbook_lib.plan.criterion import HistoryBound
from runbook_lib.verdict import CriterionResult, Outcome

FAIL, INCONCLUSIVE, PASS, ERROR = Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS, Outcome.ERROR
STARTUP = criterion(
    "startup.latency_s", at_most=60, baseline="× 4", history=HistoryBound(at_most_ratio=2), id="startup"
)
PLAN = plan_of(STARTUP)
EARLIER = (1.0, 1.1, 0.9, 1.05, 0.95, 1.2) * 6
TIMES = st.lists(st.integers(5, 80).map(lambda tenths: tenths / 10), min_size=1, max_size=4)


def starts(times_s: list[float] | tuple[float, ...]) -> tuple[Start, ...]:
    return tuple(
        Start(at=NOON + timedelta(minutes=number), revision="r", took_s=took_s)
        for number, took_s in enumerate(times_s)
    )


def judged(
    candidate: list[float], earlier: tuple[float, ...] = EARLIER, baseline: tuple[float, ...] = (1.0,)
) -> CriterionResult:
    """Judge by the median of each side, as Cloud Monitoring's starts are measured, and by all starts."""
    seen = [(candidate, "candidate"), (list(baseline), "baseline")]
    found = tuple(
        measured("startup.latency_s", sorted(of)[len(of) // 2] if of else None, len(of), role=role)  # type: ignore[arg-type]
        for of, role in seen
    )
    known = Starts(
        service="s", candidate=starts(candidate), baseline=starts(baseline), earlier=starts(earlier)
    )
    return judge(PLAN, Seen(measurements=found, starts=known)).criteria[0]


@pytest.mark.parametrize(
    ("candidate", "outcome"),
    [
        ([1.0, 1.1, 1.2], PASS),
        ([1.9, 2.0, 2.1], INCONCLUSIVE),
        ([2.6, 2.7, 2.8], FAIL),
        ([4.5], FAIL),
        ([], INCONCLUSIVE),
    ],
)
def test_starts_are_within_what_is_usual_or_beyond_it_for_sure_or_open(
    candidate: list[float], outcome: Outcome
) -> None:
    assert judged(candidate).outcome is outcome


@pytest.mark.parametrize(("took_s", "outcome"), [(1.999, PASS), (2.0, PASS), (2.001, FAIL)])
def test_without_spread_the_bound_is_sharp(took_s: float, outcome: Outcome) -> None:
    assert judged([took_s] * 3, earlier=tuple(repeat(1.0, 40))).outcome is outcome


def test_a_comparison_that_fails_says_by_how_much_and_how_sure_it_is() -> None:
    result = judged([2.6, 2.7, 2.8])
    assert result.bound == "≤ 60 and ≤ baseline × 4 and ≤ usual start × 2"
    assert result.reason == (
        "starts take 2.67 × the baseline's (2.25 to 3.00; 3 starts against 1 and 36 earlier ones), above 2"
    )
    assert result.effect == pytest.approx(2.7, abs=0.1)
    assert result.effect_unit == "times"
    assert result.interval is not None
    assert result.interval[0] > 2
    assert (result.alpha, result.pass_alpha, result.wrong_at_most) == (0.01, 0.01, 0.01)
    assert result.would_change == "it passes within 2 × the usual starts for sure"
    assert result.needed is None
    assert result.evidence[-1] == "evidence/starts.json"


def test_a_pass_says_both_what_the_bounds_and_what_the_earlier_starts_show() -> None:
    result = judged([1.0, 1.1, 1.2])
    assert result.reason == (
        "1.1 s over 3 sample(s), within the bound;"
        " starts take 1.09 × the baseline's (0.91 to 1.26; 3 starts against 1 and 36 earlier ones), within 2"
    )
    assert result.wrong_at_most == 0.01
    assert result.would_change == "it fails above 4 s"


def test_what_is_open_says_how_many_starts_would_settle_it() -> None:
    result = judged([1.7, 1.8, 1.9])
    assert result.outcome is INCONCLUSIVE
    assert result.needed is not None
    assert result.needed > 3
    assert result.would_change == f"about {result.needed} starts of the candidate would settle it"
    assert result.wrong_at_most is None


def test_too_few_starts_to_tell_leave_it_to_the_bounds_and_are_said() -> None:
    result = judged([3.0], earlier=EARLIER[:5])
    assert (result.outcome, result.alpha, result.interval) == (PASS, None, None)
    assert result.reason == (
        "3 s over 1 sample(s), within the bound; not compared with the usual starts:"
        " 1 start against 1 and 5 earlier ones can never be below p = 0.01: 4 against 6 can"
    )
    assert judged([4.1], earlier=()).outcome is FAIL  # the bounds need no history


def test_a_single_start_can_be_told_from_ninety_nine() -> None:
    many = EARLIER * 3
    assert [judged([3.0], earlier=many[:count]).outcome for count in (97, 98)] == [PASS, FAIL]
    assert judged([3.0], earlier=many, baseline=()).outcome is FAIL  # and without a baseline now


def test_earlier_starts_that_the_baseline_contradicts_are_set_aside() -> None:
    result = judged([3.0, 3.1, 3.2], baseline=(3.0, 3.1, 3.2))
    assert result.outcome is PASS
    assert "earlier starts set aside" in result.reason


def test_bounds_that_are_broken_stay_broken_whatever_earlier_starts_say() -> None:
    slow = judged([61.0] * 3, earlier=tuple(repeat(61.0, 40)), baseline=(61.0,))
    assert slow.outcome is FAIL
    assert slow.reason.startswith("61 is above 60; starts take 1.00 × the baseline's")
    assert slow.wrong_at_most is None
    unseen = judge(PLAN, Seen(measurements=(), unseen={"metrics": "was not run"})).criteria[0]
    assert (unseen.outcome, unseen.reason) == (ERROR, "not observed: was not run")


def test_a_run_that_kept_no_starts_is_judged_by_its_bounds() -> None:
    found = measured("startup.latency_s", 1, 1), measured("startup.latency_s", 1, 1, role="baseline")
    result = judge(PLAN, Seen(measurements=found)).criteria[0]
    assert (result.outcome, result.reason) == (PASS, "1 s over 1 sample(s), within the bound")


@settings(max_examples=60, deadline=None)
@given(TIMES, st.floats(1.01, 4), st.integers(0, len(EARLIER)))
def test_slower_starts_never_improve_the_outcome(times_s: list[float], factor: float, known: int) -> None:
    before = judged(times_s, earlier=EARLIER[:known])
    after = judged([factor * each for each in times_s], earlier=EARLIER[:known])
    assert after.outcome >= before.outcome
