"""Put what a run's folder holds into what a cell shows; nothing is done and nothing is decided here."""

from __future__ import annotations

import pandas as pd

from runbook_lib.evidence import (
    ROLES,
    DeployEvidence,
    MetricsEvidence,
    ProbesEvidence,
    PromoteEvidence,
    RollbackEvidence,
)
from runbook_lib.evidence.logs import LogsEvidence
from runbook_lib.evidence.suites import SuitesEvidence
from runbook_lib.notebook.shown import Numbers, Shown
from runbook_lib.report import log_tables, probe_tables, suite_tables, tables, text
from runbook_lib.report.figures import Chart, chart_of
from runbook_lib.run import Run
from runbook_lib.verdict import Outcome


def deployed(run: Run) -> Shown:
    """Show both revisions and the traffic table."""
    seen, record = run.folder.read_evidence("deploy", DeployEvidence), run.record()
    took = record.measurement("deploy.duration_s")
    ready = f"{record.candidate()} is ready after {text.measured(took)}, at {seen.candidate_url}"
    return Shown(
        sentence="; ".join(seen.notes) or ready,
        parts=(tables.revisions(seen), tables.traffic(seen.traffic, record)),
    )


def startup_logs(run: Run) -> Shown:
    """Show what was logged at ERROR or above at start-up, and what is new."""
    seen = run.folder.read_evidence("logs", LogsEvidence)
    errors = text.measured(run.record().measurement("logs.startup_errors"))
    sentence = f"Candidate: {errors} at ERROR or above; complete until {text.moment(seen.complete_until)}"
    return Shown(
        sentence=f"{sentence}. {log_tables.news(seen)}",
        parts=(tables.severities(seen), log_tables.novelty(seen), tables.findings(seen.findings)),
    )


def run_logs(run: Run) -> Shown:
    """Show what is new since the start-up and how requests ended."""
    seen = run.folder.read_evidence("run_logs", LogsEvidence)
    complete = f"complete until {text.moment(seen.complete_until)}, {seen.read_requests} read requests"
    return Shown(
        sentence="; ".join((log_tables.news(seen), complete, *seen.notes)),
        parts=(log_tables.novelty(seen), log_tables.requests(seen.requests)),
    )


def suites(run: Run) -> Shown:
    """Show which of the suites' tests count."""
    seen = run.folder.read_evidence("suites", SuitesEvidence)
    table = tables.suites(run.record())
    passed = int(table["Outcome"].str.endswith("PASS").sum())
    sentence = f"{passed} of {len(table)} suites passed. {suite_tables.ran(seen)}"
    return Shown(sentence=sentence, parts=(table,))


def tests(run: Run) -> Shown:
    """Show every test that did not simply pass."""
    seen = run.record().suites
    bad = [tables.tests(suite) for suite in (seen.suites if seen else ())]
    rows = pd.concat([table[table["Status"] != "passed"] for table in bad]) if bad else pd.DataFrame()
    sentence = f"{len(rows)} tests did not pass" if len(rows) else "Every test that ran has passed"
    return Shown(sentence=sentence if bad else "No test was run", parts=(rows,))


def probes(run: Run) -> Shown:
    """Show what our own sessions measured on both revisions."""
    seen = run.folder.read_evidence("probes", ProbesEvidence)
    count = sum(m.samples for m in seen.measurements if m.metric == "events.violations")
    sentence = f"{count} answers were seen on both revisions; each count should be 0 on the candidate"
    return Shown(sentence="; ".join((sentence, *seen.notes)), parts=(tables.measurements(seen),))


def clauses(run: Run) -> Shown:
    """Show every promise about sessions and tokens that was put to the test."""
    seen = run.record().probes
    return Shown(sentence=probe_tables.kept(seen), parts=(probe_tables.clauses(seen),))


def leaks(run: Run) -> Shown:
    """Show whose words came in whose stream, in the probes and under load."""
    table = probe_tables.leaks(run.record())
    mine, old = ((table["Role"] == role).sum() for role in ROLES)
    sentence = (
        f"Something of another user's was received {mine} times on the candidate, {old} times on the baseline"
    )
    return Shown(sentence=sentence, parts=(table,))


def event_pace(run: Run) -> Shown:
    """Show how long each event took after the one before it, over all whole answers."""
    seen = run.record().probes
    count = sum(row.samples for row in (seen.event_latencies if seen else ()))
    sentence = f"{count} events of whole answers, each measured from the one before it"
    return Shown(sentence=sentence, parts=(probe_tables.event_latencies(seen),))


def sessions(run: Run) -> Shown:
    """Show the candidate's sessions in which anything went wrong."""
    seen = run.record().probes
    table = tables.sessions(seen.bad_sessions if seen else (), "candidate")
    return Shown(sentence=f"{len(table)} of the candidate's sessions went wrong", parts=(table,))


def metrics(run: Run) -> Shown:
    """Show what load and series measured."""
    seen = run.folder.read_evidence("metrics", MetricsEvidence)
    count = ", ".join(f"{count} on the {role}" for role, count in seen.sessions.items())
    lag = "" if seen.valid else "; the client itself lagged, so these times are rather too long"
    return Shown(sentence=f"Sessions: {count}{lag}", parts=(tables.measurements(seen),))


def pairs(run: Run) -> Shown:
    """Show what the pairs of sessions say so far, criterion by criterion."""
    judged = [result for result in run.preview().criteria if result.trail]
    most = max((result.samples for result in judged), default=0)
    open_ones = sum(result.outcome is Outcome.INCONCLUSIVE for result in judged)
    sentence = f"{most} pairs of sessions; {open_ones} of {len(judged)} comparisons are not settled"
    return Shown(sentence=sentence, parts=(tables.comparisons(judged),))


def chart(run: Run, name: str) -> Chart:
    """Return a chart by its id."""
    return chart_of(run.record(), name)


def numbers(drawn: Chart) -> Numbers:
    """Show how to read a chart, with its numbers as a table: open where nothing was drawn."""
    sentence = f"{drawn.caption} {drawn.left_out}".strip() if drawn.figure else drawn.absent
    return Numbers(sentence=sentence, table=drawn.numbers, folded=drawn.figure is not None)


def traffic(run: Run) -> Shown:
    """Show the service's traffic table as it is now, asked of the service itself."""
    service = run.ports.cloud_run.service()
    return Shown(
        sentence=f"{service.name} is served by {service.serving() or 'nothing'}",
        parts=(tables.traffic(service.traffic, run.record()),),
    )


def promoted(run: Run) -> Shown:
    """Show how far the candidate was promoted."""
    done = run.folder.read_evidence("promote", PromoteEvidence)
    back = "" if done.percent else ": the re-probe failed, so all traffic went back to the baseline"
    return Shown(
        sentence=f"{done.candidate} serves {done.percent} % of the traffic{back}",
        parts=(tables.traffic(done.traffic, run.record()), tables.sessions(done.sessions)),
    )


def rolled_back(run: Run) -> Shown:
    """Show what the rollback did, and whether probing has proved it."""
    seen = run.folder.read_evidence("rollback", RollbackEvidence)
    done = "was done" if seen.needed else "was not needed"
    proof = "verified by probing the service" if seen.verified else "NOT verified: look at the table"
    return Shown(
        sentence=f"Rollback to {seen.to} {done}, {proof}",
        parts=(tables.traffic(seen.traffic, run.record()), tables.sessions(seen.sessions)),
    )


def decisions(run: Run) -> Shown:
    """Show who has decided what, when and why."""
    made = [entry for entry in run.folder.ledger() if entry.event in ("approved", "rejected")]
    rows = ((text.moment(e.time), e.event, e.step, e.who, e.detail) for e in made)
    table = tables.table_of(("When", "Decision", "On", "Who", "Why"), rows)
    words = f"{len(made)} decisions are in the ledger" if made else "Nobody has decided anything yet"
    return Shown(sentence=words, parts=(table,))


def last_lines(run: Run, most: int = 20) -> Shown:
    """Show the last lines that were read of both revisions' logs."""
    entries = run.entries()
    if entries is None or entries.empty:
        return Shown(sentence="No log entry has been read yet")
    shown = log_tables.log_lines(entries.tail(most))
    return Shown(sentence=f"The last {len(shown)} of {len(entries):,} entries that were read", parts=(shown,))
