"""Ask the service itself how many sessions it holds open."""

from __future__ import annotations

from runbook_lib.dotted import at_path
from runbook_lib.evidence import Role
from runbook_lib.plan import Plan, Probes
from runbook_lib.ports import Ports
from runbook_lib.steps.waiting import run_to_end


def open_sessions(plan: Plan, urls: dict[Role, str], ports: Ports) -> dict[Role, int | None]:
    """Return the health endpoint's count for each role; None where it gives none."""
    return {role: run_to_end(count_sessions(plan.probes, url, ports)) for role, url in urls.items()}


async def count_sessions(probes: Probes, url: str, ports: Ports) -> int | None:
    """Return the health endpoint's count; None where it gives none."""
    reply = await ports.agents.get(url, probes.health.path)
    found = at_path(reply.json, probes.health.sessions_field)
    return found if isinstance(found, int) else None
