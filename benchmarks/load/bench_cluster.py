"""Make 20,000 sessions by two Dask workers: the counts of one process, also when a worker is killed.

The workers are started here and end here; load goes to 127.0.0.1 only. Takes two minutes.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import psutil
from distributed import LocalCluster
from results import Result, record
from server import build, server

from runbook_lib.agent.client import AgentClient
from runbook_lib.arrivals import arrivals
from runbook_lib.evidence import Session
from runbook_lib.evidence.load_figures import Tallies
from runbook_lib.plan import Probes, Protocol
from runbook_lib.plan.load import Load
from runbook_lib.ports import LoadJob

COMMAND = ".venv/bin/python benchmarks/load/bench_cluster.py"
SESSIONS, RATE_PER_S, USERS = 10_000, 400, 100
"""On each of two revisions; the test users take turns."""


async def made(url: str, watch: Any, **how: Any) -> tuple[Session, ...]:
    """Return all sessions of the load, both revisions together."""
    load = Load(sessions=SESSIONS, rate_per_s=RATE_PER_S, users=USERS, **how)
    probes = Probes(load=load, protocol=Protocol(greeting=None))
    job = LoadJob(urls={"candidate": url, "baseline": url}, arrivals=tuple(arrivals(load)))
    return await AgentClient(probes, "runbook/cluster", {}).load(job, watch)


def counts(sessions: tuple[Session, ...]) -> dict[str, Any]:
    """Return what has to be the same however the sessions were made."""
    assert len({(each.role, each.number) for each in sessions}) == len(sessions)
    bad = [each for each in sessions if each.violations or each.foreign_marks or each.detail]
    assert not bad, bad[0]
    return {
        "sessions": len(sessions),
        "roles": Counter(each.role for each in sessions),
        "status": Counter(each.status for each in sessions),
        "marks": {each.mark for each in sessions},
        "events": Counter(event.type for each in sessions for event in each.events),
    }


class Killer:
    """Kills a worker once half of the sessions have ended; keeps what was told last."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        self.killed = 0
        self.last: Tallies = {}

    def __call__(self, tallies: Tallies) -> None:
        """Take what was counted so far."""
        self.last = tallies
        ended = sum(tally.ended for tally in tallies.values())
        if not self.killed and SESSIONS < ended < 2 * SESSIONS:
            self.killed = next(iter(self._cluster.workers.values())).pid
            psutil.Process(self.killed).kill()
            print(f"killed a worker after {ended:,} sessions", flush=True)


def main() -> None:
    """Compare the three ways."""
    build()
    with server() as url, LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        killer, seen = Killer(cluster), {}
        ways: dict[str, tuple[Any, dict[str, Any]]] = {
            "one process": (lambda _: None, {"processes": 1}),
            "two workers": (lambda _: None, {"scheduler": cluster.scheduler_address}),
            "a worker killed": (killer, {"scheduler": cluster.scheduler_address}),
        }
        for name, (watch, how) in ways.items():
            began = time.monotonic()
            seen[name] = counts(asyncio.run(made(url, watch, **how)))
            shown = {key: seen[name][key] for key in ("sessions", "roles", "status")}
            print(f"{name}: {shown}, {time.monotonic() - began:.0f} s", flush=True)
    assert killer.killed
    told = sum(tally.ended for tally in killer.last.values())
    same = [way == seen["one process"] for way in seen.values()]
    print(f"the same counts: {all(same)}; told at the end {told:,} of {2 * SESSIONS:,}")
    assert all(same)
    assert told == 2 * SESSIONS
    name = "load, sessions by two Dask workers of which one is killed in the middle"
    record([
        Result(
            name=name, ratio=told / (2 * SESSIONS),
            goal=1.0, higher_is_better=True, peer="one process", peer_version="–", runs=1, command=COMMAND,
            ours=f"{seen['a worker killed']['sessions']:,}", theirs=f"{seen['one process']['sessions']:,}",
        )
    ])  # fmt: skip


if __name__ == "__main__":
    main()
