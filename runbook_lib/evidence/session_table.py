"""Lay sessions out as a table, one row each; reads and writes no file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from operator import attrgetter

import numpy as np
import pandas as pd

from runbook_lib.evidence import Session


def session_table(sessions: Iterable[Session]) -> pd.DataFrame:
    """Return one row per session; columns are the fields of `evidence.Session`."""
    rows = list(sessions)
    columns = {each.name: list(map(attrgetter(each.name), rows)) for each in fields(Session)}
    columns["events"] = [tuple(map(asdict, events)) for events in columns["events"]]
    times = {name: np.array(columns[name], dtype=float) for name in ("connect_s", "answer_s")}
    return pd.DataFrame(columns | times)
