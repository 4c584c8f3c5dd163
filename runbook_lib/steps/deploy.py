"""Deploy the candidate beside the baseline, which keeps its traffic, and observe whether it becomes ready."""

from __future__ import annotations

from runbook_lib.errors import NotFound, RunRefused
from runbook_lib.evidence import (
    DeployEvidence,
    Measurement,
    RevisionState,
    ServiceState,
    TrafficShare,
    Window,
)
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports
from runbook_lib.steps.deploy_attempt import Attempt, attempt
from runbook_lib.steps.deploy_lies import contradiction, misrouted
from runbook_lib.steps.measuring import measurement
from runbook_lib.steps.traffic import all_on, refuse_strangers, same_traffic, split

_EVIDENCE = ("evidence/deploy.json",)


def deploy(plan: Plan, ports: Ports) -> DeployEvidence:
    """Pin the traffic to the baseline, deploy the candidate, give both a URL of their own.

    Begun again after an interruption, it goes on with the revision that the service already has of it.

    Raises:
        CloudError: If the service cannot be read or changed.
        RunRefused: If the service is in the middle of somebody's rollout.
        CommandFailed: If the deploy command cannot be started.
    """
    start = ports.clock.now()
    service = _service(plan, ports)
    baseline = ports.cloud_run.revision(_baseline(service, ports))
    pinned = all_on(baseline.name, service, plan.rollout, plan.rollout.baseline_tag)
    service = ports.cloud_run.set_traffic(pinned)
    tried = attempt(plan, ports, service)
    deployed = Window(start=start, end=ports.clock.now())
    candidate = ports.cloud_run.revision(tried.revision) if tried.revision else None
    problem = tried.problem or contradiction(plan, candidate, baseline, ports.cloud_run.service())
    if candidate and candidate.ready and not problem:
        percent = 100 if plan.rollout.strategy == "direct" else 0
        shares = split(candidate.name, baseline.name, percent, service, plan.rollout)
        service = ports.cloud_run.set_traffic(shares)
        problem = misrouted(plan, candidate, shares, service, ports)
    if problem:
        service = _taken_back(pinned, ports)
    return DeployEvidence(
        window=Window(start=start, end=ports.clock.now()),
        measurements=_measurements(deployed, tried, candidate, problem),
        notes=tuple(note for note in (problem, tried.note) if note),
        service_url=service.url,
        candidate=candidate,
        baseline=baseline,
        candidate_url="" if problem else service.tag_url(plan.rollout.candidate_tag),
        baseline_url=service.tag_url(plan.rollout.baseline_tag),
        traffic=service.traffic,
        how=plan.candidate.image or " ".join(plan.candidate.command),
        output=tried.output,
    )


def _service(plan: Plan, ports: Ports) -> ServiceState:
    """Return the service; in a rehearsal it is created first where the emulator has none yet."""
    try:
        return ports.cloud_run.service()
    except NotFound:
        if not plan.target.baseline_image:
            raise
        return ports.cloud_run.create(plan.target.baseline_image, plan.candidate.ready_timeout_s)


def _baseline(service: ServiceState, ports: Ports) -> str:
    """Return the revision that served before this run, remembered from before the first change."""
    if known := ports.journal.recall("baseline"):
        made = ports.cloud_run.deployed(ports.journal.recall("deployment"))
        refuse_strangers(service, (known, made.name if made else ports.journal.recall("candidate")))
        return known
    alone = _serving_alone(service)
    ports.journal.remember("baseline", alone)
    return alone


def _serving_alone(service: ServiceState) -> str:
    shares = {share.revision for share in service.traffic if share.percent}
    if len(shares) != 1:
        split = ", ".join(f"{share.revision} {share.percent} %" for share in service.traffic if share.percent)
        raise RunRefused(
            f"{service.name} has no single revision that serves ({split or 'no traffic'}): "
            "finish or roll back that rollout first"
        )
    return shares.pop()


def _taken_back(pinned: tuple[TrafficShare, ...], ports: Ports) -> ServiceState:
    """Return the service, its traffic as it was before the deployment, should that have moved it."""
    service = ports.cloud_run.service()
    return service if same_traffic(service.traffic, pinned) else ports.cloud_run.set_traffic(pinned)


def _measurements(
    window: Window, tried: Attempt, candidate: RevisionState | None, problem: str
) -> tuple[Measurement, ...]:
    took_s = tried.duration_s(window, candidate)
    value = None if problem else took_s
    ready = measurement(
        "deploy.ready", "candidate", window, 0.0 if problem else 1.0, 1, note=problem, evidence=_EVIDENCE
    )
    took = measurement(
        "deploy.duration_s",
        "candidate",
        window,
        value,
        0 if value is None else 1,
        note=problem,
        evidence=_EVIDENCE,
    )
    return ready, took
