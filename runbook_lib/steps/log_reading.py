"""Read log entries of both revisions once they are complete, and say what is not as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

import pandas as pd

from runbook_lib.evidence import DeployEvidence, RevisionState, Role, Window
from runbook_lib.evidence.logs import SEVERE, LogFinding, weights
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports
from runbook_lib.ports.logs import LogDigest, LogQuery, LogUsage

ROLES: tuple[Role, ...] = get_args(Role)
COLUMNS = (
    "time", "severity", "revision", "log", "message", "stack", "status", "latency_s", "user_agent", "trace",
    "instance", "late_s", "insert_id", "count", "role",
)  # fmt: skip
_MAX_FINDINGS = 50
_MAX_MESSAGE = 2000


@dataclass(frozen=True, kw_only=True)
class Span:
    """Which entries are read: of one revision, in one window."""

    role: Role
    revision: str
    window: Window


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One span's rows, of how many entries there are, and how they were had."""

    span: Span
    rows: pd.DataFrame
    total: int
    digest: LogDigest | None = None

    @property
    def cut(self) -> bool:
        return self.total > int(self.rows["count"].sum())


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was read.

    Attributes:
        entries: One row per entry, or per kind of entry; the columns of `ports.logs.Logs.read`, `count`
            (entries that a row stands for) and `role`.
        counted: Entries that were counted on the server's side, of each role where so.
        complete_until: As in `evidence.LogsEvidence`.
        latest_arrival_s: As there.
        cut: Roles of which there are more entries than the plan lets be read.
        notes: What a reader must know of it, one sentence each.
    """

    entries: pd.DataFrame
    counted: dict[Role, int]
    usage: LogUsage
    complete_until: datetime
    latest_arrival_s: float | None
    cut: frozenset[Role]
    notes: tuple[str, ...]


def read_spans(plan: Plan, spans: Sequence[Span], ports: Ports) -> Reading:
    """Wait until late entries have arrived, then read the spans, each entry once.

    Raises:
        CloudError: If Cloud Logging does not answer.
    """
    settle = timedelta(seconds=plan.logs.settle_s)
    latest = max((span.window.end for span in spans), default=ports.clock.now())
    ports.clock.sleep((latest + settle - ports.clock.now()).total_seconds())
    read_at, before = ports.clock.now(), _usage(ports)
    parts = [_part(plan, span, ports) for span in spans]
    tables = [part.rows.assign(role=part.span.role) for part in parts]
    entries = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))
    usage = _usage(ports).since(before)
    late_s = float(entries["late_s"].max()) if len(entries) else None
    return Reading(
        entries=entries,
        counted=_counted(parts),
        usage=usage,
        complete_until=read_at - settle,
        latest_arrival_s=late_s,
        cut=frozenset(part.span.role for part in parts if part.cut),
        notes=_notes(plan, parts, late_s, usage),
    )


def _notes(plan: Plan, parts: Sequence[_Part], late_s: float | None, usage: LogUsage) -> tuple[str, ...]:
    notes = (*map(_cut, parts), *map(_digested, parts), _late(plan, late_s), *_cost(usage))
    return tuple(note for note in notes if note)


def _part(plan: Plan, span: Span, ports: Ports) -> _Part:
    """Have a span counted where there is more than may be read and somebody to count it; else read it."""
    query, most = _query(plan, span), plan.logs.max_entries
    if ports.analytics and ports.analytics.count(query) > most:
        digest = ports.analytics.digest(query)
        return _Part(span=span, rows=digest.entries, total=digest.total, digest=digest)
    rows = ports.logs.read(query).assign(count=1)
    more = len(rows) >= most and not ports.analytics
    return _Part(span=span, rows=rows, total=len(rows) + more)


def _usage(ports: Ports) -> LogUsage:
    return ports.logs.usage().plus(ports.analytics.usage()) if ports.analytics else ports.logs.usage()


def _counted(parts: Sequence[_Part]) -> dict[Role, int]:
    found: dict[Role, int] = {}
    for part in parts:
        if part.digest:
            found[part.span.role] = found.get(part.span.role, 0) + part.total
    return found


def revisions(deployed: DeployEvidence) -> dict[Role, RevisionState]:
    """Return the revisions that there are, by role."""
    states: dict[Role, RevisionState | None] = {
        "candidate": deployed.candidate,
        "baseline": deployed.baseline,
    }
    return {role: state for role, state in states.items() if state}


def counts(entries: pd.DataFrame) -> dict[Role, dict[str, int]]:
    """Return severity to number of entries, for each role."""
    tallies = {
        role: weights(rows := entries[entries["role"] == role]).groupby(rows["severity"]).sum()
        for role in ROLES
    }
    return {role: {str(name): int(count) for name, count in tally.items()} for role, tally in tallies.items()}


def severe(entries: pd.DataFrame) -> pd.DataFrame:
    """Return the entries of severity ERROR and above."""
    return entries[entries["severity"].isin(SEVERE)]


def findings(entries: pd.DataFrame) -> tuple[LogFinding, ...]:
    """Return the entries of severity ERROR and above, in their order, at most 50."""
    return tuple(
        LogFinding(
            time=row["time"], severity=row["severity"], role=row["role"], count=row["count"],
            message=shortened("\n".join(filter(None, (row["message"], row["stack"])))),
        )
        for row in severe(entries).head(_MAX_FINDINGS).to_dict("records")
    )  # fmt: skip


def shortened(message: str) -> str:
    """Return a message that a report can show; what is left out is counted."""
    left = len(message) - _MAX_MESSAGE
    return message if left <= 0 else f"{message[:_MAX_MESSAGE]}… and {left:,} characters more"


def _query(plan: Plan, span: Span) -> LogQuery:
    return LogQuery(
        revision=span.revision,
        start=span.window.start,
        end=span.window.end,
        extra_filter=plan.logs.filter,
        limit=plan.logs.max_entries,
    )


def _cut(part: _Part) -> str:
    if not part.cut:
        return ""
    have, revision = int(part.rows["count"].sum()), part.span.revision
    if part.digest:
        return f"{part.total - have:,} of {part.total:,} entries of {revision} are of kinds too rare to list"
    return (
        f"only the oldest {have:,} entries of {revision} were read: narrow logs.filter, "
        "raise logs.max_entries, or have them counted by logs.analytics"
    )


def _digested(part: _Part) -> str:
    if not part.digest:
        return ""
    return (
        f"{part.total:,} entries of {part.span.revision} were counted by BigQuery and not read: each kind of "
        f"entry stands with its first one; times are good to {part.digest.slice_s:.0f} s, latencies to "
        f"{part.digest.latency_share:.0%}"
    )


def _late(plan: Plan, late_s: float | None) -> str:
    if late_s is None or late_s <= plan.logs.settle_s:
        return ""
    return (
        f"an entry arrived {late_s:.1f} s late, after logs.settle_s of {plan.logs.settle_s:g} s: "
        "others may be missing; raise it"
    )


def _cost(usage: LogUsage) -> list[str]:
    waited = (
        f"{usage.requests} read requests waited {usage.waited_s:.0f} s for Cloud Logging's quota"
        if usage.waited_s
        else ""
    )
    repeated = f"{usage.repeated} entries were delivered twice and count once" if usage.repeated else ""
    scanned = (
        f"{usage.queries} queries of BigQuery scanned {usage.scanned_bytes / 2**20:,.1f} MiB"
        if usage.queries
        else ""
    )
    return [waited, repeated, scanned]
