"""Load a service until something of one user's comes in another user's stream."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from runbook_lib.agent.client import AgentClient
from runbook_lib.arrivals import Arrival, arrivals
from runbook_lib.evidence import Leak, Session
from runbook_lib.plan import Probes
from runbook_lib.ports import LoadJob
from runbook_lib.steps.isolation import leaks


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a load found.

    Attributes:
        sessions: Sessions that were made.
        answered: Those of them that were answered.
        at: Which session, in order of their start and from 1, received the first leak; None without one.
        leak: The first one.
    """

    sessions: int
    answered: int
    at: int | None = None
    leak: Leak | None = None


async def look_for_a_leak(url: str, seed: int, most: int, rate_per_s: float, look: int = 250) -> Found:
    """Make sessions, Poisson-timed, and look after every `look` of them; stop at the first leak."""
    load = {"sessions": most, "rate_per_s": rate_per_s, "seed": seed}
    probes = Probes.model_validate({"load": load, "connect_timeout_s": 10, "answer_timeout_s": 10})
    agents, coming, made = AgentClient(probes, "runbook/rare-leak", {}), arrivals(probes.load), 0
    answered = 0
    while due := list(islice(coming, look)):
        sessions = await agents.load(LoadJob(urls={"candidate": url}, arrivals=_from_now(due)))
        made += len(sessions)
        answered += sum(each.status == "answered" for each in sessions)
        if found := leaks(sessions):
            place = made - len(sessions) + _place(sessions, found[0])
            return Found(sessions=made, answered=answered, at=place, leak=found[0])
    return Found(sessions=made, answered=answered)


def _from_now(look: Sequence[Arrival]) -> tuple[Arrival, ...]:
    return tuple(dataclasses.replace(each, at_s=each.at_s - look[0].at_s) for each in look)


def _place(sessions: Sequence[Session], leak: Leak) -> int:
    return 1 + next(place for place, each in enumerate(sessions) if each.number == leak.session)
