"""Compare finished runs: two with each other, and all of a service over time."""

from __future__ import annotations

from runbook_lib.compare.diff import diff
from runbook_lib.compare.difference import Diff, Difference
from runbook_lib.compare.history import History, history
from runbook_lib.compare.past_run import PastRun, past_run

__all__ = ["Diff", "Difference", "History", "PastRun", "diff", "history", "past_run"]
