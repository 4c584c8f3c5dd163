"""JupyterLab as the cockpit: a person steps through the notebooks, decides, cancels, reloads, rolls back."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from cockpit_project import PLAN, events, make_project, newest_run, set_parameter
from lab import LabPage, running_lab
from playwright.sync_api import Browser, expect

from runbook_lib.evidence import DeployEvidence
from runbook_lib.run import open_run

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.timeout(600)]
STATE = "RUNBOOK_EMULATOR_DIR"
RUNBOOK = str(Path(sys.executable).parent / "runbook")


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    env = {**os.environ, STATE: str(tmp_path / "emulator"), "RUNBOOK_USER": "ada"}
    emulator = [sys.executable, "-m", "runbook_lib.emulator"]
    subprocess.run([*emulator, "up", "--sample-period", "0.25"], env=env, check=True, timeout=90)
    yield env
    subprocess.run([*emulator, "down"], env=env, check=True, timeout=60)


def answer(page: LabPage, reason: str, button: str) -> None:
    page.front.get_by_placeholder("why, for the ledger").fill(reason)
    page.front.get_by_role("button", name=button).click()


def begin_and_approve(page: LabPage) -> None:
    page.run_all()
    page.front.get_by_role("button", name="Begin a run").click()
    expect(page.output(1)).to_contain_text("Waits for somebody to approve the deployment.")
    page.follow("1 Deploy")
    page.run_all()
    page.front.get_by_role("button", name="Approve and deploy").click()
    expect(page.output(2)).to_contain_text("Nothing was done: a reason is needed.")
    answer(page, "looks fine", "Approve and deploy")
    expect(page.output(2)).to_contain_text("is ready after")


def look_at_logs_and_tests(page: LabPage) -> None:
    page.follow("2 Logs")
    page.run_all()
    expect(page.front).to_contain_text("complete until")
    page.front.get_by_role("button", name="Stop").click()
    expect(page.front).to_contain_text("entries came while this was open")
    page.follow("3 Tests")
    page.run_all()
    expect(page.front).to_contain_text("1 of 1 suites passed")
    expect(page.front).to_contain_text("answers were seen on both revisions")
    expect(page.front.locator(".js-plotly-plot")).to_have_count(1)  # it was not there when its cell was run


def reload_and_cancel_in_the_middle(page: LabPage, project: Path) -> None:
    set_parameter(project, "04_metrics", "sessions", "4000")  # nobody would wait for so many
    page.follow("4 Metrics")
    for cell in range(3):
        page.run_cell(cell)
    expect(page.output(2)).to_contain_text("of 8000 sessions, ")
    page.run_cell(1)  # the kernel answers while the load runs
    expect(page.output(1).last).to_contain_text("4 Metrics running")
    page.run_cell(2)  # shows the step that runs, and begins no second one
    expect(page.cell(2).locator(".jp-InputPrompt")).to_have_text("[5]:")  # its old output is gone
    expect(page.output(2)).to_contain_text("of 8000 sessions, ")
    page.save("notebooks/04_metrics.ipynb")
    page.open("notebooks/04_metrics.ipynb")
    shown = page.output(2)
    expect(shown).to_contain_text("Load both revisions and read their series")
    before = shown.inner_text()
    expect(shown).not_to_have_text(before)  # live again, and it goes on
    page.front.get_by_role("button", name="Cancel").click()
    expect(shown).to_contain_text("cancelled. Nothing of it runs any more")
    page.page.goto("about:blank")
    set_parameter(project, "04_metrics", "sessions", "0")
    page.open("notebooks/04_metrics.ipynb")


def measure_judge_and_roll_back(page: LabPage) -> None:
    page.run_all()
    expect(page.output(2)).to_contain_text("Sessions: ")
    expect(page.front).to_contain_text("read requests")
    page.follow("5 Report")
    page.run_all()
    expect(page.output(2)).to_contain_text("(confidence ")
    expect(page.front.get_by_role("button", name="Reject")).to_be_visible()
    sort_and_filter(page)
    promote_to_the_first_step(page)
    page.follow("6 Rollback")
    page.run_all()
    answer(page, "only a rehearsal", "Roll back")
    expect(page.front).to_contain_text("verified by probing the service")


def promote_to_the_first_step(page: LabPage) -> None:
    handle = page.front.locator(".noUi-handle")
    for key in ("Home", "ArrowRight", "ArrowRight"):  # as it is, roll back, the plan's first step
        handle.press(key)
    expect(page.front.locator("table", has_text="Traffic then")).to_contain_text("10 %")
    answer(page, "a tenth first", "Promote to 10 %")
    expect(page.front).to_contain_text("10 % of the traffic")


def sort_and_filter(page: LabPage) -> None:
    shown = page.output(5)
    table = shown.locator("table")
    head, names = table.locator("th", has_text="Criterion"), table.locator("tbody tr:visible td:nth-child(2)")
    head.scroll_into_view_if_needed()  # what is not in view is not laid out
    expect(names.first).to_have_text(re.compile(r"\w"), use_inner_text=True)
    before = names.all_inner_texts()
    head.click()
    assert names.all_inner_texts() == sorted(before, key=str.lower) != before
    shown.get_by_role("searchbox").fill("isolation")
    assert len(names.all_inner_texts()) == 1


def reject(page: LabPage) -> None:
    page.open("notebooks/00_start.ipynb")
    page.run_all()
    expect(page.output(1)).to_contain_text("✓ 6 Rollback done")
    page.front.get_by_role("button", name="Begin a run").click()
    page.follow("1 Deploy")
    page.run_all()
    answer(page, "not on a Friday", "Reject")
    expect(page.output(2)).to_contain_text("rejected")
    page.run_cell(1)
    expect(page.output(1).last).to_contain_text("Deployment rejected by ada: not on a Friday")


def left_behind(environment: dict[str, str]) -> list[str]:
    """Return the command lines of the processes that have our environment, but for the emulator's own."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            mine = process.environ().get(STATE) == environment[STATE]
            found += [" ".join(process.cmdline())] if mine and process.status() != "zombie" else []
    return [line for line in found if "runbook_lib.emulator" not in line and "reaper.py" not in line]


def test_a_person_steps_through_decides_cancels_reloads_rolls_back_and_rejects(
    chromium: Browser, tmp_path: Path, environment: dict[str, str]
) -> None:
    project = make_project(tmp_path / "project", rollout__approval="required")
    with running_lab(tmp_path / "jupyter", project, environment, [RUNBOOK, "lab", PLAN]) as lab:
        page = lab.open(chromium, "notebooks/00_start.ipynb")
        begin_and_approve(page)
        look_at_logs_and_tests(page)
        reload_and_cancel_in_the_middle(page, project)
        run = newest_run(project)
        assert [entry.event for entry in events(run, "metrics")] == ["step started", "step failed"]
        assert not run.has_evidence("metrics")
        measure_judge_and_roll_back(page)
        reject(page)
        assert page.requests == []
        page.close()
    (approved,) = (entry for entry in events(run, "deploy") if entry.event == "approved")
    (back,) = (entry for entry in events(run, "rollback") if entry.event == "approved")
    assert (approved.who, approved.detail, back.detail) == ("ada", "looks fine", "only a rehearsal")
    said = [entry.event for entry in events(run, "promote")]
    promoted = [event for event in said if event != "act intended"]  # that is an override of the verdict
    assert promoted == ["approved", "step started", "step done"]
    rejected = newest_run(project)
    assert [entry.event for entry in events(rejected, "deploy")] == ["rejected"]
    service = open_run(run.path).ports.cloud_run.service()
    deployed = run.read_evidence("deploy", DeployEvidence)
    assert deployed.candidate is not None
    assert deployed.baseline is not None
    assert deployed.candidate.name == service.latest_created
    assert [share.revision for share in service.traffic if share.percent or share.tag] == [
        deployed.baseline.name
    ]
    assert left_behind(environment) == []
