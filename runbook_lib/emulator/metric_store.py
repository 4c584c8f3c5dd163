"""Time series in memory: collects values between two samples and keeps the points of the last hours."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .metric_distribution import Distribution
from .metric_types import METRIC_TYPES, MetricType
from .names import RevisionId

MAX_POINTS_PER_SERIES = 8_000

Value = int | float | Distribution


@dataclass(frozen=True, kw_only=True)
class SeriesId:
    """What tells one time series from another."""

    metric: str
    revision: RevisionId
    metric_labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Point:
    """A value over an interval in nanoseconds; a gauge's interval is a moment."""

    start_ns: int
    end_ns: int
    value: Value


@dataclass(kw_only=True)
class Series:
    """One time series, oldest point first."""

    id: SeriesId
    type: MetricType
    points: deque[Point] = field(default_factory=lambda: deque(maxlen=MAX_POINTS_PER_SERIES))


class MetricStore:
    """All time series and the window that is still open."""

    def __init__(self, started_ns: int) -> None:
        self._series: dict[SeriesId, Series] = {}
        self._counts: dict[SeriesId, int | float] = {}
        self._histograms: dict[SeriesId, Distribution] = {}
        self._window_start_ns = started_ns

    def add(
        self,
        metric: MetricType,
        revision: RevisionId,
        amount: int | float,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Add an amount to a delta counter."""
        series = _series_id(metric, revision, labels or {})
        self._counts[series] = self._counts.get(series, 0) + amount

    def observe(
        self, metric: MetricType, revision: RevisionId, value: float, labels: Mapping[str, str] | None = None
    ) -> None:
        """Add a value to a delta distribution."""
        series = _series_id(metric, revision, labels or {})
        self._histograms.setdefault(series, Distribution(buckets=metric.buckets)).add(value)

    def gauge(
        self, metric: MetricType, revision: RevisionId, value: int, labels: Mapping[str, str], now_ns: int
    ) -> None:
        """Write a gauge's point."""
        self._append(_series_id(metric, revision, labels), Point(start_ns=now_ns, end_ns=now_ns, value=value))

    def close_window(self, now_ns: int) -> None:
        """Turn what came together since the last call into points that end now."""
        window: dict[SeriesId, Value] = {**self._counts, **self._histograms}
        for series, value in window.items():
            self._append(series, Point(start_ns=self._window_start_ns, end_ns=now_ns, value=value))
        self._counts.clear()
        self._histograms.clear()
        self._window_start_ns = now_ns

    def series(self, metric: str) -> Iterable[Series]:
        """Return the series of a metric, in a stable order."""
        found = [series for series in self._series.values() if series.id.metric == metric]
        return sorted(found, key=lambda s: (sorted(s.id.revision.labels.items()), s.id.metric_labels))

    def _append(self, series: SeriesId, point: Point) -> None:
        known = self._series.setdefault(series, Series(id=series, type=METRIC_TYPES[series.metric]))
        known.points.append(point)


def _series_id(metric: MetricType, revision: RevisionId, labels: Mapping[str, str]) -> SeriesId:
    return SeriesId(metric=metric.name, revision=revision, metric_labels=tuple(sorted(labels.items())))
