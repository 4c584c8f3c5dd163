"""The commands for runs that are finished: verify, publish, prune, history, diff, comment."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runbook_lib.errors import PlanError, RunbookError
from runbook_lib.places import find_file, project_root
from runbook_lib.redact import redact, secrets_of
from runbook_lib.terminal import say, show_error

if TYPE_CHECKING:
    from runbook_lib.archive.places import Place
    from runbook_lib.run import Run

app = typer.Typer()

PANEL = "Finished runs"
_GITHUB = {"GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"}
RunPlace = Annotated[str, typer.Argument(metavar="RUN", help="Run folder here, or gs://BUCKET/FOLDER/RUN.")]
OutputsPlace = Annotated[
    str, typer.Argument(metavar="[FOLDER]", help="Folder of run folders, here or gs://BUCKET/FOLDER.")
]


@app.command(rich_help_panel=PANEL)
def verify(run: RunPlace) -> None:
    """Find every byte of a run that changed since it was sealed, and follow the chain to the runs before."""
    from runbook_lib.archive.manifest import verify as verify_run
    from runbook_lib.terminal.archive import show_verified

    verified = verify_run(_run_place(run))
    show_verified(run, verified)
    raise typer.Exit(3 if verified.findings else 0)


@app.command(rich_help_panel=PANEL)
def publish(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run folder, e.g. outputs/20261123-….")],
    to: Annotated[
        list[str] | None,
        typer.Option(metavar="PLACE", help="Folder or gs://BUCKET/FOLDER; else the plan's report.archive."),
    ] = None,
) -> None:
    """Copy a run to where others read it, whole or not at all; one that holds a secret is refused."""
    from runbook_lib.run import open_run

    for goal in _publish(open_run(find_file(run)), to or ()):
        say(goal)


@app.command(rich_help_panel=PANEL)
def prune(
    folder: OutputsPlace = "outputs",
    keep_runs: Annotated[int, typer.Option(min=1, help="Keep so many of each service.")] = 20,
    keep_days: Annotated[float, typer.Option(min=0, help="Keep what is younger, however many.")] = 90,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it they are only listed.")] = False,
) -> None:
    """Remove sealed runs that are neither among the newest of their service nor young."""
    from runbook_lib.archive.prune import Kept, remove, too_old
    from runbook_lib.clock import SystemClock

    old = too_old(_outputs(folder), Kept(runs=keep_runs, days=keep_days), SystemClock().now())
    for run in old:
        if yes:
            remove(run)
        say(f"{'removed' if yes else 'would remove'} {run.address}")
    say(f"{len(old)} runs {'removed' if yes else 'would be removed: add --yes'}")


@app.command(rich_help_panel=PANEL)
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="Run folder here, or gs://BUCKET/FOLDER/RUN.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The run to hold against it.")],
    everything: Annotated[
        bool, typer.Option("--all", help="Also show what is not equal within what chance explains.")
    ] = False,
) -> None:
    """Name what changed from run A to run B: plan, versions, outcomes, tests, times, log lines."""
    from runbook_lib.compare import diff as compare
    from runbook_lib.compare import past_run
    from runbook_lib.terminal.compare import show_diff

    ours, theirs = (past_run(_run_place(run)) for run in (before, after))
    show_diff(compare(ours, theirs), everything=everything)


@app.command(rich_help_panel=PANEL)
def history(
    service: Annotated[str, typer.Argument(metavar="[SERVICE]", help="Only its runs.")] = "",
    folder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FOLDER", help="Folder of run folders, here or gs://…; repeatable. Else outputs."
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write them, with the trend, as a page.")
    ] = None,
) -> None:
    """List all runs of a service with their verdicts and times; with --html, draw their trend."""
    from runbook_lib.compare import history as gather
    from runbook_lib.terminal.compare import show_history

    found = gather([_outputs(each) for each in folder or ("outputs",)], service)
    show_history(found)
    if html:
        try:
            html.write_text(found.html(), encoding="utf-8")
        except OSError as error:
            raise RunbookError(f"{html} cannot be written ({error.strerror}): give another --html") from error
        say(f"page    {html}")


@app.command(rich_help_panel=PANEL)
def comment(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run folder, e.g. outputs/20261123-….")],
    issue: Annotated[int | None, typer.Option(metavar="N", help="Issue; else the plan's.")] = None,
    repo: Annotated[str, typer.Option(metavar="OWNER/NAME", help="Else GITHUB_REPOSITORY.")] = "",
    send: Annotated[
        bool, typer.Option("--send", help="Put it on GitHub, with the token in GITHUB_TOKEN.")
    ] = False,
) -> None:
    """Show the comment for the issue; with --send, put it there, or replace the one on the same run."""
    from runbook_lib.report.comment import marker, render
    from runbook_lib.run import open_run

    record = open_run(find_file(run)).record()
    body = redact(render(record), secrets_of(os.environ))
    say(body)
    if not send:
        say("Not sent: add --send")
        return
    from runbook_lib.github_issues import issue_of, put_comment

    number = record.plan.issue.number if issue is None else issue
    where = issue_of(repo, number, os.environ)
    sent = put_comment(where, body, marker(record.run_id))
    say(f"{'sent to' if sent.new else 'replaced on'} {where}: {sent.url}")


def published(run: Run, code: int) -> int:
    """Tell CI of a finished run, publish it as its plan says; return its code, or 3 if only that failed."""
    if _GITHUB & os.environ.keys():
        from runbook_lib.report.github import tell

        for annotation in tell(run.record(), os.environ):
            say(annotation)
    if not run.plan.report.archive:
        return code
    try:
        for goal in _publish(run):
            say(f"archive {goal}")
    except RunbookError as error:
        show_error(error)
        return code or error.exit_code
    return code


def _publish(run: Run, to: Sequence[str] = ()) -> tuple[str, ...]:
    """Copy a run to `to`, or to where its plan says, and return where it is."""
    from runbook_lib.archive.publish import publish as publish_folder

    planned = [at if "://" in at else str(project_root() / at) for at in run.plan.report.archive]
    if not (to or planned):
        raise PlanError("nowhere to publish to: give --to, or the plan's report.archive", field="to")
    known = secrets_of(os.environ)
    return tuple(publish_folder(run.folder.path, target, known).address for target in to or planned)


def _run_place(run: str) -> Place:
    from runbook_lib.archive.places import place

    return place(run if "://" in run else os.path.relpath(find_file(run)))


def _outputs(folder: str) -> Place:
    from runbook_lib.archive.places import place

    return place(folder if "://" in folder else os.path.relpath(project_root() / folder))
