"""google.logging.v2.LoggingServiceV2.TailLogEntries: streams entries as they become readable.

Source: https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/tail, and for the limits
https://cloud.google.com/logging/quotas#api-limits
"""

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import grpc
from google.cloud.logging_v2 import types

from .errors import ApiError, invalid
from .log_filter import compile_filter
from .log_names import prefixes_of, project_of
from .log_segment import StoredEntry
from .log_store import LogStore
from .wire import Message

_Reason = types.TailLogEntriesResponse.SuppressionInfo.Reason
_DEFAULT_WINDOW_S = 2.0
_MAX_WINDOW_S = 60.0
_MAX_RESPONSE_ENTRIES = 1000


@dataclass(frozen=True, kw_only=True)
class TailLimits:
    """What Cloud Logging allows.

    Attributes:
        sessions: Open sessions of a project.
        entries_per_minute: Entries that a session sends in a minute; further ones are left out and counted.
        waiting: Entries kept for a client that does not read; further ones are left out and counted.
        session_s: How long a session lasts.
    """

    sessions: int = 10
    entries_per_minute: int = 60_000
    waiting: int = 10_000
    session_s: float = 3600.0


class Tailer:
    """Opens tail sessions on a log.

    Args:
        now_s: A clock that only runs forward, in seconds.
    """

    def __init__(
        self, store: LogStore, limits: TailLimits | None = None, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._limits = limits or TailLimits()
        self._now_s = now_s
        self._open: Counter[str] = Counter()

    async def stream(self, requests: AsyncIterator[Message]) -> AsyncGenerator[Message, None]:
        """Answer one stream: what its first request asks for, until the client leaves or the session is over.

        Later requests are not read: the documentation gives them no meaning.
        """
        request = await anext(aiter(requests), None)
        if request is None:
            return
        session = _Session(request, self._limits, self._now_s)
        with self._opened(project_of(request.resource_names[0])), self._fed(session):
            async for response in session.responses():
                yield response

    @contextlib.contextmanager
    def _opened(self, project: str) -> Iterator[None]:
        if self._open[project] >= self._limits.sessions:
            raise ApiError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"projects/{project} has {self._limits.sessions} tail sessions open, the limit: close one",
            )
        self._open[project] += 1
        try:
            yield
        finally:
            self._open[project] -= 1

    @contextlib.contextmanager
    def _fed(self, session: "_Session") -> Iterator[None]:
        self._store.listeners.add(session.take)
        try:
            yield
        finally:
            self._store.listeners.discard(session.take)


class _Session:
    """One client's view of the log as it grows."""

    def __init__(self, request: Message, limits: TailLimits, now_s: Callable[[], float]) -> None:
        self._prefixes = prefixes_of(request.resource_names)
        self._matches = compile_filter(request.filter)
        self._window_s = _window_s(request)
        self._limits = limits
        self._now_s = now_s
        self._waiting: list[StoredEntry] = []
        self._sent_s: deque[float] = deque()
        self._suppressed: Counter[int] = Counter()
        self._news = asyncio.Event()

    def take(self, entry: StoredEntry) -> None:
        """Keep an entry for the client, or count it among those that it cannot have."""
        if not entry.key.log_name.startswith(self._prefixes) or not self._matches(entry.message):
            return
        if reason := self._obstacle():
            self._suppressed[reason] += 1
        else:
            self._waiting.append(entry)
            self._sent_s.append(self._now_s())
        self._news.set()

    def _obstacle(self) -> int | None:
        while self._sent_s and self._now_s() - self._sent_s[0] >= 60:
            self._sent_s.popleft()
        if len(self._sent_s) >= self._limits.entries_per_minute:
            return int(_Reason.RATE_LIMIT)
        return int(_Reason.NOT_CONSUMED) if len(self._waiting) >= self._limits.waiting else None

    async def responses(self) -> AsyncIterator[Message]:
        """Yield what comes in, each buffer window's entries together in their order.

        Raises:
            ApiError: OUT_OF_RANGE when the session's time is over.
        """
        end_s = self._now_s() + self._limits.session_s
        while await self._news_before(end_s):
            # The window begins with its first entry: whatever is late by less takes its place.
            await asyncio.sleep(self._window_s)
            self._news.clear()
            batch, self._waiting = sorted(self._waiting, key=lambda entry: entry.key), []
            for start in range(0, max(len(batch), 1), _MAX_RESPONSE_ENTRIES):
                yield self._response(batch[start : start + _MAX_RESPONSE_ENTRIES])
        raise ApiError(
            grpc.StatusCode.OUT_OF_RANGE,
            f"The tail session has lasted {self._limits.session_s:g} s, the limit: open another one.",
        )

    async def _news_before(self, end_s: float) -> bool:
        try:
            await asyncio.wait_for(self._news.wait(), max(0.0, end_s - self._now_s()))
        except TimeoutError:
            return False
        return self._now_s() < end_s

    def _response(self, entries: list[StoredEntry]) -> Message:
        response = types.TailLogEntriesResponse.pb()(entries=[entry.message for entry in entries])
        for reason, count in self._suppressed.items():
            response.suppression_info.add(reason=reason, suppressed_count=count)
        self._suppressed.clear()
        return response


def _window_s(request: Message) -> float:
    if not request.HasField("buffer_window"):
        return _DEFAULT_WINDOW_S
    window_s = float(request.buffer_window.ToNanoseconds() / 1e9)
    if not 0 <= window_s <= _MAX_WINDOW_S:
        raise invalid("buffer_window", f"{window_s:g} s is not between 0 and {_MAX_WINDOW_S:g} s")
    return window_s
