"""Turns an HTTP call into a request message and a response message into JSON; sends and receives nothing.

Source: https://google.aip.dev/127 (transcoding) and https://cloud.google.com/apis/docs/system-parameters
"""

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor

from .errors import ApiError, invalid
from .http_rules import HttpRule
from .wire import Message

_VARIABLE = re.compile(r"\{(?P<field>[\w.]+)=(?P<pattern>[^}]+)\}")
# Parameters that every Google API knows besides the request's own fields.
_SYSTEM = {"alt", "fields", "key", "prettyPrint", "quotaUser", "userProject", "uploadType", "upload_protocol"}
_NO_FIELD = re.compile(r'no field named "(?P<name>[^"]+)" at "(?P<place>[^"]+)"')
_WRONG_VALUE = re.compile(r"Failed to parse (\w+) field: ")


class PathTemplate:
    """A path with variables, each of which fills a field of the request."""

    def __init__(self, template: str) -> None:
        self._fields = [found["field"] for found in _VARIABLE.finditer(template)]
        literals = _VARIABLE.split(template)[::3]
        patterns = [_segments(found["pattern"]) for found in _VARIABLE.finditer(template)]
        parts = [re.escape(literals[0])]
        for pattern, literal in zip(patterns, literals[1:], strict=True):
            parts += [f"({pattern})", re.escape(literal)]
        self._matches = re.compile("".join(parts)).fullmatch

    def match(self, raw_path: str) -> dict[str, str] | None:
        """Return the fields' values when an (encoded) path has this shape, else None."""
        found = self._matches(raw_path)
        return None if found is None else dict(zip(self._fields, map(unquote, found.groups()), strict=True))


def _segments(pattern: str) -> str:
    # A colon ends a resource name: what follows it is a custom verb such as `:wait`.
    # `**` stands for any number of segments.
    return re.escape(pattern).replace(r"\*\*", "[^:]+").replace(r"\*", "[^/:]+")


def to_request(
    request: Message, rule: HttpRule, variables: dict[str, str], query: Iterable[tuple[str, str]], body: bytes
) -> Message:
    """Fill an empty request from the parts of an HTTP call.

    Raises:
        ApiError: INVALID_ARGUMENT that names what the request has no field for, or a value of a wrong type.
    """
    _fill_from_query(request, rule, variables, query)
    _fill_from_body(request, rule, body)
    for path, value in variables.items():
        *parents, last = path.split(".")
        target = request
        for name in parents:
            target = getattr(target, name)
        setattr(target, last, value)
    return request


def to_json(response: Message, query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return a response as JSON, with numbers for enum values where the caller asked for them."""
    as_numbers = any(
        name.removeprefix("$") == "alt" and "enum-encoding=int" in value for name, value in query
    )
    document: dict[str, Any] = json_format.MessageToDict(response, use_integers_for_enums=as_numbers)
    return {key: _with_whole_numbers(value) for key, value in document.items()}


def _with_whole_numbers(value: Any) -> Any:
    """Write 1.0 as 1: a payload's numbers are doubles, and Google's JSON shows whole ones without a point."""
    if isinstance(value, dict):
        return {key: _with_whole_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_whole_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def parse_json(text: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; an empty body is an empty object.

    Raises:
        ApiError: INVALID_ARGUMENT when it is no JSON object.
    """
    try:
        document = json.loads(text or b"{}")
    except ValueError as error:
        raise invalid("body", f"Invalid JSON payload received. {error}") from error
    if not isinstance(document, dict):
        raise invalid("body", "Invalid JSON payload received. It must be an object")
    return document


def fill(message: Message, document: dict[str, Any], where: str = "") -> None:
    """Merge JSON into a message.

    Args:
        where: Path of the message in the request, which refusals name.

    Raises:
        ApiError: INVALID_ARGUMENT that names the unknown field or the value of a wrong type.
    """
    try:
        json_format.ParseDict(document, message)
    except json_format.ParseError as error:
        raise _refusal(message, error, where) from error


def _refusal(message: Message, error: Exception, where: str) -> ApiError:
    unknown = _NO_FIELD.search(str(error))
    if unknown is None:
        wrong = ".".join(filter(None, [where, *_WRONG_VALUE.findall(str(error))]))
        reason = str(error).rsplit(" field: ", 1)[-1]
        return invalid(wrong or "body", f"Invalid JSON payload received. {reason}")
    place = unknown["place"].removeprefix(message.DESCRIPTOR.name).lstrip(".")
    path = ".".join(filter(None, [where, place, unknown["name"]]))
    return invalid(path, f'Invalid JSON payload received. Unknown name "{unknown["name"]}": no such field')


def _fill_from_body(request: Message, rule: HttpRule, body: bytes) -> None:
    if rule.body == "*":
        fill(request, parse_json(body))
    elif rule.body:
        fill(getattr(request, rule.body), parse_json(body), rule.body)
        getattr(request, rule.body).SetInParent()
    elif body.strip():
        raise invalid("body", f"Invalid JSON payload received. {rule.verb} takes no body here")


def _fill_from_query(
    request: Message, rule: HttpRule, variables: dict[str, str], query: Iterable[tuple[str, str]]
) -> None:
    document: dict[str, Any] = {}
    for name, value in query:
        if name.removeprefix("$") not in _SYSTEM:
            if rule.body == "*" or _snake(name) in {rule.body, *variables}:
                raise _unbindable(name)
            _put(document, request.DESCRIPTOR, name, value)
    fill(request, document)


def _put(document: dict[str, Any], descriptor: Any, name: str, value: str) -> None:
    """Place a query parameter such as `interval.endTime` in a JSON document."""
    *parents, last = name.split(".")
    for parent in parents:
        field = _field(descriptor, parent)
        if field is None or field.message_type is None:
            raise _unbindable(name)
        document = document.setdefault(field.json_name, {})
        descriptor = field.message_type
    field = _field(descriptor, last)
    if field is None:
        raise _unbindable(name)
    if field.is_repeated:
        document.setdefault(field.json_name, []).append(_value(field, name, value))
    else:
        document[field.json_name] = _value(field, name, value)


def _value(field: Any, name: str, value: str) -> Any:
    if field.type == FieldDescriptor.TYPE_BOOL:
        if value not in ("true", "false"):
            raise invalid(name, f"'{value}' is neither true nor false")
        return value == "true"
    if field.type == FieldDescriptor.TYPE_ENUM and value.lstrip("-").isdigit():
        return int(value)
    if field.message_type is not None and field.message_type.full_name == "google.protobuf.FieldMask":
        # The JSON form is camelCase; what people type is often the field's own name.
        return re.sub(r"_([a-z])", lambda found: found[1].upper(), value)
    return value


def _field(descriptor: Any, name: str) -> Any:
    return descriptor.fields_by_camelcase_name.get(name) or descriptor.fields_by_name.get(name)


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", name)


def _unbindable(name: str) -> ApiError:
    return invalid(name, f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter')
