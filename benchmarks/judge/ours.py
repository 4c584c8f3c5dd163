"""Let the product's own judge watch many simulated runs at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from world import LOOK, Asked, Observed

from runbook_lib.evidence.pairs import FURTHEST, STEPS_PER_LOG, Grid
from runbook_lib.judge.betting import evidence_needed
from runbook_lib.judge.cells import Table
from runbook_lib.judge.paired import PASS_ALPHA, weights_of
from runbook_lib.judge.risk import shares

Array = npt.NDArray[np.float64]
NEVER = math.inf
ROLLBACK_ALPHA = 0.01


@dataclass(frozen=True, kw_only=True)
class Watched:
    """After how many pairs each run was sure, as if it had not stopped before; infinite for never."""

    rollback: Array
    proceed: Array


def watch(
    asked: Sequence[Asked],
    observed: Mapping[str, Observed],
    alpha: float = ROLLBACK_ALPHA,
    pass_alpha: float = PASS_ALPHA,
) -> Watched:
    """Return when a judge who looks every 60 pairs would roll back or proceed."""
    fails, passes = [], []
    for each, share in zip(asked, shares([each.weight for each in asked]), strict=True):
        weights = weights_of(each.spec, tabled(each.spec.grid, observed[each.name]))
        fails.append(weights.against >= evidence_needed(alpha * share))
        passes.append(weights.favour >= evidence_needed(pass_alpha))
    return Watched(rollback=first(np.any(fails, axis=0)), proceed=first(np.all(passes, axis=0)))


def first(sure: npt.NDArray[np.bool_]) -> Array:
    """Return the pairs until the first look that is sure, by run."""
    return np.where(sure.any(axis=1), (sure.argmax(axis=1) + 1.0) * LOOK, NEVER)


def tabled(grid: Grid, observed: Observed) -> Table:
    """Count many runs at once, as `count_failures` and `count_latencies` count one."""
    scale = STEPS_PER_LOG if grid == "latencies" else 1
    candidate, baseline = (
        np.rint(np.float32(scale) * side).astype(np.int32) for side in (observed.candidate, observed.baseline)
    )
    runs, pairs = baseline.shape
    starts, furthest = np.arange(0, pairs, LOOK), FURTHEST[grid]
    looks, width = len(starts), 2 * furthest + 1
    step = np.clip(candidate - baseline, -furthest, furthest) + furthest
    row = np.arange(runs)[:, None] * looks + np.arange(pairs)[None] // LOOK
    cells = np.bincount((row * width + step).ravel(), minlength=runs * looks * width)
    values = baseline.astype(np.float64)
    return Table(
        cells=cells.reshape(runs, looks, width).astype(np.float64),
        lost=np.zeros((runs, looks)),
        sums=np.add.reduceat(values, starts, axis=1),
        squares=np.add.reduceat(values**2, starts, axis=1),
    )
