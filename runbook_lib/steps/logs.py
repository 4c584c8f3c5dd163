"""Read the log entries of both revisions' start-up windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from runbook_lib.evidence import DeployEvidence, Measurement, RevisionState, Role, Window
from runbook_lib.evidence.logs import LogsEvidence, weights
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports
from runbook_lib.sessions import OUR_AGENT
from runbook_lib.steps.log_novelty import compare
from runbook_lib.steps.log_reading import (
    ROLES,
    Reading,
    Span,
    counts,
    findings,
    read_spans,
    revisions,
    severe,
)
from runbook_lib.steps.measuring import measurement

_EVIDENCE = ("evidence/logs.json", "evidence/logs.parquet")


@dataclass(frozen=True, kw_only=True)
class LogsObservation:
    """The step's evidence and its table: the columns of `ports.logs.Logs.read`, and `role`."""

    evidence: LogsEvidence
    entries: pd.DataFrame


def read_logs(plan: Plan, deployed: DeployEvidence, ports: Ports) -> LogsObservation:
    """Wait until the start-up windows are complete, then read them.

    Raises:
        CloudError: If Cloud Logging does not answer.
    """
    start = ports.clock.now()
    spans = startups(plan, deployed, start)
    reading = read_spans(plan, spans, ports)
    window = Window(start=start, end=ports.clock.now())
    found = tuple(_startup_errors(role, spans, reading, window) for role in ROLES)
    evidence = logs_evidence(plan, reading, window).model_copy(update={"measurements": found})
    return LogsObservation(evidence=evidence, entries=reading.entries)


def logs_evidence(plan: Plan, reading: Reading, window: Window) -> LogsEvidence:
    """Return the evidence that a reading is, still without measurements."""
    return LogsEvidence(
        window=window,
        notes=reading.notes,
        counts=counts(reading.entries),
        findings=findings(reading.entries),
        templates=compare(reading.entries, plan.logs.known_noise),
        complete_until=reading.complete_until,
        latest_arrival_s=reading.latest_arrival_s,
        read_requests=reading.usage.requests,
        waited_s=reading.usage.waited_s,
        repeated=reading.usage.repeated,
        counted=reading.counted,
        queries=reading.usage.queries,
        scanned_bytes=reading.usage.scanned_bytes,
    )


def startups(plan: Plan, deployed: DeployEvidence, now: datetime) -> tuple[Span, ...]:
    """Return each revision's start-up: from its creation until it had settled, and the settle time on top."""
    oldest = now - timedelta(days=plan.logs.lookback_days)
    return tuple(
        Span(role=role, revision=state.name, window=_startup_window(plan, state, now))
        for role, state in revisions(deployed).items()
        if state.created >= oldest
    )


def _startup_window(plan: Plan, state: RevisionState, now: datetime) -> Window:
    end = (state.settled or now) + timedelta(seconds=plan.logs.settle_s)
    return Window(start=state.created, end=end)


def _startup_errors(role: Role, spans: Sequence[Span], reading: Reading, now: Window) -> Measurement:
    span = next((span for span in spans if span.role == role), None)
    mine = reading.entries[reading.entries["role"] == role]
    bad = severe(mine[~_asked_by_us(mine)])
    return measurement(
        "logs.startup_errors",
        role,
        span.window if span else now,
        float(weights(bad).sum()),
        int(weights(mine).sum()),
        missing=int(role in reading.cut),
        note=_note(span, mine, bad),
        evidence=_EVIDENCE,
    )


def _asked_by_us(entries: pd.DataFrame) -> pd.Series[bool]:
    """Say which entries are of requests that the deployment's own checks have made: no part of a start-up."""
    return entries["user_agent"].fillna("").astype(str).str.startswith(OUR_AGENT)


def _note(span: Span | None, mine: pd.DataFrame, bad: pd.DataFrame) -> str:
    if span is None:
        return "there is no such revision, or it started before the look-back"
    if mine.empty:
        return f"{span.revision} wrote no log entry in its start-up window"
    return str(bad.iloc[0]["message"])[:200] if len(bad) else ""
