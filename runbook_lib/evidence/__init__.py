"""Define what steps observe: frozen records, kept as JSON, read back strictly."""

from __future__ import annotations

from dataclasses import KW_ONLY
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from runbook_lib.light_record import light_record


class Record(BaseModel):
    """Base of all evidence: immutable, and unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Role = Literal["candidate", "baseline"]
ROLES: tuple[Role, Role] = ("candidate", "baseline")


class Window(Record):
    """A span of wall time, UTC; `start` is in it, `end` is not."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return (self.end - self.start).total_seconds()


class Measurement(Record):
    """One aggregated value of one metric on one revision.

    Attributes:
        metric: A name of `catalogue.METRICS`, or `suite.<id>.failures`.
        role: Which revision it was measured on.
        unit: Unit of `value`.
        value: The value; None when there was no data, never zero in its place.
        samples: How many observations `value` rests on.
        failed: Attempts that the service itself ended before they gave a value (refused, dropped, timed out).
        own: How much of `value` may be the observer's own doing, e.g. the lag of a starved client, in `unit`.
        missing: Observations that were due and were not made (skipped, hollow, lost); they are no evidence.
        window: When it was observed.
        note: In a few words, the worst example, or why there is no data.
        evidence: Files below the run folder that hold the samples.
        cell: Notebook and cell that show them, by its id, e.g. `03_tests#run-probe`.
    """

    metric: str
    role: Role
    unit: str
    value: float | None = Field(allow_inf_nan=False)
    samples: int = Field(ge=0)
    failed: int = Field(default=0, ge=0)
    own: float = Field(default=0, ge=0, allow_inf_nan=False)
    missing: int = Field(default=0, ge=0)
    window: Window
    note: str = ""
    evidence: tuple[str, ...] = ()
    cell: str = ""


class StepEvidence(Record):
    """What one step leaves behind; every step's record extends it."""

    window: Window
    measurements: tuple[Measurement, ...] = ()
    notes: tuple[str, ...] = ()


class TrafficShare(Record):
    """One row of a service's traffic table. `percent` is 0 to 100; `url` is that of the tag, if any."""

    revision: str
    percent: int
    tag: str = ""
    url: str = ""


class RevisionState(Record):
    """A revision as the cloud describes it.

    Attributes:
        ready: None while the cloud has not decided.
        settled: When that was decided, i.e. the Ready condition's last change; None before.
        memory_limit_mib: Memory limit of its first container; None where it has none.
        deployment: Idempotency key of the deployment that made it; empty where the runbook did not.
    """

    name: str
    image: str
    created: datetime
    ready: bool | None
    settled: datetime | None = None
    message: str = ""
    memory_limit_mib: float | None = None
    deployment: str = ""


class ServiceState(Record):
    """A service as the cloud describes it; `traffic` is what is served, not what was asked for."""

    name: str
    url: str
    generation: int
    traffic: tuple[TrafficShare, ...]
    latest_created: str
    latest_ready: str
    reconciling: bool = False
    message: str = ""

    def tag_url(self, tag: str) -> str:
        """Return the URL of `tag`, or an empty text where there is none."""
        return next((share.url for share in self.traffic if share.tag == tag), "")

    def percent_of(self, revision: str) -> int:
        """Return a revision's share of the traffic, all its rows together."""
        return sum(share.percent for share in self.traffic if share.revision == revision)

    def serving(self) -> str:
        """Return the revision with the largest share of the traffic, or an empty text."""
        best = max(self.traffic, key=lambda share: share.percent, default=None)
        return best.revision if best and best.percent else ""


class DeployEvidence(StepEvidence):
    """What happened when the candidate was deployed.

    Attributes:
        service_url: URL of the service, served by its traffic table.
        candidate: The candidate's state; None where no revision came into being.
        baseline: The revision that served before; None for a service's first revision.
        candidate_url: Reaches the candidate alone; empty where it never became ready.
        baseline_url: Reaches the baseline alone.
        traffic: The traffic table after the step.
        how: The image or the command line that was deployed.
        output: Last lines of the deploy command, redacted.
    """

    service_url: str
    candidate: RevisionState | None
    baseline: RevisionState | None
    candidate_url: str = ""
    baseline_url: str = ""
    traffic: tuple[TrafficShare, ...] = ()
    how: str = ""
    output: str = ""


SessionStatus = Literal[
    "answered", "login_failed", "handshake_rejected", "connect_timeout", "answer_timeout", "closed",
    "agent_error", "protocol_violation",
]  # fmt: skip


# Sessions and their events are no models: a load makes millions, and a model takes four times the memory.
# What is read back is checked as strictly.


@light_record
class EventSeen:
    """One frame of a conversation. `at_s` is seconds since the message was sent."""

    __pydantic_config__ = Record.model_config

    type: str
    at_s: float
    sequence: int | None = None


@light_record
class Session:
    """One WebSocket session of a probe: log in, connect, one chat message, its answer.

    Attributes:
        probe: Which probe it belongs to, e.g. `golden-path`, `isolation`, `load`.
        number: Its number within probe and role, from 0.
        user: The user it logged in as.
        mark: The unique text that it sent.
        intended_s: Seconds after the probe's start at which it was meant to start.
        lag_s: How much later it did; the client's own delay, not the service's.
        connect_s: From the intended start to the accepted handshake, without the login; None if never.
        answer_s: From sending the message to the final event; None if it never came.
        session_id: As given by the server.
        user_id: As given by the server.
        revision: The revision that serves it, as given by the server.
        foreign_marks: Marks of other users that came in this one's stream.
        foreign_ids: Ids of other users or sessions that events in this one's stream bore.
        violations: What broke the event contract, in words.
        events: Every frame of the answer, in order of arrival.
        detail: What went wrong, redacted; empty for a good session.
    """

    __pydantic_config__ = Record.model_config

    _: KW_ONLY
    probe: str
    role: Role
    number: int
    user: str
    agent: str
    mark: str
    status: SessionStatus
    intended_s: float = 0.0
    lag_s: float = 0.0
    connect_s: float | None = None
    answer_s: float | None = None
    session_id: str = ""
    user_id: str = ""
    revision: str = ""
    foreign_marks: tuple[str, ...] = ()
    foreign_ids: tuple[str, ...] = ()
    violations: tuple[str, ...] = ()
    events: tuple[EventSeen, ...] = ()
    detail: str = ""


class HealthPoll(Record):
    """One request to the health endpoint. `status` is None where no answer came.

    Attributes:
        revision: The revision that answered, by its own word; empty where it did not say.
    """

    role: Role
    at_s: float
    status: int | None
    revision: str = ""
    failing: tuple[str, ...] = ()
    detail: str = ""


class ClauseSeen(Record):
    """One promise about sessions or tokens, put to the test.

    Attributes:
        clause: A name of `catalogue.CLAUSES`.
        detail: How it was broken, or why it was not tried.
    """

    role: Role
    clause: str
    outcome: Literal["kept", "broken", "not tried", "does not apply"]
    detail: str = ""


class Leak(Record):
    """Something of one user's that came in another user's stream.

    Attributes:
        session: Number of the receiver's session within probe and role.
        receiver: The user who got it.
        sender: The user whose it was; empty where that user is none of ours.
        what: The mark or the id that came.
    """

    role: Role
    probe: str
    session: int
    receiver: str
    sender: str
    what: str


class EventLatency(Record):
    """How long one kind of event took on one revision, from the event before it, over all whole answers."""

    role: Role
    event: str
    samples: int
    median_s: float
    p95_s: float
    max_s: float


class ProbesEvidence(StepEvidence):
    """The functional probes on both revisions; all sessions are in `probes_sessions.parquet`.

    Attributes:
        clauses: Every promise about sessions and tokens that was put to the test.
        leaks: What came in other users' streams, at most 40 a role.
        event_latencies: One row for each role and event.
        bad_sessions: Sessions with anything wrong, at most 40 a role, events included.
        example: One good session of the candidate (else the first one), for the event waterfall.
    """

    polls: tuple[HealthPoll, ...] = ()
    bad_sessions: tuple[Session, ...] = ()
    example: Session | None = None
    clauses: tuple[ClauseSeen, ...] = ()
    leaks: tuple[Leak, ...] = ()
    event_latencies: tuple[EventLatency, ...] = ()


class MetricsEvidence(StepEvidence):
    """Load on both revisions and the cloud's own series; rows in `load_sessions.parquet`, `series.parquet`.

    Attributes:
        leaks: What came in other users' streams under load, at most 40 a role.
        valid: False where the client's own lag spoiled the latencies.
        sessions: Sessions per role.
        latencies: Per role, how long answered sessions took from their intended start to the final event,
            as an HdrHistogram of microseconds (base64): those of several runs can be added.
    """

    valid: bool = True
    sessions: dict[Role, int] = {}
    latencies: dict[Role, str] = {}
    leaks: tuple[Leak, ...] = ()


class RollbackEvidence(StepEvidence):
    """What the rollback did, seen from the service afterwards.

    Attributes:
        to: The revision that traffic was returned to.
        needed: False where nothing had to be changed.
        traffic: The traffic table after it.
        verified: All traffic is on `to`, the candidate's tag is gone, and the re-probe succeeded.
    """

    to: str
    needed: bool
    traffic: tuple[TrafficShare, ...]
    verified: bool
    output: str = ""
    polls: tuple[HealthPoll, ...] = ()
    sessions: tuple[Session, ...] = ()


class PromoteEvidence(StepEvidence):
    """How far the candidate was promoted. `percent` is its share of the traffic when the step ended."""

    candidate: str
    percent: int
    traffic: tuple[TrafficShare, ...]
    complete: bool
    polls: tuple[HealthPoll, ...] = ()
    sessions: tuple[Session, ...] = ()
