"""Write the overview of all commands, which `runbook --help` shows: `python -m runbook_lib.cli.help_text`."""

from __future__ import annotations

import textwrap
from pathlib import Path

import typer
from typer.main import get_group

from runbook_lib.cli.app import app
from runbook_lib.cli.entry import OVERVIEW

_COLUMNS, _HELP_COLUMN = 80, 12


def overview() -> str:
    """Return the overview, made of the commands' own help."""
    group = get_group(app)
    context = typer.Context(group, info_name="runbook")
    commands = [(name, group.commands[name].get_short_help_str(200)) for name in group.list_commands(context)]
    return "\n".join(
        [
            "Usage: runbook COMMAND [ARGUMENTS]…\n",
            *_filled(group.help or ""),
            "\nCommands:",
            *(line for name, help_ in commands for line in _filled(f"  {name:<{_HELP_COLUMN - 2}}{help_}")),
            "",
            *_filled(group.epilog or ""),
            "`runbook COMMAND --help` says more of a command.\n",
        ]
    )


def _filled(text: str) -> list[str]:
    indent = " " * _HELP_COLUMN if text.startswith(" ") else ""
    return textwrap.wrap(text, _COLUMNS, subsequent_indent=indent, break_on_hyphens=False)


if __name__ == "__main__":
    Path(OVERVIEW).write_text(overview(), encoding="utf-8")
