"""The notebooks tell a story: prose, one call a cell, no code that belongs into the package."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from runbook_lib.notebook.cockpit import Cockpit

FOLDER = Path(__file__).parents[2] / "notebooks"
FRONT_PAGE = "00_start"
NAMES = ("01_deploy", "02_logs", "03_tests", "04_metrics", "05_report", "06_rollback")
NOT_HERE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Try, ast.For, ast.While, ast.Lambda)


def notebook(name: str) -> NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code(name: str) -> list[NotebookNode]:
    return [cell for cell in notebook(name).cells if cell.cell_type == "code"]


def test_the_front_page_and_six_notebooks_are_there_and_no_others() -> None:
    assert tuple(sorted(path.stem for path in FOLDER.glob("*.ipynb"))) == (FRONT_PAGE, *NAMES)


@pytest.mark.parametrize(("name", "following"), list(pairwise((FRONT_PAGE, *NAMES))))
def test_each_notebook_leads_to_the_next_and_back_to_the_front_page(name: str, following: str) -> None:
    last = notebook(name).cells[-1].source
    assert f"]({following}.ipynb)" in last
    assert name == FRONT_PAGE or f"]({FRONT_PAGE}.ipynb)" in last


@pytest.mark.parametrize("name", [FRONT_PAGE, *NAMES])
def test_the_first_cell_says_what_is_true_at_the_end_and_how_long_it_takes(name: str) -> None:
    first = notebook(name).cells[0]
    assert first.cell_type == "markdown"
    assert "**At the end of this notebook**" in first.source
    assert any(word in first.source for word in ("second", "minute"))


@pytest.mark.parametrize("name", NAMES)
def test_there_is_one_parameters_cell_and_each_line_says_what_it_means(name: str) -> None:
    tagged = [cell for cell in code(name) if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    lines = [line for line in tagged[0].source.splitlines() if not line.startswith("#")]
    assert any(line.startswith("run_dir = ") for line in lines)
    assert all("  # " in line for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_the_cockpit_has_every_method_that_a_cell_calls(name: str) -> None:
    called = {method for cell in code(name) for method in re.findall(r"\brun\.(\w+)\(", cell.source)}
    assert called
    assert [method for method in sorted(called) if not hasattr(Cockpit, method)] == []


@pytest.mark.parametrize("name", [FRONT_PAGE, *NAMES])
def test_a_cell_has_at_most_8_lines_and_defines_nothing(name: str) -> None:
    for cell in code(name):
        assert len(cell.source.splitlines()) <= 8
        tree = ast.parse(cell.source)
        assert not [node for node in ast.walk(tree) if isinstance(node, NOT_HERE)]
        imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert imported in ([], ["runbook_lib.notebook"])


@pytest.mark.parametrize("name", [FRONT_PAGE, *NAMES])
def test_every_call_stands_below_prose_that_says_what_to_expect(name: str) -> None:
    cells = notebook(name).cells
    calls = [index for index, cell in enumerate(cells) if cell.source.startswith("run.")]
    assert calls
    for index in calls:
        above = next(cell for cell in reversed(cells[:index]) if cell.cell_type == "markdown")
        assert len(above.source.split()) >= 5


@pytest.mark.parametrize("name", [FRONT_PAGE, *NAMES])
def test_the_source_carries_no_outputs_and_every_cell_has_a_name_for_links(name: str) -> None:
    for cell in code(name):
        assert cell.outputs == []
        assert cell.execution_count is None
    assert all(len(cell.id) > 2 and not cell.id.isdigit() for cell in notebook(name).cells)


def test_notebook_05_has_the_ten_parts_of_the_report_in_their_order() -> None:
    calls = [cell.source for cell in code("05_report") if cell.source.startswith("run.")]
    assert [call.removeprefix("run.").partition("(")[0] for call in calls] == [
        "judge", "card", "groups", "criteria", *["chart"] * 4, "trails", "novelty", "suites", "rollback",
        "regressions", "facts", "not_seen", "write_report", "decide",
    ]  # fmt: skip
