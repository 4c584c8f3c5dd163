"""Show where a run stands: what it validates, its six notebooks with their states, what it waits for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from runbook_lib.decisions import decision_on
from runbook_lib.judging import unseen
from runbook_lib.notebook.progress import StepState, step_state
from runbook_lib.notebook.shown import as_it_is
from runbook_lib.notebook.steps import NOTEBOOKS, Notebook
from runbook_lib.report import tables, text
from runbook_lib.run import Run
from runbook_lib.run_folder import LedgerEntry

_MARKS = {"done": "✓", "running": "●", "failed": "✗", "to do": "○"}
_STRIP = "display:flex;flex-wrap:wrap;gap:.3em 1.4em;padding:0;margin:.4em 0;list-style:none;"


class Overview:
    """One run at a glance; every notebook begins with it, and each name in it leads to that notebook."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/html": self.html(), "text/plain": self.text()}

    def html(self) -> str:
        """Return it as escaped HTML."""
        ledger = self._run.folder.ledger()
        items = "".join(_item(notebook, self._state(notebook, ledger)) for notebook in NOTEBOOKS)
        return as_it_is(
            f"<p><b>{escape(self._head())}</b></p>{tables.to_html(tables.pairs(self._facts(), ('', '')))}"
            f'<nav aria-label="Notebooks"><ol style="{_STRIP}">{items}</ol></nav>'
            f"<p>{escape(self._next(ledger))}</p>"
        )

    def text(self) -> str:
        """Return it as plain text."""
        ledger = self._run.folder.ledger()
        facts = [f"{name}: {value}" for name, value in self._facts().items()]
        states = [f"{n.title}: {_words(self._state(n, ledger))}" for n in NOTEBOOKS]
        return "\n".join([self._head(), *facts, *states, self._next(ledger)])

    def _head(self) -> str:
        return text.clean(f"Run {self._run.folder.run_id}")

    def _facts(self) -> dict[str, str]:
        plan = self._run.plan
        local = plan.target.endpoints == "emulator"
        return {
            "Issue": f"#{plan.issue.number} {plan.issue.title}" if plan.issue.number else plan.issue.title,
            "Service": f"{plan.target.service} in {plan.target.region}, project {plan.target.project}",
            "Cloud": "the emulator on this machine" if local else "Google Cloud",
            "Candidate": plan.candidate.image or " ".join(plan.candidate.command),
            "Criteria": str(len(plan.criteria)),
        }

    def _state(self, notebook: Notebook, ledger: Sequence[LedgerEntry]) -> StepState:
        """Return how a notebook stands: as its steps do, or as the verdict for the one that judges."""
        if not notebook.steps:
            return StepState(state="done" if self._run.verdict() else "to do")
        states = [step_state(ledger, step) for step in notebook.steps]
        for word in ("running", "failed", "to do"):
            if found := next((state for state in states if state.state == word), None):
                return found
        return StepState(state="done", took_s=sum(state.took_s or 0 for state in states))

    def _next(self, ledger: Sequence[LedgerEntry]) -> str:
        """Say in one sentence what the run says, or what it waits for."""
        verdict = self._run.verdict()
        if verdict:
            return f"{verdict.action} (confidence {verdict.confidence}). {text.clean(verdict.summary)}"
        if "deploy" in unseen(self._run.folder):
            decision = decision_on("deploy", ledger)
            if decision and decision.event == "rejected":
                return text.clean(f"Deployment rejected by {decision.who}: {decision.detail}")
            waits = self._run.plan.rollout.approval == "required" and decision is None
            return "Waits for somebody to approve the deployment." if waits else "Nothing is deployed yet."
        return "Not judged yet."


def _item(notebook: Notebook, state: StepState) -> str:
    link = f'<a href="{notebook.file}">{notebook.title}</a>'
    return f"<li>{_MARKS[state.state]} {link} {escape(_words(state))}</li>"


def _words(state: StepState) -> str:
    if state.state == "running" and state.since:
        return f"running for {text.span((datetime.now(UTC) - state.since).total_seconds())}"
    took = f", {text.span(state.took_s)}" if state.took_s and state.state == "done" else ""
    return f"{state.state}{took}"
