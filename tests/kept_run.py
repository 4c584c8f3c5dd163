"""Keep a record as a run's folder, as its steps would have left it."""

from __future__ import annotations

from pathlib import Path

from runbook_lib.judging import OBSERVED
from runbook_lib.report.record import RunRecord
from runbook_lib.run import Run
from runbook_lib.run_folder import RunFolder


def keep(record: RunRecord, root: Path, run_id: str) -> Run:
    """Write everything that a record holds below `root` and return the run."""
    folder = RunFolder.create(root, run_id, record.plan)
    run = Run(folder, record.plan)
    run.note("run started", detail="plan.yaml " + ", ".join(f"{k}={v}" for k, v in record.parameters.items()))
    for name, step in record.steps().items():
        if step is not None:
            folder.write_evidence(name, step)
        if name in OBSERVED:
            run.note("step done" if step else "step failed", step=name)
    for name, table in (
        ("load_sessions", record.load),
        ("series", record.series),
        ("run_logs", record.entries),
    ):
        if table is not None:
            folder.write_table(name, table)
    if record.verdict:
        folder.write_record("verdict.json", record.verdict)
    return run
