"""Judge one criterion by pairs of sessions, with everything that a reader needs to check it."""

from __future__ import annotations

import math

from runbook_lib.catalogue import describe
from runbook_lib.evidence import Measurement
from runbook_lib.judge import paired_text
from runbook_lib.judge.asked import asked
from runbook_lib.judge.evidence_line import evidence_line
from runbook_lib.judge.paired import Kind, PairedFinding, PairedSpec, judge_pairs
from runbook_lib.judge.risk import Risk
from runbook_lib.pairs import PairCounts
from runbook_lib.plan_criterion import Criterion, Paired
from runbook_lib.verdict import CriterionResult, LookSeen, Outcome

_LOG_10 = math.log(10)


def judge_by_pairs(
    criterion: Criterion,
    counts: PairCounts | None,
    risk: Risk,
    candidate: Measurement | None,
    baseline: Measurement | None,
    unseen: str,
) -> CriterionResult:
    """Return the outcome of one paired criterion.

    Args:
        criterion: What must hold.
        counts: Its pairs, look by look; None where its step left no evidence.
        risk: How often it may be wrong.
        candidate: Its metric on the candidate alone, for the reader.
        baseline: The same on the baseline.
        unseen: Why there is no evidence, for the reason's text.
    """
    spec, step = spec_of(criterion), describe(criterion.metric).step
    found = judge_pairs(spec, counts, risk.alpha, risk.pass_alpha) if counts else None
    return CriterionResult(
        **asked(criterion),
        outcome=found.outcome if found else Outcome.ERROR,
        observed=candidate.value if candidate else None,
        bound=bound_text(spec),
        baseline=baseline.value if baseline else None,
        effect=found.observed if found else None,
        effect_unit=spec.unit,
        interval=found.interval if found else None,
        alpha=risk.alpha,
        pass_alpha=risk.pass_alpha,
        wrong_at_most=risk.wrong_at_most(found) if found else None,
        samples=found.pairs if found else 0,
        detectable=found.smallest_effect if found else None,
        needed=found.pairs_needed if found else None,
        reason=paired_text.reason(found) if found else f"not observed: {unseen}",
        would_change=_would_change(found, step),
        evidence=candidate.evidence if candidate else (),
        trail=_trail(spec, counts) if counts else (),
    )


def spec_of(criterion: Criterion) -> PairedSpec:
    """Return what a criterion asks of its pairs."""
    paired = _paired(criterion)
    kind: Kind = "latency" if describe(criterion.metric).paired == "latency" else "share"
    if paired.above_s is not None:
        kind = "tail"
    return PairedSpec(kind=kind, tolerance=paired.tolerance, margin=paired.margin)


def bound_text(spec: PairedSpec) -> str:
    """Return the two bounds as a person writes them, e.g. `within baseline × 1.25; fails beyond × 1.05`."""
    within = paired_text.difference(spec, spec.margin)
    return f"within baseline {within}; fails beyond {paired_text.difference(spec, spec.tolerance)}"


def _paired(criterion: Criterion) -> Paired:
    if criterion.paired is None:
        raise ValueError(f"{criterion.id} is not judged by pairs")
    return criterion.paired


def _would_change(found: PairedFinding | None, step: str) -> str:
    if found is None:
        return f"the step {step} has to come to its end"
    spec = found.spec
    if found.outcome is Outcome.FAIL:
        return f"it passes once more than {paired_text.difference(spec, spec.margin)} is ruled out"
    if found.outcome is Outcome.PASS:
        return f"it fails once more than {paired_text.difference(spec, spec.tolerance)} is certain"
    if found.pairs_needed is None:
        return "more pairs like these would not settle it"
    return f"about {found.pairs_needed:,} more pairs would settle it"


def _trail(spec: PairedSpec, counts: PairCounts) -> tuple[LookSeen, ...]:
    return tuple(
        LookSeen(pairs=each.pairs, against=each.against / _LOG_10, favour=each.favour / _LOG_10)
        for each in evidence_line(spec, counts)
    )
