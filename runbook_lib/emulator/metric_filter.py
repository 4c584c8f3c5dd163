"""Compiles a monitoring filter into a predicate over time series or descriptors.

Source: https://cloud.google.com/monitoring/api/v3/filters
"""

import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .errors import invalid
from .metric_store import SeriesId
from .metric_types import RESOURCE_TYPE
from .query import And, Anywhere, Call, Comparison, Node, Not, Or, parse

SeriesTest = Callable[[SeriesId], bool]
Test = Callable[[Any], bool]
Read = Callable[[Any], Any]
"""Reads the text that a selector stands for, or the keys of the labels there are."""
Selectors = Callable[[tuple[str, ...]], Read]
"""Returns how to read a selector; refuses what is none."""
_TEXT_CALLS: dict[str, Callable[[str, list[str]], bool]] = {
    "starts_with": lambda found, given: found.startswith(given[0]),
    "ends_with": lambda found, given: found.endswith(given[0]),
    "has_substring": lambda found, given: given[0] in found,
    "one_of": lambda found, given: found in given,
    "monitoring.regex.full_match": lambda found, given: re.fullmatch(given[0], found) is not None,
}


@dataclass(frozen=True, kw_only=True)
class MetricFilter:
    """The one metric that a filter names, and which of its series match."""

    metric: str
    matches: SeriesTest


@lru_cache(maxsize=256)
def compile_metric_filter(text: str) -> MetricFilter:
    """Return the compiled filter.

    Raises:
        ApiError: INVALID_ARGUMENT when it is no filter or does not name exactly one metric type.
    """
    node = parse(text)
    metrics = {
        part.value.text
        for part in _conjuncts(node)
        if isinstance(part, Comparison)
        and part.path == ("metric", "type")
        and part.operator == "="
        and not isinstance(part.value, Call)
    }
    if len(metrics) != 1:
        raise invalid("filter", 'must name exactly one metric: metric.type = "…"')
    return MetricFilter(metric=metrics.pop(), matches=_test(node, _of_series))


def _conjuncts(node: Node) -> list[Node]:
    if isinstance(node, And):
        return [part for operand in node.operands for part in _conjuncts(operand)]
    return [node]


def compile_filter(text: str, selectors: Selectors) -> Test:
    """Return a predicate over whatever the selectors read; an empty filter lets everything through.

    Raises:
        ApiError: INVALID_ARGUMENT when it is no filter or names a selector that does not apply.
    """
    return _test(parse(text), selectors)


def _test(node: Node, selectors: Selectors) -> Test:
    match node:
        case And(operands=operands):
            tests = [_test(operand, selectors) for operand in operands]
            return lambda item: all(test(item) for test in tests)
        case Or(operands=operands):
            tests = [_test(operand, selectors) for operand in operands]
            return lambda item: any(test(item) for test in tests)
        case Not(operand=operand):
            negated = _test(operand, selectors)
            return lambda item: not negated(item)
        case Comparison():
            return _comparison(node, selectors(node.path))
        case Anywhere(value=value):
            raise invalid("filter", f"at column {value.column}: '{value.text}' is not a comparison")
        case Call():
            raise invalid(
                "filter", f"at column {node.column}: {node.name}() must be the value of a comparison"
            )


def _comparison(node: Comparison, read: Read) -> Test:
    value = node.value
    if node.operator not in ("=", "!=", ":"):
        raise invalid("filter", f"at column {node.column}: '{node.operator}' does not apply to text")
    if isinstance(value, Call):
        call, given = _text_call(value), [argument.text for argument in value.arguments]
        return lambda item: call(_text(read(item), node), given) is (node.operator != "!=")
    text = value.text
    if node.operator == ":":
        return lambda item: _has(read(item), text)
    return lambda item: (_text(read(item), node) == text) is (node.operator == "=")


def _text(found: Container[str], node: Comparison) -> str:
    if isinstance(found, str):
        return found
    raise invalid(
        "filter", f"at column {node.column}: '{'.'.join(node.path)}' takes only ':' and a label's key"
    )


def _has(found: Container[str], text: str) -> bool:
    """Say whether a text contains another, or whether a label is among the keys."""
    return text in found


def _text_call(value: Call) -> Callable[[str, list[str]], bool]:
    if value.name not in _TEXT_CALLS or not value.arguments:
        raise invalid("filter", f"at column {value.column}: allowed are {', '.join(sorted(_TEXT_CALLS))}")
    return _TEXT_CALLS[value.name]


def _of_series(path: tuple[str, ...]) -> Callable[[SeriesId], Any]:
    """Return how a time series answers a selector; a label that is missing is ""."""
    match path:
        case ("metric", "type"):
            return lambda series: series.metric
        case ("resource", "type"):
            return lambda _: RESOURCE_TYPE
        case ("project",):
            return lambda series: series.revision.project
        case ("metric", "labels" | "label", key):
            return lambda series: dict(series.metric_labels).get(key, "")
        case ("resource", "labels" | "label", key):
            return lambda series: series.revision.labels.get(key, "")
    raise invalid(
        "filter",
        f"'{'.'.join(path)}' is not metric.type, metric.labels.X, resource.type or resource.labels.X",
    )
