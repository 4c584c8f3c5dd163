"""Turn executed notebooks into parts of a report: code folded, every cell with an id, nothing in it acts."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
_MOST_OUTPUT, _MOST_ALL = 60_000, 2_000_000
"""Characters of one output and of all notebooks together: a report stays small enough for mail."""
_FIGURE, _PNG_STARTS = "application/vnd.plotly.v1+json", b"\x89PNG"
_LEFT_OUT = Markup("<p>Left out here: it is in the notebook itself.</p>")
_CUT = Markup("<p>Cut here: the rest is in the notebook itself.</p>")
_ONLY_SCRIPTS = Markup("<p>A figure that only scripts can draw: it is in the notebook itself.</p>")
_UNREADABLE = Markup("<p>An output that cannot be read.</p>")
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
    sources = {path.stem: _sources(path) for path in paths}
    reader = _Reader(_places(sources))
    return tuple(Executed(name=name, cells=reader.cells(cells)) for name, cells in sources.items())


def element_id(cell: str) -> str:
    """Return the id that a cell such as `03_tests#run-probe` has in the report."""
    return f"cell-{cell.replace('#', '-')}"


def cells_by_id(notebooks: Iterable[Executed]) -> dict[str, tuple[Executed, Cell]]:
    """Return every cell by the id of its element."""
    return {cell.id: (notebook, cell) for notebook in notebooks for cell in notebook.cells}


@dataclass(frozen=True, kw_only=True)
class _Source:
    """A cell as it is in the file, with the heading that it stands below."""

    id: str
    is_code: bool
    source: str
    outputs: Sequence[Json]
    heading: str


def _sources(path: Path) -> tuple[_Source, ...]:
    """Return the cells of a notebook, none if it cannot be read: the report says so."""
    try:
        return tuple(_each_source(path.stem, json.loads(path.read_text(encoding="utf-8"))["cells"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        return ()


def _each_source(name: str, cells: Iterable[Json]) -> Iterator[_Source]:
    heading = ""
    for place, cell in enumerate(cells):
        own, source = str(cell.get("id", place)), "".join(cell["source"])
        is_code = cell["cell_type"] == "code"
        heading = heading if is_code else _last_heading(source) or heading
        yield _Source(
            id=element_id(f"{name}#{own if _NAME.fullmatch(own) else place}"),
            is_code=is_code, source=source, outputs=cell["outputs"] if is_code else (), heading=heading,
        )  # fmt: skip


def _places(sources: Mapping[str, Iterable[_Source]]) -> dict[str, str]:
    """Return where links from one notebook to another lead in the report."""
    places: dict[str, str] = {}
    for name, cells in sources.items():
        for cell in cells:
            places.setdefault(f"{name}.ipynb#{cell.heading}", f"#{cell.id}")
        places[f"{name}.ipynb"] = f"#notebook-{name}"
    return places


class _Reader:
    """Makes cells safe, one notebook after the other; what would make their report too large is named."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places, self._left = places, _MOST_ALL

    def cells(self, sources: Iterable[_Source]) -> tuple[Cell, ...]:
        """Return the cells of one notebook."""
        return tuple(
            Cell(
                id=each.id, heading=each.heading,
                code=text.shortened(text.clean(each.source)) if each.is_code else "",
                shown=self._outputs(each.outputs) if each.is_code else self._safe(_markdown(each.source)),
            )
            for each in sources
        )  # fmt: skip

    def _outputs(self, outputs: Iterable[Json]) -> Markup:
        every = Markup()
        for output in outputs:
            try:
                shown = self._output(output)
            except (LookupError, TypeError, AttributeError):
                shown = _UNREADABLE
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
        return self._places.get(value) if attribute == "href" else value


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
