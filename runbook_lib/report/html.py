"""Render a run as one HTML file that needs no network and in which nothing that was observed can act."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import plotly
import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from runbook_lib.redact import MASK, secrets_of
from runbook_lib.report import charts, log_tables, probe_tables, suite_tables, tables, text
from runbook_lib.report.record import RunRecord


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure with what a reader needs where it cannot be drawn.

    Attributes:
        reading: How to read it, in one sentence.
        figure: None where there was nothing to draw; then `absent` says so.
        numbers: The same as a table.
    """

    id: str
    title: str
    reading: str
    figure: go.Figure | None
    numbers: pd.DataFrame
    absent: str


def render(record: RunRecord) -> str:
    """Return the content of `report.html`."""
    drawn = all_charts(record)
    loader = _template_file("loader.js")
    return _environment().get_template("report.html.j2").render(
        record=record,
        charts={chart.id: chart for chart in drawn},
        trails=[chart.id for chart in drawn if chart.id.startswith("trail-")],
        tables=tables,
        suite_tables=suite_tables,
        log_tables=log_tables,
        probe_tables=probe_tables,
        text=text,
        parameters=masked_parameters(record),
        style=Markup(_template_file("report.css")),  # noqa: S704 - our own file
        loader=Markup(loader),  # noqa: S704 - our own file
        loader_hash=_csp_hash(loader),
        plotly_bundle=_plotly_bundle() if any(chart.figure for chart in drawn) else "",
        figures=inert_json(drawn),
    )  # fmt: skip


def all_charts(record: RunRecord) -> tuple[Chart, ...]:
    """Return the charts of a report, drawn or not, in their order."""
    return (
        _waterfall(record), *_latencies(record), *_trails(record), _memory(record), _severities(record),
        _timeline(record), _templates(record),
    )  # fmt: skip


def masked_parameters(record: RunRecord) -> dict[str, str]:
    """Return the run's parameters with secrets masked, by their names and by their shapes."""
    secrets = secrets_of(record.parameters)
    return {
        text.clean(name): MASK if secrets_of({name: MASK}) else text.clean(value, secrets)
        for name, value in record.parameters.items()
    }


def link(path: str) -> str:
    """Return `path` as a link relative to the report; empty if it would leave the run folder."""
    parts = path.split("/")
    return "" if path.startswith("/") or ".." in parts or "\\" in path else quote(path)


def cell_link(cell: str) -> str:
    """Return the link to a cell such as `03_tests#golden-path` in the executed notebook."""
    notebook, _, anchor = cell.partition("#")
    return f"{link(f'notebooks/{notebook}.ipynb')}#{quote(anchor)}" if notebook else ""


def inert_json(drawn: Sequence[Chart]) -> Markup:
    """Return the figures by chart id as JSON that cannot end the element it stands in."""
    figures = {chart.id: json.loads(chart.figure.to_json()) for chart in drawn if chart.figure}
    inert = json.dumps(figures).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(inert)  # noqa: S704 - no character is left in it that HTML could read


def _waterfall(record: RunRecord) -> Chart:
    example = record.probes.example if record.probes else None
    expected = record.plan.probes.protocol.required_events
    return Chart(
        id="waterfall", title="Events of one answer", figure=charts.event_waterfall(example, expected),
        reading="Each bar is the wait for one event after the one before it, the first after the message.",
        numbers=tables.events(example, expected), absent="No event of an answer was observed.",
    )  # fmt: skip


def _latencies(record: RunRecord) -> Sequence[Chart]:
    kinds = (("connect", "WebSocket connection under load"), ("answer", "Agent response under load"))
    return [
        Chart(
            id=kind, title=title, numbers=tables.latencies(record.load, f"{kind}_s"),
            figure=charts.latency_ecdf(record.load, f"{kind}_s", record.bound_s(f"load.{kind}_max_s")),
            reading="Share of sessions that took at most so long; what a line lacks to 100 % never came.",
            absent="No session under load was observed.",
        )
        for kind, title in kinds
    ]  # fmt: skip


def _trails(record: RunRecord) -> Sequence[Chart]:
    return [
        Chart(
            id=f"trail-{result.id}", title=result.title, figure=charts.evidence_trail(result),
            reading=f"{result.reason[:1].upper()}{result.reason[1:]}.", numbers=tables.trail(result),
            absent="No pair of sessions was observed.",
        )
        for result in record.criteria() if result.trail
    ]  # fmt: skip


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


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("runbook_lib.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(link=link, cell_link=cell_link)
    return environment


def _finalize(value: object) -> object:
    """Clean everything that a template prints but our own markup; an absent value says that it is."""
    if value is None:
        return text.NOT_OBSERVED
    return text.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _template_file(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


def _csp_hash(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


@lru_cache(maxsize=1)
def _plotly_bundle() -> Markup:
    source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    return Markup(base64.b64encode(gzip.compress(source.read_bytes(), mtime=0)).decode())  # noqa: S704 - base64
