"""Latencies of a load are true where the service stands still: what waits for a session's start counts."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_service import PATIENCE_S
from stalling_server import STALL_S

from runbook_lib.agent.client import AgentClient
from runbook_lib.agent.load import make_load  # noqa: F401 - the client would import it on the load's time
from runbook_lib.arrivals import arrivals
from runbook_lib.evidence.load_figures import Figures, Tallies
from runbook_lib.plan import Probes
from runbook_lib.plan.load import Load
from runbook_lib.ports import LoadJob

SERVER = Path(__file__).parent / "stalling_server.py"


@pytest.fixture
def stalling() -> Iterator[subprocess.Popen[str]]:
    """The server, as a process."""
    with subprocess.Popen([sys.executable, SERVER], stdout=subprocess.PIPE, text=True) as server:
        yield server
        server.kill()


async def test_the_reported_p99_is_that_of_the_servers_own_record(stalling: subprocess.Popen[str]) -> None:
    assert stalling.stdout is not None
    url, load = stalling.stdout.readline().strip(), Load(sessions=120, rate_per_s=40)
    job, told = LoadJob(urls={"candidate": url}, arrivals=tuple(arrivals(load))), list[Tallies]()
    called = time.monotonic()
    async with asyncio.timeout(3 * PATIENCE_S):
        made = await AgentClient(Probes(load=load), "runbook/truth", {}).load(job, told.append)
    stalling.kill()
    answered_at = {mark: float(at) for at, mark in (line.split() for line in stalling.stdout)}
    took_s = sorted(answered_at[each.mark] - called - each.intended_s for each in made)
    true_s = took_s[math.ceil(0.99 * len(took_s)) - 1]
    assert (
        true_s > 0.8 * STALL_S
    )  # and a client that starts its clock with the connection would see none of it
    assert Figures.of(told[-1]["candidate"]).p99_s == pytest.approx(true_s, rel=0.1)
