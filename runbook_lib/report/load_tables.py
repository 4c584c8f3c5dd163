"""Turn the figures of a load into a table; computes nothing."""

from __future__ import annotations

import pandas as pd

from runbook_lib.evidence.load_figures import Figures, LoadProgress
from runbook_lib.report.tables import table_of
from runbook_lib.report.text import milliseconds

_COLUMNS = ("Revision", "Ended", "Open", "Failed", "p50", "p95", "p99", "Own lag p99")


def progress(seen: LoadProgress) -> pd.DataFrame:
    """Return one row per revision: sessions, and percentiles from the intended start to the final event."""
    return table_of(_COLUMNS, (_row(role, figures) for role, figures in seen.roles.items()))


def _row(role: str, figures: Figures) -> tuple[object, ...]:
    times = (figures.p50_s, figures.p95_s, figures.p99_s, figures.lag_p99_s)
    return (role, figures.ended, figures.open, figures.failed, *map(milliseconds, times))
