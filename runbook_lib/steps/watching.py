"""Hold each revision's memory against the sessions that had ended on it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from runbook_lib.evidence import ROLES, Role
from runbook_lib.evidence.memory import MemorySample, MemoryWatch
from runbook_lib.steps.loading import Loaded


def watch_memory(series: pd.DataFrame, loaded: Loaded) -> MemoryWatch:
    """Return the memory samples of both revisions on the clock of the load.

    Args:
        series: One row per point; columns `time` (UTC), `role`, `metric`, `value` (MiB for memory).
        loaded: The load.
    """
    memory = series[series["metric"] == "memory"].dropna(subset="value")
    return MemoryWatch(
        load_s=loaded.window.seconds,
        samples={role: _samples(memory[memory["role"] == role], role, loaded) for role in ROLES},
    )


def _samples(memory: pd.DataFrame, role: Role, loaded: Loaded) -> tuple[MemorySample, ...]:
    ended_s = np.sort(loaded.figures[role].ended_s)
    began = pd.Timestamp(loaded.window.start)
    rows = memory.sort_values("time")
    ats = [(time - began).total_seconds() for time in rows["time"]]
    ended = np.searchsorted(ended_s, ats, side="right").tolist()
    return tuple(
        MemorySample(at_s=at_s, mib=float(mib), sessions=sessions)
        for at_s, mib, sessions in zip(ats, rows["value"], ended, strict=True)
    )
