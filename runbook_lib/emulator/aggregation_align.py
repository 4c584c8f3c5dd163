"""Aligners: what each accepts, what it gives, and how it turns the points of a series into one a period.

A point belongs to the period that its end falls into, so that no count is split between two. Where the
reference interpolates deltas over periods without data, there is no point here: nothing was measured.
Source: https://cloud.google.com/monitoring/api/ref_v3/rest/v3/Aggregation#Aligner
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from google.cloud.monitoring_v3 import types

from .aggregation_values import deviation, mean, number, percentile, total
from .clock import NS_PER_S
from .metric_store import Point, Value
from .metric_types import BOOL, DELTA, DISTRIBUTION, DOUBLE, GAUGE, INT64

Aligner = types.Aggregation.Aligner
_SMOOTHING_NS = 600 * NS_PER_S
_NUMBERS = frozenset({INT64, DOUBLE})
_HISTOGRAMS = frozenset({DISTRIBUTION})
_BOTH_KINDS = frozenset({GAUGE, DELTA})


@dataclass(frozen=True, kw_only=True)
class Periods:
    """Regular periods of `length_ns`, of which one ends at `end_ns`."""

    length_ns: int
    end_ns: int

    def end_of(self, time_ns: int) -> int:
        """Return the end of the period that a time falls into; a period's end belongs to it."""
        return self.end_ns - (self.end_ns - time_ns) // self.length_ns * self.length_ns


Align = Callable[[Sequence[Point], Periods], list[Point]]
Combine = Callable[[Sequence[Value], Periods], Value]


@dataclass(frozen=True, kw_only=True)
class AlignerRule:
    """One aligner.

    Attributes:
        kinds: Metric kinds that it accepts.
        value_types: Value types that it accepts.
        align: Turns points, oldest first, into one for each period.
        kind: Metric kind of the result.
        value_type: Value type of the result; None when it stays as it is.
        unit: Unit of the result, made from the one before.
    """

    kinds: frozenset[int]
    value_types: frozenset[int]
    align: Align
    kind: int = GAUGE
    value_type: int | None = None
    unit: str = "{}"


def _in_each_period(combine: Combine) -> Align:
    def align(points: Sequence[Point], periods: Periods) -> list[Point]:
        found: dict[int, list[Value]] = {}
        for point in points:
            found.setdefault(periods.end_of(point.end_ns), []).append(point.value)
        return [_moment(end, combine(found[end], periods)) for end in sorted(found)]

    return align


def _moment(time_ns: int, value: Value) -> Point:
    return Point(start_ns=time_ns, end_ns=time_ns, value=value)


def _deltas(points: Sequence[Point], periods: Periods) -> list[Point]:
    """Add up each period; a delta's interval is the whole period, where a gauge's is a moment."""
    moments = _in_each_period(lambda values, _: total(values))(points, periods)
    return [replace(point, start_ns=point.end_ns - periods.length_ns) for point in moments]


def _interpolated(points: Sequence[Point], periods: Periods) -> list[Point]:
    """Read the line through the points at each period's end that lies between two of them."""
    times_ns = [point.end_ns for point in points]
    ends = range(periods.end_of(times_ns[0]), times_ns[-1] + 1, periods.length_ns)
    return [_moment(end, _on_the_line(points, bisect_left(times_ns, end), end)) for end in ends]


def _on_the_line(points: Sequence[Point], place: int, time_ns: int) -> Value:
    newer = points[place]
    if newer.end_ns == time_ns:
        return newer.value
    older = points[place - 1]
    share = (time_ns - older.end_ns) / (newer.end_ns - older.end_ns)
    value = number(older.value) + (number(newer.value) - number(older.value)) * share
    return round(value) if isinstance(older.value, int) else value


def _changes(points: Sequence[Point], periods: Periods) -> list[Point]:
    """Compare the mean of the ten minutes before each period's end with that one period earlier."""
    ends = sorted({periods.end_of(point.end_ns) for point in points})
    smooth = {end: _smoothed(points, end) for end in ends}
    before = {end: _smoothed(points, end - periods.length_ns) for end in ends}
    return [
        _moment(end, _percent_change(current, previous))
        for end in ends
        if (current := smooth[end]) is not None and (previous := before[end]) is not None
    ]


def _smoothed(points: Sequence[Point], end_ns: int) -> float | None:
    values = [
        point.value
        for point in points
        if end_ns - _SMOOTHING_NS < point.end_ns <= end_ns and number(point.value) >= 0
    ]
    return mean(values) if values else None


def _percent_change(current: float, previous: float) -> float:
    if previous == 0:
        return 0.0 if current == 0 else math.inf
    return (current - previous) / previous * 100


def _rate(values: Sequence[Value], periods: Periods) -> Value:
    return number(total(values)) * NS_PER_S / periods.length_ns


def _percentile_rule(percent: float) -> AlignerRule:
    return AlignerRule(
        kinds=_BOTH_KINDS,
        value_types=_HISTOGRAMS,
        align=_in_each_period(lambda values, _: percentile(values, percent)),
        value_type=DOUBLE,
    )


def _boolean(value_type: int) -> AlignerRule:
    """No Cloud Run metric is boolean, so all that is left of these aligners is that they are refused."""
    return AlignerRule(
        kinds=frozenset({GAUGE}), value_types=frozenset({BOOL}), align=_deltas, value_type=value_type
    )


_of_numbers = partial(AlignerRule, kinds=_BOTH_KINDS, value_types=_NUMBERS)

ALIGNERS = {
    Aligner.ALIGN_DELTA: AlignerRule(
        kinds=frozenset({DELTA}), value_types=_NUMBERS | _HISTOGRAMS, align=_deltas, kind=DELTA
    ),
    Aligner.ALIGN_RATE: AlignerRule(
        kinds=frozenset({DELTA}),
        value_types=_NUMBERS,
        align=_in_each_period(_rate),
        value_type=DOUBLE,
        unit="{}/s",
    ),
    Aligner.ALIGN_INTERPOLATE: AlignerRule(
        kinds=frozenset({GAUGE}), value_types=_NUMBERS, align=_interpolated
    ),
    Aligner.ALIGN_NEXT_OLDER: AlignerRule(
        kinds=frozenset({GAUGE}),
        value_types=_NUMBERS | _HISTOGRAMS | {BOOL},
        align=_in_each_period(lambda values, _: values[-1]),
    ),
    Aligner.ALIGN_MIN: _of_numbers(align=_in_each_period(lambda values, _: min(map(number, values)))),
    Aligner.ALIGN_MAX: _of_numbers(align=_in_each_period(lambda values, _: max(map(number, values)))),
    Aligner.ALIGN_MEAN: _of_numbers(align=_in_each_period(lambda values, _: mean(values)), value_type=DOUBLE),
    Aligner.ALIGN_COUNT: AlignerRule(
        kinds=_BOTH_KINDS,
        value_types=_NUMBERS | {BOOL},
        align=_in_each_period(lambda values, _: len(values)),
        value_type=INT64,
        unit="1",
    ),
    Aligner.ALIGN_SUM: AlignerRule(
        kinds=_BOTH_KINDS,
        value_types=_NUMBERS | _HISTOGRAMS,
        align=_in_each_period(lambda values, _: total(values)),
    ),
    Aligner.ALIGN_STDDEV: _of_numbers(
        align=_in_each_period(lambda values, _: deviation(values)), value_type=DOUBLE
    ),
    Aligner.ALIGN_COUNT_TRUE: _boolean(INT64),
    Aligner.ALIGN_COUNT_FALSE: _boolean(INT64),
    Aligner.ALIGN_FRACTION_TRUE: _boolean(DOUBLE),
    Aligner.ALIGN_PERCENTILE_99: _percentile_rule(99),
    Aligner.ALIGN_PERCENTILE_95: _percentile_rule(95),
    Aligner.ALIGN_PERCENTILE_50: _percentile_rule(50),
    Aligner.ALIGN_PERCENTILE_05: _percentile_rule(5),
    Aligner.ALIGN_PERCENT_CHANGE: _of_numbers(align=_changes, value_type=DOUBLE, unit="%"),
}
