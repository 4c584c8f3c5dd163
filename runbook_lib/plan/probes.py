"""Model how the probes speak with the service: login, protocol, health."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue, field_validator

from runbook_lib.catalogue import CLAUSES
from runbook_lib.plan.section import Seconds, Section


def _is_a_clause(name: str) -> str:
    if name not in CLAUSES:
        raise ValueError(f"is no clause: use {', '.join(CLAUSES)}")
    return name


class Auth(Section):
    """How a probe logs in. Secrets are named by environment variable, never written here."""

    login_path: str = "/auth/login"
    user: str = "probe-{n}@example.test"
    """{n} is the number of the simulated user."""
    password_env: str | None = None
    """Environment variable that holds the password of the test users."""
    token_field: str = "access_token"  # noqa: S105 - the name of a field
    logout_path: str | None = None
    """POST here with the token ends it; null: there is no logout to try."""
    short_lived: dict[str, JsonValue] = {}
    """Further fields of a login that asks for a token which lives `short_lived_s`; empty: not to be had."""
    short_lived_s: Seconds = 1
    expired_token_env: str | None = None
    """Environment variable that holds a token which has expired, where short-lived ones are not to be had."""


ClauseName = Annotated[str, AfterValidator(_is_a_clause)]
EventName = Annotated[str, Field(pattern=r"^[^?*+]+[?*+]?$")]


class Protocol(Section):
    """The chat protocol on the WebSocket."""

    path: str = "/ws"
    subprotocols: tuple[str, ...] = ("jwt-auth", "jwt.{token_base64url}")
    """Offered on the handshake; templates: {token} {token_base64url}."""
    headers: dict[str, str] = {}
    """Sent on the handshake; templates as in `subprotocols`."""
    greeting: str | None = "connection_ready"
    """Type of the frame that the server sends first; null for none."""
    message: dict[str, JsonValue] = {
        "type": "chat_message",
        "data": {"content": "{content}", "agent": "{agent}", "thread_id": None},
    }
    """What a probe sends; templates: {content} {agent} {message_id} (new for each message)."""
    events: tuple[EventName, ...] = Field(
        default=("agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"),
        min_length=1,
    )
    """Types of the answer's events, in order; the last one ends the answer. A suffix as in regular
    expressions says how often: `?` at most once, `+` once or more, `*` any number; without: exactly once."""
    failure_events: tuple[str, ...] = ("agent_error", "error")
    """Types that end the answer as failed."""
    other_events: tuple[str, ...] = ()
    """Types that may come at any time and say nothing of the answer, such as heartbeats."""
    most_frames: int = Field(default=500, ge=1, le=100_000)
    """An answer of more frames than this is given up."""
    required_fields: tuple[str, ...] = (
        "type", "data", "message_id", "run_id", "thread_id", "user_id", "session_id", "timestamp", "sequence",
    )  # fmt: skip
    """Fields (dotted paths) of every event."""
    same_fields: tuple[str, ...] = ("run_id", "thread_id")
    """Fields that all events of an answer share."""
    type_field: str = "type"
    """Field of a frame that holds its type."""
    sequence_field: str | None = "sequence"
    """Field that counts an answer's events from 1, where they have it; null: there is none."""
    id_field: str | None = "message_id"
    """Field whose text no two events of a session share; null: there is none."""
    run_field: str | None = "run_id"
    """Field that tells answers apart: an event with an earlier answer's came late; null: there is none."""
    correlation_field: str | None = None
    """Field in which each event repeats the {message_id} that it answers; null: there is none."""
    user_field: str | None = "user_id"
    """Field that names the user, also in the greeting or its `data`; another one's is a leak."""
    session_field: str | None = "session_id"
    """Field that names the session; as `user_field`."""
    revision_field: str | None = "revision"
    """Field of the greeting, or of its `data`, that names the revision (K_REVISION); null: there is none."""
    agent_field: str | None = "data.agent"
    """Field that names the kind of agent, in the events that have it."""
    answer_field: str = "data.response"
    """Dotted path of the answer's text in the final event."""
    resume_path: str | None = None
    """Path that connects to an earlier session, template {session_id}; null: sessions cannot be resumed."""

    @property
    def required_events(self) -> tuple[str, ...]:
        """The types that every whole answer has."""
        return tuple(event.rstrip("+") for event in self.events if not event.endswith(("?", "*")))

    @field_validator("events")
    @classmethod
    def _the_last_event_comes_once(cls, events: tuple[str, ...]) -> tuple[str, ...]:
        names = [event.rstrip("?*+") for event in events]
        if events[-1] != names[-1]:
            raise ValueError(f"{events[-1]!r} must come exactly once: it ends the answer")
        if len(set(names)) != len(names):
            raise ValueError("each event stands there once; a suffix says how often it comes")
        return events


class Health(Section):
    """The health endpoint."""

    path: str = "/health"
    polls: int = Field(default=10, ge=1, le=1000)
    """Requests to it, spread over the probes' time."""
    components_field: str = "components"
    """Object of component name to `{"status": …}`."""
    healthy: tuple[str, ...] = ("healthy", "ok")
    sessions_field: str = "sessions.active"
    """Dotted path of the number of open sessions."""
    revision_field: str = "revision"
    """Dotted path of the revision that answers (its K_REVISION); empty where the service does not tell."""
