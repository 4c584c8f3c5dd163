"""Return all traffic to the baseline, take the candidate's tag away, and look whether the service works."""

from __future__ import annotations

from pathlib import Path

from runbook_lib.errors import RunRefused
from runbook_lib.evidence import DeployEvidence, RollbackEvidence, ServiceState, Window
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports
from runbook_lib.steps.reprobe import reprobe
from runbook_lib.steps.traffic import all_on, refuse_strangers


def roll_back(plan: Plan, deployed: DeployEvidence, ports: Ports) -> RollbackEvidence:
    """Roll back; a second call finds nothing to do and only looks again.

    Raises:
        RunRefused: If there is no baseline, or a third revision serves: somebody has deployed since.
        CloudError: If the service cannot be read or changed.
    """
    start = ports.clock.now()
    baseline, candidate = _revisions(deployed)
    before = ports.cloud_run.service()
    refuse_strangers(before, (baseline, candidate))
    needed = not _is_back(plan, before, baseline)
    output = _act(plan, before, baseline, ports) if needed else ""
    after = ports.cloud_run.service()
    seen = reprobe(plan, after.url, "baseline", ports)
    back = _is_back(plan, after, baseline)
    return RollbackEvidence(
        window=Window(start=start, end=ports.clock.now()),
        notes=() if back else (f"{baseline} does not have all the traffic",),
        to=baseline,
        needed=needed,
        traffic=after.traffic,
        verified=back and seen.good,
        output=output,
        polls=seen.polls,
        sessions=seen.sessions,
    )


def _revisions(deployed: DeployEvidence) -> tuple[str, str]:
    if deployed.baseline is None:
        raise RunRefused("there is no baseline to roll back to: this was the service's first revision")
    return deployed.baseline.name, deployed.candidate.name if deployed.candidate else ""


def _is_back(plan: Plan, service: ServiceState, baseline: str) -> bool:
    tagged = any(share.tag == plan.rollout.candidate_tag for share in service.traffic)
    served = sum(share.percent for share in service.traffic if share.revision == baseline)
    return served == 100 and not tagged


def _act(plan: Plan, service: ServiceState, baseline: str, ports: Ports) -> str:
    """Roll back by the team's command, if there is one; return its output. Then set the traffic ourselves."""
    output = ""
    if plan.rollout.rollback_command:
        names = plan.target.model_dump(include={"project", "region", "service"})
        argv = [part.format(**names, baseline_revision=baseline) for part in plan.rollout.rollback_command]
        result = ports.commands.run(argv, cwd=Path(plan.candidate.cwd), env={}, timeout_s=600)
        output = result.output
        service = ports.cloud_run.service()
    if not _is_back(plan, service, baseline):
        ports.cloud_run.set_traffic(all_on(baseline, service, plan.rollout))
    return output
