"""Judge one criterion by its measurements."""

from __future__ import annotations

from dataclasses import dataclass

from runbook_lib.evidence import Measurement
from runbook_lib.judge.asked import asked
from runbook_lib.judge.bounds import absolute_breach, baseline_breach, bound_text, incomparable
from runbook_lib.judge.change import detectable_rate, would_change
from runbook_lib.plan.criterion import Criterion
from runbook_lib.verdict import CriterionResult, Outcome


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An outcome with the reason for it, in one sentence."""

    outcome: Outcome
    reason: str


def judge_criterion(
    criterion: Criterion, candidate: Measurement | None, baseline: Measurement | None, unseen: str
) -> CriterionResult:
    """Return the outcome of one criterion, with everything that a reader needs to check it.

    Args:
        criterion: What must hold.
        candidate: Its metric on the candidate; None where its step left no evidence.
        baseline: The same on the baseline; None likewise.
        unseen: Why there is no evidence, for the reason's text.
    """
    finding = find(criterion, candidate, baseline, unseen)
    observed = candidate.value if candidate else None
    before = baseline.value if baseline else None
    return CriterionResult(
        **asked(criterion),
        outcome=finding.outcome,
        observed=observed,
        bound=bound_text(criterion),
        baseline=before,
        effect=None if observed is None or before is None else observed - before,
        samples=candidate.samples if candidate else 0,
        detectable=detectable_rate(criterion, candidate),
        needed=_needed(criterion, finding, candidate),
        reason=finding.reason,
        would_change=would_change(criterion, finding.outcome, candidate, before),
        evidence=candidate.evidence if candidate else (),
    )


def _needed(criterion: Criterion, finding: Finding, candidate: Measurement | None) -> int | None:
    if candidate is None or finding.outcome is not Outcome.INCONCLUSIVE:
        return None
    return max(0, criterion.min_samples - candidate.samples) or None


def find(
    criterion: Criterion, candidate: Measurement | None, baseline: Measurement | None, unseen: str
) -> Finding:
    """Return the finding: what is known to be bad first, then what is not known, and only then PASS."""
    if candidate is None:
        return Finding(outcome=Outcome.ERROR, reason=f"not observed: {unseen}")
    return (
        _breach(criterion, candidate, baseline)
        or _failed_attempts(criterion, candidate)
        or _no_data(criterion, candidate)
        or _too_little(criterion, candidate, baseline)
        or Finding(outcome=Outcome.PASS, reason=_within(candidate))
    )


def _failed_attempts(criterion: Criterion, candidate: Measurement) -> Finding | None:
    if candidate.failed <= criterion.failure_limit:
        return None
    reason = f"{candidate.failed} attempt(s) ended without a value, at most {criterion.failure_limit} may"
    return Finding(outcome=Outcome.FAIL, reason=_with_note(reason, candidate))


def _no_data(criterion: Criterion, candidate: Measurement) -> Finding | None:
    if _known(candidate) is not None:
        return None
    outcome = Outcome.FAIL if criterion.must_have_data else Outcome.INCONCLUSIVE
    return Finding(outcome=outcome, reason=_with_note("no data", candidate))


def _breach(criterion: Criterion, candidate: Measurement, baseline: Measurement | None) -> Finding | None:
    value = _known(candidate)
    if value is None or not _broken(criterion, value - candidate.own, _known(baseline)):
        return None
    text = _broken(criterion, value, _known(baseline))
    return Finding(outcome=Outcome.FAIL, reason=_with_note(text, candidate))


def _ours(criterion: Criterion, candidate: Measurement, baseline: Measurement | None) -> str:
    """Return why a value beyond its bound proves nothing: the observer may have made it so."""
    text = _broken(criterion, candidate.value or 0, _known(baseline)) if candidate.own else ""
    return (
        f"{text}, but {candidate.own:.4g} {candidate.unit} of it may be the observer's own lag"
        if text
        else ""
    )


def _broken(criterion: Criterion, value: float, before: float | None) -> str:
    text = absolute_breach(criterion, value)
    if not text and criterion.baseline is not None and before is not None:
        text = baseline_breach(criterion.baseline, value, before)
    return text


def _too_little(criterion: Criterion, candidate: Measurement, baseline: Measurement | None) -> Finding | None:
    reason = _ours(criterion, candidate, baseline) or _not_comparable(criterion, baseline)
    if not reason and candidate.samples < criterion.min_samples:
        reason = f"only {candidate.samples} sample(s), at least {criterion.min_samples} are needed"
    if not reason and candidate.missing:
        reason = _with_note(f"{candidate.missing} observation(s) are missing", candidate)
    return Finding(outcome=Outcome.INCONCLUSIVE, reason=reason) if reason else None


def _not_comparable(criterion: Criterion, baseline: Measurement | None) -> str:
    """Return why the baseline gives no bound, or an empty text."""
    if criterion.baseline is None:
        return ""
    before = _known(baseline)
    if before is None:
        return "no baseline to compare with" + (f": {baseline.note}" if baseline and baseline.note else "")
    return incomparable(criterion.baseline, before)


def _known(measurement: Measurement | None) -> float | None:
    return measurement.value if measurement and measurement.samples > 0 else None


def _within(candidate: Measurement) -> str:
    value = _in_words(candidate.value or 0, candidate.unit)
    return f"{value} over {candidate.samples} sample(s), within the bound"


def _in_words(value: float, unit: str) -> str:
    if unit == "ready":
        return "ready" if value else "not ready"
    return f"{100 * value:.4g} %" if unit == "ratio" else f"{value:.4g} {unit}"


def _with_note(reason: str, measurement: Measurement) -> str:
    return f"{reason}: {measurement.note}" if measurement.note else reason
