"""What GitHub Actions is told of a run: within its limits, and without a way to smuggle a command in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import report_records as records

from runbook_lib.report import github, markdown
from runbook_lib.verdict import Outcome


def test_outside_of_github_nothing_is_written_or_said() -> None:
    assert github.tell(records.failing(), {}) == ()


def test_summary_outputs_and_annotations_say_what_the_report_says(tmp_path: Path) -> None:
    summary, output = tmp_path / "summary.md", tmp_path / "output"
    summary.write_text("before\n")
    said = github.tell(
        records.failing(),
        {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)},
    )
    assert summary.read_text() == "before\n" + markdown.render(records.failing())
    assert output.read_text() == f"action=ROLLBACK\nrun_id={records.RUN_ID}\n"
    assert said[0].startswith("::error title=ROLLBACK::")
    assert any(line.startswith("::error title=User Isolation%3A concurrent users") for line in said)
    assert any(line.startswith("::warning title=No memory leaks::ERROR: not observed") for line in said)


def test_a_run_without_a_verdict_is_an_error(tmp_path: Path) -> None:
    (said,) = github.annotate(records.empty())
    assert said.startswith("::error title=no verdict::deploy: services.get on backend-service")


def test_at_most_ten_annotations_of_a_level_are_made() -> None:
    verdict = records.verdict()
    failed = verdict.criteria[0].model_copy(update={"outcome": Outcome.FAIL})
    many = verdict.model_copy(update={"action": "ROLLBACK", "criteria": (failed,) * 40})
    said = list(github.annotate(replace(records.good(), verdict=many)))
    assert len(said) == github.MOST_ANNOTATIONS


def test_no_text_of_a_run_becomes_a_command_of_its_own() -> None:
    verdict = records.verdict()
    evil = {
        "outcome": Outcome.FAIL,
        "title": "a,b::c\n::set-env name=X::1",
        "reason": "r\r\n::stop-commands::x %0A",
    }
    planted = verdict.model_copy(update={"criteria": (verdict.criteria[0].model_copy(update=evil),)})
    for line in github.annotate(replace(records.good(), verdict=planted)):
        assert "\n" not in line
        assert "\r" not in line
    assert line.startswith("::error title=a%2Cb%3A%3Ac%0A%3A%3Aset-env name=X%3A%3A1::FAIL: r")
    assert line.endswith("%0A::stop-commands::x %250A")


def test_a_long_summary_is_cut_at_a_line_and_says_so() -> None:
    cut = github.cut("é" * 40 + "\n" + "x" * 2_000_000, 1000, "the rest")
    assert cut == "é" * 40 + "\nthe rest"
    assert github.cut("short", 1000, "the rest") == "short"
    assert len(github.cut("é" * 2_000_000, 1001, "!").encode()) <= 1001
