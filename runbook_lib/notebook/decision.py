"""The gates of a run: approve the deployment, and decide on the traffic with its exact effect in sight."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from runbook_lib.evidence import DeployEvidence, ServiceState, TrafficShare
from runbook_lib.notebook import results
from runbook_lib.notebook.desk import Desk
from runbook_lib.notebook.gate import Choice, Gate
from runbook_lib.notebook.panel import Place
from runbook_lib.notebook.shown import Shown
from runbook_lib.report import tables
from runbook_lib.run import Run
from runbook_lib.steps.traffic import shares_at

_AS_IT_IS = -1


class DeployGate:
    """Asks whether the candidate may be deployed."""

    def __init__(self, run: Run, desk: Desk) -> None:
        self._run, self._desk = run, desk
        plan = run.plan
        facts = {
            "Deploy": plan.candidate.image or " ".join(plan.candidate.command),
            "To": f"{plan.target.service} in {plan.target.region}, project {plan.target.project}",
            "Traffic": "all of it at once" if plan.rollout.strategy == "direct" else "0 %, a URL of its own",
        }
        Gate(
            "May the candidate be deployed?",
            tables.to_html(tables.pairs(facts, ("", ""))),
            (
                Choice(label="Approve and deploy", style="success", act=self._approve),
                Choice(label="Reject", style="danger", act=self._reject),
            ),
        )

    def _approve(self, reason: str, place: Place) -> None:
        self._run.decide("deploy", approved=True, reason=reason)
        self._desk.do("deploy", lambda: results.deployed(self._run), place=place)

    def _reject(self, reason: str, _: Place) -> Shown:
        self._run.decide("deploy", approved=False, reason=reason)
        return results.decisions(self._run)


class TrafficGate:
    """Asks what share of the traffic the candidate gets, by the plan's steps; 0 is the rollback.

    What the verdict asks for is proposed; nothing is changed where it is left as it is.
    """

    def __init__(self, run: Run, desk: Desk, *, only_back: bool = False) -> None:
        self._run, self._desk = run, desk
        self._deployed = run.folder.read_evidence("deploy", DeployEvidence)
        self._service = run.ports.cloud_run.service()
        self._slider = self._make_slider(only_back)
        choices = [Choice(label="Apply", style="success", act=self._apply)]
        if not only_back:
            choices.append(Choice(label="Reject", style="danger", act=self._reject))
        self._gate = Gate(
            "Roll back?" if only_back else "What share of the traffic does the candidate get?",
            self._effect(),
            choices,
            above=() if only_back else (self._slider,),
        )
        self._slider.observe(self._moved, "value")
        self._moved()

    def _make_slider(self, only_back: bool) -> widgets.SelectionSlider:
        served = _percent(self._service, self._names()[0])
        steps = self._run.plan.rollout.steps if self._deployed.candidate_url else ()
        options = [
            (f"as it is: {served} %", _AS_IT_IS),
            ("roll back: 0 %", 0),
            *((f"{s} %", s) for s in steps),
        ]
        return widgets.SelectionSlider(
            options=options[1:2] if only_back else options,
            value=0 if only_back else self._proposed(steps),
            description="Candidate",
            layout=widgets.Layout(width="32em"),
        )

    def _proposed(self, steps: tuple[int, ...]) -> int:
        verdict = self._run.verdict()
        if verdict and verdict.action == "ROLLBACK":
            return 0
        return steps[0] if steps and verdict and verdict.action == "PROCEED_TO_PRODUCTION" else _AS_IT_IS

    def _names(self) -> tuple[str, str]:
        candidate, baseline = self._deployed.candidate, self._deployed.baseline
        return candidate.name if candidate else "", baseline.name if baseline else ""

    def _moved(self, _: Any = None) -> None:
        percent, button = self._slider.value, self._gate.buttons[0]
        self._gate.effect.value = self._effect()
        button.disabled = percent == _AS_IT_IS
        labels = {_AS_IT_IS: "Nothing to apply", 0: "Roll back"}
        button.description = labels.get(percent, f"Promote to {percent} %")
        button.button_style = "warning" if percent == 0 else "success"

    def _effect(self) -> str:
        """Return the traffic table as it is and as it would be, with what is against it."""
        now, percent = self._service.traffic, self._slider.value
        rollout = self._run.plan.rollout
        then = now if percent == _AS_IT_IS else shares_at(percent, *self._names(), self._service, rollout)
        columns = ("Revision", "Traffic now", "Traffic then", "Tag now", "Tag then")
        table = tables.table_of(columns, ((name, *_both(now, then, name)) for name in _revisions(now, then)))
        return f"{tables.to_html(table)}<p>{self._warning()}</p>"

    def _warning(self) -> str:
        percent, verdict = self._slider.value, self._run.verdict()
        if percent == _AS_IT_IS:
            return "Nothing changes."
        if percent == 0:
            return "The candidate's tag goes too, and the service is probed to prove it."
        if verdict is None or verdict.action != "PROCEED_TO_PRODUCTION":
            said = verdict.action if verdict else "not there yet"
            return f"<b>The verdict is {said}</b>: your reason is recorded as the override."
        return "Each step up to there is applied, and health and golden path are probed after it."

    def _apply(self, reason: str, place: Place) -> None:
        percent, verdict = self._slider.value, self._run.verdict()
        if percent == 0:
            self._run.decide("rollback", approved=True, reason=reason)
            self._desk.do("rollback", lambda: results.rolled_back(self._run), place=place)
            return
        against = verdict is None or verdict.action != "PROCEED_TO_PRODUCTION"
        self._run.decide("promote", approved=True, reason=reason)
        arguments = {"override": reason if against else "", "up_to": percent}
        self._desk.do("promote", lambda: results.promoted(self._run), arguments, place=place)

    def _reject(self, reason: str, _: Place) -> Shown:
        self._run.decide("promote", approved=False, reason=reason)
        return results.decisions(self._run)


def _percent(service: ServiceState, revision: str) -> int:
    return sum(share.percent for share in service.traffic if share.revision == revision)


def _revisions(now: tuple[TrafficShare, ...], then: tuple[TrafficShare, ...]) -> list[str]:
    return list(dict.fromkeys(share.revision for share in (*now, *then)))


def _both(
    now: tuple[TrafficShare, ...], then: tuple[TrafficShare, ...], revision: str
) -> tuple[str, str, str, str]:
    def of(shares: tuple[TrafficShare, ...]) -> tuple[str, str]:
        mine = [share for share in shares if share.revision == revision]
        return f"{sum(share.percent for share in mine)} %", ", ".join(s.tag for s in mine if s.tag) or "none"

    (percent_now, tag_now), (percent_then, tag_then) = of(now), of(then)
    return percent_now, percent_then, tag_now, tag_then
