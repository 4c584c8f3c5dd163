"""Compiles a monitoring filter into a predicate over time series.

Source: https://cloud.google.com/monitoring/api/v3/filters
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from .errors import invalid
from .metric_store import SeriesId
from .metric_types import RESOURCE_TYPE
from .query import And, Anywhere, Call, Comparison, Node, Not, Or, parse

SeriesTest = Callable[[SeriesId], bool]
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
    return MetricFilter(metric=metrics.pop(), matches=_test(node))


def _conjuncts(node: Node) -> list[Node]:
    if isinstance(node, And):
        return [part for operand in node.operands for part in _conjuncts(operand)]
    return [node]


def _test(node: Node) -> SeriesTest:
    match node:
        case And(operands=operands):
            tests = [_test(operand) for operand in operands]
            return lambda series: all(test(series) for test in tests)
        case Or(operands=operands):
            tests = [_test(operand) for operand in operands]
            return lambda series: any(test(series) for test in tests)
        case Not(operand=operand):
            negated = _test(operand)
            return lambda series: not negated(series)
        case Comparison():
            return _comparison(node)
        case Anywhere(value=value):
            raise invalid("filter", f"at column {value.column}: '{value.text}' is not a comparison")
        case Call():
            raise invalid(
                "filter", f"at column {node.column}: {node.name}() must be the value of a comparison"
            )


def _comparison(node: Comparison) -> SeriesTest:
    selector, value = label_getter(node.path, "filter"), node.value
    if node.operator not in ("=", "!=", ":"):
        raise invalid("filter", f"at column {node.column}: '{node.operator}' does not apply to text")
    if isinstance(value, Call):
        call, given = _text_call(value), [argument.text for argument in value.arguments]
        return lambda series: call(selector(series), given) is (node.operator != "!=")
    text = value.text
    if node.operator == ":":
        return lambda series: text in selector(series)
    return lambda series: (selector(series) == text) is (node.operator == "=")


def _text_call(value: Call) -> Callable[[str, list[str]], bool]:
    if value.name not in _TEXT_CALLS or not value.arguments:
        raise invalid("filter", f"at column {value.column}: allowed are {', '.join(sorted(_TEXT_CALLS))}")
    return _TEXT_CALLS[value.name]


def label_getter(path: tuple[str, ...], field: str) -> Callable[[SeriesId], str]:
    """Return a function that reads a selector such as `metric.labels.state`; a label that is missing is "".

    Raises:
        ApiError: INVALID_ARGUMENT when it is not a selector.
    """
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
        field, f"'{'.'.join(path)}' is not metric.type, metric.labels.X, resource.type or resource.labels.X"
    )
