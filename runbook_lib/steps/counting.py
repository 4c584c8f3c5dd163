"""Count promises that were broken, strangers that answered and sessions left open; compares with no bound."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from runbook_lib.catalogue import CLAUSES
from runbook_lib.evidence import Session
from runbook_lib.plan import Probes
from runbook_lib.steps.clauses import due_clauses
from runbook_lib.steps.prober import Seen


@dataclass(frozen=True, kw_only=True)
class Count:
    """One metric, counted: a sentence for each bad observation; the rest as in `Measurement`.

    `why_none` says why there is no value, unless something bad was seen all the same.
    """

    bad: tuple[str, ...]
    samples: int
    failed: int = 0
    missing: int = 0
    why_none: str = ""


def name_of(session: Session) -> str:
    """Return which session it was, in words."""
    return f"{session.probe} session {session.number} ({session.agent})"


def clauses(metric: str, probes: Probes, seen: Seen) -> Count:
    """Count the broken clauses of one metric; those that mean nothing for this service are no samples."""
    mine = [each.seen for each in seen.tried if CLAUSES[each.seen.clause].metric == metric]
    tally = Counter(each.outcome for each in mine)
    untried = next((f"{each.clause}: {each.detail}" for each in mine if each.outcome == "not tried"), "")
    due = [name for name in due_clauses(probes) if CLAUSES[name].metric == metric]
    return Count(
        bad=tuple(f"{each.clause}: {each.detail}" for each in mine if each.outcome == "broken"),
        samples=tally["kept"] + tally["broken"],
        failed=tally["not tried"],
        missing=len(due) - len(mine),
        why_none="" if tally["kept"] else untried or "no clause was tried",
    )


def strangers(_: Probes, seen: Seen) -> Count:
    """Count the answers that came from another revision, by the service's word, else by the request log."""
    told = [(f"the poll at {each.at_s:.1f} s", each.revision) for each in seen.polls if each.revision]
    told += [(name_of(each), each.revision) for each in seen.sessions if each.revision]
    if not seen.revision or not (told or seen.logged is not None):
        why = "neither the service nor the request log said which revision answered"
        return Count(bad=(), samples=0, missing=1, why_none=why)
    if not told:
        return _by_log(seen, seen.logged or 0)
    wrong = [(where, name) for where, name in told if name != seen.revision]
    return Count(
        bad=tuple(f"{where} was answered by {name}, not {seen.revision}" for where, name in wrong),
        samples=len(told),
    )


def _by_log(seen: Seen, logged: int) -> Count:
    """Count all polls as answered by a stranger where the revision's own request log has none of them."""
    polls = len(seen.polls)
    if logged:
        return Count(bad=(), samples=min(logged, polls), missing=max(0, polls - logged))
    text = f"the request log of {seen.revision} has none of the {polls} polls of its URL"
    return Count(bad=(text,) * polls, samples=polls)


def left_open(_: Probes, seen: Seen) -> Count:
    """Count the sessions that the service still holds open after the probes."""
    before, after = seen.open_before, seen.open_after
    if before is None or after is None:
        return Count(bad=(), samples=0, missing=1, why_none="the health endpoint gave no count of sessions")
    made = sum(each.connect_s is not None for each in seen.sessions)
    return Count(bad=(f"{before} before, {after} after",) * max(0, after - before), samples=made)
