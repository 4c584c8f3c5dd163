"""The engine runs notebooks as papermill's own does: same outputs, same errors, by its own name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from papermill.exceptions import PapermillExecutionError

from runbook_lib.kernels.forking import SWITCH
from runbook_lib.kernels.ready import ReadyKernels


def notebook(folder: Path, *cells: str) -> str:
    """Write a notebook with a parameter `name` and these cells; return its path."""
    written = new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    )
    parameters = new_code_cell('name = ""', metadata={"tags": ["parameters"]})
    written.cells = [new_markdown_cell("# One"), parameters, *map(new_code_cell, cells)]
    file = folder / "in.ipynb"
    nbformat.write(written, file)
    return str(file)


def outputs(file: Path) -> list[Any]:
    """Return what the cells show, without what differs from run to run."""
    return [cell.outputs for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]


CELLS = ("print(name)\n1 + 1", "import warnings; warnings.warn('careful')", "{'a': name}")


def execute(source: str, target: Path, **options: Any) -> None:
    papermill.execute_notebook(source, target, {"name": "Ada"}, progress_bar=False, **options)


def test_outputs_are_those_of_papermills_own_engine_and_kernels_are_shared_by_nobody(tmp_path: Path) -> None:
    source = notebook(tmp_path, *CELLS, "'left' in globals(), globals().setdefault('left', 1)")
    execute(source, tmp_path / "theirs.ipynb")
    with ReadyKernels() as kernels:
        for name in ("first", "second"):
            execute(source, tmp_path / f"{name}.ipynb", engine_name="runbook", kernels=kernels)
    theirs = outputs(tmp_path / "theirs.ipynb")
    assert theirs[-1][0].data["text/plain"] == "(False, 1)"
    theirs[3][0].text = theirs[3][0].text.partition(" ")[2]  # the name of the cell's temporary file
    for name in ("first", "second"):
        ours = outputs(tmp_path / f"{name}.ipynb")
        ours[3][0].text = ours[3][0].text.partition(" ")[2]
        assert ours == theirs


def test_plain_papermill_finds_the_engine_by_its_name_where_nothing_can_be_forked(tmp_path: Path) -> None:
    source, target = notebook(tmp_path, *CELLS), tmp_path / "out.ipynb"
    command = [
        sys.executable,
        "-m",
        "papermill",
        "--engine",
        "runbook",
        "--no-progress-bar",
        source,
        str(target),
    ]
    ended = subprocess.run(
        [*command, "-p", "name", "Ada"],
        env={**os.environ, SWITCH: "no"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert outputs(target)[2][0].text == "Ada\n"


def test_an_error_is_papermills_and_the_notebook_keeps_what_was_shown_before(tmp_path: Path) -> None:
    source, target = (
        notebook(tmp_path, "print('seen')", "1 / 0", "print('not reached')"),
        tmp_path / "out.ipynb",
    )
    with pytest.raises(PapermillExecutionError, match="ZeroDivisionError"):
        execute(source, target, engine_name="runbook")
    shown = [cell for cell in nbformat.read(target, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.outputs[0].get("text", cell.outputs[0].get("ename")) for cell in shown if cell.outputs] == [
        "seen\n",
        "ZeroDivisionError",
    ]


def test_a_kernel_that_crashes_takes_nothing_with_it(tmp_path: Path) -> None:
    crashing = notebook(tmp_path, "print('seen', flush=True)", "import os; os.abort()")
    with ReadyKernels() as kernels:
        with pytest.raises(RuntimeError, match="Kernel died"):
            execute(crashing, tmp_path / "crashed.ipynb", engine_name="runbook", kernels=kernels)
        assert "seen" in (tmp_path / "crashed.ipynb").read_text()
        source, target = notebook(tmp_path, *CELLS), tmp_path / "out.ipynb"
        execute(source, target, engine_name="runbook", kernels=kernels)
    assert outputs(target)[2][0].text == "Ada\n"
