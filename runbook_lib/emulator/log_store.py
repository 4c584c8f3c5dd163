"""All log entries in memory, in the order of time and insert id; drops the oldest beyond its limit."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from sys import intern
from typing import Protocol

from .clock import timestamp_ns
from .log_columns import searchable_text
from .log_segment import LogKey, Segment, StoredEntry
from .wire import Message

DEFAULT_LIMIT = 200_000
_SEGMENT_SIZE = 2048

Listener = Callable[[StoredEntry], None]


class LogSink(Protocol):
    """Takes entries for the log."""

    def add(self, message: Message) -> None:
        """Take an entry."""
        ...


class LogStore:
    """All log entries.

    Args:
        limit: Entries kept; a few more may be there until the oldest are dropped together.
        segment_size: Entries that are indexed together.

    Attributes:
        dropped: Entries that fell out at the old end.
        listeners: Told of each entry as it becomes readable.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT, segment_size: int = _SEGMENT_SIZE) -> None:
        self._segments: list[Segment] = []
        self._limit = limit
        self._size = min(segment_size, limit)
        self._count = 0
        self.dropped = 0
        self.listeners: set[Listener] = set()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[StoredEntry]:
        return (entry for segment in self._segments for entry in segment.entries)

    def add(self, message: Message) -> None:
        """Store an entry; one with the same time, insert id and log is a duplicate and is left out."""
        key = LogKey(timestamp_ns(message.timestamp), message.insert_id, intern(message.log_name))
        entry = StoredEntry(key=key, message=message, text=searchable_text(message))
        if self._segment_for(key).add(entry):
            self._count += 1
            self._trim()
            for listener in self.listeners:
                listener(entry)

    def ahead(self, place: LogKey, newest_first: bool) -> Segment | None:
        """Return the nearest segment with entries later (or earlier, newest first) than a place."""
        if newest_first:
            index = bisect_left(self._segments, place, key=_first) - 1
            return self._segments[index] if index >= 0 else None
        index = bisect_right(self._segments, place, key=_last)
        return self._segments[index] if index < len(self._segments) else None

    def _segment_for(self, key: LogKey) -> Segment:
        index = bisect_left(self._segments, key, key=_last)
        if index == len(self._segments):
            if not self._segments or len(self._segments[-1]) >= self._size:
                self._segments.append(Segment())
            return self._segments[-1]
        # Late entries may fill a segment to the double: most logs have few of them.
        if len(self._segments[index]) < 2 * self._size:
            return self._segments[index]
        self._segments.insert(index + 1, self._segments[index].split())
        return self._segment_for(key)

    def _trim(self) -> None:
        while self._count - len(self._segments[0]) >= self._limit:
            oldest = self._segments.pop(0)
            self._count -= len(oldest)
            self.dropped += len(oldest)


def _first(segment: Segment) -> LogKey:
    return segment.first


def _last(segment: Segment) -> LogKey:
    return segment.last
