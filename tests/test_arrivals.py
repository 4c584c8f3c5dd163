"""When sessions arrive: the rate that was asked for, in every shape, and never beyond budget and time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from pydantic import ValidationError

from runbook_lib.arrivals import arrivals
from runbook_lib.plan.load import Load, Stage


def starts(**section: object) -> list[float]:
    return [each.at_s for each in arrivals(Load.model_validate({"sessions": 100_000} | section))]


def between(starts_s: list[float], first_s: float, last_s: float) -> int:
    return sum(first_s <= start_s < last_s for start_s in starts_s)


def stages(*each: tuple[float, float]) -> tuple[Stage, ...]:
    return tuple(Stage(duration_s=duration_s, rate_per_s=rate_per_s) for duration_s, rate_per_s in each)


def test_a_load_without_stages_holds_its_rate_and_makes_all_its_sessions() -> None:
    seen = starts(sessions=5000, rate_per_s=50)
    assert len(seen) == 5000
    assert 95 < seen[-1] < 105


def test_a_ramp_is_a_straight_line_from_one_rate_to_the_next() -> None:
    seen = starts(rate_per_s=20, stages=stages((100, 100)))
    assert between(seen, 0, 50) == pytest.approx(2000, rel=0.1)
    assert between(seen, 50, 100) == pytest.approx(4000, rel=0.1)
    assert seen[-1] < 100


def test_a_spike_jumps_and_returns() -> None:
    seen = starts(rate_per_s=10, stages=stages((20, 10), (0, 500), (2, 500), (0, 10), (20, 10)))
    assert between(seen, 0, 20) == pytest.approx(200, rel=0.25)
    assert between(seen, 20, 22) == pytest.approx(1000, rel=0.15)
    assert between(seen, 22, 42) == pytest.approx(200, rel=0.25)
    assert seen[-1] < 42


def test_a_pause_has_no_arrivals_and_what_follows_has() -> None:
    seen = starts(rate_per_s=50, stages=stages((2, 50), (0, 0), (5, 0), (0, 50), (2, 50)))
    assert between(seen, 2, 7) == 0
    assert between(seen, 7, 9) > 50


def test_a_load_with_stages_makes_no_more_than_its_budget() -> None:
    assert len(starts(sessions=30, rate_per_s=50, stages=stages((10, 50)))) == 30


def test_the_numbers_of_arrivals_vary_as_those_of_a_poisson_process() -> None:
    seen = starts(sessions=40_000, rate_per_s=100)
    gaps = [later - earlier for earlier, later in pairwise(seen)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert spread / mean == pytest.approx(1, abs=0.03)  # of an exponential distribution it is 1


def test_the_second_of_a_pair_follows_closely_where_the_rate_is_high_and_within_seconds_elsewhere() -> None:
    gaps = [each.gap_s for each in arrivals(Load(sessions=10_000, rate_per_s=0.01, stages=stages((10, 200))))]
    assert gaps[0] <= 5
    assert gaps[-1] == pytest.approx(1 / 400, rel=0.1)


def test_a_load_that_would_last_longer_than_a_day_is_no_plan() -> None:
    with pytest.raises(ValidationError, match=r"would take 100,000 s: it may last 86,400 s at most"):
        Load(sessions=100_000, rate_per_s=1)
