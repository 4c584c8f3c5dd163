"""Steps beside a real kernel: it goes on answering; cancelled, failed or killed, nothing is left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from asking_kernel import AskingKernel
from cloud import Staging
from cloud import emulator as emulator
from cockpit_project import events

from runbook_lib.plan import Endpoints
from runbook_lib.plan.file import dump_plan
from runbook_lib.plan.reference import render
from runbook_lib.run import Run
from runbook_lib.run_folder import LedgerEntry

pytestmark = pytest.mark.xdist_group("desk")  # one kernel for all

SLEEPER = "import time, pathlib; pathlib.Path('began').touch(); time.sleep(300)"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a checkout."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "01_deploy.ipynb").touch()
    return folder


@pytest.fixture(scope="module")
def run(emulator: Endpoints, project: Path) -> Iterator[Run]:
    """A run that is deployed; its only suite sleeps."""
    staging = Staging(endpoints=emulator, service="desk", folder=project)
    staging.create()
    suite = {"command": ["python", "-c", SLEEPER], "cwd": str(project), "timeout_s": 600}
    plan = staging.plan(suites={"sleeper": suite}, report={"folder": "outputs"})
    file = project / "plan.yaml"
    file.write_text(dump_plan(plan, project), encoding="utf-8")
    begun = Run.start(file, {}, project)
    begun.deploy()
    yield begun
    staging.delete()


@pytest.fixture(scope="module")
def kernel(run: Run, project: Path) -> Iterator[AskingKernel]:
    asking = AskingKernel(project, os.environ)
    resumed = f"from runbook_lib.notebook import resume\nrun = resume({str(run.folder.path)!r})"
    assert asking.run(resumed) == "ok"
    yield asking
    asking.kill()


def until(true: Callable[[], object], what: str, limit_s: float = 60) -> None:
    deadline_s = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.05)


def left(run: Run) -> list[str]:
    """Return the command lines of what still works on the run."""
    lines = []
    for process in psutil.process_iter():
        try:
            lines.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return [line for line in lines if SLEEPER in line]


def dones(run: Run, step: str) -> list[LedgerEntry]:
    return [entry for entry in events(run.folder, step) if entry.event == "step done"]


def test_the_kernel_answers_while_a_step_runs_and_a_cancelled_one_leaves_nothing(
    kernel: AskingKernel, run: Run, project: Path
) -> None:
    assert kernel.run("run.run_suites()") == "ok"  # at once
    until((project / "began").exists, "the suite did not begin")
    assert kernel.run("run.probe()") == "ok"  # waits for its turn
    assert kernel.run("run.run_suites()") == "ok"  # shows the one that runs
    assert left(run)
    assert kernel.run("run._desk.cancel('suites')") == "ok"
    kernel.wait_for("Run the suites against the candidate: cancelled. Nothing of it runs any more")
    kernel.wait_for("Probe both revisions with users of our own: not begun, since")
    assert left(run) == []
    assert [entry.error for entry in events(run.folder, "suites")] == ["", "KeyboardInterrupt"]
    assert events(run.folder, "probes") == []
    assert not run.folder.has_evidence("suites")


def test_a_step_that_is_done_is_shown_and_only_repeated_when_asked(kernel: AskingKernel, run: Run) -> None:
    kernel.run("run.deploy()")
    shown = kernel.wait_for("`again=True` does it again")
    assert "is ready after" in shown
    assert len(run.ports.cloud_run.revisions()) == 2
    kernel.run("run.deploy(again=True)")
    until(lambda: kernel.run("assert not run._desk.busy") == "ok", "the deployment does not end")
    assert len(dones(run, "deploy")) == 2
    assert len(run.ports.cloud_run.revisions()) == 3


def test_the_gates_ask_and_change_nothing_by_being_shown(kernel: AskingKernel, run: Run) -> None:
    before = run.ports.cloud_run.service().traffic
    assert kernel.run("run.decide()") == "ok"
    kernel.wait_for("What share of the traffic does the candidate get? Nobody had decided")
    assert kernel.run("run.roll_back()") == "ok"
    kernel.wait_for("Roll back? Nobody had decided")
    assert run.ports.cloud_run.service().traffic == before


def test_help_lists_every_field_of_a_plan(kernel: AskingKernel) -> None:
    assert kernel.run("run.help()") == "ok"
    assert kernel.wait_for("`rate_per_s`", "text/markdown") == render()


def test_an_error_in_a_cell_is_one_box_with_the_traceback_folded(kernel: AskingKernel) -> None:
    assert kernel.run("resume('<img src=x>')") == "error"
    box = kernel.wait_for("PlanError: no such file")
    assert "PlanError: no such file or folder: &lt;img src=x&gt;" in box
    assert box.index("Next: ") < box.index("<details><summary>Traceback</summary>")
    assert 'role="alert"' in box
    assert "<details open" not in box


def test_headless_the_same_call_waits_and_fails_as_a_cell_fails(kernel: AskingKernel, run: Run) -> None:
    again = f"run = resume({str(run.folder.path)!r})"
    assert kernel.run(again, somebody=False) == "ok"
    assert kernel.run("run._desk is None and run.probe()", somebody=False) == "ok"
    assert run.folder.has_evidence("probes")
    shown = kernel.wait_for("answers were seen on both revisions")
    assert "widget" not in shown


def test_a_kernel_that_is_killed_takes_its_step_along(kernel: AskingKernel, run: Run, project: Path) -> None:
    (project / "began").unlink(missing_ok=True)
    before = len(events(run.folder, "suites"))
    assert kernel.run(f"run = resume({str(run.folder.path)!r})\nrun.run_suites()") == "ok"
    until((project / "began").exists, "the suite did not begin")
    kernel.kill()
    until(lambda: not left(run), "the suite outlived its kernel")
    until(lambda: len(events(run.folder, "suites")) == before + 2, "the ledger has no end of the step")
