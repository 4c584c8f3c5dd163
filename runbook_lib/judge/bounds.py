"""Say whether a value is within a criterion's bounds, and put the bounds into words."""

from __future__ import annotations

from runbook_lib.plan.criterion import BaselineBound, Criterion


def bound_text(criterion: Criterion) -> str:
    """Return the bounds as a person writes them, e.g. `≤ 0.05 and ≤ baseline + 0.01`."""
    parts = []
    if criterion.at_least is not None:
        parts.append(f"≥ {criterion.at_least:g}")
    if criterion.at_most is not None:
        parts.append(f"≤ {criterion.at_most:g}")
    if criterion.baseline is not None:
        parts.append(f"≤ {_limit_text(criterion.baseline)}")
    if criterion.history is not None:
        parts.append(f"≤ usual start × {criterion.history.at_most_ratio:g}")
    return " and ".join(parts)


def absolute_breach(criterion: Criterion, value: float) -> str:
    """Return in words how `value` breaks an absolute bound, or an empty text if it does not."""
    if criterion.at_most is not None and value > criterion.at_most:
        return f"{value:.4g} is above {criterion.at_most:g}"
    if criterion.at_least is not None and value < criterion.at_least:
        return f"{value:.4g} is below {criterion.at_least:g}"
    return ""


def baseline_breach(bound: BaselineBound, value: float, baseline: float) -> str:
    """Return in words how `value` breaks a bound relative to `baseline`, or an empty text."""
    limit = _limit(bound, baseline)
    if limit is None or value <= limit:
        return ""
    return f"{value:.4g} is above {_limit_text(bound)} (baseline {baseline:.4g})"


def incomparable(bound: BaselineBound, baseline: float) -> str:
    """Return why `baseline` gives no limit, or an empty text."""
    if _limit(bound, baseline) is not None:
        return ""
    return f"the baseline {baseline:g} is below zero, so a ratio to it says nothing: use at_most_increase"


def upper_limit(criterion: Criterion, baseline: float | None) -> float | None:
    """Return the tightest upper bound, in the metric's unit; None where there is none, or none known."""
    limits = [criterion.at_most]
    if criterion.baseline is not None and baseline is not None:
        limits.append(_limit(criterion.baseline, baseline))
    return min((limit for limit in limits if limit is not None), default=None)


def headroom(criterion: Criterion, value: float, baseline: float | None) -> float | None:
    """Return which share of its tightest upper bound a value leaves, 0 to 1; None where that says nothing."""
    limit = upper_limit(criterion, baseline)
    return 1 - value / limit if limit is not None and limit > 0 else None


def _limit(bound: BaselineBound, baseline: float) -> float | None:
    if bound.at_most_ratio is not None:
        return baseline * bound.at_most_ratio if baseline >= 0 else None
    return baseline + (bound.at_most_increase or 0)


def _limit_text(bound: BaselineBound) -> str:
    if bound.at_most_ratio is not None:
        return f"baseline × {bound.at_most_ratio:g}"
    return f"baseline + {bound.at_most_increase:g}"
