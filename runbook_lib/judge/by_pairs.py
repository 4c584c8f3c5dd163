"""Judge one criterion by pairs of sessions, with everything that a reader needs to check it."""

from __future__ import annotations

import math

from runbook_lib.catalogue import describe
from runbook_lib.evidence import Measurement
from runbook_lib.evidence.pairs import PairCounts
from runbook_lib.judge import paired_text
from runbook_lib.judge.asked import asked
from runbook_lib.judge.paired import PairedFinding, finding, weighed
from runbook_lib.judge.paired_spec import Kind, PairedSpec
from runbook_lib.judge.risk import Risk
from runbook_lib.judge.trail import trail
from runbook_lib.plan.criterion import Criterion, Paired
from runbook_lib.verdict import CriterionResult, Outcome


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
    pairs = weighed(spec, counts) if counts else None
    found = finding(pairs, risk.alpha, risk.pass_alpha) if pairs else None
    return CriterionResult(
        **asked(criterion),
        outcome=found.outcome if found else Outcome.ERROR,
        observed=candidate.value if candidate else None,
        bound=bound_text(spec),
        baseline=baseline.value if baseline else None,
        effect=found.observed if found else None,
        effect_unit=spec.unit,
        interval=found.interval if found else None,
        alpha=risk.alpha or None,
        pass_alpha=risk.pass_alpha,
        wrong_at_most=risk.wrong_at_most(found) if found else None,
        samples=found.pairs if found else 0,
        detectable=found.smallest_effect if found else None,
        needed=found.pairs_needed if found else None,
        reason=paired_text.reason(found) if found else f"not observed: {unseen}",
        would_change=_would_change(found, step),
        evidence=candidate.evidence if candidate else (),
        trail=trail(pairs) if pairs else (),
    )


def spec_of(criterion: Criterion) -> PairedSpec:
    """Return what a criterion asks of its pairs."""
    paired = _paired(criterion)
    kind: Kind = "tail" if paired.above_s is not None else describe(criterion.metric).paired or "share"
    return PairedSpec(kind=kind, tolerance=paired.tolerance, margin=paired.margin)


def bound_text(spec: PairedSpec) -> str:
    """Return the two bounds as a person writes them, e.g. `within baseline × 1.25; fails beyond × 1.05`."""
    within = paired_text.difference(spec, spec.margin)
    if spec.kind == "zero":
        return f"may never happen; passes once more than {within} is ruled out"
    return f"within baseline {within}; fails beyond {paired_text.difference(spec, spec.tolerance)}"


def _paired(criterion: Criterion) -> Paired:
    if criterion.paired is None:
        raise ValueError(f"{criterion.id} is not judged by pairs")
    return criterion.paired


def _would_change(found: PairedFinding | None, step: str) -> str:
    if found is None:
        return f"the step {step} has to come to its end"
    spec = found.spec
    if math.isinf(found.against):
        return "it passes only if it never happens"
    if found.outcome is Outcome.FAIL:
        return f"it passes once more than {paired_text.difference(spec, spec.margin)} is ruled out"
    if found.outcome is Outcome.PASS and spec.kind == "zero":
        return "it fails by happening once"
    if found.outcome is Outcome.PASS:
        return f"it fails once more than {paired_text.difference(spec, spec.tolerance)} is certain"
    return paired_text.needed(found)
