"""Make sessions with our own engine as fast as it can, and print what was made, as JSON.

`ours.py sessions|chats|idle URL ENGINE COUNT [RATE]`: everything that a load of the runbook does is done: the
event contract, the search for other users' marks, a record for each session, the histograms.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from typing import Any

import psutil

from runbook_lib.agent.client import AgentClient
from runbook_lib.agent.engine import Engine
from runbook_lib.agent.fast import FastEngine
from runbook_lib.agent.load.garbage import collecting_rarely
from runbook_lib.agent.load.shard import make_sessions
from runbook_lib.agent.websockets_engine import WebsocketsEngine
from runbook_lib.arrivals import arrivals
from runbook_lib.event_loop import new_event_loop
from runbook_lib.evidence.load_figures import Figures, Tallies
from runbook_lib.plan import Probes, Protocol
from runbook_lib.plan.load import Load
from runbook_lib.ports import LoadJob, VisitEnded

AT_ONCE, AT_ONCE_BY_TLS = 2048, 128  # as many as make it fastest: 512 at once take 5 % more for each
CONNECTIONS = 1000
ENGINES: dict[str, type[Engine]] = {"fast": FastEngine, "websockets": WebsocketsEngine}
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwcm9iZSJ9.c2lnbmF0dXJl"  # noqa: S105


class LoggedIn(AgentClient):
    """A client whose users are logged in already. It checks the certificate, which SSL_CERT_FILE names."""

    began: tuple[float, float] | None = None
    """When the first session was opened, on the clock and in processor time; what came before is start-up."""

    async def login(self, *_: Any) -> str:
        """Return the one token: no peer logs in either."""
        return TOKEN

    def visit(self, base_url: str, token: str, content: str, agent: str, ended: VisitEnded) -> None:
        """Make a session; see `AgentClient`."""
        self.began = self.began or (time.perf_counter(), time.process_time())
        super().visit(base_url, token, content, agent, ended)


def client(engine: str, load: Load) -> tuple[LoggedIn, Probes]:
    """Return the client, and its plan: the sample service's protocol without the greeting."""
    probes = Probes(load=load, protocol=Protocol(greeting=None))
    return LoggedIn(probes, "runbook/benchmark", {}, ENGINES[engine]()), probes


async def sessions(url: str, engine: str, count: int, rate: float = 0) -> dict[str, Any]:
    """Make whole sessions: as many at once as it can, or so many a second."""
    at_once = AT_ONCE_BY_TLS if url.startswith("https") else AT_ONCE
    load = Load(sessions=count, rate_per_s=rate or 10_000, max_open=at_once if not rate else 5000)
    agents, probes = client(engine, load)
    told: list[Tallies] = []
    job = LoadJob(urls={"candidate": url}, arrivals=tuple(arrivals(load)))
    made = await make_sessions(agents, job, probes, told.append, load.max_open, time.time())
    assert agents.began
    took_s, used_s = time.perf_counter() - agents.began[0], time.process_time() - agents.began[1]
    assert len(made) == count
    bad = [each for each in made if each.status != "answered" or each.violations or each.foreign_marks]
    assert not bad, bad[0]
    figures = Figures.of(told[-1]["candidate"])
    return {"rate": count / took_s, "cpu_us": 1e6 * used_s / count, "lag_p99_s": figures.lag_p99_s,
            "p50_s": figures.p50_s, "p99_s": figures.p99_s, "valid": figures.valid}  # fmt: skip


async def chats(url: str, engine: str, count: int) -> dict[str, Any]:
    """Chat on connections that stay open."""
    agents, _ = client(engine, Load())
    open_ = [await agents.connect(url, TOKEN) for _ in range(CONNECTIONS)]
    began, used = time.perf_counter(), time.process_time()

    async def go_on(chat: Any, number: int) -> None:
        for turn in range(count // CONNECTIONS):
            answer = await chat.chat(f"candidate-load-u{number}t{turn}", "triage")
            assert (answer.status, answer.violations) == ("answered", ()), answer

    with collecting_rarely():
        await asyncio.gather(*(go_on(chat, number) for number, chat in enumerate(open_)))
    took_s, used_s = time.perf_counter() - began, time.process_time() - used
    await asyncio.gather(*(chat.close() for chat in open_))
    return {"rate": count / took_s, "cpu_us": 1e6 * used_s / count}


async def idle(url: str, engine: str, count: int) -> dict[str, Any]:
    """Open connections and leave them open."""
    agents, _ = client(engine, Load())
    held = [await agents.connect(url, TOKEN)]
    before = psutil.Process().memory_info().rss
    for _ in range(count // 100):
        held += await asyncio.gather(*(agents.connect(url, TOKEN) for _ in range(100)))
    bytes_each = (psutil.Process().memory_info().rss - before) / (len(held) - 1)
    return {"bytes": bytes_each, "per_gb": 1e9 / bytes_each}


def main() -> None:
    """Do as the arguments say."""
    what, url, engine, count, *rate = sys.argv[1:]
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    ways: dict[str, Any] = {"sessions": sessions, "chats": chats, "idle": idle}
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        print(json.dumps(runner.run(ways[what](url, engine, int(count), *map(float, rate)))))


if __name__ == "__main__":
    main()
