"""Say in one plain sentence what the pairs of a criterion have shown, and what more would settle it."""

from __future__ import annotations

import math

from runbook_lib.judge.paired import PairedFinding
from runbook_lib.judge.paired_spec import PairedSpec
from runbook_lib.verdict import Outcome


def reason(finding: PairedFinding) -> str:
    """Return the reason for the outcome, with the number of pairs that it rests on."""
    if math.isinf(finding.against):
        breaches = round((finding.observed or 0) * finding.pairs)
        return f"happened in {breaches:,} of {finding.pairs:,} sessions, and may never happen"
    if finding.observed is None or finding.interval is None:
        return f"no pair of sessions was observed{_lost(finding)}"
    seen, least, most, tolerated, allowed = (
        difference(finding.spec, value)
        for value in (finding.observed, *finding.interval, finding.spec.tolerance, finding.spec.margin)
    )
    if finding.outcome is Outcome.FAIL:
        return f"{seen}, surely beyond {least}; {tolerated} is tolerated ({_basis(finding)})"
    if finding.outcome is Outcome.PASS:
        return f"{seen}, surely within {most}; {allowed} is allowed ({_basis(finding)})"
    return f"cannot rule out {most}, {allowed} is allowed ({_basis(finding)}); {needed(finding)}"


def difference(spec: PairedSpec, value: float) -> str:
    """Return a difference as people write it, e.g. `+0.5 pp` or `× 1.03`."""
    return in_words(value, spec.unit)


def in_words(value: float, unit: str) -> str:
    """Return the effect of a comparison as people write it; the unit is `times` or `ratio`."""
    return f"× {value:.3g}" if unit == "times" else f"{100 * value:+.2g} pp"


def needed(finding: PairedFinding) -> str:
    """Say how many more pairs would settle what is open, to two digits."""
    if finding.pairs_needed is None:
        return "more pairs like these would not settle it"
    # Two digits: it is a forecast from the pairs until now.
    step = 10 ** max(0, len(str(finding.pairs_needed)) - 2)
    return f"about {math.ceil(finding.pairs_needed / step) * step:,} more pairs would settle it"


def _basis(finding: PairedFinding) -> str:
    unsteady = ", the baseline being unsteady" if finding.excess > 1 else ""
    return f"{finding.pairs:,} pairs{_lost(finding)}{unsteady}"


def _lost(finding: PairedFinding) -> str:
    return f" ({finding.lost:,} lost)" if finding.lost else ""
