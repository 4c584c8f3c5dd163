"""Measure whether the latencies of a load are true: the server stands still for 500 ms every 5 s.

The truth is the server's own: it writes when each answer was sent, and what is due when is in the plan. The
percentiles that a load reports are compared with the truth's; Locust's closed loop, against the same server,
is shown beside it.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from ours import client
from peers import LOCUST_VERSION, install, locust_p99_s
from results import Result, record
from server import TOOLS, build, server

from runbook_lib.agent.load.shard import make_sessions
from runbook_lib.arrivals import arrivals
from runbook_lib.event_loop import new_event_loop
from runbook_lib.evidence.load_figures import Figures, Tallies
from runbook_lib.plan.load import Load
from runbook_lib.ports import LoadJob

COMMAND = ".venv/bin/python benchmarks/load/bench_stall.py"
STALLS = {"STALL_MS": "500", "STALL_EVERY_MS": "5000", "TRUTH": "1"}
RATE_PER_S, SECONDS, ROUNDS = 300, 30, 3
TOLERANCE = 0.1


async def reported(url: str, seed: int) -> tuple[Figures, dict[str, float]]:
    """Return what a load reports, and when each of its messages was due (monotonic)."""
    load = Load(sessions=RATE_PER_S * SECONDS, rate_per_s=RATE_PER_S, seed=seed)
    agents, probes = client("fast", load)
    job, told = LoadJob(urls={"candidate": url}, arrivals=tuple(arrivals(load))), list[Tallies]()
    called = time.monotonic()
    made = await make_sessions(agents, job, probes, told.append, load.max_open, time.time())
    assert {each.status for each in made} == {"answered"}
    return Figures.of(told[-1]["candidate"]), {each.mark: called + each.intended_s for each in made}


def truth_s(told: Path, due: dict[str, float]) -> list[float]:
    """Return how long each message really took, in order, by the server's own word."""
    lines = (line.split() for line in told.read_text().splitlines() if line.startswith("answered"))
    took = sorted(float(at) - due[mark] for _, at, mark in lines if mark in due)
    assert len(took) == len(due)
    return took


def percentile(ordered: list[float], percent: float) -> float:
    """Return the smallest value that is not below so many."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass(frozen=True, kw_only=True)
class Look:
    """The 99th percentile of one load, as reported and as it was, in seconds."""

    reported_s: float
    true_s: float

    @property
    def off(self) -> float:
        """How far the two are apart, as a share of the truth."""
        return abs(self.reported_s / self.true_s - 1)


def look(seed: int) -> Look:
    """Load the stalling server once, and say what is reported and what is true."""
    told = TOOLS / "truth.log"
    with server(settings=STALLS, told=told) as url, asyncio.Runner(loop_factory=new_event_loop) as runner:
        figures, due = runner.run(reported(url, seed))
    took = truth_s(told, due)
    seen = Look(reported_s=figures.p99_s or math.inf, true_s=percentile(took, 99))
    print(f"p99 {1000 * seen.reported_s:.1f} ms, truth {1000 * seen.true_s:.1f} ms: off by {seen.off:.1%}")
    return seen


def main() -> None:
    """Measure some times, each with arrivals of its own; the worst counts."""
    build()
    install()
    worst = max((look(seed) for seed in range(ROUNDS)), key=lambda each: each.off)
    with server(settings=STALLS) as url:
        closed_s = locust_p99_s(url, SECONDS // 2)
    print(f"Locust {LOCUST_VERSION}, closed loop: p99 {1000 * closed_s:.0f} ms")
    name = "load, p99 of a server that stalls 500 ms every 5 s: off from its own record"
    record([
        Result(
            name=name, ratio=worst.off, goal=TOLERANCE, higher_is_better=False,
            peer="the server's own record", peer_version="–", runs=ROUNDS, command=COMMAND,
            theirs=f"{1000 * worst.true_s:.0f} ms",
            ours=f"{1000 * worst.reported_s:.0f} ms (Locust: {1000 * closed_s:.0f} ms)",
        )
    ])  # fmt: skip


if __name__ == "__main__":
    main()
