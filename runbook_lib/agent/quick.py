"""Follow answers that are as they should be at a fraction of the cost; leave all others to `Conversation`.

A frame is quick if it is the next thing that the contract allows and contradicts nothing that came before it.
At the first one that is not, all frames of the answer go to `Conversation` one by one, so that only its word
counts on whatever is odd. That both say the same of every answer is tested.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import orjson

from runbook_lib.agent.contract import Body, Contract, reader
from runbook_lib.agent.conversation import MAX_CHARACTERS, Conversation, Stop, parse
from runbook_lib.agent.template import filled
from runbook_lib.agent.turn import Turn, word
from runbook_lib.evidence import EventSeen
from runbook_lib.ports import Answer
from runbook_lib.redact import redact

_LONGEST_FOR_ORJSON = 1900
"""Longer frames may hold what `json` refuses and orjson reads: thousands of digits, or of nested lists."""
_PLACEHOLDER = re.compile(r"\{(content|agent|message_id)\}")


class Expectations:
    """A contract, made ready for quick looks; one for any number of sessions."""

    def __init__(self, contract: Contract) -> None:
        plan = contract.protocol
        self.contract, self.read = contract, contract.read
        self.last = len(contract.expected) - 1
        self.next = [*map(self._next, range(self.last + 1)), self._next(-1)]
        self.flat = frozenset(field for field in plan.required_fields if "." not in field)
        self.deep = tuple(reader(field) for field in plan.required_fields if "." in field)
        self.same = [(name, read if "." in name else None) for name, read in contract.same_fields]
        self.of_session = frozenset(filter(None, (plan.user_field, plan.session_field)))
        self.answer_text, holder = reader(plan.answer_field), plan.answer_field.partition(".")[0]
        self.holder = holder if holder in plan.required_fields else None
        self.numbered, self.correlated = plan.sequence_field is not None, plan.correlation_field is not None
        self.has_ids, self.has_runs = plan.id_field is not None, plan.run_field is not None
        self.most = plan.most_frames

    def _next(self, furthest: int) -> dict[str, int]:
        """Return the places of what may come once that place was reached; -1: none was."""
        plan, expected = self.contract.protocol, self.contract.expected
        allowed = self.contract.next_after(
            {name for name, each in expected.items() if each.place <= furthest}
        )
        odd = (*plan.failure_events, *plan.other_events)
        return {name: expected[name].place for name in allowed if name not in odd}

    @cached_property
    def message_parts(self) -> tuple[str, ...] | None:
        """The message as JSON, split at its placeholders; None where it is not that simple."""
        parts = tuple(_PLACEHOLDER.split(json.dumps(self.contract.protocol.message)))
        trial = dict.fromkeys(("content", "agent", "message_id"), 'a "quoted" ü')
        template = self.contract.protocol.message
        return parts if _joined(parts, trial) == json.dumps(filled(template, **trial)) else None


@dataclass(kw_only=True, slots=True)
class _Quick:
    """An answer all of whose frames were quick so far. `place` is that of the furthest event."""

    sent_id: str
    place: int = -1
    frames: list[str] = field(default_factory=list)
    events: list[EventSeen] = field(default_factory=list)
    same: dict[str, str] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    run: str | None = None
    agent: str = ""
    characters: int = 0


class QuickConversation(Conversation):
    """One session; see `Conversation`."""

    def __init__(self, expectations: Expectations, clean: Callable[[str], str] = redact) -> None:
        super().__init__(expectations.contract, clean)
        self._expectations = expectations
        self._quick: _Quick | None = None

    @property
    def ended(self) -> bool:
        """Whether no further frame belongs to the answer."""
        return self._quick.place == self._expectations.last if self._quick else super().ended

    @property
    def events(self) -> tuple[EventSeen, ...]:
        """The events of the answer so far."""
        return tuple(self._quick.events) if self._quick else super().events

    @property
    def expected(self) -> tuple[str, ...]:
        """What may come next, failures and the like left out."""
        self._at_length()
        return super().expected

    def send(self, content: str, agent: str) -> str:
        """Return the message to send; what comes from now on belongs to its answer."""
        self._at_length()
        parts = self._expectations.message_parts
        if parts is None or self._frames:
            return super().send(content, agent)
        self._quick = _Quick(sent_id=uuid.uuid4().hex)
        return _joined(parts, {"content": content, "agent": agent, "message_id": self._quick.sent_id})

    def feed(self, frame: str | bytes, at_s: float = 0.0) -> None:
        """Take the next frame, which arrived `at_s` seconds after the message was sent."""
        if self._quick is None or isinstance(frame, bytes) or not self._take(self._quick, frame, at_s):
            self._at_length()
            super().feed(frame, at_s)

    def answer(self, stop: Stop | None = None, detail: str = "") -> Answer:
        """Return what came; see `Conversation.answer`."""
        quick = self._quick
        if quick is None or quick.place != self._expectations.last:
            self._at_length()
            return super().answer(stop, detail)
        self._quick = None
        self._remember(quick)
        return Answer(
            status="answered", answer_s=quick.events[-1].at_s, events=tuple(quick.events), violations=(),
            agent=quick.agent, text=self._clean("\n".join(quick.frames)),
        )  # fmt: skip

    def _take(self, quick: _Quick, frame: str, at_s: float) -> bool:
        """Take a frame if it is quick."""
        body = _decoded(frame)
        kind = self._expectations.read.kind(body) if body else None
        place = self._expectations.next[quick.place].get(kind) if isinstance(kind, str) else None
        if body is None or place is None or not isinstance(kind, str):
            return False
        sequence = len(quick.events) + 1 if self._expectations.numbered else None
        if not (self._fits(quick, frame, place) and self._is_whole(body, place, sequence)):
            return False
        if not (self._is_of_this_session(quick, body) and self._is_of_this_answer(quick, body)):
            return False
        quick.place = place
        quick.frames.append(frame)
        quick.events.append(EventSeen(type=kind, at_s=at_s, sequence=sequence))
        return True

    def _fits(self, quick: _Quick, frame: str, place: int) -> bool:
        """Say whether the answer is still within its limits of size, the end excepted."""
        quick.characters += len(frame)
        enough = len(quick.events) + 1 >= self._expectations.most and place != self._expectations.last
        return quick.characters <= MAX_CHARACTERS and not enough

    def _is_whole(self, body: Body, place: int, sequence: int | None) -> bool:
        """Say whether the event has all fields, each of its kind."""
        wanted = self._expectations
        if not body.keys() >= wanted.flat or (wanted.holder and type(body[wanted.holder]) is not dict):
            return False
        if wanted.deep and any(read(body) is None for read in wanted.deep):
            return False
        if place == wanted.last and type(wanted.answer_text(body)) is not str:
            return False
        if sequence is None:
            return True
        found = wanted.read.sequence(body)
        return type(found) is int and found == sequence

    def _is_of_this_session(self, quick: _Quick, body: Body) -> bool:
        """Say whether it repeats what the session and this answer said before."""
        same = quick.same
        for name, read in self._expectations.same:
            value = body.get(name) if read is None else read(body)
            if type(value) is not str:
                return False
            first = same.get(name)
            if first is None:
                if name in self._expectations.of_session and self._known.get(name, value) != value:
                    return False
                same[name] = value
            elif first != value:
                return False
        return True

    def _is_of_this_answer(self, quick: _Quick, body: Body) -> bool:
        """Say whether its ids are new, and none is that of another answer."""
        wanted, read = self._expectations, self._expectations.read
        if wanted.has_ids:
            message_id = read.message_id(body)
            if type(message_id) is not str or message_id in quick.ids or message_id in self._earlier_ids:
                return False
            quick.ids.add(message_id)
        if wanted.has_runs:
            run = read.run(body)
            if type(run) is not str or run in self._earlier_runs or run != (quick.run or run):
                return False
            quick.run = run
        if not quick.agent and isinstance(agent := read.agent(body), str):
            quick.agent = word(agent, self._clean)
        return not wanted.correlated or read.reply_to(body) in (None, quick.sent_id)

    def _at_length(self) -> None:
        """Hand the answer that is under way over to `Conversation`."""
        quick, self._quick = self._quick, None
        if quick is None:
            return
        self._sent_id, self._run, self._came = quick.sent_id, None, 0
        self._turn = Turn(self._contract, self._known, self._earlier_ids, self._clean)
        for number, frame in enumerate(quick.frames):
            super().feed(frame, quick.events[number].at_s)

    def _remember(self, quick: _Quick) -> None:
        """Keep of an answer what `Conversation` would."""
        for name in self._expectations.of_session & quick.same.keys():
            self._known.setdefault(name, quick.same[name])
        self._earlier_ids |= quick.ids
        self._run = quick.run
        self._forget()


def _joined(parts: tuple[str, ...], values: dict[str, str]) -> str:
    """Fill the values in, as JSON writes them."""
    return "".join(json.dumps(values[part])[1:-1] if place % 2 else part for place, part in enumerate(parts))


def _decoded(frame: str) -> Body | None:
    if len(frame) > _LONGEST_FOR_ORJSON:
        return parse(frame)
    try:
        body = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return None
    return body if type(body) is dict else None
