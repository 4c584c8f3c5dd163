"""Decide whether a candidate starts slower than its baseline, from a few starts and those of earlier runs.

The logarithms go through an exact Mann–Whitney test: nothing need be normal, and three starts are not taken
for thirty. Earlier starts of the baseline let a few new ones speak; where the baseline's present starts
contradict them (another machine, another region), they are set aside.

Source: Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd ed. (2014), §4.1–4.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runbook_lib.judge.ranks import Floats, RankInterval, shift_interval
from runbook_lib.verdict import Outcome

# The newest; more would make the exact distribution slow, and say nothing new.
_MOST_STARTS, _MOST_EARLIER = 50, 150
_CONTRADICTION_LEVEL = 0.025


@dataclass(frozen=True, kw_only=True)
class StartSamples:
    """Start-up times in seconds, oldest first; `history_s` is the baseline's of earlier runs."""

    candidate_s: tuple[float, ...]
    baseline_s: tuple[float, ...]
    history_s: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Compared:
    """Logarithms of both sides' start-up times; `against` names the other side in words."""

    ours: Floats
    theirs: Floats
    against: str

    @property
    def counts(self) -> str:
        return f"{_starts(len(self.ours))} against {self.against}"


@dataclass(frozen=True, kw_only=True)
class StartFinding:
    """What the starts say; numbers are None where they say nothing.

    Attributes:
        ratio: Candidate's start-up time by the baseline's.
        interval: Holds the true ratio; beyond each end with at most alpha.
        samples: Starts of the candidate.
        starts_needed: About how many starts of the candidate would settle it; None once settled.
    """

    outcome: Outcome
    reason: str
    samples: int
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    starts_needed: int | None = None


def judge_startup(starts: StartSamples, *, at_most_ratio: float, alpha: float) -> StartFinding:
    """Return FAIL where starts are surely slower than the bound, PASS where they surely are not.

    Args:
        starts: All that were seen.
        at_most_ratio: The bound, above 0; 1.25 allows the candidate a quarter more than the baseline.
        alpha: Probability of a wrong FAIL, and of a wrong PASS.

    Raises:
        ValueError: If a start-up took no time.
    """
    compared = _compared(starts)
    if not len(compared.ours) or not len(compared.theirs):
        return _too_few(f"{compared.counts} say nothing", compared, alpha)
    shift = shift_interval(compared.ours, compared.theirs, alpha)
    if math.isinf(shift.low):
        return _too_few(f"{compared.counts} can never be below p = {alpha:g}", compared, alpha)
    return _finding(shift, math.log(at_most_ratio), compared)


def _compared(starts: StartSamples) -> _Compared:
    """Return the newest starts; the history is left out where the baseline's present starts contradict it."""
    ours, present = _logs(starts.candidate_s, _MOST_STARTS), _logs(starts.baseline_s, _MOST_STARTS)
    earlier = _logs(starts.history_s, _MOST_EARLIER)
    if not len(earlier):
        return _Compared(ours=ours, theirs=present, against=f"{len(present)}")
    if _contradict(present, earlier):
        against = f"{len(present)} (earlier starts set aside: the baseline's own now differ from them)"
        return _Compared(ours=ours, theirs=present, against=against)
    against = f"{len(present)} and {len(earlier)} earlier ones"
    return _Compared(ours=ours, theirs=np.concatenate((earlier, present)), against=against)


def _logs(times_s: Sequence[float], newest: int) -> Floats:
    if any(time_s <= 0 for time_s in times_s):
        raise ValueError(f"a start-up took {min(times_s):g} s: it must be above 0")
    return np.log(np.array(times_s[-newest:], dtype=np.float64))


def _contradict(present: Floats, earlier: Floats) -> bool:
    if not len(present):
        return False
    shift = shift_interval(present, earlier, _CONTRADICTION_LEVEL)
    return not shift.low <= 0 <= shift.high


def _too_few(reason: str, compared: _Compared, alpha: float) -> StartFinding:
    needed = _fewest_starts(len(compared.theirs), alpha)
    enough = f"{needed} against {max(needed, len(compared.theirs))} can"
    return StartFinding(
        outcome=Outcome.INCONCLUSIVE,
        reason=f"{reason}: {enough}",
        samples=len(compared.ours),
        starts_needed=needed,
    )


def _fewest_starts(theirs: int, alpha: float) -> int:
    """Return how many starts can tell at all, where the baseline has as many or the ones it has."""
    count = 1
    while alpha * math.comb(count + max(count, theirs), count) < 1 and count < _MOST_STARTS:
        count += 1
    return count


def _finding(shift: RankInterval, bound: float, compared: _Compared) -> StartFinding:
    outcome = _outcome(bound, shift)
    needed = None if outcome is not Outcome.INCONCLUSIVE else _starts_to_settle(bound, shift, compared)
    return StartFinding(
        outcome=outcome,
        reason=_reason(bound, shift, outcome, compared.counts, needed),
        samples=len(compared.ours),
        ratio=math.exp(shift.estimate),
        interval=(math.exp(shift.low), math.exp(shift.high)),
        starts_needed=needed,
    )


def _outcome(bound: float, shift: RankInterval) -> Outcome:
    if shift.low > bound:
        return Outcome.FAIL
    return Outcome.PASS if shift.high <= bound else Outcome.INCONCLUSIVE


def _starts_to_settle(bound: float, shift: RankInterval, compared: _Compared) -> int | None:
    """Return how many starts would bring the interval's end to the bound; None for an estimate on it."""
    distance = abs(shift.estimate - bound)
    reach = shift.high - shift.estimate if shift.estimate < bound else shift.estimate - shift.low
    return math.ceil(len(compared.ours) * (reach / distance) ** 2) if distance else None


def _reason(bound: float, shift: RankInterval, outcome: Outcome, counts: str, needed: int | None) -> str:
    ratio, low, high = (math.exp(each) for each in (shift.estimate, shift.low, shift.high))
    seen = f"starts take {ratio:.2f} × the baseline's ({low:.2f} to {high:.2f}; {counts})"
    if outcome is Outcome.FAIL:
        return f"{seen}, above {math.exp(bound):g}"
    if outcome is Outcome.PASS:
        return f"{seen}, within {math.exp(bound):g}"
    more = "" if needed is None else f"; about {_starts(needed)} would settle it"
    return f"{seen}: cannot tell from {math.exp(bound):g} yet{more}"


def _starts(count: int) -> str:
    return f"{count} start{'' if count == 1 else 's'}"
