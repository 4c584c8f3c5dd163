"""List every metric that a criterion may name, with its unit and the step that measures it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What a metric's name stands for.

    Attributes:
        step: The step whose evidence holds it.
        counts: The value counts the bad ones among the samples.
        leak: It is judged by how fast memory grows, per minute or per session; empty if it is not.
        starts: It may be compared with the starts of earlier runs.
        paired: It is compared pair by pair: a share of bad sessions, a latency, or what may never happen
            (`zero`, whatever the baseline does); empty if it is not.
    """

    unit: str
    step: str
    cell: str
    meaning: str
    counts: bool = False
    paired: Literal["", "share", "latency", "zero"] = ""
    leak: Literal["", "minute", "session"] = ""
    starts: bool = False


METRICS = {
    "deploy.ready": Metric(
        unit="ready", step="deploy", cell="01_deploy#run-deploy",
        meaning="1 when the new revision became ready and its own URL is served, 0 when it did not",
    ),
    "deploy.duration_s": Metric(
        unit="s", step="deploy", cell="01_deploy#run-deploy",
        meaning="from the deploy call to the ready revision",
    ),
    "logs.startup_errors": Metric(
        unit="entries", step="logs", cell="02_logs#run-read-logs",
        meaning="log entries of severity ERROR or above in the start-up window; samples = all entries in it",
    ),
    "logs.novel_errors": Metric(
        unit="templates", step="run_logs", cell="04_metrics#run-read-run-logs",
        meaning="kinds of message of severity ERROR or above that the candidate logged and the baseline did "
        "not, but for known noise; samples = the candidate's entries",
    ),
    "logs.error_ratio": Metric(
        unit="ratio", step="run_logs", cell="04_metrics#run-read-run-logs",
        meaning="share of requests answered 5xx, 0 to 1, by the request log of the whole run",
    ),
    "health.failing_polls": Metric(
        unit="polls", step="probes", cell="03_tests#run-probe", counts=True,
        meaning="requests to the health endpoint not answered 200 with every component healthy",
    ),
    "golden_path.failures": Metric(
        unit="sessions", step="probes", cell="03_tests#run-probe", counts=True,
        meaning="sessions, one at a time, in which login, WebSocket or the agent's response failed",
    ),
    "session.conflicts": Metric(
        unit="sessions", step="probes", cell="03_tests#run-probe", counts=True,
        meaning="sessions open at the same time that share a session id, or were ended because of another",
    ),
    "session.breaches": Metric(
        unit="clauses", step="probes", cell="03_tests#clauses", counts=True,
        meaning="promises about a user's sessions that were broken: two at once, a second login, coming "
        "back, a lost connection, resuming; samples = those that were tried",
    ),
    "auth.breaches": Metric(
        unit="clauses", step="probes", cell="03_tests#clauses", counts=True,
        meaning="handshakes that had to be refused and were not: no token, a forged, expired or logged-out "
        "one, a wrong form; samples = those that were tried",
    ),
    "revision.strangers": Metric(
        unit="answers", step="probes", cell="03_tests#run-probe", counts=True,
        meaning="answers at a revision's own URL that another revision gave; samples = those whose revision "
        "is known, by the service's word or by the request log",
    ),
    "sessions.left_by_probes": Metric(
        unit="sessions", step="probes", cell="03_tests#run-probe",
        meaning="sessions that the service still counts after the probes, of which one was dropped in the "
        "middle of an answer, less those before",
    ),
    "factory.failures": Metric(
        unit="starts", step="probes", cell="03_tests#run-probe", counts=True,
        meaning="agent starts, of every kind, a few at a time and all at once, without the agent asked for",
    ),
    "events.violations": Metric(
        unit="answers", step="probes", cell="03_tests#run-probe", counts=True,
        meaning="answers whose events were missing, doubled, out of order or without a required field",
    ),
    "isolation.leaks": Metric(
        unit="sessions", step="probes", cell="03_tests#run-probe", counts=True,
        meaning="users in whose stream another user's mark, or an event of another user's, appeared",
    ),
    "load.connect_max_s": Metric(
        unit="s", step="metrics", cell="04_metrics#run-measure",
        meaning="slowest WebSocket connection under load, from the intended start to the accepted handshake",
    ),
    "load.answer_max_s": Metric(
        unit="s", step="metrics", cell="04_metrics#run-measure",
        meaning="slowest answer under load, from the message to the final event",
    ),
    "load.failures": Metric(
        unit="sessions", step="metrics", cell="04_metrics#run-measure", counts=True,
        meaning="sessions under load that did not end with an answer",
    ),
    "pairs.failures": Metric(
        unit="ratio", step="metrics", cell="04_metrics#run-pairs", paired="share",
        meaning="share of the sessions under load that did not end with an answer, pair by pair",
    ),
    "pairs.violations": Metric(
        unit="ratio", step="metrics", cell="04_metrics#run-pairs", paired="share",
        meaning="share of the sessions under load whose events broke the contract or never came, by pairs",
    ),
    "pairs.leaks": Metric(
        unit="ratio", step="metrics", cell="04_metrics#run-pairs", paired="zero",
        meaning="share of the sessions under load that received another user's mark or event; one fails",
    ),
    "pairs.connect_s": Metric(
        unit="s", step="metrics", cell="04_metrics#run-pairs", paired="latency",
        meaning="WebSocket connection under load, pair by pair; the value is the median",
    ),
    "pairs.first_event_s": Metric(
        unit="s", step="metrics", cell="04_metrics#run-pairs", paired="latency",
        meaning="from the message to the first event of its answer, pair by pair; the value is the median",
    ),
    "pairs.answer_s": Metric(
        unit="s", step="metrics", cell="04_metrics#run-pairs", paired="latency",
        meaning="from the message to the final event, pair by pair; the value is the median",
    ),
    "requests.error_ratio": Metric(
        unit="ratio", step="metrics", cell="04_metrics#run-measure",
        meaning="share of requests answered 5xx, 0 to 1, by Cloud Monitoring's request_count",
    ),
    "sessions.left_open": Metric(
        unit="sessions", step="metrics", cell="04_metrics#run-measure",
        meaning="sessions that the service still counts after all were closed, less those before the load",
    ),
    "memory.growth_mib": Metric(
        unit="MiB", step="metrics", cell="04_metrics#run-chart-memory",
        meaning="memory after the load less memory before it, each the median of its samples",
    ),
    "memory.leak_kib_per_session": Metric(
        unit="KiB/session", step="metrics", cell="04_metrics#run-chart-memory", leak="session",
        meaning="how much faster the candidate's memory floor rises than the baseline's, by sessions made",
    ),
    "memory.leak_mib_per_minute": Metric(
        unit="MiB/min", step="metrics", cell="04_metrics#run-chart-memory", leak="minute",
        meaning="how much faster the candidate's memory floor rises than the baseline's, by time",
    ),
    "startup.latency_s": Metric(
        unit="s", step="metrics", cell="04_metrics#run-measure", starts=True,
        meaning="median container start-up latency by Cloud Monitoring",
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Clause:
    """One promise about sessions or tokens that the probes put to the test.

    Attributes:
        metric: Which metric counts it when it is broken.
        title: The promise, in words.
    """

    metric: Literal["session.breaches", "auth.breaches"]
    title: str


CLAUSES = {
    "same-user-twice": Clause(
        metric="session.breaches", title="One user can hold two sessions at once, each with its own answers",
    ),
    "second-login": Clause(
        metric="session.breaches", title="A second login leaves the user's open session alone",
    ),
    "reconnect": Clause(metric="session.breaches", title="A user who left can come back at once"),
    "drop-in-mid-stream": Clause(
        metric="session.breaches",
        title="A user whose connection broke gets a session without the rest of the old answer",
    ),
    "resume": Clause(metric="session.breaches", title="A user's own session can be resumed"),
    "resume-of-anothers": Clause(
        metric="session.breaches", title="Nobody can resume another user's session",
    ),
    "no-credentials": Clause(metric="auth.breaches", title="A handshake without credentials is refused"),
    "marker-alone": Clause(
        metric="auth.breaches", title="A handshake with everything but the token is refused",
    ),
    "token-alone": Clause(
        metric="auth.breaches", title="A handshake with the token in another form is refused",
    ),
    "garbage-token": Clause(metric="auth.breaches", title="A text that is no token is refused"),
    "forged-signature": Clause(
        metric="auth.breaches", title="A token whose signature was altered is refused",
    ),
    "unsigned-token": Clause(metric="auth.breaches", title="A token without a signature is refused"),
    "anothers-claims": Clause(
        metric="auth.breaches", title="A token with another user's claims is refused",
    ),
    "expired-token": Clause(metric="auth.breaches", title="A token that has expired is refused"),
    "logged-out-token": Clause(metric="auth.breaches", title="A token that was logged out is refused"),
}  # fmt: skip


def suite_metric(suite_id: str) -> str:
    """Return the name of the metric that counts the failed tests of one suite."""
    return f"suite.{suite_id}.failures"


SUITE = Metric(
    unit="tests", step="suites", cell="03_tests#run-run-suites", counts=True,
    meaning="failed tests of one suite; samples = tests that reached the candidate; hollow ones are missing",
)  # fmt: skip


def describe(metric: str) -> Metric:
    """Return what `metric` stands for.

    Raises:
        KeyError: If there is no such metric.
    """
    return SUITE if metric.startswith("suite.") else METRICS[metric]
