"""What must hold of the leak test for every series."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import points

from runbook_lib.judge.floors import MemoryPoint
from runbook_lib.judge.leak import LeakFinding, LeakSeries, LeakSpec, judge_leak
from runbook_lib.verdict import Outcome

QUICK = settings(max_examples=60, deadline=None)
MEMORY = st.lists(st.integers(0, 64), min_size=12, max_size=60)
SERIES = st.builds(
    lambda ours, theirs: LeakSeries(
        candidate=points(np.linspace(0, 10, len(ours)), ours),
        baseline=points(np.linspace(0, 10, len(theirs)), theirs),
    ),
    MEMORY,
    MEMORY,
)


def judged(series: LeakSeries, at_most: float = 0.25) -> LeakFinding:
    return judge_leak(LeakSpec(per="minute", at_most=at_most), series, looks=1, alpha=0.05)


def changed(
    one: tuple[MemoryPoint, ...], *, add: float = 0.0, leak: float = 0.0, stretch: float = 1.0
) -> tuple[MemoryPoint, ...]:
    """Return the samples with memory added, by the minute too, and then over another time."""
    return tuple(MemoryPoint(at=each.at * stretch, mib=each.mib + add + leak * each.at) for each in one)


def same(one: LeakFinding, other: LeakFinding, factor: float = 1.0) -> bool:
    """Say whether two findings tell the same, slopes by a factor."""
    if one.interval is None or one.slope is None:
        return other.interval is None
    ours = [one.slope * factor, *(end * factor for end in one.interval)]
    return other.interval is not None and [other.slope, *other.interval] == pytest.approx(ours, abs=1e-6)


@QUICK
@given(SERIES, st.floats(-100, 100), st.floats(-3, 3))
def test_what_both_revisions_have_changes_nothing(series: LeakSeries, add: float, leak: float) -> None:
    shifted = LeakSeries(
        candidate=changed(series.candidate, add=add, leak=leak),
        baseline=changed(series.baseline, add=add, leak=leak),
    )
    assert same(judged(series), judged(shifted))


@QUICK
@given(SERIES, st.sampled_from([0.5, 2.0, 4.0]))
def test_slower_time_makes_the_slope_smaller_by_as_much(series: LeakSeries, stretch: float) -> None:
    slower = LeakSeries(
        candidate=changed(series.candidate, stretch=stretch),
        baseline=changed(series.baseline, stretch=stretch),
    )
    assert same(judged(series), judged(slower), 1 / stretch)


@QUICK
@given(SERIES, st.floats(0.01, 5))
def test_more_leak_never_improves_the_outcome_and_moves_the_interval_by_as_much(
    series: LeakSeries, leak: float
) -> None:
    worse = LeakSeries(candidate=changed(series.candidate, leak=leak), baseline=series.baseline)
    before, after = judged(series), judged(worse)
    assert after.outcome >= before.outcome
    if before.interval and after.interval:
        moved = [end + leak for end in before.interval]
        assert list(after.interval) == pytest.approx(moved, abs=1e-6)


@QUICK
@given(SERIES, st.floats(0, 2), st.floats(0, 2))
def test_a_looser_bound_never_makes_the_outcome_worse(series: LeakSeries, bound: float, more: float) -> None:
    assert judged(series, bound + more).outcome <= judged(series, bound).outcome


@QUICK
@given(SERIES)
def test_a_revision_against_itself_passes_or_is_too_short_to_tell(
    series: LeakSeries,
) -> None:
    found = judged(LeakSeries(candidate=series.candidate, baseline=series.candidate))
    assert (found.interval is None) == (found.outcome is not Outcome.PASS)
