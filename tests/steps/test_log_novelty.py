"""What is new in the candidate's log comes first; chance, noise and known lines are told apart from it."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from runbook_lib.evidence.logs import LogTemplate
from runbook_lib.steps.log_novelty import chance_of, compare, novel_errors
from runbook_lib.steps.log_reading import COLUMNS

TEXTS = ("log", "message", "stack", "severity", "revision")


def log(*rows: tuple[str, str, str, int], **fields: str) -> pd.DataFrame:
    """Return entries: for each role, severity and message so many of them, a second apart."""
    repeated = [row[:3] for row in rows for _ in range(row[3])]
    table = pd.DataFrame(repeated, columns=["role", "severity", "message"])
    table["time"] = pd.date_range(datetime(2026, 5, 5, tzinfo=UTC), periods=len(table), freq="s")
    table["revision"] = table["role"].map({"candidate": "chat-00002-xyz", "baseline": "chat-00001-abc"})
    return table.assign(**{"log": "stdout", "stack": "", "count": 1, **fields}).reindex(columns=list(COLUMNS))


def changes(found: tuple[LogTemplate, ...]) -> dict[str, str]:
    """Return what became of each template."""
    return {each.template: each.change for each in found}


def test_new_gone_and_equal_kinds_are_told_apart_and_news_come_first() -> None:
    found = compare(log(
        ("baseline", "INFO", "session 1 opened", 50), ("candidate", "INFO", "session 2 opened", 50),
        ("baseline", "WARNING", "old pool used", 2), ("candidate", "ERROR", "no context 7", 3),
    ))  # fmt: skip

    assert changes(found) == {
        "no context <*>": "new", "old pool used": "gone", "session <*> opened": "same"
    }  # fmt: skip
    first = found[0]
    assert (first.severity, first.candidate, first.baseline) == ("ERROR", 3, 0)
    assert (first.example, first.first.second) == ("no context 7", 42)
    assert novel_errors(found) == (first,)


def test_what_was_a_warning_and_is_an_error_now_is_new() -> None:
    found = compare(log(("baseline", "WARNING", "pool empty", 9), ("candidate", "ERROR", "pool empty", 9)))
    assert [(each.severity, each.change) for each in found] == [("ERROR", "new"), ("WARNING", "gone")]


@pytest.mark.parametrize(("lines", "change"), [(10, "same"), (16, "same"), (60, "grown")])
def test_a_kind_has_grown_when_chance_does_not_explain_it(lines: int, change: str) -> None:
    found = compare(log(
        ("baseline", "INFO", "tick", 500), ("candidate", "INFO", "tick", 500),
        ("baseline", "WARNING", "slow", 10), ("candidate", "WARNING", "slow", lines),
    ))  # fmt: skip
    assert changes(found)["slow"] == change


def test_twice_the_traffic_is_no_growth() -> None:
    found = compare(log(
        ("baseline", "INFO", "tick", 400), ("candidate", "INFO", "tick", 800),
        ("baseline", "WARNING", "slow", 40), ("candidate", "WARNING", "slow", 80),
    ))  # fmt: skip
    assert set(changes(found).values()) == {"same"}


def test_known_noise_is_listed_last_and_is_no_novel_error() -> None:
    found = compare(
        log(("candidate", "ERROR", "metrics agent 3 unreachable", 5), ("candidate", "INFO", "up", 1)),
        noise=["^metrics agent .* unreachable$"],
    )
    assert [each.change for each in found] == ["new", "known"]
    assert novel_errors(found) == ()


def test_a_stack_trace_stands_apart_from_its_message() -> None:
    (found,) = compare(log(("candidate", "ERROR", "failed\n  at a.js:1", 1), stack="Traceback: x"))
    assert (found.example, found.stack) == ("failed", "  at a.js:1\nTraceback: x")


def test_requests_are_counted_elsewhere_and_names_of_revisions_are_no_news() -> None:
    assert compare(log(("candidate", "INFO", "GET /x", 5), log="requests")) == ()
    found = compare(log(
        ("baseline", "INFO", "Ready: chat-00001-abc.", 1), ("candidate", "INFO", "Ready: chat-00002-xyz.", 1),
    ))  # fmt: skip
    assert changes(found) == {"Ready: <*>.": "same"}


def test_an_empty_log_has_no_templates() -> None:
    assert compare(log()) == ()


@pytest.mark.parametrize(
    ("hits", "tries", "ratio", "chance"), [(0, 5, 0.5, 1.0), (5, 5, 0.5, 0.03125), (3, 4, 0.5, 0.3125)]
)
def test_the_chance_of_so_many_is_the_binomial_tail(
    hits: int, tries: int, ratio: float, chance: float
) -> None:
    assert chance_of(hits, tries, ratio) == pytest.approx(chance)
