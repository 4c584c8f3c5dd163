"""Say what of an interrupted run is kept, what is done again, and whether the service is as it left it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from runbook_lib.errors import EvidenceError, RunRefused
from runbook_lib.evidence import DeployEvidence, ServiceState
from runbook_lib.journal import last_facts
from runbook_lib.judging import OBSERVED, unseen
from runbook_lib.plan import Plan
from runbook_lib.ports.cloud_run import CloudRun
from runbook_lib.run_folder import RunFolder
from runbook_lib.steps.rollback import Pair, pair_of
from runbook_lib.steps.traffic import refuse_strangers

STEPS_OF = {
    "01_deploy": ("deploy",),
    "02_logs": ("logs",),
    "03_tests": ("suites", "probes"),
    "04_metrics": ("metrics", "run_logs"),
}
"""The observing notebooks in their order, each with the steps that its cells do."""


def kept_steps(folder: RunFolder, now: bool = False) -> tuple[str, ...]:
    """Return the steps that a resumed run does not repeat, for they were done before it was resumed.

    Args:
        now: Resume at this moment; otherwise a run that is not under way again keeps nothing, so that
            a cell that somebody runs once more does its step once more.
    """
    ledger = folder.ledger()
    resumed = [at for at, entry in enumerate(ledger) if entry.event == "run resumed"]
    ended = [at for at, entry in enumerate(ledger) if entry.event == "run ended"]
    if now:
        before = len(ledger)
    elif resumed and resumed[-1] > max(ended, default=-1):
        before = resumed[-1]
    else:
        return ()
    last = {entry.step: entry.event for entry in ledger[:before] if entry.event.startswith("step ")}
    lost = unseen(folder)
    return tuple(step for step in OBSERVED if last.get(step) == "step done" and step not in lost)


def kept_words(folder: RunFolder) -> str:
    """Return in words what a run that is resumed now will keep."""
    return f"kept: {', '.join(kept_steps(folder, now=True)) or 'nothing'}"


def pair_of_run(folder: RunFolder, cloud: CloudRun) -> Pair:
    """Return a run's two revisions; without its evidence, from its ledger and the service alone.

    Raises:
        RunRefused: If the run has no baseline, or never touched the service.
    """
    with suppress(EvidenceError):
        return pair_of(folder.read_evidence("deploy", DeployEvidence))
    facts = last_facts(folder.ledger())
    if "baseline" not in facts:
        raise RunRefused("this run has not changed the service: there is nothing to roll back")
    made = cloud.deployed(facts["deployment"]) if "deployment" in facts else None
    return Pair(baseline=facts["baseline"], candidate=made.name if made else facts.get("candidate", ""))


def left_to_do(folder: RunFolder) -> list[str]:
    """Return the observing notebooks; of a run that was resumed, those that an interruption has left."""
    kept = set(kept_steps(folder))
    done = {name for name, steps in STEPS_OF.items() if kept.issuperset(steps)}
    return [
        name
        for name in STEPS_OF
        if not (name in done and _is_archived(folder.path / "notebooks" / f"{name}.ipynb"))
    ]


def refuse_changes(plan: Plan, deployed: DeployEvidence, service: ServiceState) -> None:
    """Refuse to go on observing a candidate that somebody has replaced, promoted or rolled back since.

    Raises:
        RunRefused: If traffic or tags are not as the deploy step left them.
    """
    if not (deployed.candidate and deployed.baseline and deployed.candidate_url):
        return
    refuse_strangers(service, (deployed.candidate.name, deployed.baseline.name))
    tagged = {share.revision for share in service.traffic if share.tag == plan.rollout.candidate_tag}
    if tagged != {deployed.candidate.name}:
        raise RunRefused(
            f"the tag {plan.rollout.candidate_tag} leads to {', '.join(tagged) or 'nothing'}, not to "
            f"{deployed.candidate.name}: this run cannot go on observing it, so begin a new one"
        )


def _is_archived(notebook: Path) -> bool:
    """Say whether a notebook was executed to its end without an error."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads(notebook.read_bytes())["metadata"]["papermill"]
        return bool(told["end_time"]) and told["exception"] is False
    return False
