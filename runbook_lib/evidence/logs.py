"""Define what reading the logs leaves behind: counts, findings, kinds of messages, request statistics."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from runbook_lib.evidence import Record, Role, StepEvidence

if TYPE_CHECKING:
    import pandas as pd

SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")
"""From the least to the gravest."""
SEVERE = SEVERITIES[SEVERITIES.index("ERROR") :]


def weights(entries: pd.DataFrame) -> pd.Series[int]:
    """Return how many log entries each row stands for: `count`, or 1 where every row is an entry."""
    import pandas as pd  # who only checks a plan needs no tables

    return entries["count"] if "count" in entries else pd.Series(1, index=entries.index)


class LogFinding(Record):
    """One log line worth a person's time."""

    time: datetime
    severity: str
    role: Role
    message: str
    count: int = 1
    """How many of its kind there were, where they were counted and not read."""


TemplateChange = Literal["new", "grown", "gone", "same", "known"]


class LogTemplate(Record):
    """What is common to many log messages: their text with ids, times and numbers taken out.

    Attributes:
        change: `new` and `gone` compare with the baseline, `grown` is a larger share of the lines than chance
            explains, `known` is listed as noise in the plan.
        severity: The worst of its lines.
        candidate: Lines of the candidate; `baseline` likewise.
        first: When it first came, on the candidate if it came there.
        example: The message that came first, shortened.
        stack: The stack trace of the example, shortened; empty where it has none.
    """

    template: str
    change: TemplateChange
    severity: str
    candidate: int
    baseline: int
    first: datetime
    example: str
    stack: str = ""


class RequestStatistics(Record):
    """What the request log says of one revision.

    Attributes:
        classes: Status class, e.g. `2xx`, to number of requests.
        error_ratio: Share of requests answered 5xx, 0 to 1; None where there was no request.
        interval: Where that share is with 95 % confidence.
        latency_s: Quantile (`p50`, `p95`, `p99`, `max`) to seconds, of requests but WebSocket sessions.
    """

    role: Role
    requests: int
    classes: dict[str, int] = {}
    error_ratio: float | None = None
    interval: tuple[float, float] | None = None
    latency_s: dict[str, float] = {}


class LogsEvidence(StepEvidence):
    """Log entries of both revisions, by severity and by template; the lines are in the step's Parquet file.

    Attributes:
        counts: Severity to number of entries, for each role.
        findings: Entries of severity ERROR and above, oldest first, at most 50.
        templates: What the lines say, the candidate's news first, at most 200.
        requests: The request logs' statistics.
        complete_until: The logs are taken as complete up to this moment (read time less the settle time).
        latest_arrival_s: How late the latest entry arrived; None without entries.
        read_requests: Requests that reading took.
        waited_s: How long these waited for the API's read quota.
        repeated: Entries that were delivered more than once; they count once.
        counted: Entries that were counted on the server's side and not read, of each role where so.
        queries: Queries that this took.
        scanned_bytes: What these were charged for.
    """

    counts: dict[Role, dict[str, int]]
    findings: tuple[LogFinding, ...] = ()
    templates: tuple[LogTemplate, ...] = ()
    requests: tuple[RequestStatistics, ...] = ()
    complete_until: datetime
    latest_arrival_s: float | None = None
    read_requests: int = 0
    waited_s: float = 0.0
    repeated: int = 0
    counted: dict[Role, int] = {}
    queries: int = 0
    scanned_bytes: int = 0
