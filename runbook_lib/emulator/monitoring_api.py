"""google.monitoring.v3.MetricService: lists time series, raw or aggregated.

Source: https://cloud.google.com/monitoring/api/ref_v3/rpc/google.monitoring.v3
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

from google.cloud.monitoring_v3 import types

from .aggregation import Shape, Stage, Table, stages
from .aggregation_reduce import Line
from .clock import NS_PER_S, NowNs, timestamp, timestamp_ns
from .errors import invalid, not_emulated
from .metric_distribution import Distribution
from .metric_filter import compile_metric_filter
from .metric_pages import first_page
from .metric_store import MetricStore, Point, Series
from .metric_types import DOUBLE, METRIC_TYPES, RESOURCE_TYPE, MetricType
from .wire import Message, Method

SERVICE = "google.monitoring.v3.MetricService"
_NAME = re.compile(r"projects/(?P<project>[^/]+)")
_HEADERS = types.ListTimeSeriesRequest.TimeSeriesView.HEADERS


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """When points are made and seen.

    Attributes:
        period_s: Time between samples; also the shortest alignment period (60 s on Google Cloud).
        lag_s: How long after its end a point becomes visible (up to 120 s and more on Google Cloud).
    """

    period_s: float
    lag_s: float


class MonitoringApi:
    """Answers from one metric store."""

    def __init__(self, store: MetricStore, sampling: Sampling, now_ns: NowNs) -> None:
        self._store = store
        self._sampling = sampling
        self._now_ns = now_ns

    def methods(self) -> list[Method]:
        """Return the table of methods; those that write are only there to say that they are left out."""
        return [
            Method(
                service=SERVICE,
                name="ListTimeSeries",
                request=types.ListTimeSeriesRequest.pb(),
                handle=self.list_time_series,
            ),
            *_left_out(types.CreateTimeSeriesRequest, "CreateTimeSeries", "CreateServiceTimeSeries"),
            *_left_out(types.CreateMetricDescriptorRequest, "CreateMetricDescriptor"),
            *_left_out(types.DeleteMetricDescriptorRequest, "DeleteMetricDescriptor"),
        ]

    async def list_time_series(self, request: Message) -> Message:
        """Return the series that match, newest points first."""
        project = parse_project(request.name)
        _check(request)
        metric, lines = self._select(project, request)
        shape = Shape(kind=metric.kind, value_type=metric.value_type, unit=metric.unit)
        table = reduce(_apply, self._stages(request), Table(shape=shape, lines=tuple(lines)))
        page = first_page(table.lines, request)
        message = _message_maker(metric, table.shape, request.view == _HEADERS)
        return types.ListTimeSeriesResponse.pb()(
            time_series=[message(line) for line in page.lines],
            next_page_token=page.token,
            unit=table.shape.unit,
        )

    def _select(self, project: str, request: Message) -> tuple[MetricType, list[Line]]:
        chosen = compile_metric_filter(request.filter)
        metric = METRIC_TYPES.get(chosen.metric)
        if metric is None:
            known = ", ".join(sorted(METRIC_TYPES))
            raise invalid("filter", f"no metric {chosen.metric} is measured here; there are {known}")
        lines = [
            _line(series, self._visible(series, request.interval))
            for series in self._store.series(chosen.metric)
            if series.id.revision.project == project and chosen.matches(series.id)
        ]
        return metric, [line for line in lines if line.points]

    def _visible(self, series: Series, interval: Message) -> list[Point]:
        start_ns, end_ns = _bounds(interval)
        seen_until_ns = min(end_ns, self._now_ns() - round(self._sampling.lag_s * NS_PER_S))
        # A start that equals the end asks for that very moment; otherwise the start itself is outside.
        return [
            point
            for point in series.points
            if point.end_ns <= seen_until_ns
            and (start_ns < point.end_ns or start_ns == end_ns == point.end_ns)
        ]

    def _stages(self, request: Message) -> Iterable[Stage]:
        _, end_ns = _bounds(request.interval)
        return stages(request, end_ns, round(self._sampling.period_s * NS_PER_S))


def parse_project(name: str) -> str:
    """Read `projects/P`."""
    found = _NAME.fullmatch(name)
    if not found:
        raise invalid("name", f"'{name}' is not projects/PROJECT")
    return found["project"]


def _left_out(request: Any, *names: str) -> list[Method]:
    return [
        Method(service=SERVICE, name=name, request=request.pb(), handle=_refuse(f"{SERVICE}.{name}"))
        for name in names
    ]


def _refuse(method: str) -> Any:
    async def handle(_: Message) -> Message:
        raise not_emulated(method)

    return handle


def _apply(table: Table, stage: Stage) -> Table:
    return stage.apply(table)


def _check(request: Message) -> None:
    if not request.interval.HasField("end_time"):
        raise invalid("interval.end_time", "is required")
    start_ns, end_ns = _bounds(request.interval)
    if start_ns > end_ns:
        raise invalid("interval.start_time", "is later than the end")
    if request.order_by:
        raise invalid("order_by", "must be empty: points come newest first")


def _bounds(interval: Message) -> tuple[int, int]:
    end_ns = timestamp_ns(interval.end_time)
    return timestamp_ns(interval.start_time) if interval.HasField("start_time") else end_ns, end_ns


def _line(series: Series, points: list[Point]) -> Line:
    return Line(
        metric_labels=dict(series.id.metric_labels),
        resource_labels=series.id.revision.labels,
        points=points,
    )


def _message_maker(metric: MetricType, shape: Shape, headers_only: bool) -> Callable[[Line], Message]:
    def message(line: Line) -> Message:
        series = types.TimeSeries.pb()(
            metric={"type": metric.name, "labels": line.metric_labels},
            resource={"type": RESOURCE_TYPE, "labels": line.resource_labels},
            metric_kind=shape.kind,
            value_type=shape.value_type,
            unit=shape.unit,
        )
        if not headers_only:
            series.points.extend(_point_message(point, shape) for point in reversed(line.points))
        return series

    return message


def _point_message(point: Point, shape: Shape) -> Message:
    message = types.Point.pb()()
    message.interval.start_time.CopyFrom(timestamp(point.start_ns))
    message.interval.end_time.CopyFrom(timestamp(point.end_ns))
    if isinstance(point.value, Distribution):
        message.value.distribution_value.CopyFrom(point.value.message())
    elif shape.value_type == DOUBLE:
        message.value.double_value = point.value
    else:
        message.value.int64_value = point.value
    return message
