"""The figures of a load: what is counted, how shards merge, and how it is said."""

from __future__ import annotations

from functools import reduce

import pytest

from runbook_lib.evidence import Session, SessionStatus
from runbook_lib.evidence.load_figures import Counting, Figures, LoadProgress, Tallies, Tally, merge


def session(answer_s: float, lag_s: float = 0.001, status: SessionStatus = "answered") -> Session:
    return Session(
        probe="load", role="candidate", number=0, user="u", agent="a", mark="m", status=status,
        lag_s=lag_s, connect_s=0.1, answer_s=answer_s if status == "answered" else None,
    )  # fmt: skip


def tally(*sessions: Session, still_open: int = 0) -> Tally:
    counting = Counting()
    for _ in range(len(sessions) + still_open):
        counting.started()
    for each in sessions:
        counting.ended(each)
    return counting.tally()


def test_percentiles_are_of_the_time_from_the_intended_start_and_exact_to_three_digits() -> None:
    seen = Figures.of(tally(*(session(number / 100) for number in range(1, 101)), still_open=3))
    assert (seen.started, seen.ended, seen.open, seen.failed) == (103, 100, 3, 0)
    assert seen.p50_s == pytest.approx(0.6, rel=0.001)
    assert seen.p99_s == pytest.approx(1.09, rel=0.001)
    assert seen.lag_p99_s == pytest.approx(0.001, rel=0.001)


def test_a_failed_session_counts_as_failed_and_gives_no_latency() -> None:
    seen = Figures.of(tally(session(0, status="closed")))
    assert (seen.ended, seen.failed, seen.p50_s) == (1, 1, None)


def test_shards_merge_to_the_same_in_any_order() -> None:
    shards: list[Tallies] = [{"candidate": tally(session(n / 10), still_open=1)} for n in range(1, 8)]
    forth, back = (
        LoadProgress.of(reduce(merge, order), due=9, elapsed_s=1) for order in (shards, shards[::-1])
    )
    assert forth == back
    whole = Figures.of(tally(*(session(n / 10) for n in range(1, 8)), still_open=7))
    assert forth.roles["candidate"] == forth.overall == whole


def test_a_load_whose_own_lag_is_above_a_twentieth_of_the_latency_says_so() -> None:
    fine, late = tally(session(0.9, lag_s=0.049)), tally(session(0.9, lag_s=0.06))
    assert Figures.of(fine).valid
    assert not Figures.of(late).valid


def test_progress_is_one_sentence() -> None:
    seen: Tallies = {
        "candidate": tally(session(1.9), session(0, status="closed"), still_open=2),
        "baseline": tally(session(0.4)),
    }
    assert LoadProgress.of(seen, due=40, elapsed_s=3).sentence() == (
        "3 of 40 sessions, 2 open, 1 failed · p50 500 ms, p95 2.00 s, p99 2.00 s · own lag p99 1 ms"
    )
    assert LoadProgress.of({"candidate": tally(still_open=2)}, due=40, elapsed_s=0).sentence() == (
        "0 of 40 sessions, 2 open, 0 failed"
    )
