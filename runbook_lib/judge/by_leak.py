"""Judge one criterion by how fast memory grows, with everything that a reader needs to check it."""

from __future__ import annotations

import math

from runbook_lib.catalogue import describe
from runbook_lib.evidence.memory import MemorySample, MemoryWatch
from runbook_lib.judge.asked import asked
from runbook_lib.judge.floors import MemoryPoint
from runbook_lib.judge.leak import LeakFinding, LeakSeries, LeakSpec, judge_leak
from runbook_lib.plan.criterion import Criterion
from runbook_lib.verdict import CriterionResult, Outcome


def judge_by_leak(
    criterion: Criterion, watch: MemoryWatch | None, alpha: float, unseen: str
) -> CriterionResult:
    """Return the outcome of a criterion on `memory.leak_…`.

    Args:
        criterion: What must hold; its `at_most` is the bound.
        watch: Memory of both revisions; None where its step left no evidence.
        alpha: Chance of a wrong FAIL, and of a wrong PASS.
        unseen: Why there is no evidence, for the reason's text.
    """
    spec, step = spec_of(criterion), describe(criterion.metric).step
    found = judge_leak(spec, series_of(spec, watch), looks=1, alpha=alpha) if watch else None
    return CriterionResult(
        **asked(criterion),
        outcome=found.outcome if found else Outcome.ERROR,
        observed=found.slope if found else None,
        bound=f"≤ {spec.at_most:g} above the baseline's",
        baseline=None,
        effect=found.slope if found else None,
        interval=found.interval if found else None,
        alpha=alpha,
        pass_alpha=alpha,
        wrong_at_most=alpha if found and found.outcome in (Outcome.PASS, Outcome.FAIL) else None,
        samples=found.samples if found else 0,
        reason=found.reason if found else f"not observed: {unseen}",
        would_change=_would_change(spec, found, step),
        evidence=("evidence/memory.json", "evidence/series.parquet"),
    )


def spec_of(criterion: Criterion) -> LeakSpec:
    """Return what a criterion asks of the memory."""
    per = describe(criterion.metric).leak
    if not per or criterion.at_most is None:
        raise ValueError(f"{criterion.id} is not judged by a leak")
    return LeakSpec(per=per, at_most=criterion.at_most)


def series_of(spec: LeakSpec, watch: MemoryWatch) -> LeakSeries:
    """Return both revisions' memory over minutes, or over the sessions of the load."""

    def points(samples: tuple[MemorySample, ...]) -> tuple[MemoryPoint, ...]:
        if spec.per == "minute":
            return tuple(MemoryPoint(at=sample.at_s / 60, mib=sample.mib) for sample in samples)
        loaded = (sample for sample in samples if 0 <= sample.at_s <= watch.load_s)
        return tuple(MemoryPoint(at=sample.sessions, mib=sample.mib) for sample in loaded)

    return LeakSeries(candidate=points(watch.of("candidate")), baseline=points(watch.of("baseline")))


def _would_change(spec: LeakSpec, found: LeakFinding | None, step: str) -> str:
    if found is None:
        return f"the step {step} has to come to its end"
    if found.outcome is Outcome.PASS:
        return f"it fails above {spec.at_most:g} {spec.unit} for sure"
    if found.outcome is Outcome.FAIL:
        return f"it passes within {spec.at_most:g} {spec.unit} for sure"
    if found.still_needed is None:
        return "a longer look is needed"
    return f"about {math.ceil(found.still_needed):,} more {spec.per}s would settle it"
