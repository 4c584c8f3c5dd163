"""What the emulator's commands share: the state folder, finding the emulator, and how they fail."""

from pathlib import Path
from typing import Annotated

import typer

from .daemon import Daemon, Running

COULD_NOT = 3
DEFAULT_DIR = Path(".runbook/emulator")
StateDir = Annotated[
    Path,
    typer.Option(envvar="RUNBOOK_EMULATOR_DIR", help="Folder that the emulator keeps its state file in."),
]


def require_running(state_dir: Path) -> Running:
    """Return the emulator of a state folder.

    Raises:
        typer.Exit: When none runs; the reason is on stderr.
    """
    running = Daemon(state_dir.resolve()).find()
    if running is None:
        raise could_not(f"no emulator runs for {state_dir}: start one with up")
    return running


def could_not(problem: object) -> typer.Exit:
    """Print a problem on stderr and return the exit to raise."""
    typer.echo(f"error: {problem}", err=True)
    return typer.Exit(COULD_NOT)
