"""Follow answers that are as they should be at a fraction of the cost; leave all others to `Conversation`.

A frame is quick if it is the next thing that the contract allows and contradicts nothing that came before it.
At the first one that is not, all frames of the answer go to `Conversation` one by one, so that only its word
counts on whatever is odd. That both say the same of every answer is tested.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from json.encoder import encode_basestring_ascii
from operator import itemgetter
from typing import Any

import orjson
from pydantic import TypeAdapter

from runbook_lib.agent.contract import Body, Contract, reader
from runbook_lib.agent.conversation import MAX_CHARACTERS, Conversation, Stop, new_id, parse
from runbook_lib.agent.template import filled
from runbook_lib.agent.turn import Turn, word
from runbook_lib.evidence import EventSeen
from runbook_lib.ports import Answer
from runbook_lib.redact import redact

_LONGEST_FOR_ORJSON = 1900
"""Longer frames may hold what `json` refuses and orjson reads: thousands of digits, or of nested lists."""
_EVENTS = TypeAdapter(tuple[EventSeen, ...])
_NO_RUN = object()
_PLACEHOLDER = re.compile(r"\{(content|agent|message_id)\}")


class Expectations:
    """A contract, made ready for quick looks; one for any number of sessions."""

    def __init__(self, contract: Contract) -> None:
        plan = contract.protocol
        self.contract, self.most, self.last = contract, plan.most_frames, len(contract.expected) - 1
        self.next = [*map(self._next, range(self.last + 1)), self._next(-1)]
        self.flat = frozenset(field for field in plan.required_fields if "." not in field)
        self.deep = tuple(reader(field) for field in plan.required_fields if "." in field)
        self.same_names = tuple(name for name, _ in contract.same_fields)
        of_session = (plan.user_field, plan.session_field)
        self.of_session = {name: place for place, name in enumerate(self.same_names) if name in of_session}
        holder = plan.answer_field.partition(".")[0]
        self.holder = holder if holder in plan.required_fields else None
        self.numbered, self.has_runs = plan.sequence_field is not None, plan.run_field is not None
        self.has_ids = plan.id_field is not None
        fields = (plan.type_field, plan.id_field, plan.run_field, plan.sequence_field, *self.same_names)
        self.facts = _reader_of_all(fields)
        self.names_messages = "{message_id}" in json.dumps(plan.message)
        self.reply_to = reader(plan.correlation_field) if plan.correlation_field else None
        self.agent, self.answer_text = reader(plan.agent_field), reader(plan.answer_field)

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
    kinds: list[str] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    same: list[str] | None = None
    ids: set[str] = field(default_factory=set)
    run: Any = _NO_RUN
    agent: str = ""
    characters: int = 0

    def events(self, numbered: bool) -> tuple[EventSeen, ...]:
        """Return them as evidence."""
        numbers = range(1, len(self.kinds) + 1) if numbered else repeat(None)
        seen = zip(self.kinds, self.times_s, numbers)  # noqa: B905 - endless
        return _EVENTS.validate_python(
            [{"type": kind, "at_s": at_s, "sequence": number} for kind, at_s, number in seen]
        )


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
        return self._events(self._quick) if self._quick else super().events

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
        self._quick = _Quick(sent_id=new_id() if self._expectations.names_messages else "")
        return _joined(parts, {"content": content, "agent": agent, "message_id": self._quick.sent_id})

    def feed(self, frame: str | bytes, at_s: float = 0.0) -> None:
        """Take the next frame, which arrived `at_s` seconds after the message was sent."""
        if self._quick is None or isinstance(frame, bytes) or not self._take(self._quick, frame, at_s):
            self._at_length()
            super().feed(frame, at_s)

    def feed_until_end(self, frames: Sequence[str], at_s: float) -> int:
        """Take frames that came together; see `Conversation.feed_until_end`."""
        quick, last = self._quick, self._expectations.last
        if quick is None:
            return super().feed_until_end(frames, at_s)
        for taken, frame in enumerate(frames):
            if not self._take(quick, frame, at_s):
                self._at_length()
                return taken + super().feed_until_end(frames[taken:], at_s)
            if quick.place == last:
                return taken + 1
        return len(frames)

    def answer(self, stop: Stop | None = None, detail: str = "") -> Answer:
        """Return what came; see `Conversation.answer`."""
        quick = self._quick
        if quick is None or quick.place != self._expectations.last:
            self._at_length()
            return super().answer(stop, detail)
        self._quick = None
        self._remember(quick)
        return Answer(
            status="answered", answer_s=quick.times_s[-1], events=self._events(quick), violations=(),
            agent=quick.agent, text="\n".join(quick.frames),
        )  # fmt: skip

    def _events(self, quick: _Quick) -> tuple[EventSeen, ...]:
        return quick.events(numbered=self._expectations.numbered)

    def _take(self, quick: _Quick, frame: str, at_s: float) -> bool:
        """Take a frame if it is quick; it calls as little as it can, for it looks at each event of a load."""
        body, wanted, number = _decoded(frame), self._expectations, len(quick.kinds) + 1
        quick.characters += len(frame)
        if body is None or quick.characters > MAX_CHARACTERS:
            return False
        try:
            kind, message_id, run, sequence, *same = wanted.facts(body)
            place = wanted.next[quick.place][kind]
            if (
                not body.keys() >= wanted.flat
                or (wanted.numbered and (sequence != number or type(sequence) is not int))
                or (same != quick.same and not self._is_the_first(quick, same))
                or (wanted.has_runs and run != quick.run and not self._is_a_new_run(quick, run))
                or message_id in quick.ids
                or message_id in self._earlier_ids
                or (wanted.has_ids and type(message_id) is not str)
                or not self._is_whole(quick, body, place)
            ):
                return False
        except (KeyError, TypeError):  # a field is not there, or holds a list or an object
            return False
        if wanted.has_ids:
            quick.ids.add(message_id)
        quick.place = place
        quick.frames.append(frame)
        quick.kinds.append(kind)
        quick.times_s.append(at_s)
        return True

    def _is_whole(self, quick: _Quick, body: Body, place: int) -> bool:
        """Say whether what the event holds is of its kind, and it is not one too many."""
        wanted = self._expectations
        if wanted.holder and type(body[wanted.holder]) is not dict:
            return False
        if wanted.deep and any(read(body) is None for read in wanted.deep):
            return False
        if not quick.agent and type(agent := wanted.agent(body)) is str:
            quick.agent = word(agent, self._clean)
        if wanted.reply_to and wanted.reply_to(body) not in (None, quick.sent_id):
            return False
        if place == wanted.last:
            return type(wanted.answer_text(body)) is str
        return len(quick.kinds) + 1 < wanted.most

    def _is_the_first(self, quick: _Quick, same: list[Any]) -> bool:
        """Say whether an answer's first event repeats what the session said before."""
        if quick.same is not None:
            return False
        for name, value in zip(self._expectations.same_names, same, strict=True):
            if type(value) is not str:
                return False
            if name in self._expectations.of_session and self._known.get(name, value) != value:
                return False
        quick.same = same
        return True

    def _is_a_new_run(self, quick: _Quick, run: Any) -> bool:
        """Say whether a run begins with this event, and is none of the runs before."""
        if quick.run is not _NO_RUN or type(run) is not str or run in self._earlier_runs:
            return False
        quick.run = run
        return True

    def _at_length(self) -> None:
        """Hand the answer that is under way over to `Conversation`."""
        quick, self._quick = self._quick, None
        if quick is None:
            return
        self._sent_id, self._run, self._came = quick.sent_id, None, 0
        self._turn = Turn(self._contract, self._known, self._earlier_ids, self._clean)
        for number, frame in enumerate(quick.frames):
            super().feed(frame, quick.times_s[number])

    def _remember(self, quick: _Quick) -> None:
        """Keep of an answer what `Conversation` would."""
        same = quick.same or []
        for name, place in self._expectations.of_session.items():
            self._known.setdefault(name, same[place])
        self._earlier_ids |= quick.ids
        self._run = None if quick.run is _NO_RUN else quick.run
        self._forget()


def _reader_of_all(paths: tuple[str | None, ...]) -> Callable[[Body], tuple[Any, ...]]:
    """Return what reads several paths at once; a KeyError may come where one of them is not there."""
    plain = [path for path in paths if path is not None and "." not in path]
    if len(plain) == len(paths):
        return itemgetter(*plain)
    reads = tuple(map(reader, paths))
    return lambda body: tuple(read(body) for read in reads)


def _joined(parts: tuple[str, ...], values: dict[str, str]) -> str:
    """Fill the values in, as JSON writes them."""
    filled_in = list(parts)
    filled_in[1::2] = [encode_basestring_ascii(values[name])[1:-1] for name in parts[1::2]]
    return "".join(filled_in)


def _decoded(frame: str) -> Body | None:
    if len(frame) > _LONGEST_FOR_ORJSON:
        return parse(frame)
    try:
        body = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return None
    return body if type(body) is dict else None
