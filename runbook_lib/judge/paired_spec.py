"""Define what one criterion asks of the pairs, in its own unit and as the betting knows it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from runbook_lib.evidence.pairs import Grid

Kind = Literal["share", "tail", "latency", "zero"]

_SLOWEST = 1.99


@dataclass(frozen=True, kw_only=True)
class PairedSpec:
    """What one criterion asks of the pairs.

    Attributes:
        kind: `share` of bad sessions, `tail` (share of slow ones), `latency`, or `zero` (may never happen).
        tolerance: FAIL is a candidate that is worse than this for sure. A share 0 to 1 by which candidate
            exceeds baseline; for latency a ratio to the baseline's, e.g. 1.03.
        margin: PASS is a candidate that is better than this for sure; in the same unit, above the tolerance.
    """

    kind: Kind
    tolerance: float
    margin: float

    def __post_init__(self) -> None:
        if self.kind == "latency" and not 1 <= self.tolerance < self.margin <= _SLOWEST:
            raise ValueError(f"latency needs 1 <= tolerance < margin <= {_SLOWEST}, not {self}")
        if self.kind != "latency" and not 0 <= self.tolerance < self.margin < 1:
            raise ValueError(f"{self.kind} needs 0 <= tolerance < margin < 1, not {self}")
        if self.kind == "zero" and self.tolerance > 0:
            raise ValueError(f"zero tolerates nothing, not {self.tolerance:g}")

    @property
    def unit(self) -> Literal["times", "ratio"]:
        """The unit of its differences: candidate by baseline, or candidate less baseline."""
        return "times" if self.kind == "latency" else "ratio"

    @property
    def grid(self) -> Grid:
        """The grid that its pairs are counted on."""
        return "latencies" if self.kind == "latency" else "failures"

    def on_grid(self, bound: float) -> float:
        """Return a bound as the betting knows it: a share, or the log of a ratio."""
        return math.log(bound) if self.kind == "latency" else bound

    def off_grid(self, difference: float) -> float:
        """Return a difference in the unit of the criterion."""
        return math.exp(difference) if self.kind == "latency" else difference
