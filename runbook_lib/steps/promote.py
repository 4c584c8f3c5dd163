"""Move the traffic to the candidate step by step, looking at it after each."""

from __future__ import annotations

from runbook_lib.errors import RunRefused
from runbook_lib.evidence import DeployEvidence, PromoteEvidence, ServiceState, Window
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports
from runbook_lib.steps.reprobe import Reprobe, reprobe
from runbook_lib.steps.traffic import all_on, refuse_strangers, shares_at, split


def promote(plan: Plan, deployed: DeployEvidence, ports: Ports, up_to: int = 100) -> PromoteEvidence:
    """Go through the plan's steps; at the first sign of trouble all traffic goes back to the baseline.

    Args:
        plan: Its steps.
        deployed: Both revisions.
        ports: The world.
        up_to: The step to stop at, a percentage.

    Raises:
        RunRefused: If the candidate is not ready, if traffic is on a revision that this run does not know, or
            if `up_to` is none of the plan's steps.
        CloudError: If the service cannot be read or changed.
    """
    start = ports.clock.now()
    candidate, baseline = _names(deployed)
    if up_to not in plan.rollout.steps:
        raise RunRefused(f"{up_to} % is no step of the plan: rollout.steps has {_listed(plan.rollout.steps)}")
    percent, seen = 0, Reprobe(polls=(), sessions=())
    for percent in _steps_left(plan, candidate, ports.cloud_run.service(), up_to):
        service = ports.cloud_run.service()
        refuse_strangers(service, (candidate, baseline))
        before = service.percent_of(candidate)
        try:
            service = ports.cloud_run.set_traffic(split(candidate, baseline, percent, service, plan.rollout))
            seen = reprobe(plan, service.tag_url(plan.rollout.candidate_tag), "candidate", ports)
        except KeyboardInterrupt:  # nobody has looked at this share: it goes back
            ports.cloud_run.set_traffic(split(candidate, baseline, before, service, plan.rollout))
            raise
        if not seen.good:
            back = all_on(baseline, service, plan.rollout, plan.rollout.baseline_tag)
            ports.cloud_run.set_traffic(back)
            percent = 0
            break
    after = ports.cloud_run.service()
    if percent == 100:
        after = ports.cloud_run.set_traffic(shares_at(percent, candidate, baseline, after, plan.rollout))
    return PromoteEvidence(
        window=Window(start=start, end=ports.clock.now()),
        candidate=candidate,
        percent=percent,
        traffic=after.traffic,
        complete=percent == 100 and after.serving() == candidate,
        polls=seen.polls,
        sessions=seen.sessions,
    )


def _steps_left(plan: Plan, candidate: str, service: ServiceState, up_to: int) -> tuple[int, ...]:
    """Return the steps above what the candidate serves already; the last one is always looked at."""
    served = service.percent_of(candidate)
    return tuple(step for step in plan.rollout.steps if served < step <= up_to or step == up_to)


def _listed(steps: tuple[int, ...]) -> str:
    return ", ".join(map(str, steps))


def _names(deployed: DeployEvidence) -> tuple[str, str]:
    if not (deployed.candidate and deployed.baseline and deployed.candidate_url):
        raise RunRefused("the run has no candidate that became ready: there is nothing to promote")
    return deployed.candidate.name, deployed.baseline.name
