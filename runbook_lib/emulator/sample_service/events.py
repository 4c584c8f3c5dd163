"""Shape what goes over the WebSocket and read what comes in; sends nothing itself."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from .agents import UserExecutionContext
from .sessions import new_thread_id

MAX_CONTENT_CHARS = 16_000
MAX_THREAD_ID_CHARS = 200

Event = dict[str, object]


class BadMessage(ValueError):
    """The client sent something that is not a chat message; the text may be sent back."""


@dataclass(frozen=True, kw_only=True)
class Chat:
    """One question to one agent."""

    content: str
    agent: str
    thread_id: str


def read_chat(text: str | bytes) -> Chat:
    """Return the chat that a frame carries.

    Raises:
        BadMessage: If it carries none.
    """
    data = _data_of(text)
    content, agent, thread_id = data.get("content"), data.get("agent", "triage"), data.get("thread_id")
    if not isinstance(content, str) or not 0 < len(content) <= MAX_CONTENT_CHARS:
        raise BadMessage(f"data.content must be a text of 1 to {MAX_CONTENT_CHARS} characters")
    if not isinstance(agent, str):
        raise BadMessage("data.agent must be a text")
    if thread_id is not None and not _is_thread_id(thread_id):
        raise BadMessage(f"data.thread_id must be null or a text of 1 to {MAX_THREAD_ID_CHARS} characters")
    return Chat(content=content, agent=agent, thread_id=str(thread_id or new_thread_id()))


def _is_thread_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_THREAD_ID_CHARS


def _data_of(text: str | bytes) -> Mapping[str, object]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"not JSON: {error}") from error
    kind = message.get("type") if isinstance(message, dict) else None
    if kind != "chat_message":
        raise BadMessage(f"unknown message type {kind!r}: send chat_message")
    if not isinstance(message.get("data"), dict):
        raise BadMessage("data must be an object")
    return dict(message["data"])


def connection_ready(context: UserExecutionContext, revision: str) -> Event:
    """Greet a client with who it is and who answers."""
    return _event(
        "connection_ready",
        {"user_id": context.user_id, "session_id": context.session_id, "revision": revision},
    )


def refusal(reason: BadMessage) -> Event:
    """Say what was wrong with a frame."""
    return _event("error", {"code": "bad_message", "message": str(reason)})


class Envelopes:
    """Numbers and addresses the events of one answer."""

    def __init__(self, context: UserExecutionContext, chat: Chat) -> None:
        """Open a run."""
        self.run_id = f"run-{uuid.uuid4().hex}"
        self._address = {
            "run_id": self.run_id,
            "thread_id": chat.thread_id,
            "user_id": context.user_id,
            "session_id": context.session_id,
        }
        self._sequence = 0

    def event(self, kind: str, **data: object) -> Event:
        """Return the next event of the run."""
        self._sequence += 1
        return {**_event(kind, data), **self._address, "sequence": self._sequence}


def _event(kind: str, data: Mapping[str, object]) -> Event:
    return {
        "type": kind,
        "data": dict(data),
        "message_id": uuid.uuid4().hex,
        "timestamp": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
    }
