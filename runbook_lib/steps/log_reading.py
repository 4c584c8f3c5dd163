"""Read log entries of both revisions once they are complete, and say what is not as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

import pandas as pd

from runbook_lib.evidence import DeployEvidence, RevisionState, Role, Window
from runbook_lib.evidence_logs import SEVERE, LogFinding
from runbook_lib.plan import Plan
from runbook_lib.ports import LogQuery, LogUsage, Ports

ROLES: tuple[Role, ...] = get_args(Role)
COLUMNS = (
    "time", "severity", "revision", "log", "message", "stack", "status", "latency_s", "user_agent", "trace",
    "instance", "late_s", "insert_id", "role",
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
class Reading:
    """What was read.

    Attributes:
        entries: One row per entry; the columns of `ports.Logs.read`, and `role`.
        complete_until: As in `evidence.LogsEvidence`.
        latest_arrival_s: As there.
        cut: Roles of which there are more entries than the plan lets be read.
        notes: What a reader must know of it, one sentence each.
    """

    entries: pd.DataFrame
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
    read_at, before = ports.clock.now(), ports.logs.usage()
    tables = [ports.logs.read(_query(plan, span)).assign(role=span.role) for span in spans]
    entries = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))
    usage = ports.logs.usage().since(before)
    full = [span for span, table in zip(spans, tables, strict=True) if len(table) >= plan.logs.max_entries]
    late_s = float(entries["late_s"].max()) if len(entries) else None
    return Reading(
        entries=entries,
        usage=usage,
        complete_until=read_at - settle,
        latest_arrival_s=late_s,
        cut=frozenset(span.role for span in full),
        notes=(*_cut(plan, full), *_late(plan, late_s), *_cost(usage)),
    )


def revisions(deployed: DeployEvidence) -> dict[Role, RevisionState]:
    """Return the revisions that there are, by role."""
    states: dict[Role, RevisionState | None] = {
        "candidate": deployed.candidate,
        "baseline": deployed.baseline,
    }
    return {role: state for role, state in states.items() if state}


def counts(entries: pd.DataFrame) -> dict[Role, dict[str, int]]:
    """Return severity to number of entries, for each role."""
    tallies = {role: entries.loc[entries["role"] == role, "severity"].value_counts() for role in ROLES}
    return {role: {str(name): int(count) for name, count in tally.items()} for role, tally in tallies.items()}


def severe(entries: pd.DataFrame) -> pd.DataFrame:
    """Return the entries of severity ERROR and above."""
    return entries[entries["severity"].isin(SEVERE)]


def findings(entries: pd.DataFrame) -> tuple[LogFinding, ...]:
    """Return the entries of severity ERROR and above, in their order, at most 50."""
    return tuple(
        LogFinding(
            time=row["time"], severity=row["severity"], role=row["role"],
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


def _cut(plan: Plan, full: Sequence[Span]) -> list[str]:
    most = f"{plan.logs.max_entries:,}"
    return [
        f"only the oldest {most} entries of {span.revision} were read: "
        "narrow logs.filter or raise logs.max_entries"
        for span in full
    ]


def _late(plan: Plan, late_s: float | None) -> list[str]:
    if late_s is None or late_s <= plan.logs.settle_s:
        return []
    return [
        f"an entry arrived {late_s:.1f} s late, after logs.settle_s of {plan.logs.settle_s:g} s: "
        "others may be missing; raise it"
    ]


def _cost(usage: LogUsage) -> list[str]:
    waited = (
        f"{usage.requests} read requests waited {usage.waited_s:.0f} s for Cloud Logging's quota"
        if usage.waited_s
        else ""
    )
    repeated = f"{usage.repeated} entries were delivered twice and count once" if usage.repeated else ""
    return [note for note in (waited, repeated) if note]
