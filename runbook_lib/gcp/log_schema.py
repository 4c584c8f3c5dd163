"""Describe the few fields of a log entry that are read, as protobuf messages that have no others."""

from __future__ import annotations

from functools import cache
from typing import Any

import ptars
from google.cloud.logging_v2.types import ListLogEntriesResponse, LogEntry
from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, struct_pb2, timestamp_pb2

_PACKAGE = "runbook.logs"
_KIND = descriptor_pb2.FieldDescriptorProto
_STRING, _BYTES, _INTEGER = _KIND.TYPE_STRING, _KIND.TYPE_BYTES, _KIND.TYPE_INT32
_TIME, _DURATION = "google.protobuf.Timestamp", "google.protobuf.Duration"
_Kind = int | str


@cache
def tokens() -> Any:
    """Return the decoder of a page's token for the next one, which skips the entries."""
    return _decoders().get_for_message(_descriptor("Token"))


@cache
def pages() -> Any:
    """Return the decoder of a page's entries, which leaves them encoded."""
    return _decoders().get_for_message(_descriptor("Page"))


@cache
def entries() -> Any:
    """Return the decoder of encoded entries: a column for each field that is read.

    Resources stay encoded, for all entries of a page share a few; of JSON payloads only strings are read.
    """
    return _decoders().get_for_message(_descriptor("Entry"))


def _descriptor(name: str) -> Any:
    return _pool().FindMessageTypeByName(f"{_PACKAGE}.{name}")


def _decoders() -> ptars.HandlerPool:
    return ptars.HandlerPool([_descriptor("Entry").file])


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for known in (timestamp_pb2, duration_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(_file().SerializeToString())
    return pool


def _file() -> descriptor_pb2.FileDescriptorProto:
    entry = LogEntry.pb().DESCRIPTOR
    label = entry.fields_by_name["labels"].message_type
    field = struct_pb2.Struct.DESCRIPTOR.fields_by_name["fields"].message_type
    request = entry.fields_by_name["http_request"].message_type
    page = ListLogEntriesResponse.pb().DESCRIPTOR
    return descriptor_pb2.FileDescriptorProto(
        name="runbook/logs.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=[known.DESCRIPTOR.name for known in (timestamp_pb2, duration_pb2)],
        message_type=[
            _message("Token", page, next_page_token=_STRING),
            _message("Page", page, entries=_BYTES),
            _message("Label", label, key=_STRING, value=_STRING),
            _message("Value", struct_pb2.Value.DESCRIPTOR, string_value=_STRING),
            _message("Field", field, key=_STRING, value="Value"),
            _message("Struct", struct_pb2.Struct.DESCRIPTOR, fields="Field"),
            _message(
                "Request", request, request_method=_STRING, request_url=_STRING, status=_INTEGER,
                user_agent=_STRING, latency=_DURATION,
            ),
            _message(
                "Entry", entry, log_name=_STRING, resource=_BYTES, labels="Label", text_payload=_STRING,
                json_payload="Struct", proto_payload=_BYTES, timestamp=_TIME, receive_timestamp=_TIME,
                severity=_INTEGER, insert_id=_STRING, http_request="Request", trace=_STRING,
            ),
        ],
    )  # fmt: skip


def _message(name: str, whole: Any, **fields: _Kind) -> descriptor_pb2.DescriptorProto:
    """Return a message with some of the fields of `whole`, under their own numbers; the rest is skipped."""
    return descriptor_pb2.DescriptorProto(
        name=name, field=[_field(whole.fields_by_name[field], kind) for field, kind in fields.items()]
    )


def _field(theirs: Any, kind: _Kind) -> descriptor_pb2.FieldDescriptorProto:
    label = _KIND.LABEL_REPEATED if theirs.is_repeated else _KIND.LABEL_OPTIONAL
    mine = _KIND(name=theirs.name, number=theirs.number, label=label)
    if isinstance(kind, int):
        mine.type = kind
        return mine
    mine.type = _KIND.TYPE_MESSAGE
    mine.type_name = f".{kind}" if "." in kind else f".{_PACKAGE}.{kind}"
    return mine
