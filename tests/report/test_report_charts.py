"""Charts draw what was observed, name their units, and are not made where there is nothing to draw."""

from __future__ import annotations

import pandas as pd
import pytest
import report_records as records

from runbook_lib.evidence import EventSeen
from runbook_lib.evidence.logs import LogsEvidence
from runbook_lib.report import charts


def test_a_waterfall_starts_each_event_where_the_one_before_it_ended() -> None:
    events = (EventSeen(type="agent_started", at_s=0.04), EventSeen(type="agent_thinking", at_s=0.21))
    figure = charts.event_waterfall(records.session(events=events), ("agent_started", "agent_completed"))
    assert figure is not None
    bars, missing = figure.data
    assert list(bars.base) == [0.0, 40.0]
    assert list(bars.x) == pytest.approx([40, 170])
    assert list(bars.text) == ["40 ms", "210 ms"]
    assert (list(missing.y), list(missing.text)) == (["– agent_completed"], ["did not come"])
    assert figure.layout.xaxis.title.text == "milliseconds since the message was sent"


def test_a_latency_line_ends_below_one_when_sessions_never_got_there() -> None:
    figure = charts.latency_ecdf(records.load_table(lost=9), "connect_s", bound_s=30)
    assert figure is not None
    candidate, baseline, bound = figure.data
    assert (candidate.name, candidate.y[-1]) == ("candidate", pytest.approx(51 / 60))
    assert (baseline.name, baseline.y[-1]) == ("baseline", 1)
    assert (bound.name, list(bound.x)) == ("bound 30 s", [30, 30])


def test_roles_keep_their_colour_and_dash_even_alone() -> None:
    load = records.load_table()
    figure = charts.latency_ecdf(load[load["role"] == "baseline"], "answer_s")
    assert figure is not None
    assert (figure.data[0].line.color, figure.data[0].line.dash) == (charts.COLOURS["baseline"], "dash")


def test_memory_has_its_unit_on_the_axis_and_utc_times() -> None:
    figure = charts.metric_series(records.series_table())
    assert figure is not None
    assert figure.layout.yaxis.title.text == "memory (MiB)"
    assert figure.data[0].x[0] == "2025-09-16 14:02:11.000000"


def test_severity_bars_show_a_zero_where_the_other_revision_had_entries() -> None:
    figure = charts.startup_severities(records.good().logs)
    assert figure is not None
    assert [list(bar.y) for bar in figure.data] == [[112, 6, 0, 0], [104, 0, 3, 2]]


def test_nothing_observed_makes_no_figure() -> None:
    lost = records.load_table(lost=60)
    silent = LogsEvidence(window=records.window(), counts={}, complete_until=records.START)
    no_values = records.series_table().assign(value=None)
    assert charts.event_waterfall(None) is None
    assert charts.event_waterfall(records.session(events=())) is None
    assert charts.latency_ecdf(None, "connect_s", 30) is None
    assert charts.latency_ecdf(lost[lost["role"] == "candidate"], "connect_s", 30) is None
    assert charts.latency_ecdf(pd.DataFrame(), "connect_s", 30) is None
    assert charts.metric_series(None) is None
    assert charts.metric_series(no_values) is None
    assert charts.startup_severities(None) is None
    assert charts.startup_severities(silent) is None


def test_labels_from_outside_cannot_become_links_in_a_chart() -> None:
    event = EventSeen(type="<a href='https://evil.test'>x</a>", at_s=0.1)
    figure = charts.event_waterfall(records.session(events=(event,)))
    assert figure is not None
    assert figure.data[0].y[0] == "1 &lt;a href='https://evil.test'&gt;x&lt;/a&gt;"
