"""A run that nobody approved ends by itself, with INVESTIGATE and with nothing changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from whole_run import Shell, quick_plan

pytestmark = pytest.mark.e2e


def test_headless_a_missing_approval_is_investigate_and_never_a_hang(tmp_path: Path, runbook: Shell) -> None:
    plan = quick_plan(tmp_path, "unapproved")
    ended = runbook("run", str(plan), "-p", "rollout.approval=required")
    assert ended.code == 10, ended.out + ended.err
    assert "not seen: deploy: waits for an approval: runbook approve " in ended.out
    (run,) = (tmp_path / "outputs").iterdir()
    assert json.loads((run / "verdict.json").read_text())["action"] == "INVESTIGATE"
    assert not [line for line in (run / "ledger.jsonl").read_text().splitlines() if '"act ' in line]
    approved = runbook("approve", str(run), "--reason", "looked at it")
    assert approved.out == f"approved: deploy of {run.name}\n"
