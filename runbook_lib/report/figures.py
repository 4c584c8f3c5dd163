"""Name the charts of a report and say how each is read; what draws them is in `charts`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pandas as pd
import plotly.graph_objects as go

from runbook_lib.report import charts, log_tables, tables
from runbook_lib.report.record import RunRecord
from runbook_lib.verdict import CriterionResult


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure with what a reader needs where it cannot be drawn.

    Attributes:
        reading: How to read it, in one sentence.
        figure: None where there was nothing to draw; then `absent` says so.
        numbers: The same as a table.
        left_out: What the table does not show, and where that is; empty where it shows all.
    """

    id: str
    title: str
    reading: str
    figure: go.Figure | None
    numbers: pd.DataFrame
    absent: str
    left_out: str = ""

    @property
    def caption(self) -> str:
        """How to read it, and which of its points are drawn where there are too many."""
        return f"{self.reading} {charts.drawn_points(self.figure)}".strip()


def chart_of(record: RunRecord, name: str) -> Chart:
    """Return one chart of a report by its id.

    Raises:
        KeyError: If there is none.
    """
    return _makers(record)[name]()


def all_charts(record: RunRecord) -> tuple[Chart, ...]:
    """Return the charts of a report, drawn or not, in their order."""
    return tuple(make() for make in _makers(record).values())


def trail_names(record: RunRecord) -> tuple[str, ...]:
    """Return the ids of the charts that show how evidence grew, one for each criterion of pairs."""
    return tuple(name for name in _makers(record) if name.startswith("trail-"))


def _makers(record: RunRecord) -> dict[str, Callable[[], Chart]]:
    trails = {f"trail-{each.id}": partial(_trail, each) for each in record.criteria() if each.trail}
    return {
        "waterfall": partial(_waterfall, record),
        "connect": partial(_latency, record, "connect", "WebSocket connection under load"),
        "answer": partial(_latency, record, "answer", "Agent response under load"),
        "memory": partial(_memory, record),
        **trails,
        "timeline": partial(_timeline, record),
        "templates": partial(_templates, record),
        "severities": partial(_severities, record),
    }  # fmt: skip


def _waterfall(record: RunRecord) -> Chart:
    example = record.probes.example if record.probes else None
    expected = record.plan.probes.protocol.required_events
    return Chart(
        id="waterfall", title="Events of one answer", figure=charts.event_waterfall(example, expected),
        reading="Each bar is the wait for one event after the one before it, the first after the message.",
        numbers=tables.events(example, expected), absent="No event of an answer was observed.",
    )  # fmt: skip


def _latency(record: RunRecord, kind: str, title: str) -> Chart:
    return Chart(
        id=kind, title=title, numbers=tables.latencies(record.load, f"{kind}_s"),
        figure=charts.latency_ecdf(record.load, f"{kind}_s", record.bound_s(f"load.{kind}_max_s")),
        reading="Share of sessions that took at most so long; what a line lacks to 100 % never came.",
        absent="No session under load was observed.",
    )  # fmt: skip


def _trail(result: CriterionResult) -> Chart:
    numbers = tables.trail(result)
    shown, looks = len(numbers), len(result.trail)
    return Chart(
        id=f"trail-{result.id}", title=result.title, figure=charts.evidence_trail(result), numbers=numbers,
        reading=f"{result.reason[:1].upper()}{result.reason[1:]}.",
        absent="No pair of sessions was observed.",
        left_out=f"{shown} of {looks:,} looks; all are in verdict.json." if shown < looks else "",
    )  # fmt: skip


def _memory(record: RunRecord) -> Chart:
    return Chart(
        id="memory", title="Memory", figure=charts.metric_series(record.series, "memory"),
        reading="A candidate that keeps climbing while the baseline stays level has a leak.",
        numbers=tables.series(record.series, "memory"), absent="No memory series was observed.",
    )  # fmt: skip


def _severities(record: RunRecord) -> Chart:
    return Chart(
        id="severities", title="Log entries at start-up, by severity",
        figure=charts.startup_severities(record.logs),
        reading="Entries in the start-up window of each revision; ERROR and above are listed below.",
        numbers=tables.severities(record.logs), absent="No log entry was observed in a start-up window.",
    )  # fmt: skip


def _timeline(record: RunRecord) -> Chart:
    counted = log_tables.timeline(record.entries)
    return Chart(
        id="timeline", title="Log entries over time", figure=charts.log_timeline(counted, record.moments()),
        reading="Entries of each revision by gravity; dotted lines mark what the run did.",
        numbers=log_tables.gravities(record.entries), absent="No log entry was observed.",
    )  # fmt: skip


def _templates(record: RunRecord) -> Chart:
    found = log_tables.common_templates(record.whole_logs())
    return Chart(
        id="templates", title="Most frequent kinds of message", figure=charts.top_templates(found),
        reading="Messages with ids, times and numbers taken out; both revisions should say the same.",
        numbers=found, absent="No log message was observed.",
    )  # fmt: skip
