"""Put the parts of the report into what cells show, in the order in which a reader asks for them."""

from __future__ import annotations

from collections.abc import Mapping

from runbook_lib.notebook.shown import Shown
from runbook_lib.report import log_tables, suite_tables, tables, text
from runbook_lib.report.executed import Cell, Executed, cells_by_id, element_id, read
from runbook_lib.report.figures import Chart, chart_of, trail_names
from runbook_lib.run import Run

_NOT_JUDGED = "The run has not been judged yet"


def verdict(run: Run) -> Shown:
    """Show the action, how sure it is, what decided, and the next command."""
    found = run.verdict()
    if found is None:
        return Shown(sentence=_NOT_JUDGED)
    facts = {
        "Decided by": found.deciding or "no single criterion",
        "What would change it": found.would_change or text.NOT_OBSERVED,
        "Next command": found.next_command or text.NOT_OBSERVED,
    }
    sentence = f"{found.action} (confidence {found.confidence}). {found.summary}"
    return Shown(sentence=sentence, parts=(tables.pairs(facts, ("Verdict", found.action)),))


def card(run: Run) -> Shown:
    """Show candidate, baseline, and who gets the traffic."""
    record = run.record()
    where = f"{record.plan.target.service} in {record.plan.target.region}, {record.plan.target.project}"
    return Shown(
        sentence=where, parts=(tables.revisions(record.deploy), tables.traffic(record.traffic(), record))
    )


def groups(run: Run) -> Shown:
    """Show how many criteria of each group passed, and which did not."""
    found = run.record().groups()
    return Shown(
        sentence=f"{len(found)} groups of criteria" if found else _NOT_JUDGED, parts=(tables.groups(found),)
    )


def criteria(run: Run) -> Shown:
    """Show every criterion with its evidence; its name leads to the cell that shows it."""
    found = run.record().criteria()
    cells = cells_by_id(read(run.folder.path / "notebooks"))
    return Shown(
        sentence=f"{len(found)} criteria" if found else _NOT_JUDGED,
        parts=(tables.criteria(found),),
        links={text.clean(each.title): _way_to(each.cell, cells) for each in found},
    )


def _way_to(cell: str, cells: Mapping[str, tuple[Executed, Cell]]) -> str:
    """Return the way from one notebook to the heading above a cell of another."""
    notebook, place = cell.partition("#")[0], cells.get(element_id(cell))
    return f"{notebook}.ipynb#{place[1].heading}" if place and place[1].heading else f"{notebook}.ipynb"


def trails(run: Run) -> list[Chart]:
    """Return the charts that show how the evidence of each comparison grew."""
    record = run.record()
    return [chart_of(record, name) for name in trail_names(record)]


def novelty(run: Run) -> Shown:
    """Show what the candidate's log says that the baseline's does not."""
    logs = run.record().whole_logs()
    return Shown(sentence=log_tables.news(logs), parts=(log_tables.novelty(logs),))


def suites(run: Run) -> Shown:
    """Show every suite, run or not, and what failed before and after."""
    record = run.record()
    sentence = suite_tables.ran(record.suites) if record.suites else "The suites were not observed"
    return Shown(sentence=sentence, parts=(tables.suites(record), suite_tables.compared(record)))


def rollback(run: Run) -> Shown:
    """Show what proves that a rollback was done; it comes after the verdict, in its own notebook."""
    record = run.record()
    done = record.rollback
    if done is None:
        return Shown(sentence=f"No rollback was carried out (on_rollback: {record.plan.rollout.on_rollback})")
    proof = "verified" if done.verified else "NOT verified"
    parts = (tables.traffic(done.traffic, record), tables.sessions(done.sessions))
    return Shown(sentence=f"Traffic was returned to {done.to}, {proof}", parts=parts)


def regressions(run: Run) -> Shown:
    """Show what failed before the fix and how it is now."""
    found = run.verdict()
    table = tables.regressions(found.regressions if found else ())
    fixed = int((table["Reading"] == "failed before, passes now").sum()) if len(table) else 0
    return Shown(sentence=f"{fixed} of {len(table)} failures of the baseline are gone", parts=(table,))


def facts(run: Run) -> Shown:
    """Show what the run was started with, by which versions, and what seals it."""
    record = run.record()
    files = f"{len(record.evidence_files())} evidence files; manifest.json seals them with the report"
    versions = record.verdict.versions if record.verdict else {}
    return Shown(
        sentence=f"{files}: runbook verify {record.plan.report.folder}/{record.run_id}",
        parts=(tables.parameters(record), tables.pairs(versions, ("Package", "Version"))),
    )


def not_seen(run: Run) -> Shown:
    """Show what nobody looked at."""
    return Shown(sentence="; ".join(run.record().not_seen()) or "Every step came to its end")
