"""Show a run on the terminal: what is happening, how it ended, what is wrong."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from runbook_lib.places import LIVE

if TYPE_CHECKING:
    from runbook_lib.fleet import Validated
    from runbook_lib.headless import Progress
    from runbook_lib.preflight import Need, Preflight
    from runbook_lib.rehearsal import SelfTested, Tried
    from runbook_lib.run import Run
    from runbook_lib.verdict import CriterionResult, Verdict

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
    """Print the run's ledger and, asked of the service itself, who gets its traffic and who validates it."""
    table = Table("Time", "Event", "Step", "Detail", box=None)
    for entry in run.folder.ledger():
        table.add_row(f"{entry.time:%H:%M:%S}", entry.event, entry.step, Text(entry.detail))
    _out.print(table)
    service = run.ports.cloud_run.service()
    shares = Table("Traffic", "Revision", "Tag", box=None)
    for share in service.traffic:
        shares.add_row(f"{share.percent} %", share.revision, share.tag)
    _out.print(shares)
    say(run.lease.told())


def show_preflight(found: Preflight) -> None:
    """Print each permission with what it is for and whether the caller has it."""
    table = Table("", "Permission", "On", "For", "Smallest role", box=None)
    for need in found.needs:
        table.add_row(_granted(found, need), need.permission, need.on, need.purpose, need.role)
    _out.print(table)
    say(found.words())
    for other in found.unasked:
        say(f"not asked for, look yourself: {other}")


def _granted(found: Preflight, need: Need) -> Text:
    if need in found.missing:
        return Text("missing", style="red")
    return Text("unknown", style="yellow") if need in found.unknown else Text("granted", style="green")


def show_verdict(run: Run, verdict: Verdict | None) -> None:
    """Print every criterion in one line, then the verdict and where the run's report is."""
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
    say(f"change  {verdict.would_change}")
    say(f"report  {os.path.relpath(run.folder.path / 'report.html')}")
    say(f"next    {verdict.next_command}")


def show_tried(tried: Tried) -> None:
    """Print how one image of a self-test ended."""
    mark = Text("✓ ", style="green") if tried.as_expected else Text("✗ ", style="red")
    said = tried.action or f"could not look: {tried.error}"
    want = f"{tried.expected} had to fail" if tried.expected else "had to proceed"
    failed = f"; failed: {', '.join(tried.failed)}" if tried.failed else ""
    compared = f"{tried.image} against {tried.baseline}"
    _out.print(mark + Text(f"{tried.seconds:5.0f} s  {compared}: {want}, {said}{failed}"), soft_wrap=True)


def show_tested(tested: SelfTested) -> None:
    """Print the confusion matrix of a self-test: what had to happen against what the gate said."""
    actions = ("PROCEED_TO_PRODUCTION", "INVESTIGATE", "ROLLBACK", "could not look")
    table = Table("", *actions, box=None)
    for kind, defective in (("with a defect", True), ("without one", False)):
        said = [each.action or actions[-1] for each in tested.tried if bool(each.expected) is defective]
        table.add_row(kind, *(str(said.count(action)) for action in actions))
    _out.print(table)
    good = sum(each.as_expected for each in tested.tried)
    say(f"{good} of {len(tested.tried)} images ended as expected, for the expected reason")


def show_validated(validated: Validated) -> None:
    """Print how one run of many ended."""
    mark = Text("✓ ", style="green") if validated.exit_code == 0 else Text("✗ ", style="red")
    said = validated.action or f"exit code {validated.exit_code}: {validated.summary}"
    _out.print(mark + Text(f"{validated.seconds:5.0f} s  {validated.service}: {said}"), soft_wrap=True)


def show_fleet(fleet: Sequence[Validated]) -> None:
    """Print one line for each run of many, and how many went how."""
    table = Table("Service", "Verdict", "Seconds", Column("Report or output", overflow="fold"), box=None)
    for each in fleet:
        action = Text(each.action or f"exit code {each.exit_code}", style=_STYLES.get(each.action, "yellow"))
        where = Path(each.run, "report.html") if each.run else Path(each.output)
        table.add_row(Text(each.service), action, f"{each.seconds:.0f}", Text(os.path.relpath(where)))
    _out.print()
    _out.print(table)
    good = sum(each.exit_code == 0 for each in fleet)
    say(f"{good} of {len(fleet)} services may proceed")


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
