"""Fetch the pages of a list of log entries, the next ones while those before them are being read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
import pyarrow as pa
import stamina
from google.api_core.exceptions import from_grpc_error
from google.cloud.logging_v2.types import ListLogEntriesRequest

from runbook_lib.errors import QuotaExceeded
from runbook_lib.gcp.channels import CALL_TIMEOUT_S, ask
from runbook_lib.gcp.log_columns import entries_of, next_token
from runbook_lib.gcp.read_quota import ReadQuota

_METHOD = "/google.logging.v2.LoggingServiceV2/ListLogEntries"
_QUOTA_PATIENCE_S = 180.0
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 20.0
_AT_ONCE = 4


@dataclass(frozen=True, kw_only=True)
class _Some:
    """Entries of a few pages, still encoded; `next_token` is empty after the last page."""

    entries: pa.BinaryArray
    next_token: str


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
            coming: Future[_Some] | None = pool.submit(self._some, request, "", limit)
            while coming:
                some = coming.result()
                limit -= len(some.entries)
                more = some.next_token and limit > 0
                coming = pool.submit(self._some, request, some.next_token, limit) if more else None
                yield some.entries
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _some(self, request: Any, token: str, limit: int) -> _Some:
        """Fetch a few pages, for what a call of Arrow costs is shared by their entries."""
        most = min(_AT_ONCE, math.ceil(limit / request.page_size))
        pages = [self._page(request, token)]
        while (token := next_token(pages[-1])) and len(pages) < most:
            pages.append(self._page(request, token))
        return _Some(entries=entries_of(pages), next_token=token)

    def _page(self, request: Any, token: str) -> bytes:
        """Fetch one page; wait and ask again while the quota is used up or the API is unavailable."""
        attempts = stamina.retry_context(
            on=QuotaExceeded, attempts=None, timeout=_QUOTA_PATIENCE_S,
            wait_initial=_FIRST_WAIT_S, wait_max=_LONGEST_WAIT_S,
        )  # fmt: skip
        for attempt in attempts:
            with attempt:
                try:
                    return ask("entries.list", self._service, lambda: self._ask(request, token), quota=False)
                except QuotaExceeded:
                    self._quota.held_back(attempt.next_wait)
                    raise
        raise AssertionError("stamina returns or raises")

    def _ask(self, request: Any, token: str) -> bytes:
        self._quota.take()
        asked = type(request)()
        asked.CopyFrom(request)
        asked.page_token = token
        try:
            return self._call(asked, timeout=CALL_TIMEOUT_S)
        except grpc.RpcError as error:
            raise from_grpc_error(error) from error  # type: ignore[no-untyped-call]
