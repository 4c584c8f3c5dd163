"""Follow one answer of the chat protocol frame by frame and say what is wrong with it; does no I/O."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from runbook_lib.dotted import at_path
from runbook_lib.evidence import EventSeen
from runbook_lib.plan import Protocol
from runbook_lib.ports import Answer, AnswerStatus
from runbook_lib.redact import redact

MAX_FRAMES = 500
MAX_CHARACTERS = 4 * 1024 * 1024
_LONGEST_WORD = 200
_MOST_VIOLATIONS = 40
_LARGEST_SEQUENCE = 2**31
_STEADY_FIELDS = ("run_id", "user_id", "session_id")

Stop = Literal["answer_timeout", "closed", "protocol_violation"]


def parse(frame: str | bytes) -> dict[str, Any] | None:
    """Return the JSON object in `frame`, or None where it holds none."""
    try:
        body = json.loads(frame)
    except (ValueError, RecursionError):  # undecodable bytes are a ValueError, too
        return None
    return body if isinstance(body, dict) else None


class Conversation:
    """One message's answer, fed with its frames.

    Args:
        protocol: The plan's protocol.
        greeted: What the greeting said of `user_id` and `session_id`; every event must say the same.
        clean: Takes secrets out of text before it is kept.
    """

    def __init__(
        self,
        protocol: Protocol,
        greeted: dict[str, Any] | None = None,
        clean: Callable[[str], str] = redact,
    ) -> None:
        self._protocol, self._clean = protocol, clean
        self._steady = {field: greeted[field] for field in _STEADY_FIELDS if greeted and field in greeted}
        self._frames: list[str] = []
        self._characters = 0
        self._events: list[EventSeen] = []
        self._message_ids: set[str] = set()
        self._violations: list[str] = []
        self._sequence = 0
        self._status: AnswerStatus | None = None
        self._answer_s: float | None = None
        self._detail = ""

    @property
    def ended(self) -> bool:
        """Whether no further frame belongs to this answer."""
        return self._status is not None

    @property
    def session_id(self) -> str:
        """The session id, by greeting or events; empty where neither gave one."""
        return self._word(self._steady.get("session_id") or "")

    def feed(self, frame: str | bytes, at_s: float) -> None:
        """Take the next frame, which arrived `at_s` seconds after the message was sent."""
        if self.ended:
            return self.stray(frame, "after the end of the answer")
        self._keep(frame)
        body = parse(frame)
        if body is None:
            self._stop("protocol_violation", f"frame {len(self._frames)} is not a JSON object")
        else:
            self._event(body, at_s)
        if len(self._frames) >= MAX_FRAMES or self._characters > MAX_CHARACTERS:
            self._stop("protocol_violation", f"the answer did not end within {len(self._frames)} frames")
        return None

    def stray(self, frame: str | bytes, when: str) -> None:
        """Take a frame that belongs to no answer; `when` says in words when it came."""
        self._keep(frame)
        kind = (parse(frame) or {}).get("type", "a frame without type")
        self._violations.append(f"{self._word(kind)} came {when}")

    def answer(self, stop: Stop | None = None, detail: str = "") -> Answer:
        """Return what came; `stop` and `detail` say why no more will, where the answer has not ended."""
        if stop is not None:
            self._stop(stop, detail)
        status = self._status or "closed"
        return Answer(
            status=status,
            answer_s=self._answer_s,
            events=tuple(self._events),
            violations=(*self._violations[:_MOST_VIOLATIONS], *self._missing(status)),
            text=self._clean("\n".join(self._frames)),
            detail=self._word(self._detail),
        )

    def _keep(self, frame: str | bytes) -> None:
        text = frame if isinstance(frame, str) else frame.decode(errors="replace")
        self._characters += len(text)
        self._frames.append(text)

    def _stop(self, status: AnswerStatus, detail: str = "") -> None:
        if self._status is None:
            self._status, self._detail = status, detail
            if status == "protocol_violation":
                self._violations.append(detail)

    def _event(self, body: dict[str, Any], at_s: float) -> None:
        kind = body.get("type")
        if not isinstance(kind, str):
            self._violations.append(f"frame {len(self._frames)} has no type")
            return
        sequence = _whole(body.get("sequence"))
        name = self._word(kind)
        if kind in self._protocol.failure_events:
            self._stop("agent_error", _failure(body))
        else:
            self._check(name, body, sequence)
        self._events.append(EventSeen(type=name, at_s=at_s, sequence=sequence))
        if kind == self._protocol.events[-1]:
            self._finish(name, body, at_s)

    def _check(self, name: str, body: dict[str, Any], sequence: int | None) -> None:
        self._check_order(name)
        self._check_fields(name, body)
        if "sequence" in body:
            self._check_sequence(name, sequence)

    def _check_order(self, name: str) -> None:
        expected = self._protocol.events
        seen = [event.type for event in self._events if event.type in expected]
        if name not in expected:
            self._violations.append(f"{name} is an unknown type")
        elif name in seen:
            self._violations.append(f"{name} came twice")
        else:
            later = next((kind for kind in seen if expected.index(kind) > expected.index(name)), None)
            if later:
                self._violations.append(f"{name} came after {later}")

    def _check_fields(self, name: str, body: dict[str, Any]) -> None:
        absent = [field for field in self._protocol.required_fields if field not in body]
        self._violations += [f"{name} has no {field}" for field in absent]
        if "data" in self._protocol.required_fields and not isinstance(body.get("data", {}), dict):
            self._violations.append(f"data of {name} is not an object")
        for field in _STEADY_FIELDS:
            if field in body and self._steady.setdefault(field, body[field]) != body[field]:
                self._violations.append(f"{field} of {name} differs from the one before")
        self._check_message_id(name, body.get("message_id"))

    def _check_message_id(self, name: str, message_id: object) -> None:
        if isinstance(message_id, str):
            if message_id in self._message_ids:
                self._violations.append(f"message_id of {name} was used before")
            self._message_ids.add(message_id)

    def _check_sequence(self, name: str, sequence: int | None) -> None:
        if sequence is None:
            self._violations.append(f"sequence of {name} is not a whole number")
            return
        if sequence != self._sequence + 1:
            self._violations.append(f"sequence of {name} is {sequence} after {self._sequence}")
        self._sequence = sequence

    def _finish(self, name: str, body: dict[str, Any], at_s: float) -> None:
        if not isinstance(at_path(body, self._protocol.answer_field), str):
            self._violations.append(f"{name} has no text in {self._protocol.answer_field}")
        self._answer_s = at_s
        self._stop("answered")

    def _missing(self, status: AnswerStatus) -> list[str]:
        if status in ("agent_error", "protocol_violation"):  # there, the rest was not to be expected
            return []
        seen = {event.type for event in self._events}
        return [f"{kind} is missing" for kind in self._protocol.events if kind not in seen]

    def _word(self, value: object) -> str:
        # JSON may hold lone surrogates, which no file could be written with. Cut only what is clean: half
        # a secret is not recognised as one.
        text = str(value).encode(errors="replace").decode()
        return self._clean(text)[:_LONGEST_WORD]


def _whole(value: object) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_SEQUENCE
    return value if whole else None  # type: ignore[return-value]  # `whole` has narrowed it


def _failure(body: dict[str, Any]) -> str:
    words = (at_path(body, "data.code"), at_path(body, "data.message"))
    return ": ".join(str(word) for word in words if word) or "the agent failed without a word"
