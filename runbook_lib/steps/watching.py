"""Hold each revision's memory against the sessions that had ended on it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import pandas as pd

from runbook_lib.evidence import Role, Session
from runbook_lib.evidence.memory import MemorySample, MemoryWatch
from runbook_lib.steps.loading import Loaded

_ROLES: tuple[Role, Role] = ("candidate", "baseline")


def watch_memory(series: pd.DataFrame, loaded: Loaded) -> MemoryWatch:
    """Return the memory samples of both revisions on the clock of the load.

    Args:
        series: One row per point; columns `time` (UTC), `role`, `metric`, `value` (MiB for memory).
        loaded: The load.
    """
    memory = series[series["metric"] == "memory"].dropna(subset="value")
    return MemoryWatch(
        load_s=loaded.window.seconds,
        samples={role: _samples(memory[memory["role"] == role], role, loaded) for role in _ROLES},
    )


def _samples(memory: pd.DataFrame, role: Role, loaded: Loaded) -> tuple[MemorySample, ...]:
    ended = sorted(_ended_s(session) for session in loaded.sessions if session.role == role)
    began = pd.Timestamp(loaded.window.start)
    rows = memory.sort_values("time")
    ats: Sequence[float] = [(time - began).total_seconds() for time in rows["time"]]
    return tuple(
        MemorySample(at_s=at_s, mib=float(mib), sessions=bisect_right(ended, at_s))
        for at_s, mib in zip(ats, rows["value"], strict=True)
    )


def _ended_s(session: Session) -> float:
    return session.intended_s + (session.connect_s or 0.0) + (session.answer_s or 0.0)
