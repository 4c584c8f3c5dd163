"""The Cloud Run metrics that are measured here, with their real kinds, value types, units and buckets.

Source: https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-run
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from google.api import distribution_pb2, metric_pb2

RESOURCE_TYPE = "cloud_run_revision"
_PREFIX = "run.googleapis.com/"


@dataclass(frozen=True, kw_only=True)
class Buckets:
    """Bounds between histogram buckets, ascending; one bucket lies below the first and one above the last."""

    bounds: tuple[float, ...]
    exponential: tuple[int, float, float] | None = None
    linear: tuple[int, float, float] | None = None

    def options(self) -> distribution_pb2.Distribution.BucketOptions:
        """Return the wire form."""
        options = distribution_pb2.Distribution.BucketOptions()
        if self.exponential:
            count, growth, scale = self.exponential
            options.exponential_buckets.num_finite_buckets = count
            options.exponential_buckets.growth_factor = growth
            options.exponential_buckets.scale = scale
        elif self.linear:
            count, width, offset = self.linear
            options.linear_buckets.num_finite_buckets = count
            options.linear_buckets.width = width
            options.linear_buckets.offset = offset
        return options

    def index(self, value: float) -> int:
        """Return the bucket that a value falls into."""
        return bisect_right(self.bounds, value)


NO_BUCKETS = Buckets(bounds=())


def _exponential(count: int, growth: float, scale: float) -> Buckets:
    bounds = tuple(scale * growth**power for power in range(count + 1))
    return Buckets(bounds=bounds, exponential=(count, growth, scale))


def _linear(count: int, width: float, offset: float) -> Buckets:
    bounds = tuple(offset + width * step for step in range(count + 1))
    return Buckets(bounds=bounds, linear=(count, width, offset))


@dataclass(frozen=True, kw_only=True)
class MetricType:
    """Descriptor of one metric; `buckets` are those of distributions."""

    name: str
    kind: int
    value_type: int
    unit: str
    labels: Sequence[str] = ()
    buckets: Buckets = NO_BUCKETS


_DELTA = metric_pb2.MetricDescriptor.MetricKind.Value("DELTA")
_GAUGE = metric_pb2.MetricDescriptor.MetricKind.Value("GAUGE")
_INT64 = metric_pb2.MetricDescriptor.ValueType.Value("INT64")
_DISTRIBUTION = metric_pb2.MetricDescriptor.ValueType.Value("DISTRIBUTION")

# 5 % wide buckets from 0.1 ms to beyond an hour: a percentile read from them is off by at most that much.
_LATENCY_MS = _exponential(360, 1.05, 0.1)
_RATIO = _linear(200, 0.005, 0.0)

REQUEST_COUNT = MetricType(
    name=_PREFIX + "request_count",
    kind=_DELTA,
    value_type=_INT64,
    unit="1",
    labels=("response_code", "response_code_class"),
)
REQUEST_LATENCIES = MetricType(
    name=_PREFIX + "request_latencies",
    kind=_DELTA,
    value_type=_DISTRIBUTION,
    unit="ms",
    labels=("response_code", "response_code_class"),
    buckets=_LATENCY_MS,
)
MEMORY_UTILIZATIONS = MetricType(
    name=_PREFIX + "container/memory/utilizations",
    kind=_DELTA,
    value_type=_DISTRIBUTION,
    unit="10^2.%",
    buckets=_RATIO,
)
STARTUP_LATENCIES = MetricType(
    name=_PREFIX + "container/startup_latencies",
    kind=_DELTA,
    value_type=_DISTRIBUTION,
    unit="ms",
    buckets=_LATENCY_MS,
)
INSTANCE_COUNT = MetricType(
    name=_PREFIX + "container/instance_count", kind=_GAUGE, value_type=_INT64, unit="1", labels=("state",)
)

METRIC_TYPES = {
    metric.name: metric
    for metric in (
        REQUEST_COUNT,
        REQUEST_LATENCIES,
        MEMORY_UTILIZATIONS,
        STARTUP_LATENCIES,
        INSTANCE_COUNT,
    )
}


@dataclass(kw_only=True)
class Distribution:
    """A histogram with its exact mean and spread; grows by `add` and `merge`."""

    buckets: Buckets
    count: int = 0
    mean: float = 0.0
    squared_deviation: float = 0.0
    counts: dict[int, int] = field(default_factory=dict)

    def add(self, value: float) -> None:
        """Count one value (Welford's update keeps the spread exact)."""
        self.count += 1
        distance = value - self.mean
        self.mean += distance / self.count
        self.squared_deviation += distance * (value - self.mean)
        index = self.buckets.index(value)
        self.counts[index] = self.counts.get(index, 0) + 1

    def merge(self, other: "Distribution") -> None:
        """Take in another histogram over the same buckets."""
        total = self.count + other.count
        if total == 0:
            return
        distance = other.mean - self.mean
        self.squared_deviation += other.squared_deviation + distance**2 * self.count * other.count / total
        self.mean += distance * other.count / total
        self.count = total
        for index, count in other.counts.items():
            self.counts[index] = self.counts.get(index, 0) + count

    def percentile(self, percent: float) -> float:
        """Return a percentile, interpolated inside its bucket."""
        rank = self.count * percent / 100
        below = 0
        for index in sorted(self.counts):
            if below + self.counts[index] >= rank:
                share = (rank - below) / self.counts[index]
                low, high = self._edges(index)
                return low + (high - low) * share
            below += self.counts[index]
        return self._edges(max(self.counts, default=0))[1]

    def message(self) -> distribution_pb2.Distribution:
        """Return the wire form."""
        highest = max(self.counts, default=-1)
        return distribution_pb2.Distribution(
            count=self.count,
            mean=self.mean,
            sum_of_squared_deviation=self.squared_deviation,
            bucket_options=self.buckets.options(),
            bucket_counts=[self.counts.get(index, 0) for index in range(highest + 1)],
        )

    def _edges(self, index: int) -> tuple[float, float]:
        bounds = self.buckets.bounds
        low = bounds[index - 1] if index > 0 else min(0.0, bounds[0])
        return low, bounds[index] if index < len(bounds) else low
