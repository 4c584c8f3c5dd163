"""Histograms as Monitoring keeps them: bucket layouts, and distributions that grow and merge.

Source: https://cloud.google.com/monitoring/api/ref_v3/rest/v3/TypedValue#Distribution
"""

from bisect import bisect_right
from dataclasses import dataclass, field

from google.api import distribution_pb2


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


def exponential(count: int, growth: float, scale: float) -> Buckets:
    """Return buckets each of which is `growth` times as wide as the one before."""
    bounds = tuple(scale * growth**power for power in range(count + 1))
    return Buckets(bounds=bounds, exponential=(count, growth, scale))


def linear(count: int, width: float, offset: float) -> Buckets:
    """Return buckets that are equally wide."""
    bounds = tuple(offset + width * step for step in range(count + 1))
    return Buckets(bounds=bounds, linear=(count, width, offset))


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
