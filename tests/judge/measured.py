"""Make measurements, criteria and plans for the judge in a few words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from runbook_lib.catalogue import METRICS, describe
from runbook_lib.evidence import Measurement, Role, Window
from runbook_lib.evidence.pairs import PairCounts
from runbook_lib.judge import Judgement, Seen, judge
from runbook_lib.plan import Plan
from runbook_lib.plan.criterion import BaselineBound, Criterion

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WINDOW = Window(start=NOON, end=NOON + timedelta(minutes=5))


def measured(
    metric: str, value: float | None, samples: int = 100, role: Role = "candidate", **others: Any
) -> Measurement:
    """Return one measurement in the metric's own unit."""
    unit = describe(metric).unit
    return Measurement(
        metric=metric, role=role, unit=unit, value=value, samples=samples, window=WINDOW, **others
    )


def criterion(metric: str = "load.failures", **fields: Any) -> Criterion:
    """Return a criterion; a number as `baseline` is an increase, a text such as `× 2` a ratio."""
    baseline = fields.pop("baseline", None)
    if isinstance(baseline, str):
        fields["baseline"] = BaselineBound(at_most_ratio=float(baseline.removeprefix("× ")))
    elif baseline is not None:
        fields["baseline"] = BaselineBound(at_most_increase=baseline)
    return Criterion(**{"id": "one", "title": "One", "metric": metric, **fields})


def judged_run(
    plan: Plan,
    found: Iterable[Measurement],
    unseen: Mapping[str, str] | None = None,
    pairs: Mapping[str, PairCounts] | None = None,
) -> Judgement:
    """Return what the judge says of a run with these measurements and pairs."""
    return judge(plan, Seen(measurements=tuple(found), unseen=unseen or {}, pairs=pairs or {}))


def plan_of(*criteria: Criterion, regressions: tuple[dict[str, str], ...] = ()) -> Plan:
    """Return a plan that asks for these criteria and nothing else."""
    return Plan.model_validate(
        {
            "issue": {"title": "A plan"},
            "target": {"project": "staging", "region": "here", "service": "chat"},
            "candidate": {"image": "chat:2"},
            "suites": {"e2e": {"pytest": ["tests"]}},
            "criteria": [each.model_dump() for each in criteria],
            "regressions": regressions,
        }
    )


BOUNDED = (*(name for name, metric in METRICS.items() if not metric.paired), "suite.e2e.failures")
"""Metrics that are judged by bounds; the others are compared pair by pair."""
