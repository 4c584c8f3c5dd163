"""Judge the start-up time by its bounds and, where there are enough starts, by those of earlier runs too."""

from __future__ import annotations

from runbook_lib.evidence import Measurement
from runbook_lib.evidence.starts import Start, Starts
from runbook_lib.judge.criterion import judge_criterion
from runbook_lib.judge.startup import StartFinding, StartSamples, judge_startup
from runbook_lib.plan.criterion import Criterion, HistoryBound
from runbook_lib.verdict import CriterionResult, Outcome

_EVIDENCE = "evidence/starts.json"


def judge_by_starts(
    criterion: Criterion,
    starts: Starts | None,
    alpha: float,
    candidate: Measurement | None,
    baseline: Measurement | None,
    unseen: str,
) -> CriterionResult:
    """Return the outcome of a criterion on start-up times: the worse of its bounds' and of the comparison's.

    A comparison that so few starts can never decide changes nothing, and is said.

    Args:
        criterion: What must hold, with a bound relative to the usual starts.
        starts: All starts that are known; None where the run has kept none.
        alpha: Chance of a wrong FAIL by the comparison, and of a wrong PASS.
        candidate: The start-up time of the candidate.
        baseline: The same of the baseline.
        unseen: Why there is no evidence, for the reason's text.
    """
    by_bounds = judge_criterion(criterion, candidate, baseline, unseen)
    if starts is None or criterion.history is None:
        return by_bounds
    found = judge_startup(_samples(starts), at_most_ratio=criterion.history.at_most_ratio, alpha=alpha)
    if found.ratio is None:
        reason = f"{by_bounds.reason}; not compared with the usual starts: {found.reason}"
        return by_bounds.model_copy(update={"reason": reason})
    return by_bounds.model_copy(update=_compared(by_bounds, found, criterion.history, alpha))


def _samples(starts: Starts) -> StartSamples:
    def times(of: tuple[Start, ...]) -> tuple[float, ...]:
        return tuple(start.took_s for start in of)

    return StartSamples(
        candidate_s=times(starts.candidate),
        baseline_s=times(starts.baseline),
        history_s=times(starts.earlier),
    )


def _compared(
    by_bounds: CriterionResult, found: StartFinding, bound: HistoryBound, alpha: float
) -> dict[str, object]:
    """Return the fields that the comparison changes."""
    decides = found.outcome > by_bounds.outcome
    agrees = found.outcome is by_bounds.outcome is Outcome.PASS
    seen: dict[str, object] = {
        "effect": found.ratio,
        "effect_unit": "times",
        "interval": found.interval,
        "alpha": alpha,
        "pass_alpha": alpha,
        "evidence": (*by_bounds.evidence, _EVIDENCE),
        "reason": f"{by_bounds.reason}; {found.reason}",
        "wrong_at_most": alpha if agrees else None,
    }
    if not decides:
        return seen
    return seen | {
        "outcome": found.outcome,
        "reason": found.reason,
        "needed": found.starts_needed,
        "would_change": _would_change(found, bound),
        "wrong_at_most": alpha if found.outcome is Outcome.FAIL else None,
    }


def _would_change(found: StartFinding, bound: HistoryBound) -> str:
    if found.outcome is Outcome.FAIL:
        return f"it passes within {bound.at_most_ratio:g} × the usual starts for sure"
    if found.starts_needed is None:
        return "more starts have to be seen"
    return f"about {found.starts_needed:,} starts of the candidate would settle it"
