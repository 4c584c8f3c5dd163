"""Read what both revisions logged in the whole run, and compare it: what is new, and how requests ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pandas as pd

from runbook_lib.evidence import DeployEvidence, Measurement, Window
from runbook_lib.evidence.logs import LogsEvidence, RequestStatistics, weights
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports
from runbook_lib.steps.log_novelty import novel_errors
from runbook_lib.steps.log_reading import ROLES, Reading, Span, read_spans, revisions
from runbook_lib.steps.log_requests import statistics
from runbook_lib.steps.logs import LogsObservation, logs_evidence, startups
from runbook_lib.steps.measuring import measurement

_EVIDENCE = ("evidence/run_logs.json", "evidence/run_logs.parquet")


def read_run_logs(
    plan: Plan, deployed: DeployEvidence, started: pd.DataFrame | None, ports: Ports
) -> LogsObservation:
    """Read both revisions' entries from the candidate's creation until now, and both start-ups.

    Args:
        started: What the step `logs` has read; those entries are not read again. None if it was not run.

    Raises:
        CloudError: If Cloud Logging does not answer.
    """
    start = ports.clock.now()
    reading = _joined(started, read_spans(plan, _spans(plan, deployed, started, start), ports))
    window = Window(start=start, end=ports.clock.now())
    evidence = logs_evidence(plan, reading, window)
    requests = tuple(statistics(reading.entries, role) for role in ROLES)
    found = (
        _novel_errors(evidence, reading, window),
        *(_error_ratio(each, window, reading) for each in requests),
    )
    notes = (*evidence.notes, *_silences(deployed, reading))
    whole = evidence.model_copy(update={"measurements": found, "requests": requests, "notes": notes})
    return LogsObservation(evidence=whole, entries=reading.entries)


def _spans(
    plan: Plan, deployed: DeployEvidence, started: pd.DataFrame | None, now: datetime
) -> tuple[Span, ...]:
    """Return what is still to be read: each revision's start-up, unless it was, and its time since."""
    begun = startups(plan, deployed, now)
    since = deployed.candidate.created if deployed.candidate else deployed.window.start
    ends = {span.role: span.window.end for span in begun}
    rest = tuple(
        Span(role=role, revision=state.name, window=Window(start=max(since, ends.get(role, since)), end=now))
        for role, state in revisions(deployed).items()
    )
    spans = rest if started is not None else (*begun, *rest)
    return tuple(span for span in spans if span.window.seconds > 0)


def _joined(started: pd.DataFrame | None, reading: Reading) -> Reading:
    if started is None:
        return reading
    entries = pd.concat([started, reading.entries], ignore_index=True)
    in_order = entries.sort_values("time", kind="stable", ignore_index=True)
    return replace(reading, entries=in_order.drop_duplicates(["time", "log", "insert_id"]))


def _novel_errors(evidence: LogsEvidence, reading: Reading, window: Window) -> Measurement:
    lines = reading.entries[reading.entries["log"] != "requests"]
    mine, theirs = (int(weights(lines[lines["role"] == role]).sum()) for role in ROLES)
    new = novel_errors(evidence.templates)
    silent = "" if mine and theirs else "one of the revisions logged nothing that could be compared"
    return measurement(
        "logs.novel_errors",
        "candidate",
        window,
        float(len(new)),
        mine if theirs else 0,
        missing=len(reading.cut),
        note=silent or (new[0].example[:200] if new else ""),
        evidence=_EVIDENCE,
    )


def _error_ratio(requests: RequestStatistics, window: Window, reading: Reading) -> Measurement:
    return measurement(
        "logs.error_ratio",
        requests.role,
        window,
        requests.error_ratio,
        requests.requests,
        missing=int(requests.role in reading.cut),
        evidence=_EVIDENCE,
    )


def _silences(deployed: DeployEvidence, reading: Reading) -> Sequence[str]:
    return [
        f"{state.name} wrote no log entry in the whole run"
        for role, state in revisions(deployed).items()
        if not (reading.entries["role"] == role).any()
    ]
