"""Log entries in memory, in the order of time and insert id; drops the oldest beyond its limit."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .clock import timestamp_ns
from .wire import Message

DEFAULT_LIMIT = 200_000
_TRIM_STEP = 1024


class LogKey(NamedTuple):
    """Place of an entry in the order of the log."""

    time_ns: int
    insert_id: str
    log_name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEntry:
    """A log entry and its place."""

    key: LogKey
    message: Message


class LogSink(Protocol):
    """Takes entries for the log."""

    def add(self, message: Message) -> None:
        """Take an entry."""
        ...


class LogStore:
    """All log entries.

    Attributes:
        dropped: Entries that fell out at the old end.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._entries: list[StoredEntry] = []
        self._limit = limit
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, message: Message) -> None:
        """Store an entry; one with the same time, insert id and log is a duplicate and is left out."""
        key = LogKey(timestamp_ns(message.timestamp), message.insert_id, message.log_name)
        entry = StoredEntry(key=key, message=message)
        if not self._entries or entry.key > self._entries[-1].key:
            self._entries.append(entry)
        else:
            self._insert(entry)
        self._trim()

    def ascending(self, after: LogKey, limit: int) -> Sequence[StoredEntry]:
        """Return up to `limit` entries later than a place, oldest first."""
        start = bisect_right(self._entries, after, key=_key)
        return self._entries[start : start + limit]

    def descending(self, before: LogKey, limit: int) -> Sequence[StoredEntry]:
        """Return up to `limit` entries earlier than a place, newest first."""
        end = bisect_left(self._entries, before, key=_key)
        return self._entries[max(0, end - limit) : end][::-1]

    def _insert(self, entry: StoredEntry) -> None:
        index = bisect_left(self._entries, entry.key, key=_key)
        duplicate = index < len(self._entries) and self._entries[index].key == entry.key
        if not duplicate:
            self._entries.insert(index, entry)

    def _trim(self) -> None:
        # In steps: deleting from the front of a list moves all the rest.
        excess = len(self._entries) - self._limit
        if excess >= min(_TRIM_STEP, self._limit):
            del self._entries[:excess]
            self.dropped += excess


def _key(entry: StoredEntry) -> LogKey:
    return entry.key
