"""A disk that is full or cannot be written ends a run with a clear error; nothing is changed after that."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import NotFound
from google.cloud import run_v2
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from whole_run import QUICK, ROOT, Shell, quick_plan

from runbook_lib.gcp.channels import channel_to
from runbook_lib.plan.file import load_plan

pytestmark = pytest.mark.e2e

FULL_DISK = Path(__file__).with_name("full_disk.py")
NAMESPACE = ("unshare", "--map-root-user", "--mount")  # a disk of its own, for root and everybody else
DEPLOYED = '"event":"step done","step":"deploy"'


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run on such a disk ended, and what is left on it."""

    code: int
    error: str
    mode: str
    files: dict[str, str]
    resumed: int | None
    resumed_files: dict[str, str]

    @property
    def ledger(self) -> list[dict[str, Any]]:
        return events_in(self.files)


def events_in(files: dict[str, str]) -> list[dict[str, Any]]:
    """Return the ledger's entries."""
    return [json.loads(line) for line in files["ledger.jsonl"].splitlines()]


def run_on_disk(shell: Shell, plan: Path, when: str, then: str = "end") -> Ended:
    """Run a plan on a disk that becomes full when its ledger says so; `resume` then frees it and goes on."""
    outputs = plan.parent / "outputs"
    outputs.mkdir(exist_ok=True)
    runbook = [str(Path(sys.executable).parent / "runbook"), "run", str(plan)]
    ended = subprocess.run(
        [*NAMESPACE, sys.executable, str(FULL_DISK), str(outputs), when, then, *runbook],
        cwd=ROOT, env=shell.environment, text=True, capture_output=True, check=False, timeout=200,
    )  # fmt: skip
    assert ended.stdout.splitlines(), ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1])
    return Ended(
        code=ended.returncode, error=ended.stderr, mode=told["mode"], files=told["files"],
        resumed=told.get("resumed"), resumed_files=told.get("resumed_files", {}),
    )  # fmt: skip


def service_of(shell: Shell, name: str) -> run_v2.Service:
    """Return the service, asked of the cloud by Google's own client."""
    known = json.loads((Path(shell.environment["RUNBOOK_EMULATOR_DIR"]) / "emulator.json").read_text())
    transport = ServicesGrpcTransport(channel=channel_to(known["grpc"]))
    target = load_plan(QUICK).target
    full = f"projects/{target.project}/locations/{target.region}/services/{name}"
    return run_v2.ServicesClient(transport=transport).get_service(name=full)


def no_half_file(files: dict[str, str]) -> None:
    """Read every file as what it is; one that was being written would be hidden."""
    for name, text in files.items():
        assert not Path(name).name.startswith("."), f"{name} was left half written"
        if name.endswith((".json", ".ipynb")):
            json.loads(text)


def test_a_disk_that_is_full_in_the_middle_ends_the_run_and_nothing_is_changed_after_it(
    tmp_path: Path, runbook: Shell
) -> None:
    """The ledger's last page has room for some lines more, so it is no want of room that holds back acts."""
    ended = run_on_disk(runbook, quick_plan(tmp_path, "full-disk"), DEPLOYED)
    assert (ended.code, ended.mode) == (3, "full"), ended.error
    assert "Traceback" not in ended.error
    error = ended.error.splitlines()[-1]
    assert error.startswith("CannotRecord: ")
    assert "cannot be written (No space left on device): free the disk or fix its rights, " in error
    assert "then go on by runbook resume " in error
    no_half_file(ended.files)
    events = [each["event"] for each in ended.ledger]
    assert events[-1] == "run ended"
    assert ended.ledger[-1]["exit_code"] == 3
    deployed = [(each["event"], each.get("step")) for each in ended.ledger].index(("step done", "deploy"))
    assert "act intended" not in events[deployed:]
    service = service_of(runbook, "full-disk")
    assert [(each.percent, each.tag) for each in service.traffic] == [(100, "baseline"), (0, "candidate")]
    assert "validation-runbook/lease" in service.annotations, "it was given back"


def test_a_run_goes_on_when_the_disk_is_free_again(tmp_path: Path, runbook: Shell) -> None:
    ended = run_on_disk(runbook, quick_plan(tmp_path, "freed-disk"), DEPLOYED, then="resume")
    assert ended.resumed == 0
    no_half_file(ended.resumed_files)
    assert json.loads(ended.resumed_files["verdict.json"])["action"] == "PROCEED_TO_PRODUCTION"
    entries = events_in(ended.resumed_files)
    assert entries[: len(ended.ledger)] == ended.ledger
    intents = [each["detail"] for each in entries if each["event"] == "act intended"]
    assert sum(each.startswith("deploy ") for each in intents) == 1
    assert "report.html" in ended.resumed_files


def test_outputs_that_cannot_be_written_are_told_before_the_cloud_hears_of_the_run(
    tmp_path: Path, runbook: Shell
) -> None:
    plan = quick_plan(tmp_path, "read-only")
    ended = run_on_disk(runbook, plan, "read-only")
    assert ended.code == 3
    assert "Traceback" not in ended.error
    assert "cannot be made (Read-only file system): give another report.folder" in ended.error
    assert ended.files == {}
    with pytest.raises(NotFound):
        service_of(runbook, "read-only")
