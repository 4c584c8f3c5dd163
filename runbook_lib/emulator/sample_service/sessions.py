"""Keep who is connected and what they said in their threads; knows nothing of sockets."""

from __future__ import annotations

import uuid
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .agents import ContextFactory, UserExecutionContext
from .defects import Defects, EveryNth

RESUMABLE = 1000  # sessions that are remembered after their end


class SessionManager:
    """The open sessions of this process."""

    def __init__(self, defects: Defects) -> None:
        """Start with nobody connected."""
        self._defects = defects
        self._factory = ContextFactory()
        self._live: list[UserExecutionContext] = []
        self._never_uncounted = 0
        self._owners: OrderedDict[str, set[str]] = OrderedDict()
        self._foreign = EveryNth(defects.foreign_context_every)

    @property
    def connected(self) -> int:
        """How many sessions are open."""
        return len(self._live)

    @property
    def active(self) -> int:
        """How many sessions the service believes to be open."""
        return self.connected + self._never_uncounted

    def others(self, user_id: str) -> list[UserExecutionContext]:
        """Return the open sessions of everybody else, newest last."""
        return [context for context in self._live if context.user_id != user_id]

    def may_resume(self, user_id: str, session_id: str) -> bool:
        """Say whether there is or was such a session of this user's."""
        owners = self._owners.get(session_id, set())
        return user_id in owners or (bool(owners) and "resume-of-anothers" in self._defects.faults)

    @contextmanager
    def session(self, user_id: str, resumed: str = "") -> Iterator[UserExecutionContext]:
        """Hold a session open: a new one, or an earlier one under its id."""
        others = self.others(user_id)
        slot = others[-1].session_id if others and self._defects.recycled_slots else None
        if resumed and "resume" not in self._defects.faults:
            slot = resumed
        context = self._factory.create(user_id, session_id=slot)
        self._remember(context)
        self._live.append(context)
        try:
            yield context
        finally:
            self._live = [other for other in self._live if other is not context]
            self._never_uncounted += self._defects.closed_sessions_stay_counted

    def lost(self) -> None:
        """Take note of a session whose connection broke."""
        self._never_uncounted += self._defects.dropped_sessions_stay_counted

    def _remember(self, context: UserExecutionContext) -> None:
        self._owners.setdefault(context.session_id, set()).add(context.user_id)
        if len(self._owners) > RESUMABLE:
            self._owners.popitem(last=False)

    def context_for(self, context: UserExecutionContext) -> str:
        """Return the words that an agent of this session thinks about: the user's own last ones."""
        heard = [other.last_content for other in self.others(context.user_id) if other.last_content]
        if heard and self._foreign.due():
            return heard[-1]
        return context.last_content


@dataclass(frozen=True, kw_only=True)
class ThreadMessage:
    """One line of a thread."""

    role: str  # "user" or "agent"
    content: str


class ThreadStore:
    """The last threads of all users, each visible to its owner only; bounded, so that memory stays level."""

    def __init__(self, *, threads: int = 200, messages: int = 20) -> None:
        """Keep at most that many threads, and that many messages of each."""
        self._limit = threads
        self._messages = messages
        self._threads: OrderedDict[tuple[str, str], deque[ThreadMessage]] = OrderedDict()

    def append(self, user_id: str, thread_id: str, message: ThreadMessage) -> None:
        """Add to a thread, begin it if need be, and forget the oldest thread above the limit."""
        key = (user_id, thread_id)
        self._threads.setdefault(key, deque(maxlen=self._messages)).append(message)
        self._threads.move_to_end(key)
        if len(self._threads) > self._limit:
            self._threads.popitem(last=False)

    def of(self, user_id: str, thread_id: str) -> list[ThreadMessage] | None:
        """Return the user's own thread; somebody else's is None, as one that never was."""
        found = self._threads.get((user_id, thread_id))
        return None if found is None else list(found)


def new_thread_id() -> str:
    """Return an id that nobody has."""
    return f"thread-{uuid.uuid4().hex}"
