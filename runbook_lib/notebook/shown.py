"""What cells show: a sentence with tables, a chart, an error; safe wherever it is opened."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from runbook_lib.explained import Explained
from runbook_lib.report import tables, text
from runbook_lib.report.figures import Chart

PLOTLY_MIME = "application/vnd.plotly.v1+json"
# The theme is not known here: grey that reads on white and on black; `page.css` does better where it may.
_ON_ANY_PAPER = {"paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
                 "font": {"color": "#767676"}}  # fmt: skip
_AXIS = {"gridcolor": "rgba(128,128,128,0.25)", "linecolor": "rgba(128,128,128,0.6)"}
_BOX = "border-left:4px solid {};padding:.4em .9em;margin:.3em 0;"
_RED, _QUIET = "#B3261E", "opacity:.75;"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A sentence, tables, and at most one chart: drawn, as HTML or as text, whatever the reader can show.

    Attributes:
        links: Where a cell of a table with just these words leads.
    """

    sentence: str
    parts: tuple[pd.DataFrame, ...] = ()
    figure: go.Figure | None = None
    links: Mapping[str, str] = field(default_factory=dict)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        chart = {} if self.figure is None else {PLOTLY_MIME: on_any_paper(self.figure)}
        return {**chart, "text/html": self.html(), "text/plain": self.text()}

    def html(self) -> str:
        """Return it as escaped HTML."""
        shown = "".join(f"<p>{tables.to_html(part, self.links)}</p>" for part in self._filled())
        return as_it_is(f"<p>{html.escape(self.sentence)}</p>{shown}")

    def text(self) -> str:
        """Return it as plain text."""
        return "\n\n".join([self.sentence, *(part.to_string(index=False) for part in self._filled())])

    def _filled(self) -> list[pd.DataFrame]:
        return [part for part in self.parts if len(part)]


class Drawn:
    """A chart alone, or the sentence that there is none; its numbers stand beside it as `Numbers`."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        words = {"text/html": "", "text/plain": self._chart.title}
        figure = self._chart.figure
        return words if figure is None else {**words, PLOTLY_MIME: on_any_paper(figure)}


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """The numbers behind a chart, for screen readers and where nothing is drawn; folded below the chart."""

    sentence: str
    table: pd.DataFrame
    folded: bool = True

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        shown = Shown(sentence=self.sentence, parts=(self.table,))
        fold = "" if self.folded else " open"
        numbers = f"<details{fold}><summary>The numbers</summary>{tables.to_html(self.table)}</details>"
        page = f"<p>{html.escape(self.sentence)}</p>{numbers if len(self.table) else ''}"
        return {"text/html": as_it_is(page), "text/plain": shown.text()}


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """An error as one box: what, where, what to do next; the traceback is folded."""

    explained: Explained
    traceback: str = ""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/html": self.html(), "text/plain": self._text()}

    def html(self) -> str:
        """Return the box as escaped HTML."""
        what, where, act = (html.escape(text.clean(words)) for words in vars(self.explained).values())
        place = f'<br><span style="{_QUIET}">Where: {where}</span>' if where else ""
        return as_it_is(
            f'<div role="alert" style="{_BOX.format(_RED)}"><b>{what}</b>{place}<br>Next: {act}'
            f"{self._folded()}</div>"
        )

    def _folded(self) -> str:
        lines = html.escape(text.clean(self.traceback))
        return f"<details><summary>Traceback</summary><pre>{lines}</pre></details>" if lines else ""

    def _text(self) -> str:
        where = f"\nWhere: {self.explained.where}" if self.explained.where else ""
        return text.clean(
            f"{self.explained.what}{where}\nNext: {self.explained.next}\n{self.traceback}".strip()
        )


def as_it_is(page: str) -> str:
    """Return HTML in which JupyterLab and nbviewer typeset nothing: a log line may well have two dollars."""
    return f'<div class="mathjax_ignore tex2jax_ignore">{page}</div>'


def on_any_paper(figure: go.Figure) -> dict[str, Any]:
    """Return a figure for a page whose theme is not known: no paper of its own, lines and text in grey."""
    drawn = go.Figure(figure)
    drawn.update_layout(_ON_ANY_PAPER)
    drawn.update_xaxes(_AXIS)
    drawn.update_yaxes(_AXIS)
    plain: dict[str, Any] = drawn.to_plotly_json()
    return plain
