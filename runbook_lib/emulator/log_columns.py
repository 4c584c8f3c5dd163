"""What the log indexes of each entry: fields with few different values, and the text of all strings."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from .log_fields import texts
from .wire import Message

Column = tuple[str, ...]
"""Path of an indexed field, in the names of the message."""

_SCALARS: dict[Column, Callable[[Message], Any]] = {
    ("log_name",): lambda entry: entry.log_name,
    ("severity",): lambda entry: entry.severity,
    ("resource", "type"): lambda entry: entry.resource.type,
    ("http_request", "status"): lambda entry: entry.http_request.status,
    ("http_request", "request_method"): lambda entry: entry.http_request.request_method,
}
_LABELS: Column = ("resource", "labels")
_HUMP = re.compile(r"(?<=[a-z])([A-Z])")
SEPARATOR = "\0"
"""Stands between the strings of an entry's text, so that no search finds what spans two of them."""


def column_of(path: tuple[str, ...]) -> Column | None:
    """Return the column that a filter's field path names, or None when the field is not indexed."""
    names = tuple(_HUMP.sub(lambda hump: f"_{hump[1].lower()}", name) for name in path)
    if names[:2] == _LABELS and len(path) > 2:
        return (*_LABELS, ".".join(path[2:]))
    return names if names in _SCALARS else None


def cells(entry: Message) -> Iterator[tuple[Column, Any]]:
    """Yield each column that an entry has a value in, and the value."""
    for column, value_of in _SCALARS.items():
        yield column, value_of(entry)
    for key, value in entry.resource.labels.items():
        yield (*_LABELS, key), value


def searchable_text(entry: Message) -> str:
    """Return all strings of an entry in one, as a search that ignores case compares them."""
    return SEPARATOR.join(texts(entry)).casefold()
