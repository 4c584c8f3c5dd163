"""Many services in one call: each whole run gets the verdict of its own candidate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from whole_run import QUICK, Shell

pytestmark = pytest.mark.e2e

EXPECTED = {"healthy": "PROCEED_TO_PRODUCTION", "unhealthy": "ROLLBACK"}


def test_two_services_in_one_call_get_each_its_own_verdict(tmp_path: Path, runbook: Shell) -> None:
    """`python benchmarks/chaos/fleet.py` does it with twenty at once."""
    plans = []
    for image in EXPECTED:
        plans.append(tmp_path / f"all-{image}.yaml")
        target, candidate = f"{{service: all-{image}}}", f"{{image: sample-agent:{image}}}"
        plans[-1].write_text(f"extends: {QUICK}\ntarget: {target}\ncandidate: {candidate}\n")
    ended = runbook("run-all", *map(str, plans), "-p", f"report.folder={tmp_path / 'outputs'}")
    assert ended.code == 20, ended.out + ended.err
    verdicts = [json.loads(file.read_text()) for file in tmp_path.glob("outputs/*/verdict.json")]
    told = {verdict["service"]: verdict["action"] for verdict in verdicts}
    assert told == {f"all-{image}": action for image, action in EXPECTED.items()}
    assert not any(verdict["not_seen"] for verdict in verdicts if verdict["service"] == "all-healthy")
