"""Render a run as one HTML file that needs no network and in which nothing that was observed can act."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import quote

import plotly
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from runbook_lib.report import log_tables, probe_tables, suite_tables, tables, text
from runbook_lib.report.executed import Executed, cells_by_id, element_id, picture
from runbook_lib.report.figures import Chart, all_charts, trail_names
from runbook_lib.report.record import RunRecord
from runbook_lib.report.still import draw


def render(record: RunRecord, notebooks: Sequence[Executed] = ()) -> str:
    """Return the content of `report.html`.

    Args:
        record: What it is about.
        notebooks: As they were executed; criteria link to their cells.
    """
    return page(
        "report.html.j2", all_charts(record), frozenset(cells_by_id(notebooks)),
        record=record,
        notebooks=notebooks,
        trails=trail_names(record),
        tables=tables,
        suite_tables=suite_tables,
        log_tables=log_tables,
        probe_tables=probe_tables,
    )  # fmt: skip


def page(template: str, drawn: Sequence[Chart], cells: frozenset[str] = frozenset(), **values: object) -> str:
    """Return one of our templates as a page that needs no network: style, loader and figures are in it.

    Args:
        template: Its file name.
        drawn: The charts of the page, by their ids as `charts`, with a picture each as `stills`.
        cells: Ids of the cells that a link may lead to.
        values: What else the template shows.
    """
    loader = _template_file("loader.js")
    return _environment(cells).get_template(template).render(
        charts={chart.id: chart for chart in drawn},
        stills={chart.id: picture(draw(json.loads(chart.figure.to_json())), chart.title)
                for chart in drawn if chart.figure},
        text=text,
        style=Markup(_template_file("report.css")),  # noqa: S704 - our own file
        loader=Markup(loader),  # noqa: S704 - our own file
        loader_hash=_csp_hash(loader),
        plotly_bundle=_plotly_bundle() if any(chart.figure for chart in drawn) else "",
        figures=inert_json(drawn),
        **values,
    )  # fmt: skip


def link(path: str) -> str:
    """Return `path` as a link relative to the report; empty if it would leave the run folder."""
    parts = path.split("/")
    return "" if path.startswith("/") or ".." in parts or "\\" in path else quote(path)


def cell_link(cell: str, known: frozenset[str]) -> str:
    """Return the link to a cell such as `03_tests#run-probe`; empty if it is not among the `known` ids."""
    target = element_id(cell)
    return f"#{target}" if target in known else ""


def inert_json(drawn: Sequence[Chart]) -> Markup:
    """Return the figures by chart id as JSON that cannot end the element it stands in."""
    figures = {chart.id: json.loads(chart.figure.to_json()) for chart in drawn if chart.figure}
    inert = json.dumps(figures).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(inert)  # noqa: S704 - no character is left in it that HTML could read


def _environment(cells: frozenset[str]) -> Environment:
    environment = Environment(
        loader=PackageLoader("runbook_lib.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(link=link, cell_link=partial(cell_link, known=cells), ends=text.both_ends)
    return environment


def _finalize(value: object) -> object:
    """Clean everything that a template prints but our own markup; an absent value says that it is."""
    if value is None:
        return text.NOT_OBSERVED
    return text.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _template_file(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


def _csp_hash(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


@lru_cache(maxsize=1)
def _plotly_bundle() -> Markup:
    source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    return Markup(base64.b64encode(gzip.compress(source.read_bytes(), mtime=0)).decode())  # noqa: S704 - base64
