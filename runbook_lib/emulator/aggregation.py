"""Applies an aggregation to time series: checks that it fits them, aligns each, and reduces them to fewer.

Source: https://cloud.google.com/monitoring/api/v3/aggregation
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TypeVar

from google.api import metric_pb2

from .aggregation_align import ALIGNERS, Aligner, Periods
from .aggregation_reduce import REDUCERS, Line, Reducer, can_group_by, reduce_lines
from .clock import NS_PER_S
from .errors import ApiError, invalid
from .metric_types import GAUGE
from .wire import Message

_Kind = metric_pb2.MetricDescriptor.MetricKind
_ValueType = metric_pb2.MetricDescriptor.ValueType
_Choice = TypeVar("_Choice", bound=IntEnum)
LONGEST_PERIOD_S = 104 * 7 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Metric kind, value type and unit of all points in a table."""

    kind: int
    value_type: int
    unit: str

    def __str__(self) -> str:
        kind = _Kind.Name(self.kind)  # type: ignore[arg-type,unused-ignore]
        value_type = _ValueType.Name(self.value_type)  # type: ignore[arg-type,unused-ignore]
        return f"kind {kind} and value type {value_type}"


@dataclass(frozen=True, kw_only=True)
class Table:
    """Time series of one shape."""

    shape: Shape
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One aggregation of a request.

    Attributes:
        field: Its field in the request, which refusals name.
        end_ns: End of the last period.
        shortest_ns: Shortest period that is allowed.
    """

    field: str
    aggregation: Message
    end_ns: int
    shortest_ns: int

    def apply(self, table: Table) -> Table:
        """Return the aligned and reduced series that hold points.

        Raises:
            ApiError: INVALID_ARGUMENT when the aggregation is incomplete or does not fit the series.
        """
        result = self._reduced(self._aligned(table))
        return replace(result, lines=tuple(line for line in result.lines if line.points))

    def _aligned(self, table: Table) -> Table:
        chosen = self._choice("per_series_aligner", Aligner)
        if chosen == Aligner.ALIGN_NONE:
            return table
        rule, periods = ALIGNERS[chosen], self._periods()
        if table.shape.kind not in rule.kinds or table.shape.value_type not in rule.value_types:
            raise self._unfit("per_series_aligner", chosen, table.shape)
        return Table(
            shape=Shape(
                kind=rule.kind,
                value_type=table.shape.value_type if rule.value_type is None else rule.value_type,
                unit=rule.unit.format(table.shape.unit),
            ),
            lines=tuple(replace(line, points=rule.align(line.points, periods)) for line in table.lines),
        )

    def _reduced(self, table: Table) -> Table:
        chosen = self._choice("cross_series_reducer", Reducer)
        if chosen == Reducer.REDUCE_NONE:
            return table
        if not self.aggregation.per_series_aligner:
            raise invalid(f"{self.field}.per_series_aligner", "is required with a cross-series reducer")
        rule = REDUCERS[chosen]
        if table.shape.value_type not in rule.value_types:
            raise self._unfit("cross_series_reducer", chosen, table.shape)
        reduced = Shape(kind=GAUGE, value_type=rule.value_type, unit=rule.unit.format(table.shape.unit))
        lines = reduce_lines(table.lines, rule, self._fields())
        return Table(shape=table.shape if rule.keeps else reduced, lines=tuple(lines))

    def _choice(self, name: str, choices: type[_Choice]) -> _Choice:
        number = getattr(self.aggregation, name)
        try:
            return choices(number)
        except ValueError as error:
            raise invalid(f"{self.field}.{name}", f"{number} is not one of the API's") from error

    def _fields(self) -> list[str]:
        fields = list(self.aggregation.group_by_fields)
        for field in fields:
            if not can_group_by(field):
                raise invalid(
                    f"{self.field}.group_by_fields",
                    f"'{field}' is not metric.type, metric.labels.X, resource.type or resource.labels.X",
                )
        return fields

    def _periods(self) -> Periods:
        given = self.aggregation.alignment_period
        length_ns = given.seconds * NS_PER_S + given.nanos
        shortest_s = self.shortest_ns / NS_PER_S
        if not self.shortest_ns <= length_ns <= LONGEST_PERIOD_S * NS_PER_S:
            raise invalid(
                f"{self.field}.alignment_period",
                f"must be at least the sample period, {shortest_s:g} s here, and at most 104 weeks",
            )
        return Periods(length_ns=length_ns, end_ns=self.end_ns)

    def _unfit(self, name: str, chosen: IntEnum, shape: Shape) -> ApiError:
        return invalid(f"{self.field}.{name}", f"{chosen.name} cannot be applied to metrics of {shape}")


def stages(request: Message, end_ns: int, shortest_ns: int) -> Iterable[Stage]:
    """Return the aggregations of a request in the order in which they apply.

    Raises:
        ApiError: INVALID_ARGUMENT when there is a second one without a first.
    """
    if request.HasField("secondary_aggregation") and not request.HasField("aggregation"):
        raise invalid("secondary_aggregation", "may only be given together with aggregation")
    return [
        Stage(field=field, aggregation=getattr(request, field), end_ns=end_ns, shortest_ns=shortest_ns)
        for field in ("aggregation", "secondary_aggregation")
        if request.HasField(field)
    ]
