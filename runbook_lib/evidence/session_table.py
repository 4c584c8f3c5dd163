"""Lay sessions out as a table, one row each; reads and writes no file."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from runbook_lib.evidence import Session


def session_table(sessions: Iterable[Session]) -> pd.DataFrame:
    """Return one row per session; columns are the fields of `evidence.Session`."""
    rows = [session.model_dump() for session in sessions]
    columns = {name: [row[name] for row in rows] for name in Session.model_fields}
    times = {name: np.array(columns[name], dtype=float) for name in ("connect_s", "answer_s")}
    return pd.DataFrame(columns | times)
