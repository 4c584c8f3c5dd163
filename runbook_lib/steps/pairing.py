"""Put the sessions under load into pairs and count them for the criteria that compare pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from runbook_lib.catalogue import describe
from runbook_lib.evidence import Role, Session
from runbook_lib.evidence.pairs import (
    Pair,
    PairCounts,
    count_breaches,
    count_exceedances,
    count_failures,
    count_latencies,
)
from runbook_lib.plan import Plan
from runbook_lib.plan.criterion import Criterion

Value = Callable[[Session], float | None]


def count_pairs(
    plan: Plan, look: int, numbers: Iterable[int], sessions: Sequence[Session]
) -> dict[str, PairCounts]:
    """Return, by the criterion's id, the counts of one look; a session that was due and not made is lost.

    Args:
        plan: Its paired criteria say what is counted.
        look: Which look, from 0.
        numbers: The pairs that were due.
        sessions: What was made, of both revisions.
    """
    made: dict[tuple[Role, int], Session] = {(each.role, each.number): each for each in sessions}
    due = tuple(numbers)
    return {
        criterion.id: _counts(criterion, look, _pairs(session_value(criterion.metric), due, made))
        for criterion in plan.criteria
        if criterion.paired
    }


def _counts(criterion: Criterion, look: int, pairs: Iterable[Pair]) -> PairCounts:
    if criterion.paired and criterion.paired.above_s is not None:
        return count_exceedances(look, pairs, criterion.paired.above_s)
    if describe(criterion.metric).paired == "latency":
        return count_latencies(look, pairs)
    if describe(criterion.metric).paired == "zero":
        return count_breaches(look, pairs)
    return count_failures(look, pairs)


def _pairs(value: Value, due: Iterable[int], made: Mapping[tuple[Role, int], Session]) -> Iterable[Pair]:
    for number in due:
        candidate, baseline = made.get(("candidate", number)), made.get(("baseline", number))
        yield Pair(
            candidate=value(candidate) if candidate else None, baseline=value(baseline) if baseline else None
        )


def session_value(metric: str) -> Value:
    """Return what tells a paired metric of one session: a flag, or seconds; infinite for what never came.

    It tells None where the session did not show it.
    """
    return _VALUES[metric]


def _failed(session: Session) -> float:
    return float(session.status != "answered")


def _violated(session: Session) -> float:
    return float(session.status != "answered" or bool(session.violations))


def _leaked(session: Session) -> float | None:
    """Return whether something of another user's came; a session that heard nothing shows nothing."""
    foreign = bool(session.foreign_marks or session.foreign_ids)
    heard = session.status == "answered" or bool(session.events)
    return float(foreign) if heard or foreign else None


def _connect_s(session: Session) -> float:
    return math.inf if session.connect_s is None else max(0.0, session.connect_s - session.lag_s)


def _first_event_s(session: Session) -> float:
    return session.events[0].at_s if session.events else math.inf


def _answer_s(session: Session) -> float:
    return math.inf if session.answer_s is None else session.answer_s


_VALUES: Mapping[str, Value] = {
    "pairs.failures": _failed,
    "pairs.violations": _violated,
    "pairs.leaks": _leaked,
    "pairs.connect_s": _connect_s,
    "pairs.first_event_s": _first_event_s,
    "pairs.answer_s": _answer_s,
}
