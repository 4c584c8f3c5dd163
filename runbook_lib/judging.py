"""Judge what a run's folder holds, and say what is not in it; reaches no cloud."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import cast

from runbook_lib.errors import NotApproved, RunbookError
from runbook_lib.evidence import (
    DeployEvidence,
    MetricsEvidence,
    ProbesEvidence,
    RollbackEvidence,
    StepEvidence,
)
from runbook_lib.evidence.logs import LogsEvidence
from runbook_lib.evidence.memory import MemoryWatch
from runbook_lib.evidence.pairs import Pairs
from runbook_lib.evidence.starts import Starts
from runbook_lib.evidence.suites import SuitesEvidence
from runbook_lib.judge import Seen, judge
from runbook_lib.places import LIVE_PAIRS
from runbook_lib.plan import Plan
from runbook_lib.run_folder import LedgerEntry, RunFolder
from runbook_lib.verdict import Action, CriterionResult, Verdict

OBSERVED: dict[str, type[StepEvidence]] = {
    "deploy": DeployEvidence,
    "logs": LogsEvidence,
    "suites": SuitesEvidence,
    "probes": ProbesEvidence,
    "metrics": MetricsEvidence,
    "run_logs": LogsEvidence,
}
"""The steps that observe the candidate, in their order, with the kind of evidence that each leaves."""

EXIT_CODES = {"PROCEED_TO_PRODUCTION": 0, "INVESTIGATE": 10, "ROLLBACK": 20}
NEXT_COMMANDS = {"PROCEED_TO_PRODUCTION": "promote", "INVESTIGATE": "status", "ROLLBACK": "rollback"}
COULD_NOT_LOOK = 3
INTERRUPTED = 130
_PACKAGES = ("staging-validation-runbook", "papermill", "websockets", "google-cloud-run")


def observed(folder: RunFolder, missing: Mapping[str, str]) -> dict[str, StepEvidence]:
    """Return the evidence of each observing step but those that `unseen` has named."""
    return {step: folder.read_evidence(step, kind) for step, kind in OBSERVED.items() if step not in missing}


def unseen(folder: RunFolder) -> dict[str, str]:
    """Return the observing steps that left no evidence, each with the reason."""
    last = {entry.step: entry for entry in folder.ledger() if entry.event.startswith("step ")}
    return {step: why for step in OBSERVED if (why := _why_unseen(folder, step, last.get(step)))}


def judged(folder: RunFolder, plan: Plan) -> Verdict:
    """Judge a run by a plan's criteria; the same folder and plan give the same verdict, to the byte."""
    missing = unseen(folder)
    evidence = observed(folder, missing)
    judgement = judge(plan, _seen(folder, evidence, missing))
    deployed = cast("DeployEvidence | None", evidence.get("deploy"))
    begun = folder.ledger()[0].time
    return Verdict(
        **vars(judgement),
        run_id=folder.run_id,
        plan=plan.issue.title,
        service=plan.target.service,
        candidate=deployed.candidate.name if deployed and deployed.candidate else "",
        baseline=deployed.baseline.name if deployed and deployed.baseline else "",
        next_command=next_command(folder, plan, judgement.action),
        not_seen=tuple(f"{step}: {why}" for step, why in missing.items()),
        started=min((step.window.start for step in evidence.values()), default=begun),
        ended=max((step.window.end for step in evidence.values()), default=begun),
        versions={name: version(name) for name in _PACKAGES} | {"python": platform.python_version()},
    )


def judged_so_far(folder: RunFolder, plan: Plan) -> tuple[CriterionResult, ...]:
    """Return the paired criteria by the pairs of a load that still runs; none where none does."""
    pairs = folder.find_record(LIVE_PAIRS, Pairs)
    results = judge(plan, Seen(pairs=pairs.counts)).criteria if pairs else ()
    return tuple(result for result in results if result.trail)


def next_command(folder: RunFolder, plan: Plan, action: Action) -> str:
    """Return the command to go on with; once the traffic was returned, that is to look."""
    rolled_back = folder.find_evidence("rollback", RollbackEvidence)
    looked_after = rolled_back is not None and rolled_back.verified
    name = "status" if looked_after else NEXT_COMMANDS[action]
    return f"runbook {name} {plan.report.folder}/{folder.run_id}"


def exit_code(verdict: Verdict, *, held_back: bool = False) -> int:
    """Return what a verdict means to a shell: a ROLLBACK outweighs what could not be seen.

    Args:
        verdict: Of the run.
        held_back: Nothing was seen because nobody approved it, which is no failure to look.
    """
    unseen = verdict.not_seen and verdict.action != "ROLLBACK" and not held_back
    return COULD_NOT_LOOK if unseen else EXIT_CODES[verdict.action]


def exit_code_of(error: BaseException) -> int:
    """Return what an error means to a shell."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return error.exit_code if isinstance(error, RunbookError) else COULD_NOT_LOOK


def _seen(folder: RunFolder, evidence: dict[str, StepEvidence], missing: dict[str, str]) -> Seen:
    measurements = tuple(found for step in evidence.values() for found in step.measurements)
    if "metrics" not in evidence:
        return Seen(measurements=measurements, unseen=missing)
    return Seen(
        measurements=measurements,
        unseen=missing,
        pairs=folder.read_evidence("pairs", Pairs).counts,
        memory=folder.read_evidence("memory", MemoryWatch),
        starts=folder.find_evidence("starts", Starts),
    )


def _why_unseen(folder: RunFolder, step: str, last: LedgerEntry | None) -> str:
    if last is None:
        return "was not run"
    if last.error == NotApproved.__name__:
        return last.detail
    if last.event == "step failed":
        return f"could not look: {last.detail}"
    if last.event == "step started":
        return "did not come to its end"
    return "" if folder.has_evidence(step) else "its evidence is gone"
