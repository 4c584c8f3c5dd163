"""Move the traffic to the candidate step by step, looking at it after each."""

from __future__ import annotations

from runbook_lib.errors import RunRefused
from runbook_lib.evidence import DeployEvidence, PromoteEvidence, Window
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports
from runbook_lib.steps.reprobe import Reprobe, reprobe
from runbook_lib.steps.traffic import all_on, refuse_strangers, split


def promote(plan: Plan, deployed: DeployEvidence, ports: Ports) -> PromoteEvidence:
    """Go through the plan's steps; at the first sign of trouble all traffic goes back to the baseline.

    Raises:
        RunRefused: If the candidate is not ready, or traffic is on a revision that this run does not know.
        CloudError: If the service cannot be read or changed.
    """
    start = ports.clock.now()
    candidate, baseline = _names(deployed)
    percent, seen = 0, Reprobe(polls=(), sessions=())
    for percent in plan.rollout.steps:
        service = ports.cloud_run.service()
        refuse_strangers(service, (candidate, baseline))
        ports.cloud_run.set_traffic(split(candidate, baseline, percent, service, plan.rollout))
        seen = reprobe(plan, deployed.candidate_url, "candidate", ports)
        if not seen.good:
            back = all_on(baseline, service, plan.rollout, plan.rollout.baseline_tag)
            ports.cloud_run.set_traffic(back)
            percent = 0
            break
    after = ports.cloud_run.service()
    if percent == 100:
        after = ports.cloud_run.set_traffic(all_on(candidate, after, plan.rollout))
    return PromoteEvidence(
        window=Window(start=start, end=ports.clock.now()),
        candidate=candidate,
        percent=percent,
        traffic=after.traffic,
        complete=percent == 100 and after.serving() == candidate,
        polls=seen.polls,
        sessions=seen.sessions,
    )


def _names(deployed: DeployEvidence) -> tuple[str, str]:
    if not (deployed.candidate and deployed.baseline and deployed.candidate_url):
        raise RunRefused("the run has no candidate that became ready: there is nothing to promote")
    return deployed.candidate.name, deployed.baseline.name
