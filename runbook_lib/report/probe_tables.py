"""Turn what the probes saw into tables of words: promises, leaks, the pace of events."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from runbook_lib.catalogue import CLAUSES
from runbook_lib.evidence import ROLES, ClauseSeen, EventLatency, Leak, ProbesEvidence, Role
from runbook_lib.report import text
from runbook_lib.report.record import RunRecord
from runbook_lib.report.tables import table_of

_WORDS = {
    "kept": "✓ kept",
    "broken": "✗ BROKEN",
    "not tried": "! not tried",
    "does not apply": "does not apply",
}


def clauses(probes: ProbesEvidence | None) -> pd.DataFrame:
    """Return one row for each promise about sessions and tokens, with what became of it on both revisions."""
    seen = {(each.clause, each.role): each for each in (probes.clauses if probes else ())}
    names = dict.fromkeys(clause for clause, _ in seen)
    return table_of(("Promise", "Candidate", "Baseline", "What happened"), (
        (CLAUSES[name].title, *(_outcome(seen.get((name, role))) for role in ROLES), _details(name, seen))
        for name in names
    ))  # fmt: skip


def kept(probes: ProbesEvidence | None) -> str:
    """Return in a sentence how many promises the candidate kept."""
    mine = [each for each in (probes.clauses if probes else ()) if each.role == "candidate"]
    tried = [each for each in mine if each.outcome in ("kept", "broken")]
    good = sum(each.outcome == "kept" for each in tried)
    untried = len([each for each in mine if each.outcome == "not tried"])
    more = f"; {untried} could not be tried" if untried else ""
    return f"The candidate kept {good} of {len(tried)} promises about sessions and tokens{more}"


def leaks(record: RunRecord) -> pd.DataFrame:
    """Return one row for everything of one user's that came in another's stream, in probes and under load."""
    return table_of(("Role", "Probe", "Session", "Received by", "Sent by", "What"), (
        (leak.role, leak.probe, leak.session, leak.receiver, leak.sender or "not known", leak.what)
        for leak in _all_leaks(record)
    ))  # fmt: skip


def event_latencies(probes: ProbesEvidence | None) -> pd.DataFrame:
    """Return one row for each event: how long it took after the one before it, on both revisions."""
    rows = {(row.event, row.role): row for row in (probes.event_latencies if probes else ())}
    names = dict.fromkeys(event for event, _ in rows)
    heads = [f"{role.capitalize()} {what}" for role in ROLES for what in ("median", "p95", "max")]
    return table_of(("Event", *heads), (
        (name, *(cell for role in ROLES for cell in _pace(rows.get((name, role))))) for name in names
    ))  # fmt: skip


def _outcome(seen: ClauseSeen | None) -> str:
    return _WORDS.get(seen.outcome, seen.outcome) if seen else text.NOT_OBSERVED


def _details(name: str, seen: dict[tuple[str, Role], ClauseSeen]) -> str:
    found = [(role, seen[name, role].detail) for role in ROLES if (name, role) in seen]
    return "; ".join(f"{role}: {detail}" for role, detail in found if detail)


def _all_leaks(record: RunRecord) -> Iterable[Leak]:
    for step in (record.probes, record.metrics):
        yield from step.leaks if step else ()


def _pace(row: EventLatency | None) -> tuple[str, str, str]:
    if row is None:
        return (text.NOT_OBSERVED,) * 3
    return text.milliseconds(row.median_s), text.milliseconds(row.p95_s), text.milliseconds(row.max_s)
