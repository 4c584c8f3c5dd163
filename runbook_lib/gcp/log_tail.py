"""Follow what is logged, as it comes, by a stream that is opened again when it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import grpc
import pandas as pd
import pyarrow as pa
from google.api_core.exceptions import GoogleAPICallError, OutOfRange, from_grpc_error
from google.cloud.logging_v2.types import TailLogEntriesRequest, TailLogEntriesResponse

from runbook_lib.clock import Clock
from runbook_lib.errors import CloudUnavailable
from runbook_lib.gcp.channels import translated
from runbook_lib.gcp.log_columns import SCHEMA, as_batch
from runbook_lib.gcp.log_order import Tidy
from runbook_lib.ports.logs import LogNews

_METHOD = "/google.logging.v2.LoggingServiceV2/TailLogEntries"
_MOST_FAILURES = 5
_FIRST_WAIT_S = 0.25
_Reason = TailLogEntriesResponse.SuppressionInfo.Reason


class CloudLogTail:
    """Implements `ports.logs.LogTail`.

    Source: google.logging.v2.LoggingServiceV2.TailLogEntries,
    https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/tail; a session lasts an hour, a
    project has ten: https://cloud.google.com/logging/quotas
    """

    def __init__(self, channel: grpc.Channel, request: Any, service: str, clock: Clock) -> None:
        self._request, self._service, self._clock = request, service, clock
        self._call: Callable[..., Any] = channel.stream_stream(
            _METHOD,
            request_serializer=TailLogEntriesRequest.pb().SerializeToString,
            response_deserializer=TailLogEntriesResponse.pb().FromString,
        )
        self._closed = Event()
        self._failures = 0
        self._broken_s: float | None = None
        self._opened_s = 0.0
        self._open()

    def __enter__(self) -> CloudLogTail:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[LogNews]:
        while not self._closed.is_set():
            try:
                for response in self._stream:
                    yield self._news(response)
                self._mend(OutOfRange("the stream has ended"))  # type: ignore[no-untyped-call]
            except grpc.RpcError as error:
                self._mend(from_grpc_error(error))  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """End the stream, and any loop over it."""
        self._closed.set()
        self._stream.cancel()

    def _open(self) -> None:
        ended = Event()

        def requests() -> Iterator[Any]:
            yield self._request
            ended.wait()  # a client that has no more to say would be taken for one that leaves

        self._stream = self._call(requests())
        if not self._stream.add_callback(ended.set):
            ended.set()
        self._opened_s = self._clock.monotonic_s()
        if self._closed.is_set():
            self._stream.cancel()

    def _mend(self, error: GoogleAPICallError) -> None:
        """Open the stream again when its time is over or the API unavailable, a few times, ever later."""
        if self._closed.is_set():
            return
        self._failures += 1
        ours = translated("entries.tail", self._service, error)
        if not isinstance(ours, CloudUnavailable) and not isinstance(error, OutOfRange):
            raise ours from error
        if self._failures > _MOST_FAILURES:
            raise ours from error
        if self._broken_s is None:
            self._broken_s = self._clock.monotonic_s()
        self._closed.wait(_FIRST_WAIT_S * 2 ** (self._failures - 1))
        self._open()

    def _news(self, response: Any) -> LogNews:
        missed_s = 0.0 if self._broken_s is None else self._opened_s - self._broken_s
        self._failures, self._broken_s = 0, None
        left_out = {
            _Reason(each.reason).name.lower(): each.suppressed_count for each in response.suppression_info
        }
        return LogNews(entries=_table(response), suppressed=left_out, missed_s=missed_s)


def _table(response: Any) -> pd.DataFrame:
    encoded = pa.array([entry.SerializeToString() for entry in response.entries], pa.binary())
    tidied = Tidy().pass_on(iter([as_batch(encoded)] if len(encoded) else []))
    table: pd.DataFrame = pa.Table.from_batches(tidied, SCHEMA).to_pandas().astype({"status": "Int64"})
    return table
