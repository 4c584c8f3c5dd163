"""The world of a day that is simulated: a clock to be set forward, and a service that is made up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd

from runbook_lib.evidence import (
    ROLES,
    DeployEvidence,
    EventSeen,
    RevisionState,
    Role,
    Session,
    TrafficShare,
    Window,
)
from runbook_lib.evidence.load_figures import Counting, LoadWatch
from runbook_lib.ports import HttpReply, LoadJob, MetricType

NOON = datetime(2026, 2, 28, 12, tzinfo=UTC)
EVENTS = ("agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed")
STATES = {
    role: RevisionState(name=f"chat-{role}", image="chat", created=NOON, ready=True, memory_limit_mib=512)
    for role in ROLES
}
DEPLOYED = DeployEvidence(
    window=Window(start=NOON, end=NOON), service_url="http://localhost", candidate=STATES["candidate"],
    baseline=STATES["baseline"], candidate_url="http://localhost:1", baseline_url="http://localhost:2",
    traffic=(TrafficShare(revision="chat-baseline", percent=100, tag="baseline"),), measurements=(),
)  # fmt: skip


def good_session(role: Role, number: int, at_s: float) -> Session:
    """Return a session that was answered."""
    events = tuple(
        EventSeen(type=kind, at_s=0.1 * place, sequence=place) for place, kind in enumerate(EVENTS)
    )
    return Session(
        probe="load", role=role, number=number, user=f"{role}-{number}", agent="triage",
        mark=f"mark-{role}-{number}", status="answered", intended_s=at_s, connect_s=0.05, answer_s=0.5,
        session_id=f"s-{role}-{number}", user_id=f"u-{role}-{number}", revision=f"chat-{role}", events=events,
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
    """Sessions that take as long as the clock says; all are answered, unless they are made otherwise."""

    clock: SetClock
    make: Callable[[Role, int, float], Session] = good_session
    made: int = 0

    async def get(self, *_: str) -> HttpReply:
        """Say that no session is open."""
        return HttpReply(status=200, json={}, elapsed_s=0.01)

    async def load(self, job: LoadJob, watch: LoadWatch = lambda _: None) -> tuple[Session, ...]:
        """Make the sessions of one wave."""
        self.clock.sleep(job.arrivals[-1].at_s)
        counting, sessions = {role: Counting() for role in job.urls}, []
        for arrival in job.arrivals:
            for role in job.urls:
                counting[role].started()
                sessions.append(self.make(role, arrival.number, arrival.at_s))
                counting[role].ended(sessions[-1])
        self.made += len(sessions)
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
