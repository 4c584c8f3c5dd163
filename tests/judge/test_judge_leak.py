"""Leaks by the minute and by the session: found, ruled out, or named as not yet known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from memory import pair, points, revision

from runbook_lib.judge.floors import MemoryPoint, floor_trend
from runbook_lib.judge.leak import LeakFinding, LeakSeries, LeakSpec, judge_leak
from runbook_lib.verdict import Outcome

BY_MINUTE = LeakSpec(per="minute", at_most=0.1)
BY_SESSION = LeakSpec(per="session", at_most=4)
FAIL, INCONCLUSIVE, PASS = Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS


def judged(series: LeakSeries, spec: LeakSpec = BY_MINUTE) -> LeakFinding:
    """Judge as a run does: 1 % over six looks."""
    return judge_leak(spec, series, looks=6, alpha=0.01)


def level(candidate: float, baseline: float, samples: int = 200) -> LeakSeries:
    """Return two straight lines that rise by so many MiB a minute or a session."""
    at = np.linspace(0, 30, samples)
    return LeakSeries(candidate=points(at, 200 + candidate * at), baseline=points(at, 180 + baseline * at))


@pytest.mark.parametrize("cycle_min", [0.4, 1.0, 2.0])
def test_half_a_mib_a_minute_is_found_in_half_an_hour_below_a_sawtooth(cycle_min: float) -> None:
    found = judged(pair(30, 0.5, cycle_min=cycle_min))
    assert found.outcome is FAIL
    assert found.interval
    assert found.slope == pytest.approx(0.5, abs=0.15)
    assert 0.1 < found.interval[0] < 0.5 < found.interval[1]
    assert found.still_needed is None
    assert found.reason.startswith("memory grows 0.")
    assert found.reason.endswith(", above 0.1")


@pytest.mark.parametrize("seed", range(6))
def test_no_leak_is_no_leak_however_memory_moves(seed: int) -> None:
    moves = {
        "level": pair(30, 0, seed=seed),
        "a warm-up": pair(30, 0, seed=seed, extra=lambda at: 30 * (1 - math.exp(-at / 2))),
        "shared load": pair(30, 0, seed=seed, extra=lambda at: 2 * at + 20 * math.sin(at / 4)),
        "slow teeth": pair(30, 0, seed=seed, cycle_min=8),
        "unlike teeth": LeakSeries(
            candidate=revision(30, seed=seed, cycle_min=3),
            baseline=revision(30, seed=seed + 50, cycle_min=0.4),
        ),
    }
    assert [name for name, series in moves.items() if judged(series).outcome is FAIL] == []


def test_one_tooth_of_a_slow_collector_is_not_yet_a_leak_and_more_time_is_asked_for() -> None:
    found = judged(pair(30, 0.5, cycle_min=12))
    assert found.outcome is INCONCLUSIVE
    assert found.still_needed
    assert found.smallest_seen
    assert found.smallest_seen > 0.5
    assert f"only a leak of {found.smallest_seen:.2g} would show" in found.reason
    assert f"about {math.ceil(found.still_needed)} more minutes would settle it" in found.reason


def test_no_leak_passes_once_the_bound_can_be_ruled_out_and_not_before() -> None:
    short, long = judged(pair(10, 0)), judged(pair(90, 0))
    assert (short.outcome, long.outcome) == (INCONCLUSIVE, PASS)
    assert long.interval
    assert long.interval[1] <= 0.1
    assert long.reason.endswith(", within 0.1")


def test_a_leak_that_the_baseline_has_as_well_is_not_the_candidates() -> None:
    assert judged(level(0.5, 0.5)).outcome is PASS


@pytest.mark.parametrize(
    ("leak", "outcome"),
    [(0.099, PASS), (0.101, FAIL), (0.0, PASS), (-0.5, PASS)],
)
def test_without_noise_the_bound_is_sharp(leak: float, outcome: Outcome) -> None:
    assert judged(level(0.25 + leak, 0.25)).outcome is outcome


def test_a_leak_of_exactly_the_bound_is_allowed() -> None:
    seen = judged(pair(30, 0.5))
    assert seen.interval
    bounds = (seen.interval[0], math.nextafter(seen.interval[0], 0))
    at, below = (judged(pair(30, 0.5), LeakSpec(per="minute", at_most=bound)).outcome for bound in bounds)
    assert (at, below) == (INCONCLUSIVE, FAIL)


def test_with_noise_a_leak_at_the_bound_is_neither_found_nor_ruled_out() -> None:
    found = judged(pair(30, 0.1))
    assert found.outcome is INCONCLUSIVE
    assert found.interval
    assert found.interval[0] < 0.1 < found.interval[1]


@pytest.mark.parametrize(
    ("candidate", "baseline"), [(0, 200), (200, 0), (0, 0), (1, 200), (2, 200), (200, 2), (6, 6)]
)
def test_without_samples_of_both_nothing_is_known(candidate: int, baseline: int) -> None:
    whole = level(5, 0)
    found = judged(LeakSeries(candidate=whole.candidate[:candidate], baseline=whole.baseline[:baseline]))
    assert (found.outcome, found.slope, found.interval) == (INCONCLUSIVE, None, None)
    assert found.samples == min(candidate, baseline)
    assert found.unit == "MiB/min"
    assert found.reason == (
        f"too few memory samples in common: {candidate} of the candidate, {baseline} of the baseline"
    )


def test_revisions_that_were_never_sampled_together_are_not_compared() -> None:
    late = tuple(points(np.linspace(40, 70, 200), np.linspace(0, 90, 200)))
    assert judged(LeakSeries(candidate=late, baseline=level(0, 0).baseline)).slope is None


def test_a_sample_a_minute_is_not_enough_in_a_quarter_of_an_hour() -> None:
    assert judged(pair(15, 0.5, period_min=1)).outcome is INCONCLUSIVE


def test_what_only_one_revision_was_sampled_for_is_left_out() -> None:
    common = level(0.05, 0)
    before, after = np.linspace(-30, -0.1, 200), np.linspace(30.1, 60, 200)
    longer = (*points(before, 20 * before), *common.candidate, *points(after, 20 * after))
    found, expected = (
        judged(LeakSeries(candidate=c, baseline=common.baseline)) for c in (longer, common.candidate)
    )
    assert found.slope == pytest.approx(expected.slope)
    assert found.outcome is expected.outcome is PASS


@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5, 0.75])
def test_a_wave_that_is_seen_twice_neither_fails_nor_passes(phase: float) -> None:
    at = np.linspace(0, 30, 360)
    wave = 10 * np.sin(2 * np.pi * (at / 11 + phase))
    found = judged(LeakSeries(candidate=points(at, 200 + wave), baseline=points(at, 180 + 0 * at)))
    assert found.outcome is INCONCLUSIVE
    assert found.interval
    assert found.interval[0] < 0 < found.interval[1]


def test_a_leak_below_a_wave_of_load_that_both_share_is_found() -> None:
    assert judged(pair(30, 0.5, extra=lambda at: 20 * math.sin(at / 4))).outcome is FAIL


def test_what_is_still_needed_is_nothing_at_the_interval_and_grows_towards_the_estimate() -> None:
    series = pair(30, 0.1)
    seen = judged(series)
    assert seen.interval
    assert seen.slope is not None
    for end in seen.interval:
        inside = (0.999 * end + 0.001 * seen.slope, (end + seen.slope) / 2, seen.slope)
        near, half, on = (
            judged(series, LeakSpec(per="minute", at_most=bound)).still_needed for bound in inside
        )
        assert near == pytest.approx(0, abs=0.1)
        assert half == pytest.approx(30, abs=0.1)  # half as wide takes twice as long
        assert on is None


def test_when_the_clock_began_does_not_matter() -> None:
    series = pair(30, 0.5)
    later = LeakSeries(
        **{
            role: tuple(MemoryPoint(at=100 + point.at, mib=point.mib) for point in getattr(series, role))
            for role in ("candidate", "baseline")
        }
    )
    seen, moved = judged(series), judged(later)
    assert moved.slope == pytest.approx(seen.slope)
    assert moved.interval == pytest.approx(seen.interval)


@pytest.mark.parametrize(
    ("cycle_min", "level", "windows"), [(0.3, 1e-4, 20), (12, 1e-4, 8), (12, 1e-6, 10), (12, 1e-12, 15)]
)
def test_a_trend_rests_on_8_to_20_windows_and_on_more_where_it_must_be_surer(
    cycle_min: float, level: float, windows: int
) -> None:
    series = pair(30, 0, cycle_min=cycle_min)
    found = floor_trend(series.candidate, series.baseline, level)
    assert found is not None
    assert (found.windows, found.until) == (windows, series.candidate[-1].at)


@pytest.mark.parametrize("minutes", [(0, 30), (0, 10, 30), (0, 10, 29, 30), (0, 10, 20, 29, 30)])
def test_a_handful_of_samples_of_one_revision_tells_nothing(minutes: tuple[float, ...]) -> None:
    few = points(minutes, [200 + at for at in minutes])
    for series in (
        LeakSeries(candidate=few, baseline=level(0, 0).baseline),
        LeakSeries(candidate=level(0, 0).candidate, baseline=few),
    ):
        assert judged(series).outcome is INCONCLUSIVE


def test_windows_that_one_revision_has_no_samples_of_are_left_out() -> None:
    whole = level(0.5, 0)
    holes = tuple(point for point in whole.candidate if not 15 < point.at < 20)
    found = judged(LeakSeries(candidate=holes, baseline=whole.baseline))
    assert found.outcome is FAIL
    assert found.slope == pytest.approx(0.5)


def test_each_look_spends_its_share_so_that_more_looks_leave_a_wider_interval() -> None:
    series = pair(30, 0.5)
    once, often = (judge_leak(BY_MINUTE, series, looks=looks, alpha=0.01) for looks in (1, 20))
    assert once.interval
    assert often.interval
    assert often.interval[0] < once.interval[0] < once.interval[1] < often.interval[1]


def test_twenty_kib_a_session_is_found_in_a_minute_of_load() -> None:
    found = judged(_loaded(20, sessions=1200), BY_SESSION)
    assert (found.outcome, found.unit) == (FAIL, "KiB/session")
    assert found.slope == pytest.approx(20, abs=4)


def test_a_leak_by_the_session_is_told_in_kib() -> None:
    served = np.linspace(0, 1000, 100)
    line = LeakSeries(candidate=points(served, 45 + 0.01 * served), baseline=points(served, 45 + 0 * served))
    assert judged(line, BY_SESSION).slope == pytest.approx(10.24)


def test_no_leak_by_the_session_passes_in_a_few_minutes_of_load() -> None:
    assert judged(_loaded(0, sessions=3000), BY_SESSION).outcome is PASS


def _loaded(kib_per_session: float, sessions: int) -> LeakSeries:
    """Return what a process shows each second at 20 sessions a second: pages by and by, while caches fill."""
    return LeakSeries(
        candidate=_pages(kib_per_session, sessions, seed=1), baseline=_pages(0, sessions, seed=2)
    )


def _pages(kib_per_session: float, sessions: int, seed: int) -> tuple[MemoryPoint, ...]:
    chance = np.random.default_rng(seed)
    ended = np.cumsum(chance.exponential(1 / 20, sessions))
    seconds = np.arange(0.0, ended[-1] + 5)
    served = np.searchsorted(ended, seconds, side="right")
    warm = 1.5 * (1 - np.exp(-served / 150)) + 0.1 * chance.standard_normal(len(seconds))
    mib = np.round((45 + warm + kib_per_session * served / 1024) * 256) / 256
    return points(served, mib)
