"""Gather from a run's folder everything that its report is made of; reaches no cloud, and judges nothing."""

from __future__ import annotations

from typing import cast

import pandas as pd

from runbook_lib.evidence import RollbackEvidence
from runbook_lib.journal import given_parameters
from runbook_lib.judging import observed, unseen
from runbook_lib.plan import Plan
from runbook_lib.rehearsal import FILE as SELF_TEST
from runbook_lib.rehearsal import SelfTested
from runbook_lib.report.record import LOAD_COLUMNS, RunRecord
from runbook_lib.run_folder import RunFolder
from runbook_lib.verdict import Verdict


def record_of(folder: RunFolder, plan: Plan) -> RunRecord:
    """Return everything that is known of a run, by what its folder holds."""
    missing = unseen(folder)
    seen = observed(folder, missing)
    return RunRecord(
        plan=plan,
        run_id=folder.run_id,
        **cast("dict[str, None]", seen),
        rollback=folder.find_evidence("rollback", RollbackEvidence),
        verdict=folder.find_record("verdict.json", Verdict),
        selftest=folder.find_record(SELF_TEST, SelfTested),
        load=folder.find_table("load_sessions", LOAD_COLUMNS),
        series=folder.find_table("series"),
        entries=entries_of(folder),
        errors=tuple(f"{step}: {why}" for step, why in missing.items()),
        parameters=given_parameters(folder.ledger()),
    )


def entries_of(folder: RunFolder) -> pd.DataFrame | None:
    """Return the log entries of the whole run, or of the start-ups alone where the run was not read."""
    whole = folder.find_table("run_logs")
    return folder.find_table("logs") if whole is None else whole
