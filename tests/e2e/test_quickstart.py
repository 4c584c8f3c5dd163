"""The main job, as a newcomer runs it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from urllib.parse import unquote

import nbformat
import papermill
import pytest
from playwright.sync_api import Browser
from report_links import files_linked, followed, pictures_on_github
from whole_run import ROOT, Ended, Shell

from runbook_lib.notebook import summary
from runbook_lib.run import open_run

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def quickstart(runbook: Shell) -> Ended:
    return runbook("run", "notebooks/plans/quickstart.yaml")


@pytest.fixture(scope="module")
def run(quickstart: Ended) -> Path:
    assert quickstart.run is not None, quickstart.out + quickstart.err
    return quickstart.run


def test_the_quickstart_proceeds_and_says_where_its_report_is(quickstart: Ended, run: Path) -> None:
    assert quickstart.code == 0, quickstart.out + quickstart.err
    assert "PROCEED_TO_PRODUCTION" in quickstart.out
    assert f"report  {(run / 'report.html').relative_to(ROOT)}" in quickstart.out
    assert quickstart.err == ""


def test_every_criterion_of_the_verdict_has_samples_and_evidence_that_exists(run: Path) -> None:
    criteria = json.loads((run / "verdict.json").read_text())["criteria"]
    assert len(criteria) >= 12
    for criterion in criteria:
        assert criterion["outcome"] == "PASS", criterion
        assert criterion["samples"] > 0, criterion
        assert criterion["evidence"], criterion
        assert all((run / path).is_file() for path in criterion["evidence"]), criterion


def test_what_failed_before_the_fix_passes_now(run: Path) -> None:
    regressions = json.loads((run / "verdict.json").read_text())["regressions"]
    assert [regression["reading"] for regression in regressions] == ["failed before, passes now"] * 4


def test_every_notebook_is_archived_with_its_outputs(run: Path) -> None:
    for name in ("01_deploy", "02_logs", "03_tests", "04_metrics", "05_report"):
        notebook = nbformat.read(run / "notebooks" / f"{name}.ipynb", as_version=4)
        calls = [cell for cell in notebook.cells if cell.cell_type == "code" and "run." in cell.source]
        assert calls
        assert all(cell.outputs for cell in calls), name


def test_the_manifest_holds_every_file_as_it_is(run: Path) -> None:
    files = json.loads((run / "manifest.json").read_text())["files"]
    there = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()} - {"manifest.json"}
    assert set(files) == there
    for path, said in files.items():
        assert hashlib.sha256((run / path).read_bytes()).hexdigest() == said["sha256"], path


def test_the_ledger_has_an_intent_before_and_a_result_after_every_act(run: Path) -> None:
    entries = [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]
    acts = [entry for entry in entries if entry["event"].startswith("act ")]
    assert [entry["event"] for entry in acts] == ["act intended", "act done"] * (len(acts) // 2)
    assert any(entry["detail"] == "deploy sample-agent:healthy" for entry in acts)
    assert entries[-1]["event"] == "run ended"
    assert entries[-1]["exit_code"] == 0


def test_no_token_is_found_anywhere_in_the_run_folder(run: Path) -> None:
    for path in run.rglob("*"):
        if path.is_file():
            assert b"eyJhbGciOi" not in path.read_bytes(), path


def test_a_notebook_runs_alone_on_a_finished_run(
    run: Path, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / run.name
    shutil.copytree(run, copy)
    monkeypatch.setenv("RUNBOOK_EMULATOR_DIR", environment["RUNBOOK_EMULATOR_DIR"])
    monkeypatch.chdir(ROOT)
    papermill.execute_notebook(
        "notebooks/04_metrics.ipynb",
        tmp_path / "out.ipynb",
        parameters={"run_dir": str(copy), "sessions": 4},
        progress_bar=False,
    )
    metrics = json.loads((copy / "evidence" / "metrics.json").read_text())
    assert metrics["sessions"] == {"candidate": 4, "baseline": 4}
    assert metrics["window"] != json.loads((run / "evidence" / "metrics.json").read_text())["window"]


def test_a_verdict_judged_again_without_the_cloud_is_the_same_to_the_byte(
    run: Path, tmp_path: Path, runbook: Shell
) -> None:
    copy = tmp_path / run.name
    shutil.copytree(run, copy)
    nowhere = Shell({**runbook.environment, "RUNBOOK_EMULATOR_DIR": str(tmp_path / "none")})
    ended = nowhere("verdict", str(copy))
    assert ended.code == 0, ended.err
    assert (copy / "verdict.json").read_bytes() == (run / "verdict.json").read_bytes()


def test_another_plan_judges_the_archived_evidence_and_leaves_the_runs_own_verdict(
    run: Path, tmp_path: Path, runbook: Shell
) -> None:
    copy = tmp_path / run.name
    shutil.copytree(run, copy)
    strict = tmp_path / "strict.yaml"
    bound = "{id: fast, title: Faster than light, metric: load.answer_max_s, at_most: 0.0001}"
    strict.write_text(
        f"extends: {ROOT / 'notebooks/plans/quickstart.yaml'}\ncriteria:\n  - {bound}\n", "utf-8"
    )
    ended = runbook("verdict", str(copy), "--plan", str(strict))
    assert ended.code == 20, ended.err
    assert "Faster than light" in ended.out
    assert (copy / "verdict.json").read_bytes() == (run / "verdict.json").read_bytes()
    assert json.loads((copy / "verdict-by-strict.json").read_text())["deciding"] == "fast"


def test_every_link_of_the_report_leads_to_what_is_there(run: Path, chromium: Browser) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    page.goto((run / "report.html").as_uri())
    page.wait_for_selector("html[data-charts]", state="attached")
    links = followed(page)
    assert [link for link, seen in links.items() if not seen] == []
    assert all((run / file).is_file() for file in files_linked(page))
    criteria = json.loads((run / "verdict.json").read_text())["criteria"]
    cells = {f"#cell-{criterion['cell'].replace('#', '-')}" for criterion in criteria}
    assert {cell for cell in cells if cell in links} == cells
    assert len(cells) >= 7
    page.close()


def test_every_criterion_in_the_notebook_leads_to_a_heading_of_another(run: Path) -> None:
    links = summary.criteria(open_run(run)).links
    criteria = json.loads((run / "verdict.json").read_text())["criteria"]
    assert set(links) == {criterion["title"] for criterion in criteria}
    for file, _, heading in (link.partition("#") for link in links.values()):
        cells = json.loads((run / "notebooks" / file).read_text("utf-8"))["cells"]
        lines = "".join("".join(cell["source"]) + "\n" for cell in cells).splitlines()
        headings = [line.lstrip("#").strip().replace(" ", "-") for line in lines if line.startswith("#")]
        assert unquote(heading) in headings


def test_every_figure_of_the_archived_notebooks_is_a_picture_without_scripts(
    run: Path, chromium: Browser
) -> None:
    page = chromium.new_page()
    shown = 0
    for file in sorted((run / "notebooks").glob("*.ipynb")):
        figures = file.read_text("utf-8").count('"application/vnd.plotly.v1+json": {')
        widths = pictures_on_github(page, file)
        assert len(widths) == figures, file.name
        assert all(width > 600 for width in widths), file.name
        shown += figures
    assert shown >= 12
    page.close()
