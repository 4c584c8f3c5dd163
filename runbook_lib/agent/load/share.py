"""Share a load out: a share is some of its pairs, made by the same function wherever that runs."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from runbook_lib.agent.client import AgentClient
from runbook_lib.agent.engine import Engine
from runbook_lib.agent.fast import FastEngine
from runbook_lib.agent.load.attempts import user_index
from runbook_lib.agent.load.shard import make_sessions
from runbook_lib.agent.websockets_engine import WebsocketsEngine
from runbook_lib.event_loop import new_event_loop
from runbook_lib.evidence import Session
from runbook_lib.evidence.load_figures import LoadWatch
from runbook_lib.plan import Probes
from runbook_lib.plan.load import Load
from runbook_lib.ports import LoadJob

SESSIONS_PER_S = 1000
"""So many sessions a second one process takes: about a third of what it could, so that it is never late."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """What somebody has to know to make a share; no secret is in it.

    Attributes:
        called_s: When the load was asked for, in seconds since the epoch.
        max_open: Sessions open at the same time at most.
    """

    probes: Probes
    user_agent: str
    job: LoadJob
    called_s: float
    max_open: int

    @property
    def limit_s(self) -> float:
        """Seconds after which it has ended, whatever the service does."""
        last_s = max((each.at_s + each.gap_s for each in self.job.arrivals), default=0.0)
        paths = len(self.job.http_paths) * self.probes.connect_timeout_s
        return last_s + 4 * self.probes.connect_timeout_s + self.probes.answer_timeout_s + paths + 60


@dataclass(frozen=True, kw_only=True)
class ShareOut:
    """How a load is shared out.

    Attributes:
        environment: Where secrets are looked up by the processes of this machine.
    """

    probes: Probes
    user_agent: str
    environment: Mapping[str, str] = field(repr=False)

    def shares(self, job: LoadJob, of: int) -> tuple[Share, ...]:
        """Return at most `of` shares; all sessions of a user are in the same one."""
        load, called_s = self.probes.load, time.time()
        mine = [
            tuple(each for each in job.arrivals if user_index(each.number, self.probes) % of == place)
            for place in range(of)
        ]
        return tuple(
            Share(
                probes=self.probes, user_agent=self.user_agent, called_s=called_s,
                job=dataclasses.replace(job, arrivals=arrivals), max_open=max(1, load.max_open // of),
            )
            for arrivals in mine
            if arrivals
        )  # fmt: skip


def engine_of(load: Load) -> Engine:
    """Return the engine that the plan chooses."""
    return WebsocketsEngine() if load.engine == "websockets" else FastEngine()


def processes_for(load: Load, roles: int) -> int:
    """Return how many processes of this machine share the load."""
    fastest_per_s = max([load.rate_per_s, *(stage.rate_per_s for stage in load.stages)])
    needed = math.ceil(roles * fastest_per_s / SESSIONS_PER_S)
    return load.processes or min(needed, len(os.sched_getaffinity(0)))


async def make_here(share: Share, environment: Mapping[str, str], watch: LoadWatch) -> tuple[Session, ...]:
    """Make a share in the loop that is running."""
    engine = engine_of(share.probes.load)
    agents = AgentClient(share.probes, share.user_agent, environment, engine)
    try:
        return await make_sessions(agents, share.job, share.probes, watch, share.max_open, share.called_s)
    finally:
        engine.close()


def make_alone(share: Share, environment: Mapping[str, str], watch: LoadWatch) -> tuple[Session, ...]:
    """Make a share in a loop of its own, as processes and workers do."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(make_here(share, environment, watch))
