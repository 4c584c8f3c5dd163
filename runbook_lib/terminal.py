"""Show a run on the terminal: what is happening, how it ended, what is wrong."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runbook_lib.places import LIVE

if TYPE_CHECKING:
    from runbook_lib.headless import Progress
    from runbook_lib.run import Run
    from runbook_lib.verdict import CriterionResult

_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)
_TITLES = {
    "01_deploy": "Deploy the candidate beside the baseline",
    "02_logs": "Read the start-up logs",
    "03_tests": "Run the suites and probe both revisions",
    "04_metrics": "Load both revisions and read their metrics",
    "05_report": "Judge and report",
    "06_rollback": "Roll back and probe the baseline",
}
_STYLES = {
    "PASS": "green", "INCONCLUSIVE": "yellow", "ERROR": "yellow", "FAIL": "red",
    "PROCEED_TO_PRODUCTION": "bold green", "INVESTIGATE": "bold yellow", "ROLLBACK": "bold red",
}  # fmt: skip


def say(text: str) -> None:
    """Print a line as it is."""
    _out.print(Text(text), soft_wrap=True)


def show_error(error: Exception) -> None:
    """Print an error of ours on stderr."""
    _err.print(Text(f"{type(error).__name__}: ", style="bold red") + Text(str(error)), soft_wrap=True)


def show_start(run: Run) -> None:
    """Print which run begins."""
    issue = run.plan.issue
    number = f"#{issue.number} " if issue.number is not None else ""
    _out.print(Text(f"{number}{issue.title}", style="bold"))
    _out.print(Text(f"{run.plan.target.service}, run {run.folder.run_id}", style="dim"))


def show_status(run: Run) -> None:
    """Print the run's ledger and, asked of the service itself, who gets its traffic."""
    table = Table("Time", "Event", "Step", "Detail", box=None)
    for entry in run.folder.ledger():
        table.add_row(f"{entry.time:%H:%M:%S}", entry.event, entry.step, Text(entry.detail))
    _out.print(table)
    service = run.ports.cloud_run.service()
    shares = Table("Traffic", "Revision", "Tag", box=None)
    for share in service.traffic:
        shares.add_row(f"{share.percent} %", share.revision, share.tag)
    _out.print(shares)


def show_verdict(run: Run) -> None:
    """Print every criterion in one line, then the verdict and where its report is."""
    verdict = run.verdict()
    if verdict is None:
        say("no verdict: the run ended before the judge")
        return
    for group in dict.fromkeys(criterion.group for criterion in verdict.criteria):
        _out.print(Text(group.capitalize(), style="bold"))
        for criterion in verdict.criteria:
            if criterion.group == group:
                _out.print(_line(criterion), soft_wrap=True)
    for unseen in verdict.not_seen:
        _out.print(Text(f"not seen: {unseen}", style="yellow"), soft_wrap=True)
    _out.print()
    action = Text(verdict.action, style=_STYLES[verdict.action])
    _out.print(action + Text(f"  confidence {verdict.confidence}. {verdict.summary}"), soft_wrap=True)
    say(f"report  {os.path.relpath(run.folder.path / 'report.html')}")
    say(f"next    {verdict.next_command}")


def _line(criterion: CriterionResult) -> Text:
    name = criterion.outcome.name
    line = Text(f"  {name:<13}", style=_STYLES[name]) + Text(criterion.title)
    return line if name == "PASS" else line + Text(f": {criterion.reason}")


class _Doing:
    """The title of what is running, with what it says of itself; read anew whenever it is drawn."""

    def __init__(self, title: str, live: Path) -> None:
        self._title, self._live = title, live

    def __rich__(self) -> Text:
        said = ""
        with contextlib.suppress(OSError):  # mostly there is nothing more to say
            said = self._live.read_text(encoding="utf-8")
        return Text(
            " · ".join(part for part in (f"{self._title} …", said) if part), no_wrap=True, overflow="ellipsis"
        )


class ProgressLines:
    """Prints a line for each notebook that ended, and shows on a terminal what is running.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: Path) -> None:
        self._live = folder / LIVE
        self._status = _out.status("")
        self._since_s = 0.0

    def __enter__(self) -> ProgressLines:
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def __call__(self, progress: Progress) -> None:
        title = _TITLES.get(progress.notebook, progress.notebook)
        if not progress.ended:
            self._since_s = time.monotonic()
            self._status.update(_Doing(title, self._live))
            return
        self._live.unlink(missing_ok=True)  # a kernel that died could not
        took = f"{time.monotonic() - self._since_s:5.1f} s"
        mark = Text("✗ ", style="red") if progress.failed else Text("✓ ", style="green")
        failed = Text(f"  {progress.failed}", style="red") if progress.failed else Text("")
        _out.print(mark + Text(f"{took}  {title}") + failed, soft_wrap=True)
