"""The log as the table `_AllLogs` of a BigQuery dataset that is linked to it, and queries on it.

Source: https://cloud.google.com/logging/docs/analyze/query-and-view and
https://cloud.google.com/logging/docs/log-analytics#schema
"""

import json
from typing import Any
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from google.cloud.audit.audit_log_pb2 import AuditLog
from google.logging.type.log_severity_pb2 import LogSeverity
from google.protobuf.json_format import MessageToDict

from .log_segment import StoredEntry
from .log_store import LogStore
from .wire import Message

_NS_PER_US = 1000
_DURATION = pa.struct({"seconds": pa.int64(), "nanos": pa.int64()})
_STATUS = pa.struct({"code": pa.int64(), "message": pa.string()})
SCHEMA = pa.schema({
    "log_name": pa.string(), "log_id": pa.string(),
    "resource": pa.struct({"type": pa.string(), "labels": pa.string()}),
    "text_payload": pa.string(), "json_payload": pa.string(),
    "proto_payload": pa.struct({
        "type": pa.string(),
        "audit_log": pa.struct({
            "service_name": pa.string(), "method_name": pa.string(), "resource_name": pa.string(),
            "status": _STATUS,
        }),
    }),
    "timestamp": pa.timestamp("us", "UTC"), "receive_timestamp": pa.timestamp("us", "UTC"),
    "severity": pa.string(), "severity_number": pa.int64(), "insert_id": pa.string(), "labels": pa.string(),
    "trace": pa.string(), "span_id": pa.string(),
    "http_request": pa.struct({
        "request_method": pa.string(), "request_url": pa.string(), "request_size": pa.int64(),
        "status": pa.int64(), "response_size": pa.int64(), "user_agent": pa.string(),
        "remote_ip": pa.string(), "latency": _DURATION,
    }),
})  # fmt: skip
# Columns that are JSON in BigQuery; Arrow carries them as text.
_AS_JSON = (
    "* REPLACE (struct_pack(type := resource.type, labels := resource.labels::JSON) AS resource, "
    "json_payload::JSON AS json_payload, labels::JSON AS labels)"
)


class LogTable:
    """Holds a copy of the log in columns; what came since the last query is added before the next one."""

    def __init__(self, store: LogStore) -> None:
        self._store = store
        self._waiting = list(store)
        store.listeners.add(lambda entry: self._waiting.append(entry))
        self._database = duckdb.connect(config={"threads": 1, "enable_external_access": False})
        self._database.execute("SET TimeZone = 'UTC'")
        self._database.from_arrow(SCHEMA.empty_table()).project(_AS_JSON).create("_AllLogs")
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """Bytes of all entries' texts, which is what a query is taken to scan."""
        return self._bytes

    def run(self, sql: str, parameters: dict[str, Any]) -> pa.Table:
        """Return the result of a query in DuckDB's dialect on the table `_AllLogs`.

        Raises:
            duckdb.Error: If it cannot be run.
        """
        return self._database.sql(sql, params=parameters).to_arrow_table()

    def news(self) -> tuple[list[StoredEntry], int]:
        """Return the entries that came since the last call, and the time in us of the oldest that is left."""
        new, self._waiting = self._waiting, []
        oldest = next(iter(self._store), None) if self._store.dropped else None
        return new, oldest.key.time_ns // _NS_PER_US if oldest else 0

    def refresh(self, new: list[StoredEntry], oldest_us: int) -> None:
        """Take what `news` returned into the table, and leave out what is older; not in the event loop."""
        if new:
            rows = pa.Table.from_pylist([_row(entry.message) for entry in new], SCHEMA)
            self._bytes += rows.nbytes
            self._database.from_arrow(rows).project(_AS_JSON).insert_into("_AllLogs")
        if oldest_us:
            self._database.execute("DELETE FROM _AllLogs WHERE epoch_us(timestamp) < ?", [oldest_us])


def _row(entry: Message) -> dict[str, Any]:
    payload, log_id = entry.WhichOneof("payload"), entry.log_name.partition("/logs/")[2]
    return {
        "log_name": entry.log_name, "log_id": unquote(log_id),
        "resource": {"type": entry.resource.type, "labels": json.dumps(dict(entry.resource.labels))},
        "text_payload": entry.text_payload if payload == "text_payload" else None,
        "json_payload": json.dumps(MessageToDict(entry.json_payload)) if payload == "json_payload" else None,
        "proto_payload": _audit(entry.proto_payload) if payload == "proto_payload" else None,
        "timestamp": entry.timestamp.ToMicroseconds(),
        "receive_timestamp": entry.receive_timestamp.ToMicroseconds(),
        "severity": LogSeverity.Name(entry.severity), "severity_number": entry.severity,
        "insert_id": entry.insert_id, "labels": json.dumps(dict(entry.labels)),
        "trace": entry.trace or None, "span_id": entry.span_id or None,
        "http_request": _request(entry.http_request) if entry.HasField("http_request") else None,
    }  # fmt: skip


def _request(request: Message) -> dict[str, Any]:
    latency = request.latency if request.HasField("latency") else None
    return {
        "request_method": request.request_method, "request_url": request.request_url,
        "request_size": request.request_size, "status": request.status,
        "response_size": request.response_size, "user_agent": request.user_agent,
        "remote_ip": request.remote_ip,
        "latency": latency and {"seconds": latency.seconds, "nanos": latency.nanos},
    }  # fmt: skip


def _audit(payload: Message) -> dict[str, Any]:
    log = AuditLog()
    if not payload.Unpack(log):
        return {"type": payload.type_url}
    status = {"code": log.status.code, "message": log.status.message} if log.HasField("status") else None
    names = {name: getattr(log, name) for name in ("service_name", "method_name", "resource_name")}
    return {"type": payload.type_url, "audit_log": {**names, "status": status}}
