"""The queries on a log bucket's linked dataset, in GoogleSQL: few rows for any number of entries."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

PACE = 1.02
"""Latencies of one row are within this factor of each other."""
# As far as RE2 can say it, what `steps.log_templates` takes out of a message; never more, so that lines of
# one kind here are of one template there.
VARIABLE = "|".join((
    r'\{\s*(?:["\x27].*)?\}',
    r"\b[a-z][a-z0-9+.-]*://[^\s\x22\x27<>)\],]+",
    r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    r"\x22[^\x22]*\x22",
    r"\b[0-9a-fA-F]{8,}\b",
    r"[-+]?[\w.-]*\d(?:[\w.%-]|[:,/]\d)*",
))  # fmt: skip
FIRST_LINE = r"^\s*([^\n]{0,1000})"
RAISED = r"(?s)^.*\n(\S[^\n]{0,999})"
_LONGEST_TEXT = 10_000
_ENTRIES = """
  FROM `{table}`
  WHERE timestamp >= @start AND timestamp < @end
    AND resource.type = 'cloud_run_revision'
    AND JSON_VALUE(resource.labels, '$.service_name') = @service
    AND JSON_VALUE(resource.labels, '$.location') = @region
    AND JSON_VALUE(resource.labels, '$.revision_name') = @revision
    {condition}
"""


def count(table: str, condition: str) -> str:
    """Return the query for the number of entries: one row, column `entries`.

    Args:
        table: `project.dataset.view`.
        condition: SQL that entries must also meet; may be empty.
    """
    return f"SELECT COUNT(*) AS entries {_entries(table, condition)}"


def digest(table: str, condition: str, most: int) -> str:
    """Return the query for kinds of entries.

    Columns: `severity`, `log` (its full id), `status`, `time` (first), `entries`, `copies` (deliveries),
    `latency_s` (longest), `late_s` (latest), `message`, `stack` (of the first), `total` (entries of all rows,
    also of those past `most`). The gravest come first, then the most frequent.
    """
    return _digest().format(
        entries=_entries(table, condition), most=most, longest=_LONGEST_TEXT, pace=PACE,
        first_line=FIRST_LINE, raised=RAISED, variable=VARIABLE,
    )  # fmt: skip


def _entries(table: str, condition: str) -> str:
    return _ENTRIES.format(table=table, condition=f"AND ({condition})" if condition else "")


@cache
def _digest() -> str:
    return (files(__package__) / "log_digest.sql").read_text("utf-8")
