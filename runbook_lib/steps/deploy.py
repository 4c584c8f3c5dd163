"""Deploy the candidate beside the baseline, which keeps its traffic, and observe whether it becomes ready."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from runbook_lib.errors import NotFound, RevisionNotReady, RunRefused
from runbook_lib.evidence import DeployEvidence, Measurement, RevisionState, ServiceState, Window
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports
from runbook_lib.steps.measuring import measurement
from runbook_lib.steps.traffic import all_on, split

_EVIDENCE = ("evidence/deploy.json",)
_OUTPUT_LINES = 40


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """How it went. `revision` is empty where none came into being, `problem` where all is well."""

    revision: str
    problem: str = ""
    output: str = ""


def deploy(plan: Plan, ports: Ports) -> DeployEvidence:
    """Pin the traffic to the baseline, deploy the candidate, give both a URL of their own.

    Raises:
        CloudError: If the service cannot be read or changed.
        RunRefused: If the service is in the middle of somebody's rollout.
        CommandFailed: If the deploy command cannot be started.
    """
    start = ports.clock.now()
    service = _service(plan, ports)
    baseline = ports.cloud_run.revision(_baseline(service))
    service = ports.cloud_run.set_traffic(
        all_on(baseline.name, service, plan.rollout, plan.rollout.baseline_tag)
    )
    attempt = _attempt(plan, ports, service)
    deployed = Window(start=start, end=ports.clock.now())
    candidate = ports.cloud_run.revision(attempt.revision) if attempt.revision else None
    problem = attempt.problem or _lie(ports, candidate, baseline)
    if candidate and candidate.ready and not problem:
        percent = 100 if plan.rollout.strategy == "direct" else 0
        shares = split(candidate.name, baseline.name, percent, service, plan.rollout)
        service = ports.cloud_run.set_traffic(shares)
    else:
        service = ports.cloud_run.service()
    return DeployEvidence(
        window=Window(start=start, end=ports.clock.now()),
        measurements=_measurements(deployed, problem),
        notes=(problem,) if problem else (),
        service_url=service.url,
        candidate=candidate,
        baseline=baseline,
        candidate_url="" if problem else service.tag_url(plan.rollout.candidate_tag),
        baseline_url=service.tag_url(plan.rollout.baseline_tag),
        traffic=service.traffic,
        how=plan.candidate.image or " ".join(plan.candidate.command),
        output=attempt.output,
    )


def _service(plan: Plan, ports: Ports) -> ServiceState:
    """Return the service; in a rehearsal it is created first where the emulator has none yet."""
    try:
        return ports.cloud_run.service()
    except NotFound:
        if not plan.target.baseline_image:
            raise
        return ports.cloud_run.create(plan.target.baseline_image, plan.candidate.ready_timeout_s)


def _baseline(service: ServiceState) -> str:
    shares = {share.revision for share in service.traffic if share.percent}
    if len(shares) != 1:
        split = ", ".join(f"{share.revision} {share.percent} %" for share in service.traffic if share.percent)
        raise RunRefused(
            f"{service.name} has no single revision that serves ({split or 'no traffic'}): "
            "finish or roll back that rollout first"
        )
    return shares.pop()


def _attempt(plan: Plan, ports: Ports, service: ServiceState) -> _Attempt:
    if plan.candidate.command:
        return _by_command(plan, ports, service)
    try:
        image, env = plan.candidate.image or "", plan.candidate.env
        made = ports.cloud_run.deploy(image, env, plan.candidate.ready_timeout_s)
    except RevisionNotReady as error:
        return _Attempt(revision=error.revision, problem=str(error))
    stale = made == service.latest_created
    return _Attempt(
        revision=made, problem=f"{made} was there before: nothing new was deployed" if stale else ""
    )


def _by_command(plan: Plan, ports: Ports, before: ServiceState) -> _Attempt:
    target = plan.target.model_dump(include={"project", "region", "service"})
    argv = [part.format_map(target) for part in plan.candidate.command]
    result = ports.commands.run(
        argv,
        cwd=Path(plan.candidate.cwd),
        env=plan.candidate.env,
        timeout_s=plan.candidate.ready_timeout_s,
    )
    latest = ports.cloud_run.service().latest_created
    made = latest if latest != before.latest_created else ""
    named = re.search(plan.candidate.revision_pattern, result.output)
    revision = named["revision"] if named else made
    output = "\n".join(result.output.splitlines()[-_OUTPUT_LINES:])
    return _Attempt(revision=made, problem=_complaint(result.exit_code, revision, made), output=output)


def _complaint(exit_code: int | None, named: str, made: str) -> str:
    """Return what is wrong with a deploy command's end, or an empty text."""
    if exit_code is None:
        return "the deploy command did not end in time"
    if exit_code:
        return f"the deploy command ended with exit code {exit_code}"
    if not made:
        return "the deploy command made no new revision"
    if named != made:
        return f"the deploy command names {named}, but the service's newest revision is {made}"
    return ""


def _lie(ports: Ports, candidate: RevisionState | None, baseline: RevisionState) -> str:
    """Return what contradicts a deployment that calls itself done, or an empty text."""
    if candidate is None:
        return "no revision came into being"
    if not candidate.ready:
        return f"{candidate.name} is not ready: {candidate.message}"
    serving = ports.cloud_run.service().serving()
    if serving != baseline.name:
        return f"the deployment moved the traffic from {baseline.name} to {serving or 'nothing'}"
    return ""


def _measurements(window: Window, problem: str) -> tuple[Measurement, ...]:
    ready = measurement(
        "deploy.ready", "candidate", window, 0.0 if problem else 1.0, 1, note=problem, evidence=_EVIDENCE
    )
    took = measurement(
        "deploy.duration_s",
        "candidate",
        window,
        window.seconds,
        0 if problem else 1,
        note=problem,
        evidence=_EVIDENCE,
    )
    return ready, took
