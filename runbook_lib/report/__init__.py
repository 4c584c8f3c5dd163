"""Show what a run observed and what the judge said of it: in notebooks, as HTML, Markdown and JUnit."""

from __future__ import annotations

from pathlib import Path

from runbook_lib.disk import write_atomically
from runbook_lib.report.record import RunRecord

__all__ = ["RunRecord", "write_reports"]


def write_reports(record: RunRecord, folder: Path) -> tuple[Path, ...]:
    """Write `report.html`, `report.md` and `junit.xml` into `folder`, each whole or not at all.

    The notebooks that were executed into `folder` become a part of them.
    What draws is imported here: most of what looks at a record draws nothing.
    """
    from runbook_lib.report import executed, html, junit, markdown

    notebooks = executed.read(folder / "notebooks")
    contents = {
        "report.html": html.render(record, notebooks),
        "report.md": markdown.render(record, notebooks),
        "junit.xml": junit.render(record),
    }
    for name, content in contents.items():
        write_atomically(folder / name, content.encode())
    return tuple(folder / name for name in contents)
