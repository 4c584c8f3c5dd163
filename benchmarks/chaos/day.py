"""Simulate a validation of 24 hours with a clock that is set forward, and see what memory it holds on to.

The load step, the table of its sessions, the lease and its renewals, the ledger, the live files, the live log
with its streams and the evidence are the real ones; the service, its sessions, its lines and its metrics are
made up, for no clock can be set forward in another process. `python benchmarks/chaos/day.py` prints what
Python and Arrow hold when the first hours have filled all caches and at the end, and the most that it was.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import tracemalloc
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from day_log import following
from day_world import DEPLOYED, Agents, Monitoring, Service, SetClock

from runbook_lib.leasing import ServiceLease
from runbook_lib.live import LiveLoad
from runbook_lib.live.cloud import LiveFigures, LivePairs
from runbook_lib.places import LIVE
from runbook_lib.plan import Plan
from runbook_lib.ports import Ports
from runbook_lib.recorded import RecordedCloudRun
from runbook_lib.run_folder import RunFolder
from runbook_lib.scribe import LedgerScribe
from runbook_lib.steps.metrics import measure

PAIRS_AN_HOUR = (60, 240)  # a wave takes 60, the smallest look
HEARD_AN_HOUR = 12
WARM = 4


@dataclass
class Held:
    """What was held when an hour was over: `mib` by hour, and the sessions that were made until then.

    `peak_mib` is the most at any time, the end included, when measurements are made and the table is closed.
    """

    mib: dict[int, float] = field(default_factory=dict)
    sessions: dict[int, int] = field(default_factory=dict)
    peak_mib: float = 0.0


def simulate(hours: int, pairs_an_hour: int, folder: Path, heard_an_hour: int = HEARD_AN_HOUR) -> Held:
    """Load for so many hours with so many pairs of sessions in each; return what was held after each hour.

    Log lines come `heard_an_hour` times an hour.
    """
    plan = _plan(hours, pairs_an_hour)
    run, clock, held = RunFolder.create(folder, "day", plan), SetClock(), Held()
    scribe, agents = LedgerScribe(run, clock), Agents(clock)
    cloud = RecordedCloudRun(Service(), scribe.act, lambda: None)  # type: ignore[arg-type]
    lease = ServiceLease(cloud, "chat", run.run_id, "here", clock)

    def every_minute(elapsed_s: float) -> None:
        lease.hold()
        follower.hear()
        hour = int(elapsed_s // 3600)
        if hour and hour not in held.mib:
            gc.collect()
            held.mib[hour] = (tracemalloc.get_traced_memory()[0] + pa.total_allocated_bytes()) / 2**20
            held.sessions[hour] = agents.made

    ports: Any = Ports(
        cloud_run=cloud, logs=None, monitoring=Monitoring(), agents=agents, commands=None, clock=clock,
        journal=None,
    )  # type: ignore[arg-type]  # fmt: skip
    with following(clock, heard_an_hour) as follower:
        clock.every_minute = every_minute
        tracemalloc.start()
        try:
            _measure(run, plan, ports)
            held.peak_mib = tracemalloc.get_traced_memory()[1] / 2**20
        finally:
            tracemalloc.stop()
    return held


def _measure(run: RunFolder, plan: Plan, ports: Ports) -> None:
    """Do what `Run.measure` does, but for an end of the load before its budget is spent."""
    with (
        LiveFigures(run) as figures,
        LiveLoad(run.path / LIVE, figures) as watch,
        LivePairs(run, plan) as live,
        run.keep_sessions("load_sessions") as kept,
    ):

        def never(pairs: Mapping[str, Any]) -> bool:
            live.enough(pairs)
            gc.collect()  # or the peak would be a matter of when Python does it
            return False

        seen = measure(plan, DEPLOYED, ports, kept, never, watch)
    run.write_evidence("metrics", seen.evidence)
    run.write_table("series", seen.series)


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


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What is held on to, in KiB: for each hour that passes, for each session, and for it at the peak."""

    an_hour_kib: float
    a_session_kib: float
    peak_a_session_kib: float


def growth(few: Held, many: Held, since: int = WARM) -> Growth:
    """Tell what passes with time from what comes with sessions, by two days with few and many of them.

    Both are looked at from the end of hour `since` to the end of the last that both have seen.
    """
    last = min(max(few.mib), max(many.mib))
    (few_kib, few_sessions), (many_kib, many_sessions) = _more(few, since, last), _more(many, since, last)
    a_session_kib = (many_kib - few_kib) / (many_sessions - few_sessions)
    more = max(many.sessions.values()) - max(few.sessions.values())
    return Growth(
        an_hour_kib=(few_kib - a_session_kib * few_sessions) / (last - since),
        a_session_kib=a_session_kib,
        peak_a_session_kib=1024 * (many.peak_mib - few.peak_mib) / more,
    )


def _more(held: Held, since: int, last: int) -> tuple[float, int]:
    return 1024 * (held.mib[last] - held.mib[since]), held.sessions[last] - held.sessions[since]


def two_days(
    hours: int, pairs_an_hour: tuple[int, int], heard_an_hour: int = HEARD_AN_HOUR
) -> tuple[Held, Held]:
    """Simulate a day with few sessions and one with many; an hour before them has imported what they need."""
    few, many = pairs_an_hour
    with tempfile.TemporaryDirectory() as folder:
        simulate(1, few, Path(folder) / "first", heard_an_hour)
        return (
            simulate(hours, few, Path(folder) / "few", heard_an_hour),
            simulate(hours, many, Path(folder) / "many", heard_an_hour),
        )


def main() -> int:
    """Print what was held in both days."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=24)
    given = parser.parse_args()
    days = two_days(given.hours, PAIRS_AN_HOUR)
    for pairs, held in zip(PAIRS_AN_HOUR, days, strict=True):
        told = ", ".join(
            f"{held.mib[hour]:.2f} MiB after hour {hour} ({held.sessions[hour]} sessions)"
            for hour in (WARM, min(given.hours, max(held.mib)))
        )
        print(f"{pairs} pairs of sessions an hour: {told}, {held.peak_mib:.2f} MiB at most")
    more = growth(*days)
    print(
        f"{more.an_hour_kib:+.2f} KiB an hour, and {more.a_session_kib:.3f} KiB a session; "
        f"at its peak {more.peak_a_session_kib:.3f} KiB a session"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
