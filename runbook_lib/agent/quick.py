"""Follow answers that are as they should be at a fraction of the cost; leave all others to `Conversation`.

As a frame comes, it is decoded and checked in one: it has to hold what every event does, and be one that may
come next. What the events of an answer have to do with each other is looked at for many together. Where
anything is odd, all frames of the answer go to `Conversation` one by one, so that only its word counts.
That both say the same of every answer is tested.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

from runbook_lib.agent.conversation import MAX_CHARACTERS, Conversation, Stop, new_id
from runbook_lib.agent.expectations import Expectations
from runbook_lib.agent.turn import Turn, word
from runbook_lib.evidence import EventSeen
from runbook_lib.ports import Answer
from runbook_lib.redact import redact

_AT_ONCE = 64
"""So many events are looked at together at most: decoded, they take more memory than their frames."""


@dataclass(slots=True)
class _Quick:
    """An answer that was quick so far.

    Attributes:
        asked: The agent that was asked for.
        place: That of the furthest event.
        frames, kinds, times_s: Each frame, its type, and when it came.
        events: What the last frames hold; those before have been looked at.
        shared: What all events that have been looked at say: the fields that are the same, and the run.
    """

    sent_id: str
    asked: str
    place: int = -1
    characters: int = 0
    frames: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
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
        sent_id = new_id() if self._expectations.names_messages else ""
        values = {"content": content, "agent": agent, "message_id": sent_id}
        message = self._expectations.message(values)
        if message is None or self._frames:
            return super().send(content, agent)
        self._quick = _Quick(sent_id, agent)
        return message

    def feed(self, frame: str | bytes, at_s: float = 0.0) -> None:
        """Take the next frame, which arrived `at_s` seconds after the message was sent."""
        if isinstance(frame, bytes):
            self._at_length()
        elif self._quick and self._taken(self._quick, (frame,), at_s):
            return
        super().feed(frame, at_s)

    def feed_until_end(self, frames: Sequence[str], at_s: float) -> int:
        """Take frames that came together; see `Conversation.feed_until_end`."""
        if self._quick and self._taken(self._quick, frames, at_s):
            return len(frames)
        return super().feed_until_end(frames, at_s)

    def answer(self, stop: Stop | None = None, detail: str = "") -> Answer:
        """Return what came; see `Conversation.answer`."""
        quick = self._quick
        if quick is None or quick.place != self._expectations.last:
            self._at_length()
            return super().answer(stop, detail)
        self._quick = None
        self._remember(quick)
        numbers = range(1, len(quick.kinds) + 1) if self._expectations.sequence else repeat(None)
        return Answer(
            status="answered", answer_s=quick.times_s[-1], violations=(),
            events=tuple(map(EventSeen, quick.kinds, quick.times_s, numbers)), agent=quick.agent,
            text="\n".join(quick.frames),
        )  # fmt: skip

    def _taken(self, quick: _Quick, frames: Sequence[str], at_s: float) -> bool:
        """Take frames that came together; where one of them is odd, hand over what came before them."""
        try:
            self._take(quick, frames, at_s)
        except (KeyError, TypeError, ValueError, RecursionError):  # one is no event, or may not come now
            self._at_length()
            return False
        if quick.place == self._expectations.last or len(quick.events) >= _AT_ONCE:
            self._look(quick)
        return True

    def _take(self, quick: _Quick, frames: Sequence[str], at_s: float) -> None:
        wanted = self._expectations
        quick.characters += sum(map(len, frames))
        if quick.characters > MAX_CHARACTERS or len(quick.frames) + len(frames) >= wanted.most:
            raise ValueError("too much for one answer")
        events = wanted.decoded(frames)
        kinds = list(map(wanted.kind, events))
        for kind in kinds:
            quick.place = wanted.next[quick.place][kind]
        quick.events += events
        quick.frames += frames
        quick.kinds += kinds
        quick.times_s += repeat(at_s, len(kinds))

    def _look(self, quick: _Quick) -> None:
        """Look at the events that have not been looked at; hand over what is odd."""
        if self._are_whole(quick):
            quick.agent = quick.agent or self._agent_of(quick)
            quick.events.clear()
        else:
            self._at_length()

    def _are_whole(self, quick: _Quick) -> bool:
        """Say whether the events that have not been looked at fit together and to those before."""
        wanted, events = self._expectations, quick.events
        try:
            return (
                self._say_the_same(quick)
                and (wanted.message_id is None or self._have_new_ids(quick, wanted.message_id))
                and (wanted.sequence is None or _are_numbered(quick, wanted.sequence))
                and (wanted.reply_to is None or {None, quick.sent_id} >= set(map(wanted.reply_to, events)))
                and (quick.place < wanted.last or type(wanted.answer_text(events[-1])) is str)
            )
        except TypeError:  # a reply names a list or an object
            return False

    def _say_the_same(self, quick: _Quick) -> bool:
        """Say whether they have in common what they should, and it is what the session said before."""
        said = list(map(self._expectations.shared, quick.events))
        shared = said[0]
        if said.count(shared) < len(said) or quick.shared not in (None, shared):
            return False
        quick.shared = shared
        new_run = not self._expectations.has_runs or shared[-1] not in self._earlier_runs
        return new_run and (not self._known or self._is_of_this_session(shared))

    def _is_of_this_session(self, shared: tuple[Any, ...]) -> bool:
        """Say whether user and session are those that it named before."""
        of_session = self._expectations.of_session
        return all(self._known.get(name, shared[place]) == shared[place] for name, place in of_session)

    def _have_new_ids(self, quick: _Quick, message_id: Callable[[Any], str]) -> bool:
        """Say whether each has an id of its own."""
        ids = set(map(message_id, quick.events))
        alone = ids.isdisjoint(quick.ids) and ids.isdisjoint(self._earlier_ids)
        quick.ids |= ids
        return alone and len(ids) == len(quick.events)

    def _agent_of(self, quick: _Quick) -> str:
        """Return the agent that they name; the one that was asked for is our own word, and clean."""
        if self._expectations.agent is None:
            return ""
        found = map(self._expectations.agent, quick.events)
        agent = next((each for each in found if type(each) is str and each), "")
        return agent if agent in ("", quick.asked) else word(agent, self._clean)

    def _at_length(self) -> None:
        """Hand the answer that is under way over to `Conversation`."""
        quick, self._quick = self._quick, None
        if quick is None:
            return
        self._sent_id, self._run, self._came = quick.sent_id, None, 0
        self._turn = Turn(self._contract, self._known, self._earlier_ids, self._clean)
        for frame, at_s in zip(quick.frames, quick.times_s, strict=True):
            super().feed(frame, at_s)

    def _remember(self, quick: _Quick) -> None:
        """Keep of an answer what `Conversation` would."""
        shared = quick.shared or ()
        for name, place in self._expectations.of_session:
            self._known.setdefault(name, shared[place])
        self._earlier_ids |= quick.ids
        self._end_run(shared[-1] if self._expectations.has_runs else None)


def _are_numbered(quick: _Quick, sequence: Callable[[Any], int]) -> bool:
    """Say whether they are numbered on from those before."""
    first = len(quick.frames) + 1 - len(quick.events)
    return list(map(sequence, quick.events)) == list(range(first, len(quick.frames) + 1))
