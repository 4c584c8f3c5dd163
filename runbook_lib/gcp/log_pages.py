"""Fetch the pages of a list of log entries, the next ones while those before them are being read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
import pyarrow as pa
import stamina
from google.api_core.exceptions import from_grpc_error
from google.cloud.logging_v2.types import ListLogEntriesRequest

from runbook_lib.errors import QuotaExceeded
from runbook_lib.gcp.channels import CALL_TIMEOUT_S, ask
from runbook_lib.gcp.log_columns import Page, read_page
from runbook_lib.gcp.read_quota import ReadQuota

_METHOD = "/google.logging.v2.LoggingServiceV2/ListLogEntries"
_QUOTA_PATIENCE_S = 180.0
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 20.0
_AT_ONCE = 4


class LogPages:
    """Asks `entries.list` by bare gRPC, for the client's own method makes an object of every field.

    Source: google.logging.v2.LoggingServiceV2.ListLogEntries,
    https://cloud.google.com/logging/docs/reference/v2/rpc/google.logging.v2
    """

    def __init__(self, channel: grpc.Channel, service: str, quota: ReadQuota) -> None:
        self._service = service
        self._quota = quota
        self._call: Callable[..., bytes] = channel.unary_unary(
            _METHOD,
            request_serializer=ListLogEntriesRequest.pb().SerializeToString,
            response_deserializer=None,  # the bytes as they came
        )

    def read(self, request: Any, limit: int) -> Iterator[pa.BinaryArray]:
        """Yield the entries, still encoded, in the API's order, a few pages at a time.

        Args:
            request: A `ListLogEntriesRequest` as protobuf message.
            limit: No page is asked for once so many entries are there.

        Raises:
            CloudError: If a page cannot be had.
        """
        pool = ThreadPoolExecutor(max_workers=1)
        try:
            coming: Future[Page] | None = pool.submit(self._pages, request, "", limit)
            while coming:
                some = coming.result()
                limit -= len(some.entries)
                more = some.next_token and limit > 0
                coming = pool.submit(self._pages, request, some.next_token, limit) if more else None
                yield some.entries
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _pages(self, request: Any, token: str, limit: int) -> Page:
        """Fetch a few pages as if they were one: what Arrow's calls cost is shared by their entries."""
        pages = [self._page(request, token)]
        while pages[-1].next_token and len(pages) < _AT_ONCE and sum(len(p.entries) for p in pages) < limit:
            pages.append(self._page(request, pages[-1].next_token))
        return Page(entries=pa.concat_arrays([p.entries for p in pages]), next_token=pages[-1].next_token)

    def _page(self, request: Any, token: str) -> Page:
        """Fetch one page; wait and ask again while the quota is used up or the API is unavailable."""
        attempts = stamina.retry_context(
            on=QuotaExceeded, attempts=None, timeout=_QUOTA_PATIENCE_S,
            wait_initial=_FIRST_WAIT_S, wait_max=_LONGEST_WAIT_S,
        )  # fmt: skip
        for attempt in attempts:
            with attempt:
                try:
                    return ask("entries.list", self._service, lambda: self._ask(request, token))
                except QuotaExceeded:
                    self._quota.held_back(attempt.next_wait)
                    raise
        raise AssertionError("stamina returns or raises")

    def _ask(self, request: Any, token: str) -> Page:
        self._quota.take()
        asked = type(request)()
        asked.CopyFrom(request)
        asked.page_token = token
        try:
            return read_page(self._call(asked, timeout=CALL_TIMEOUT_S))
        except grpc.RpcError as error:
            raise from_grpc_error(error) from error  # type: ignore[no-untyped-call]
