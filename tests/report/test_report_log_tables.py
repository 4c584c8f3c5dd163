"""The logs' tables lead with what is new, and show of many lines those that matter."""

from __future__ import annotations

import pandas as pd
import report_records as records
from bs4 import BeautifulSoup

from runbook_lib.report import charts, html, log_tables, markdown


def test_news_come_in_a_sentence_and_a_table_without_what_is_the_same() -> None:
    logs = records.run_logs(records.log_template())
    assert (
        log_tables.news(logs) == "Kinds of message, candidate against baseline: 1 new, 0 grown, 0 gone, of 3"
    )
    row = log_tables.novelty(logs).values.tolist()
    assert row == [["new", "ERROR", "3", "0", "2025-09-16 14:02:11 UTC", "no context <*>", "no context 7"]]
    assert log_tables.news(None) == "The logs were not observed"
    assert log_tables.news(records.run_logs(templates=())) == "There was no line to compare"


def test_requests_have_their_interval_and_none_of_them_is_not_zero() -> None:
    table = log_tables.requests(records.run_logs().requests)
    assert list(table.iloc[0])[:5] == [
        "candidate", "200", "199 2xx, 1 5xx", "0.005 (0.5 %)", "0.09 % to 2.78 %"
    ]  # fmt: skip
    assert list(table.iloc[1])[3:6] == ["not observed", "not observed", "not observed"]


def test_of_too_many_lines_those_that_matter_are_kept_in_order() -> None:
    entries = records.log_entries("no context 7", "pool is empty")
    few = log_tables.log_lines(entries, most=5)
    assert list(few["Message"])[-2:] == ["no context 7", "pool is empty"]
    assert list(few["Time"]) == sorted(few["Time"])
    assert list(log_tables.log_lines(entries, most=1)["Message"]) == ["no context 7"]
    assert log_tables.log_lines(None).empty


def test_the_timeline_counts_every_entry_once() -> None:
    counted = log_tables.timeline(records.log_entries("a", "b"), bins=10)
    assert counted["count"].sum() == 42
    assert set(counted["gravity"]) == {"below WARNING", "ERROR and above"}
    assert [log_tables.gravity(name) for name in ("NOTICE", "WARNING", "ALERT", "450")] == [
        "below WARNING", "WARNING", "ERROR and above", "below WARNING",
    ]  # fmt: skip


def test_the_timeline_marks_the_moments_and_names_each_gravity_once() -> None:
    record = records.failing()
    figure = charts.log_timeline(log_tables.timeline(record.entries), record.moments())
    assert figure is not None
    assert [note.text for note in figure.layout.annotations] == [
        "candidate created", "suites", "probes", "load", "load ended",
    ]  # fmt: skip
    named = [bar.name for bar in figure.data if bar.showlegend and len(bar.x)]
    assert named == ["below WARNING", "ERROR and above"]
    assert sum(sum(bar.y) for bar in figure.data) == 42


def test_the_frequent_kinds_are_drawn_for_both_revisions() -> None:
    figure = charts.top_templates(log_tables.common_templates(records.run_logs(records.log_template())))
    assert figure is not None
    assert [list(bar.x) for bar in figure.data] == [[20, 20, 3], [20, 20, 0]]
    assert figure.data[0].y[2] == "3 no context &lt;*&gt;"


def test_nothing_read_draws_nothing() -> None:
    assert charts.log_timeline(log_tables.timeline(None), {}) is None
    assert charts.log_timeline(log_tables.timeline(pd.DataFrame()), {}) is None
    assert charts.top_templates(log_tables.common_templates(None)) is None


def test_the_report_leads_the_logs_with_what_is_new_its_stack_trace_folded() -> None:
    section = BeautifulSoup(html.render(records.failing()), "html.parser").select_one("#logs")
    assert section is not None
    template = section.select_one("details.template")
    assert template is not None
    assert template.get("open") is None
    words = " ".join(section.get_text(" ").split())
    assert words.startswith("Logs What is new Kinds of message, candidate against baseline: 1 new")
    assert "no context 7 Traceback (most recent call last):" in words
    assert "Complete up to 2025-09-16 14:03:41 UTC; the latest entry arrived 84 ms late." in words
    assert "4 read requests, which waited 12.0 s for the quota." in words


def test_the_markdown_hints_at_new_errors() -> None:
    assert "new in the candidate's log, 3 times, ERROR: no context 7" in markdown.hints(records.failing())
    assert not any("in the candidate's log" in hint for hint in markdown.hints(records.good()))
