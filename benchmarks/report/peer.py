"""Make the page that a team without us would send: notebooks by nbconvert, figures by plotly's renderer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import plotly.io
from nbconvert import HTMLExporter

FIGURE = "application/vnd.plotly.v1+json"


def page(notebooks: Path) -> str:
    """Return all notebooks of a folder as one page, plotly.js in it once, as plotly puts it into one."""
    cells = [cell for path in sorted(notebooks.glob("*.ipynb")) for cell in nbformat.read(path, 4).cells]
    first = True
    for output in (output for cell in cells for output in cell.get("outputs", [])):
        if FIGURE in output.get("data", {}):
            output["data"] = {"text/html": _rendered(output["data"][FIGURE], first)}
            first = False
    for number, cell in enumerate(cells):  # each notebook has one called `run-open`
        cell["id"] = f"cell-{number}"
    joined = nbformat.v4.new_notebook(cells=cells)
    converted: str = HTMLExporter().from_notebook_node(joined)[0]
    return converted


def _rendered(figure: dict[str, Any], first: bool) -> str:
    drawn = plotly.io.from_json(json.dumps(figure))
    return str(plotly.io.to_html(drawn, full_html=False, include_plotlyjs=first))
