"""Read the log entries of one Cloud Run service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pandas as pd
import pyarrow as pa
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport
from google.cloud.logging_v2.types import ListLogEntriesRequest

from runbook_lib.clock import Clock, SystemClock
from runbook_lib.gcp.log_columns import SCHEMA, as_batch
from runbook_lib.gcp.log_order import Tidy
from runbook_lib.gcp.log_pages import LogPages
from runbook_lib.gcp.read_quota import ReadQuota
from runbook_lib.plan import Target
from runbook_lib.ports import LogQuery, LogUsage

PAGE_SIZE = 1000
REQUESTS_PER_MINUTE = 60


class CloudLogging:
    """Implements `ports.Logs`.

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
        self._quota = ReadQuota(clock or SystemClock(), requests_per_minute)
        self._pages = LogPages(
            channel or LoggingServiceV2GrpcTransport().grpc_channel, target.service, self._quota
        )
        self._repeated = 0

    def read(self, query: LogQuery) -> pd.DataFrame:
        """Return one row per log entry, oldest first; columns as in `ports.Logs.read`."""
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
        parts = [
            'resource.type="cloud_run_revision"',
            f"resource.labels.service_name={_quoted(self._target.service)}",
            f"resource.labels.location={_quoted(self._target.region)}",
            f"resource.labels.revision_name={_quoted(query.revision)}",
            f"timestamp>={_quoted(query.start.isoformat())}",
            f"timestamp<{_quoted(query.end.isoformat())}",
        ]
        return " AND ".join(parts + ([f"({query.extra_filter})"] if query.extra_filter else []))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
