"""Probe candidate and baseline with users of our own: health, golden path, isolation, factory, clauses."""

from __future__ import annotations

import asyncio
import dataclasses

from runbook_lib.evidence import ROLES, DeployEvidence, ProbesEvidence, Role, Session, Window
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports
from runbook_lib.steps.event_latency import event_latencies
from runbook_lib.steps.isolation import leaks
from runbook_lib.steps.prober import Prober, Seen, Watch
from runbook_lib.steps.probes_measure import bad_sessions, measure
from runbook_lib.steps.revision_log import leaves_it_open, logged_requests
from runbook_lib.steps.waiting import run_to_end

_KEPT = 40  # of each kind and role


def observe_probes(
    plan: Plan, deploy: DeployEvidence, ports: Ports, watch: Watch | None = None
) -> tuple[ProbesEvidence, tuple[Session, ...]]:
    """Probe both revisions at the same time; return the evidence and every session made.

    Args:
        watch: Told each session when it has its answer, or will get none; those of the clauses are not told.
    """
    return run_to_end(probe(plan, deploy, ports, watch))


async def probe(
    plan: Plan, deploy: DeployEvidence, ports: Ports, watch: Watch | None = None
) -> tuple[ProbesEvidence, tuple[Session, ...]]:
    """Do what `observe_probes` does, from within a running loop."""
    started = ports.clock.now()
    both = await asyncio.gather(*(_look(role, plan, deploy, ports, watch) for role in ROLES))
    window = Window(start=started, end=ports.clock.now())
    evidence = ProbesEvidence(
        window=window,
        measurements=tuple(each for seen in both for each in measure(plan.probes, seen, window)),
        notes=tuple(seen.absent for seen in both if seen.absent),
        polls=tuple(poll for seen in both for poll in seen.polls),
        bad_sessions=tuple(bad for seen in both for bad in bad_sessions(seen)[:_KEPT]),
        example=_example(both[0]),
        clauses=tuple(clause.seen for seen in both for clause in seen.tried),
        leaks=tuple(leak for seen in both for leak in leaks(seen.sessions)[:_KEPT]),
        event_latencies=tuple(row for seen in both for row in event_latencies(seen.sessions)),
    )
    return evidence, tuple(session for seen in both for session in seen.sessions)


async def _look(role: Role, plan: Plan, deploy: DeployEvidence, ports: Ports, watch: Watch | None) -> Seen:
    url = deploy.candidate_url if role == "candidate" else deploy.baseline_url
    state = deploy.candidate if role == "candidate" else deploy.baseline
    if not url:
        return Seen(role=role, absent=_why_absent(role, deploy))
    started, name = ports.clock.now(), state.name if state else ""
    seen = await Prober(role, url, plan.probes, ports, name, watch).run()
    if not name or not leaves_it_open(seen):
        return seen
    window = Window(start=started, end=ports.clock.now())
    logged = await asyncio.to_thread(logged_requests, plan, url, name, window, ports)
    return dataclasses.replace(seen, logged=logged)


def _why_absent(role: Role, deploy: DeployEvidence) -> str:
    if role == "candidate":
        return "the candidate has no URL, since it never became ready; it was not probed"
    if deploy.baseline is None:
        return "there is no baseline to probe: this is the service's first revision"
    return "the baseline has no URL of its own; it was not probed"


def _example(seen: Seen) -> Session | None:
    bad = bad_sessions(seen)
    good = next((session for session in seen.sessions if session not in bad), None)
    return good or next(iter(seen.sessions), None)
