"""Aligns points to regular periods and sums series: the part of Monitoring's aggregation that is emulated.

Source: https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies#Aligner
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from google.api import metric_pb2
from google.cloud.monitoring_v3 import types

from .clock import NS_PER_S
from .errors import ApiError, invalid
from .metric_store import Point, Value
from .metric_types import Distribution, MetricType

Aligner = types.Aggregation.Aligner
_Kind = metric_pb2.MetricDescriptor.MetricKind
_ValueType = metric_pb2.MetricDescriptor.ValueType
_PERCENTILES = {
    Aligner.ALIGN_PERCENTILE_05: 5.0,
    Aligner.ALIGN_PERCENTILE_50: 50.0,
    Aligner.ALIGN_PERCENTILE_95: 95.0,
    Aligner.ALIGN_PERCENTILE_99: 99.0,
}
_KEEPS_TYPE = {
    Aligner.ALIGN_NONE,
    Aligner.ALIGN_DELTA,
    Aligner.ALIGN_SUM,
    Aligner.ALIGN_MIN,
    Aligner.ALIGN_MAX,
}


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """How to align: windows of `period_ns` that end at `end_ns` and at every period before it."""

    aligner: int
    period_ns: int
    end_ns: int


@dataclass(frozen=True, kw_only=True)
class ResultType:
    """Metric kind and value type of an aligned series."""

    kind: int
    value_type: int


def result_type(metric: MetricType, aligner: int) -> ResultType:
    """Return what an aligner makes of a metric.

    Raises:
        ApiError: INVALID_ARGUMENT when the aligner does not apply to the metric.
    """
    if aligner == Aligner.ALIGN_NONE:
        return ResultType(kind=metric.kind, value_type=metric.value_type)
    _check(metric, aligner)
    kind = metric.kind if aligner == Aligner.ALIGN_DELTA else _Kind.Value("GAUGE")
    value_type = metric.value_type if aligner in _KEEPS_TYPE else _ValueType.Value("DOUBLE")
    return ResultType(kind=kind, value_type=value_type)


def align(points: Sequence[Point], alignment: Alignment) -> list[Point]:
    """Return one point for each window that holds data, oldest first."""
    if alignment.aligner == Aligner.ALIGN_NONE:
        return list(points)
    windows: dict[int, list[Value]] = {}
    for point in points:
        steps_back = (alignment.end_ns - point.end_ns) // alignment.period_ns
        windows.setdefault(alignment.end_ns - steps_back * alignment.period_ns, []).append(point.value)
    combine = _combiner(alignment)
    return [
        Point(start_ns=end - alignment.period_ns, end_ns=end, value=combine(windows[end]))
        for end in sorted(windows)
    ]


def sum_series(series: Sequence[Sequence[Point]]) -> list[Point]:
    """Add up aligned series: the points that end together become one."""
    together: dict[int, list[Point]] = {}
    for points in series:
        for point in points:
            together.setdefault(point.end_ns, []).append(point)
    return [
        Point(start_ns=group[0].start_ns, end_ns=end, value=total([point.value for point in group]))
        for end, group in sorted(together.items())
    ]


def total(values: Sequence[Value]) -> Value:
    """Add numbers, or merge distributions."""
    histograms = [value for value in values if isinstance(value, Distribution)]
    if not histograms:
        return sum(_number(value) for value in values)
    merged = Distribution(buckets=histograms[0].buckets)
    for histogram in histograms:
        merged.merge(histogram)
    return merged


def _combiner(alignment: Alignment) -> Callable[[list[Value]], Value]:
    if alignment.aligner in _PERCENTILES:
        percent = _PERCENTILES[alignment.aligner]
        return lambda values: _percentile(total(values), percent)
    if alignment.aligner == Aligner.ALIGN_RATE:
        period_s = alignment.period_ns / NS_PER_S
        return lambda values: _number(total(values)) / period_s
    if alignment.aligner == Aligner.ALIGN_MEAN:
        return lambda values: _number(total(values)) / len(values)
    if alignment.aligner in (Aligner.ALIGN_MIN, Aligner.ALIGN_MAX):
        choose = min if alignment.aligner == Aligner.ALIGN_MIN else max
        return lambda values: choose(_number(value) for value in values)
    return total


def _check(metric: MetricType, aligner: int) -> None:
    distribution = metric.value_type == _ValueType.Value("DISTRIBUTION")
    delta = metric.kind == _Kind.Value("DELTA")
    allowed = {
        Aligner.ALIGN_DELTA: delta,
        Aligner.ALIGN_RATE: delta and not distribution,
        Aligner.ALIGN_MEAN: not delta and not distribution,
        Aligner.ALIGN_MIN: not delta and not distribution,
        Aligner.ALIGN_MAX: not delta and not distribution,
        Aligner.ALIGN_SUM: True,
        **dict.fromkeys(_PERCENTILES, distribution),
    }
    if aligner not in allowed:
        raise _refused(aligner, "is not emulated")
    if not allowed[aligner]:
        raise _refused(aligner, f"cannot be applied to {metric.name} ({_describe(metric)})")


def _refused(aligner: int, problem: str) -> ApiError:
    return invalid("aggregation.per_series_aligner", f"{Aligner(aligner).name} {problem}")


def _describe(metric: MetricType) -> str:
    return f"{_Kind.Name(metric.kind)}, {_ValueType.Name(metric.value_type)}"  # type: ignore[arg-type,unused-ignore]


# `result_type` has refused aligners that do not fit the values, so that the two casts hold.
def _percentile(value: Value, percent: float) -> float:
    return cast(Distribution, value).percentile(percent)


def _number(value: Value) -> int | float:
    return cast(int | float, value)
