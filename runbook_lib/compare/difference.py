"""Define what a comparison of two runs comes to: changes, and what chance explains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from runbook_lib.report import tables

ABSENT = "(not there)"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that is not the same in two runs.

    Attributes:
        group: `plan`, `versions`, `revisions`, `verdict`, `criteria`, `tests`, `values`, `latencies`, `logs`.
        what: Path of a field, id of a criterion, name of a test, metric, text of a log line.
        before: What it is in the first run, in words; `after` likewise in the second.
        why: Why it counts, or why chance explains it; empty where that needs no words.
        counts: Whether chance does not explain it.
    """

    group: str
    what: str
    before: str
    after: str
    why: str = ""
    counts: bool = True


Comparison = Callable[[float], Difference | None]
"""Compares two values, given the chance of calling chance a change; None where they are equal."""


@dataclass(frozen=True, kw_only=True)
class Diff:
    """What differs between two runs of a service.

    Attributes:
        before, after: The runs' ids.
        changes: What chance does not explain, in the order of the groups.
        within_noise: What is not equal, and chance explains it.
        alpha: The chance that any number stands among the changes by mistake, at most.
    """

    before: str
    after: str
    changes: tuple[Difference, ...]
    within_noise: tuple[Difference, ...]
    alpha: float

    def sentence(self) -> str:
        """Return in a sentence how much differs."""
        noise = len(self.within_noise)
        rest = (
            f"{noise} {'value is' if noise == 1 else 'values are'} not equal, within what chance explains"
            if noise
            else "every value is the same"
        )
        if not self.changes:
            return f"Nothing differs beyond chance; {rest}"
        count = len(self.changes)
        differs = "1 thing differs" if count == 1 else f"{count} things differ"
        return f"{differs}; nothing else does beyond chance; {rest}"

    def table(self, differences: tuple[Difference, ...]) -> pd.DataFrame:
        """Return one row per difference, cleaned of what a reader must not obey."""
        columns = ("Part", "What", self.before, self.after, "Why")
        rows = ((d.group, d.what, d.before, d.after, d.why) for d in differences)
        return tables.table_of(columns, rows)
