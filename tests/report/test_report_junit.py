"""JUnit shows every criterion, and CI never reads doubt as green."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import report_records as records
from junitparser import Error, Failure, JUnitXml, Skipped

from runbook_lib.report import junit
from runbook_lib.report.record import RunRecord
from runbook_lib.verdict import Outcome


def _cases(record: RunRecord) -> dict[str, list[object]]:
    document = JUnitXml.fromstring(junit.render(record).encode())
    return {case.name.split(":")[0]: list(case.result) for suite in document for case in suite}


def test_a_good_run_is_green_with_one_case_per_criterion_and_one_for_the_verdict() -> None:
    cases = _cases(records.good())
    assert list(cases) == [row[0] for row in records.CRITERIA] + ["verdict"]
    assert all(result == [] for result in cases.values())


def test_outcomes_become_results() -> None:
    cases = _cases(records.failing())
    assert [type(result) for result in cases["user-isolation"]] == [Failure]
    assert [type(result) for result in cases["memory"]] == [Error]
    assert [type(result) for result in cases["startup-time"]] == [Skipped]
    assert [type(result) for result in cases["agent-registry-test"]] == [Error]
    assert [type(result) for result in cases["verdict"]] == [Failure]
    assert cases["startup-time"][0].message == "no data: no point in the window"  # type: ignore[attr-defined]


@pytest.mark.parametrize("action", ["INVESTIGATE", "ROLLBACK"])
def test_an_action_other_than_proceed_is_red_even_if_all_criteria_passed(action: str) -> None:
    cases = _cases(replace(records.good(), verdict=records.verdict(action=action)))
    assert [type(result) for result in cases["verdict"]] == [Failure]


def test_no_verdict_is_an_error() -> None:
    cases = _cases(records.empty())
    assert list(cases) == ["verdict"]
    assert isinstance(cases["verdict"][0], Error)


def test_the_suite_carries_run_and_action_and_the_counts_agree(tmp_path: Path) -> None:
    file = tmp_path / "junit.xml"
    file.write_text(junit.render(records.failing()), encoding="utf-8")
    suite = next(iter(JUnitXml.fromfile(str(file))))
    assert {p.name: p.value for p in suite.properties()} == {"run_id": records.RUN_ID, "action": "ROLLBACK"}
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (17, 2, 2, 1)
    assert {case.classname for case in suite} >= {"deployment", "functionality", "performance", "run"}


def test_characters_that_xml_forbids_do_not_break_the_file() -> None:
    outcomes = {"memory": (Outcome.FAIL, 3.0, "bad \x00\x1b[31m\ud800 \ufffe byte <&>")}
    cases = _cases(replace(records.good(), verdict=records.verdict(outcomes)))
    assert cases["memory"][0].message == "bad   byte <&>"  # type: ignore[attr-defined]
    assert len(_cases(records.hostile())) == len(records.CRITERIA) + 1
