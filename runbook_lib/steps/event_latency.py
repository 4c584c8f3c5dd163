"""Sum up how long each kind of event took after the one before it; judges nothing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from runbook_lib.evidence import EventLatency, Role, Session


def event_latencies(sessions: Iterable[Session]) -> tuple[EventLatency, ...]:
    """Return one row for each role and event, in the order in which they first came, over whole answers."""
    waits: dict[tuple[Role, str], list[float]] = {}
    for session in sessions:
        if session.status == "answered":
            before_s = 0.0
            for event in session.events:
                waits.setdefault((session.role, event.type), []).append(event.at_s - before_s)
                before_s = event.at_s
    return tuple(_row(role, event, np.array(seconds)) for (role, event), seconds in waits.items())


def _row(role: Role, event: str, seconds: npt.NDArray[np.float64]) -> EventLatency:
    median_s, p95_s, max_s = (float(value) for value in np.quantile(seconds, (0.5, 0.95, 1.0)))
    return EventLatency(
        role=role, event=event, samples=len(seconds), median_s=median_s, p95_s=p95_s, max_s=max_s
    )
