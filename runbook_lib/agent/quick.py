"""Follow answers that are as they should be at a fraction of the cost; leave all others to `Conversation`.

Of a frame that comes only its type is looked at: it has to be one that may come next. All else is looked at
for the events of an answer together, by maps that run without a line of Python for each. Where anything is
odd, all frames of the answer go to `Conversation` one by one, so that only its word counts on that. That both
say the same of every answer is tested.
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

from runbook_lib.agent.contract import Body, Contract, reader
from runbook_lib.agent.conversation import MAX_CHARACTERS, Conversation, Stop, new_id, parse
from runbook_lib.agent.template import filled
from runbook_lib.agent.turn import Turn, word
from runbook_lib.evidence import EventSeen
from runbook_lib.ports import Answer
from runbook_lib.redact import redact

_LONGEST_FOR_ORJSON = 1900
"""Longer frames may hold what `json` refuses and orjson reads: thousands of digits, or of nested lists."""
_AT_ONCE = 64
"""So many events are looked at together at most: decoded, they take ten times the memory of their frames."""
_OBJECTS, _TEXTS, _WHOLE_NUMBERS = {dict}, {str}, {int}
_PLACEHOLDER = re.compile(r"\{(content|agent|message_id)\}")


class Expectations:
    """A contract, made ready for quick looks; one for any number of sessions."""

    def __init__(self, contract: Contract) -> None:
        plan = contract.protocol
        self.contract, self.most, self.last = contract, plan.most_frames, len(contract.expected) - 1
        self.next = [*map(self._next, range(self.last + 1)), self._next(-1)]
        self.kind = _reader_of(plan.type_field)
        self.deep = tuple(reader(field) for field in plan.required_fields if "." in field)
        same = tuple(name for name, _ in contract.same_fields)
        self.shared = _reader_of_all((*same, plan.run_field) if plan.run_field else same)
        of_session = (plan.user_field, plan.session_field)
        self.of_session = tuple((name, place) for place, name in enumerate(same) if name in of_session)
        holder = plan.answer_field.partition(".")[0]
        self.holder = itemgetter(holder) if holder in plan.required_fields else None
        read_anyway = (plan.type_field, plan.id_field, plan.run_field, plan.sequence_field, holder, *same)
        flat = [field for field in plan.required_fields if "." not in field and field not in read_anyway]
        self.required = itemgetter(*flat) if flat else None
        self.has_runs = plan.run_field is not None
        self.message_id = _reader_of(plan.id_field) if plan.id_field else None
        self.sequence = _reader_of(plan.sequence_field) if plan.sequence_field else None
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


@dataclass(slots=True)
class _Quick:
    """An answer that was quick so far.

    Attributes:
        asked: The agent that was asked for.
        place: That of the furthest event.
        seen: Each frame, its type, and when it came.
        bodies: What the last frames hold; those before have been looked at.
        shared: What all events that have been looked at say: the fields that are the same, and the run.
    """

    sent_id: str
    asked: str
    place: int = -1
    characters: int = 0
    seen: list[tuple[str, str, float]] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)
    shared: tuple[Any, ...] | None = None
    ids: set[str] = field(default_factory=set)
    agent: str = ""


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
        self._at_length()
        return super().events

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
        quick = self._quick = _Quick(new_id() if self._expectations.names_messages else "", agent)
        return _joined(parts, {"content": content, "agent": agent, "message_id": quick.sent_id})

    def feed(self, frame: str | bytes, at_s: float = 0.0) -> None:
        """Take the next frame, which arrived `at_s` seconds after the message was sent."""
        if isinstance(frame, bytes):
            self._at_length()
        elif self._quick and self._taken(self._quick, (frame,), at_s):
            return
        super().feed(frame, at_s)

    def feed_until_end(self, frames: Sequence[str], at_s: float) -> int:
        """Take frames that came together; see `Conversation.feed_until_end`."""
        taken = self._taken(self._quick, frames, at_s) if self._quick else 0
        if self._quick is None and not (taken and self.ended):
            taken += super().feed_until_end(frames[taken:], at_s)
        return taken

    def answer(self, stop: Stop | None = None, detail: str = "") -> Answer:
        """Return what came; see `Conversation.answer`."""
        quick = self._quick
        if quick is None or quick.place != self._expectations.last:
            self._at_length()
            return super().answer(stop, detail)
        self._quick = None
        self._remember(quick)
        frames, kinds, times_s = zip(*quick.seen, strict=True)
        numbers = range(1, len(kinds) + 1) if self._expectations.sequence else repeat(None)
        return Answer(
            status="answered", answer_s=times_s[-1], violations=(),
            events=tuple(map(EventSeen, kinds, times_s, numbers)), agent=quick.agent, text="\n".join(frames),
        )  # fmt: skip

    def _taken(self, quick: _Quick, frames: Sequence[str], at_s: float) -> int:
        """Take frames until the answer has ended or is odd, then hand it over; return how many that were."""
        wanted, bodies, seen = self._expectations, quick.bodies, quick.seen
        quick.characters += sum(map(len, frames))
        if quick.characters > MAX_CHARACTERS or len(seen) + len(frames) >= wanted.most:
            self._at_length()
            return 0
        for number, frame in enumerate(frames):
            try:
                body: Any = orjson.loads(frame) if len(frame) <= _LONGEST_FOR_ORJSON else parse(frame)
                kind = wanted.kind(body)
                quick.place = wanted.next[quick.place][kind]
            except (KeyError, TypeError, ValueError):  # it is no JSON or no object, or may not come now
                self._at_length()
                return number
            bodies.append(body)
            seen.append((frame, kind, at_s))
            if quick.place == wanted.last:
                self._look(quick)
                return number + 1
        if len(bodies) >= _AT_ONCE:
            self._look(quick)
        return len(frames)

    def _look(self, quick: _Quick) -> None:
        """Look at the events that have not been looked at; hand over what is odd."""
        if not self._are_whole(quick):
            return self._at_length()
        quick.agent = quick.agent or self._agent_of(quick)
        return quick.bodies.clear()

    def _are_whole(self, quick: _Quick) -> bool:
        """Say whether the events that have not been looked at are as they should be."""
        wanted, bodies = self._expectations, quick.bodies
        try:
            if wanted.required:
                for body in bodies:
                    wanted.required(body)
            return (
                self._say_the_same(quick)
                and (wanted.message_id is None or self._have_new_ids(quick, wanted.message_id))
                and (wanted.sequence is None or _are_numbered(quick, wanted.sequence))
                and (wanted.holder is None or set(map(type, map(wanted.holder, bodies))) == _OBJECTS)
                and None not in (read(body) for read in wanted.deep for body in bodies)
                and (wanted.reply_to is None or {None, quick.sent_id} >= set(map(wanted.reply_to, bodies)))
                and (quick.place < wanted.last or type(wanted.answer_text(bodies[-1])) is str)
            )
        except (KeyError, TypeError):  # a field is not there, or holds a list or an object
            return False

    def _say_the_same(self, quick: _Quick) -> bool:
        """Say whether they have in common what they should, and it is what the session said before."""
        said = list(map(self._expectations.shared, quick.bodies))
        shared = said[0]
        if said.count(shared) < len(said) or quick.shared not in (None, shared):
            return False
        quick.shared = shared
        return (
            set(map(type, shared)) <= _TEXTS
            and (not self._expectations.has_runs or shared[-1] not in self._earlier_runs)
            and (not self._known or self._is_of_this_session(shared))
        )

    def _is_of_this_session(self, shared: tuple[Any, ...]) -> bool:
        """Say whether user and session are those that it named before."""
        of_session = self._expectations.of_session
        return all(self._known.get(name, shared[place]) == shared[place] for name, place in of_session)

    def _have_new_ids(self, quick: _Quick, message_id: Callable[[Body], Any]) -> bool:
        """Say whether each has an id of its own."""
        ids = set(map(message_id, quick.bodies))
        new = (
            len(ids) == len(quick.bodies) and ids.isdisjoint(quick.ids) and ids.isdisjoint(self._earlier_ids)
        )
        quick.ids |= ids
        return new and set(map(type, ids)) == _TEXTS

    def _agent_of(self, quick: _Quick) -> str:
        """Return the agent that they name; the one that was asked for is our own word, and clean."""
        found = map(self._expectations.agent, quick.bodies)
        agent = next((each for each in found if type(each) is str and each), "")
        return agent if agent in ("", quick.asked) else word(agent, self._clean)

    def _at_length(self) -> None:
        """Hand the answer that is under way over to `Conversation`."""
        quick, self._quick = self._quick, None
        if quick is None:
            return
        self._sent_id, self._run, self._came = quick.sent_id, None, 0
        self._turn = Turn(self._contract, self._known, self._earlier_ids, self._clean)
        for frame, _, at_s in quick.seen:
            super().feed(frame, at_s)

    def _remember(self, quick: _Quick) -> None:
        """Keep of an answer what `Conversation` would."""
        shared = quick.shared or ()
        for name, place in self._expectations.of_session:
            self._known.setdefault(name, shared[place])
        self._earlier_ids |= quick.ids
        self._end_run(shared[-1] if self._expectations.has_runs else None)


def _are_numbered(quick: _Quick, sequence: Callable[[Body], Any]) -> bool:
    """Say whether they are numbered on from those before."""
    numbers = list(map(sequence, quick.bodies))
    first = len(quick.seen) + 1 - len(numbers)
    return numbers == list(range(first, first + len(numbers))) and set(map(type, numbers)) == _WHOLE_NUMBERS


def _reader_of_all(paths: tuple[str, ...]) -> Callable[[Body], tuple[Any, ...]]:
    """Return what reads several paths at once; a KeyError may come where one of them is not there."""
    if len(paths) > 1 and "." not in "".join(paths):
        return itemgetter(*paths)
    reads = tuple(map(_reader_of, paths))
    return lambda body: tuple(read(body) for read in reads)


def _reader_of(path: str) -> Callable[[Body], Any]:
    """Return what reads one path, likewise."""
    return reader(path) if "." in path else itemgetter(path)


def _joined(parts: tuple[str, ...], values: dict[str, str]) -> str:
    """Fill the values in, as JSON writes them."""
    filled_in = list(parts)
    filled_in[1::2] = [encode_basestring_ascii(values[name])[1:-1] for name in parts[1::2]]
    return "".join(filled_in)
