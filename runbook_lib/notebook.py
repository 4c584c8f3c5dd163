"""What the notebooks' cells call: one method a step or a chart, each returning what shows itself."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from IPython.display import display

from runbook_lib.errors import PlanError
from runbook_lib.load_figures import LoadProgress
from runbook_lib.places import find_file, latest_run, project_root
from runbook_lib.plan_file import load_plan
from runbook_lib.report import load_tables, log_tables, probe_tables, suite_tables, tables, text
from runbook_lib.report.html import all_charts
from runbook_lib.report.record import RunRecord
from runbook_lib.run import Run, open_run
from runbook_lib.verdict import Outcome

PLOTLY_MIME = "application/vnd.plotly.v1+json"
Value = str | int | float


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A sentence, tables, and at most one chart: drawn, as HTML or as text, whatever the reader can show."""

    sentence: str
    parts: tuple[pd.DataFrame, ...] = ()
    figure: go.Figure | None = None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        chart = {} if self.figure is None else {PLOTLY_MIME: self.figure.to_plotly_json()}
        return {**chart, "text/html": self._html(), "text/plain": self._text()}

    def _filled(self) -> list[pd.DataFrame]:
        return [part for part in self.parts if len(part)]

    def _html(self) -> str:
        shown = "".join(f"<p>{tables.to_html(part)}</p>" for part in self._filled())
        return f"<p>{html.escape(self.sentence)}</p>{shown}"

    def _text(self) -> str:
        return "\n\n".join([self.sentence, *(part.to_string(index=False) for part in self._filled())])


def _load_shown(progress: LoadProgress) -> Shown:
    return Shown(sentence=progress.sentence(), parts=(load_tables.progress(progress),))


def begin(plan: str, run_dir: str = "", **parameters: Value) -> Cockpit:
    """Return the run in `run_dir`, or begin a new one by `plan`, with parameters set in it.

    A parameter that is empty or 0 leaves the plan as it is; `__` in its name stands for a dot.

    Raises:
        PlanError: If plan, parameter or folder is wrong.
    """
    if run_dir:
        return resume(run_dir)
    return Cockpit(Run.start(find_file(plan), _given(parameters), project_root()))


def resume(run_dir: str = "", **parameters: Value) -> Cockpit:
    """Return the run in `run_dir`, or the newest one; parameters as in `begin`, for this step only.

    Raises:
        PlanError: If there is no such run, or a parameter is wrong.
    """
    folder = find_file(run_dir) if run_dir else latest_run(project_root() / "outputs")
    if folder is None:
        raise PlanError("there is no run yet: run 01_deploy first", field="run_dir")
    run = open_run(folder)
    given = _given(parameters)
    return Cockpit(Run(run.folder, load_plan(folder / "plan.yaml", given)) if given else run)


def _given(parameters: dict[str, Value]) -> dict[str, str]:
    return {name.replace("__", "."): str(value) for name, value in parameters.items() if value}


class Cockpit:
    """A run as the notebooks see it; everything it returns shows itself in a cell."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return self.overview()._repr_mimebundle_()

    def overview(self) -> Shown:
        """Show which run this is and what it validates."""
        plan = self._run.plan
        facts = {
            "Issue": self._record().title(),
            "Service": f"{plan.target.service} in {plan.target.region}, project {plan.target.project}",
            "Cloud": "the emulator on this machine"
            if plan.target.endpoints == "emulator"
            else "Google Cloud",
            "Candidate": plan.candidate.image or " ".join(plan.candidate.command),
            "Criteria": str(len(plan.criteria)),
        }
        return Shown(sentence=f"Run {self._run.folder.run_id}", parts=(tables.pairs(facts, ("", "")),))

    def deploy(self) -> Shown:
        """Deploy the candidate at 0 % of the traffic, and show both revisions and the traffic table."""
        seen = self._run.deploy()
        record = self._record()
        took = record.measurement("deploy.duration_s")
        ready = f"{record.candidate()} is ready after {text.measured(took)}, at {seen.candidate_url}"
        return Shown(
            sentence="; ".join(seen.notes) or ready,
            parts=(tables.revisions(seen), tables.traffic(seen.traffic, record)),
        )

    def read_logs(self) -> Shown:
        """Read both start-up windows and show what was logged at ERROR or above."""
        seen = self._run.read_logs()
        errors = text.measured(self._record().measurement("logs.startup_errors"))
        sentence = f"Candidate: {errors} at ERROR or above; complete until {text.moment(seen.complete_until)}"
        news = log_tables.novelty(seen)
        return Shown(
            sentence=f"{sentence}. {log_tables.news(seen)}",
            parts=(tables.severities(seen), news, tables.findings(seen.findings)),
        )

    def read_run_logs(self) -> Shown:
        """Read what both revisions logged since, and show what is new and how requests ended."""
        seen = self._run.read_run_logs()
        complete = f"complete until {text.moment(seen.complete_until)}, {seen.read_requests} read requests"
        return Shown(
            sentence="; ".join((log_tables.news(seen), complete, *seen.notes)),
            parts=(log_tables.novelty(seen), log_tables.requests(seen.requests)),
        )

    def run_suites(self) -> Shown:
        """Run the plan's suites and show which of their tests count."""
        cell = display(Shown(sentence="The suites begin"), display_id=True)  # type: ignore[no-untyped-call]
        seen = self._run.run_suites(lambda sentence: cell.update(Shown(sentence=sentence)))
        cell.update(Shown(sentence=suite_tables.ran(seen)))
        table = tables.suites(self._record())
        passed = int(table["Outcome"].str.endswith("PASS").sum())
        return Shown(sentence=f"{passed} of {len(table)} suites passed", parts=(table,))

    def tests(self) -> Shown:
        """Show every test that did not simply pass."""
        seen = self._record().suites
        bad = [tables.tests(suite) for suite in (seen.suites if seen else ())]
        rows = pd.concat([table[table["Status"] != "passed"] for table in bad]) if bad else pd.DataFrame()
        sentence = f"{len(rows)} tests did not pass" if len(rows) else "Every test that ran has passed"
        return Shown(sentence=sentence if bad else "No test was run", parts=(rows,))

    def probe(self) -> Shown:
        """Make our own sessions on both revisions and show what they measured."""
        seen = self._run.probe()
        count = sum(m.samples for m in seen.measurements if m.metric == "events.violations")
        sentence = f"{count} answers were seen on both revisions; each count should be 0 on the candidate"
        return Shown(sentence="; ".join((sentence, *seen.notes)), parts=(tables.measurements(seen),))

    def clauses(self) -> Shown:
        """Show every promise about sessions and tokens that was put to the test."""
        seen = self._record().probes
        return Shown(sentence=probe_tables.kept(seen), parts=(probe_tables.clauses(seen),))

    def leaks(self) -> Shown:
        """Show whose words came in whose stream, in the probes and under load."""
        table = probe_tables.leaks(self._record())
        return Shown(sentence=f"{len(table)} times something of another user's was received", parts=(table,))

    def event_pace(self) -> Shown:
        """Show how long each event took after the one before it, over all whole answers."""
        seen = self._record().probes
        count = sum(row.samples for row in (seen.event_latencies if seen else ()))
        sentence = f"{count} events of whole answers, each measured from the one before it"
        return Shown(sentence=sentence, parts=(probe_tables.event_latencies(seen),))

    def sessions(self) -> Shown:
        """Show the candidate's sessions in which anything went wrong."""
        seen = self._record().probes
        table = tables.sessions(seen.bad_sessions if seen else (), "candidate")
        return Shown(sentence=f"{len(table)} of the candidate's sessions went wrong", parts=(table,))

    def measure(self) -> Shown:
        """Load both revisions, read their series, and show what they measured."""
        cell = display(Shown(sentence="The load begins"), display_id=True)  # type: ignore[no-untyped-call]
        seen = self._run.measure(lambda progress: cell.update(_load_shown(progress)))
        count = ", ".join(f"{count} on the {role}" for role, count in seen.sessions.items())
        lag = "" if seen.valid else "; the client itself lagged, so these times are rather too long"
        return Shown(sentence=f"Sessions: {count}{lag}", parts=(tables.measurements(seen),))

    def pairs(self) -> Shown:
        """Show what the pairs of sessions say so far, criterion by criterion."""
        judged = [result for result in self._run.preview().criteria if result.trail]
        pairs = max((result.samples for result in judged), default=0)
        open_ones = sum(result.outcome is Outcome.INCONCLUSIVE for result in judged)
        sentence = f"{pairs} pairs of sessions; {open_ones} of {len(judged)} comparisons are not settled"
        return Shown(sentence=sentence, parts=(tables.comparisons(judged),))

    def chart(self, name: str) -> Shown:
        """Show a chart by its id: `waterfall`, `connect`, `answer`, `memory`, `severities`, `timeline`, …"""
        chart = next(chart for chart in all_charts(self._record()) if chart.id == name)
        sentence = chart.reading if chart.figure else chart.absent
        return Shown(sentence=sentence, parts=(chart.numbers,), figure=chart.figure)

    def judge(self) -> Shown:
        """Judge the run and show the verdict with every criterion."""
        verdict = self._run.judge()
        sentence = f"{verdict.action} (confidence {verdict.confidence}). {verdict.summary}"
        return Shown(sentence=sentence, parts=(tables.criteria(verdict.criteria),))

    def regressions(self) -> Shown:
        """Show what failed before the fix and how it is now."""
        verdict = self._run.verdict()
        table = tables.regressions(verdict.regressions if verdict else ())
        fixed = int((table["Reading"] == "failed before, passes now").sum()) if len(table) else 0
        return Shown(sentence=f"{fixed} of {len(table)} failures of the baseline are gone", parts=(table,))

    def not_seen(self) -> Shown:
        """Show what nobody looked at."""
        missing = self._record().not_seen()
        return Shown(sentence="; ".join(missing) or "Every step came to its end")

    def write_report(self) -> Shown:
        """Write the report's files and show where they are."""
        files = self._run.write_reports()
        names = ", ".join(file.name for file in files)
        return Shown(sentence=f"Written to {self._run.folder.run_id}: {names}")

    def traffic(self) -> Shown:
        """Show the service's traffic table as it is now."""
        service = self._run.ports.cloud_run.service()
        return Shown(
            sentence=f"{service.name} is served by {service.serving() or 'nothing'}",
            parts=(tables.traffic(service.traffic, self._record()),),
        )

    def roll_back(self, confirm: str = "") -> Shown:
        """Roll back if `confirm` is `yes`; else only say what that would do."""
        if confirm != "yes":
            return Shown(
                sentence=f'Nothing was changed: confirm="yes" returns all traffic to {self._baseline()}'
            )
        seen = self._run.roll_back()
        done = "was done" if seen.needed else "was not needed"
        proof = "verified by probing the service" if seen.verified else "NOT verified: look at the table"
        return Shown(
            sentence=f"Rollback to {seen.to} {done}, {proof}",
            parts=(tables.traffic(seen.traffic, self._record()), tables.sessions(seen.sessions)),
        )

    def _baseline(self) -> str:
        return self._record().baseline() or "the baseline"

    def _record(self) -> RunRecord:
        return self._run.record()
