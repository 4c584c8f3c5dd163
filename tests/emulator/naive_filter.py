"""A second, naive evaluator of filters over plain dictionaries, written from the documentation alone.

Source: https://cloud.google.com/logging/docs/view/logging-query-language
"""

import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SEVERITIES = ["DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"]
# Fields of the LogEntry type: an entry without one is compared as if it had the default.
TYPED: dict[str, tuple[str, Any]] = {
    "severity": ("severity", "DEFAULT"),
    "textPayload": ("text", ""),
    "insertId": ("text", ""),
    "trace": ("text", ""),
    "traceSampled": ("boolean", False),
    "timestamp": ("time", "1970-01-01T00:00:00Z"),
    "resource.type": ("text", ""),
    "httpRequest.status": ("number", 0),
    "httpRequest.requestMethod": ("text", ""),
    "httpRequest.latency": ("duration", "0s"),
}
# Fields of payloads and labels: an entry without one fails every comparison.
FREE = {
    "jsonPayload.message": "json",
    "jsonPayload.n": "json",
    "jsonPayload.ok": "json",
    "jsonPayload.tags": "json",
    "jsonPayload.user.id": "json",
    "labels.app": "text",
    "resource.labels.service_name": "text",
}
ORDERS = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge, ":": operator.eq,
}  # fmt: skip


@dataclass(frozen=True)
class Leaf:
    """`path op value`; a path of "" asks for the value anywhere."""

    path: str
    op: str
    value: str


@dataclass(frozen=True)
class Tree:
    """`kind` is and, or, not."""

    kind: str
    parts: tuple["Leaf | Tree", ...]


def holds(node: Leaf | Tree, entry: dict[str, Any]) -> bool:
    """Say whether an entry (as JSON) satisfies the filter."""
    if isinstance(node, Leaf):
        return _leaf(node, entry)
    results = [holds(part, entry) for part in node.parts]
    return {"and": all, "or": any, "not": lambda found: not found[0]}[node.kind](results)


def _leaf(leaf: Leaf, entry: dict[str, Any]) -> bool:
    if not leaf.path:
        return any(leaf.value.lower() in text.lower() for text in _strings(entry))
    if leaf.path in TYPED:
        kind, default = TYPED[leaf.path]
        found = list(_values(entry, leaf.path.split("."))) or [default]
    else:
        kind, found = FREE[leaf.path], list(_values(entry, leaf.path.split(".")))
    return any(_compare(kind, value, leaf.op, leaf.value) for value in found)


def _values(value: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _values(item, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _values(value[path[0]], path[1:])


def _compare(kind: str, found: Any, op: str, wanted: str) -> bool:
    if op in ("=~", "!~"):
        return isinstance(found, str) and (re.search(wanted, found) is not None) == (op == "=~")
    if kind == "json" and isinstance(found, bool):
        found, kind = str(found).lower(), "text"
    elif kind == "json":
        kind = "number" if isinstance(found, int | float) else "text"
        if kind == "number" and not re.fullmatch(r"-?\d+(\.\d+)?", wanted):
            return False
    if kind == "text":
        if op == ":":
            return wanted.lower() in found.lower()
        return ORDERS[op](found.lower(), wanted.lower())
    return ORDERS[op](_number(kind, found), _number(kind, wanted))


def _number(kind: str, value: Any) -> float:
    if kind == "severity":
        return SEVERITIES.index(value.upper())
    if kind == "time":
        return datetime.fromisoformat(value).timestamp()
    if kind == "boolean":
        return float(str(value).lower() == "true")
    return float(str(value).removesuffix("s"))


def _strings(entry: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of an entry; severities, times and durations are none."""
    for key, value in entry.items():
        if key in ("severity", "timestamp", "latency"):
            continue
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from _strings(value)
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, str))
