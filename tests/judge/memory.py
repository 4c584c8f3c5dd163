"""Make memory series as revisions show them: a sawtooth, noise, and what a test adds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runbook_lib.judge.floors import MemoryPoint
from runbook_lib.judge.leak import LeakSeries

PERIOD_MIN = 5 / 60
SAWTOOTH_MIB = 10.0


def nothing(at: float) -> float:
    """Add no memory."""
    return 0.0


def revision(
    minutes: float,
    *,
    seed: int,
    leak: float = 0.0,
    cycle_min: float = 1.0,
    extra: Callable[[float], float] = nothing,
    period_min: float = PERIOD_MIN,
) -> tuple[MemoryPoint, ...]:
    """Return 200 ± 5 MiB in teeth, noise of 1 MiB, `leak` MiB a minute, and `extra` by the minute."""
    chance = np.random.default_rng(seed)
    times = np.arange(0, minutes, period_min)
    phase = chance.uniform()
    tooth = SAWTOOTH_MIB * ((times / cycle_min + phase) % 1)
    noise = chance.standard_normal(len(times))
    memory = 195 + tooth + noise + leak * times + [extra(at) for at in times]
    return points(times, memory)


def points(at: Sequence[float] | np.ndarray, mib: Sequence[float] | np.ndarray) -> tuple[MemoryPoint, ...]:
    """Return samples of memory."""
    return tuple(MemoryPoint(at=float(x), mib=float(y)) for x, y in zip(at, mib, strict=True))


def pair(minutes: float, leak: float, *, seed: int = 1, **both: Any) -> LeakSeries:
    """Return a candidate that leaks beside a baseline that does not."""
    return LeakSeries(
        candidate=revision(minutes, seed=2 * seed, leak=leak, **both),
        baseline=revision(minutes, seed=2 * seed + 1, **both),
    )
