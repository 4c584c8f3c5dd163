"""What earlier runs saw of the same service's starts, each start once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook_lib.earlier import MOST_STARTS, with_earlier
from runbook_lib.evidence.starts import Start, Starts
from runbook_lib.run_folder import RunFolder

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def start(minute: int, revision: str = "chat-1", took_s: float = 1.0) -> Start:
    return Start(at=NOON + timedelta(minutes=minute), revision=revision, took_s=took_s)


def archive(outputs: Path, run: str, service: str = "chat", **seen: tuple[Start, ...]) -> None:
    (outputs / run / "evidence").mkdir(parents=True)
    RunFolder(outputs / run).write_evidence("starts", Starts(service=service, **seen))


def test_baselines_of_earlier_runs_are_found_each_start_once_and_oldest_first(tmp_path: Path) -> None:
    archive(tmp_path, "2", baseline=(start(1), start(5)), candidate=(start(6, "chat-2"),))
    archive(tmp_path, "1", baseline=(start(1), start(2)), earlier=(start(0),))
    archive(tmp_path, "3", service="search", baseline=(start(7, "search-1"),))
    mine = Starts(service="chat", baseline=(start(5),), candidate=(start(9, "chat-3"),))
    known = with_earlier(mine, tmp_path)
    assert known.earlier == (start(1), start(2))  # start(5) is this run's own, chat-2 was no baseline
    assert known.model_copy(update={"earlier": ()}) == mine


def test_a_run_is_not_its_own_history_when_it_measures_again(tmp_path: Path) -> None:
    mine = Starts(service="chat", baseline=(start(1),), candidate=(start(2, "chat-2"),))
    archive(tmp_path, "1", baseline=mine.baseline, candidate=mine.candidate)
    assert with_earlier(mine, tmp_path).earlier == ()
    assert with_earlier(mine, tmp_path / "nowhere").earlier == ()


@pytest.mark.parametrize("text", ["", "{}", '{"service": "chat", "baseline": [{"took_s": 0}]}'])
def test_an_archive_that_cannot_be_read_is_no_reason_not_to_run(tmp_path: Path, text: str) -> None:
    archive(tmp_path, "1", baseline=(start(1),))
    archive(tmp_path, "2")
    (tmp_path / "2" / "evidence" / "starts.json").write_text(text, encoding="utf-8")
    assert with_earlier(Starts(service="chat"), tmp_path).earlier == (start(1),)


def test_of_very_many_the_newest_are_kept(tmp_path: Path) -> None:
    for run in range(4):
        archive(tmp_path, str(run), baseline=tuple(start(100 * run + minute) for minute in range(60)))
    known = with_earlier(Starts(service="chat"), tmp_path).earlier
    assert len(known) == MOST_STARTS
    assert (known[0], known[-1]) == (start(130), start(359))
