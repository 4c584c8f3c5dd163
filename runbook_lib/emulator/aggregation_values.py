"""Combines values that may be numbers or distributions into one: sums, means, spreads and percentiles."""

import math
from collections.abc import Sequence
from typing import cast

from .metric_distribution import Distribution
from .metric_store import Value


def number(value: Value) -> int | float:
    """Return a value that the aggregation's rules have let through as a number."""
    return cast(int | float, value)


def total(values: Sequence[Value]) -> Value:
    """Add numbers, or merge distributions."""
    histograms = [value for value in values if isinstance(value, Distribution)]
    if not histograms:
        return sum(number(value) for value in values)
    merged = Distribution(buckets=histograms[0].buckets)
    for histogram in histograms:
        merged.merge(histogram)
    return merged


def mean(values: Sequence[Value]) -> float:
    """Return the mean of numbers, or of everything that distributions hold."""
    whole = total(values)
    return whole.mean if isinstance(whole, Distribution) else whole / len(values)


def deviation(values: Sequence[Value]) -> float:
    """Return the standard deviation of the whole population: 0 for a single value."""
    whole = total(values)
    if isinstance(whole, Distribution):
        return math.sqrt(whole.squared_deviation / whole.count) if whole.count else 0.0
    centre = whole / len(values)
    return math.sqrt(sum((number(value) - centre) ** 2 for value in values) / len(values))


def percentile(values: Sequence[Value], percent: float) -> float:
    """Return a percentile of merged distributions, or one of numbers, interpolated between neighbours."""
    whole = total(values)
    if isinstance(whole, Distribution):
        return whole.percentile(percent)
    ranked = sorted(number(value) for value in values)
    rank = (len(ranked) - 1) * percent / 100
    below = math.floor(rank)
    above = min(below + 1, len(ranked) - 1)
    return float(ranked[below] + (ranked[above] - ranked[below]) * (rank - below))
