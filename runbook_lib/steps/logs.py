"""Read the log entries of both revisions' start-up windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

import pandas as pd

from runbook_lib.evidence import (
    DeployEvidence,
    LogFinding,
    LogsEvidence,
    Measurement,
    RevisionState,
    Role,
    Window,
)
from runbook_lib.plan import Plan
from runbook_lib.ports import LogQuery, Ports
from runbook_lib.steps.measuring import measurement

SEVERE = ("ERROR", "CRITICAL", "ALERT", "EMERGENCY")
ROLES: tuple[Role, ...] = get_args(Role)
_EVIDENCE = ("evidence/logs.json", "evidence/logs.parquet")
_COLUMNS = (
    "time", "severity", "revision", "log", "message", "status", "latency_s", "user_agent", "trace",
    "insert_id", "role",
)  # fmt: skip
_MAX_FINDINGS = 50
_MAX_MESSAGE = 2000


@dataclass(frozen=True, kw_only=True)
class LogsObservation:
    """The step's evidence and its table: the columns of `ports.Logs.read`, and `role`."""

    evidence: LogsEvidence
    entries: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class _Startup:
    """A revision's start-up: from its creation until it had settled, and the settle time on top."""

    role: Role
    revision: str
    window: Window


def read_logs(plan: Plan, deployed: DeployEvidence, ports: Ports) -> LogsObservation:
    """Wait until the start-up windows are complete, then read them.

    Raises:
        CloudError: If Cloud Logging does not answer.
    """
    start = ports.clock.now()
    settle = timedelta(seconds=plan.logs.settle_s)
    startups = _startups(plan, deployed, start)
    latest = max((startup.window.end for startup in startups), default=start)
    ports.clock.sleep((latest + settle - ports.clock.now()).total_seconds())
    read_at = ports.clock.now()
    entries = _entries(plan, startups, ports)
    window = Window(start=start, end=ports.clock.now())
    evidence = LogsEvidence(
        window=window,
        measurements=tuple(_startup_errors(role, startups, entries, window) for role in ROLES),
        counts={role: _counts(entries, role) for role in ROLES},
        findings=_findings(entries),
        complete_until=read_at - settle,
    )
    return LogsObservation(evidence=evidence, entries=entries)


def _startups(plan: Plan, deployed: DeployEvidence, now: datetime) -> tuple[_Startup, ...]:
    oldest = now - timedelta(days=plan.logs.lookback_days)
    states: dict[Role, RevisionState | None] = {
        "candidate": deployed.candidate,
        "baseline": deployed.baseline,
    }
    return tuple(
        _Startup(role=role, revision=state.name, window=_startup_window(plan, state, now))
        for role, state in states.items()
        if state and state.created >= oldest
    )


def _startup_window(plan: Plan, state: RevisionState, now: datetime) -> Window:
    end = (state.settled or now) + timedelta(seconds=plan.logs.settle_s)
    return Window(start=state.created, end=end)


def _entries(plan: Plan, startups: Sequence[_Startup], ports: Ports) -> pd.DataFrame:
    tables = [
        ports.logs.read(
            LogQuery(
                revision=startup.revision,
                start=startup.window.start,
                end=startup.window.end,
                extra_filter=plan.logs.filter,
                limit=plan.logs.max_entries,
            )
        ).assign(role=startup.role)
        for startup in startups
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=_COLUMNS)


def _startup_errors(
    role: Role, startups: Sequence[_Startup], entries: pd.DataFrame, now: Window
) -> Measurement:
    startup = next((startup for startup in startups if startup.role == role), None)
    mine = entries[entries["role"] == role]
    severe = mine[mine["severity"].isin(SEVERE)]
    return measurement(
        "logs.startup_errors",
        role,
        startup.window if startup else now,
        float(len(severe)),
        len(mine),
        note=_note(startup, mine, severe),
        evidence=_EVIDENCE,
    )


def _note(startup: _Startup | None, mine: pd.DataFrame, severe: pd.DataFrame) -> str:
    if startup is None:
        return "there is no such revision, or it started before the look-back"
    if mine.empty:
        return f"{startup.revision} wrote no log entry in its start-up window"
    return str(severe.iloc[0]["message"])[:200] if len(severe) else ""


def _counts(entries: pd.DataFrame, role: Role) -> dict[str, int]:
    counts = entries.loc[entries["role"] == role, "severity"].value_counts()
    return {str(severity): int(count) for severity, count in counts.items()}


def _findings(entries: pd.DataFrame) -> tuple[LogFinding, ...]:
    severe = entries[entries["severity"].isin(SEVERE)].head(_MAX_FINDINGS)
    return tuple(
        LogFinding(
            time=row["time"],
            severity=row["severity"],
            role=row["role"],
            message=row["message"][:_MAX_MESSAGE],
        )
        for row in severe.to_dict("records")
    )
