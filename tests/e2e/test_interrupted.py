"""A run that is killed or told to end leaves the service as it was and can be gone on with."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import psutil
import pytest
from test_trouble import wait_for_event
from whole_run import QUICK, Shell

from runbook_lib.archive.manifest import verify
from runbook_lib.archive.places import place
from runbook_lib.run import Run
from runbook_lib.run_folder import RunFolder

pytestmark = pytest.mark.e2e


def arguments(service: str, outputs: Path, *more: str) -> tuple[str, ...]:
    """Return the command of a run that takes a few seconds."""
    return ("run", str(QUICK), "-p", f"target.service={service}", "-p", f"report.folder={outputs}", *more)


def kill(family: list[psutil.Process]) -> None:
    """Kill a runner alone, and wait until its kernels have noticed."""
    family[0].kill()
    for each in family[1:]:
        each.resume()
    _, alive = psutil.wait_procs(family[1:], timeout=20)
    assert not alive, alive


def stopped(pid: int) -> list[psutil.Process]:
    """Stop a runner with all that it has started; return it and them."""
    runner = psutil.Process(pid)
    family = [runner, *runner.children(recursive=True)]
    for each in family:
        each.suspend()
    return family


def deployments(run: Path) -> list[str]:
    """Return the deployment of each revision, as the service itself says."""
    return [each.deployment for each in Run(RunFolder.open(run)).ports.cloud_run.revisions()]


def events(run: Path) -> list[tuple[str, str]]:
    entries = [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]
    return [(entry["event"], entry.get("step", "")) for entry in entries]


def test_a_killed_run_goes_on_without_deploying_again_and_only_one_at_a_time(
    tmp_path: Path, runbook: Shell
) -> None:
    process = runbook.start(*arguments("killed", tmp_path))
    run = wait_for_event(tmp_path, "step started", "metrics")
    family = stopped(process.pid)
    refused = runbook("resume", str(run))
    assert refused.code == 2, refused.out
    assert f"{run.name} is worked on by process {process.pid} on " in refused.err
    kill(family)
    other = runbook(*arguments("killed", tmp_path / "other"))
    assert other.code == 2, other.out
    assert other.err.startswith(f"RunRefused: killed is being validated by run {run.name} on ")

    ended = runbook("resume", str(run))
    assert ended.code == 0, ended.out + ended.err
    assert ("step done", "logs") in events(run)[: events(run).index(("run resumed", ""))]
    done = [step for event, step in events(run) if event == "step done"]
    observed = [step for step in done if step != "preflight"]  # asked again whenever a run begins or goes on
    assert observed == ["deploy", "logs", "suites", "probes", "metrics", "run_logs"]
    assert deployments(run) == [f"{run.name}.1", ""]


def test_a_run_that_is_told_to_end_reports_what_it_saw_and_gives_the_service_back(
    tmp_path: Path, runbook: Shell
) -> None:
    process = runbook.start(*arguments("ended", tmp_path))
    run = wait_for_event(tmp_path, "step started", "suites")
    process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    verdict = json.loads((run / "verdict.json").read_text())
    assert verdict["action"] == "INVESTIGATE"
    assert "did not come to its end" in (run / "report.md").read_text()
    assert events(run)[-1] == ("run ended", "")
    assert verify(place(str(run))).findings == ()
    assert Run(RunFolder.open(run)).ports.cloud_run.lease() == ""
    assert not [each for each in psutil.process_iter() if str(run) in " ".join(_argv(each))]


def _argv(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
