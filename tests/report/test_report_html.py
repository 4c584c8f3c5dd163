"""The HTML report says what the record says, in words, in one file."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pandas as pd
import plotly.graph_objects as go
import pytest
import report_records as records
from bs4 import BeautifulSoup

from runbook_lib.report import html


def _soup(page: str) -> BeautifulSoup:
    return BeautifulSoup(page, "html.parser")


def _words(page: str, selector: str) -> str:
    found = _soup(page).select_one(selector)
    assert found is not None, f"no {selector}"
    return " ".join(found.get_text(" ").split())


def test_the_banner_names_action_confidence_decider_and_next_command() -> None:
    banner = _words(html.render(records.failing()), "#verdict")
    assert "✗ ROLLBACK confidence MEDIUM" in banner
    assert "FAIL, 2 of 24 sessions received another user's mark" in banner
    assert "Decided by user-isolation · 1 thing not seen" in banner
    assert f"Next runbook status outputs/{records.RUN_ID}" in banner


def test_a_run_without_a_verdict_never_looks_like_a_good_one() -> None:
    page = html.render(records.empty())
    assert "! NO VERDICT" in _words(page, "#verdict")
    assert "nothing here allows a promotion" in _words(page, "#verdict")
    assert "deploy: services.get on backend-service answered UNAVAILABLE" in _words(page, "#not-seen")
    assert "PASS" not in _words(page, "body")


def test_the_card_shows_both_revisions_and_who_gets_the_traffic() -> None:
    card = _words(html.render(records.good()), ".card")
    assert f"Candidate {records.CANDIDATE} sample-agent:healthy" in card
    assert f"Baseline {records.BASELINE} sample-agent:previous" in card
    assert f"100 % {records.BASELINE} tag baseline 0 % {records.CANDIDATE} tag candidate" in card


def test_a_criterion_row_carries_its_evidence_and_its_cell() -> None:
    page = html.render(records.failing())
    row = _words(page, "#criterion-user-isolation")
    assert row.startswith("✗ FAIL User Isolation: concurrent users properly separated 2 of 24 sessions")
    assert "2 sessions ≤ 0 sessions 3 sessions 24 03_tests#run-probe probes_sessions.parquet" in row


def test_a_value_that_nobody_saw_reads_not_observed() -> None:
    row = _words(html.render(records.failing()), "#criterion-memory")
    assert "ERROR No memory leaks not observed: timeSeries.list answered 503 not observed ≤ baseline" in row


def test_an_effect_stands_below_the_reason_with_its_interval() -> None:
    verdict = records.verdict()
    first = verdict.criteria[9].model_copy(update={"effect": 0.08, "interval": (0.07, 0.095)})
    page = html.render(replace(records.good(), verdict=verdict.model_copy(update={"criteria": (first,)})))
    row = _words(page, "#criterion-connect-time")
    assert "Against the baseline: 0.08 s, between 0.07 s and 0.095 s" in row


def test_secrets_are_masked_by_name_and_by_shape() -> None:
    token = "eyJhbGciOiJIUzI1.eyJzdWIiOiJwcm9i.c2lnbmF0dXJl"  # noqa: S105 - made up
    parameters = {"api_token": "hunter2-hunter2", "note": f"use {token}", "x": "hunter2-hunter2"}
    page = html.render(replace(records.good(), parameters=parameters, errors=(f"login with {token}",)))
    assert token not in page
    assert "hunter2" not in page
    assert "api_token [redacted]" in _words(page, "#record")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("evidence/a b.json", "evidence/a%20b.json"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ("//evil.test/x", ""),
        ("/etc/passwd", ""),
        ("../../secret", ""),
        ("..\\secret", ""),
    ],
)
def test_a_link_never_leaves_the_run_folder(path: str, target: str) -> None:
    assert html.link(path) == target


def test_the_file_is_whole_and_small() -> None:
    page = html.render(records.good())
    assert len(page.encode()) < 3_000_000
    assert re.findall(r'(?:src|href)="(?:https?:|//)', page) == []
    assert page.index('id="plotly-bundle"') < page.index("</head>") < page.index("<body>")


def test_a_report_without_figures_carries_no_plotly() -> None:
    assert len(html.render(records.empty())) < 40_000


def test_the_rollback_section_says_what_was_seen_afterwards() -> None:
    done = _words(html.render(records.failing()), "#rollback")
    assert f"Verified: traffic was returned to {records.BASELINE}" in done
    assert "1 of 1 health requests answered 200, 1 of 1 sessions answered" in done
    assert "No rollback was carried out" in _words(html.render(records.good()), "#rollback")


def test_figures_cannot_end_the_element_they_stand_in() -> None:
    named = go.Figure().update_layout(title_text="</script><script>window.pwned=1</script>&amp;")
    numbers = pd.DataFrame()
    chart = html.Chart(id="x", title="", reading="", figure=named, numbers=numbers, absent="")
    inert = html.inert_json([chart])
    assert not set("<>&") & set(inert)
    assert json.loads(inert)["x"]["layout"]["title"]["text"] == named.layout.title.text


def test_a_failed_test_has_all_that_explains_it_in_one_block_that_is_closed_at_first() -> None:
    page = html.render(records.failing())
    block = _soup(page).select_one("#tests details.trouble")
    assert block is not None
    assert not block.has_attr("open")
    assert _words(page, "#tests details.trouble") == (
        "test_agent-registry_2: failed, new failure (2 runs, baseline passed) AssertionError: four events "
        "What it printed asked twice What the candidate logged in its time, without 7 earlier lines "
        "14:02:20.000000 ERROR no agent trace-1 failure.txt candidate.log traces.txt"
    )
    assert [link["href"].rpartition("/")[0] for link in block.select("a")] == [
        "evidence/failures/agent-registry-test_c-3"
    ] * 3


def test_what_failed_on_which_revision_stands_before_and_after() -> None:
    words = _words(html.render(records.failing()), "#regressions")
    assert "Agent Registry Test test_agent-registry_2 passed failed new failure" in words
    assert "No test of a suite failed." in _words(html.render(records.good()), "#regressions")


def test_the_ten_parts_stand_in_the_order_in_which_a_reviewer_asks() -> None:
    page = html.render(records.failing())
    parts = {
        'id="verdict"': "✗ ROLLBACK confidence MEDIUM",  # 1 banner, with the next command
        'class="card"': f"Candidate {records.CANDIDATE}",  # 2 candidate, baseline, traffic
        'id="groups"': "deployment 4 of 4 passed",  # 3 groups
        'id="criteria"': "Outcome Criterion and reason Observed Bound Baseline Samples Evidence",  # 4
        'id="measurements"': "Events of one answer",  # 5 waterfall, trends with the baseline
        'id="logs"': "What is new",  # 6 novelty
        'id="tests"': "Golden Path Test",  # 7
        'id="rollback"': "Verified: traffic was returned",  # 8
        'id="regressions"': "User isolation violations",  # 9 before and after
        'id="record"': "manifest.json holds the SHA-256 of every file",  # 10 parameters, versions, manifest
    }
    places = [page.index(f" {mark}") for mark in parts]
    assert places == sorted(places)
    for mark, words in parts.items():
        name = mark.split('"')[1]
        assert words in _words(page, f"#{name}" if mark.startswith("id") else f".{name}"), mark
    assert "Next runbook status outputs/" in _words(page, "#verdict")
    for words in ("Parameters Name Value", "Versions Package Version", "runbook verify outputs/"):
        assert words in _words(page, "#record")


def test_what_is_long_keeps_both_ends_and_names_the_file_that_has_all() -> None:
    base = records.good()
    suite = records.suite("golden-path", ("passed",) * 1234, output=f"first line\n{'x' * 10**6}\nlast line")
    kinds = [records.log_template(template=f"no context {number}") for number in range(200)]
    record = replace(
        base,
        suites=records.SuitesEvidence(window=records.window(), suites=(suite,)),
        run_logs=records.run_logs(*kinds),
    )
    page = html.render(record)
    tests = _words(page, "#tests")
    assert "first line" in tests
    assert "last line" in tests
    assert "characters left out" in tests
    assert "The first 200 of 1,234; all are in evidence/suites.json ." in tests
    assert "The first 50 of 200; all are in evidence/run_logs.json ." in _words(page, "#logs")
    assert len(page) < 3_500_000
