"""`runbook logs`: what a run has read, and its two revisions live, as a person sees them on the terminal."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import local
import pytest
from cloud import Staging
from patience import eventually

from runbook_lib.cli.app import main
from runbook_lib.plan.file import dump_plan
from runbook_lib.run import Run

RUNBOOK = str(Path(sys.executable).parent / "runbook")


def shown_by(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Return a command's exit code, and what it wrote on stdout and stderr."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0), *capsys.readouterr()


def test_the_terminal_shows_a_runs_lines_and_follows_both_revisions_until_ctrl_c(
    staging: Staging, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    staging.create()
    plan = staging.plan(candidate={"image": "sample-agent:startup-error"})
    run = Run.start(staging.script("plan.yaml", dump_plan(plan, tmp_path)), {}, tmp_path)
    deployed = run.deploy()
    folder = str(run.folder.path)
    assert shown_by(capsys, "logs", folder) == (
        3, "", f"MissingEvidence: {folder} has read no log entries yet: run 02_logs, or use --follow\n"
    )  # fmt: skip

    out, err = tmp_path / "out", tmp_path / "err"
    environment = {**os.environ, "A_TOKEN": "swordfish-4711"}
    with out.open("w") as stdout, err.open("w") as stderr:
        following = subprocess.Popen(
            [RUNBOOK, "logs", folder, "-f"], stdout=stdout, stderr=stderr, env=environment
        )
    numbers = itertools.count()

    def ask() -> str:
        local.get(f"{deployed.candidate_url}/health?{next(numbers)}&q=swordfish-4711")
        local.get(f"{deployed.baseline_url}/nothing-here")
        return out.read_text(encoding="utf-8")

    shown = eventually(ask, lambda text: "candidate" in text and "baseline" in text, timeout_s=60)
    following.send_signal(signal.SIGINT)
    assert (following.wait(20), err.read_text()) == (0, "")
    assert "INFO     candidate  200 in " in shown
    assert "WARNING  baseline   404 in " in shown
    assert "[redacted]" in shown
    assert "swordfish" not in shown

    run.read_logs()
    code, lines, _ = shown_by(capsys, "logs", folder, "--severity", "ERROR")
    assert (code, lines.count("\n")) == (0, 1)
    assert " ERROR    candidate  " in lines
    assert shown_by(capsys, "logs", folder, "--severity", "LOUD")[0] == 2
