"""Show on the terminal what differs between two runs, and how the runs of a service went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

if TYPE_CHECKING:
    import pandas as pd

    from runbook_lib.compare import Diff, Difference, History

_out = Console(highlight=False)
_WIDE = 140
"""Columns from which on a table of differences is easier to read than a list."""
_STYLES = {"PROCEED_TO_PRODUCTION": "green", "INVESTIGATE": "yellow", "ROLLBACK": "red"}


def show_diff(diff: Diff, *, everything: bool) -> None:
    """Print what changed, and with `everything` what is not equal within chance; then how much that is."""
    for differences, style in ((diff.changes, "bold"), (diff.within_noise if everything else (), "dim")):
        if differences:
            _show_differences(diff, differences, style)
    hidden = diff.within_noise and not everything
    _say(f"{diff.sentence()}{' (--all shows them)' if hidden else ''}.", "bold")


def show_history(history: History) -> None:
    """Print one line for each run, and each folder that was left out with the reason."""
    table = history.table()
    if len(table):
        _print(table)
    for skipped in history.skipped:
        _say(f"left out: {skipped.why}", "yellow")
    _say(f"{history.sentence()}.", "bold")


def _show_differences(diff: Diff, differences: tuple[Difference, ...], style: str) -> None:
    kind = "Changed" if differences is diff.changes else "Not equal, within what chance explains"
    _say(kind, style)
    words = diff.table(differences)
    if _out.width >= _WIDE:
        _print(words)
    else:
        _list(words)
    _out.print()


def _list(words: pd.DataFrame) -> None:
    """Print what a narrow terminal would break into pieces as a table."""
    for part, what, before, after, why in words.itertuples(index=False, name=None):
        _out.print(Text(f"{part}  {what}: ") + Text(f"{before} → {after}", style="bold"), soft_wrap=True)
        if why:
            _say(f"  {why}", "dim")


def _print(words: pd.DataFrame) -> None:
    table = Table(*(Column(name, overflow="fold") for name in words.columns), box=None, pad_edge=False)
    for row in words.itertuples(index=False, name=None):
        table.add_row(*(Text(cell, style=_STYLES.get(cell.partition(" ")[0], "")) for cell in row))
    _out.print(table)


def _say(text: str, style: str) -> None:
    _out.print(Text(text, style=style), soft_wrap=True)
