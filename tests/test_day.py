"""Hours that pass leave nothing in memory, and of a session of the load a few numbers stay."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks" / "chaos"))

from day import Held, growth, two_days


def test_a_day_in_short_keeps_a_few_numbers_of_each_session_and_nothing_else() -> None:
    """`python benchmarks/chaos/day.py` simulates all of it."""
    more = growth(*two_days(3, (60, 180), heard_an_hour=4), since=2)
    assert abs(more.an_hour_kib) < 32  # one KiB a minute would be 60
    assert more.a_session_kib < 0.25  # a whole one takes 4
    assert more.peak_a_session_kib < 0.5


def test_what_grows_with_the_hours_is_told_from_what_grows_with_sessions() -> None:
    few = Held(mib={1: 1.0, 3: 1.0 + 220 / 1024}, sessions={1: 10, 3: 20}, peak_mib=2)
    many = Held(mib={1: 1.0, 3: 1.0 + 400 / 1024}, sessions={1: 100, 3: 200}, peak_mib=2 + 540 / 1024)
    more = growth(few, many, since=1)
    assert (more.an_hour_kib, more.a_session_kib) == (pytest.approx(100), pytest.approx(2))
    assert more.peak_a_session_kib == pytest.approx(3)
