"""Simulate a validation of 24 hours with a clock that is set forward, and see what memory it holds on to.

The load step, the lease and its renewals, the ledger, the live files and the evidence are the real ones; the
service, its sessions and its metrics are made up, for no clock can be set forward in another process.
`python benchmarks/chaos/day.py` prints what Python holds after the first hour and after the last.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from runbook_lib.evidence import DeployEvidence, EventSeen, RevisionState, Role, Session, TrafficShare, Window
from runbook_lib.evidence.load_figures import Counting, LoadWatch
from runbook_lib.evidence.session_table import session_table
from runbook_lib.leasing import ServiceLease
from runbook_lib.live import LiveLoad
from runbook_lib.live.cloud import LivePairs
from runbook_lib.places import LIVE
from runbook_lib.plan import Plan
from runbook_lib.ports import HttpReply, LoadJob, MetricType, Ports
from runbook_lib.recorded import RecordedCloudRun
from runbook_lib.run_folder import RunFolder
from runbook_lib.scribe import LedgerScribe
from runbook_lib.steps.metrics import measure

NOON = datetime(2026, 2, 28, 12, tzinfo=UTC)
EVENTS = ("agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed")
ROLES: tuple[Role, Role] = ("candidate", "baseline")
STATES = {
    role: RevisionState(name=f"chat-{role}", image="chat", created=NOON, ready=True, memory_limit_mib=512)
    for role in ROLES
}
DEPLOYED = DeployEvidence(
    window=Window(start=NOON, end=NOON), service_url="http://localhost", candidate=STATES["candidate"],
    baseline=STATES["baseline"], candidate_url="http://localhost:1", baseline_url="http://localhost:2",
    traffic=(TrafficShare(revision="chat-baseline", percent=100, tag="baseline"),), measurements=(),
)  # fmt: skip


@dataclass
class SetClock:
    """A clock that stands until it is set forward; `every_minute` is called on its way."""

    every_minute: Callable[[float], None] = lambda _: None
    elapsed_s: float = 0.0

    def now(self) -> datetime:
        """Return the simulated wall time."""
        return NOON + timedelta(seconds=self.elapsed_s)

    def monotonic_s(self) -> float:
        """Return the simulated seconds."""
        return self.elapsed_s

    def sleep(self, seconds: float) -> None:
        """Set the clock forward."""
        end_s = self.elapsed_s + max(0.0, seconds)
        while self.elapsed_s < end_s:
            self.elapsed_s = min(end_s, self.elapsed_s + 60)
            self.every_minute(self.elapsed_s)


@dataclass
class Service:
    """The lease that a service keeps."""

    kept: str = ""

    def lease(self) -> str:
        """Return it."""
        return self.kept

    def swap_lease(self, before: str, after: str) -> bool:
        """Replace it."""
        self.kept = after if self.kept == before else self.kept
        return self.kept == after


@dataclass
class Agents:
    """Sessions that take as long as the clock says, and are all answered."""

    clock: SetClock
    made: int = 0

    async def get(self, *_: str) -> HttpReply:
        """Say that no session is open."""
        return HttpReply(status=200, json={}, elapsed_s=0.01)

    async def load(self, job: LoadJob, watch: LoadWatch = lambda _: None) -> tuple[Session, ...]:
        """Make the sessions of one wave."""
        counting, sessions = {role: Counting() for role in job.urls}, []
        for arrival in job.arrivals:
            for role in job.urls:
                counting[role].started()
                sessions.append(_session(role, arrival.number, arrival.at_s))
                counting[role].ended(sessions[-1])
        self.made += len(sessions)
        self.clock.sleep(job.arrivals[-1].at_s)
        watch({role: each.tally() for role, each in counting.items()})
        return tuple(sessions)


class Monitoring:
    """One point a minute of each revision."""

    def read(self, _: MetricType, window: Window) -> pd.DataFrame:
        """Return the points of a window."""
        times = pd.date_range(window.start, window.end, freq="60s", inclusive="right")
        tables = [
            pd.DataFrame({"time": times, "revision": state.name, "value": 0.4, "count": 1, "label": ""})
            for state in STATES.values()
        ]
        return pd.concat(tables, ignore_index=True)


@dataclass
class Held:
    """What Python held when an hour was over: `mib` by hour, and the sessions that were made until then."""

    mib: dict[int, float] = field(default_factory=dict)
    sessions: dict[int, int] = field(default_factory=dict)


def simulate(hours: int, pairs_an_hour: int, folder: Path) -> Held:
    """Load for so many hours with so many pairs of sessions in each; return what was held after each hour."""
    plan = _plan(hours, pairs_an_hour)
    run, clock, held = RunFolder.create(folder, "day", plan), SetClock(), Held()
    scribe, agents = LedgerScribe(run, clock), Agents(clock)
    cloud = RecordedCloudRun(Service(), scribe.act, lambda: None)  # type: ignore[arg-type]
    lease = ServiceLease(cloud, "chat", run.run_id, "here", clock)

    def every_minute(elapsed_s: float) -> None:
        lease.hold()
        hour = int(elapsed_s // 3600)
        if hour and hour not in held.mib:
            gc.collect()
            held.mib[hour] = tracemalloc.get_traced_memory()[0] / 2**20
            held.sessions[hour] = agents.made

    clock.every_minute = every_minute
    ports: Any = Ports(
        cloud_run=cloud, logs=None, monitoring=Monitoring(), agents=agents, commands=None, clock=clock,
        journal=None,
    )  # type: ignore[arg-type]  # fmt: skip
    tracemalloc.start()
    try:
        with LiveLoad(run.path / LIVE) as watch, LivePairs(run, plan) as live:

            def never(pairs: Mapping[str, Any]) -> bool:
                live.enough(pairs)
                return False

            seen = measure(plan, DEPLOYED, ports, never, watch)
        run.write_evidence("metrics", seen.evidence)
        run.write_table("load_sessions", session_table(seen.sessions))
        run.write_table("series", seen.series)
    finally:
        tracemalloc.stop()
    return held


def _plan(hours: int, pairs_an_hour: int) -> Plan:
    load = {"sessions": hours * pairs_an_hour, "rate_per_s": pairs_an_hour / 3600}
    paired = {
        "id": "errors",
        "title": "e",
        "metric": "pairs.failures",
        "paired": {"tolerance": 0.01, "margin": 0.05},
    }
    return Plan.model_validate(
        {
            "issue": {"title": "A day"},
            "target": {"project": "p", "region": "r", "service": "chat"},
            "candidate": {"image": "chat"},
            "probes": {"load": load},
            "metrics": {"idle_s": 900, "drain_s": 60, "settle_s": 60},
            "criteria": [paired],
        }
    )


def _session(role: Role, number: int, at_s: float) -> Session:
    events = tuple(
        EventSeen(type=kind, at_s=0.1 * place, sequence=place) for place, kind in enumerate(EVENTS)
    )
    return Session(
        probe="load", role=role, number=number, user=f"{role}-{number}", agent="triage",
        mark=f"mark-{role}-{number}", status="answered", intended_s=at_s, connect_s=0.05, answer_s=0.5,
        session_id=f"s-{role}-{number}", user_id=f"u-{role}-{number}", revision=f"chat-{role}", events=events,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What is held on to: in KiB for each hour that passes, and for each session whose record is kept."""

    an_hour_kib: float
    a_session_kib: float


def growth(few: Held, many: Held) -> Growth:
    """Tell what passes with time from what comes with sessions, by two days with few and many of them.

    Both are looked at from the end of the first hour to the end of the last that both have seen.
    """
    last = min(max(few.mib), max(many.mib))
    (few_kib, few_sessions), (many_kib, many_sessions) = _more(few, last), _more(many, last)
    a_session_kib = (many_kib - few_kib) / (many_sessions - few_sessions)
    an_hour_kib = (few_kib - a_session_kib * few_sessions) / (last - 1)
    return Growth(an_hour_kib=an_hour_kib, a_session_kib=a_session_kib)


def _more(held: Held, last: int) -> tuple[float, int]:
    return 1024 * (held.mib[last] - held.mib[1]), held.sessions[last] - held.sessions[1]


def main() -> int:
    """Print what was held in both days."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=24)
    given, days = parser.parse_args(), []
    for pairs_an_hour in (12, 60):
        with tempfile.TemporaryDirectory() as folder:
            held = simulate(given.hours, pairs_an_hour, Path(folder))
        first, last = 1, min(given.hours, max(held.mib))
        told = ", ".join(
            f"{held.mib[hour]:.2f} MiB after hour {hour} ({held.sessions[hour]} sessions)"
            for hour in (first, last)
        )
        print(f"{pairs_an_hour} pairs of sessions an hour: {told}")
        days.append(held)
    more = growth(*days)
    print(f"{more.an_hour_kib:+.2f} KiB an hour, and {more.a_session_kib:.2f} KiB a session")
    return 0


if __name__ == "__main__":
    sys.exit(main())
