"""Compiles a parsed filter into a predicate over log entries, by the rules of the Logging query language.

Source: https://cloud.google.com/logging/docs/view/logging-query-language
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from google.logging.type import log_severity_pb2

from .clock import parse_rfc3339_ns
from .errors import ApiError, invalid
from .log_fields import Field, Kind, Values, find_field, json_texts, texts
from .log_functions import function
from .query import And, Anywhere, Call, Comparison, Literal, Node, Not, Or, parse
from .wire import Message

Predicate = Callable[[Message], bool]
ValueTest = Callable[[Any], bool]

_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    # On anything but text, "has" asks for equality.
    ":": operator.eq,
}


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A comparison as it works on an entry: one of its values must pass the test."""

    values: Values
    test: ValueTest


@lru_cache(maxsize=256)
def compile_filter(text: str) -> Predicate:
    """Return the predicate of a filter.

    Raises:
        ApiError: INVALID_ARGUMENT that says where the filter is wrong.
    """
    return _predicate(parse(text))


def _predicate(node: Node) -> Predicate:
    match node:
        case And(operands=operands):
            tests = [_predicate(operand) for operand in operands]
            return lambda entry: all(test(entry) for test in tests)
        case Or(operands=operands):
            tests = [_predicate(operand) for operand in operands]
            return lambda entry: any(test(entry) for test in tests)
        case Not(operand=operand):
            negated = _predicate(operand)
            return lambda entry: not negated(entry)
        case Anywhere(value=value):
            wanted = value.text.casefold()
            return lambda entry: any(wanted in text.casefold() for text in texts(entry))
        case Call():
            return function(node)
        case Comparison():
            values, test = (found := condition(node)).values, found.test
            return lambda entry: any(test(value) for value in values(entry))


def condition(node: Comparison) -> Condition:
    """Return what a comparison asks.

    Raises:
        ApiError: INVALID_ARGUMENT when the field does not exist or cannot be compared so.
    """
    if isinstance(node.value, Call):
        raise invalid("filter", f"at column {node.column}: {node.value.name}() cannot be a value here")
    field = find_field(node.path, node.column)
    return Condition(values=field.values, test=_value_test(field, node, node.value))


def _value_test(field: Field, node: Comparison, value: Literal) -> ValueTest:
    if node.operator == ":" and value.text == "*" and not value.quoted:
        return _exists(field)
    if node.operator in ("=~", "!~"):
        return _regex_test(field, node, value)
    match field.kind:
        case Kind.TEXT:
            return _text_test(node.operator, value.text)
        case Kind.JSON:
            return _json_test(node.operator, value)
        case Kind.GROUP:
            return _group_test(node, value)
        case _:
            wanted, compare = _operand(field.kind, node, value), _ORDERED[node.operator]
            return lambda found: compare(found, wanted)


def _exists(field: Field) -> ValueTest:
    if field.kind in (Kind.JSON, Kind.GROUP):
        return lambda _: True
    return bool


def _operand(kind: Kind, node: Comparison, value: Literal) -> Any:
    try:
        match kind:
            case Kind.NUMBER:
                return float(value.text)
            case Kind.BOOLEAN:
                return {"true": True, "false": False}[value.text.lower()]
            case Kind.DURATION:
                return float(value.text.removesuffix("s"))
            case Kind.TIME:
                return time_ns(value)
            case _:
                return _severity(value.text)
    except (ValueError, KeyError) as error:
        field = ".".join(node.path)
        raise _bad_value(value, f"is not a {kind.name.lower()}, which {field} is") from error


def _severity(text: str) -> int:
    if text.isdigit():
        return int(text)
    return int(log_severity_pb2.LogSeverity.Value(text.upper()))


def time_ns(value: Literal) -> int:
    """Return a time in a filter, in nanoseconds.

    Raises:
        ApiError: INVALID_ARGUMENT when it is none.
    """
    try:
        return parse_rfc3339_ns(value.text)
    except ValueError as error:
        raise _bad_value(value, "is not an RFC 3339 time") from error


def _bad_value(value: Literal, problem: str) -> ApiError:
    return invalid("filter", f"at column {value.column}: '{value.text}' {problem}")


def _text_test(op: str, text: str) -> ValueTest:
    wanted = text.casefold()
    if op == ":":
        return lambda found: wanted in str(found).casefold()
    compare = _ORDERED[op]
    return lambda found: compare(str(found).casefold(), wanted)


def _regex_test(field: Field, node: Comparison, value: Literal) -> ValueTest:
    if field.kind not in (Kind.TEXT, Kind.JSON):
        raise invalid("filter", f"at column {node.column}: {'.'.join(node.path)} is no text to match")
    try:
        search = re.compile(value.text).search
    except re.error as error:
        raise _bad_value(value, f"is not a regular expression: {error}") from error
    wanted = node.operator == "=~"
    return lambda found: isinstance(found, str) and bool(search(found)) is wanted


def _json_test(op: str, value: Literal) -> ValueTest:
    """Payload fields have no declared type: each value found decides how it compares."""
    as_text, compare = _text_test(op, value.text), _ORDERED[op]
    try:
        number: float | None = float(value.text)
    except ValueError:
        number = None
    null = value.text == "NULL_VALUE" and not value.quoted

    def test(found: Any) -> bool:
        if isinstance(found, bool):
            return as_text(str(found).lower())
        if isinstance(found, int | float):
            return number is not None and compare(float(found), number)
        if found is None:
            return null and op in ("=", ":")
        if isinstance(found, dict):
            return op == ":" and any(as_text(text) for text in json_texts(found))
        return as_text(found)

    return test


def _group_test(node: Comparison, value: Literal) -> ValueTest:
    if node.operator != ":":
        raise invalid(
            "filter",
            f"at column {node.column}: {'.'.join(node.path)} is a group of fields: only ':' compares it",
        )
    wanted = value.text.casefold()

    def test(found: Any) -> bool:
        if hasattr(found, "DESCRIPTOR"):
            leaves = json_texts(found) if "protobuf" in found.DESCRIPTOR.full_name else texts(found)
            return any(wanted in text.casefold() for text in leaves)
        if isinstance(found, dict):
            return any(wanted in text.casefold() for text in json_texts(found))
        return any(wanted in text.casefold() for pair in found.items() for text in pair)

    return test
