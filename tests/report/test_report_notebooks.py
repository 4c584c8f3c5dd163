"""An archived notebook holds no secret, and shows every figure to a reader without scripts."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import nbformat
import papermill
import pytest
import report_records as records
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook, new_output
from papermill.iorw import papermill_io

from runbook_lib.errors import CannotRecord
from runbook_lib.notebook.shown import Drawn
from runbook_lib.notebook_archive import SCHEME, ArchiveHandler, Pictures, add_pictures, archive_with
from runbook_lib.report.figures import all_charts

SECRET, TOKEN = "correct-horse-4711", "ghp_" + "a1B2" * 9


def notebook(*outputs: nbformat.NotebookNode) -> nbformat.NotebookNode:
    return new_notebook(cells=[new_code_cell("run", outputs=[output]) for output in outputs])


def figures() -> list[nbformat.NotebookNode]:
    """Return an output for each figure, as a cell leaves it."""
    drawn = [Drawn(chart)._repr_mimebundle_() for chart in all_charts(records.failing()) if chart.figure]
    return [new_output("display_data", json.loads(json.dumps(data, default=list))) for data in drawn]


def test_every_figure_gets_a_picture_that_needs_no_script(tmp_path: Path) -> None:
    drawn, file = figures(), tmp_path / "04_metrics.ipynb"
    nbformat.write(notebook(*drawn), file)
    add_pictures(file)
    before = file.read_bytes()
    add_pictures(file)
    assert file.read_bytes() == before
    page, _ = HTMLExporter(template_name="basic").from_filename(str(file))
    assert len(drawn) >= 6
    assert page.count('src="data:image/png;base64,') == len(drawn)
    for cell in nbformat.read(file, 4).cells:
        png = base64.b64decode(cell.outputs[0].data["image/png"])
        assert png.startswith(b"\x89PNG")
        assert len(png) > 5000, "an empty picture"


def test_pictures_are_there_when_the_run_that_drew_them_aside_goes_on(tmp_path: Path) -> None:
    files = [tmp_path / "03_tests.ipynb", tmp_path / "04_metrics.ipynb"]
    with Pictures() as pictures:
        for file in files:
            nbformat.write(notebook(*figures()[:2]), file)
            pictures.add_to(file)
        pictures.add_to(tmp_path / "of a kernel that never started.ipynb")
    assert [file.read_text().count('"image/png"') for file in files] == [2, 2]


def test_a_notebook_that_is_broken_is_heard_of_when_the_pictures_are_done(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text("{")
    with pytest.raises(json.JSONDecodeError), Pictures() as pictures:
        pictures.add_to(tmp_path / "a.ipynb")


def test_a_notebook_that_cannot_be_written_is_named_with_the_next_act(tmp_path: Path) -> None:
    gone = tmp_path / "gone" / "a.ipynb"
    with pytest.raises(CannotRecord) as caught:
        ArchiveHandler({}).write(nbformat.writes(notebook()), f"{SCHEME}{gone}")
    assert str(caught.value) == (
        f"{gone} cannot be written (No such file or directory): free the disk or fix its rights, then go on"
    )


def test_a_figure_of_another_kind_stays_without_a_picture_and_ends_nothing(tmp_path: Path) -> None:
    odd = {"data": [{"type": "sankey", "node": {}}], "layout": {}}
    nbformat.write(
        notebook(new_output("display_data", {"application/vnd.plotly.v1+json": odd})), tmp_path / "a.ipynb"
    )
    add_pictures(tmp_path / "a.ipynb")
    assert "image/png" not in (tmp_path / "a.ipynb").read_text()


def test_hostile_labels_are_drawn_as_the_text_that_they_are(tmp_path: Path) -> None:
    hostile = [chart.figure for chart in all_charts(records.hostile()) if chart.figure]
    kind = "application/vnd.plotly.v1+json"
    outputs = [new_output("display_data", {kind: json.loads(figure.to_json())}) for figure in hostile]
    nbformat.write(notebook(*outputs), tmp_path / "a.ipynb")
    add_pictures(tmp_path / "a.ipynb")
    assert (tmp_path / "a.ipynb").read_text().count('"image/png"') == len(hostile)


def test_a_secret_is_masked_wherever_a_notebook_could_hold_one(tmp_path: Path) -> None:
    seen = notebook(
        new_output("stream", text=f"log {SECRET}\n"),
        new_output("execute_result", {"text/plain": SECRET, "text/html": f"<p>{TOKEN}</p>"}),
        new_output("error", ename="E", evalue=f"GET /?token={SECRET}", traceback=[f"\x1b[31m{SECRET}"]),
    )
    seen.cells[0].source = f'api_token = "{SECRET}"'
    seen.metadata.papermill = {"parameters": {"api_token": SECRET}}
    seen.metadata.widgets = {"state": SECRET}
    archive_with({"STAGING_TOKEN": SECRET})
    file = tmp_path / "01.ipynb"
    papermill_io.write(nbformat.writes(seen), f"{SCHEME}{file}")
    text = file.read_text()
    assert SECRET not in text
    assert TOKEN not in text
    assert text.count("[redacted]") == 7
    assert "widgets" not in text
    nbformat.validate(nbformat.read(file, 4))


def test_a_notebook_that_fails_is_archived_without_the_secret_in_its_traceback(tmp_path: Path) -> None:
    source, file = tmp_path / "source.ipynb", tmp_path / "archived.ipynb"
    kernel = {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    cell = new_code_cell(f'raise RuntimeError("login with " + "{SECRET[:9]}" + "{SECRET[9:]}")')
    nbformat.write(new_notebook(cells=[cell], metadata=kernel), source)
    archive_with({"STAGING_TOKEN": SECRET})
    with pytest.raises(papermill.PapermillExecutionError):
        papermill.execute_notebook(str(source), f"{SCHEME}{file}", progress_bar=False)
    assert SECRET not in file.read_text()
    assert "login with [redacted]" in file.read_text()
