"""Gather what came of all runs of a service, from the files that they left; what is no run is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from runbook_lib.archive.places import Place
from runbook_lib.compare.past_run import PastRun, past_run
from runbook_lib.compare.plans import field_of
from runbook_lib.errors import RunbookError
from runbook_lib.evidence import ROLES, Role
from runbook_lib.report import tables, text
from runbook_lib.verdict import Outcome, Verdict

if TYPE_CHECKING:
    import plotly.graph_objects as go

NO_VERDICT = "no verdict"


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """One run.

    Attributes:
        started: None for a run that ended before the judge.
        image: What was validated; empty where no revision came into being.
        action: What the verdict was, or `no verdict`.
        outcomes: Number of criteria by outcome.
        p50_s, p95_s: Quantiles, by role, of the time from a message under load to the final event; infinite
            where more sessions than that never got there, None where there was no load.
    """

    run_id: str
    service: str
    started: datetime | None
    image: str
    action: str
    confidence: str
    deciding: str
    outcomes: dict[Outcome, int]
    p50_s: dict[Role, float | None]
    p95_s: dict[Role, float | None]


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A folder that was left out, and why."""

    folder: str
    why: str


@dataclass(frozen=True, kw_only=True)
class History:
    """All runs that were found, oldest first, each once; and what was left out."""

    service: str
    rows: tuple[HistoryRow, ...]
    skipped: tuple[Skipped, ...]

    def sentence(self) -> str:
        """Return in a sentence how the runs ended."""
        whose = f" of {self.service}" if self.service else ""
        count = f"{len(self.rows)} {'run' if len(self.rows) == 1 else 'runs'}{whose}"
        actions = [row.action for row in self.rows]
        ended = ", ".join(f"{actions.count(action)} {action}" for action in dict.fromkeys(actions))
        left = f"; {len(self.skipped)} left out" if self.skipped else ""
        return f"{count}: {ended}{left}" if self.rows else f"No run{whose} was found{left}"

    def table(self) -> pd.DataFrame:
        """Return one row per run, in words, cleaned of what a reader must not obey."""
        columns = ("Started", "Run", "Service", "Image", "Verdict", "Criteria", "Decided by",
                   "Answer, median", "95th percentile")  # fmt: skip
        words = tables.table_of(columns, (
            (text.moment(row.started), row.run_id, row.service, row.image or text.NOT_OBSERVED,
             f"{row.action} {row.confidence}".strip(), _counted(row.outcomes), row.deciding,
             _waited(row.p50_s["candidate"]), _waited(row.p95_s["candidate"]))
            for row in self.rows
        ))  # fmt: skip
        return words if len(set(words["Service"])) > 1 else words.drop(columns="Service")

    def figure(self) -> go.Figure | None:
        """Return the trend, or None where there is no run."""
        from runbook_lib.report.trend import trend  # who wants a table only imports nothing that draws

        return trend(self._drawn())

    def html(self) -> str:
        """Return table and trend as one HTML file that needs no network."""
        from runbook_lib.report.trend import render

        title = self.service or "All services"
        return render(
            title, self.sentence(), self.table(), self._drawn(), [each.why for each in self.skipped]
        )

    def _drawn(self) -> pd.DataFrame:
        return pd.DataFrame([_drawn(row) for row in self.rows])


def history(places: Iterable[Place], service: str = "") -> History:
    """Return the runs in these folders, of one service or of all; a run that is in two is told once.

    Raises:
        ArchiveError: If one of the folders is not there.
    """
    rows: dict[str, HistoryRow] = {}
    skipped: list[Skipped] = []
    for folder in (folder for each in places for folder in each.folders()):
        try:
            row = _row(past_run(folder))
        except RunbookError as error:
            skipped.append(Skipped(folder=folder.address, why=str(error)))
        else:
            if service in ("", row.service):
                rows.setdefault(row.run_id, row)
    ordered = sorted(rows.values(), key=lambda row: row.started.isoformat() if row.started else row.run_id)
    return History(service=service, rows=tuple(ordered), skipped=tuple(skipped))


def _row(run: PastRun) -> HistoryRow:
    verdict = run.verdict
    revision = run.deploy.candidate if run.deploy else None
    service = verdict.service if verdict else field_of(run.plan, "target", "service")
    quantiles: dict[float, dict[Role, float | None]] = {
        q: {role: _quantile(run, role, q) for role in ROLES} for q in (0.5, 0.95)
    }
    return HistoryRow(
        run_id=run.run_id, service=str(service or ""), started=verdict.started if verdict else None,
        image=revision.image if revision else "", action=verdict.action if verdict else NO_VERDICT,
        confidence=verdict.confidence if verdict else "", deciding=verdict.deciding if verdict else "",
        outcomes=dict(_tally(verdict)), p50_s=quantiles[0.5], p95_s=quantiles[0.95],
    )  # fmt: skip


def _drawn(row: HistoryRow) -> dict[str, object]:
    """Return what the trend shows of a run; the end of its id tells runs of one minute apart."""
    when = f"{row.started:%m-%d %H:%M}" if row.started else "no verdict"
    seconds = {f"{role}_s": value for role, value in row.p50_s.items()}
    outcomes = {outcome.name: count for outcome, count in row.outcomes.items()}
    return {"label": f"{when} {text.clean(row.run_id)[-4:]}", "action": row.action, **seconds, **outcomes}


def _tally(verdict: Verdict | None) -> Iterator[tuple[Outcome, int]]:
    outcomes = [result.outcome for result in verdict.criteria] if verdict else []
    for outcome in Outcome:
        yield outcome, outcomes.count(outcome)


def _quantile(run: PastRun, role: Role, quantile: float) -> float | None:
    seen = run.latencies(role, "answer_s")
    return float(np.quantile(seen, quantile, method="lower")) if len(seen) else None


def _waited(seconds: float | None) -> str:
    return "never" if seconds == np.inf else text.milliseconds(seconds)


def _counted(outcomes: dict[Outcome, int]) -> str:
    total = sum(outcomes.values())
    others = [f"{count} {outcome.name}" for outcome, count in outcomes.items() if count and outcome]
    return (
        ", ".join((f"{outcomes.get(Outcome.PASS, 0)} of {total} PASS", *others)) if total else "none judged"
    )
