"""Return all traffic to the baseline, take the candidate's tag away, and look whether the service works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runbook_lib.errors import CommandFailed, RunRefused
from runbook_lib.evidence import DeployEvidence, RollbackEvidence, ServiceState, Window
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports
from runbook_lib.steps.reprobe import reprobe
from runbook_lib.steps.traffic import all_on, refuse_strangers

_COMMAND_LIMIT_S = 600


@dataclass(frozen=True, kw_only=True)
class _Act:
    """How the team's own rollback command went; `problem` is empty where all is well or there is none."""

    output: str = ""
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The two revisions of a run, by name; `candidate` is empty where none came into being."""

    baseline: str
    candidate: str


def pair_of(deployed: DeployEvidence) -> Pair:
    """Return the revisions of a deployment.

    Raises:
        RunRefused: If there is no baseline.
    """
    if deployed.baseline is None:
        raise RunRefused("there is no baseline to roll back to: this was the service's first revision")
    candidate = deployed.candidate.name if deployed.candidate else ""
    return Pair(baseline=deployed.baseline.name, candidate=candidate)


def roll_back(plan: Plan, pair: Pair, ports: Ports) -> RollbackEvidence:
    """Roll back; a second call finds nothing to do and only looks again.

    Raises:
        RunRefused: If a third revision serves: somebody has deployed since.
        CloudError: If the service cannot be read or changed.
    """
    start = ports.clock.now()
    baseline, candidate = pair.baseline, pair.candidate
    before = ports.cloud_run.service()
    refuse_strangers(before, (baseline, candidate))
    needed = not _is_back(plan, before, baseline)
    done = _act(plan, before, baseline, ports) if needed else _Act()
    after = ports.cloud_run.service()
    seen = reprobe(plan, after.url, "baseline", ports)
    back = _is_back(plan, after, baseline)
    away = "" if back else f"{baseline} does not have all the traffic"
    return RollbackEvidence(
        window=Window(start=start, end=ports.clock.now()),
        notes=tuple(note for note in (done.problem, away) if note),
        to=baseline,
        needed=needed,
        traffic=after.traffic,
        verified=back and seen.good,
        output=done.output,
        polls=seen.polls,
        sessions=seen.sessions,
    )


def _is_back(plan: Plan, service: ServiceState, baseline: str) -> bool:
    tagged = any(share.tag == plan.rollout.candidate_tag for share in service.traffic)
    return service.percent_of(baseline) == 100 and not tagged


def _act(plan: Plan, service: ServiceState, baseline: str, ports: Ports) -> _Act:
    """Roll back by the team's command, if there is one. Whatever became of it, set the traffic ourselves."""
    done = _Act()
    if plan.rollout.rollback_command:
        done = _by_command(plan, baseline, ports)
        service = ports.cloud_run.service()
    if not _is_back(plan, service, baseline):
        ports.cloud_run.set_traffic(all_on(baseline, service, plan.rollout))
    return done


def _by_command(plan: Plan, baseline: str, ports: Ports) -> _Act:
    names = plan.target.model_dump(include={"project", "region", "service"})
    argv = [part.format(**names, baseline_revision=baseline) for part in plan.rollout.rollback_command]
    try:
        result = ports.commands.run(argv, cwd=Path(plan.candidate.cwd), env={}, timeout_s=_COMMAND_LIMIT_S)
    except CommandFailed as error:  # the traffic must go back all the same
        return _Act(problem=f"the rollback command: {error}")
    if result.exit_code is None:
        return _Act(output=result.output, problem="the rollback command did not end in time")
    failed = f"the rollback command ended with exit code {result.exit_code}" if result.exit_code else ""
    return _Act(output=result.output, problem=failed)
