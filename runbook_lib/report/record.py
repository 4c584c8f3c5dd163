"""Gather all that is known of one run, for the renderers; nothing new is computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from runbook_lib.evidence import (
    DeployEvidence,
    Measurement,
    MetricsEvidence,
    ProbesEvidence,
    Role,
    RollbackEvidence,
    StepEvidence,
    TrafficShare,
)
from runbook_lib.evidence.logs import LogsEvidence
from runbook_lib.evidence.suites import SuitesEvidence
from runbook_lib.plan import Plan
from runbook_lib.rehearsal import SelfTested
from runbook_lib.verdict import CriterionResult, Verdict

LOAD_COLUMNS = ("role", "connect_s", "answer_s")
"""What is shown of load sessions: the events of a million of them would fill the memory."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RunRecord:
    """What a report is made of; a part is None where its step did not run or could not look.

    Attributes:
        selftest: The last rehearsal of the gate before this run.
        load: One row per load session; columns `LOAD_COLUMNS`, as the fields of `evidence.Session`.
        series: One row per point of the cloud's series; columns `time` (UTC), `role`, `metric`, `value`,
            `unit`.
        entries: One row per log entry; columns as in `ports.logs.Logs.read`, and `role`.
        errors: Steps that could not look, in words.
        parameters: What the run was started with; secrets are masked when it is shown.
    """

    plan: Plan
    run_id: str
    deploy: DeployEvidence | None = None
    logs: LogsEvidence | None = None
    suites: SuitesEvidence | None = None
    probes: ProbesEvidence | None = None
    metrics: MetricsEvidence | None = None
    run_logs: LogsEvidence | None = None
    rollback: RollbackEvidence | None = None
    verdict: Verdict | None = None
    selftest: SelfTested | None = None
    load: pd.DataFrame | None = None
    series: pd.DataFrame | None = None
    entries: pd.DataFrame | None = None
    errors: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)

    def steps(self) -> dict[str, StepEvidence | None]:
        """Return the evidence of each step by its name, in the order of the run."""
        return {
            "deploy": self.deploy, "logs": self.logs, "suites": self.suites, "probes": self.probes,
            "metrics": self.metrics, "run_logs": self.run_logs, "rollback": self.rollback,
        }  # fmt: skip

    def measurements(self) -> Iterator[Measurement]:
        """Yield every measurement of every step."""
        for step in self.steps().values():
            yield from step.measurements if step else ()

    def measurement(self, metric: str, role: Role = "candidate") -> Measurement | None:
        """Return the measurement of `metric` on one revision, or None where nobody made it."""
        return next((m for m in self.measurements() if (m.metric, m.role) == (metric, role)), None)

    def criteria(self) -> tuple[CriterionResult, ...]:
        """Return what the judge said of each criterion; nothing where there is no verdict."""
        return self.verdict.criteria if self.verdict else ()

    def groups(self) -> dict[str, tuple[CriterionResult, ...]]:
        """Return the criteria by group, both in the plan's order."""
        names = dict.fromkeys(criterion.group for criterion in self.criteria())
        return {name: tuple(c for c in self.criteria() if c.group == name) for name in names}

    def deciding(self) -> CriterionResult | None:
        """Return the criterion that decided, if one did."""
        return next((c for c in self.criteria() if self.verdict and c.id == self.verdict.deciding), None)

    def traffic(self) -> tuple[TrafficShare, ...]:
        """Return the traffic table as it was last seen."""
        last = self.rollback or self.deploy
        return last.traffic if last else ()

    def candidate(self) -> str:
        """Return the candidate's name; empty where no revision came into being."""
        if self.deploy and self.deploy.candidate:
            return self.deploy.candidate.name
        return self.verdict.candidate if self.verdict else ""

    def baseline(self) -> str:
        """Return the baseline's name; empty for a service's first revision."""
        if self.deploy and self.deploy.baseline:
            return self.deploy.baseline.name
        return self.verdict.baseline if self.verdict else ""

    def bound_s(self, metric: str) -> float | None:
        """Return the plan's upper bound on `metric`, the narrowest if there are several."""
        bounds = [c.at_most for c in self.plan.criteria if c.metric == metric and c.at_most is not None]
        return min(bounds, default=None)

    def next_steps(self) -> tuple[str, ...]:
        """Return what the plan says people do now; without a verdict that is to investigate."""
        steps = self.plan.issue.next_steps
        action = self.verdict.action if self.verdict else "INVESTIGATE"
        known = {"PROCEED_TO_PRODUCTION": steps.proceed, "ROLLBACK": steps.rollback}
        return known.get(action, steps.investigate)

    def not_seen(self) -> tuple[str, ...]:
        """Return what nobody looked at, each thing once: steps that could not look, then the judge's list."""
        listed = self.verdict.not_seen if self.verdict else ("no verdict: the run ended before the judge",)
        return tuple(dict.fromkeys((*self.errors, *listed)))

    def evidence_files(self) -> tuple[str, ...]:
        """Return every evidence file that a measurement or a criterion names, sorted."""
        named = [m.evidence for m in self.measurements()] + [c.evidence for c in self.criteria()]
        return tuple(sorted({path for paths in named for path in paths}))

    def whole_logs(self) -> LogsEvidence | None:
        """Return what was read of the logs: of the whole run, or else of the start-ups."""
        return self.run_logs or self.logs

    def moments(self) -> dict[str, datetime]:
        """Return what happened when, for a time axis."""
        state = self.deploy.candidate if self.deploy else None
        seen = {
            "candidate created": state and state.created,
            "candidate ready": state and state.settled,
            "suites": self.suites and self.suites.window.start,
            "probes": self.probes and self.probes.window.start,
            "load": self.metrics and self.metrics.window.start,
            "load ended": self.metrics and self.metrics.window.end,
        }
        return {name: moment for name, moment in seen.items() if moment}

    def title(self) -> str:
        """Return the issue's number and title."""
        issue = self.plan.issue
        return f"#{issue.number} {issue.title}" if issue.number is not None else issue.title
