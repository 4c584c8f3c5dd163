"""Hold a deployment that calls itself done against what the service says, and against one answer."""

from __future__ import annotations

from collections.abc import Sequence

from runbook_lib.dotted import at_path
from runbook_lib.evidence import RevisionState, ServiceState, TrafficShare
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports
from runbook_lib.steps.traffic import same_traffic, traffic_words
from runbook_lib.steps.waiting import run_to_end


def contradiction(
    plan: Plan, candidate: RevisionState | None, baseline: RevisionState, service: ServiceState
) -> str:
    """Return what contradicts a deployment that calls itself done, or an empty text."""
    if candidate is None:
        return "no revision came into being"
    if not candidate.ready:
        return f"{candidate.name} is not ready: {candidate.message}"
    if plan.candidate.image and candidate.image != plan.candidate.image:
        return f"{candidate.name} runs {candidate.image}, not {plan.candidate.image}"
    if service.percent_of(baseline.name) != 100:
        now = service.serving() or "nothing"
        return f"the deployment moved the traffic from {baseline.name} to {now}, which was put right"
    return ""


def misrouted(
    plan: Plan, candidate: RevisionState, asked: Sequence[TrafficShare], service: ServiceState, ports: Ports
) -> str:
    """Return where traffic or tag lead otherwise than asked, or who else answers at the candidate's URL."""
    if not same_traffic(asked, service.traffic):
        return (
            f"the traffic was to be {traffic_words(asked)}, the service says {traffic_words(service.traffic)}"
        )
    if not plan.probes.health.revision_field:
        return ""
    url = service.tag_url(plan.rollout.candidate_tag)
    reply = run_to_end(ports.agents.get(url, plan.probes.health.path))
    answered = at_path(reply.json, plan.probes.health.revision_field)
    if isinstance(answered, str) and answered and answered != candidate.name:
        return f"{answered} answers at the tag {plan.rollout.candidate_tag}, not {candidate.name}"
    return ""
