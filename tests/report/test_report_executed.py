"""The executed notebooks are a part of the report: each cell can be linked to, and nothing in one acts."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import nbformat
import pytest
import report_records as records
from bs4 import BeautifulSoup
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from runbook_lib.catalogue import METRICS, SUITE
from runbook_lib.report import executed, html, markdown
from runbook_lib.report.executed import Executed

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
FIGURE = {"application/vnd.plotly.v1+json": {"data": [], "layout": {}}}


def written(folder: Path, *cells: NotebookNode, name: str = "03_tests") -> tuple[Executed, ...]:
    nbformat.write(new_notebook(cells=list(cells)), folder / f"{name}.ipynb")
    return executed.read(folder)


def left(folder: Path, *outputs: NotebookNode) -> str:
    """Return what a report shows of a cell's outputs."""
    (notebook,) = written(folder, new_code_cell("x", outputs=list(outputs)))
    return str(notebook.cells[0].shown)


@pytest.mark.parametrize("cell", sorted({metric.cell for metric in (*METRICS.values(), SUITE)}))
def test_every_metric_names_a_cell_that_is_there(cell: str) -> None:
    name, _, own = cell.partition("#")
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    assert [each.cell_type for each in notebook.cells if each.id == own] == ["code"]


def test_a_criterion_leads_to_its_cell_in_the_same_file(tmp_path: Path) -> None:
    cell = new_code_cell("run.probe()", id="run-probe", outputs=[new_output("stream", text="26 answers")])
    page = BeautifulSoup(html.render(records.failing(), written(tmp_path, cell)), "html.parser")
    assert [link["href"] for link in page.select("#criterion-user-isolation a")] == [
        "#cell-03_tests-run-probe",
        "evidence/probes_sessions.parquet",
    ]
    target = page.select_one("#cell-03_tests-run-probe")
    assert target is not None
    assert target.get_text(" ", strip=True) == "run.probe() run.probe() 26 answers"
    assert page.select("#criterion-connect-time a[href*=cell]") == []  # 04_metrics is not here
    assert "04_metrics#run-measure" in page.select_one("#criterion-connect-time").text  # type: ignore[union-attr]


def test_in_markdown_a_criterion_leads_to_the_heading_above_its_cell(tmp_path: Path) -> None:
    prose = new_markdown_cell("## Golden path, events (1)\n\nOur own users.")
    notebooks = written(tmp_path, prose, new_code_cell("run.probe()", id="run-probe"))
    report = markdown.render(records.good(), notebooks)
    assert "shown by [03_tests#run-probe](notebooks/03_tests.ipynb#Golden-path,-events-%281%29)\n" in report
    assert "shown by `04_metrics#run-measure`\n" in report
    assert "](notebooks/" not in markdown.render(records.good())  # as GitHub's summary has it


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (new_output("stream", text="\x1b[31mred\x1b[0m <b>"), '<pre tabindex="0">red &lt;b&gt;</pre>'),
        (new_output("display_data", {"image/png": PNG, "text/plain": "A & B"}),
         f'<img class="still" alt="A &amp; B" src="data:image/png;base64,{PNG}">'),
        (new_output("display_data", {"image/png": "bm8=", "text/plain": "no picture"}),
         '<pre tabindex="0">no picture</pre>'),
        (new_output("display_data", FIGURE),
         "<p>A figure that only scripts can draw: it is in the notebook itself.</p>"),
        (new_output("execute_result", {"text/html": '<p style="x" onclick="y">a<svg/onload=z>&#x202e;b'}),
         "<p>ab</p>"),
        (new_output("display_data", {"text/html": '<a href="03_tests.ipynb">3</a><a href="00.ipynb">0</a>'}),
         '<a href="#notebook-03_tests">3</a><a>0</a>'),
        (new_output("display_data", {"text/markdown": "# one\n<script>x</script>\n\n[y](javascript:z)"}),
         "<h3>one</h3>\n\n<p>[y](javascript:z)</p>\n"),
        (new_output("error", ename="CloudError", evalue="<gone>", traceback=["line 1"]),
         "<p><b>CloudError: &lt;gone&gt;</b></p><details><summary>Traceback</summary>"
         '<pre tabindex="0">line 1</pre></details>'),
    ],
)  # fmt: skip
def test_an_output_is_shown_in_the_best_form_that_needs_no_script(
    output: NotebookNode, shown: str, tmp_path: Path
) -> None:
    assert left(tmp_path, output) == shown


def test_what_is_too_large_for_a_report_is_cut_and_says_so(tmp_path: Path) -> None:
    table = f"<table><tr><td>{'x' * 70_000}</td></tr></table>"
    many = [new_output("display_data", {"text/html": table})] * 40
    shown = left(tmp_path, *many)
    assert shown.startswith("<table><tbody><tr><td>xxx")
    assert len(shown) < 2_100_000
    assert shown.count("<p>Cut here: the rest is in the notebook itself.</p>") == 33
    assert shown.count("<p>Left out here: it is in the notebook itself.</p>") == 7


def test_a_notebook_that_cannot_be_read_says_so_and_no_criterion_leads_there(tmp_path: Path) -> None:
    (tmp_path / "03_tests.ipynb").write_text("{", "utf-8")
    (tmp_path / "04_metrics.ipynb").write_text(json.dumps({"cells": [{"cell_type": "code"}]}), "utf-8")
    page = html.render(records.good(), executed.read(tmp_path))
    assert 'href="#cell-' not in page
    for words in ("3 Tests: <span", "notebooks/03_tests.ipynb</span> cannot be read", "4 Metrics: <span"):
        assert words in page


def test_a_run_without_executed_notebooks_has_no_part_for_them(tmp_path: Path) -> None:
    page = html.render(records.good(), executed.read(tmp_path / "none"))
    assert 'href="#notebooks"' not in page
    assert 'id="notebooks"' not in page
