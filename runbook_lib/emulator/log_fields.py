"""Finds the values of a field path in a log entry, by the message's own descriptor."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from google.cloud.audit import audit_log_pb2
from google.cloud.logging_v2.types import LogEntry
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor

from .clock import timestamp_ns
from .errors import ApiError, invalid
from .wire import Message

ENTRY = LogEntry.pb().DESCRIPTOR
_WELL_KNOWN_JSON = {"google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.Any"}
_INTEGER_TYPES = {
    FieldDescriptor.TYPE_INT32,
    FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_UINT32,
    FieldDescriptor.TYPE_UINT64,
}


class Kind(Enum):
    """How the values of a field compare."""

    TEXT = auto()
    NUMBER = auto()
    BOOLEAN = auto()
    TIME = auto()
    DURATION = auto()
    SEVERITY = auto()
    JSON = auto()
    GROUP = auto()


Values = Callable[[Message], Iterable[Any]]


@dataclass(frozen=True, kw_only=True)
class Field:
    """A path that exists in the entry's type; `values` yields nothing where the entry lacks it."""

    kind: Kind
    values: Values


def find_field(path: tuple[str, ...], column: int) -> Field:
    """Return the field at a path such as `('resource', 'labels', 'service_name')`.

    Raises:
        ApiError: INVALID_ARGUMENT when log entries have no such field.
    """
    return _descend(ENTRY, path, lambda entry: (entry,), path, column)


def unknown_field(path: tuple[str, ...], column: int) -> ApiError:
    """Build the refusal of a path that log entries do not have."""
    return invalid("filter", f"at column {column}: log entries have no field '{'.'.join(path)}'")


def texts(entry: Message) -> Iterator[str]:
    """Yield every string in the entry: field values, label values, payload leaves."""
    yield from _message_texts(entry)


def _descend(
    descriptor: Any, rest: tuple[str, ...], values: Values, path: tuple[str, ...], column: int
) -> Field:
    field = descriptor.fields_by_camelcase_name.get(rest[0]) or descriptor.fields_by_name.get(rest[0])
    if field is None:
        raise unknown_field(path, column)
    inner = rest[1:]
    if _is_map(field):
        return _map_field(field, inner, values)
    if field.message_type is None:
        if inner:
            raise unknown_field(path, column)
        return Field(kind=_scalar_kind(field), values=_attribute(field.name, values))
    return _message_field(field, inner, values, path, column)


def _message_field(
    field: Any, inner: tuple[str, ...], values: Values, path: tuple[str, ...], column: int
) -> Field:
    name, type_name = field.name, field.message_type.full_name
    if type_name in _WELL_KNOWN_JSON:
        return _json_field(name, inner, values)
    if type_name == "google.protobuf.Timestamp":
        return Field(kind=Kind.TIME, values=lambda e: [timestamp_ns(getattr(m, name)) for m in values(e)])
    if type_name == "google.protobuf.Duration":
        return Field(kind=Kind.DURATION, values=lambda e: [_duration_s(getattr(m, name)) for m in values(e)])
    if inner:
        return _descend(field.message_type, inner, _attribute(name, values), path, column)
    return Field(kind=Kind.GROUP, values=lambda e: [getattr(m, name) for m in values(e) if m.HasField(name)])


def _map_field(field: Any, inner: tuple[str, ...], values: Values) -> Field:
    name, key = field.name, ".".join(inner)
    if not inner:
        return Field(kind=Kind.GROUP, values=lambda e: [m for v in values(e) if (m := getattr(v, name))])
    return Field(
        kind=Kind.TEXT, values=lambda e: [m[key] for v in values(e) if key in (m := getattr(v, name))]
    )


def _json_field(name: str, inner: tuple[str, ...], values: Values) -> Field:
    def find(entry: Message) -> Iterable[Any]:
        roots = [json_value(getattr(m, name)) for m in values(entry) if m.HasField(name)]
        return [leaf for root in roots for leaf in _walk(root, inner)]

    return Field(kind=Kind.JSON if inner else Kind.GROUP, values=find)


def json_value(message: Message) -> Any:
    """Return a Struct as it is (walking it lazily is cheaper) and an audit payload as a dict."""
    if message.DESCRIPTOR.full_name != "google.protobuf.Any":
        return message
    audit = audit_log_pb2.AuditLog()
    if not message.Unpack(audit):
        return {"@type": message.type_url}
    return {"@type": message.type_url, **json_format.MessageToDict(audit)}


def _walk(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    value = _plain(value)
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _walk(value[path[0]], path[1:])


def _plain(value: Any) -> Any:
    """Peel one layer of protobuf's JSON types."""
    kind = getattr(getattr(value, "DESCRIPTOR", None), "full_name", "")
    if kind == "google.protobuf.Struct":
        return dict(value.fields)
    if kind == "google.protobuf.ListValue":
        return list(value.values)
    if kind == "google.protobuf.Value":
        which = value.WhichOneof("kind")
        return None if which in (None, "null_value") else _plain(getattr(value, which))
    return value


def _attribute(name: str, values: Values) -> Values:
    return lambda entry: [getattr(message, name) for message in values(entry)]


def _scalar_kind(field: Any) -> Kind:
    if field.enum_type is not None:
        return Kind.SEVERITY
    if field.type == FieldDescriptor.TYPE_BOOL:
        return Kind.BOOLEAN
    return Kind.NUMBER if field.type in _INTEGER_TYPES else Kind.TEXT


def _is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _duration_s(message: Message) -> float:
    return float(message.seconds) + float(message.nanos) / 1e9


def _message_texts(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_STRING:
            yield value
        elif _is_map(field):
            yield from value.values()
        elif field.message_type is not None and field.message_type.full_name in _WELL_KNOWN_JSON:
            yield from json_texts(json_value(value))
        elif field.message_type is not None and not _is_repeated(field):
            yield from _message_texts(value)


def _is_repeated(field: Any) -> bool:
    return bool(field.is_repeated)


def json_texts(value: Any) -> Iterator[str]:
    """Yield every string leaf below a JSON-like value."""
    value = _plain(value)
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from json_texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from json_texts(item)
