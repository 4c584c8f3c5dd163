"""Read from a run's folder how far it is: what is done, what runs, how long it took the last time."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from runbook_lib.errors import RunbookError
from runbook_lib.places import LIVE
from runbook_lib.run_folder import LedgerEntry, RunFolder

_RUNS_LOOKED_AT = 20


@dataclass(frozen=True, kw_only=True)
class StepState:
    """How a step stands. `state` is `to do`, `running`, `done` or `failed`.

    Attributes:
        since: When it began; None for one that nobody has begun.
        took_s: How long it took; None while it has not ended.
        detail: Why it failed.
    """

    state: str
    since: datetime | None = None
    took_s: float | None = None
    detail: str = ""


def step_state(ledger: Sequence[LedgerEntry], step: str) -> StepState:
    """Return how a step stands by the last that the ledger says of it."""
    mine = [entry for entry in ledger if entry.step == step and entry.event.startswith("step ")]
    begun = next((entry for entry in reversed(mine) if entry.event == "step started"), None)
    if begun is None:
        return StepState(state="to do")
    if mine[-1] is begun:
        return StepState(state="running", since=begun.time)
    took_s = (mine[-1].time - begun.time).total_seconds()
    state = "done" if mine[-1].event == "step done" else "failed"
    return StepState(state=state, since=begun.time, took_s=took_s, detail=mine[-1].detail)


def took_last_time(folder: RunFolder, step: str) -> float | None:
    """Return how many seconds a step took in the newest run of this kind that did it, or None."""
    kind = _kind(folder.path)
    others = sorted((path for path in folder.path.parent.glob("*/") if _kind(path) == kind), reverse=True)
    for path in [folder.path, *others[:_RUNS_LOOKED_AT]]:
        with contextlib.suppress(RunbookError):  # a ledger that cannot be read tells no time
            state = step_state(RunFolder(path).ledger(), step)
            if state.state == "done":
                return state.took_s
    return None


def said_now(folder: RunFolder) -> str:
    """Return what the running step says of itself, or an empty text."""
    with contextlib.suppress(OSError):
        return (folder.path / LIVE).read_text(encoding="utf-8")
    return ""


def _kind(path: Path) -> str:
    """Return what a run folder's name says beside its time and its random end: the issue or the service."""
    return path.name[len("20261126-094500-") :].rpartition("-")[0]
