"""Turn an encoded page of log entries into Arrow columns, without making an object for each entry."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from google.api.monitored_resource_pb2 import MonitoredResource
from google.cloud.logging_v2.types import LogEntry
from google.logging.type.log_severity_pb2 import LogSeverity
from google.protobuf.json_format import MessageToDict

from runbook_lib.gcp import log_schema

_STACK_KEYS = ("stack_trace", "exception")
SCHEMA = pa.schema({
    "time": pa.timestamp("ns", "UTC"), "severity": pa.string(), "revision": pa.string(), "log": pa.string(),
    "message": pa.string(), "stack": pa.string(), "status": pa.int32(), "latency_s": pa.float64(),
    "user_agent": pa.string(), "trace": pa.string(), "instance": pa.string(), "late_s": pa.float64(),
    "insert_id": pa.string(),
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Page:
    """One answer of the API: its entries, still encoded; `next_token` is empty for the last page."""

    entries: pa.BinaryArray
    next_token: str


def read_page(encoded: bytes) -> Page:
    """Take a page apart."""
    batch = log_schema.pages().list_to_record_batch([encoded])
    return Page(entries=batch["entries"].flatten(), next_token=batch["next_page_token"][0].as_py())


def as_batch(encoded: pa.BinaryArray) -> pa.RecordBatch:
    """Return one row per entry, columns as in `ports.Logs.read`; strings are empty where they have no value."""
    entries = log_schema.entries().array_to_record_batch(encoded)
    request = entries["http_request"]
    latency_s = _seconds(pc.struct_field(request, "latency"))
    late_s = _seconds(pc.subtract(entries["receive_timestamp"], entries["timestamp"]))
    columns = {
        "time": entries["timestamp"],
        "severity": _renamed(entries["severity"], _severity),
        "revision": _renamed(entries["resource"], _revision),
        "log": _renamed(entries["log_name"], lambda name: name.rpartition("%2F")[2]),
        "message": _messages(entries, encoded),
        "stack": _first(*(_string(entries["json_payload"], key) for key in _STACK_KEYS)),
        "status": pc.struct_field(request, "status"),
        "latency_s": latency_s,
        "user_agent": _first(pc.struct_field(request, "user_agent")),
        "trace": entries["trace"],
        "instance": _first(_value(entries["labels"], "instanceId")),
        "late_s": pc.subtract(late_s, pc.fill_null(latency_s, 0.0)),
        "insert_id": entries["insert_id"],
    }
    return pa.record_batch(columns, schema=SCHEMA)


def _renamed(values: pa.Array, rename: Any) -> pa.Array:
    """Return the values renamed, each different one once."""
    encoded = values.dictionary_encode()
    names = pa.array([rename(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return names.take(encoded.indices)


def _severity(number: int) -> str:
    return str(LogSeverity.Name(number)) if number in LogSeverity.values() else str(number)


def _revision(resource: bytes) -> str:
    return str(MonitoredResource.FromString(resource).labels["revision_name"])


def _seconds(durations: pa.Array) -> pa.Array:
    return pc.divide(pc.cast(durations, pa.int64()), 1e9)


def _messages(entries: pa.RecordBatch, encoded: pa.BinaryArray) -> pa.Array:
    """Return the text of each entry: its text, its `message` field, its request line, or its whole payload."""
    text, request, payload = entries["text_payload"], entries["http_request"], entries["json_payload"]
    method, url = pc.struct_field(request, "request_method"), pc.struct_field(request, "request_url")
    line = pc.binary_join_element_wise(method, url, " ")
    said = _string(payload, "message")
    messages = pc.if_else(pc.not_equal(text, ""), text, _first(said, line))
    # Of a payload without a message the decoder kept nothing, nor of an audit entry: these few are read again.
    mute = pc.and_(pc.is_valid(payload), pc.equal(_first(said), ""))
    again = pc.or_(mute, pc.greater(pc.binary_length(entries["proto_payload"]), 0))
    rows = np.flatnonzero(again)
    told = [_payload_text(LogEntry.pb().FromString(encoded[int(row)].as_py())) for row in rows]
    return pc.replace_with_mask(messages, again, pa.array(told, pa.string()))


def _payload_text(entry: Any) -> str:
    if entry.WhichOneof("payload") == "proto_payload":
        return _audit_text(MessageToDict(entry.proto_payload))
    payload = MessageToDict(entry.json_payload)
    said = payload.get("message", payload)
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)


def _audit_text(payload: dict[str, Any]) -> str:
    """Return the status of an audit entry, e.g. of a revision's Ready condition, or else its method."""
    said = payload.get("status", {}).get("message")
    return str(said or payload.get("methodName") or payload)


def _string(payload: pa.StructArray, key: str) -> pa.Array:
    """Return the string in a field of each JSON payload; null where there is none."""
    return _value(pc.struct_field(payload, "fields"), key, "string_value")


def _value(pairs: pa.ListArray, key: str, *path: str) -> pa.Array:
    """Return the value under `key` of each row's pairs; null where it has none."""
    flat = pairs.flatten()
    found = pc.equal(flat.field("key"), key)
    rows = pc.list_parent_indices(pairs).filter(found)
    values = pc.struct_field(flat, ["value", *path]).filter(found)
    everywhere = pa.array(np.arange(len(pairs)), rows.type)
    return values.take(pc.index_in(everywhere, value_set=rows))


def _first(*values: pa.Array) -> pa.Array:
    """Return, row by row, the first that is no null, or else an empty text."""
    return pc.coalesce(*values, pa.scalar(""))
