"""Start-up times: three are not thirty, and slower is said only when it is sure."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.judge.startup import StartFinding, StartSamples, judge_startup
from runbook_lib.verdict import Outcome

FAIL, INCONCLUSIVE, PASS = Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS
QUICK = settings(max_examples=60, deadline=None)
BASELINE = (1.0, 1.1, 1.2, 0.9, 1.05)
TIMES = st.lists(st.integers(1, 40).map(lambda tenths: tenths / 10), min_size=0, max_size=8).map(tuple)
SAMPLES = st.builds(StartSamples, candidate_s=TIMES, baseline_s=TIMES)


def judged(
    candidate: tuple[float, ...],
    baseline: tuple[float, ...] = BASELINE,
    history: tuple[float, ...] = (),
    at_most_ratio: float = 1.25,
) -> StartFinding:
    starts = StartSamples(candidate_s=candidate, baseline_s=baseline, history_s=history)
    return judge_startup(starts, at_most_ratio=at_most_ratio, alpha=0.01)


def times(factor: float, samples: tuple[float, ...] = BASELINE) -> tuple[float, ...]:
    return tuple(factor * each for each in samples)


def test_five_starts_twice_as_slow_as_five_fail_with_the_ratio() -> None:
    found = judged(times(2))
    assert (found.outcome, found.samples, found.starts_needed) == (FAIL, 5, None)
    assert found.ratio == pytest.approx(2, rel=0.1)
    assert found.interval
    assert 1.25 < found.interval[0] < 2 < found.interval[1]
    assert found.reason == "starts take 2.00 × the baseline's (1.64 to 2.44; 5 starts against 5), above 1.25"


def test_five_starts_like_five_pass_a_bound_that_leaves_room_for_their_spread() -> None:
    assert judged(BASELINE, at_most_ratio=1.5).outcome is PASS
    found = judged(BASELINE, at_most_ratio=1.1)
    assert found.outcome is INCONCLUSIVE
    assert found.starts_needed
    assert found.starts_needed > 5
    assert found.reason.endswith(
        f"cannot tell from 1.1 yet; about {found.starts_needed} starts would settle it"
    )


def test_half_the_distance_takes_four_times_the_starts() -> None:
    seen = judged(BASELINE)
    assert seen.interval
    bounds = (seen.interval[1] * 0.9999, seen.interval[1] ** 0.5001, seen.interval[0] ** 0.5001)
    assert [judged(BASELINE, at_most_ratio=bound).starts_needed for bound in bounds] == [6, 20, 20]
    assert judged(BASELINE, at_most_ratio=1.0).starts_needed is None  # where the estimate itself is


@pytest.mark.parametrize("bound", [1.7, 1.9, 2.1, 2.3])
def test_the_starts_that_would_settle_it_bring_the_nearer_end_of_the_interval_to_the_bound(
    bound: float,
) -> None:
    found = judged((1.9, 2.0, 2.05, 2.1, 2.6), at_most_ratio=bound)  # more room above than below
    assert found.ratio
    assert found.interval
    low, middle, high = (math.log(each) for each in (found.interval[0], found.ratio, found.interval[1]))
    reach = high - middle if middle < math.log(bound) else middle - low
    expected = math.ceil(5 * (reach / abs(math.log(bound) - middle)) ** 2)
    assert (found.outcome, found.starts_needed) == (INCONCLUSIVE, expected)


def test_where_nothing_would_settle_it_nothing_is_promised() -> None:
    found = judged(BASELINE, at_most_ratio=1.0)
    assert found.reason.endswith("; 5 starts against 5): cannot tell from 1 yet")


@pytest.mark.parametrize(
    ("alpha", "theirs", "fewest"), [(0.5, 1, 1), (0.1, 9, 1), (0.0999, 9, 2), (1e-40, 3, 50)]
)
def test_the_fewest_starts_that_can_tell_are_those_of_which_one_order_is_rare_enough(
    alpha: float, theirs: int, fewest: int
) -> None:
    starts = StartSamples(candidate_s=(), baseline_s=(1.0,) * theirs)
    assert judge_startup(starts, at_most_ratio=1.25, alpha=alpha).starts_needed == fewest


def test_too_few_starts_are_counted() -> None:
    assert judged((9.0, 9.1, 9.2), (1.0,)).samples == 3


def test_earlier_starts_are_set_aside_only_where_all_of_them_differ_for_sure() -> None:
    history = tuple(1 + each / 100 for each in range(40))
    inside, at_the_end, beyond = (
        judged((1.2,) * 3, (present,), history).reason for present in (1.2, 1.39, 1.5)
    )
    assert "40 earlier ones" in inside
    assert "40 earlier ones" in at_the_end  # it is as slow as the slowest, no slower
    assert "set aside" in beyond
    assert "set aside" in judged((1.2,) * 3, (0.9,), history).reason


def test_of_very_many_starts_the_newest_count() -> None:
    assert judged((*times(9) * 12, *BASELINE * 10), BASELINE * 2, at_most_ratio=1.5).outcome is PASS


@pytest.mark.parametrize(("factor", "outcome"), [(1.2499, PASS), (1.2501, FAIL), (1.0, PASS), (0.5, PASS)])
def test_without_spread_the_bound_is_sharp(factor: float, outcome: Outcome) -> None:
    assert judged(times(factor, (1.0,) * 5), (1.0,) * 5).outcome is outcome


def test_three_against_three_can_never_tell_and_it_is_said_how_many_could() -> None:
    found = judged((9.0, 9.1, 9.2), (1.0, 1.1, 1.2))
    assert (found.outcome, found.ratio, found.interval) == (INCONCLUSIVE, None, None)
    assert found.starts_needed == 5
    assert found.reason == "3 starts against 3 can never be below p = 0.01: 5 against 5 can"


def test_three_can_tell_against_thirty_of_earlier_runs() -> None:
    history = times(1, BASELINE * 6)
    assert judged((2.0, 2.1, 2.2), (1.0, 1.1, 1.2), history).outcome is FAIL
    assert judged((1.0, 1.1, 1.2), (1.0, 1.1, 1.2), history, at_most_ratio=1.5).outcome is PASS
    assert judged((9.0,), (1.0,), history).reason == (
        "1 start against 1 and 30 earlier ones can never be below p = 0.01: 2 against 31 can"
    )


def test_earlier_starts_on_a_faster_machine_are_set_aside() -> None:
    found = judged((2.0, 2.1, 2.2), (2.0, 2.1, 2.2), times(1, BASELINE * 6))
    assert found.outcome is INCONCLUSIVE
    assert found.reason == (
        "3 starts against 3 (earlier starts set aside: the baseline's own now differ from them)"
        " can never be below p = 0.01: 5 against 5 can"
    )


@pytest.mark.parametrize(
    ("candidate", "baseline", "counts", "fewest"),
    [
        ((), BASELINE, "0 starts against 5", 4),
        (BASELINE, (), "5 starts against 0", 5),
        ((), (), "0 starts against 0", 5),
    ],
)
def test_no_starts_say_nothing(
    candidate: tuple[float, ...], baseline: tuple[float, ...], counts: str, fewest: int
) -> None:
    found = judged(candidate, baseline)
    assert (found.outcome, found.ratio) == (INCONCLUSIVE, None)
    assert found.reason == f"{counts} say nothing: {fewest} against 5 can"


def test_earlier_starts_stand_in_for_a_baseline_that_was_not_started_now() -> None:
    assert judged(times(2), (), BASELINE * 2).outcome is FAIL


def test_a_start_that_took_no_time_is_no_start() -> None:
    with pytest.raises(ValueError, match="a start-up took 0 s: it must be above 0"):
        judged((0.0, 1.0))


def test_false_alarms_of_equal_starts_stay_within_alpha_with_ties_too() -> None:
    chance = np.random.default_rng(7)
    alarms = 0
    for _ in range(1000):
        drawn = np.round(np.exp(0.2 * chance.standard_normal(11)), 1)
        alarms += judged(tuple(drawn[:5]), tuple(drawn[5:]), at_most_ratio=1.0).outcome is FAIL
    assert alarms <= 20  # 1 % expected at most; 20 of 1,000 is beyond its 99.9 %


@QUICK
@given(SAMPLES, st.floats(1.01, 3))
def test_slower_starts_never_improve_the_outcome(starts: StartSamples, factor: float) -> None:
    before = judged(starts.candidate_s, starts.baseline_s)
    after = judged(times(factor, starts.candidate_s), starts.baseline_s)
    assert after.outcome >= before.outcome


@QUICK
@given(SAMPLES, st.floats(0.1, 10))
def test_another_unit_of_time_changes_nothing(starts: StartSamples, factor: float) -> None:
    before = judged(starts.candidate_s, starts.baseline_s, at_most_ratio=1.23)
    after = judged(times(factor, starts.candidate_s), times(factor, starts.baseline_s), at_most_ratio=1.23)
    assert after.outcome is before.outcome
    assert after.ratio == (before.ratio and pytest.approx(before.ratio))


@QUICK
@given(SAMPLES)
def test_few_starts_never_pass_or_fail(starts: StartSamples) -> None:
    found = judged(starts.candidate_s, starts.baseline_s)
    assert found.outcome is INCONCLUSIVE or min(len(starts.candidate_s), len(starts.baseline_s)) >= 2
