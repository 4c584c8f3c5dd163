"""Say what a criterion asked, as every result begins, whichever way it is judged."""

from __future__ import annotations

from typing import TypedDict

from runbook_lib.catalogue import describe
from runbook_lib.plan.criterion import Criterion


class Asked(TypedDict):
    """The fields of a result that come from the criterion and its metric alone."""

    id: str
    title: str
    group: str
    critical: bool
    metric: str
    unit: str
    cell: str


def asked(criterion: Criterion) -> Asked:
    """Return the fields that a `CriterionResult` takes from its criterion."""
    metric = describe(criterion.metric)
    return Asked(
        id=criterion.id, title=criterion.title, group=criterion.group, critical=criterion.critical,
        metric=criterion.metric, unit=metric.unit, cell=metric.cell,
    )  # fmt: skip
