"""A run of log entries in order, with an index in which each entry is one bit; knows no filter language."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from .log_columns import SEPARATOR, Column, cells
from .text_sketch import TextSketch
from .wire import Message


class LogKey(NamedTuple):
    """Place of an entry in the order of the log."""

    time_ns: int
    insert_id: str
    log_name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEntry:
    """A log entry, its place, and the text that searches look at."""

    key: LogKey
    message: Message
    text: str


class Segment:
    """Entries in the order of their keys.

    A set of entries is a whole number whose bit `n` stands for entry `n`: sets are joined and narrowed by one
    machine operation for many entries, and a value that an index does not hold costs nothing.
    """

    def __init__(self) -> None:
        self._entries: list[StoredEntry] = []
        self._columns: dict[Column, dict[Any, int]] = {}
        self._sketch = TextSketch()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> list[StoredEntry]:
        """The entries as they are now, in a list of their own."""
        return self._entries[:]

    @property
    def first(self) -> LogKey:
        """Lowest key."""
        return self._entries[0].key

    @property
    def last(self) -> LogKey:
        """Highest key."""
        return self._entries[-1].key

    def add(self, entry: StoredEntry) -> bool:
        """Put an entry in its place; return False when there is one with its key already."""
        rank = bisect_left(self._entries, entry.key, key=_key)
        if rank < len(self._entries):
            if self._entries[rank].key == entry.key:
                return False
            self._make_room(rank)
        self._entries.insert(rank, entry)
        bit = 1 << rank
        for column, value in cells(entry.message):
            by_value = self._columns.setdefault(column, {})
            by_value[value] = by_value.get(value, 0) | bit
        for string in entry.text.split(SEPARATOR):
            self._sketch.add(string)
        return True

    def split(self) -> "Segment":
        """Give the later half of the entries away, in a segment of their own."""
        half = len(self._entries) // 2
        kept, later = (1 << half) - 1, Segment()
        later._entries, self._entries = self._entries[half:], self._entries[:half]
        later._columns = self._moved(lambda bits: bits >> half)
        self._columns = self._moved(lambda bits: bits & kept)
        later._sketch = self._sketch.copy()
        return later

    def after(self, place: LogKey) -> int:
        """Return the set of entries later than a place."""
        # Most segments lie wholly on one side of what is sought: no need to search them for the border.
        low = 0 if place < self.first else bisect_right(self._entries, place, key=_key)
        return _ranks(low, len(self._entries))

    def before(self, place: LogKey) -> int:
        """Return the set of entries earlier than a place."""
        return _ranks(0, len(self) if place > self.last else bisect_left(self._entries, place, key=_key))

    def between(self, earliest_ns: int, latest_ns: int) -> int:
        """Return the set of entries from one time to another, both included."""
        if latest_ns < self.first.time_ns or earliest_ns > self.last.time_ns:
            return 0
        low = bisect_left(self._entries, earliest_ns, key=_time_ns)
        return _ranks(low, bisect_right(self._entries, latest_ns, lo=low, key=_time_ns))

    def where(self, column: Column, test: Callable[[Any], bool]) -> int:
        """Return the set of entries whose value in a column passes a test."""
        found = 0
        for value, bits in self._columns.get(column, {}).items():
            if test(value):
                found |= bits
        return found

    def containing(self, wanted: str, within: int) -> int:
        """Return the subset of entries in which a string contains the wanted (casefolded) text."""
        if not self._sketch.may_contain(wanted):
            return 0
        entries, found = self._entries, 0
        for rank in ranks(within):
            if wanted in entries[rank].text:
                found |= 1 << rank
        return found

    def _make_room(self, rank: int) -> None:
        """Move the bits of the entries from a rank on by one."""
        below = (1 << rank) - 1
        self._columns = self._moved(lambda bits: (bits >> rank << rank + 1) | (bits & below))

    def _moved(self, move: Callable[[int], int]) -> dict[Column, dict[Any, int]]:
        return {
            column: {value: moved for value, bits in by_value.items() if (moved := move(bits))}
            for column, by_value in self._columns.items()
        }


def _ranks(low: int, high: int) -> int:
    return (1 << high) - (1 << low)


def ranks(bits: int, newest_first: bool = False) -> Iterator[int]:
    """Yield the numbers of the bits that are set, from the lowest or from the highest on."""
    # Searching the written number is ten times as fast as arithmetic on it.
    digits = f"{bits:b}"
    top = len(digits) - 1
    if newest_first:
        place = digits.find("1")
        while place >= 0:
            yield top - place
            place = digits.find("1", place + 1)
    else:
        place = digits.rfind("1")
        while place >= 0:
            yield top - place
            place = digits.rfind("1", 0, place)


def _key(entry: StoredEntry) -> LogKey:
    return entry.key


def _time_ns(entry: StoredEntry) -> int:
    return entry.key.time_ns
