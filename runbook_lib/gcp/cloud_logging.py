"""Read the log entries of one Cloud Run service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import pandas as pd
import pyarrow as pa
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport
from google.cloud.logging_v2.types import ListLogEntriesRequest, TailLogEntriesRequest
from google.protobuf.duration_pb2 import Duration

from runbook_lib.clock import Clock, SystemClock
from runbook_lib.gcp.log_columns import SCHEMA, as_batch
from runbook_lib.gcp.log_order import Tidy
from runbook_lib.gcp.log_pages import LogPages
from runbook_lib.gcp.log_tail import CloudLogTail
from runbook_lib.gcp.read_quota import ReadQuota
from runbook_lib.plan import Target
from runbook_lib.ports.logs import LogQuery, LogUsage

PAGE_SIZE = 1000
REQUESTS_PER_MINUTE = 60
_BUFFER_WINDOW = Duration(seconds=1)  # so late may an entry be and still take its place among the news


class CloudLogging:
    """Implements `ports.logs.Logs`.

    Source: google.logging.v2.LoggingServiceV2.ListLogEntries,
    https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list; the limits of it:
    https://cloud.google.com/logging/quotas
    """

    def __init__(
        self,
        target: Target,
        channel: grpc.Channel | None = None,
        *,
        clock: Clock | None = None,
        requests_per_minute: int = REQUESTS_PER_MINUTE,
    ) -> None:
        self._target = target
        self._clock = clock or SystemClock()
        self._quota = ReadQuota(self._clock, requests_per_minute)
        self._channel = channel or LoggingServiceV2GrpcTransport().grpc_channel
        self._pages = LogPages(self._channel, target.service, self._quota)
        self._repeated = 0

    def read(self, query: LogQuery) -> pd.DataFrame:
        """Return one row per log entry, oldest first; columns as in `ports.logs.Logs.read`."""
        rows = pa.Table.from_batches(self.batches(query), SCHEMA)
        table: pd.DataFrame = rows.to_pandas(self_destruct=True).astype({"status": "Int64"})
        in_order = table["time"].is_monotonic_increasing
        return table if in_order else table.sort_values("time", kind="stable", ignore_index=True)

    def batches(self, query: LogQuery) -> Iterator[pa.RecordBatch]:
        """Yield the same rows as `read`, some at a time."""
        tidy, left = Tidy(), query.limit
        encoded = self._pages.read(self._request(query), query.limit)
        for batch in tidy.pass_on(as_batch(entries) for entries in encoded if len(entries)):
            yield batch.slice(0, left)
            left -= len(batch)
            if left <= 0:
                break
        self._repeated += tidy.repeated

    def follow(self, revisions: Sequence[str], extra_filter: str = "") -> CloudLogTail:
        """Return the entries that these revisions log from now on, as they come."""
        request = TailLogEntriesRequest.pb()(
            resource_names=[f"projects/{self._target.project}"],
            filter=_all_of(*self._service(*revisions), extra_filter),
            buffer_window=_BUFFER_WINDOW,
        )
        return CloudLogTail(self._channel, request, self._target.service, self._clock)

    def usage(self) -> LogUsage:
        """Return what reading has cost since this was made."""
        return LogUsage(requests=self._quota.requests, waited_s=self._quota.waited_s, repeated=self._repeated)

    def _request(self, query: LogQuery) -> Any:
        return ListLogEntriesRequest.pb()(
            resource_names=[f"projects/{self._target.project}"],
            filter=self._filter(query),
            order_by="timestamp asc",
            page_size=min(PAGE_SIZE, query.limit),
        )

    def _filter(self, query: LogQuery) -> str:
        return _all_of(
            *self._service(query.revision),
            f"timestamp>={_quoted(query.start.isoformat())}",
            f"timestamp<{_quoted(query.end.isoformat())}",
            query.extra_filter,
        )

    def _service(self, *revisions: str) -> tuple[str, ...]:
        names = " OR ".join(map(_quoted, revisions))
        return (
            'resource.type="cloud_run_revision"',
            f"resource.labels.service_name={_quoted(self._target.service)}",
            f"resource.labels.location={_quoted(self._target.region)}",
            f"resource.labels.revision_name=({names})",
        )


def _all_of(*conditions: str) -> str:
    *ours, extra = conditions
    return " AND ".join([*ours, *([f"({extra})"] if extra else [])])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
