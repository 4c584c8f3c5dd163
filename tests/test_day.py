"""Hours that pass leave nothing in memory; the records of sessions stay, which the evidence is made of."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks" / "chaos"))

from day import Held, growth, simulate


def test_a_day_in_short_keeps_the_records_of_its_sessions_and_nothing_else(tmp_path: Path) -> None:
    """`python benchmarks/chaos/day.py` simulates all of it."""
    more = growth(simulate(3, 60, tmp_path / "few"), simulate(3, 180, tmp_path / "many"))
    assert abs(more.an_hour_kib) < 32  # one KiB a minute would be 60
    assert 1 < more.a_session_kib < 6


def test_what_grows_with_the_hours_is_told_from_what_grows_with_sessions() -> None:
    few = Held(mib={1: 1.0, 3: 1.0 + 220 / 1024}, sessions={1: 10, 3: 20})
    many = Held(mib={1: 1.0, 3: 1.0 + 400 / 1024}, sessions={1: 100, 3: 200})
    more = growth(few, many)
    assert (more.an_hour_kib, more.a_session_kib) == (pytest.approx(100), pytest.approx(2))
