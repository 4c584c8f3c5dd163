"""Render a run as Markdown: the seed's validation report template, every field of it filled, for a ticket."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from runbook_lib.report import log_tables, suite_tables, tables, text
from runbook_lib.report.executed import Cell, Executed, cells_by_id, element_id
from runbook_lib.report.record import RunRecord
from runbook_lib.verdict import Outcome

# What Markdown acts on, each as narrow as it can be, so that names such as 03_tests stay readable.
_ESCAPED = re.compile(
    r"[\\`*\[\]|~]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # an underscore that could begin or end emphasis
    r"|(?<!\S)#"  # a heading, or a reference to another ticket
    r"|^[-+=](?=[-+=\s]|$)|(?<=^\d)[.)](?=\s|$)|(?<=^\d\d)[.)](?=\s|$)"  # a list item or a rule
    r"|(?<=:)/(?=/)|(?<=\bwww)\.",  # an address that would become a link by itself
    re.IGNORECASE,
)
_ENTITY = re.compile(r"<(?=[a-z/!?])|^>|&(?=[#a-z])", re.IGNORECASE)
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_MOST_HINTS = 5


def render(record: RunRecord, notebooks: Sequence[Executed] = ()) -> str:
    """Return the content of `report.md`.

    Args:
        record: What it is about.
        notebooks: Those that lie in `notebooks/` beside it: criteria link to their cells. None where it is
            shown elsewhere, in a job's summary or a comment.
    """
    environment = Environment(
        loader=PackageLoader("runbook_lib.report"),
        autoescape=False,  # noqa: S701 - this is Markdown: `_finalize` escapes everything that is printed
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(code=code, cell_link=partial(cell_link, known=cells_by_id(notebooks)))
    template = environment.get_template("report.md.j2")
    return template.render(
        record=record, tables=tables, suite_tables=suite_tables, text=text,
        status=deployment_status(record), hints=hints(record),
    )  # fmt: skip


def escape(words: str) -> str:
    """Return untrusted text as one line that Markdown shows as it is: no tag, link, table or heading."""
    line = " ".join(text.clean(words).split())
    line = _ENTITY.sub(lambda match: _ENTITIES[match[0]], line)
    line = _ESCAPED.sub(lambda match: "\\" + match[0], line)
    # GitHub typesets what stands between two dollars.
    return line.replace("$", "\\$") if line.count("$") > 1 else line


def code(words: str) -> Markup:
    """Return untrusted text as a code span of one line; backticks become quotes. Not for tables."""
    line = " ".join(text.clean(words).split()).replace("`", "'")
    return Markup(f"`{line}`") if line else Markup(text.NOT_OBSERVED)  # noqa: S704 - Markdown, not HTML


def cell_link(cell: str, known: Mapping[str, tuple[Executed, Cell]]) -> Markup:
    """Return a link to a cell's place in its notebook, which is its heading; without one, its name.

    GitHub shows the notebook from its beginning; JupyterLab and nbviewer go to the heading.
    """
    if element_id(cell) not in known:
        return code(cell)
    notebook, found = known[element_id(cell)]
    place = f"#{found.heading}" if found.heading else ""
    return Markup(f"[{escape(cell)}]({quote(notebook.file)}{place})")  # noqa: S704 - Markdown, not HTML


def deployment_status(record: RunRecord) -> str:
    """Return SUCCESS or FAILED as `deploy.ready` says, or that nobody saw."""
    ready = record.measurement("deploy.ready")
    if ready is None or ready.value is None:
        return text.NOT_OBSERVED
    return "SUCCESS" if ready.value else "FAILED"


def hints(record: RunRecord) -> tuple[str, ...]:
    """Return where the cause of what failed can be read: evidence files, sessions and log lines."""
    files = (
        f"{c.title}: see {', '.join((*c.evidence, c.cell))}"
        for c in record.criteria()
        if c.outcome in (Outcome.FAIL, Outcome.ERROR)
    )
    bad = record.probes.bad_sessions if record.probes else ()
    sessions = [
        f"session {s.number} of {s.probe} ({s.user}): {tables.problem(s, bad)}"
        for s in bad
        if s.role == "candidate"
    ]
    logs = record.whole_logs()
    new = [
        f"new in the candidate's log, {t.candidate} times, {t.severity}: {t.example}"
        for t in log_tables.changed(logs)
        if t.change == "new" and log_tables.gravity(t.severity) != "below WARNING"
    ]
    found = record.logs.findings if record.logs else ()
    lines = [f"log {f.severity}: {f.message}" for f in found if f.role == "candidate"]
    suites = suite_tables.hints(record)[:_MOST_HINTS]
    return (*files, *suites, *sessions[:_MOST_HINTS], *lines[:_MOST_HINTS], *new[:_MOST_HINTS])


def _finalize(value: object) -> object:
    if value is None:
        return text.NOT_OBSERVED
    return escape(value) if isinstance(value, str) and not isinstance(value, Markup) else value
