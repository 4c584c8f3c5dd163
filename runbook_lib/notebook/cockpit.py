"""What the notebooks' cells call: one method a step or a chart, each showing itself.

With somebody there, a step is done beside the kernel and its cell shows how far it is; headless, the
same call waits for the step and returns what it has left.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

from IPython.display import Markdown, display

from runbook_lib.decisions import decision_on
from runbook_lib.folder_lock import works_for_runner
from runbook_lib.notebook import results, summary
from runbook_lib.notebook.overview import Overview
from runbook_lib.notebook.progress import step_state
from runbook_lib.notebook.shown import Drawn, Numbers, Shown
from runbook_lib.report import text
from runbook_lib.run import Run

Result = Callable[[Run], Shown]


class Cockpit:
    """A run as the notebooks see it.

    Args:
        run: The run.
        desk: Does its steps beside the kernel; None where nobody is there.
    """

    def __init__(self, run: Run, desk: Any | None = None) -> None:
        self._run, self._desk = run, desk

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return self.overview()._repr_mimebundle_()

    def _ipython_display_(self) -> None:
        if self._desk:
            self._desk.view(self.overview, for_good=True)
        else:
            display(self.overview())  # type: ignore[no-untyped-call]

    def overview(self) -> Overview:
        """Show which run this is, where it stands, and the way to each notebook."""
        return Overview(self._run)

    def deploy(self, approve: str = "", again: bool = False) -> Shown | None:
        """Deploy the candidate at 0 % of the traffic, and show both revisions and the traffic table.

        Args:
            approve: Reason of the approval, where the plan asks for one; empty: the cell asks, and headless
                nothing is deployed.
            again: Deploy another revision, though there is one.
        """
        if approve:
            self._run.decide("deploy", approved=True, reason=approve)
        if self._asks_first(again):
            self._ask("DeployGate")
            return None
        return self._step("deploy", self._run.deploy, results.deployed, again)

    def read_logs(self, again: bool = False) -> Shown | None:
        """Read both start-up windows and show what was logged at ERROR or above."""
        return self._step("logs", self._run.read_logs, results.startup_logs, again)

    def live_logs(self) -> Shown | None:
        """Show what both revisions log from now on; headless, the last lines that were read."""
        if self._desk is None:
            return results.last_lines(self._run)
        from runbook_lib.notebook.follow import LiveLogs

        LiveLogs(self._run)
        return None

    def read_run_logs(self, again: bool = False) -> Shown | None:
        """Read what both revisions logged since, and show what is new and how requests ended."""
        return self._step("run_logs", self._run.read_run_logs, results.run_logs, again)

    def run_suites(self, again: bool = False) -> Shown | None:
        """Run the plan's suites and show which of their tests count."""
        return self._step("suites", self._run.run_suites, results.suites, again)

    def tests(self) -> Shown | None:
        """Show every test that did not simply pass."""
        return self._view(results.tests)

    def probe(self, again: bool = False) -> Shown | None:
        """Make our own sessions on both revisions and show what they measured."""
        return self._step("probes", self._run.probe, results.probes, again)

    def clauses(self) -> Shown | None:
        """Show every promise about sessions and tokens that was put to the test."""
        return self._view(results.clauses)

    def leaks(self) -> Shown | None:
        """Show whose words came in whose stream, in the probes and under load."""
        return self._view(results.leaks)

    def event_pace(self) -> Shown | None:
        """Show how long each event took after the one before it, over all whole answers."""
        return self._view(results.event_pace)

    def sessions(self) -> Shown | None:
        """Show the candidate's sessions in which anything went wrong."""
        return self._view(results.sessions)

    def measure(self, again: bool = False) -> Shown | None:
        """Load both revisions, read their series, and show what they measured."""
        return self._step("metrics", self._run.measure, results.metrics, again)

    def pairs(self) -> Shown | None:
        """Show what the pairs of sessions say so far, criterion by criterion."""
        return self._view(results.pairs)

    def chart(self, name: str) -> Numbers | None:
        """Show a chart by its id: `waterfall`, `connect`, `answer`, `memory`, `severities`, `timeline`, …"""
        if self._desk and self._desk.busy:
            self._desk.view(lambda: Drawn(results.chart(self._run, name)))
            self._desk.view(lambda: results.numbers(results.chart(self._run, name)))
            return None
        drawn = results.chart(self._run, name)
        if drawn.figure is not None:
            display(Drawn(drawn))  # type: ignore[no-untyped-call]
        return results.numbers(drawn)

    def judge(self) -> Shown | None:
        """Judge the run and show the verdict: how sure it is, what decided, what comes next."""
        return self._here("judge", self._run.judge, summary.verdict)

    def card(self) -> Shown | None:
        """Show candidate, baseline, and who gets the traffic."""
        return self._view(summary.card)

    def groups(self) -> Shown | None:
        """Show how many criteria of each group passed, and which did not."""
        return self._view(summary.groups)

    def criteria(self) -> Shown | None:
        """Show every criterion with its evidence, each with the way to the cell that shows it."""
        return self._view(summary.criteria)

    def trails(self) -> None:
        """Show how the evidence of each comparison grew."""
        for chart in summary.trails(self._run):
            title = Shown(sentence=chart.title)
            display(title, Drawn(chart), results.numbers(chart))  # type: ignore[no-untyped-call]

    def novelty(self) -> Shown | None:
        """Show what the candidate's log says that the baseline's does not."""
        return self._view(summary.novelty)

    def suites(self) -> Shown | None:
        """Show every suite, and what failed before and after."""
        return self._view(summary.suites)

    def rollback(self) -> Shown | None:
        """Show what proves that a rollback was done, if one was."""
        return self._view(summary.rollback)

    def regressions(self) -> Shown | None:
        """Show what failed before the fix and how it is now."""
        return self._view(summary.regressions)

    def facts(self) -> Shown | None:
        """Show what the run was started with, by which versions, and what seals it."""
        return self._view(summary.facts)

    def not_seen(self) -> Shown | None:
        """Show what nobody looked at."""
        return self._view(summary.not_seen)

    def write_report(self) -> Shown | None:
        """Write the report's files and say where they are; a runner writes them after its last notebook."""
        files = f"{self._run.folder.run_id}: report.html, report.md, junit.xml, verdict.json"
        if works_for_runner(self._run.folder):
            return Shown(sentence=f"After the last notebook, the runner writes to {files}")
        return self._here("report", self._run.write_reports, lambda _: Shown(sentence=f"Written to {files}"))

    def traffic(self) -> Shown:
        """Show the service's traffic table as it is now."""
        return results.traffic(self._run)

    def decide(self) -> Shown | None:
        """Ask what share of the traffic the candidate gets; headless, show what was decided."""
        if self._desk is None:
            return results.decisions(self._run)
        self._ask("TrafficGate")
        return None

    def roll_back(self, confirm: str = "", reason: str = "") -> Shown | None:
        """Roll back if `confirm` is `yes`; else ask, and headless only say what that would do."""
        if confirm == "yes":
            self._run.decide("rollback", approved=True, reason=reason or "the notebook's parameter confirm")
            return self._step("rollback", self._run.roll_back, results.rolled_back, again=True)
        if self._desk:
            self._ask("TrafficGate", only_back=True)
            return None
        baseline = self._run.record().baseline() or "the baseline"
        return Shown(sentence=f'Nothing was changed: confirm="yes" returns all traffic to {baseline}')

    def decisions(self) -> Shown | None:
        """Show who has decided what, when and why."""
        return self._view(results.decisions)

    def help(self) -> Markdown:
        """Show the reference of the plan."""
        from runbook_lib.plan.reference import render

        return Markdown(render())  # type: ignore[no-untyped-call]

    def _step(self, step: str, act: Callable[[], Any], result: Result, again: bool) -> Shown | None:
        """Do a step and show what it has left; with somebody there, one that is done is only shown."""
        show = partial(result, self._run)
        if self._desk is None:
            act()
            return show()
        if self._desk.seen(step) and not again:
            return self._seen_before(step, show())
        self._desk.do(step, show)
        return None

    def _here(self, step: str, act: Callable[[], Any], result: Result) -> Shown | None:
        """Do what takes no time in this kernel, after the steps that still run."""
        if self._desk and self._desk.busy:
            self._desk.do(step, partial(result, self._run), act=act)
            return None
        act()
        if self._desk:
            self._desk.refresh()
        return result(self._run)

    def _view(self, result: Result) -> Shown | None:
        """Show what is known, and what will be known once the steps that still run have ended."""
        if self._desk and self._desk.busy:
            self._desk.view(partial(result, self._run))
            return None
        return result(self._run)

    def _seen_before(self, step: str, shown: Shown) -> Shown:
        since = step_state(self._run.folder.ledger(), step).since
        note = f"(Seen at {text.moment(since)}; `again=True` does it again.)"
        return dataclasses.replace(shown, sentence=f"{shown.sentence} {note}")

    def _asks_first(self, again: bool) -> bool:
        """Say whether the deployment waits for a person, who is there."""
        if self._desk is None or self._run.plan.rollout.approval == "none":
            return False
        decision = decision_on("deploy", self._run.folder.ledger())
        approved = decision is not None and decision.event == "approved"
        return not approved and (again or not self._desk.seen("deploy"))

    def _ask(self, gate: str, **arguments: bool) -> None:
        from runbook_lib.notebook import decision

        getattr(decision, gate)(self._run, self._desk, **arguments)
