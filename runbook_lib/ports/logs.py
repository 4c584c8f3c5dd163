"""Say what steps need of the log: reading it, following it, and counting it where it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class LogQuery:
    """Which entries are asked for; `end` is not included."""

    revision: str
    start: datetime
    end: datetime
    extra_filter: str = ""
    limit: int = 20_000


@dataclass(frozen=True, kw_only=True)
class LogUsage:
    """What reading log entries has cost.

    Attributes:
        requests: Read requests, repeated ones too.
        waited_s: How long they waited for the read quota.
        repeated: Entries that were delivered more than once and left out.
        queries: Queries on the log's linked dataset.
        scanned_bytes: What these were charged for.
    """

    requests: int = 0
    waited_s: float = 0.0
    repeated: int = 0
    queries: int = 0
    scanned_bytes: int = 0

    def since(self, before: LogUsage) -> LogUsage:
        """Return what was added to `before`."""
        return self._with(before, -1)

    def plus(self, more: LogUsage) -> LogUsage:
        """Return both together."""
        return self._with(more, 1)

    def _with(self, other: LogUsage, sign: int) -> LogUsage:
        names = (each.name for each in fields(self))
        return LogUsage(**{name: getattr(self, name) + sign * getattr(other, name) for name in names})


@dataclass(frozen=True, kw_only=True)
class LogNews:
    """What came while a log was followed.

    Attributes:
        entries: One row per entry, columns as in `Logs.read`, in the order of their time.
        suppressed: Why the API left entries out since the news before, e.g. `rate_limit`, to how many.
        missed_s: Seconds without a stream before these entries; what was logged in them is not here.
    """

    entries: pd.DataFrame
    suppressed: Mapping[str, int]
    missed_s: float = 0.0


class LogTail(Protocol):
    """A live log: a context manager, and inside it an iterator of `LogNews` that waits for the next.

        with logs.follow(["chat-00002-abc"]) as live:
            for news in live:
                show(news.entries)

    The loop ends after `close`, which any thread may call; at the end of the `with` block it is closed too.
    Only the news at hand are in memory: whoever reads too slowly has entries left out and counted.
    """

    def __iter__(self) -> Iterator[LogNews]:
        """Yield news as they come.

        Raises:
            CloudError: If the stream cannot be opened, or not again after it broke.
        """
        ...

    def __enter__(self) -> LogTail: ...

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None:
        """End the stream, and any loop over it; safe to repeat."""
        ...


class Logs(Protocol):
    """Cloud Logging, for one service."""

    def read(self, query: LogQuery) -> pd.DataFrame:
        """Return one row per log entry, oldest first, each entry once.

        Columns: `time` (UTC), `severity` (name), `revision`, `log` (last part of the log's name, e.g.
        `stdout`, `requests`), `message`, `stack` (a stack trace beside the message), `status` (HTTP status
        or NA), `latency_s` (float or NaN), `user_agent`, `trace`, `instance`, `late_s` (how long after it
        happened, or its request ended, the entry arrived), `insert_id`. Texts are empty where there is none.
        """
        ...

    def batches(self, query: LogQuery) -> Iterator[pa.RecordBatch]:
        """Yield the same rows a page at a time, so that any number of them needs the memory of a few."""
        ...

    def follow(self, revisions: Sequence[str], extra_filter: str = "") -> LogTail:
        """Return the entries that these revisions log from now on, as they come; costs no read request."""
        ...

    def usage(self) -> LogUsage:
        """Return what reading has cost so far."""
        ...


@dataclass(frozen=True, kw_only=True)
class LogDigest:
    """Log entries that were counted where they are, instead of read.

    Attributes:
        entries: One row per kind of entry and slice of time; columns as in `Logs.read`, and `count`. Its time
            and message are those of the first, its latency the longest, its lateness the latest; what differs
            within a kind (`user_agent`, `trace`, `instance`) is empty.
        total: Entries counted; more than the rows' counts together where there are too many kinds.
        slice_s: Length of a slice of time.
        latency_share: Latencies of a row are within this share of each other.
    """

    entries: pd.DataFrame
    total: int
    slice_s: float
    latency_share: float


class LogAnalytics(Protocol):
    """Cloud Logging by SQL, for one service: any number of entries costs a query.

    Of a `LogQuery`, `extra_filter` and `limit` are not heeded: the plan says the filter in SQL.
    """

    def count(self, query: LogQuery) -> int:
        """Return how many entries there are; repeated deliveries count."""
        ...

    def digest(self, query: LogQuery) -> LogDigest:
        """Return kinds of entries, each with its number."""
        ...

    def usage(self) -> LogUsage:
        """Return what asking has cost so far."""
        ...
