"""Read the log entries of one Cloud Run service."""

from __future__ import annotations

from typing import Any

import grpc
import pandas as pd
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport
from google.cloud.logging_v2.types import ListLogEntriesRequest, LogEntry
from google.logging.type.log_severity_pb2 import LogSeverity
from google.protobuf.json_format import MessageToDict

from runbook_lib.gcp.channels import CALL_TIMEOUT_S, ask
from runbook_lib.plan import Target
from runbook_lib.ports import LogQuery

PAGE_SIZE = 1000
COLUMNS = {
    "time": "datetime64[ns, UTC]",
    "severity": "object",
    "revision": "object",
    "log": "object",
    "message": "object",
    "status": "Int64",
    "latency_s": "float64",
    "user_agent": "object",
    "trace": "object",
    "insert_id": "object",
}


class CloudLogging:
    """Implements `ports.Logs`.

    Source: google.logging.v2.LoggingServiceV2.ListLogEntries,
    https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list
    """

    def __init__(self, target: Target, channel: grpc.Channel | None = None) -> None:
        self._target = target
        transport = LoggingServiceV2GrpcTransport(channel=channel) if channel else None
        self._client = LoggingServiceV2Client(transport=transport)

    def read(self, query: LogQuery) -> pd.DataFrame:
        """Return one row per log entry, oldest first; columns as in `ports.Logs.read`."""
        entries = ask("entries.list", self._target.service, lambda: self._entries(query))
        table = pd.DataFrame([_row(entry) for entry in entries], columns=list(COLUMNS))
        return table.astype(COLUMNS).drop_duplicates("insert_id").reset_index(drop=True)

    def _entries(self, query: LogQuery) -> list[Any]:
        request = ListLogEntriesRequest(
            resource_names=[f"projects/{self._target.project}"],
            filter=self._filter(query),
            order_by="timestamp asc",
            page_size=PAGE_SIZE,
        )
        found = []
        for entry in self._client.list_log_entries(request, timeout=CALL_TIMEOUT_S, retry=None):
            found.append(LogEntry.pb(entry))
            if len(found) >= query.limit:
                break
        return found

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


def _row(entry: Any) -> dict[str, Any]:
    request = entry.http_request
    is_request = entry.HasField("http_request")
    return {
        "time": pd.Timestamp(entry.timestamp.ToNanoseconds(), tz="UTC"),
        "severity": LogSeverity.Name(entry.severity),
        "revision": entry.resource.labels["revision_name"],
        "log": entry.log_name.rpartition("%2F")[2],
        "message": _message(entry),
        "status": request.status if is_request else None,
        "latency_s": request.latency.ToNanoseconds() / 1e9 if is_request else None,
        "user_agent": request.user_agent,
        "trace": entry.trace,
        "insert_id": entry.insert_id,
    }


def _message(entry: Any) -> str:
    """Return the text of an entry: its text, its `message` field, its request line, or the whole payload."""
    kind = entry.WhichOneof("payload")
    if kind == "text_payload":
        return str(entry.text_payload)
    if kind == "json_payload":
        payload = MessageToDict(entry.json_payload)
        return str(payload.get("message", payload))
    if entry.HasField("http_request"):
        return f"{entry.http_request.request_method} {entry.http_request.request_url}"
    return _audit_text(MessageToDict(entry.proto_payload)) if kind == "proto_payload" else ""


def _audit_text(payload: dict[str, Any]) -> str:
    """Return the status of an audit entry, e.g. of a revision's Ready condition, or else its method."""
    said = payload.get("status", {}).get("message")
    return str(said or payload.get("methodName") or payload)
