"""What is happening right now stands in one file, and the file is gone when nothing happens any more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runbook_lib.evidence import Session
from runbook_lib.evidence.load_figures import LoadProgress
from runbook_lib.evidence.load_figures import Tally as LoadTally
from runbook_lib.live import LiveLoad, LiveProbes, LiveSuites
from runbook_lib.steps.suites import SuiteProgress
from runbook_lib.steps.suites.reported import Tally

FINE = "baseline: 1 messages answered"


def progress(suite: str, **tally: int | str) -> SuiteProgress:
    return SuiteProgress(suite=suite, title=suite, role="candidate", tally=Tally(**tally))


def test_suites_that_run_together_are_told_together(tmp_path: Path) -> None:
    file = tmp_path / "live.txt"
    shown: list[str] = []
    with LiveSuites(file, shown.append) as live:
        live(progress("one", done=1, total=3, running="a.py::test_\x1b[31mb"))
        live(progress("two", done=4, failed=2))
        live(progress("one", done=2, total=3))
        assert file.read_text(encoding="utf-8") == "one: 2 of 3 tests; two: 4 tests, 2 failed"
    assert not file.exists()
    assert shown[0] == "one: 1 of 3 tests · test_b"


def test_a_folder_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    with LiveSuites(tmp_path / "gone" / "live.txt") as live:
        live(progress("one"))


def test_a_load_is_told_in_one_sentence_and_shown_with_all_its_figures(tmp_path: Path) -> None:
    file = tmp_path / "live.txt"
    shown: list[LoadProgress] = []
    told = LoadProgress.of({"candidate": LoadTally(started=5, ended=3, failed=1)}, due=40, elapsed_s=2)
    with LiveLoad(file, shown.append) as live:
        live(told)
        assert file.read_text(encoding="utf-8") == "3 of 40 sessions, 2 open, 1 failed"
    assert not file.exists()
    assert shown == [told]


def test_probes_are_told_revision_by_revision_with_what_was_not_as_promised(tmp_path: Path) -> None:
    file = tmp_path / "live.txt"
    good = Session(
        probe="golden-path", role="candidate", number=0, user="u1", agent="a", mark="m", status="answered"
    )
    with LiveProbes(file) as live:
        live(good)
        live(replace(good, role="baseline"))
        assert (
            file.read_text(encoding="utf-8")
            == "candidate: 1 messages answered; baseline: 1 messages answered"
        )
        live(replace(good, status="answer_timeout"))
        live(replace(good, violations=("no final event",)))
        said = file.read_text(encoding="utf-8")
    assert said == "candidate: 3 messages, 2 not answered as promised; " + FINE
    assert not file.exists()
