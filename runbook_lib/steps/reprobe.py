"""Look at a service again, by its public URL, after its traffic was changed."""

from __future__ import annotations

from dataclasses import dataclass

from runbook_lib.errors import AgentError
from runbook_lib.evidence import HealthPoll, Role, Session
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports
from runbook_lib.sessions import Attempt
from runbook_lib.steps.prober import health_poll
from runbook_lib.steps.waiting import run_to_end

_POLLS = 3
_SESSIONS = 2
_FIRST_USER = 9001


@dataclass(frozen=True, kw_only=True)
class Reprobe:
    """What came back; `good` says that every poll was healthy and every session answered."""

    polls: tuple[HealthPoll, ...]
    sessions: tuple[Session, ...]

    @property
    def good(self) -> bool:
        """Say whether nothing was amiss."""
        polls = all(poll.status == 200 and not (poll.failing or poll.detail) for poll in self.polls)
        return polls and all(session.status == "answered" for session in self.sessions)


def reprobe(plan: Plan, url: str, role: Role, ports: Ports) -> Reprobe:
    """Make a few health polls and golden-path sessions, one after the other."""
    return run_to_end(_reprobe(plan, url, role, ports))


async def _reprobe(plan: Plan, url: str, role: Role, ports: Ports) -> Reprobe:
    polls = [await ports.agents.get(url, plan.probes.health.path) for _ in range(_POLLS)]
    sessions = [await _session(url, _attempt(plan, role, number), ports) for number in range(_SESSIONS)]
    return Reprobe(
        polls=tuple(health_poll(role, float(at), poll, plan.probes.health) for at, poll in enumerate(polls)),
        sessions=tuple(sessions),
    )


def _attempt(plan: Plan, role: Role, number: int) -> Attempt:
    user_number = _FIRST_USER + number
    return Attempt(
        probe="reprobe",
        role=role,
        number=number,
        user_number=user_number,
        user=plan.probes.auth.user.replace("{n}", str(user_number)),
        agent=plan.probes.agents[0],
    )


async def _session(url: str, attempt: Attempt, ports: Ports) -> Session:
    clock = ports.clock
    try:
        token = await ports.agents.login(url, attempt.user)
    except AgentError as error:
        return attempt.login_failed(error)
    start_s = clock.monotonic_s()
    try:
        chat = await ports.agents.connect(url, token)
    except AgentError as error:
        return attempt.not_connected(error)
    connect_s = clock.monotonic_s() - start_s
    try:
        answer = await chat.chat(attempt.mark, attempt.agent)
    finally:
        await chat.close()
    return attempt.ended(answer, chat=chat, connect_s=connect_s)
