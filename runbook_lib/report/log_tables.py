"""Turn what was read of the logs into tables of words, for notebooks and reports."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from runbook_lib.evidence.logs import SEVERITIES, LogsEvidence, LogTemplate, RequestStatistics, weights
from runbook_lib.report import text
from runbook_lib.report.tables import table_of


def novelty(logs: LogsEvidence | None) -> pd.DataFrame:
    """Return one row per template that is new, grown or gone."""
    return table_of(("Change", "Severity", "Candidate", "Baseline", "First", "Template", "Example"), (
        (t.change, t.severity, t.candidate, t.baseline, text.moment(t.first), t.template, t.example)
        for t in changed(logs)
    ))  # fmt: skip


def changed(logs: LogsEvidence | None) -> tuple[LogTemplate, ...]:
    """Return the templates that are new in the candidate, grown or gone, in the step's order."""
    return tuple(t for t in (logs.templates if logs else ()) if t.change in ("new", "grown", "gone"))


def news(logs: LogsEvidence | None) -> str:
    """Return in a sentence how many templates changed."""
    if logs is None:
        return "The logs were not observed"
    if not logs.templates:
        return "There was no line to compare"
    counts = [
        f"{sum(t.change == change for t in logs.templates)} {change}" for change in ("new", "grown", "gone")
    ]
    return f"Kinds of message, candidate against baseline: {', '.join(counts)}, of {len(logs.templates)}"


def common_templates(logs: LogsEvidence | None, most: int = 12) -> pd.DataFrame:
    """Return the most frequent templates: what they are, and their lines on each revision."""
    found = sorted(logs.templates if logs else (), key=lambda t: -(t.candidate + t.baseline))[:most]
    rows = ((t.template, t.severity, t.candidate, t.baseline) for t in found)
    return table_of(("Template", "Severity", "Candidate", "Baseline"), rows)


def requests(statistics: Iterable[RequestStatistics]) -> pd.DataFrame:
    """Return one row per revision: its requests, its errors with their 95 % interval, its latencies."""
    rows = []
    for s in statistics:
        interval = " to ".join(f"{text.number(100 * end)} %" for end in s.interval or ())
        classes = ", ".join(f"{count} {name}" for name, count in s.classes.items())
        waits = (text.milliseconds(s.latency_s.get(name)) for name in ("p50", "p95", "p99", "max"))
        share = text.quantity(s.error_ratio, "ratio")
        rows.append((s.role, s.requests, classes, share, interval or text.NOT_OBSERVED, *waits))
    counted = ("Role", "Requests", "Status", "5xx", "95 % interval")
    return table_of((*counted, "Median", "95th percentile", "99th percentile", "Slowest"), rows)


def log_lines(entries: pd.DataFrame | None, most: int = 300) -> pd.DataFrame:
    """Return the log's lines, oldest first; of too many, those of WARNING and above and the newest others."""
    columns = ("Time", "Severity", "Role", "Log", "Message")
    if entries is None or entries.empty:
        return pd.DataFrame(columns=list(columns))
    grave = entries["severity"].isin(SEVERITIES[SEVERITIES.index("WARNING") :])
    chosen = pd.concat([entries[grave].head(most), entries[~grave].tail(max(0, most - int(grave.sum())))])
    return table_of(columns, (
        (text.moment(row["time"]), row["severity"], row["role"], row["log"],
         text.times(row.get("count", 1), text.shortened(row["message"])))
        for row in chosen.sort_values("time", kind="stable").to_dict("records")
    ))  # fmt: skip


def timeline(entries: pd.DataFrame | None, bins: int = 60) -> pd.DataFrame:
    """Return entries over time: one row per role, span of time and gravity that has any.

    Columns: `role`, `time` (start of the span, UTC), `gravity` (as by `gravity`), `count`, `span_s`.
    """
    if entries is None or entries.empty:
        return pd.DataFrame(columns=["role", "time", "gravity", "count", "span_s"])
    first, last = entries["time"].min(), entries["time"].max()
    span_s = max(1.0, (last - first).total_seconds() / bins)
    place = ((entries["time"] - first).dt.total_seconds() // span_s).astype(int)
    counted = entries.assign(
        time=first + pd.to_timedelta(place * span_s, unit="s"), gravity=entries["severity"].map(gravity)
    )
    tally = counted.assign(count=weights(entries)).groupby(["role", "time", "gravity"], observed=True)[
        "count"
    ]
    return tally.sum().reset_index().assign(span_s=span_s)


def gravity(severity: str) -> str:
    """Return which of three classes a severity belongs to."""
    if severity not in SEVERITIES or SEVERITIES.index(severity) < SEVERITIES.index("WARNING"):
        return "below WARNING"
    return "WARNING" if severity == "WARNING" else "ERROR and above"


def gravities(entries: pd.DataFrame | None) -> pd.DataFrame:
    """Return one row per role and gravity: how many entries, the first and the last of them."""
    if entries is None or entries.empty:
        return pd.DataFrame(columns=["Role", "Gravity", "Entries", "First", "Last"])
    groups = entries.assign(gravity=entries["severity"].map(gravity)).groupby(
        ["role", "gravity"], observed=True
    )
    return table_of(("Role", "Gravity", "Entries", "First", "Last"), (
        (role, name, weights(group).sum(), text.moment(group["time"].min()), text.moment(group["time"].max()))
        for (role, name), group in groups
    ))  # fmt: skip
