"""Reducers: what each accepts, what it gives, and how it makes one series of several aligned ones.

Source: https://cloud.google.com/monitoring/api/ref_v3/rest/v3/Aggregation#Reducer
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from google.cloud.monitoring_v3 import types

from .aggregation_values import deviation, mean, number, percentile, total
from .metric_store import Point, Value
from .metric_types import BOOL, DISTRIBUTION, DOUBLE, INT64

Reducer = types.Aggregation.Reducer
_GROUPING = re.compile(r"(metric|resource)\.(labels?\.\w+|type)|project")
_NUMBERS = frozenset({INT64, DOUBLE})


@dataclass(frozen=True, kw_only=True)
class Line:
    """One time series on its way into an answer, oldest point first."""

    metric_labels: dict[str, str]
    resource_labels: dict[str, str]
    points: Sequence[Point]

    def label(self, field: str) -> str:
        """Return the value of a field to group by; what all lines share is ""."""
        place, *_, key = field.replace('"', "").split(".")
        labels = {"metric": self.metric_labels, "resource": self.resource_labels}
        return labels.get(place, {}).get(key, "")


def can_group_by(field: str) -> bool:
    """Say whether a field is one that series can be grouped by."""
    return _GROUPING.fullmatch(field.replace('"', "")) is not None


@dataclass(frozen=True, kw_only=True)
class ReducerRule:
    """One reducer.

    Attributes:
        value_types: Value types that it accepts, of gauges and deltas alike.
        combine: Makes one value of those that end together.
        keeps: Whether kind, value type and unit stay; else the result is a gauge of `value_type`.
    """

    value_types: frozenset[int]
    combine: Callable[[Sequence[Value]], Value]
    keeps: bool = False
    value_type: int = DOUBLE
    unit: str = "{}"


def reduce_lines(lines: Iterable[Line], rule: ReducerRule, fields: Sequence[str]) -> list[Line]:
    """Make one line of each group of lines that agree in the fields; only those labels stay."""
    groups: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        groups.setdefault(tuple(line.label(field) for field in fields), []).append(line)
    return [_reduced(group, rule, fields) for _, group in sorted(groups.items(), key=lambda item: item[0])]


def _reduced(group: Sequence[Line], rule: ReducerRule, fields: Sequence[str]) -> Line:
    return Line(
        metric_labels=_kept(group[0], fields, "metric.label"),
        resource_labels=_kept(group[0], fields, "resource.label"),
        points=_together(group, rule.combine),
    )


def _kept(line: Line, fields: Sequence[str], prefix: str) -> dict[str, str]:
    named = (field for field in fields if field.startswith(prefix))
    return {field.replace('"', "").split(".")[-1]: line.label(field) for field in named}


def _together(group: Sequence[Line], combine: Callable[[Sequence[Value]], Value]) -> list[Point]:
    ending: dict[int, list[Point]] = {}
    for line in group:
        for point in line.points:
            ending.setdefault(point.end_ns, []).append(point)
    return [
        Point(start_ns=points[0].start_ns, end_ns=end, value=combine([point.value for point in points]))
        for end, points in sorted(ending.items())
    ]


def _percentile_rule(percent: float) -> ReducerRule:
    return _of_all(combine=lambda values: percentile(values, percent))


def _boolean(value_type: int) -> ReducerRule:
    """No Cloud Run metric is boolean, so all that is left of these reducers is that they are refused."""
    return ReducerRule(value_types=frozenset({BOOL}), combine=total, value_type=value_type)


_of_all = partial(ReducerRule, value_types=_NUMBERS | {DISTRIBUTION})

REDUCERS = {
    Reducer.REDUCE_MEAN: _of_all(combine=mean),
    Reducer.REDUCE_MIN: ReducerRule(
        value_types=_NUMBERS, combine=lambda values: min(map(number, values)), keeps=True
    ),
    Reducer.REDUCE_MAX: ReducerRule(
        value_types=_NUMBERS, combine=lambda values: max(map(number, values)), keeps=True
    ),
    Reducer.REDUCE_SUM: _of_all(combine=total, keeps=True),
    Reducer.REDUCE_STDDEV: _of_all(combine=deviation),
    Reducer.REDUCE_COUNT: ReducerRule(
        value_types=_NUMBERS | {DISTRIBUTION, BOOL}, combine=len, value_type=INT64, unit="1"
    ),
    Reducer.REDUCE_COUNT_TRUE: _boolean(INT64),
    Reducer.REDUCE_COUNT_FALSE: _boolean(INT64),
    Reducer.REDUCE_FRACTION_TRUE: _boolean(DOUBLE),
    Reducer.REDUCE_PERCENTILE_99: _percentile_rule(99),
    Reducer.REDUCE_PERCENTILE_95: _percentile_rule(95),
    Reducer.REDUCE_PERCENTILE_50: _percentile_rule(50),
    Reducer.REDUCE_PERCENTILE_05: _percentile_rule(5),
}
