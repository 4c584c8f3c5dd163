"""Lay sessions out as a table, one row each; reads and writes no file."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from runbook_lib.evidence import Session


def session_table(sessions: Iterable[Session]) -> pd.DataFrame:
    """Return one row per session; columns are the fields of `evidence.Session`."""
    rows = [session.model_dump() for session in sessions]
    table = pd.DataFrame(rows, columns=list(Session.model_fields))
    return table.astype({"connect_s": float, "answer_s": float})
