"""Turn executed notebooks into parts of a report: code folded, every cell with an id, nothing in it acts."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

from runbook_lib.report import text

_TAGS = {
    "a", "b", "blockquote", "br", "code", "details", "em", "h3", "h4", "h5", "h6", "i", "li", "ol", "p",
    "pre", "small", "strong", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href"}, "th": {"scope"}}
_NAME = re.compile(r"[\w-]+")
_OWN_NOTEBOOK = re.compile(r"([\w-]+)\.ipynb")
_MOST_OUTPUT, _MOST_ALL = 60_000, 2_000_000
"""Characters of one output and of all notebooks together: a report stays small enough for mail."""
_FIGURE, _PNG_STARTS = "application/vnd.plotly.v1+json", b"\x89PNG"
_LEFT_OUT = Markup("<p>Left out here: it is in the notebook itself.</p>")
_CUT = Markup("<p>Cut here: the rest is in the notebook itself.</p>")
_ONLY_SCRIPTS = Markup("<p>A figure that only scripts can draw: it is in the notebook itself.</p>")
_ERROR = Markup("<p><b>{}</b></p><details><summary>Traceback</summary>{}</details>")
Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of an executed notebook.

    Attributes:
        id: Of its element in the report.
        code: What was run; empty for prose.
        shown: Prose, or what the run left, as HTML that is safe anywhere.
        heading: The heading that it stands below, as the notebook's viewers spell it behind a `#`.
    """

    id: str
    code: str
    shown: Markup
    heading: str


@dataclass(frozen=True, kw_only=True)
class Executed:
    """An executed notebook; one that cannot be read has no cells."""

    name: str
    cells: tuple[Cell, ...]

    @property
    def file(self) -> str:
        """Where it is in the run folder."""
        return f"notebooks/{self.name}.ipynb"

    @property
    def title(self) -> str:
        """Its name as people say it, e.g. `3 Tests`."""
        return self.name.lstrip("0").replace("_", " ").title()


def read(folder: Path) -> tuple[Executed, ...]:
    """Return the executed notebooks of a folder in the order of their names; none if there is no folder."""
    paths = sorted(each for each in folder.glob("*.ipynb") if _NAME.fullmatch(each.stem))
    reader = _Reader(frozenset(path.stem for path in paths))
    return tuple(Executed(name=path.stem, cells=reader.cells(path)) for path in paths)


def element_id(cell: str) -> str:
    """Return the id that a cell such as `03_tests#run-probe` has in the report."""
    return f"cell-{cell.replace('#', '-')}"


def cells_by_id(notebooks: Iterable[Executed]) -> dict[str, tuple[Executed, Cell]]:
    """Return every cell by the id of its element."""
    return {cell.id: (notebook, cell) for notebook in notebooks for cell in notebook.cells}


class _Reader:
    """Reads notebooks one after the other; what would make their report too large is named instead."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names, self._left = names, _MOST_ALL

    def cells(self, path: Path) -> tuple[Cell, ...]:
        """Return the cells of a notebook, none if it is no notebook."""
        try:
            notebook = json.loads(path.read_text(encoding="utf-8"))
            return tuple(self._cells(path.stem, notebook["cells"]))
        except (ValueError, LookupError, TypeError, AttributeError):  # the report says that it cannot be read
            return ()

    def _cells(self, name: str, cells: Iterable[Json]) -> Iterator[Cell]:
        heading = ""
        for place, cell in enumerate(cells):
            source = "".join(cell["source"])
            if cell["cell_type"] == "code":
                code, shown = text.shortened(text.clean(source)), self._outputs(cell["outputs"])
            else:
                heading = _last_heading(source) or heading
                code, shown = "", self._safe(_markdown(source))
            own = str(cell.get("id", place))
            id_ = element_id(f"{name}#{own if _NAME.fullmatch(own) else place}")
            yield Cell(id=id_, code=code, shown=shown, heading=heading)

    def _outputs(self, outputs: Iterable[Json]) -> Markup:
        every = Markup()
        for output in outputs:
            shown = self._output(output)
            self._left -= len(shown)
            every += shown if self._left > 0 else _LEFT_OUT
        return every

    def _output(self, output: Json) -> Markup:
        if output["output_type"] == "stream":
            return _lines("".join(output["text"]))
        if output["output_type"] == "error":
            what = text.clean(f"{output['ename']}: {output['evalue']}")
            return _ERROR.format(what, _lines("\n".join(output["traceback"])))
        return self._data(output["data"])

    def _data(self, data: Json) -> Markup:
        """Return the best form of an output that needs no script."""
        if shown := _picture(data):
            return shown
        if _FIGURE in data:
            return _ONLY_SCRIPTS
        if words := "".join(data.get("text/html", "")):
            return self._safe(words)
        if words := "".join(data.get("text/markdown", "")):
            return self._safe(_markdown(words))
        return _lines("".join(data.get("text/plain", "")))

    def _safe(self, words: str) -> Markup:
        """Return HTML in which only tables, prose, and links to notebooks of this report are left."""
        kept = nh3.clean(
            text.clean(words)[:_MOST_OUTPUT],
            tags=_TAGS, attributes=_ATTRIBUTES, attribute_filter=self._attribute, link_rel=None,
        )  # fmt: skip
        # Cleaned again, for what was an entity before is a character now.
        shown = Markup(text.visible(kept))  # noqa: S704 - what nh3 has left acts nowhere
        return shown + _CUT if len(words) > _MOST_OUTPUT else shown

    def _attribute(self, _: str, attribute: str, value: str) -> str | None:
        if attribute != "href":
            return value
        own = _OWN_NOTEBOOK.fullmatch(value)
        return f"#notebook-{own[1]}" if own and own[1] in self._names else None


def _picture(data: Json) -> Markup | None:
    try:
        raw = base64.b64decode("".join(data.get("image/png", "")).replace("\n", ""), validate=True)
    except binascii.Error:
        return None
    return picture(raw, "".join(data.get("text/plain", ""))) if raw.startswith(_PNG_STARTS) else None


def picture(png: bytes, title: str) -> Markup:
    """Return a picture that stands in the page itself."""
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return Markup('<img class="still" alt="{}" src="{}">').format(text.clean(title), source)


def _lines(words: str) -> Markup:
    shown = text.shortened(text.clean(words), _MOST_OUTPUT)
    return Markup('<pre tabindex="0">{}</pre>').format(shown) if shown.strip() else Markup()


def _markdown(source: str) -> str:
    parser = MarkdownIt("commonmark").enable("table")  # papermill tells of an error in HTML
    tokens = parser.parse(source)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"  # below the report's own headings
    rendered: str = parser.renderer.render(tokens, parser.options, {})
    return rendered


def _last_heading(source: str) -> str:
    """Return the last heading of a piece of prose as JupyterLab and nbviewer name its place."""
    titles = re.findall(r"^#{1,6} +(.+?)\s*$", source, re.MULTILINE)
    return quote(titles[-1].replace(" ", "-"), safe=",:") if titles else ""
