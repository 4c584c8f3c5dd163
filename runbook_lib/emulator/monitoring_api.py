"""google.monitoring.v3.MetricService: lists time series, raw or aligned.

Source: https://cloud.google.com/monitoring/api/ref_v3/rpc/google.monitoring.v3
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from google.cloud.monitoring_v3 import types

from .aggregation import Alignment, ResultType, align, result_type, sum_series
from .clock import NS_PER_S, timestamp, timestamp_ns
from .errors import invalid
from .metric_filter import compile_metric_filter, label_getter
from .metric_store import MetricStore, Point, Series
from .metric_types import METRIC_TYPES, RESOURCE_TYPE, Distribution, MetricType
from .paging import make_token, read_token
from .wire import Message, Method

SERVICE = "google.monitoring.v3.MetricService"
MAX_PAGE_SIZE = 100_000
_NAME = re.compile(r"projects/(?P<project>[^/]+)")
_Reducer = types.Aggregation.Reducer
_HEADERS = types.ListTimeSeriesRequest.TimeSeriesView.HEADERS


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """One time series of the response, before it becomes a message."""

    metric: MetricType
    metric_labels: dict[str, str]
    resource_labels: dict[str, str]
    points: Sequence[Point]


class MonitoringApi:
    """Answers from one metric store.

    Args:
        period_s: Time between samples; also the shortest alignment period (60 s on Google Cloud).
    """

    def __init__(self, store: MetricStore, period_s: float) -> None:
        self._store = store
        self._period_s = period_s

    def methods(self) -> list[Method]:
        """Return the table of methods."""
        request = types.ListTimeSeriesRequest.pb()
        return [Method(service=SERVICE, name="ListTimeSeries", request=request, handle=self.list_time_series)]

    async def list_time_series(self, request: Message) -> Message:
        """Return the series that match, newest points first."""
        metric, selected = self._select(request)
        alignment = self._alignment(request)
        kind = result_type(metric, alignment.aligner)
        answers = [_answer(series, align(points, alignment)) for series, points in selected]
        answers = _reduced(answers, request.aggregation, metric)
        page, token = _page(answers, request)
        headers_only = request.view == _HEADERS
        return types.ListTimeSeriesResponse.pb()(
            time_series=[_message(answer, kind, headers_only) for answer in page],
            next_page_token=token,
            unit=metric.unit,
        )

    def _select(self, request: Message) -> tuple[MetricType, list[tuple[Series, list[Point]]]]:
        project = _project(request)
        chosen = compile_metric_filter(request.filter)
        metric = METRIC_TYPES.get(chosen.metric)
        if metric is None:
            known = ", ".join(sorted(METRIC_TYPES))
            raise invalid("filter", f"no metric {chosen.metric} is measured here; there are {known}")
        matching = (
            (series, _points_within(series, request.interval))
            for series in self._store.series(chosen.metric)
            if series.id.revision.project == project and chosen.matches(series.id)
        )
        return metric, [(series, points) for series, points in matching if points]

    def _alignment(self, request: Message) -> Alignment:
        aggregation = request.aggregation
        period_ns = aggregation.alignment_period.seconds * NS_PER_S + aggregation.alignment_period.nanos
        if request.HasField("secondary_aggregation"):
            raise invalid("secondary_aggregation", "is not emulated")
        if aggregation.per_series_aligner and period_ns < self._period_s * NS_PER_S:
            raise invalid(
                "aggregation.alignment_period",
                f"must be at least the sample period, {self._period_s:g} s here",
            )
        _, end_ns = _bounds(request.interval)
        return Alignment(aligner=aggregation.per_series_aligner, period_ns=period_ns, end_ns=end_ns)


def _project(request: Message) -> str:
    found = _NAME.fullmatch(request.name)
    if not found:
        raise invalid("name", f"'{request.name}' is not projects/PROJECT")
    if not request.interval.HasField("end_time"):
        raise invalid("interval.end_time", "is required")
    start_ns, end_ns = _bounds(request.interval)
    if start_ns > end_ns:
        raise invalid("interval.start_time", "is later than the end")
    if not 0 <= request.page_size <= MAX_PAGE_SIZE:
        raise invalid("page_size", f"{request.page_size} is not between 0 and {MAX_PAGE_SIZE}")
    return found["project"]


def _bounds(interval: Message) -> tuple[int, int]:
    end_ns = timestamp_ns(interval.end_time)
    return timestamp_ns(interval.start_time) if interval.HasField("start_time") else end_ns, end_ns


def _points_within(series: Series, interval: Message) -> list[Point]:
    start_ns, end_ns = _bounds(interval)
    # A start that equals the end asks for that very moment; otherwise the start itself is outside.
    return [
        point
        for point in series.points
        if start_ns < point.end_ns <= end_ns or start_ns == point.end_ns == end_ns
    ]


def _answer(series: Series, points: Sequence[Point]) -> _Answer:
    return _Answer(
        metric=series.type,
        metric_labels=dict(series.id.metric_labels),
        resource_labels=series.id.revision.labels,
        points=points,
    )


def _reduced(answers: list[_Answer], aggregation: Message, metric: MetricType) -> list[_Answer]:
    reducer = aggregation.cross_series_reducer
    if reducer == _Reducer.REDUCE_NONE:
        return answers
    if reducer != _Reducer.REDUCE_SUM:
        raise invalid("aggregation.cross_series_reducer", f"{_Reducer(reducer).name} is not emulated")
    if not aggregation.per_series_aligner:
        raise invalid("aggregation.per_series_aligner", "is required with a cross-series reducer")
    groups: dict[tuple[str, ...], list[_Answer]] = {}
    for answer in answers:
        groups.setdefault(_group_key(answer, aggregation.group_by_fields), []).append(answer)
    return [_summed(group, aggregation.group_by_fields, metric) for _, group in sorted(groups.items())]


def _group_key(answer: _Answer, fields: Iterable[str]) -> tuple[str, ...]:
    return tuple(_label(answer, field) for field in fields)


def _label(answer: _Answer, field: str) -> str:
    path = tuple(field.split("."))
    label_getter(path, "aggregation.group_by_fields")
    labels = answer.metric_labels if path[0] == "metric" else answer.resource_labels
    return labels.get(path[-1], "")


def _summed(group: list[_Answer], fields: Sequence[str], metric: MetricType) -> _Answer:
    kept = {field: _label(group[0], field) for field in fields}
    return _Answer(
        metric=metric,
        metric_labels={f.split(".")[-1]: value for f, value in kept.items() if f.startswith("metric.label")},
        resource_labels={
            f.split(".")[-1]: value for f, value in kept.items() if f.startswith("resource.label")
        },
        points=sum_series([answer.points for answer in group]),
    )


def _page(answers: list[_Answer], request: Message) -> tuple[list[_Answer], str]:
    query = (request.name, request.filter, str(request.aggregation))
    first = read_token(request.page_token, query) or 0
    last = first + (request.page_size or MAX_PAGE_SIZE)
    return answers[first:last], make_token(query, last) if last < len(answers) else ""


def _message(answer: _Answer, kind: ResultType, headers_only: bool) -> Message:
    series = types.TimeSeries.pb()(
        metric={"type": answer.metric.name, "labels": answer.metric_labels},
        resource={"type": RESOURCE_TYPE, "labels": answer.resource_labels},
        metric_kind=kind.kind,
        value_type=kind.value_type,
        unit=answer.metric.unit,
    )
    if not headers_only:
        series.points.extend(_point_message(point) for point in reversed(answer.points))
    return series


def _point_message(point: Point) -> Message:
    message = types.Point.pb()()
    message.interval.start_time.CopyFrom(timestamp(point.start_ns))
    message.interval.end_time.CopyFrom(timestamp(point.end_ns))
    if isinstance(point.value, Distribution):
        message.value.distribution_value.CopyFrom(point.value.message())
    elif isinstance(point.value, int):
        message.value.int64_value = point.value
    else:
        message.value.double_value = point.value
    return message
