"""Show what differs between two runs, and how the runs of a service went."""

from __future__ import annotations

from collections.abc import Sequence

from runbook_lib import compare
from runbook_lib.archive.places import Place, place
from runbook_lib.notebook.shown import Shown
from runbook_lib.places import find_file
from runbook_lib.report.tables import table_of


def diff(before: str, after: str) -> Shown:
    """Return the changes, then what is not equal within what chance explains."""
    found = compare.diff(*(compare.past_run(_place(run)) for run in (before, after)))
    return Shown(
        sentence=found.sentence(), parts=(found.table(found.changes), found.table(found.within_noise))
    )


def history(service: str, folders: Sequence[str]) -> Shown:
    """Return all runs with their trend, and the folders that were left out."""
    found = compare.history([_place(folder) for folder in folders or ("outputs",)], service)
    left_out = table_of(("Left out", "Why"), ((each.folder, each.why) for each in found.skipped))
    return Shown(sentence=found.sentence(), parts=(found.table(), left_out), figure=found.figure())


def _place(name: str) -> Place:
    return place(name if "://" in name else str(find_file(name)))
