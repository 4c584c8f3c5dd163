"""Know one session by its frames: what was sent, what came, what may come next; does no I/O.

Whoever carries the frames calls `begin` with the greeting, then for each message `send`, `feed` until
`ended`, and `answer`. A frame that is fed when no answer is under way is named in the next one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any, Literal

from runbook_lib.agent.contract import Contract
from runbook_lib.agent.template import filled
from runbook_lib.agent.turn import Turn, word
from runbook_lib.dotted import at_path
from runbook_lib.errors import ProtocolViolation
from runbook_lib.evidence import EventSeen
from runbook_lib.ports import Answer
from runbook_lib.redact import redact

MAX_CHARACTERS = 4 * 1024 * 1024
_MOST_VIOLATIONS = 40
_ANSWERS_REMEMBERED = 256
_LATE = "late: it belongs to an earlier answer"

Stop = Literal["answer_timeout", "closed", "protocol_violation"]


def new_id() -> str:
    """Return an id for one message, as unique as a UUID and made in a quarter of the time."""
    return os.urandom(16).hex()


def parse(frame: str | bytes) -> dict[str, Any] | None:
    """Return the JSON object in `frame`, or None where it holds none."""
    try:
        body = json.loads(frame)
    except (ValueError, RecursionError):  # undecodable bytes are a ValueError, too
        return None
    return body if isinstance(body, dict) else None


class Conversation:
    """One session.

    Args:
        contract: The plan's protocol.
        clean: Takes secrets out of text before it is kept.

    Attributes:
        revision: The revision that the greeting named; empty where it named none.
    """

    def __init__(self, contract: Contract, clean: Callable[[str], str] = redact) -> None:
        self._contract, self._clean = contract, clean
        self._known: dict[str, object] = {}
        self._earlier_runs: dict[object, None] = {}
        self._earlier_ids: set[str] = set()
        self._sent_id = ""
        self._turn: Turn | None = None
        self._run: object = None
        self._frames: list[str] = []
        self._characters = 0
        self._came = 0
        self._strays: list[str] = []
        self.revision = ""

    @property
    def session_id(self) -> str:
        """The session's id, by greeting or events; empty where neither gave one."""
        return self._told(self._contract.protocol.session_field)

    @property
    def user_id(self) -> str:
        """The user's id, in the same way."""
        return self._told(self._contract.protocol.user_field)

    @property
    def ended(self) -> bool:
        """Whether no further frame belongs to the answer."""
        return self._turn is None or self._turn.status is not None

    @property
    def events(self) -> tuple[EventSeen, ...]:
        """The events of the answer so far."""
        return tuple(self._turn.events) if self._turn else ()

    @property
    def expected(self) -> tuple[str, ...]:
        """What may come next, failures and the like left out."""
        return self._turn.expected_next() if self._turn else ()

    def begin(self, frame: str | bytes) -> None:
        """Take the greeting.

        Raises:
            ProtocolViolation: If it is something else.
        """
        protocol, body = self._contract.protocol, parse(frame)
        if body is None or self._contract.read.kind(body) != protocol.greeting:
            found = "no JSON object" if body is None else self._word(self._contract.read.kind(body))[:80]
            raise ProtocolViolation(protocol.path, f"began with {found} instead of {protocol.greeting}")
        for field in (protocol.user_field, protocol.session_field):
            if (value := _greeted(body, field)) is not None:
                self._known[str(field)] = value
        self.revision = self._word(_greeted(body, protocol.revision_field) or "")

    def send(self, content: str, agent: str) -> str:
        """Return the message to send; what comes from now on belongs to its answer."""
        self._sent_id = new_id()
        self._turn = Turn(self._contract, self._known, self._earlier_ids, self._clean)
        self._run, self._came = None, 0
        message = filled(
            self._contract.protocol.message, content=content, agent=agent, message_id=self._sent_id
        )
        return json.dumps(message)

    def feed(self, frame: str | bytes, at_s: float = 0.0) -> None:
        """Take the next frame, which arrived `at_s` seconds after the message was sent."""
        self._keep(frame)
        body, turn = parse(frame), self._turn
        if turn is None or turn.status is not None:
            self._stray(body)
            return
        self._came += 1
        if body is None:
            turn.stop("protocol_violation", f"frame {self._came} is not a JSON object")
        else:
            self._event(turn, body, at_s)
        if self._came >= self._contract.protocol.most_frames or self._characters > MAX_CHARACTERS:
            turn.stop("protocol_violation", f"the answer did not end within {self._came} frames")

    def feed_until_end(self, frames: Sequence[str], at_s: float) -> int:
        """Take frames that came together until the answer has ended; return how many that were."""
        for number, frame in enumerate(frames, 1):
            self.feed(frame, at_s)
            if self.ended:
                return number
        return len(frames)

    def answer(self, stop: Stop | None = None, detail: str = "") -> Answer:
        """Return what came; `stop` and `detail` say why no more will, where the answer has not ended.

        What comes after this belongs to no answer, until the next message is sent.
        """
        turn = self._turn or Turn(self._contract, self._known, self._earlier_ids, self._clean)
        turn.stop(stop or "closed", self._how_far(turn, detail))
        answer = Answer(
            status=turn.status or "closed",
            answer_s=turn.answer_s,
            events=tuple(turn.events),
            violations=(*[*self._strays, *turn.violations][:_MOST_VIOLATIONS], *turn.missing()),
            foreign_ids=tuple(turn.foreign_ids),
            agent=turn.agent,
            text="\n".join(self._frames),
            detail=self._word(turn.detail),
        )
        self._forget()
        return answer

    def _event(self, turn: Turn, body: dict[str, Any], at_s: float) -> None:
        kind, run = self._contract.read.kind(body), self._contract.read.run(body)
        if not isinstance(kind, str):
            turn.violations.append(f"frame {self._came} has no {self._contract.protocol.type_field}")
        elif self._is_late(run):
            turn.violations.append(f"{self._word(kind)} came {_LATE}")
        elif self._is_for_another(body):
            turn.violations.append(f"{self._word(kind)} answers another message")
        else:
            self._run = self._run or run
            turn.take(kind, body, at_s)

    def _is_late(self, run: object) -> bool:
        return isinstance(run, str) and run in self._earlier_runs

    def _is_for_another(self, body: dict[str, Any]) -> bool:
        named = self._contract.read.reply_to(body)
        return named is not None and named != self._sent_id

    def _stray(self, body: dict[str, Any] | None) -> None:
        kind = self._contract.read.kind(body) if body else None
        if kind in self._contract.protocol.other_events:
            return
        name = "a frame without type" if kind is None else self._word(kind)
        run = self._contract.read.run(body) if body else None
        strays = self._strays if self._turn is None else self._turn.violations
        strays.append(f"{name} came {self._when(run)}")

    def _when(self, run: object) -> str:
        """Return in words when a frame came that belongs to no answer under way."""
        if self._is_late(run):
            return _LATE
        if self._turn is None:
            return "before the message was sent"
        another = run is not None and self._run is not None and run != self._run
        return "after the end of the answer" + (", in a second answer" if another else "")

    def _keep(self, frame: str | bytes) -> None:
        text = frame if isinstance(frame, str) else frame.decode(errors="replace")
        self._characters += len(text)
        if self._characters <= 2 * MAX_CHARACTERS:  # strays have no other end
            self._frames.append(text)

    def _how_far(self, turn: Turn, detail: str) -> str:
        if turn.status is not None or not turn.events:
            return detail
        last = turn.events[-1]
        return f"{detail}; the last event was {last.type} at {last.at_s:.2f} s"

    def _forget(self) -> None:
        self._end_run(self._run)
        self._turn, self._frames, self._strays, self._characters = None, [], [], 0

    def _end_run(self, run: object) -> None:
        if isinstance(run, str):
            self._earlier_runs[run] = None
        if len(self._earlier_runs) > _ANSWERS_REMEMBERED:
            del self._earlier_runs[next(iter(self._earlier_runs))]
            self._earlier_ids.clear()

    def _told(self, field: str | None) -> str:
        told = self._known.get(field or "")
        return self._word(told) if told else ""

    def _word(self, value: object) -> str:
        return word(value, self._clean)


def _greeted(body: dict[str, Any], field: str | None) -> object:
    """Return what stands at a field of the greeting, or of its `data`."""
    if field is None:
        return None
    found = at_path(body, field)
    return at_path(body.get("data"), field) if found is None else found
