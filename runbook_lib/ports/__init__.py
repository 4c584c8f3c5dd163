"""Say what steps need of the world: narrow Protocols that adapters implement and tests can stand in for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import pandas as pd
from pydantic import JsonValue

from runbook_lib.arrivals import Arrival
from runbook_lib.clock import Clock
from runbook_lib.evidence import EventSeen, Role, Session, Window
from runbook_lib.evidence.load_figures import LoadWatch
from runbook_lib.light_record import light_record
from runbook_lib.ports.cloud_run import CloudRun
from runbook_lib.ports.logs import LogAnalytics, Logs

MetricType = Literal[
    "request_count", "request_latencies", "container/memory/utilizations", "container/startup_latencies"
]


class Monitoring(Protocol):
    """Cloud Monitoring, for one service."""

    def read(self, metric: MetricType, window: Window) -> pd.DataFrame:
        """Return one row per point, oldest first.

        Columns: `time` (end of the point's interval, UTC), `revision`, `value` (a distribution's mean, in the
        metric's own unit: count, ms, ratio of the limit, ms), `count` (a distribution's samples, else 1),
        `label` (`response_code_class` of request_count, else empty).
        """
        ...


class Permissions(Protocol):
    """What the caller may do; asking needs no permission."""

    def on_service(self, asked: Iterable[str]) -> frozenset[str]:
        """Return those of the permissions that the caller has on the service; none where there is no service.

        Raises:
            CloudError: If it cannot be asked.
        """
        ...

    def on_project(self, asked: Iterable[str]) -> frozenset[str]:
        """Return those of the permissions that the caller has on the whole project.

        Raises:
            CloudError: If it cannot be asked.
        """
        ...


AnswerStatus = Literal["answered", "answer_timeout", "closed", "agent_error", "protocol_violation"]


@light_record
class Answer:
    """What came back for one message.

    Attributes:
        answer_s: Seconds from sending to the final event; None unless `answered`.
        events: Every frame in order of arrival.
        violations: What broke the event contract, in words; empty for a clean answer.
        text: Everything received, joined, for the search of marks: as it came, so that it is never shown.
        foreign_ids: Ids of other users and other sessions that its events bore.
        agent: The kind of agent that its events name; empty where they name none.
        detail: What went wrong, in words.
    """

    _: KW_ONLY
    status: AnswerStatus
    answer_s: float | None
    events: tuple[EventSeen, ...]
    violations: tuple[str, ...]
    text: str = field(repr=False)
    foreign_ids: tuple[str, ...] = ()
    agent: str = ""
    detail: str = ""


LISTEN_S = 0.03
"""So long does a session go on listening after an answer, for what should not come any more."""


class ChatSession(Protocol):
    """An open WebSocket session; what the server did not tell of it is empty."""

    @property
    def session_id(self) -> str:
        """The session's id."""
        ...

    @property
    def user_id(self) -> str:
        """The id of its user."""
        ...

    @property
    def revision(self) -> str:
        """The revision that serves it."""
        ...

    async def chat(self, content: str, agent: str, listen_s: float = LISTEN_S) -> Answer:
        """Send one message and collect its answer; what goes wrong is told in it, not raised."""
        ...

    async def drop(self, content: str, agent: str) -> Answer:
        """Send one message, and when its answer has begun vanish without a word; return what came."""
        ...

    async def close(self) -> None:
        """Close it; never raises."""
        ...


@light_record
class Visit:
    """A session of one message that has ended; what the server did not tell of it is empty.

    Attributes:
        opened_s: When it was open and greeted, on the monotonic clock.
        revision: The revision that served it.
    """

    _: KW_ONLY
    opened_s: float
    answer: Answer
    session_id: str
    user_id: str
    revision: str


VisitEnded = Callable[[Visit | Exception], None]


@dataclass(frozen=True, kw_only=True)
class HttpReply:
    """An HTTP answer; `status` is None where there was none, `json` is None where the body is none."""

    status: int | None
    json: object
    elapsed_s: float
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class LoadJob:
    """Sessions to be made on candidate and baseline, in pairs that arrive by themselves.

    Attributes:
        urls: Base URL of each role that is loaded.
        arrivals: When each pair is meant to start, in order.
        http_paths: GET requests that each session makes after its answer.
    """

    urls: dict[Role, str]
    arrivals: tuple[Arrival, ...]
    http_paths: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a handshake says; templates as in the plan's protocol."""

    path: str
    subprotocols: tuple[str, ...]
    headers: Mapping[str, str]


class Agents(Protocol):
    """A client of the chat service, by the plan's protocol."""

    async def login(self, base_url: str, user: str, more: Mapping[str, JsonValue] | None = None) -> str:
        """Return a token for `user`; `more` is sent with the credentials.

        Raises:
            HandshakeRejected: If the service refuses or does not answer.
        """
        ...

    async def connect(self, base_url: str, token: str, offer: Offer | None = None) -> ChatSession:
        """Open a WebSocket session; the greeting, if the plan has one, has been received.

        Args:
            base_url: The service.
            token: Who asks.
            offer: What the handshake says instead of what the plan says.

        Raises:
            HandshakeRejected: If the handshake is refused or the connection is lost in it.
            ProtocolViolation: If it begins with something else than the greeting.
            TurnTimeout: If it takes longer than the plan's `connect_timeout_s`.
        """
        ...

    def visit(self, base_url: str, token: str, content: str, agent: str, ended: VisitEnded) -> None:
        """Begin to connect, chat once and close, without anybody who waits for it.

        Args:
            ended: Called once, with the visit or with why there was none: what `connect` would raise, or what
                is wrong with us. It is never called by this call itself.

        Raises:
            HandshakeRejected: If it cannot even begin; `ended` is not called then.
        """
        ...

    async def post(self, base_url: str, path: str, token: str = "") -> HttpReply:
        """Make one POST request without a body, e.g. a logout; otherwise as `get`."""
        ...

    async def get(self, base_url: str, path: str, token: str = "") -> HttpReply:
        """Make one GET request; what goes wrong is told in the reply, not raised."""
        ...

    async def load(self, job: LoadJob, watch: LoadWatch = lambda _: None) -> tuple[Session, ...]:
        """Make all sessions of `job` and return one record each, in order of their intended start.

        A session that is missing was lost with whatever should have made it. `watch` is told twice a second
        what was counted so far.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    """How a command ended. `exit_code` is None when it was ended at its time limit. `output` is redacted."""

    exit_code: int | None
    output: str
    window: Window


class Listener(Protocol):
    """Follows a command while it runs."""

    def hear(self, line: str) -> None:
        """Take one line of its output as it was written: not redacted, cut where it is absurdly long."""
        ...

    def pulse(self) -> None:
        """Look around: called a few times a second, and once more at the end."""
        ...


class Commands(Protocol):
    """Runs the plan's own commands."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What every command gets; its own `env` is laid over it."""
        ...

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: dict[str, str],
        timeout_s: float,
        secrets: Sequence[str] = (),
        listener: Listener | None = None,
    ) -> CommandResult:
        """Run a command; when it ends, or at the time limit, its whole process tree is ended.

        Args:
            secrets: What must not be in the result, beside what the environment's names tell.
            listener: Told of the output as it comes.

        Raises:
            CommandFailed: If it cannot be started at all.
        """
        ...


class Journal(Protocol):
    """What a step has to know when it is begun again after an interruption; forgotten once it is done."""

    def recall(self, name: str) -> str:
        """Return what was remembered under `name`, or an empty text."""
        ...

    def remember(self, name: str, value: str) -> None:
        """Keep a value; it is on the disk when this returns."""
        ...

    def key(self, name: str) -> str:
        """Return an idempotency key: the same one until the step is done."""
        ...


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Everything that a step may reach."""

    cloud_run: CloudRun
    logs: Logs
    monitoring: Monitoring
    agents: Agents
    commands: Commands
    clock: Clock
    journal: Journal
    analytics: LogAnalytics | None = None
