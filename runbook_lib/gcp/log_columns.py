"""Turn an encoded page of log entries into Arrow columns, without making an object for each entry."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from google.api.monitored_resource_pb2 import MonitoredResource
from google.cloud.logging_v2.types import LogEntry
from google.logging.type.log_severity_pb2 import LogSeverity
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError

from runbook_lib.errors import CloudError
from runbook_lib.gcp import log_schema

_SEVERITIES = {number: name for name, number in LogSeverity.items()}
_STACK_KEYS = ("stack_trace", "exception")
SCHEMA = pa.schema({
    "time": pa.timestamp("ns", "UTC"), "severity": pa.string(), "revision": pa.string(), "log": pa.string(),
    "message": pa.string(), "stack": pa.string(), "status": pa.int32(), "latency_s": pa.float64(),
    "user_agent": pa.string(), "trace": pa.string(), "instance": pa.string(), "late_s": pa.float64(),
    "insert_id": pa.string(),
})  # fmt: skip


def next_token(page: bytes) -> str:
    """Return a page's token for the next one; empty for the last page."""
    with _readable():
        return str(log_schema.tokens().list_to_record_batch([page])["next_page_token"][0])


def entries_of(pages: Sequence[bytes]) -> pa.BinaryArray:
    """Return the entries of some pages, still encoded."""
    with _readable():
        return log_schema.pages().list_to_record_batch(pages)["entries"].flatten()


def as_batch(encoded: pa.BinaryArray) -> pa.RecordBatch:
    """Return one row per entry, columns as in `ports.logs.Logs.read`."""
    with _readable():
        return _as_batch(encoded)


@contextmanager
def _readable() -> Iterator[None]:
    """Name the call whose answer is none that Cloud Logging gives."""
    try:
        yield
    except (pa.ArrowException, ValueError, DecodeError) as error:
        raise CloudError(
            "entries.list", "a page", f"what cannot be read ({error})", "see what answers there"
        ) from error


def _as_batch(encoded: pa.BinaryArray) -> pa.RecordBatch:
    entries = log_schema.entries().array_to_record_batch(encoded)
    request = entries["http_request"]
    payload = _Pairs(pc.struct_field(entries["json_payload"], "fields"), "value", "string_value")
    latency_s = _seconds(pc.struct_field(request, "latency"))
    late_s = _seconds(pc.subtract(entries["receive_timestamp"], entries["timestamp"]))
    columns = {
        "time": entries["timestamp"],
        "severity": _renamed(entries["severity"], lambda number: _SEVERITIES.get(number, str(number))),
        "revision": _renamed(entries["resource"], _revision),
        "log": _renamed(entries["log_name"], lambda name: name.rpartition("%2F")[2]),
        "message": _messages(entries, payload.under("message"), encoded),
        "stack": _first(*(payload.under(key) for key in _STACK_KEYS)),
        "status": pc.struct_field(request, "status"),
        "latency_s": latency_s,
        "user_agent": _first(pc.struct_field(request, "user_agent")),
        "trace": entries["trace"],
        "instance": _first(_Pairs(entries["labels"], "value").under("instanceId")),
        "late_s": pc.subtract(late_s, _first(latency_s, empty=0.0)),
        "insert_id": entries["insert_id"],
    }
    return pa.record_batch(columns, schema=SCHEMA)


class _Pairs:
    """Keys and values of a column of mappings, laid end to end; `path` leads to a value."""

    def __init__(self, mappings: pa.ListArray, *path: str) -> None:
        flat = mappings.flatten()
        keys = flat.field("key").dictionary_encode()
        self._codes = {key: code for code, key in enumerate(keys.dictionary.to_pylist())}
        self._keys, self._values = keys.indices.to_numpy(), pc.struct_field(flat, list(path))
        self._rows = pc.list_parent_indices(mappings).to_numpy()
        self._nowhere = np.full(len(mappings), -1)

    def under(self, key: str) -> pa.Array:
        """Return the value under `key` in each row; null where it has none."""
        found = np.flatnonzero(self._keys == self._codes.get(key, -1))
        places = self._nowhere.copy()
        places[self._rows[found]] = found
        return self._values.take(pa.array(places, mask=places < 0))


def _renamed(values: pa.Array, rename: Any) -> pa.Array:
    """Return the values renamed, each different one once."""
    encoded = values.dictionary_encode()
    names = pa.array([rename(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return names.take(encoded.indices)


def _revision(resource: bytes) -> str:
    return str(MonitoredResource.FromString(resource).labels["revision_name"])


def _seconds(durations: pa.Array) -> pa.Array:
    nanoseconds = pc.cast(durations, pa.int64()).cast(pa.float64(), safe=False)  # exact up to 100 days
    return pc.divide(nanoseconds, 1e9)


def _messages(entries: pa.RecordBatch, said: pa.Array, encoded: pa.BinaryArray) -> pa.Array:
    """Return each entry's text, `message` field, request line, or whole payload, whichever is there first."""
    text, request, payload = entries["text_payload"], entries["http_request"], entries["json_payload"]
    method, url = pc.struct_field(request, "request_method"), pc.struct_field(request, "request_url")
    line = pc.binary_join_element_wise(method, url, " ")
    messages = pc.if_else(pc.not_equal(text, ""), text, _first(said, line))
    # The decoder kept nothing of a payload without a message, nor of an audit entry: they are read again.
    mute = pc.and_(pc.is_valid(payload), pc.equal(_first(said), ""))
    again = pc.or_(mute, pc.not_equal(entries["proto_payload"], b""))
    told = [
        _payload_text(LogEntry.pb().FromString(encoded[int(row)].as_py())) for row in np.flatnonzero(again)
    ]
    return pc.replace_with_mask(messages, again, pa.array(told, pa.string())) if told else messages


def _payload_text(entry: Any) -> str:
    if entry.WhichOneof("payload") == "proto_payload":
        return _audit_text(MessageToDict(entry.proto_payload))
    payload = MessageToDict(entry.json_payload)
    said = payload.get("message", payload)
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, sort_keys=True)


def _audit_text(payload: dict[str, Any]) -> str:
    """Return the status of an audit entry, e.g. of a revision's Ready condition, or else its method."""
    said = payload.get("status", {}).get("message")
    return str(said or payload.get("methodName") or payload)


def _first(*values: pa.Array, empty: Any = "") -> pa.Array:
    """Return, row by row, the first that is no null, or else `empty`."""
    return pc.coalesce(*values, pa.scalar(empty))
