"""Cuts the series of an answer into pages: by points, or by series where only headers were asked for.

Source: https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/list
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from google.cloud.monitoring_v3 import types

from .aggregation_reduce import Line
from .errors import invalid
from .paging import make_token, read_token
from .wire import Message

MAX_PAGE_SIZE = 100_000
_HEADERS = types.ListTimeSeriesRequest.TimeSeriesView.HEADERS


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page and the token of the next ("" at the end)."""

    lines: tuple[Line, ...]
    token: str


def first_page(lines: Iterable[Line], request: Message) -> Page:
    """Return the page that a request's token asks for.

    The token holds the last series and the time of its last point, so that points which come in between
    neither repeat nor hide others.

    Raises:
        ApiError: INVALID_ARGUMENT when size or token cannot be used.
    """
    if request.page_size < 0:
        raise invalid("page_size", f"{request.page_size} is negative")
    size = min(request.page_size or MAX_PAGE_SIZE, MAX_PAGE_SIZE)
    query = _query(request)
    rest = _after(sorted(lines, key=_key), read_token(request.page_token, query))
    by_series = request.view == _HEADERS
    page = rest[:size] if by_series else _first_points(rest, size)
    if not page or _size(page, by_series) == _size(rest, by_series):
        return Page(lines=tuple(page), token="")
    last = page[-1]
    return Page(
        lines=tuple(page),
        token=make_token(query, [_key(last), None if by_series else last.points[0].end_ns]),
    )


def _size(lines: Sequence[Line], by_series: bool) -> int:
    return len(lines) if by_series else sum(len(line.points) for line in lines)


def _first_points(lines: Iterable[Line], size: int) -> list[Line]:
    """Take the newest points of series after series until there are enough."""
    page: list[Line] = []
    for line in lines:
        if size <= 0:
            break
        taken = line.points[-size:]
        page.append(replace(line, points=taken))
        size -= len(taken)
    return page


def _after(lines: Sequence[Line], position: Any) -> list[Line]:
    if position is None:
        return list(lines)
    key, end_ns = position
    rest = [line for line in lines if _key(line) >= key]
    if rest and _key(rest[0]) == key:
        older = () if end_ns is None else [point for point in rest[0].points if point.end_ns < end_ns]
        rest[:1] = [replace(rest[0], points=older)] if older else []
    return rest


def _key(line: Line) -> list[list[list[str]]]:
    """Return what orders the series, in lists as they come back from a token."""
    return [
        [[key, value] for key, value in sorted(labels.items())]
        for labels in (line.resource_labels, line.metric_labels)
    ]


def _query(request: Message) -> bytes:
    """Return everything in a request that must stay the same from page to page."""
    query = type(request)()
    query.CopyFrom(request)
    query.page_size, query.page_token = 0, ""
    text: bytes = query.SerializeToString(deterministic=True)
    return text
