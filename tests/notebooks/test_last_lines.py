"""What a cell with a live log holds: the last lines, however many came."""

from __future__ import annotations

import pandas as pd

from runbook_lib.notebook.follow import LastLines
from runbook_lib.ports.logs import LogNews


def news(first: int, count: int, lost: int = 0) -> LogNews:
    lines = range(first, first + count)
    entries = pd.DataFrame(
        {
            "time": pd.Timestamp("2026-03-01T12:00Z") + pd.to_timedelta(lines, unit="ms"),
            "severity": "INFO", "revision": "chat-2", "log": "stdout",
            "message": [f"line {number}" for number in lines],
        }
    )  # fmt: skip
    return LogNews(entries=entries, suppressed={"rate_limit": lost} if lost else {})


def test_the_last_lines_are_shown_with_their_role_and_the_count_of_all() -> None:
    lines = LastLines({"chat-2": "candidate"})
    assert lines.shown().sentence == "0 entries came while this was open."
    for first, count, lost in ((0, 1_000, 0), (1_000, 3, 7), (1_003, 0, 0)):
        lines.take(news(first, count, lost))
    shown = lines.shown()
    assert shown.sentence == (
        "1,003 entries came while this was open; the newest stand below. "
        "7 entries were left out, 0 s were missed."
    )
    table = shown.parts[0]
    assert list(table["Message"]) == [f"line {number}" for number in range(988, 1_003)]
    assert set(table["Role"]) == {"candidate"}
