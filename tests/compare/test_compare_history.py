"""The history lists every run of a service once, and names what is no run."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from made_runs import NOW, PLAN, made_run, outputs, write

from runbook_lib.compare import history
from runbook_lib.errors import ArchiveError
from runbook_lib.verdict import Outcome


def test_runs_come_oldest_first_with_their_verdicts_and_times() -> None:
    here = outputs()
    later = made_run(4, here, name="a", started=NOW + timedelta(days=1), outcome=Outcome.FAIL, image="chat:3")
    made_run(5, here, name="b", bad=1.0)
    found = history([here])
    assert [row.run_id for row in found.rows] == ["b", "a"]
    first, last = found.rows
    assert (first.action, last.action) == ("PROCEED_TO_PRODUCTION", "ROLLBACK")
    assert (first.image, last.image, last.service) == ("chat:2", "chat:3", "chat")
    assert last.outcomes == {Outcome.PASS: 1, Outcome.INCONCLUSIVE: 0, Outcome.ERROR: 0, Outcome.FAIL: 1}
    assert first.p95_s["candidate"] == math.inf
    assert last.p50_s["candidate"] == later.latencies("candidate", "answer_s")[99]
    words = found.table().to_dict("list")
    assert words["Verdict"] == ["PROCEED_TO_PRODUCTION HIGH", "ROLLBACK HIGH"]
    assert words["Criteria"] == ["2 of 2 PASS", "1 of 2 PASS, 1 FAIL"]
    assert words["95th percentile"][0] == "never"
    assert found.sentence() == "2 runs: 1 PROCEED_TO_PRODUCTION, 1 ROLLBACK"


def test_what_is_no_run_or_cannot_be_read_is_named_and_skipped() -> None:
    here, archive = outputs(), outputs()
    made_run(4, here, name="good")
    made_run(4, archive, name="good")
    write(here / "foreign", "notes.txt", "hello")
    write(here / ".hidden", "plan.yaml", "hello")
    write(made_run(5, here, name="broken").place, "verdict.json", "{")
    write(here / "young", "plan.yaml", "target: {service: chat}")
    found = history([here, archive])
    assert [(row.run_id, row.action) for row in found.rows] == [
        ("good", "PROCEED_TO_PRODUCTION"),
        ("young", "no verdict"),
    ]
    whys = [skipped.why.replace(here.address, "outputs") for skipped in found.skipped]
    assert whys[0].startswith("outputs/broken/verdict.json: the file: Invalid JSON")
    assert whys[1] == "run: outputs/foreign is no run folder: it has no plan.yaml"
    assert found.sentence().endswith("; 2 left out")


def test_another_services_runs_are_left_out_where_one_is_named() -> None:
    here = outputs()
    made_run(4, here)
    assert len(history([here], "chat").rows) == 1
    none = history([here], "other")
    assert (none.rows, none.sentence()) == ((), "No run of other was found")
    assert none.figure() is None


def test_the_trend_has_a_mark_for_each_run_and_a_bar_for_what_did_not_pass() -> None:
    here = outputs()
    made_run(4, here, name="run-aaaa", outcome=Outcome.FAIL)
    made_run(5, here, name="run-bbbb", bad=1.0, plan=PLAN)
    figure = history([here]).figure()
    assert figure is not None
    lines = {trace.name: trace for trace in figure.data}
    assert list(lines["candidate"].x) == ["11-26 03:00 aaaa", "11-26 03:00 bbbb"]
    assert lines["candidate"].y[1] is None  # every session failed
    page = history([here]).html()
    assert '<img class="still" alt="Verdicts and times"' in page
    assert "script-src 'sha256-" in page
    assert list(lines["candidate"].marker.symbol) == ["x", "circle"]
    assert list(lines["FAIL"].y) == [1, 0]


def test_a_folder_that_is_not_there_is_an_error() -> None:
    nowhere = outputs()
    with pytest.raises(ArchiveError) as caught:
        history([nowhere])
    assert str(caught.value) == f"{nowhere.address} is no folder: give the one that holds the run folders"
