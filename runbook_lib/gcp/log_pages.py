"""Fetch the pages of a list of log entries, each while the one before it is being read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
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

    def read(self, request: Any, limit: int) -> Iterator[Page]:
        """Yield the pages in the API's order, also empty ones; the next is on its way meanwhile.

        Args:
            request: A `ListLogEntriesRequest` as protobuf message.
            limit: No page is asked for once so many entries are there.

        Raises:
            CloudError: If a page cannot be had.
        """
        pool = ThreadPoolExecutor(max_workers=1)
        try:
            coming: Future[Page] | None = pool.submit(self._page, request, "")
            while coming:
                page = coming.result()
                limit -= len(page.entries)
                more = page.next_token and limit > 0
                coming = pool.submit(self._page, request, page.next_token) if more else None
                yield page
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

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
