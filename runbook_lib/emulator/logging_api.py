"""google.logging.v2.LoggingServiceV2: lists and writes log entries.

Source: https://cloud.google.com/logging/docs/reference/v2/rpc/google.logging.v2
"""

import asyncio
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from google.cloud.logging_v2 import types

from .clock import NowNs, timestamp
from .errors import invalid
from .log_filter import TimeBounds, compile_filter, time_bounds
from .log_store import LogKey, LogSink, LogStore, StoredEntry
from .paging import make_token, read_token
from .wire import Message, Method

SERVICE = "google.logging.v2.LoggingServiceV2"
DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
MAX_RESOURCE_NAMES = 100
# Entries examined before other work gets a turn: a millisecond, even with a costly filter.
_CHUNK = 50
_HIGHEST = LogKey(1 << 63, "")
_LOWEST = LogKey(-1, "")
_ORDERS = {"": False, "timestamp asc": False, "timestamp desc": True}
_PROJECT = re.compile(r"projects/[^/]+")
_LOG_NAME = re.compile(r"projects/[^/]+/logs/[^/]+")


@dataclass(frozen=True, kw_only=True)
class _Listing:
    """What a list call asks for, checked."""

    prefixes: tuple[str, ...]
    filter: str
    newest_first: bool
    page_size: int


class LoggingApi:
    """Answers from one log store; what is written goes in by the same way as the platform's own entries."""

    def __init__(self, store: LogStore, sink: LogSink, now_ns: NowNs) -> None:
        self._store = store
        self._sink = sink
        self._now_ns = now_ns

    def methods(self) -> list[Method]:
        """Return the table of methods."""
        requests = (
            ("ListLogEntries", types.ListLogEntriesRequest, self.list_entries),
            ("WriteLogEntries", types.WriteLogEntriesRequest, self.write_entries),
        )
        return [Method(service=SERVICE, name=n, request=r.pb(), handle=h) for n, r, h in requests]

    async def list_entries(self, request: Message) -> Message:
        """Return one page of the entries that match."""
        listing = _checked(request)
        query = (listing.prefixes, listing.filter, listing.newest_first)
        position = read_token(request.page_token, query)
        found = await self._scan(listing, None if position is None else LogKey(*position))
        response = types.ListLogEntriesResponse.pb()(entries=[entry.message for entry in found])
        if len(found) == listing.page_size:
            response.next_page_token = make_token(query, found[-1].key)
        return response

    async def _scan(self, listing: _Listing, position: LogKey | None) -> list[StoredEntry]:
        matches, bounds = compile_filter(listing.filter), time_bounds(listing.filter)
        place = position or _start(bounds, listing.newest_first)
        found: list[StoredEntry] = []
        while chunk := self._chunk(place, listing.newest_first):
            for entry in chunk:
                if _beyond(entry.key, bounds, listing.newest_first):
                    return found
                if entry.message.log_name.startswith(listing.prefixes) and matches(entry.message):
                    found.append(entry)
                    if len(found) == listing.page_size:
                        return found
            place = chunk[-1].key
            # The router shares this loop: a long scan must not hold up its requests.
            await asyncio.sleep(0)
        return found

    def _chunk(self, place: LogKey, newest_first: bool) -> Sequence[StoredEntry]:
        read = self._store.descending if newest_first else self._store.ascending
        return read(place, _CHUNK)

    async def write_entries(self, request: Message) -> Message:
        """Store the entries, filled up with the request's defaults."""
        for index, entry in enumerate(request.entries):
            if not _LOG_NAME.fullmatch(entry.log_name or request.log_name):
                raise invalid(
                    f"entries[{index}].log_name", "must be projects/PROJECT/logs/LOG_ID, URL-encoded"
                )
        if not request.dry_run:
            for entry in request.entries:
                self._sink.add(self._filled(request, entry))
        return types.WriteLogEntriesResponse.pb()()

    def _filled(self, request: Message, entry: Message) -> Message:
        stored = types.LogEntry.pb()()
        stored.CopyFrom(entry)
        stored.log_name = entry.log_name or request.log_name
        if not entry.HasField("resource"):
            stored.resource.CopyFrom(request.resource)
        for key, value in request.labels.items():
            if key not in stored.labels:
                stored.labels[key] = value
        now = timestamp(self._now_ns())
        if not entry.HasField("timestamp"):
            stored.timestamp.CopyFrom(now)
        stored.receive_timestamp.CopyFrom(now)
        stored.insert_id = stored.insert_id or uuid.uuid4().hex[:16]
        return stored


def _checked(request: Message) -> _Listing:
    if not 0 <= request.page_size <= MAX_PAGE_SIZE:
        raise invalid("page_size", f"{request.page_size} is not between 0 and {MAX_PAGE_SIZE}")
    if request.order_by not in _ORDERS:
        raise invalid("order_by", f"'{request.order_by}' is neither 'timestamp asc' nor 'timestamp desc'")
    compile_filter(request.filter)
    return _Listing(
        prefixes=_prefixes(request.resource_names),
        filter=request.filter,
        newest_first=_ORDERS[request.order_by],
        page_size=request.page_size or DEFAULT_PAGE_SIZE,
    )


def _prefixes(resource_names: Sequence[str]) -> tuple[str, ...]:
    if not 0 < len(resource_names) <= MAX_RESOURCE_NAMES:
        raise invalid("resource_names", f"needs 1 to {MAX_RESOURCE_NAMES} names such as projects/PROJECT")
    for name in resource_names:
        if not _PROJECT.match(name):
            raise invalid("resource_names", f"'{name}' does not begin with projects/PROJECT")
    return tuple("/".join(name.split("/")[:2]) + "/logs/" for name in resource_names)


def _start(bounds: TimeBounds, newest_first: bool) -> LogKey:
    if newest_first:
        return _HIGHEST if bounds.latest_ns is None else LogKey(bounds.latest_ns + 1, "")
    return _LOWEST if bounds.earliest_ns is None else LogKey(bounds.earliest_ns - 1, "\U0010ffff")


def _beyond(key: LogKey, bounds: TimeBounds, newest_first: bool) -> bool:
    """Say whether a scan has left the window on its far side."""
    if newest_first:
        return bounds.earliest_ns is not None and key.time_ns < bounds.earliest_ns
    return bounds.latest_ns is not None and key.time_ns > bounds.latest_ns
