"""google.logging.v2.LoggingServiceV2: lists and writes log entries.

Source: https://cloud.google.com/logging/docs/reference/v2/rpc/google.logging.v2
"""

import asyncio
import re
import uuid

from google.cloud.logging_v2 import types

from .clock import NowNs, timestamp
from .errors import invalid
from .log_filter import compile_filter
from .log_names import prefixes_of, project_of
from .log_quota import ReadQuota
from .log_scan import Listing, find_page
from .log_segment import LogKey
from .log_store import LogSink, LogStore
from .log_tail import Tailer
from .paging import make_token, read_token
from .wire import Message, Method, stream_method

SERVICE = "google.logging.v2.LoggingServiceV2"
DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
_ORDERS = {"": False, "timestamp asc": False, "timestamp desc": True}
_LOG_NAME = re.compile(r"projects/[^/]+/logs/[^/]+")
# Entries written before other work gets a turn: a few milliseconds.
_WRITTEN_AT_ONCE = 50


class LoggingApi:
    """Answers from one log store; what is written goes in by the same way as the platform's own entries."""

    def __init__(self, store: LogStore, sink: LogSink, quota: ReadQuota, now_ns: NowNs) -> None:
        self._store = store
        self._sink = sink
        self._quota = quota
        self._now_ns = now_ns
        self._tailer = Tailer(store)

    def methods(self) -> list[Method]:
        """Return the table of methods."""
        requests = (
            ("ListLogEntries", types.ListLogEntriesRequest, self.list_entries),
            ("WriteLogEntries", types.WriteLogEntriesRequest, self.write_entries),
        )
        tail = stream_method(SERVICE, "TailLogEntries", types.TailLogEntriesRequest.pb(), self._tailer.stream)
        return [Method(service=SERVICE, name=n, request=r.pb(), handle=h) for n, r, h in requests] + [tail]

    async def list_entries(self, request: Message) -> Message:
        """Return one page of the entries that match."""
        self._quota.take(project_of(next(iter(request.resource_names), "")))
        listing = _checked(request)
        query = (listing.prefixes, listing.filter, listing.newest_first)
        position = read_token(request.page_token, query)
        page = await find_page(self._store, listing, None if position is None else LogKey(*position))
        response = types.ListLogEntriesResponse.pb()(entries=[entry.message for entry in page.entries])
        if page.place is not None:
            response.next_page_token = make_token(query, page.place)
        return response

    async def write_entries(self, request: Message) -> Message:
        """Store the entries, filled up with the request's defaults."""
        for index, entry in enumerate(request.entries):
            if not _LOG_NAME.fullmatch(entry.log_name or request.log_name):
                raise invalid(
                    f"entries[{index}].log_name", "must be projects/PROJECT/logs/LOG_ID, URL-encoded"
                )
        if not request.dry_run:
            for index, entry in enumerate(request.entries):
                self._sink.add(self._filled(request, entry))
                if index % _WRITTEN_AT_ONCE == 0:
                    await asyncio.sleep(0)
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


def _checked(request: Message) -> Listing:
    if not 0 <= request.page_size <= MAX_PAGE_SIZE:
        raise invalid("page_size", f"{request.page_size} is not between 0 and {MAX_PAGE_SIZE}")
    if request.order_by not in _ORDERS:
        raise invalid("order_by", f"'{request.order_by}' is neither 'timestamp asc' nor 'timestamp desc'")
    compile_filter(request.filter)
    return Listing(
        prefixes=prefixes_of(request.resource_names),
        filter=request.filter,
        newest_first=_ORDERS[request.order_by],
        page_size=request.page_size or DEFAULT_PAGE_SIZE,
    )
